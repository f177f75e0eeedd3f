//! Files, and parts of pages, that are made from the code: compared, or with `CF_BILLING_WRITE_DOCS=1` written anew.

use std::path::Path;

/// A file must be `wanted`.
#[track_caller]
pub fn file(file: impl AsRef<Path>, wanted: &str) {
    let file = file.as_ref();
    if std::env::var_os("CF_BILLING_WRITE_DOCS").is_some() {
        std::fs::write(file, wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), wanted, "CF_BILLING_WRITE_DOCS=1 writes it anew");
}

/// What stands in a page between two marks of each of these names must be theirs.
#[track_caller]
pub fn blocks(page: &str, blocks: &[(&str, &str)]) {
    let mut wanted = std::fs::read_to_string(page).unwrap();
    for (mark, block) in blocks {
        let find = |mark: &str| wanted.find(mark).unwrap_or_else(|| panic!("{page} has no {mark}"));
        let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->\n"));
        let (start, stop) = (find(&begin) + begin.len(), find(&end));
        wanted = format!("{}{block}{}", &wanted[..start], &wanted[stop..]);
    }
    file(page, &wanted);
}
