//! Where a foundation's baseline is to come from: what Cloud Controller offers, or what is configured.
//! Owns the order in which ways are tried; takes nothing yet.

use crate::cloud_controller::{After, ApiError, Client, ErrorKind};
use crate::domain::usage_event::{ProcessChange, ServiceChange, TaskChange};
use crate::domain::{Endpoint, Fact, Strategy, Stream};

/// Pages of each stream that are looked through for records that a backfill wrote.
const PAGES_LOOKED_THROUGH: usize = 10;

/// The way to take a baseline, and why, for people. `configured`: the one to take whatever Cloud Controller offers.
///
/// # Errors
/// [`ApiError`].
pub async fn choose_strategy(client: &Client, configured: Option<Strategy>) -> Result<(Strategy, String), ApiError> {
    if let Some(strategy) = configured {
        // Found wrong at once, where it is; and what time it is there is known from then on.
        if strategy == Strategy::Snapshot {
            client.snapshots(Stream::App).await?;
        } else {
            client.newest_event(Stream::App).await?;
        }
        return Ok((strategy, "as configured".to_owned()));
    }
    match client.snapshots(Stream::App).await {
        Ok(_) => return Ok((Strategy::Snapshot, "Cloud Controller has usage snapshots".to_owned())),
        Err(error) if error.kind == ErrorKind::NoRoute => {}
        Err(error) => return Err(error),
    }
    for stream in Stream::ALL {
        if keeps_records(client, stream).await? {
            let reason = format!(
                "Cloud Controller has no usage snapshots; its {stream} events hold WAS_RUNNING records of what runs"
            );
            return Ok((Strategy::KeptRecords, reason));
        }
    }
    let reason = "Cloud Controller has neither usage snapshots nor WAS_RUNNING records".to_owned();
    Ok((Strategy::LiveLists, reason))
}

/// What goes on without the answer that doesn't come, where the way was to be found (`configured`: none is).
#[must_use]
pub fn way_on(error: &ApiError, configured: Option<Strategy>) -> Option<&'static str> {
    let of_snapshots =
        matches!(error.endpoint(), Endpoint::AppUsageSnapshots | Endpoint::ServiceUsageSnapshots | Endpoint::Jobs);
    let found = configured.is_none() && of_snapshots;
    found.then_some("set `onboarding = \"live_lists\"` in its [[foundation]] to go on without usage snapshots")
}

/// Whether a stream holds a record that a backfill wrote for something that ran: then beginnings are kept, too.
async fn keeps_records(client: &Client, stream: Stream) -> Result<bool, ApiError> {
    let mut after = After::Nothing;
    for _ in 0..PAGES_LOOKED_THROUGH {
        let page = client.events(stream, &after).await?.value;
        if page.events.iter().any(|(_, decoded)| is_backfilled(&decoded.event.fact)) {
            return Ok(true);
        }
        match page.last_id().filter(|_| page.full) {
            Some(last) => after = After::Event(last.guid),
            None => break,
        }
    }
    Ok(false)
}

fn is_backfilled(fact: &Fact) -> bool {
    match fact {
        Fact::Process(fact) => fact.change == ProcessChange::WasRunning,
        Fact::Task(fact) => fact.change == TaskChange::WasRunning,
        Fact::Service(fact) => fact.change == ServiceChange::WasRunning,
        _ => false,
    }
}
