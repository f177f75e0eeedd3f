//! Guids and names, once each, and the integer ids that stand for them elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use super::database::{Columns, Payload, Session, Sql, Type, values};
use super::{FoundationHead, NamedAt, StoreError};
use crate::domain::Guid;

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
        Sql::new(concat!(
            "INSERT INTO ",
            $table,
            " (foundation_id, guid, name) SELECT $1, guid, name FROM {rows} AS named WHERE true ",
            "ON CONFLICT (foundation_id, guid) DO UPDATE SET name = coalesce(excluded.name, ",
            $table,
            ".name) RETURNING guid, id"
        ))
    };
}

/// A name that was the name later wins; of one second, the greater, compared as bytes.
macro_rules! upsert_space {
    (newer $collation:literal) => {
        concat!(
            "excluded.name IS NOT NULL AND (space.name IS NULL OR space.named_at IS NULL
                 OR excluded.named_at > space.named_at
                 OR excluded.named_at = space.named_at AND excluded.name",
            $collation,
            " > space.name)"
        )
    };
    ($collation:literal) => {
        concat!(
            "INSERT INTO space (foundation_id, guid, name, named_at)
             SELECT $1, guid, name, named_at FROM {rows} AS named WHERE true
             ON CONFLICT (foundation_id, guid) DO UPDATE SET
                 name = CASE WHEN ",
            upsert_space!(newer $collation),
            " THEN excluded.name ELSE space.name END,
                 named_at = CASE WHEN ",
            upsert_space!(newer $collation),
            " THEN excluded.named_at ELSE space.named_at END
             RETURNING guid, id"
        )
    };
}

impl Table {
    const fn upsert(self) -> Sql {
        match self {
            Self::Organization => upsert!("organization"),
            // Events of both streams name it, and which is read first says nothing of which is newer.
            Self::Space => Sql::each(upsert_space!(""), upsert_space!(" COLLATE \"C\"")),
            Self::App => upsert!("app"),
            Self::ServiceOffering => upsert!("service_offering"),
            Self::ServicePlan => upsert!("service_plan"),
            Self::Buildpack => Sql::new(
                "INSERT INTO buildpack (foundation_id, name)
                 SELECT $1, guid FROM {rows} AS named WHERE true
                 ON CONFLICT (foundation_id, name) DO UPDATE SET name = excluded.name
                 RETURNING name, id",
            ),
        }
    }
}

/// Names of a foundation known to be stored; forgotten when there are too many, and when a write fails.
const CACHED: usize = 200_000;

#[derive(Clone, Debug)]
struct Stored {
    id: i64,
    name: Option<Arc<str>>,
}

impl Stored {
    /// Nothing is to be written.
    fn is_known(&self, table: Table, named: Option<&NamedAt>) -> bool {
        // A space's is, for the time alone.
        named.is_none_or(|named| table != Table::Space && self.name.as_deref() == Some(named.name.as_str()))
    }
}

/// Ids and names by guid, as stored.
#[derive(Debug, Default)]
pub struct Dimensions {
    stored: HashMap<(Table, Guid), Stored>,
    /// Offering by plan.
    offerings: HashMap<Guid, Guid>,
    /// The guid of each buildpack, by name.
    buildpacks: HashMap<Arc<str>, Guid>,
}

const NAMED: Columns = &[("guid", Type::Text), ("name", Type::Text), ("named_at", Type::Time)];

/// What a page names: guid to newest name.
pub type Wanted<'a> = HashMap<(Table, Guid), Option<&'a NamedAt>>;

impl Dimensions {
    /// The ids of all `wanted`; guids never seen are added, names that changed are stored.
    pub async fn ids(
        &mut self,
        session: &mut Session,
        foundation_id: i64,
        wanted: &Wanted<'_>,
    ) -> Result<HashMap<(Table, Guid), i64>, StoreError> {
        if self.stored.len() > CACHED {
            self.stored.clear();
        }
        let mut ids = HashMap::with_capacity(wanted.len());
        let mut missing: HashMap<Table, Payload> = HashMap::new();
        for ((table, guid), name) in wanted {
            match self.stored.get(&(*table, guid.clone())) {
                Some(stored) if stored.is_known(*table, *name) => {
                    ids.insert((*table, guid.clone()), stored.id);
                }
                _ => {
                    let row = missing.entry(*table).or_insert_with(|| session.payload(NAMED)).row();
                    row.text(Some(&guid.to_string()))
                        .text(name.map(|named| named.name.as_str()))
                        .time(name.map(|named| named.at));
                }
            }
        }
        for (table, payload) in missing {
            for row in session.all_of(table.upsert(), values![foundation_id], payload).await? {
                let (guid, id) = (Guid::new(row.text(0)?), row.integer(1)?);
                let name =
                    wanted.get(&(table, guid.clone())).copied().flatten().map(|named| named.name.as_str().into());
                ids.insert((table, guid.clone()), id);
                self.stored.insert((table, guid), Stored { id, name });
            }
        }
        Ok(ids)
    }

    /// Notes which offering each plan is of, where that isn't stored yet.
    pub async fn link_plans(
        &mut self,
        session: &mut Session,
        offerings: &HashMap<Guid, Guid>,
        ids: &HashMap<(Table, Guid), i64>,
    ) -> Result<(), StoreError> {
        const LINK: Sql = Sql::new("UPDATE service_plan SET service_offering_id = $2 WHERE id = $1");
        for (plan, offering) in offerings {
            if self.offerings.get(plan) == Some(offering) {
                continue;
            }
            let plan_id = ids.get(&(Table::ServicePlan, plan.clone()));
            let offering_id = ids.get(&(Table::ServiceOffering, offering.clone()));
            if let (Some(plan_id), Some(offering_id)) = (plan_id, offering_id) {
                session.run(LINK, values![*plan_id, *offering_id]).await?;
                self.offerings.insert(plan.clone(), offering.clone());
            }
        }
        Ok(())
    }

    /// Notes the newest guid of each buildpack that is stored.
    pub async fn note_buildpacks(
        &mut self,
        session: &mut Session,
        foundation_id: i64,
        buildpacks: &HashMap<Arc<str>, Guid>,
    ) -> Result<(), StoreError> {
        const NOTE: Sql = Sql::new("UPDATE buildpack SET guid = $3 WHERE foundation_id = $1 AND name = $2");
        for (name, guid) in buildpacks {
            if self.buildpacks.get(name) == Some(guid) {
                continue;
            }
            // One that nothing was used under isn't stored.
            if session.run(NOTE, values![foundation_id, &**name, guid.to_string()]).await? > 0 {
                self.buildpacks.insert(name.clone(), guid.clone());
            }
        }
        Ok(())
    }
}

/// What is known to be stored, by foundation and the lease's epoch: under another epoch others may have written.
#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<i64, (u64, Dimensions)>);

impl Cache {
    /// Takes what is known of a foundation. What isn't put back after a commit is forgotten.
    pub fn take(&mut self, foundation: &FoundationHead) -> Dimensions {
        match self.0.remove(&foundation.id) {
            Some((epoch, dimensions)) if epoch == foundation.lease_epoch => dimensions,
            _ => Dimensions::default(),
        }
    }

    pub fn put(&mut self, foundation: &FoundationHead, dimensions: Dimensions) {
        self.0.insert(foundation.id, (foundation.lease_epoch, dimensions));
    }
}
