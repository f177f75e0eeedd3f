//! How far a list may go: pages, rows and time. Owns those limits; a list past one of them is broken, and decides nothing.

use super::wire::lists::Pagination;
use crate::domain::Timestamp;

/// Pages of one list; at the smallest size still half a million rows.
const MOST_PAGES: u32 = 10_000;
/// From its first page to its last.
const LONGEST_SECONDS: i64 = 30 * 60;

/// One list that is being read.
#[derive(Debug)]
pub(super) struct Bounds {
    began_at: Timestamp,
    pages: u32,
    rows: u64,
}

impl Bounds {
    pub fn new(now: Timestamp) -> Self {
        Self { began_at: now, pages: 0, rows: 0 }
    }

    /// Counts a page; gives whether another is to be read.
    ///
    /// # Errors
    /// What shows that there would be no end to it, for people.
    pub fn goes_on(&mut self, rows: usize, pagination: &Pagination, now: Timestamp) -> Result<bool, String> {
        self.pages += 1;
        self.rows += rows as u64;
        if pagination.next.is_none() {
            return Ok(false);
        }
        let page = self.pages;
        if rows == 0 {
            return Err(format!("the list has no end: page {page} is empty and names another"));
        }
        // Rows that come and go meanwhile move others from page to page: by a page at most, or it isn't that.
        if let Some(total) = pagination.total_results.filter(|total| self.rows > total.saturating_add(rows as u64)) {
            return Err(format!("the list has no end: it gave {} rows, but says that there are {total}", self.rows));
        }
        if page >= MOST_PAGES {
            return Err(format!("the list has no end: it has more than {MOST_PAGES} pages"));
        }
        let seconds = now.seconds_since(self.began_at);
        if seconds > LONGEST_SECONDS {
            return Err(format!("the list takes too long: {page} pages in {seconds} s, and more to come"));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud_controller::wire::lists::Link;

    fn page(next: bool, total_results: Option<u64>) -> Pagination {
        let link = || Link { href: "https://api.example.org/v3/apps?page=2".to_owned() };
        Pagination { next: next.then(link), last: None, total_results }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(1_790_000_000 + seconds)
    }

    #[test]
    fn a_list_ends_where_it_names_no_other_page() {
        let mut bounds = Bounds::new(at(0));
        assert_eq!(bounds.goes_on(50, &page(true, Some(70)), at(1)), Ok(true));
        assert_eq!(bounds.goes_on(20, &page(false, Some(70)), at(2)), Ok(false));
    }

    #[test]
    fn an_empty_page_names_no_other() {
        assert!(Bounds::new(at(0)).goes_on(0, &page(true, Some(70)), at(1)).is_err());
        assert_eq!(Bounds::new(at(0)).goes_on(0, &page(false, Some(0)), at(1)), Ok(false));
    }

    #[test]
    fn a_list_has_no_more_rows_than_it_says_but_for_a_page_that_moved() {
        let mut bounds = Bounds::new(at(0));
        for _ in 0..3 {
            assert_eq!(bounds.goes_on(50, &page(true, Some(100)), at(1)), Ok(true));
        }
        assert!(bounds.goes_on(50, &page(true, Some(100)), at(1)).is_err());
    }

    #[test]
    fn a_list_has_at_most_ten_thousand_pages() {
        let mut bounds = Bounds::new(at(0));
        for _ in 1..MOST_PAGES {
            assert_eq!(bounds.goes_on(1, &page(true, None), at(1)), Ok(true));
        }
        assert!(bounds.goes_on(1, &page(true, None), at(1)).is_err());
    }

    #[test]
    fn a_list_takes_at_most_half_an_hour() {
        let mut bounds = Bounds::new(at(0));
        assert_eq!(bounds.goes_on(1, &page(true, None), at(1800)), Ok(true));
        assert!(bounds.goes_on(1, &page(true, None), at(1801)).is_err());
    }
}
