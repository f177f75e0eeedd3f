//! Guids and names, once each, and the integer ids that stand for them elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{FoundationHead, Guid, Kind, ResourceKey, Timestamp};
use crate::store::database::{Row, Session, Sql, again, record, unexpected, values};
use crate::store::{NameOf, Names, Newest, Store, StoreError, Told};

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

/// Whether a told name is newer than the stored one: told later; of one second, further on in its stream; of one place (or
/// beside the streams), the greater, compared as bytes. What has no time is older than everything.
macro_rules! newer {
    ($told:literal, $table:literal, $collation:literal) => {
        concat!(
            "(",
            $told,
            ".name IS NOT NULL AND (",
            $table,
            ".name IS NULL OR ",
            $table,
            ".named_at IS NULL OR (",
            $told,
            ".named_at, coalesce(",
            $told,
            ".named_place, ''), ",
            $told,
            ".name",
            $collation,
            ") > (",
            $table,
            ".named_at, coalesce(",
            $table,
            ".named_place, ''), ",
            $table,
            ".name",
            $collation,
            ")))"
        )
    };
}

/// The assignments that take over a name if it is newer.
macro_rules! take_newer {
    ($told:literal, $table:literal, $collation:literal) => {
        concat!(
            "name = CASE WHEN ",
            newer!($told, $table, $collation),
            " THEN ",
            $told,
            ".name ELSE ",
            $table,
            ".name END,
             named_at = CASE WHEN ",
            newer!($told, $table, $collation),
            " THEN ",
            $told,
            ".named_at ELSE ",
            $table,
            ".named_at END,
             named_place = CASE WHEN ",
            newer!($told, $table, $collation),
            " THEN ",
            $told,
            ".named_place ELSE ",
            $table,
            ".named_place END"
        )
    };
}
pub(in crate::store) use {newer, take_newer};

macro_rules! upsert {
    ($table:literal, $collation:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (foundation_id, guid, name, named_at, named_place)
             SELECT $1, guid, name, named_at, named_place FROM {rows} AS named WHERE true
             ON CONFLICT (foundation_id, guid) DO UPDATE SET ",
            take_newer!("excluded", $table, $collation),
            " RETURNING guid, id"
        )
    };
    ($table:literal) => {
        Sql::each(upsert!($table, ""), upsert!($table, " COLLATE \"C\""))
    };
}

impl Table {
    const fn upsert(self) -> Sql {
        match self {
            Self::Organization => upsert!("organization"),
            Self::Space => upsert!("space"),
            Self::App => upsert!("app"),
            Self::ServiceOffering => upsert!("service_offering"),
            Self::ServicePlan => upsert!("service_plan"),
            Self::Buildpack => Sql::new(
                "INSERT INTO buildpack (foundation_id, name)
                 SELECT $1, guid FROM {rows} AS named WHERE true
                 ON CONFLICT (foundation_id, name) DO UPDATE SET name = excluded.name
                 RETURNING name AS guid, id",
            ),
        }
    }
}

/// Names of a foundation known to be stored; forgotten when there are too many, and when a write fails.
const CACHED: usize = 200_000;

#[derive(Clone, Debug)]
struct Stored {
    id: i64,
    /// A name that was stored: what is stored now is this one or a newer.
    name: Option<Newest<String>>,
}

impl Stored {
    /// Nothing is to be written.
    fn is_known(&self, named: Option<&Newest<String>>) -> bool {
        named.is_none_or(|named| self.name.as_ref().is_some_and(|stored| *named <= *stored))
    }
}

/// Ids and names by guid, as stored.
#[derive(Debug, Default)]
pub struct Dimensions {
    stored: HashMap<(Table, Guid), Stored>,
    /// Offering by plan.
    offerings: HashMap<Guid, Newest<Guid>>,
    /// The guid of each buildpack, by name.
    buildpacks: HashMap<Arc<str>, Newest<Guid>>,
    /// Guid and name of the broker, by offering.
    brokers: HashMap<Guid, Newest<(Guid, Option<String>)>>,
}

record! {
    /// What a guid is called, and by what.
    struct Named {
        guid: Guid,
        name: Option<String>,
        named_at: Option<Timestamp>,
        named_place: Option<String>,
    }
}

/// What a page names: guid to newest name.
pub type Wanted<'a> = HashMap<(Table, Guid), Option<&'a Newest<String>>>;

