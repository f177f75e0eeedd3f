//! Lists in pages: a place in a list as text that only we understand.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Rows of a page: the fewest, as many as come unasked, the most.
pub const LIMITS: (usize, usize, usize) = (1, 100, 1000);

/// A page of a list, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage<T> {
    pub items: Vec<T>,
    /// `None`: this is the last one.
    pub next: Option<Cursor>,
}

impl<T> ListPage<T> {
    /// A page of at most `most`, of what was read: one more tells that there is a next page, which begins behind the last
    /// that is on this one.
    pub(super) fn of<R>(
        mut read: Vec<R>,
        most: usize,
        place: impl FnOnce(&R) -> Cursor,
        made: impl Fn(&R) -> T,
    ) -> Self {
        let is_more = read.len() > most;
        read.truncate(most);
        let next = read.last().filter(|_| is_more).map(place);
        Self { items: read.iter().map(made).collect(), next }
    }
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// `list` names what it is a place in: none is taken for another's.
    pub(super) fn new(list: &str, place: &impl Serialize) -> Self {
        let text = serde_json::to_vec(&(list, place)).expect("a place is numbers and texts");
        Self(URL_SAFE_NO_PAD.encode(text))
    }

    /// The place, if the text is one in that list.
    pub(super) fn place<P: DeserializeOwned>(text: &str, list: &str) -> Option<P> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        // A NUL is in no name, and no database takes it.
        let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains("\\u0000"))?;
        let (of, place): (String, P) = serde_json::from_str(text).ok()?;
        (of == list).then_some(place)
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, ListPage};

    #[test]
    fn a_place_is_read_back_in_its_own_list_alone() {
        let cursor = Cursor::new("anomalies", &("eu1", 7_u64, 0_u64));
        assert_eq!(Cursor::place(cursor.text(), "anomalies"), Some(("eu1".to_owned(), 7_u64, 0_u64)));
        assert_eq!(Cursor::place::<(String, u64, u64)>(cursor.text(), "invoices"), None);
        assert_eq!(Cursor::place::<i64>(cursor.text(), "anomalies"), None);
        let cursor = Cursor::new("anomalies", &("\0", 0, 0));
        assert_eq!(Cursor::place::<(String, i64, i64)>(cursor.text(), "anomalies"), None);
        for text in ["", "!", "e30", "W10"] {
            assert_eq!(Cursor::place::<i64>(text, "anomalies"), None, "{text}");
        }
    }

    #[test]
    fn a_page_is_the_last_one_unless_there_is_more() {
        for (read, items, next) in [(0, 0, false), (2, 2, false), (3, 2, true)] {
            let page =
                ListPage::of((0..read).collect::<Vec<i64>>(), 2, |last| Cursor::new("numbers", last), |one| *one);
            assert_eq!((page.items.len(), page.next.is_some()), (items, next), "{read}");
            assert_eq!(page.next.map(|next| Cursor::place(next.text(), "numbers")), next.then_some(Some(1_i64)));
        }
    }
}
