//! Which connections of a pool may be used again: none that was there when something went wrong that may last.
//! Owns what counts as such; knows no table.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Stopwatch;

/// Shared by a pool and its sessions.
///
/// A connection that met a full disk may be left within a transaction that nobody ends; one that was made while the
/// database was read-only stays so for as long as it lives. New ones know nothing of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// Since connections were last distrusted.
    lost: Arc<Mutex<Option<Stopwatch>>>,
}

impl Trust {
    /// Distrusts every connection there is now, if the error is of a kind that may be the connection's own.
    pub fn note(&self, error: &sqlx::Error) {
        if may_last(error) {
            self.lose();
        }
    }

    /// Distrusts every connection there is now.
    pub fn lose(&self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stopwatch::start());
    }

    /// Whether a connection that is so old may be used.
    pub fn has(&self, age: Duration) -> bool {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.is_none_or(|since| age < since.elapsed())
    }
}

fn may_last(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code_may_last(&code)),
        sqlx::Error::InvalidSavePointStatement | sqlx::Error::BeginFailed | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// By the codes of either database.
fn code_may_last(code: &str) -> bool {
    if code.len() == 5 {
        // Read-only transaction; resources, operator, system, internal error, connection. Not: the statement took too long.
        let of = ["25006", "53", "57", "58", "XX", "08"];
        return code != "57014" && of.iter().any(|begin| code.starts_with(begin));
    }
    // The lowest byte is the primary code: no memory, read-only, failed to read or write, damaged, full, can't be
    // opened, a protocol error, not a database.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 7 | 8 | 10 | 11 | 13 | 14 | 15 | 26))
}

#[cfg(test)]
mod tests {
    use super::code_may_last;

    #[test]
    fn what_is_the_statements_own_fault_leaves_the_connection_trusted() {
        for (code, lasts) in [
            ("25006", true),
            ("53100", true),
            ("57P01", true),
            ("08006", true),
            ("57014", false),
            ("23505", false),
            ("40001", false),
            ("25P02", false),
            ("13", true),
            ("8", true),
            ("1032", true),
            ("778", true),
            ("5", false),
            ("517", false),
            ("19", false),
            ("1555", false),
            ("1", false),
        ] {
            assert_eq!(code_may_last(code), lasts, "{code}");
        }
    }
}
