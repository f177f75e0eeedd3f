//! Where usage was: organizations and spaces, with what accounts may own them by.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::foundations::read_foundations;
use super::pieces::Dimensions;
use crate::accounts::{SeenPlace, SeenPlaces};
use crate::domain::{Guid, Timestamp};
use crate::rate_card::Labels;
use crate::rating::Named;
use crate::store::database::{Spelled, Sql, values};
use crate::store::{Owner, Store, StoreError};

impl Store {
    /// Every place that usage was seen in, and what else an accounts file may name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seen_by_accounts(&self) -> Result<SeenPlaces, StoreError> {
        const ORGANIZATIONS: Sql = Sql::new("SELECT foundation_id, guid, name FROM organization");
        const SPACES: Sql = Sql::new("SELECT foundation_id, guid, name FROM space");
        const PLACES: Sql = Sql::new(
            "SELECT used.foundation_id, used.organization_id, used.space_id, max(used.until) AS used_until
             FROM (
                 SELECT foundation_id, organization_id, space_id, ended_at AS until FROM ledger_entry
                 UNION ALL
                 SELECT run.foundation_id, run.organization_id, run.space_id,
                        coalesce(foundation.known_until, run.started_at)
                 FROM open_interval AS run JOIN foundation ON foundation.id = run.foundation_id
             ) AS used
             GROUP BY used.foundation_id, used.organization_id, used.space_id
             ORDER BY used.foundation_id, used.organization_id, used.space_id",
        );
        let mut session = self.database.read().await?;
        let heads = read_foundations(&mut session, None).await?;
        let names = Dimensions::read(&mut session, &heads).await?;
        let mut seen =
            SeenPlaces { foundations: names.foundations.values().cloned().collect(), ..SeenPlaces::default() };
        for row in session.all(ORGANIZATIONS, values![]).await? {
            let Some(foundation) = names.foundations.get(&row.integer("organization.foundation_id")?) else { continue };
            seen.organizations.insert(format!("{foundation}/{}", row.text("organization.guid")?));
            seen.organizations.extend(row.maybe_text("organization.name")?.map(|name| format!("{foundation}/{name}")));
        }
        for row in session.all(SPACES, values![]).await? {
            let Some(foundation) = names.foundations.get(&row.integer("space.foundation_id")?) else { continue };
            seen.spaces.insert(format!("{foundation}/{}", row.text("space.guid")?));
            seen.spaces.extend(row.maybe_text("space.name")?.map(|name| format!("{foundation}/{name}")));
        }
        for ((foundation, ..), labels) in &names.labels {
            let Some(foundation) = names.foundations.get(foundation) else { continue };
            seen.labels.extend(labels.iter().map(|(key, value)| format!("{foundation}: {key} = {value}")));
        }
        for row in session.all(PLACES, values![]).await? {
            let id = row.integer("foundation_id")?;
            let foundation = names.foundations.get(&id);
            let organization = names.organizations.get(&row.integer("organization_id")?);
            let space = names.spaces.get(&row.integer("space_id")?);
            let (Some(foundation), Some(organization), Some(space)) = (foundation, organization, space) else {
                continue;
            };
            seen.places.push(SeenPlace {
                foundation: foundation.clone(),
                organization: organization.clone(),
                space: space.clone(),
                organization_labels: names.labels_of(id, Owner::Organization, &organization.guid),
                space_labels: names.labels_of(id, Owner::Space, &space.guid),
                organization_annotations: names.labels_of(id, Owner::OrganizationAnnotation, &organization.guid),
                space_annotations: names.labels_of(id, Owner::SpaceAnnotation, &space.guid),
                used_until: row.time("used_until")?,
            });
        }
        Ok(seen)
    }

    /// Organizations that the book knows, of some by their foundation's name and their guid, with what they may be owned by:
    /// as places in no space.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn organizations_seen(&self, of: &BTreeSet<(String, String)>) -> Result<Vec<SeenPlace>, StoreError> {
        const ORGANIZATIONS: Sql = Sql::each(
            "SELECT guid, name FROM organization WHERE foundation_id = $1 AND guid IN (SELECT value FROM json_each($2))",
            "SELECT guid, name FROM organization
             WHERE foundation_id = $1 AND guid IN (SELECT jsonb_array_elements_text($2::jsonb))",
        );
        const LABELS: Sql = Sql::each(
            "SELECT owner, guid, key, value FROM label WHERE foundation_id = $1 AND guid IN (SELECT value FROM json_each($2))",
            "SELECT owner, guid, key, value FROM label
             WHERE foundation_id = $1 AND guid IN (SELECT jsonb_array_elements_text($2::jsonb))",
        );
        let mut session = self.database.read().await?;
        let mut seen = Vec::new();
        for head in read_foundations(&mut session, None).await? {
            let guids: Vec<&str> =
                of.iter().filter(|(name, _)| *name == head.name).map(|(_, guid)| guid.as_str()).collect();
            if guids.is_empty() {
                continue;
            }
            let list = serde_json::Value::from(guids).to_string();
            let mut labels: HashMap<(Owner, Guid), Labels> = HashMap::new();
            for row in session.all(LABELS, values![head.id, list.as_str()]).await? {
                let Spelled(owner) = row.get("label.owner")?;
                let of = labels.entry((owner, row.get("label.guid")?)).or_default();
                of.insert(row.string("label.key")?, row.string("label.value")?);
            }
            for row in session.all(ORGANIZATIONS, values![head.id, list.as_str()]).await? {
                let guid: Guid = row.get("organization.guid")?;
                let mut labels_of = |owner| Arc::new(labels.remove(&(owner, guid.clone())).unwrap_or_default());
                seen.push(SeenPlace {
                    foundation: head.name.clone(),
                    organization_labels: labels_of(Owner::Organization),
                    space_labels: Arc::default(),
                    organization_annotations: labels_of(Owner::OrganizationAnnotation),
                    space_annotations: Arc::default(),
                    organization: Named { guid: guid.clone(), name: row.maybe_string("organization.name")? },
                    space: Named { guid: Guid::new(""), name: None },
                    used_until: Timestamp::MIN,
                });
            }
        }
        Ok(seen)
    }
}