/// Everything that `names` names, and what else it points to.
pub fn wanted(names: &Names) -> Wanted<'_> {
    let mut wanted = Wanted::new();
    for (plan, offering) in &names.offerings {
        wanted.entry((Table::ServicePlan, plan.clone())).or_default();
        wanted.entry((Table::ServiceOffering, offering.value.clone())).or_default();
    }
    for offering in names.brokers.keys() {
        wanted.entry((Table::ServiceOffering, offering.clone())).or_default();
    }
    // Also where nothing was used under it yet: that comes later, or late.
    for name in names.buildpacks.keys() {
        wanted.entry((Table::Buildpack, Guid::new(name))).or_default();
    }
    for (of, name) in &names.names {
        let key = match of {
            NameOf::Organization(guid) => (Table::Organization, guid.clone()),
            NameOf::Space(guid) => (Table::Space, guid.clone()),
            NameOf::App(guid) => (Table::App, guid.clone()),
            NameOf::ServicePlan(guid) => (Table::ServicePlan, guid.clone()),
            NameOf::ServiceOffering(guid) => (Table::ServiceOffering, guid.clone()),
            NameOf::Resource(_) => continue,
        };
        wanted.insert(key, Some(name));
    }
    wanted
}

impl Dimensions {
    /// The ids of all `wanted`; guids never seen are added, names that are newer are stored.
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
        let mut missing: HashMap<Table, Vec<Named>> = HashMap::new();
        for ((table, guid), name) in wanted {
            match self.stored.get(&(*table, guid.clone())) {
                Some(stored) if stored.is_known(*name) => {
                    ids.insert((*table, guid.clone()), stored.id);
                }
                _ => {
                    missing.entry(*table).or_default().push(Named {
                        guid: guid.clone(),
                        name: name.map(|named| named.value.clone()),
                        named_at: name.and_then(|named| named.told.at),
                        named_place: name.and_then(|named| named.told.place_text()),
                    });
                }
            }
        }
        for (table, named) in missing {
            let named = session.rows(named);
            for row in session.all_of(table.upsert(), values![foundation_id], named).await? {
                let (guid, id) = (row.get::<Guid>("guid")?, row.integer("id")?);
                let name = wanted.get(&(table, guid.clone())).copied().flatten().cloned();
                ids.insert((table, guid.clone()), id);
                self.stored.insert((table, guid), Stored { id, name });
            }
        }
        Ok(ids)
    }

    /// Notes which offering each plan is of, where nothing newer is stored.
    pub async fn link_plans(
        &mut self,
        session: &mut Session,
        offerings: &HashMap<Guid, Newest<Guid>>,
        ids: &HashMap<(Table, Guid), i64>,
    ) -> Result<(), StoreError> {
        const LINK: Sql = Sql::new(
            "UPDATE service_plan
             SET service_offering_id = told.offering_id, offering_at = told.at, offering_place = told.place
             FROM {rows} AS told
             WHERE service_plan.id = told.plan_id
               AND (service_plan.service_offering_id IS NULL OR service_plan.offering_at IS NULL
                    OR (told.at, coalesce(told.place, '')) >= (service_plan.offering_at, coalesce(service_plan.offering_place, '')))",
        );
        record! { struct Told { plan_id: i64, offering_id: i64, at: Option<Timestamp>, place: Option<String> } }
        let mut told = Vec::new();
        for (plan, offering) in offerings {
            if self.offerings.get(plan).is_some_and(|stored| *offering <= *stored) {
                continue;
            }
            let plan_id = ids.get(&(Table::ServicePlan, plan.clone()));
            let offering_id = ids.get(&(Table::ServiceOffering, offering.value.clone()));
            if let (Some(plan_id), Some(offering_id)) = (plan_id, offering_id) {
                let (at, place) = (offering.told.at, offering.told.place_text());
                told.push(Told { plan_id: *plan_id, offering_id: *offering_id, at, place });
                self.offerings.insert(plan.clone(), offering.clone());
            }
        }
        let told = session.rows(told);
        session.run_of(LINK, Vec::new(), told).await?;
        Ok(())
    }

    /// Notes the guid of each buildpack, where nothing newer is stored.
    pub async fn note_buildpacks(
        &mut self,
        session: &mut Session,
        foundation_id: i64,
        buildpacks: &HashMap<Arc<str>, Newest<Guid>>,
    ) -> Result<(), StoreError> {
        const NOTE: Sql = Sql::new(
            "UPDATE buildpack SET guid = told.guid, guid_at = told.at, guid_place = told.place
             FROM {rows} AS told
             WHERE buildpack.foundation_id = $1 AND buildpack.name = told.name
               AND (buildpack.guid IS NULL OR buildpack.guid_at IS NULL
                    OR (told.at, coalesce(told.place, '')) >= (buildpack.guid_at, coalesce(buildpack.guid_place, '')))",
        );
        record! { struct Told { name: Arc<str>, guid: Guid, at: Option<Timestamp>, place: Option<String> } }
        let mut told = Vec::new();
        for (name, guid) in buildpacks {
            if self.buildpacks.get(name).is_some_and(|stored| *guid <= *stored) {
                continue;
            }
            let (at, place) = (guid.told.at, guid.told.place_text());
            told.push(Told { name: name.clone(), guid: guid.value.clone(), at, place });
            self.buildpacks.insert(name.clone(), guid.clone());
        }
        let told = session.rows(told);
        session.run_of(NOTE, values![foundation_id], told).await?;
        Ok(())
    }

    /// Notes which broker each offering is of, where nothing newer is stored.
    pub async fn note_brokers(
        &mut self,
        session: &mut Session,
        brokers: &HashMap<Guid, Newest<(Guid, Option<String>)>>,
        ids: &HashMap<(Table, Guid), i64>,
    ) -> Result<(), StoreError> {
        const NOTE: Sql = Sql::new(
            "UPDATE service_offering
             SET broker_guid = told.guid, broker_name = told.name, broker_at = told.at, broker_place = told.place
             FROM {rows} AS told
             WHERE service_offering.id = told.offering_id
               AND (service_offering.broker_guid IS NULL OR service_offering.broker_at IS NULL
                    OR (told.at, coalesce(told.place, ''))
                       >= (service_offering.broker_at, coalesce(service_offering.broker_place, '')))",
        );
        record! {
            struct Told {
                offering_id: i64,
                guid: Guid,
                name: Option<String>,
                at: Option<Timestamp>,
                place: Option<String>,
            }
        }
        let mut told = Vec::new();
        for (offering, broker) in brokers {
            if self.brokers.get(offering).is_some_and(|stored| *broker <= *stored) {
                continue;
            }
            let Some(id) = ids.get(&(Table::ServiceOffering, offering.clone())) else { continue };
            let (guid, name) = broker.value.clone();
            told.push(Told { offering_id: *id, guid, name, at: broker.told.at, place: broker.told.place_text() });
            self.brokers.insert(offering.clone(), broker.clone());
        }
        let told = session.rows(told);
        session.run_of(NOTE, Vec::new(), told).await?;
        Ok(())
    }
}

