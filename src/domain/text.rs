//! Help for people who made a mistake in a text: where it is, and what they may have meant.

use std::fmt::Write;

/// A place in a text, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
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

#[cfg(test)]
mod tests {
    use super::{Position, did_you_mean, position};

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
