//! What a simulated foundation's own answers do otherwise than a healthy Cloud Controller's of today: older releases,
//! operators' limits, rows that lack what they should have. Owns how such answers look; never what happens there.

use serde_json::{Value, json};

use super::Options;
use super::faults::Fault;
use super::tables::List;

/// How far `clock-ahead` is, in seconds.
const CLOCK_AHEAD_SECONDS: i64 = 3600;
/// How far `machine-ahead` is, in seconds: more than a transaction may be under way.
const MACHINE_AHEAD_SECONDS: i64 = 8 * 3600;
/// What `max-total-results` sets.
const MOST_RESULTS: u32 = 100;

impl Options {
    /// Behaves so from now on.
    pub fn put(&mut self, fault: Fault) {
        match fault {
            Fault::NullUpdatedAt => self.null_updated_at = true,
            Fault::NoDropletRelationship => self.droplet_relationship = false,
            Fault::NoCreatedAts => self.event_times = false,
            Fault::MaxTotalResults => self.max_total_results = Some(MOST_RESULTS),
            Fault::UnreadableRows => self.first_unreadable = true,
            Fault::ClockAhead => self.clock_ahead = CLOCK_AHEAD_SECONDS,
            Fault::MachineAhead => self.machine_ahead = MACHINE_AHEAD_SECONDS,
            between => self.faults.push(between),
        }
    }
}

/// Lists of which one row can't be read under [`Fault::UnreadableRows`].
const ODD: [List; 5] = [List::Apps, List::Processes, List::ServiceInstances, List::ServicePlans, List::Spaces];

impl Options {
    /// Whether rows are shown as they are kept.
    pub(super) fn shows_rows_as_they_are(&self) -> bool {
        !self.null_updated_at && self.droplet_relationship && self.unreadable.is_empty() && !self.first_unreadable
    }

    /// A row as it is shown; `first`: it is the list's first one.
    pub(super) fn shown(&self, list: List, row: &Value, first: bool) -> Value {
        let mut row = row.clone();
        let guid = row["guid"].as_str().unwrap_or_default().to_owned();
        let is_odd =
            self.unreadable.contains(&(list, guid.clone())) || (self.first_unreadable && first && ODD.contains(&list));
        if is_odd {
            let (member, value) = unreadable(list);
            row[member] = value;
        }
        let saved = matches!(list, List::Processes | List::Tasks | List::ServiceInstances);
        if self.null_updated_at && saved && guid.bytes().next().is_some_and(|first| first % 2 == 0) {
            row["updated_at"] = Value::Null;
        }
        if !self.droplet_relationship
            && list == List::Apps
            && let Some(relationships) = row["relationships"].as_object_mut()
        {
            relationships.remove("current_droplet");
        }
        row
    }
}

/// The member that makes a row of a list unreadable, and what it then holds.
fn unreadable(list: List) -> (&'static str, Value) {
    match list {
        List::Apps => ("state", Value::Null),
        List::Processes | List::Tasks => ("memory_in_mb", json!("1G")),
        List::ServiceInstances => ("type", Value::Null),
        List::Builds => ("created_at", json!("yesterday")),
        List::Droplets => ("buildpacks", json!("java_buildpack")),
        _ => ("name", Value::Null),
    }
}
