//! How far a foundation's onboarding has got, and what is still to be read beside its streams.

use super::tables::{OnboardingRow, SnapshotRow};
use crate::domain::{EventId, FoundationHead, Guid, ResourceKey, Stream};
use crate::store::database::{Record, Spelled, Sql, take_over, text, values};
use crate::store::{Onboarding, Store, StoreError, TakenSnapshot};

impl Store {
    /// How far the foundation's onboarding has got; `None` if it has not begun.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn onboarding(&self, foundation: &FoundationHead) -> Result<Option<Onboarding>, StoreError> {
        const ONBOARDING: Sql =
            Sql::new(text!["SELECT ", OnboardingRow::LIST, " FROM onboarding WHERE foundation_id = $1"]);
        const SNAPSHOTS: Sql =
            Sql::new(text!["SELECT ", SnapshotRow::LIST, " FROM onboarding_snapshot WHERE foundation_id = $1"]);
        let mut session = self.database.read().await?;
        let Some(row) = session.maybe(ONBOARDING, values![foundation.id]).await? else { return Ok(None) };
        let row = OnboardingRow::read(&row)?;
        let mut onboarding = Onboarding {
            strategy: row.strategy.0,
            reason: row.reason,
            stage: row.stage.0,
            app: None,
            service: None,
            begun_at: row.begun_at,
            completed_at: row.completed_at,
        };
        for row in session.all(SNAPSHOTS, values![foundation.id]).await? {
            let row = SnapshotRow::read(&row)?;
            let checkpoint = row.checkpoint_guid.zip(row.checkpoint_created_at);
            *onboarding.snapshot_mut(row.stream.0) = Some(TakenSnapshot {
                guid: row.guid,
                completed_at: row.completed_at,
                checkpoint: checkpoint.map(|(guid, created_at)| EventId { guid, created_at }),
            });
        }
        Ok(Some(onboarding))
    }

    /// Notes how far the onboarding has got.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another collector has taken over.
    pub async fn put_onboarding(&self, foundation: &FoundationHead, onboarding: &Onboarding) -> Result<(), StoreError> {
        const PUT: Sql = Sql::new(text![
            OnboardingRow::ADD_ONE,
            " ON CONFLICT (foundation_id) DO UPDATE SET ",
            take_over!(OnboardingRow, except["foundation_id"]),
        ]);
        const REMOVE: Sql = Sql::new("DELETE FROM onboarding_snapshot WHERE foundation_id = $1 AND stream = $2");
        const PUT_SNAPSHOT: Sql = Sql::new(SnapshotRow::ADD_ONE);
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        let row = OnboardingRow {
            foundation_id: foundation.id,
            strategy: Spelled(onboarding.strategy),
            stage: Spelled(onboarding.stage),
            begun_at: onboarding.begun_at,
            completed_at: onboarding.completed_at,
            reason: onboarding.reason.clone(),
        };
        session.add(PUT, &row).await?;
        for stream in Stream::ALL {
            session.run(REMOVE, values![foundation.id, stream.name()]).await?;
            let Some(snapshot) = onboarding.snapshot(stream) else { continue };
            let checkpoint = snapshot.checkpoint.as_ref();
            let row = SnapshotRow {
                foundation_id: foundation.id,
                stream: Spelled(stream),
                guid: snapshot.guid.clone(),
                completed_at: snapshot.completed_at,
                checkpoint_guid: checkpoint.map(|event| event.guid.clone()),
                checkpoint_created_at: checkpoint.map(|event| event.created_at),
            };
            session.add(PUT_SNAPSHOT, &row).await?;
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
            Ok(ResourceKey { kind: row.get("resource.kind")?, guid: row.get("resource.guid")? })
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
        rows.iter().map(|row| row.get("organization.guid")).collect()
    }
}
