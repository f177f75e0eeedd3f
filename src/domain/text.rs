//! Help for people who made a mistake in a text: where it is, and what they may have meant. And text from outside, so that it
//! is nothing but text: on terminals, in logs and in spreadsheets.

use std::borrow::Cow;
use std::fmt::Write;

/// A place in a text, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Why the bytes of a file are no text that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    #[error("it is UTF-16 text, not UTF-8")]
    Utf16,
    #[error("it is not UTF-8 text")]
    NotUtf8 {
        /// The first line that isn't, from 1.
        line: usize,
    },
}

impl NotText {
    /// What to do about it.
    pub const HINT: &'static str = "save the file as UTF-8";
}

/// Editors on Windows begin a file of UTF-8 with it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file that a person wrote: UTF-8, with or without a byte order mark, which isn't part of it.
///
/// # Errors
/// [`NotText`].
pub fn text_of(bytes: Vec<u8>) -> Result<String, NotText> {
    let text = marked_text_of(bytes)?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(text))
}

/// As [`text_of`], with the byte order mark where there is one: for texts that are known by their hash.
///
/// # Errors
/// [`NotText`].
pub fn marked_text_of(bytes: Vec<u8>) -> Result<String, NotText> {
    // Without a mark, the first letter of anything that we read has one byte of two that is zero.
    let is_utf16 = match bytes[..] {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [one, two, ..] => (one == 0) != (two == 0),
        _ => false,
    };
    if is_utf16 {
        return Err(NotText::Utf16);
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        NotText::NotUtf8 { line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
    })
}

/// Where the byte at `offset` stands.
#[must_use]
pub fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    Position { line, column }
}

/// ``did you mean `…`?``, if something known is near.
#[must_use]
pub fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let (distance, nearest) = known.map(|known| (strsim::damerau_levenshtein(name, known), known)).min()?;
    (distance <= name.len().max(3) / 3).then(|| format!("did you mean `{nearest}`?"))
}

/// Bytes as hexadecimal digits, two each, small letters.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("writing to a String never fails");
        digits
    })
}

/// Moves a terminal's cursor, ends a line, or turns the direction of what follows.
fn acts(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_text = |letter: char| is_kept(letter) || !acts(letter);
    if text.chars().all(is_text) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if is_text(letter) { shown.push(letter) } else { shown.extend(letter.escape_default()) }
    }
    Cow::Owned(shown)
}

/// Text from outside in one line, as a person may see it on a terminal or in a log: what would act there is shown escaped,
/// `\u{1b}`, `\n`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// As [`visible`], of several lines.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter == '\n')
}

/// With these a spreadsheet begins a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A text cell of CSV that no spreadsheet takes for a formula: one that begins with `=`, `+`, `-`, `@`, a tab or a carriage
/// return has a `'` before it. So has one that begins with such marks and then with one of these, so that taking one `'` off
/// each that begins so gives every text back.
#[must_use]
pub fn inert(cell: &str) -> Cow<'_, str> {
    let is_formula = cell.trim_start_matches('\'').starts_with(FORMULA);
    if is_formula { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// Whether a cell is nothing but a number such as `-12.50`.
#[must_use]
pub fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{
        NotText, Position, did_you_mean, inert, is_number, marked_text_of, position, text_of, visible, visible_lines,
    };

    #[test]
    fn a_byte_order_mark_is_no_text_and_utf16_is_refused_by_name() {
        let utf16 = |text: &str, mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            mark.encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
        };
        for (bytes, read) in [
            (b"jump:k1\r\n".to_vec(), Ok("jump:k1\r\n")),
            (b"\xef\xbb\xbfjump:k1\r\n".to_vec(), Ok("jump:k1\r\n")),
            // A second one is a letter of the text.
            ("\u{feff}\u{feff}a".as_bytes().to_vec(), Ok("\u{feff}a")),
            (b"\xef\xbb\xbf".to_vec(), Ok("")),
            (Vec::new(), Ok("")),
            (b"a".to_vec(), Ok("a")),
            (utf16("jump:k1", "\u{feff}", u16::to_le_bytes), Err(NotText::Utf16)),
            (utf16("jump:k1", "\u{feff}", u16::to_be_bytes), Err(NotText::Utf16)),
            (utf16("jump:k1", "", u16::to_le_bytes), Err(NotText::Utf16)),
            (utf16("jump:k1", "", u16::to_be_bytes), Err(NotText::Utf16)),
            (b"a\nM\xfcller".to_vec(), Err(NotText::NotUtf8 { line: 2 })),
        ] {
            assert_eq!(text_of(bytes.clone()).as_deref(), read.as_deref(), "{bytes:?}");
        }
        assert_eq!(marked_text_of(b"\xef\xbb\xbfa".to_vec()).as_deref(), Ok("\u{feff}a"));
    }

    #[test]
    fn what_would_act_on_a_terminal_is_shown_escaped() {
        for (text, shown) in [
            ("plain", "plain"),
            ("Zürich 東京 🙂", "Zürich 東京 🙂"),
            ("a\u{1b}[2K", "a\\u{1b}[2K"),
            ("a\u{9b}2K\u{7f}\0", "a\\u{9b}2K\\u{7f}\\u{0}"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("a\u{202e}b\u{2066}c\u{200f}d\u{61c}e\u{2028}", "a\\u{202e}b\\u{2066}c\\u{200f}d\\u{61c}e\\u{2028}"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\nb\u{1b}"), "a\nb\\u{1b}");
    }

    #[test]
    fn no_cell_is_a_formula_and_every_text_comes_back() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(inert(text), cell);
            let without = cell.strip_prefix('\'').filter(|without| inert(without) == cell);
            assert_eq!(without.unwrap_or(cell), text);
        }
        for (cell, expected) in [
            ("-12.50", true),
            ("7", true),
            ("+1", false),
            ("-", false),
            ("1.", false),
            (".5", false),
            ("-1-1", false),
            ("", false),
        ] {
            assert_eq!(is_number(cell), expected, "{cell}");
        }
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        let text = "a\näb\n";
        for (offset, line, column) in [(0, 1, 1), (1, 1, 2), (2, 2, 1), (4, 2, 2), (6, 3, 1), (99, 3, 1)] {
            assert_eq!(position(text, offset), Position { line, column }, "{offset}");
        }
    }

    #[test]
    fn only_near_names_are_meant() {
        let known = || ["memory_gib_hour", "disk_gib_hour"].into_iter();
        assert_eq!(did_you_mean("memory_gb_hour", known()).as_deref(), Some("did you mean `memory_gib_hour`?"));
        assert_eq!(did_you_mean("cpu", known()), None);
    }
}