impl Store {
    /// All names that are kept of a foundation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn names(&self, foundation: &FoundationHead) -> Result<Names, StoreError> {
        macro_rules! named {
            ($table:literal) => {
                Sql::new(concat!(
                    "SELECT named_at AS told_at, named_place AS told_place, name, guid FROM ",
                    $table,
                    " WHERE foundation_id = $1 AND name IS NOT NULL"
                ))
            };
        }
        const RESOURCES: Sql = Sql::new(
            "SELECT named_at AS told_at, named_place AS told_place, name, guid, kind FROM resource WHERE foundation_id = $1 AND name IS NOT NULL",
        );
        const OFFERINGS: Sql = Sql::new(
            "SELECT plan.offering_at AS told_at, plan.offering_place AS told_place, offering.guid AS offering_guid, plan.guid
             FROM service_plan AS plan JOIN service_offering AS offering ON offering.id = plan.service_offering_id
             WHERE plan.foundation_id = $1",
        );
        const BROKERS: Sql = Sql::new(
            "SELECT broker_at AS told_at, broker_place AS told_place, broker_guid, guid, broker_name FROM service_offering
             WHERE foundation_id = $1 AND broker_guid IS NOT NULL",
        );
        const BUILDPACKS: Sql = Sql::new(
            "SELECT guid_at AS told_at, guid_place AS told_place, guid, name FROM buildpack WHERE foundation_id = $1 AND guid IS NOT NULL",
        );
        type Named = fn(Guid) -> NameOf;
        let of_table: [(Sql, Named); 5] = [
            (named!("organization"), NameOf::Organization),
            (named!("space"), NameOf::Space),
            (named!("app"), NameOf::App),
            (named!("service_plan"), NameOf::ServicePlan),
            (named!("service_offering"), NameOf::ServiceOffering),
        ];
        let told = |row: &Row| {
            let place = row.maybe_text("told_place")?;
            let told = Told::from_parts(row.maybe_time("told_at")?, place);
            told.ok_or_else(|| unexpected("the place at which a name was told", place.unwrap_or_default()))
        };
        let mut session = self.database.read().await?;
        let mut names = Names::default();
        for (sql, of) in of_table {
            for row in session.all(sql, values![foundation.id]).await? {
                names.note(of(row.get("guid")?), row.string("name")?, told(&row)?);
            }
        }
        for row in session.all(RESOURCES, values![foundation.id]).await? {
            let key = ResourceKey { kind: row.get("resource.kind")?, guid: row.get("resource.guid")? };
            names.note(NameOf::Resource(key), row.string("resource.name")?, told(&row)?);
        }
        for row in session.all(OFFERINGS, values![foundation.id]).await? {
            names.note_offering(row.get("service_plan.guid")?, row.get("offering_guid")?, told(&row)?);
        }
        for row in session.all(BROKERS, values![foundation.id]).await? {
            let broker = (row.get("service_offering.broker_guid")?, row.maybe_string("service_offering.broker_name")?);
            names.note_broker(row.get("service_offering.guid")?, broker, told(&row)?);
        }
        for row in session.all(BUILDPACKS, values![foundation.id]).await? {
            names.note_buildpack(row.get("buildpack.name")?, row.get("buildpack.guid")?, told(&row)?);
        }
        Ok(names)
    }

    /// Notes names beside the fold, each where nothing newer is kept. Of resources, only those that are there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_names(&self, foundation: &FoundationHead, names: &Names) -> Result<(), StoreError> {
        again!(self.try_note_names(foundation, names))
    }

    async fn try_note_names(&self, foundation: &FoundationHead, names: &Names) -> Result<(), StoreError> {
        macro_rules! resources {
            ($collation:literal) => {
                concat!(
                    "UPDATE resource SET ", take_newer!("told", "resource", $collation),
                    " FROM {rows} AS told
                     WHERE resource.foundation_id = $1 AND resource.kind = told.kind AND resource.guid = told.guid"
                )
            };
        }
        const RESOURCES: Sql = Sql::each(resources!(""), resources!(" COLLATE \"C\""));
        record! {
            struct ToldOf {
                kind: Kind,
                guid: Guid,
                name: String,
                named_at: Option<Timestamp>,
                named_place: Option<String>,
            }
        }
        let mut session = self.database.write().await?;
        let mut dimensions = Dimensions::default();
        let ids = dimensions.ids(&mut session, foundation.id, &wanted(names)).await?;
        dimensions.link_plans(&mut session, &names.offerings, &ids).await?;
        dimensions.note_buildpacks(&mut session, foundation.id, &names.buildpacks).await?;
        dimensions.note_brokers(&mut session, &names.brokers, &ids).await?;
        let told = names.names.iter().filter_map(|(of, name)| {
            let NameOf::Resource(ResourceKey { kind, guid }) = of else { return None };
            let (named_at, named_place) = (name.told.at, name.told.place_text());
            Some(ToldOf { kind: *kind, guid: guid.clone(), name: name.value.clone(), named_at, named_place })
        });
        let told = session.rows(told);
        session.run_of(RESOURCES, values![foundation.id], told).await?;
        session.commit().await
    }
}

/// What is known to be stored, by foundation, the lease's epoch and the database's generation: under another epoch others may
/// have written, and another server may not have it.
#[derive(Debug, Default)]
pub(in crate::store) struct Cache(HashMap<i64, (Since, Dimensions)>);

/// Ids and names of a foundation that stay in memory: some 20 MB.
const MOST_STORED: usize = 100_000;

/// Epoch and generation.
type Since = (u64, u64);

impl Cache {
    /// Takes what is known of a foundation. What isn't put back after a commit is forgotten.
    pub fn take(&mut self, foundation: &FoundationHead, generation: u64) -> Dimensions {
        match self.0.remove(&foundation.id) {
            Some((since, dimensions)) if since == (foundation.lease_epoch, generation) => dimensions,
            _ => Dimensions::default(),
        }
    }

    pub fn put(&mut self, foundation: &FoundationHead, generation: u64, dimensions: Dimensions) {
        // Apps come and go for years: what is still named is looked up again.
        if dimensions.stored.len() > MOST_STORED {
            return;
        }
        self.0.insert(foundation.id, ((foundation.lease_epoch, generation), dimensions));
    }
}
