//! Foundations as they stand: their streams, and the settings of their fold.

use super::gaps::read_gaps;
use super::streams::event_id;
use crate::domain::{FoundationHead, Progress, StreamHead, Timestamp};
use crate::store::database::{Dialect, Json, Session, Spelled, Sql, values};
use crate::store::{Lease, Store, StoreError};

impl Store {
    /// The foundation of that name, made if it isn't there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn foundation(&self, name: &str) -> Result<FoundationHead, StoreError> {
        const ADD: Sql = Sql::new("INSERT INTO foundation (name) VALUES ($1) ON CONFLICT DO NOTHING");
        const HOLD: Sql = Sql::new("SELECT epoch FROM lease WHERE duty = $1 FOR UPDATE");
        // Its duty may have been taken before it was there.
        const FENCE: Sql = Sql::new(
            "UPDATE foundation SET lease_epoch = coalesce((SELECT epoch FROM lease WHERE duty = $2), 0) WHERE name = $1",
        );
        const ADD_STREAMS: Sql = Sql::new(
            "INSERT INTO stream (foundation_id, name)
             SELECT foundation.id, word.name
             FROM foundation CROSS JOIN (SELECT 'app' AS name UNION ALL SELECT 'service') AS word
             WHERE foundation.name = $1
             ON CONFLICT DO NOTHING",
        );
        if let Some(head) = self.read_heads(Some(name)).await?.pop() {
            return Ok(head);
        }
        let mut session = self.database.write().await?;
        if session.dialect() == Dialect::Postgres {
            // Nobody takes it meanwhile.
            session.all(HOLD, values![Lease::duty_of(name)]).await?;
        }
        session.run(ADD, values![name]).await?;
        session.run(ADD_STREAMS, values![name]).await?;
        session.run(FENCE, values![name, Lease::duty_of(name)]).await?;
        session.commit().await?;
        let added = self.read_heads(Some(name)).await?.pop();
        added.ok_or_else(|| StoreError::Unexpected { place: "foundation", value: name.to_owned() })
    }

    /// Says that a foundation is to be billed by Cloud Controller's clock, though ours differs. Nothing else changes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accept_clock(&self, foundation: &FoundationHead, at: Timestamp) -> Result<(), StoreError> {
        const ACCEPT: Sql =
            Sql::new("UPDATE foundation SET clock_accepted_at = coalesce(clock_accepted_at, $2) WHERE id = $1");
        let mut session = self.database.write().await?;
        session.run(ACCEPT, values![foundation.id, at]).await?;
        session.commit().await
    }

    /// All foundations, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn foundations(&self) -> Result<Vec<FoundationHead>, StoreError> {
        self.read_heads(None).await
    }

    async fn read_heads(&self, name: Option<&str>) -> Result<Vec<FoundationHead>, StoreError> {
        read_foundations(&mut self.database.read().await?, name).await
    }

    /// How many anomalies of each kind are stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn anomaly_counts(&self, foundation: &FoundationHead) -> Result<Vec<(String, u64)>, StoreError> {
        const COUNT: Sql = Sql::new(
            "SELECT kind, count(*) AS anomalies FROM anomaly WHERE foundation_id = $1 GROUP BY kind ORDER BY kind",
        );
        let rows = self.database.read().await?.all(COUNT, values![foundation.id]).await?;
        rows.iter().map(|row| Ok((row.string("anomaly.kind")?, row.number("anomalies")?))).collect()
    }
}

/// Foundations as they stand in one view of the database: one by name, or all.
pub(in crate::store) async fn read_foundations(
    session: &mut Session,
    name: Option<&str>,
) -> Result<Vec<FoundationHead>, StoreError> {
    const FOUNDATIONS: Sql = Sql::new(
        "SELECT id, name, lease_epoch, last_sequence, last_entry, known_until, collected, observed_until, swept_until,
                reconciled_at, swept_long_at, clock_accepted_at
         FROM foundation
         WHERE $1 IS NULL OR name = $1
         ORDER BY name",
    );
    const STREAMS: Sql = Sql::new(
        "SELECT name, last_ordinal, oldest_created_at, newest_created_at, checkpoint_guid, checkpoint_created_at,
                predecessor_guid, predecessor_created_at, foundation_id, agreeing_at
         FROM stream
         WHERE foundation_id IN (SELECT id FROM foundation WHERE $1 IS NULL OR name = $1)",
    );
    const SETTINGS: Sql = Sql::new(
        "SELECT sequence, settings, foundation_id
         FROM fold_settings
         WHERE foundation_id IN (SELECT id FROM foundation WHERE $1 IS NULL OR name = $1)
         ORDER BY sequence",
    );
    let streams = session.all(STREAMS, values![name]).await?;
    let settings = session.all(SETTINGS, values![name]).await?;
    let gaps = read_gaps(session, name).await?;
    let mut heads = Vec::new();
    for row in session.all(FOUNDATIONS, values![name]).await? {
        let mut head = FoundationHead {
            id: row.integer("foundation.id")?,
            name: row.string("foundation.name")?,
            lease_epoch: row.number("foundation.lease_epoch")?,
            last_sequence: row.number("foundation.last_sequence")?,
            last_entry: row.number("foundation.last_entry")?,
            collected: row.flag("foundation.collected")?,
            clock_accepted_at: row.maybe_time("foundation.clock_accepted_at")?,
            settings: Vec::new(),
            gaps: Vec::new(),
            progress: Progress {
                known_until: row.maybe_time("foundation.known_until")?,
                swept_until: row.maybe_time("foundation.swept_until")?,
                observed_until: row.maybe_time("foundation.observed_until")?,
                reconciled_at: row.maybe_time("foundation.reconciled_at")?,
                swept_long_at: row.maybe_time("foundation.swept_long_at")?,
                ..Progress::default()
            },
        };
        for row in &streams {
            if row.integer("stream.foundation_id")? == head.id {
                let Spelled(stream) = row.get("stream.name")?;
                *head.stream_mut(stream) = StreamHead {
                    last_ordinal: row.number("stream.last_ordinal")?,
                    oldest_created_at: row.maybe_time("stream.oldest_created_at")?,
                    newest_created_at: row.maybe_time("stream.newest_created_at")?,
                    agreeing_at: row.maybe_time("stream.agreeing_at")?,
                    checkpoint: event_id(row, ["stream.checkpoint_guid", "stream.checkpoint_created_at"])?,
                    predecessor: event_id(row, ["stream.predecessor_guid", "stream.predecessor_created_at"])?,
                };
            }
        }
        let of_it = gaps.iter().filter(|gap| gap.foundation == head.name);
        head.gaps = of_it.map(|gap| (gap.sequence, gap.recorded())).collect();
        for row in &settings {
            if row.integer("fold_settings.foundation_id")? == head.id {
                let Json(settings) = row.get("fold_settings.settings")?;
                head.settings.push((row.number("fold_settings.sequence")?, settings));
            }
        }
        heads.push(head);
    }
    Ok(heads)
}
