//! How far a foundation's onboarding has got, and what is still to be read beside its streams.

use sqlx::Row;

use super::codes::Code;
use super::{SqliteStore, event_id};
use crate::domain::{Guid, Kind, ResourceKey, Stream, Timestamp};
use crate::store::{FoundationHead, Onboarding, OnboardingStage, OpenTotal, StoreError, TakenSnapshot};

impl SqliteStore {
    pub async fn onboarding(&self, foundation: &FoundationHead) -> Result<Option<Onboarding>, StoreError> {
        const ONBOARDING: &str = "
            SELECT stage, begun_at, completed_at FROM onboarding WHERE foundation_id = ?1";
        const SNAPSHOTS: &str = "
            SELECT stream, guid, completed_at, checkpoint_guid, checkpoint_created_at
            FROM onboarding_snapshot
            WHERE foundation_id = ?1";
        let mut transaction = self.readers.begin().await?;
        let row = sqlx::query(ONBOARDING).bind(foundation.id).fetch_optional(&mut *transaction).await?;
        let Some(row) = row else { return Ok(None) };
        let word: String = row.try_get(0)?;
        let stage = OnboardingStage::ALL.into_iter().find(|stage| stage.name() == word);
        let stage = stage.ok_or(StoreError::Unexpected { place: "onboarding.stage", value: word })?;
        let mut onboarding = Onboarding::new(Timestamp::from_unix(row.try_get(1)?));
        onboarding.stage = stage;
        onboarding.completed_at = row.try_get::<Option<i64>, _>(2)?.map(Timestamp::from_unix);
        for row in sqlx::query(SNAPSHOTS).bind(foundation.id).fetch_all(&mut *transaction).await? {
            let stream = if row.try_get::<String, _>(0)? == "app" { Stream::App } else { Stream::Service };
            *onboarding.snapshot_mut(stream) = Some(TakenSnapshot {
                guid: Guid::new(row.try_get(1)?),
                completed_at: row.try_get::<Option<i64>, _>(2)?.map(Timestamp::from_unix),
                checkpoint: event_id(row.try_get(3)?, row.try_get(4)?),
            });
        }
        Ok(Some(onboarding))
    }

    pub async fn put_onboarding(&self, foundation: &FoundationHead, onboarding: &Onboarding) -> Result<(), StoreError> {
        const FENCE: &str = "SELECT 1 FROM foundation WHERE id = ?1 AND lease_epoch = ?2";
        const PUT: &str = "
            INSERT INTO onboarding (foundation_id, strategy, stage, begun_at, completed_at)
            VALUES (?1, 'snapshot', ?2, ?3, ?4)
            ON CONFLICT (foundation_id) DO UPDATE SET
                stage = excluded.stage, begun_at = excluded.begun_at, completed_at = excluded.completed_at";
        const REMOVE: &str = "DELETE FROM onboarding_snapshot WHERE foundation_id = ?1 AND stream = ?2";
        const PUT_SNAPSHOT: &str = "
            INSERT INTO onboarding_snapshot
                (foundation_id, stream, guid, completed_at, checkpoint_guid, checkpoint_created_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut transaction = self.begin().await?;
        let fence = sqlx::query(FENCE).bind(foundation.id).bind(foundation.lease_epoch.cast_signed());
        if fence.fetch_optional(&mut *transaction).await?.is_none() {
            return Err(StoreError::Superseded(foundation.name.clone()));
        }
        sqlx::query(PUT)
            .bind(foundation.id)
            .bind(onboarding.stage.name())
            .bind(onboarding.begun_at.unix())
            .bind(onboarding.completed_at.map(Timestamp::unix))
            .execute(&mut *transaction)
            .await?;
        for stream in Stream::ALL {
            sqlx::query(REMOVE).bind(foundation.id).bind(stream.name()).execute(&mut *transaction).await?;
            let Some(snapshot) = onboarding.snapshot(stream) else { continue };
            sqlx::query(PUT_SNAPSHOT)
                .bind(foundation.id)
                .bind(stream.name())
                .bind(snapshot.guid.to_string())
                .bind(snapshot.completed_at.map(Timestamp::unix))
                .bind(snapshot.checkpoint.as_ref().map(|event| event.guid.to_string()))
                .bind(snapshot.checkpoint.as_ref().map(|event| event.created_at.unix()))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    pub async fn to_observe(&self, foundation: &FoundationHead, limit: usize) -> Result<Vec<ResourceKey>, StoreError> {
        const TO_OBSERVE: &str = "
            SELECT kind, guid FROM resource WHERE foundation_id = ?1 AND to_observe = 1 ORDER BY id LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = sqlx::query(TO_OBSERVE).bind(foundation.id).bind(limit).fetch_all(&self.readers).await?;
        let key = |row: sqlx::sqlite::SqliteRow| -> Result<ResourceKey, StoreError> {
            Ok(ResourceKey { kind: Kind::of(row.try_get(0)?)?, guid: Guid::new(row.try_get(1)?) })
        };
        rows.into_iter().map(key).collect()
    }

    pub async fn open_totals(&self, foundation: &FoundationHead) -> Result<Vec<OpenTotal>, StoreError> {
        const TOTALS: &str = "
            SELECT kind, count(*), sum(instances), sum(instances * memory_mib)
            FROM open_interval
            WHERE foundation_id = ?1
            GROUP BY kind";
        let rows = sqlx::query(TOTALS).bind(foundation.id).fetch_all(&self.readers).await?;
        let total = |row: sqlx::sqlite::SqliteRow| -> Result<OpenTotal, StoreError> {
            Ok(OpenTotal {
                kind: Kind::of(row.try_get(0)?)?,
                intervals: row.try_get(1)?,
                instances: row.try_get(2)?,
                memory_mib: row.try_get(3)?,
            })
        };
        rows.into_iter().map(total).collect()
    }

    pub async fn unnamed_organizations(&self, foundation: &FoundationHead) -> Result<Vec<Guid>, StoreError> {
        const UNNAMED: &str = "SELECT guid FROM organization WHERE foundation_id = ?1 AND name IS NULL ORDER BY id";
        let rows = sqlx::query(UNNAMED).bind(foundation.id).fetch_all(&self.readers).await?;
        rows.into_iter().map(|row| Ok(Guid::new(row.try_get(0)?))).collect()
    }
}
