//! How far a foundation's onboarding has got, and what is still to be read beside its streams.

use super::streams::{event_id, stream_in};
use crate::domain::{Guid, Kind, ResourceKey, Strategy, Stream};
use crate::store::codes::Code;
use crate::store::database::{Sql, values};
use crate::store::{FoundationHead, Onboarding, OnboardingStage, Store, StoreError, TakenSnapshot};

impl Store {
    /// How far the foundation's onboarding has got; `None` if it has not begun.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn onboarding(&self, foundation: &FoundationHead) -> Result<Option<Onboarding>, StoreError> {
        const ONBOARDING: Sql =
            Sql::new("SELECT stage, begun_at, completed_at, strategy, reason FROM onboarding WHERE foundation_id = $1");
        const SNAPSHOTS: Sql = Sql::new(
            "SELECT stream, guid, completed_at, checkpoint_guid, checkpoint_created_at
             FROM onboarding_snapshot
             WHERE foundation_id = $1",
        );
        let mut session = self.database.read().await?;
        let Some(row) = session.maybe(ONBOARDING, values![foundation.id]).await? else { return Ok(None) };
        let word = row.text(0)?;
        let stage = OnboardingStage::ALL.into_iter().find(|stage| stage.name() == word);
        let unexpected = || StoreError::Unexpected { place: "onboarding.stage", value: word.to_owned() };
        let strategy = row.text(3)?;
        let unknown = || StoreError::Unexpected { place: "onboarding.strategy", value: strategy.to_owned() };
        let mut onboarding = Onboarding {
            strategy: Strategy::from_name(strategy).ok_or_else(unknown)?,
            reason: row.owned(4)?,
            stage: stage.ok_or_else(unexpected)?,
            app: None,
            service: None,
            begun_at: row.time(1)?,
            completed_at: row.maybe_time(2)?,
        };
        for row in session.all(SNAPSHOTS, values![foundation.id]).await? {
            *onboarding.snapshot_mut(stream_in(&row, 0)?) = Some(TakenSnapshot {
                guid: Guid::new(row.text(1)?),
                completed_at: row.maybe_time(2)?,
                checkpoint: event_id(&row, 3)?,
            });
        }
        Ok(Some(onboarding))
    }

    /// Notes how far the onboarding has got.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another collector has taken over.
    pub async fn put_onboarding(&self, foundation: &FoundationHead, onboarding: &Onboarding) -> Result<(), StoreError> {
        const PUT: Sql = Sql::new(
            "INSERT INTO onboarding (foundation_id, strategy, reason, stage, begun_at, completed_at)
             VALUES ($1, $5, $6, $2, $3, $4)
             ON CONFLICT (foundation_id) DO UPDATE SET
                 strategy = excluded.strategy, reason = excluded.reason, stage = excluded.stage, begun_at = excluded.begun_at, completed_at = excluded.completed_at",
        );
        const REMOVE: Sql = Sql::new("DELETE FROM onboarding_snapshot WHERE foundation_id = $1 AND stream = $2");
        const PUT_SNAPSHOT: Sql = Sql::new(
            "INSERT INTO onboarding_snapshot
                 (foundation_id, stream, guid, completed_at, checkpoint_guid, checkpoint_created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        );
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        let stage = onboarding.stage.name();
        let Onboarding { begun_at, completed_at, strategy, reason, .. } = onboarding;
        let values = values![foundation.id, stage, *begun_at, *completed_at, strategy.name(), reason];
        session.run(PUT, values).await?;
        for stream in Stream::ALL {
            session.run(REMOVE, values![foundation.id, stream.name()]).await?;
            let Some(snapshot) = onboarding.snapshot(stream) else { continue };
            let checkpoint = snapshot.checkpoint.as_ref();
            let values = values![
                foundation.id,
                stream.name(),
                snapshot.guid.to_string(),
                snapshot.completed_at,
                checkpoint.map(|event| event.guid.to_string()),
                checkpoint.map(|event| event.created_at),
            ];
            session.run(PUT_SNAPSHOT, values).await?;
        }
        session.commit().await
    }

    /// Processes and tasks whose disk is yet to be observed, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn to_observe(&self, foundation: &FoundationHead, limit: usize) -> Result<Vec<ResourceKey>, StoreError> {
        const TO_OBSERVE: Sql = Sql::each(
            "SELECT kind, guid FROM resource WHERE foundation_id = $1 AND to_observe = 1 ORDER BY id LIMIT $2",
            "SELECT kind, guid FROM resource WHERE foundation_id = $1 AND to_observe ORDER BY id LIMIT $2",
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.database.read().await?.all(TO_OBSERVE, values![foundation.id, limit]).await?;
        let key = |row: &crate::store::database::Row| -> Result<ResourceKey, StoreError> {
            Ok(ResourceKey { kind: Kind::of(row.integer(0)?)?, guid: Guid::new(row.text(1)?) })
        };
        rows.iter().map(key).collect()
    }

    /// Organizations: all, or those whose name isn't known, because no event tells it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn organizations(&self, foundation: &FoundationHead, all: bool) -> Result<Vec<Guid>, StoreError> {
        const ORGANIZATIONS: Sql =
            Sql::new("SELECT guid FROM organization WHERE foundation_id = $1 AND ($2 OR name IS NULL) ORDER BY id");
        let rows = self.database.read().await?.all(ORGANIZATIONS, values![foundation.id, all]).await?;
        rows.iter().map(|row| Ok(Guid::new(row.text(0)?))).collect()
    }
}
