//! Where usage was: organizations and spaces, with what accounts may own them by.

use std::collections::{BTreeMap, BTreeSet};
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
        const ORGANIZATIONS: Sql =
            Sql::new("SELECT guid, name FROM organization WHERE foundation_id = $1 AND guid = $2");
        const LABELS: Sql = Sql::new("SELECT owner, key, value FROM label WHERE foundation_id = $1 AND guid = $2");
        let mut session = self.database.read().await?;
        let heads = read_foundations(&mut session, None).await?;
        let mut seen = Vec::new();
        for (foundation, guid) in of {
            let Some(head) = heads.iter().find(|head| head.name == *foundation) else { continue };
            let Some(row) = session.maybe(ORGANIZATIONS, values![head.id, guid.as_str()]).await? else { continue };
            let mut labels: BTreeMap<Owner, Labels> = BTreeMap::new();
            for row in session.all(LABELS, values![head.id, guid.as_str()]).await? {
                let Spelled(owner) = row.get("label.owner")?;
                labels.entry(owner).or_default().insert(row.string("label.key")?, row.string("label.value")?);
            }
            let mut labels_of = |owner| Arc::new(labels.remove(&owner).unwrap_or_default());
            seen.push(SeenPlace {
                foundation: foundation.clone(),
                organization: Named {
                    guid: row.get("organization.guid")?,
                    name: row.maybe_string("organization.name")?,
                },
                space: Named { guid: Guid::new(""), name: None },
                organization_labels: labels_of(Owner::Organization),
                space_labels: Arc::default(),
                organization_annotations: labels_of(Owner::OrganizationAnnotation),
                space_annotations: Arc::default(),
                used_until: Timestamp::MIN,
            });
        }
        Ok(seen)
    }
}
