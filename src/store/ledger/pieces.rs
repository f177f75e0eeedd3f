//! Usage of a period, resource by resource, for rating: net ledger entries and open intervals, with everything that
//! decides their rate. One view of the book, read in parts, so that memory doesn't grow with the ledger.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::foundations::read_foundations;
use crate::domain::{EntryType, FoundationHead, Guid, Kind, Span, Timestamp};
use crate::rate_card::Labels;
use crate::rating::{LineKey, Named, Piece, Source, UsageKey};
use crate::store::codes::ColumnCode;
use crate::store::database::{Record, Row, Session, Spelled, Sql, record, text, unexpected, values};
use crate::store::{Owner, Store, StoreError};

/// Entries and open intervals to read at a time, some 50 MB of them; one resource's are never parted.
const ROWS: usize = 50_000;
/// Resources asked for first; how many it is next follows from how many rows came.
const RESOURCES: i64 = 2_000;

record! {
    /// A stretch of usage: what a ledger entry says.
    struct PieceRow {
        /// 0: an open interval.
        number: i64 = "ledger_entry.number",
        entry_type: i64 = "ledger_entry.entry_type",
        corrects: Option<i64> = "ledger_entry.corrects",
        foundation_id: i64 = "ledger_entry.foundation_id",
        resource_id: i64 = "ledger_entry.resource_id",
        kind: Kind = "ledger_entry.kind",
        organization_id: i64 = "ledger_entry.organization_id",
        space_id: i64 = "ledger_entry.space_id",
        app_id: Option<i64> = "ledger_entry.app_id",
        buildpack_id: Option<i64> = "ledger_entry.buildpack_id",
        service_plan_id: Option<i64> = "ledger_entry.service_plan_id",
        estimated: bool = "ledger_entry.estimated",
        started_at: Timestamp = "ledger_entry.started_at",
        ended_at: Timestamp = "ledger_entry.ended_at",
        instances: i64 = "ledger_entry.instances",
        memory_mib: i64 = "ledger_entry.memory_mib",
        disk_mib: i64 = "ledger_entry.disk_mib",
        guid: Guid = "resource.guid",
        name: Option<String> = "resource.name",
        process_type: Option<Arc<str>> = "resource.process_type",
        user_provided: bool = "resource.user_provided",
        opened_by: i64 = "ledger_entry.opened_by",
        closed_by: Option<i64> = "ledger_entry.closed_by",
    }
}

/// Columns as [`PieceRow`] has them, of entries and of open intervals. Resources are sought one by one, so that entries of
/// other months aren't touched. An open staging that is decided counts as closed.
macro_rules! pieces {
    ($open:literal) => {
        text![
            "SELECT ",
            PieceRow::LIST,
            " FROM resource CROSS JOIN ledger_entry
             WHERE resource.id > $3 AND resource.id <= $4 AND ($5 OR NOT resource.user_provided)
                 AND ledger_entry.resource_id = resource.id AND ledger_entry.ended_at >= $1
                 AND ledger_entry.started_at < $2
             UNION ALL
             SELECT 0, CASE WHEN run.counts_until <= foundation.known_until THEN 1 ELSE 0 END, NULL,
                    run.foundation_id, run.resource_id, run.kind, run.organization_id, run.space_id, run.app_id,
                    run.buildpack_id, run.service_plan_id, (run.counts_until IS NOT NULL OR run.estimated),
                    run.started_at, ",
            $open,
            ", run.instances, run.memory_mib, run.disk_mib,
                    resource.guid, resource.name, resource.process_type, resource.user_provided, run.opened_by, NULL
             FROM open_interval AS run
             JOIN foundation ON foundation.id = run.foundation_id AND foundation.known_until IS NOT NULL
             JOIN resource ON resource.id = run.resource_id
             WHERE run.billed AND run.started_at < $2 AND run.resource_id > $3 AND run.resource_id <= $4
                 AND ($5 OR NOT resource.user_provided)
             ORDER BY 5, 13"
        ]
    };
}

