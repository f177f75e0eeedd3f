//! Guids and names, once each, and the integer ids that stand for them elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{Row, SqliteConnection};

use super::payload::Payload;
use crate::domain::Guid;
use crate::store::StoreError;

/// A table of guids and names. Each takes rows of (guid, name) and gives (guid, id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    Organization,
    Space,
    App,
    Buildpack,
    ServiceOffering,
    ServicePlan,
}

macro_rules! upsert {
    ($table:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (foundation_id, guid, name) ",
            "SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2) WHERE true ",
            "ON CONFLICT (foundation_id, guid) DO UPDATE SET name = coalesce(excluded.name, name) ",
            "RETURNING guid, id"
        )
    };
}

impl Table {
    const fn upsert(self) -> &'static str {
        match self {
            Self::Organization => upsert!("organization"),
            Self::Space => upsert!("space"),
            Self::App => upsert!("app"),
            Self::ServiceOffering => upsert!("service_offering"),
            Self::ServicePlan => upsert!("service_plan"),
            Self::Buildpack => {
                "INSERT INTO buildpack (foundation_id, name)
                 SELECT ?1, value ->> 0 FROM json_each(?2) WHERE true
                 ON CONFLICT (foundation_id, name) DO UPDATE SET name = excluded.name
                 RETURNING name, id"
            }
        }
    }
}

/// Names known to be stored; forgotten when there are too many, and when a write fails.
const CACHED: usize = 200_000;

#[derive(Clone, Debug)]
struct Stored {
    id: i64,
    name: Option<Arc<str>>,
}

/// Ids and names by guid, as stored.
#[derive(Debug, Default)]
pub struct Dimensions {
    stored: HashMap<(i64, Table, Guid), Stored>,
    /// (foundation, plan) to offering.
    offerings: HashMap<(i64, Guid), Guid>,
}

/// What a page names: guid to newest name.
pub type Wanted<'a> = HashMap<(Table, Guid), Option<&'a str>>;

impl Dimensions {
    /// The ids of all `wanted`; guids never seen are added, names that changed are stored.
    pub async fn ids(
        &mut self,
        connection: &mut SqliteConnection,
        foundation_id: i64,
        wanted: &Wanted<'_>,
    ) -> Result<HashMap<(Table, Guid), i64>, StoreError> {
        if self.stored.len() > CACHED {
            self.stored.clear();
        }
        let mut ids = HashMap::with_capacity(wanted.len());
        let mut missing: HashMap<Table, Payload> = HashMap::new();
        for ((table, guid), name) in wanted {
            match self.stored.get(&(foundation_id, *table, guid.clone())) {
                Some(stored) if name.is_none() || stored.name.as_deref() == *name => {
                    ids.insert((*table, guid.clone()), stored.id);
                }
                _ => {
                    let row = missing.entry(*table).or_default().row();
                    row.text(Some(&guid.to_string())).text(*name);
                }
            }
        }
        for (table, payload) in missing {
            let rows = sqlx::query(table.upsert()).bind(foundation_id).bind(payload.finish());
            for row in rows.fetch_all(&mut *connection).await? {
                let guid = Guid::new(&row.try_get::<String, _>(0)?);
                let id = row.try_get(1)?;
                let name = wanted.get(&(table, guid.clone())).copied().flatten().map(Arc::from);
                ids.insert((table, guid.clone()), id);
                self.stored.insert((foundation_id, table, guid), Stored { id, name });
            }
        }
        Ok(ids)
    }

    /// Notes which offering each plan is of, where that isn't stored yet.
    pub async fn link_plans(
        &mut self,
        connection: &mut SqliteConnection,
        foundation_id: i64,
        offerings: &HashMap<Guid, Guid>,
        ids: &HashMap<(Table, Guid), i64>,
    ) -> Result<(), StoreError> {
        const LINK: &str = "UPDATE service_plan SET service_offering_id = ?2 WHERE id = ?1";
        for (plan, offering) in offerings {
            let key = (foundation_id, plan.clone());
            if self.offerings.get(&key) == Some(offering) {
                continue;
            }
            let plan_id = ids.get(&(Table::ServicePlan, plan.clone()));
            let offering_id = ids.get(&(Table::ServiceOffering, offering.clone()));
            if let (Some(plan_id), Some(offering_id)) = (plan_id, offering_id) {
                sqlx::query(LINK).bind(plan_id).bind(offering_id).execute(&mut *connection).await?;
                self.offerings.insert(key, offering.clone());
            }
        }
        Ok(())
    }

    /// Forgets everything: what was added last may not have been committed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
