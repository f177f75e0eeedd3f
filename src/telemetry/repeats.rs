//! Which messages were said a while ago, so that what fails every second doesn't fill the log. Owns what counts as the
//! same; bounded.

use std::collections::HashMap;
use std::time::Duration;

/// A message is shown once in this time.
const WINDOW: Duration = Duration::from_mins(10);
/// Messages remembered at once; what is beyond is shown each time.
const MOST: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    shown: HashMap<String, Shown>,
}

#[derive(Debug)]
struct Shown {
    at: Duration,
    unshown: u64,
    text: String,
}

/// How often a message came again within a window that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Again {
    pub count: u64,
    pub minutes: u64,
    pub text: String,
}

impl Repeats {
    /// Whether a message is to be shown, and how many like it weren't since the last; `now` is since the process began.
    pub fn is_shown(&mut self, text: &str, now: Duration) -> Option<u64> {
        let key = without_numbers(text);
        if let Some(shown) = self.shown.get_mut(&key) {
            if now.saturating_sub(shown.at) < WINDOW {
                shown.unshown += 1;
                return None;
            }
            shown.at = now;
            return Some(std::mem::take(&mut shown.unshown));
        }
        if self.shown.len() < MOST {
            self.shown.insert(key, Shown { at: now, unshown: 0, text: text.to_owned() });
        }
        Some(0)
    }

    /// Forgets messages whose window is over; gives those that came again within it.
    pub fn over(&mut self, now: Duration) -> Vec<Again> {
        let over = self.shown.extract_if(|_, shown| now.saturating_sub(shown.at) >= WINDOW);
        let again = over.map(|(_, shown)| shown).filter(|shown| shown.unshown > 0);
        let mut again: Vec<Again> = again
            .map(|shown| Again { count: shown.unshown, minutes: WINDOW.as_secs() / 60, text: shown.text })
            .collect();
        again.sort_by(|left, right| left.text.cmp(&right.text));
        again
    }
}

/// Two messages that differ in numbers, guids or times alone are the same.
fn without_numbers(text: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let mut same = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()).max(letter.len_utf8());
        let (word, after) = rest.split_at(end);
        same.push_str(if word.contains(|letter: char| letter.is_ascii_digit()) { "#" } else { word });
        rest = after;
    }
    same
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Again, MOST, Repeats};

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_same_is_shown_once_in_ten_minutes() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.is_shown("GET /v3/apps/0a1b: refused (request id 7f)", at(5)), Some(0));
        assert_eq!(repeats.is_shown("GET /v3/apps/9c2d: refused (request id 8e)", at(6)), None);
        assert_eq!(repeats.is_shown("GET /v3/apps/9c2d: timed out", at(6)), Some(0));
        assert_eq!(repeats.is_shown("GET /v3/apps/9c2d: refused (request id 9)", at(604)), None);
        assert_eq!(repeats.is_shown("GET /v3/apps/9c2d: refused (request id 9)", at(605)), Some(2));
        assert_eq!(repeats.is_shown("GET /v3/apps/9c2d: refused (request id 9)", at(606)), None);
    }

    #[test]
    fn what_came_again_is_told_once_its_window_is_over() {
        let mut repeats = Repeats::default();
        for second in 0..42 {
            repeats.is_shown("the disk is full", at(second));
        }
        repeats.is_shown("once", at(42));
        assert_eq!(repeats.over(at(599)), []);
        let again = Again { count: 41, minutes: 10, text: "the disk is full".to_owned() };
        assert_eq!(repeats.over(at(600)), [again]);
        assert_eq!(repeats.over(at(10_000)), []);
        assert!(repeats.shown.is_empty());
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let mut repeats = Repeats::default();
        let letter = |number: usize| char::from(b'a' + u8::try_from(number).unwrap());
        let name = |number: usize| [letter(number / 26), letter(number % 26)].iter().collect::<String>();
        for number in 0..=MOST {
            assert_eq!(repeats.is_shown(&name(number), at(0)), Some(0));
        }
        assert_eq!(repeats.is_shown(&name(MOST - 1), at(1)), None);
        assert_eq!(repeats.is_shown(&name(MOST), at(1)), Some(0));
        assert_eq!(repeats.shown.len(), MOST);
    }
}
