//! Events whose own time isn't trusted, and the stretches of a stream that it is judged by.

use std::collections::BTreeMap;

use super::tables::BoundRow;
use crate::domain::{
    Bound, ClockNote, FoundationHead, Guid, Kind, Place, ResourceKey, Span, Stream, TOLERANCE_SECONDS, Timestamp,
};
use crate::store::archive::chunks::read_directory;
use crate::store::database::{Row, Session, Spelled, Sql, text, values};
use crate::store::{InputKind, Store, StoreError};

/// An archived event's time, in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    pub place: Place,
    pub created_at: Timestamp,
    /// Number of its input.
    pub sequence: u64,
}

/// A bound with its event's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBound {
    pub place: Place,
    pub bound: Bound,
}

/// Bounded events that belong together: each counts within the tolerance of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockSpan {
    /// Name of its foundation.
    pub foundation: String,
    /// 1, 2, 3 … within the foundation.
    pub number: u64,
    /// The time that each event states, and the one that it counts at.
    pub times: Vec<(Timestamp, Timestamp)>,
    /// Of how many of them nothing after them tells yet.
    pub provisional: u64,
}

impl ClockSpan {
    /// Names it: `foundation/number`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}", self.foundation, self.number)
    }

    /// The earliest and the latest time that its events state.
    #[must_use]
    pub fn stated(&self) -> Span {
        of(self.times.iter().map(|(stated, _)| *stated))
    }

    /// The earliest and the latest time that its events count at.
    #[must_use]
    pub fn counted(&self) -> Span {
        of(self.times.iter().map(|(_, counted)| *counted))
    }

    /// What finance is told of it, if an event of it states a time of the period, or counts in it.
    #[must_use]
    pub fn note(&self, period: Span) -> Option<ClockNote> {
        let within = |at: Timestamp| period.from <= at && at <= period.to;
        let touches = self.times.iter().any(|(stated, counted)| within(*stated) || within(*counted));
        touches.then(|| ClockNote {
            reference: self.reference(),
            events: self.times.len() as u64,
            stated: self.stated(),
            counted: self.counted(),
        })
    }
}

fn of(times: impl Iterator<Item = Timestamp> + Clone) -> Span {
    let (from, to) = (times.clone().min(), times.max());
    Span { from: from.unwrap_or(Timestamp::MIN), to: to.unwrap_or(Timestamp::MIN) }
}

impl Store {
    /// The archived events of a stream from the one numbered `ordinal` on, in stream order; pruned ones, too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stated_times(
        &self,
        foundation: &FoundationHead,
        stream: Stream,
        ordinal: u64,
    ) -> Result<Vec<Stated>, StoreError> {
        let mut session = self.database.read().await?;
        let mut stated = Vec::new();
        let mut end = foundation.last_sequence + 1;
        // What is appended is numbered in sequence; what is found late comes after what it stands behind.
        let mut begins_here = false;
        while end > 1 && !begins_here {
            let directory = read_directory(&mut session, foundation.id, end - 1).await?;
            let Some((first, entries)) = directory else { break };
            for (sequence, entry) in (first..).zip(entries) {
                if entry.kind != InputKind::Event(stream) {
                    continue;
                }
                begins_here |= entry.place.fraction().is_empty() && entry.place.ordinal <= ordinal;
                if entry.place.ordinal >= ordinal {
                    stated.push(Stated { place: entry.place, created_at: entry.created_at, sequence });
                }
            }
            end = first;
        }
        stated.sort_by(|one, two| one.place.cmp(&two.place));
        Ok(stated)
    }

    /// The bounds in force of a stream's events between two numbers, both included, in stream order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bounds(
        &self,
        foundation: &FoundationHead,
        stream: Stream,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredBound>, StoreError> {
        const BOUNDS: Sql = Sql::new(
            "SELECT stream, ordinal, fraction, event_guid, created_at, counts_at, provisional, kind, resource_guid
             FROM clock_bound
             WHERE foundation_id = $1 AND stream = $2 AND ordinal BETWEEN $3 AND $4 AND counts_at IS NOT NULL
             ORDER BY ordinal, fraction",
        );
        let values = values![foundation.id, stream.name(), from, to];
        self.database.read().await?.all(BOUNDS, values).await?.iter().map(read_bound).collect()
    }

    /// Spans of bounded events of one foundation, or of all, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clock_spans(&self, foundation: Option<&str>) -> Result<Vec<ClockSpan>, StoreError> {
        read_spans(&mut self.database.read().await?, foundation).await
    }
}

