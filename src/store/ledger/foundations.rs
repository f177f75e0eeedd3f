//! Foundations as they stand: their streams, and the settings of their fold.

use super::gaps::read_gaps;
use super::streams::{event_id, stream_in};
use crate::domain::{Settings, Timestamp};
use crate::store::database::{Dialect, Session, Sql, values};
use crate::store::{FoundationHead, Lease, Store, StoreError, StreamHead};

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
        const COUNT: Sql =
            Sql::new("SELECT kind, count(*) FROM anomaly WHERE foundation_id = $1 GROUP BY kind ORDER BY kind");
        let rows = self.database.read().await?.all(COUNT, values![foundation.id]).await?;
        rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.number(1)?))).collect()
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
            id: row.integer(0)?,
            name: row.text(1)?.to_owned(),
            lease_epoch: row.number(2)?,
            last_sequence: row.number(3)?,
            last_entry: row.number(4)?,
            known_until: row.maybe_time(5)?,
            collected: row.flag(6)?,
            observed_until: row.maybe_time(7)?,
            swept_until: row.maybe_time(8)?,
            reconciled_at: row.maybe_time(9)?,
            swept_long_at: row.maybe_time(10)?,
            clock_accepted_at: row.maybe_time(11)?,
            settings: Vec::new(),
            gaps: Vec::new(),
            app: StreamHead::default(),
            service: StreamHead::default(),
        };
        for row in &streams {
            if row.integer(8)? == head.id {
                *head.stream_mut(stream_in(row, 0)?) = StreamHead {
                    last_ordinal: row.number(1)?,
                    oldest_created_at: row.maybe_time(2)?,
                    newest_created_at: row.maybe_time(3)?,
                    agreeing_at: row.maybe_time(9)?,
                    checkpoint: event_id(row, 4)?,
                    predecessor: event_id(row, 6)?,
                };
            }
        }
        let of_it = gaps.iter().filter(|gap| gap.foundation == head.name);
        head.gaps = of_it.map(|gap| (gap.sequence, gap.recorded())).collect();
        for row in &settings {
            if row.integer(2)? == head.id {
                let text = row.text(1)?;
                let read: Settings = serde_json::from_str(text)
                    .map_err(|_| StoreError::Unexpected { place: "fold_settings.settings", value: text.to_owned() })?;
                head.settings.push((row.number(0)?, read));
            }
        }
        heads.push(head);
    }
    Ok(heads)
}
