//! Spans of stream history that can't be read any more: recorded when found, settled once what runs was looked at.

use super::streams::event_id;
use crate::domain::{EventId, FoundationHead, Gap, GapNote, GapReason, GapStage, Span, Stream, Timestamp};
use crate::store::database::{Row, Session, Spelled, Sql, values};
use crate::store::{Store, StoreError};

/// A recorded gap and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGap {
    /// Name of its foundation.
    pub foundation: String,
    /// 1, 2, 3 … within the foundation.
    pub number: u64,
    pub stream: Stream,
    pub reason: GapReason,
    /// The last time the stream was read to its end.
    pub from: Timestamp,
    /// When the first event was created that could be read again; `None` if that isn't known yet.
    pub to: Option<Timestamp>,
    /// The checkpoint that was lost.
    pub checkpoint: Option<EventId>,
    pub found_at: Timestamp,
    /// Number of the input that records it.
    pub sequence: u64,
    pub stage: GapStage,
    pub settled_at: Option<Timestamp>,
    /// How many resources were settled so far.
    pub settled: Settled,
}

impl StoredGap {
    /// What finance is told of it, if it touches a period: what is assumed reaches until it is settled.
    #[must_use]
    pub fn note(&self, period: Span) -> Option<GapNote> {
        let touches = self.from < period.to && self.settled_at.is_none_or(|at| at > period.from);
        touches.then(|| GapNote {
            reference: self.reference(),
            stream: self.stream,
            reason: self.reason,
            from: self.from,
            settled_at: self.settled_at.filter(|_| self.stage == GapStage::Settled),
            assumed: self.settled.total(),
        })
    }

    /// As it was archived.
    #[must_use]
    pub fn recorded(&self) -> Gap {
        Gap {
            stream: self.stream,
            reason: self.reason,
            from: self.from,
            to: self.to,
            checkpoint: self.checkpoint.clone().map(|event| (event.guid, event.created_at)),
            found_at: self.found_at,
        }
    }

    /// Names it: `foundation/number`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}", self.foundation, self.number)
    }
}

/// How many resources were settled, by what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Vanished unseen.
    pub ended: u64,
    /// Appeared unseen.
    pub begun: u64,
    /// Found with another footprint.
    pub changed: u64,
}

impl Settled {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ended + self.begun + self.changed
    }
}

/// How one page moves a gap on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapProgress {
    pub number: u64,
    pub stage: GapStage,
    /// To be added to what was settled before.
    pub settled: Settled,
    /// When what runs was looked at, by Cloud Controller's clock, if it is settled.
    pub settled_at: Option<Timestamp>,
}

impl Store {
    /// The gaps of one foundation, or of all, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn gaps(&self, foundation: Option<&str>) -> Result<Vec<StoredGap>, StoreError> {
        read_gaps(&mut self.database.read().await?, foundation).await
    }
}

pub(in crate::store) async fn read_gaps(
    session: &mut Session,
    foundation: Option<&str>,
) -> Result<Vec<StoredGap>, StoreError> {
    const GAPS: Sql = Sql::new(
        "SELECT foundation.name AS foundation, gap.number, gap.stream, gap.reason, gap.began_at, gap.ended_at, gap.checkpoint_guid,
                gap.checkpoint_created_at, gap.found_at, gap.sequence, gap.stage, gap.settled_at, gap.ended, gap.begun,
                gap.changed
         FROM gap JOIN foundation ON foundation.id = gap.foundation_id
         WHERE $1 IS NULL OR foundation.name = $1
         ORDER BY foundation.name, gap.number",
    );
    session.all(GAPS, values![foundation]).await?.iter().map(read_gap).collect()
}

fn read_gap(row: &Row) -> Result<StoredGap, StoreError> {
    let (Spelled(stream), Spelled(reason), Spelled(stage)) =
        (row.get("gap.stream")?, row.get("gap.reason")?, row.get("gap.stage")?);
    Ok(StoredGap {
        foundation: row.string("foundation")?,
        number: row.number("gap.number")?,
        stream,
        reason,
        from: row.time("gap.began_at")?,
        to: row.maybe_time("gap.ended_at")?,
        checkpoint: event_id(row, ["gap.checkpoint_guid", "gap.checkpoint_created_at"])?,
        found_at: row.time("gap.found_at")?,
        sequence: row.number("gap.sequence")?,
        stage,
        settled_at: row.maybe_time("gap.settled_at")?,
        settled: Settled {
            ended: row.number("gap.ended")?,
            begun: row.number("gap.begun")?,
            changed: row.number("gap.changed")?,
        },
    })
}

/// Records gaps that a page found, by the numbers of their inputs.
pub(in crate::store) async fn put_gaps(
    session: &mut Session,
    foundation: &FoundationHead,
    gaps: &[(u64, Gap)],
) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO gap (foundation_id, number, stream, reason, began_at, ended_at, checkpoint_guid,
                          checkpoint_created_at, found_at, sequence, stage)
         SELECT $1, (SELECT count(*) FROM gap WHERE foundation_id = $1) + 1, $2, $3, $4, $5, $6, $7, $8, $9, 'reading'",
    );
    for (sequence, gap) in gaps {
        let checkpoint = gap.checkpoint.as_ref();
        let values = values![
            foundation.id,
            gap.stream.name(),
            gap.reason.name(),
            gap.from,
            gap.to,
            checkpoint.map(|(guid, _)| guid.to_string()),
            checkpoint.map(|(_, created_at)| *created_at),
            gap.found_at,
            *sequence,
        ];
        session.run(PUT, values).await?;
    }
    Ok(())
}

/// Counts what reseeds told.
pub(in crate::store) async fn count_told(
    session: &mut Session,
    foundation: &FoundationHead,
    told: &[(u64, Settled)],
) -> Result<(), StoreError> {
    const COUNT: Sql = Sql::new(
        "UPDATE gap SET ended = ended + $3, begun = begun + $4, changed = changed + $5
         WHERE foundation_id = $1 AND sequence = $2",
    );
    for (sequence, Settled { ended, begun, changed }) in told {
        session.run(COUNT, values![foundation.id, *sequence, *ended, *begun, *changed]).await?;
    }
    Ok(())
}

/// Moves a gap on. One whose end isn't known yet ends when it is settled.
pub(in crate::store) async fn move_gap(
    session: &mut Session,
    foundation: &FoundationHead,
    progress: &GapProgress,
) -> Result<(), StoreError> {
    const MOVE: Sql = Sql::new(
        "UPDATE gap SET stage = $3, ended = ended + $4, begun = begun + $5, changed = changed + $6,
                        settled_at = coalesce($7, settled_at), ended_at = coalesce(ended_at, $7)
         WHERE foundation_id = $1 AND number = $2",
    );
    let Settled { ended, begun, changed } = progress.settled;
    let values =
        values![foundation.id, progress.number, progress.stage.name(), ended, begun, changed, progress.settled_at];
    session.run(MOVE, values).await?;
    Ok(())
}