// What runs now, and has no end of its own, goes on until `$6`, if that is given: processes (`$7`) and service instances (`$8`).
const PIECES: Sql = Sql::each(
    pieces!(
        "min(CASE WHEN run.kind IN ($7, $8) THEN max(foundation.known_until, coalesce($6, foundation.known_until))
                  ELSE foundation.known_until END,
             coalesce(run.counts_until, $6, foundation.known_until))"
    ),
    pieces!(
        "least(CASE WHEN run.kind IN ($7, $8) THEN greatest(foundation.known_until, $6) ELSE foundation.known_until END,
               run.counts_until)"
    ),
);

/// Usage of a period, being read.
#[derive(Debug)]
pub struct Pieces {
    session: Session,
    period: Span,
    user_provided: bool,
    goes_on_until: Option<Timestamp>,
    /// Resources up to here are read.
    read: i64,
    /// The last resource there is.
    last: i64,
    /// How many to ask for next.
    resources: i64,
    names: Dimensions,
    /// The foundations as they stand in this view of the book.
    pub heads: Vec<FoundationHead>,
    /// Organizations, spaces, plans and offerings whose names were told after the period: they may have had others in it.
    pub named_later: HashSet<Guid>,
}

/// Guids and names by row id, and what else decides a rate.
#[derive(Debug, Default)]
pub(in crate::store) struct Dimensions {
    pub foundations: HashMap<i64, String>,
    pub organizations: HashMap<i64, Named>,
    pub spaces: HashMap<i64, Named>,
    apps: HashMap<i64, Named>,
    /// Name and newest guid.
    buildpacks: HashMap<i64, (String, Option<Arc<str>>)>,
    /// With the offering's row id.
    plans: HashMap<i64, (Named, Option<i64>)>,
    offerings: HashMap<i64, Named>,
    /// By the row id of their offerings.
    brokers: HashMap<i64, Named>,
    /// By foundation, owner and guid.
    pub labels: HashMap<(i64, Owner, String), Arc<Labels>>,
    no_labels: Arc<Labels>,
}

impl Store {
    /// Begins to read what was used in a period; and what would be if what runs now, and doesn't end by itself, went on until
    /// an instant, if that is given.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pieces(
        &self,
        period: Span,
        user_provided: bool,
        goes_on_until: Option<Timestamp>,
    ) -> Result<Pieces, StoreError> {
        const LAST: Sql = Sql::new("SELECT coalesce(max(id), 0) AS id FROM resource");
        const LATER: Sql = Sql::new(
            "SELECT guid FROM organization WHERE named_at >= $1
             UNION SELECT guid FROM space WHERE named_at >= $1
             UNION SELECT guid FROM service_plan WHERE named_at >= $1
             UNION SELECT guid FROM service_offering WHERE named_at >= $1",
        );
        let mut session = self.database.read().await?;
        let last = session.one(LAST, Vec::new()).await?.integer("resource.id")?;
        let heads = read_foundations(&mut session, None).await?;
        let names = Dimensions::read(&mut session, &heads).await?;
        let mut named_later = HashSet::new();
        for row in session.all(LATER, values![period.to]).await? {
            named_later.insert(row.get("guid")?);
        }
        session.may_rest().await?;
        let (read, resources) = (0, RESOURCES);
        Ok(Pieces { session, period, user_provided, goes_on_until, read, last, resources, names, heads, named_later })
    }
}

