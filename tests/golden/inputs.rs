//! The archive's inputs beside usage events: the JSON of each kind, with and without what may be left out.
//!
//! An archive is kept for ever, so each of these texts must be read as it is, and written the same way. How inputs are
//! numbered and packed is held by the golden book (`book.rs`).

use cf_billing::domain::{
    BaselineItem, Bound, BuildObservation, DiskObservation, FailedCreate, Gap, RowObservation, Settings, Settlement,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::folder;

/// Reads a text and writes it again.
fn again<T: DeserializeOwned + Serialize>(text: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string(&serde_json::from_str::<T>(text)?)
}

#[test]
fn archived_json_is_read_and_written_as_ever() {
    let text = std::fs::read_to_string(folder().join("inputs.jsonl")).unwrap();
    for (number, line) in text.lines().enumerate() {
        let (kind, body) = line.split_once(' ').unwrap();
        let read = match kind {
            "settings" => again::<Settings>(body),
            "baseline" => again::<BaselineItem>(body),
            "disk" => again::<DiskObservation>(body),
            "build" => again::<BuildObservation>(body),
            "failed-create" => again::<FailedCreate>(body),
            "gap" => again::<Gap>(body),
            "settlement" => again::<Settlement>(body),
            "bound" => again::<Bound>(body),
            "row" => again::<RowObservation>(body),
            other => panic!("line {}: no kind `{other}`", number + 1),
        };
        assert_eq!(read.unwrap(), body, "line {}, {kind}", number + 1);
    }
}