pub(in crate::store) async fn read_spans(
    session: &mut Session,
    foundation: Option<&str>,
) -> Result<Vec<ClockSpan>, StoreError> {
    const SPANS: Sql = Sql::new(
        "SELECT foundation.name AS foundation, bound.number, bound.created_at, bound.counts_at, bound.provisional
         FROM clock_bound AS bound JOIN foundation ON foundation.id = bound.foundation_id
         WHERE ($1 IS NULL OR foundation.name = $1) AND bound.counts_at IS NOT NULL",
    );
    let mut spans: BTreeMap<(String, u64), ClockSpan> = BTreeMap::new();
    for row in session.all(SPANS, values![foundation]).await? {
        let (foundation, number) = (row.string("foundation")?, row.number("clock_bound.number")?);
        let span = (spans.entry((foundation.clone(), number))).or_insert_with(|| ClockSpan {
            foundation,
            number,
            times: Vec::new(),
            provisional: 0,
        });
        span.times.push((row.time("clock_bound.created_at")?, row.time("clock_bound.counts_at")?));
        span.provisional += u64::from(row.flag("clock_bound.provisional")?);
    }
    Ok(spans.into_values().collect())
}

fn read_bound(row: &Row) -> Result<StoredBound, StoreError> {
    let kind = row.get::<Option<Kind>>("clock_bound.kind")?;
    let guid = row.get::<Option<Guid>>("clock_bound.resource_guid")?;
    let Spelled(stream) = row.get("clock_bound.stream")?;
    Ok(StoredBound {
        place: Place::from_parts(row.number("clock_bound.ordinal")?, row.bytes("clock_bound.fraction")?),
        bound: Bound {
            stream,
            event: row.get("clock_bound.event_guid")?,
            created_at: row.time("clock_bound.created_at")?,
            resource: kind.zip(guid).map(|(kind, guid)| ResourceKey { kind, guid }),
            counts_at: row.maybe_time("clock_bound.counts_at")?,
            provisional: row.flag("clock_bound.provisional")?,
        },
    })
}

/// Keeps bounds that a page holds, by the numbers of their inputs: the last one for each event. One that counts near
/// another belongs to its span; an event stays with the span that it had first.
pub(in crate::store) async fn put_bounds(
    session: &mut Session,
    foundation: &FoundationHead,
    bounds: &[(u64, StoredBound)],
) -> Result<(), StoreError> {
    const NEAR: Sql = Sql::new(
        "SELECT min(number) AS number FROM clock_bound WHERE foundation_id = $1 AND counts_at BETWEEN $2 AND $3",
    );
    const LAST: Sql = Sql::new("SELECT coalesce(max(number), 0) AS number FROM clock_bound WHERE foundation_id = $1");
    const PUT: Sql = Sql::new(text![
        BoundRow::ADD,
        " ON CONFLICT (foundation_id, stream, ordinal, fraction) DO UPDATE SET
             counts_at = excluded.counts_at, provisional = excluded.provisional, sequence = excluded.sequence"
    ]);
    if bounds.is_empty() {
        return Ok(());
    }
    let mut last = session.one(LAST, values![foundation.id]).await?.number("clock_bound.number")?;
    let mut newest: BTreeMap<(Stream, &Place), (u64, &Bound)> = BTreeMap::new();
    for (sequence, stored) in bounds {
        newest.insert((stored.bound.stream, &stored.place), (*sequence, &stored.bound));
    }
    let mut spans: Vec<(Timestamp, u64)> = Vec::new();
    let mut rows = Vec::with_capacity(newest.len());
    for ((stream, place), (sequence, bound)) in newest {
        let number = match bound.counts_at {
            // It has a number already, which stays.
            None => 0,
            Some(at) => {
                let near = |(other, _): &&(Timestamp, u64)| at.seconds_since(*other).abs() <= TOLERANCE_SECONDS;
                let of_page = spans.iter().rev().find(near).map(|(_, number)| *number);
                let number = if let Some(number) = of_page {
                    number
                } else {
                    let (from, to) = (at.plus(-TOLERANCE_SECONDS), at.plus(TOLERANCE_SECONDS));
                    let row = session.one(NEAR, values![foundation.id, from, to]).await?;
                    row.get::<Option<u64>>("clock_bound.number")?.unwrap_or_else(|| {
                        last += 1;
                        last
                    })
                };
                if spans.last() != Some(&(at, number)) {
                    spans.push((at, number));
                }
                number
            }
        };
        rows.push(BoundRow {
            foundation_id: foundation.id,
            stream: Spelled(stream),
            ordinal: place.ordinal,
            fraction: place.fraction().to_vec(),
            event_guid: bound.event.clone(),
            created_at: bound.created_at,
            counts_at: bound.counts_at,
            provisional: bound.provisional,
            kind: bound.resource.as_ref().map(|key| key.kind),
            resource_guid: bound.resource.as_ref().map(|key| key.guid.clone()),
            sequence,
            number,
        });
    }
    let rows = session.rows(rows);
    session.run_of(PUT, Vec::new(), rows).await?;
    Ok(())
}