impl Pieces {
    /// The pieces of some more resources, each resource's together, in no order that means anything; `None` once all
    /// were given.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn more(&mut self) -> Result<Option<Vec<Vec<Piece>>>, StoreError> {
        if self.read >= self.last {
            return Ok(None);
        }
        let Span { from, to } = self.period;
        let until = self.read.saturating_add(self.resources);
        let mut values = values![from, to, self.read, until, self.user_provided, self.goes_on_until];
        values.extend(values![Kind::Process.code(), Kind::Service.code()]);
        let rows = self.session.all(PIECES, values).await?;
        self.read = until;
        // As many as give the wanted number of rows, if the next ones are like these.
        let wanted = self.resources.saturating_mul(i64::try_from(ROWS / rows.len().max(1)).unwrap_or(1));
        self.resources = if rows.len() > ROWS { self.resources / 2 } else { wanted.min(self.resources * 4) };
        self.resources = self.resources.clamp(100, 10_000_000);
        let mut resources: Vec<Vec<Piece>> = Vec::new();
        let mut keys = HashMap::new();
        let mut same: Vec<PieceRow> = Vec::new();
        for row in &rows {
            let row = PieceRow::read(row)?;
            if same.last().is_some_and(|last| last.resource_id != row.resource_id) {
                resources.extend(self.resource(std::mem::take(&mut same), &mut keys)?);
            }
            same.push(row);
        }
        resources.extend(self.resource(same, &mut keys)?);
        Ok(Some(resources))
    }

    /// What one resource used: what was taken back is left out.
    fn resource(&self, rows: Vec<PieceRow>, keys: &mut Keys) -> Result<Option<Vec<Piece>>, StoreError> {
        let entries = rows.iter().map(PieceRow::entry).collect::<Result<Vec<_>, _>>()?;
        let reversals = rows.iter().zip(&entries).filter(|(_, entry)| **entry == Entry::Reversal);
        let reversed: HashSet<i64> = reversals.filter_map(|(row, _)| row.corrects).collect();
        let mut pieces = Vec::new();
        for (row, entry) in rows.into_iter().zip(entries) {
            let taken_back = entry == Entry::Closed && reversed.contains(&row.number);
            if taken_back || entry == Entry::Reversal {
                continue;
            }
            let span = Span { from: row.started_at.max(self.period.from), to: row.ended_at.min(self.period.to) };
            // An interval without length counts where something is charged for each.
            if span.to < span.from || span.to == span.from && row.started_at != row.ended_at {
                continue;
            }
            let key = if let Some(key) = keys.get(&row.key()) {
                key.clone()
            } else {
                let key = Arc::new(self.names.key(&row)?);
                keys.insert(row.key(), key.clone());
                key
            };
            pieces.push(Piece {
                key,
                span,
                whole: Span { from: row.started_at, to: row.ended_at },
                open: entry == Entry::Open,
                instances: row.instances,
                memory_mib: row.memory_mib,
                disk_mib: row.disk_mib,
                resource: row.guid.clone(),
                source: row.source(),
            });
        }
        Ok((!pieces.is_empty()).then_some(pieces))
    }
}

/// Keys by the row ids that they stand for.
type Keys = HashMap<([Option<i64>; 8], bool), Arc<UsageKey>>;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Open,
    Closed,
    /// Takes another back.
    Reversal,
}

impl PieceRow {
    /// What it is. An entry that takes another's place counts as any other does.
    fn entry(&self) -> Result<Entry, StoreError> {
        // An open interval's is none of a ledger entry.
        if self.entry_type == 0 {
            return Ok(Entry::Open);
        }
        match EntryType::of_code(self.entry_type) {
            Some(EntryType::Usage | EntryType::Replacement) => Ok(Entry::Closed),
            Some(EntryType::Reversal) => Ok(Entry::Reversal),
            None => Err(unexpected("ledger_entry.entry_type", &self.entry_type.to_string())),
        }
    }

    const fn source(&self) -> Source {
        let entry = if self.number == 0 { None } else { Some(self.number) };
        Source { entry, opened_by: self.opened_by, closed_by: self.closed_by }
    }

    /// What decides its [`UsageKey`]. The resource stands for its process type.
    fn key(&self) -> ([Option<i64>; 8], bool) {
        let ids = [
            Some(self.foundation_id),
            Some(self.resource_id),
            Some(self.kind.code()),
            Some(self.organization_id),
            Some(self.space_id),
            self.app_id,
            self.buildpack_id,
            self.service_plan_id,
        ];
        (ids, self.estimated)
    }
}

impl Dimensions {
    pub(in crate::store) async fn read(session: &mut Session, heads: &[FoundationHead]) -> Result<Self, StoreError> {
        const BUILDPACKS: Sql = Sql::new("SELECT id, name, guid FROM buildpack");
        const PLANS: Sql = Sql::new("SELECT id, guid, name, service_offering_id FROM service_plan");
        const BROKERS: Sql = Sql::new(
            "SELECT id, broker_guid AS guid, broker_name AS name FROM service_offering WHERE broker_guid IS NOT NULL",
        );
        const LABELS: Sql = Sql::new("SELECT foundation_id, owner, guid, key, value FROM label");
        let mut read = Self {
            foundations: heads.iter().map(|head| (head.id, head.name.clone())).collect(),
            organizations: named(session, Sql::new("SELECT id, guid, name FROM organization")).await?,
            spaces: named(session, Sql::new("SELECT id, guid, name FROM space")).await?,
            apps: named(session, Sql::new("SELECT id, guid, name FROM app")).await?,
            offerings: named(session, Sql::new("SELECT id, guid, name FROM service_offering")).await?,
            brokers: named(session, BROKERS).await?,
            ..Self::default()
        };
        for row in session.all(BUILDPACKS, Vec::new()).await? {
            let guid = row.get("buildpack.guid")?;
            read.buildpacks.insert(row.integer("buildpack.id")?, (row.string("buildpack.name")?, guid));
        }
        for row in session.all(PLANS, Vec::new()).await? {
            let plan = Named { guid: row.get("service_plan.guid")?, name: row.maybe_string("service_plan.name")? };
            let offering = row.maybe_integer("service_plan.service_offering_id")?;
            read.plans.insert(row.integer("service_plan.id")?, (plan, offering));
        }
        let mut labels: HashMap<(i64, Owner, String), Labels> = HashMap::new();
        for row in session.all(LABELS, Vec::new()).await? {
            let Spelled(owner) = row.get("label.owner")?;
            let of = (row.integer("label.foundation_id")?, owner, row.string("label.guid")?);
            labels.entry(of).or_default().insert(row.string("label.key")?, row.string("label.value")?);
        }
        read.labels = labels.into_iter().map(|(of, labels)| (of, Arc::new(labels))).collect();
        Ok(read)
    }

    pub(in crate::store) fn labels_of(&self, foundation_id: i64, owner: Owner, guid: &Guid) -> Arc<Labels> {
        let of = (foundation_id, owner, guid.to_string());
        self.labels.get(&of).unwrap_or(&self.no_labels).clone()
    }

    fn key(&self, row: &PieceRow) -> Result<UsageKey, StoreError> {
        let missing =
            |what: &str| StoreError::Unexpected { place: "usage", value: format!("a row without its {what}") };
        let organization = self.organizations.get(&row.organization_id).ok_or_else(|| missing("organization"))?;
        let space = self.spaces.get(&row.space_id).ok_or_else(|| missing("space"))?;
        let of_service = row.kind == Kind::Service;
        let plan = row.service_plan_id.and_then(|id| self.plans.get(&id)).filter(|_| of_service);
        let buildpack = row.buildpack_id.and_then(|id| self.buildpacks.get(&id));
        let offering = plan.and_then(|(_, offering)| self.offerings.get(&(*offering)?));
        let broker = plan.and_then(|(_, offering)| self.brokers.get(&(*offering)?));
        Ok(UsageKey {
            organization_labels: self.labels_of(row.foundation_id, Owner::Organization, &organization.guid),
            space_labels: self.labels_of(row.foundation_id, Owner::Space, &space.guid),
            organization_annotations: self.labels_of(
                row.foundation_id,
                Owner::OrganizationAnnotation,
                &organization.guid,
            ),
            space_annotations: self.labels_of(row.foundation_id, Owner::SpaceAnnotation, &space.guid),
            line: Arc::new(LineKey {
                foundation: self.foundations.get(&row.foundation_id).ok_or_else(|| missing("foundation"))?.clone(),
                organization: organization.clone(),
                space: space.clone(),
                kind: row.kind,
                app: row.app_id.and_then(|id| self.apps.get(&id)).cloned(),
                service_instance: of_service.then(|| Named { guid: row.guid.clone(), name: row.name.clone() }),
                service_offering: offering.cloned(),
                service_plan: plan.map(|(plan, _)| plan.clone()),
                buildpack: buildpack.map(|(name, _)| name.clone()),
                estimated: row.estimated,
            }),
            process_type: row.process_type.clone(),
            buildpack_guid: buildpack.and_then(|(_, guid)| guid.clone()),
            service_broker: broker.cloned(),
            user_provided: row.user_provided,
        })
    }
}

async fn named(session: &mut Session, sql: Sql) -> Result<HashMap<i64, Named>, StoreError> {
    let rows = session.all(sql, Vec::new()).await?;
    let named = |row: &Row| Ok((row.integer("id")?, Named { guid: row.get("guid")?, name: row.maybe_string("name")? }));
    rows.iter().map(named).collect()
}
