//! What the ledger has seen: the names and guids that a rate card may point to.

use crate::rate_card::{Seen, SeenService};
use crate::store::database::{Sql, values};
use crate::store::{Owner, Store, StoreError};

impl Store {
    /// Every name and guid that usage was seen under; accounts are not among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seen(&self) -> Result<Seen, StoreError> {
        const BUILDPACKS: Sql = Sql::new("SELECT name, guid FROM buildpack");
        const PLANS: Sql = Sql::new(
            "SELECT plan.guid, plan.name, offering.name, foundation.name, offering.guid, offering.broker_guid,
                    offering.broker_name
             FROM service_plan AS plan
             JOIN foundation ON foundation.id = plan.foundation_id
             LEFT JOIN service_offering AS offering ON offering.id = plan.service_offering_id
             ORDER BY foundation.name, offering.guid, plan.guid",
        );
        const ORGANIZATIONS: Sql = Sql::new(
            "SELECT foundation.name, organization.guid, organization.name
             FROM organization JOIN foundation ON foundation.id = organization.foundation_id",
        );
        const TYPES: Sql = Sql::new("SELECT DISTINCT process_type FROM resource WHERE process_type IS NOT NULL");
        const LABELS: Sql = Sql::new("SELECT DISTINCT owner, key, value FROM label");
        const CURRENCIES: Sql = Sql::new("SELECT DISTINCT currency FROM invoice WHERE status = 'final'");
        let mut seen = Seen::default();
        let mut session = self.database.read().await?;
        for row in session.all(BUILDPACKS, values![]).await? {
            seen.buildpacks.insert(row.text(0)?.to_owned());
            seen.buildpack_guids.extend(row.owned(1)?);
        }
        for row in session.all(PLANS, values![]).await? {
            seen.plan_guids.insert(row.text(0)?.to_owned());
            seen.plans.extend(row.owned(2)?.zip(row.owned(1)?));
            let broker = row.owned(5)?.map(|guid| Ok::<_, StoreError>((guid, row.owned(6)?))).transpose()?;
            seen.brokers.extend(broker.iter().flat_map(|(guid, name)| [Some(guid), name.as_ref()]).flatten().cloned());
            let names = row.owned(2)?.zip(row.owned(1)?).zip(row.owned(4)?);
            if let Some(((offering_name, plan_name), offering)) = names {
                let (foundation, plan) = (row.text(3)?.to_owned(), row.text(0)?.to_owned());
                seen.services.push(SeenService { foundation, offering_name, plan_name, offering, plan, broker });
            }
        }
        for row in session.all(ORGANIZATIONS, values![]).await? {
            let foundation = row.text(0)?;
            let organization = format!("{foundation}/{}", row.text(1)?);
            seen.accounts.insert(organization.clone());
            seen.organizations.insert(organization);
            seen.organizations.extend(row.maybe_text(2)?.map(|name| format!("{foundation}/{name}")));
        }
        for row in session.all(TYPES, values![]).await? {
            seen.process_types.insert(row.text(0)?.to_owned());
        }
        for row in session.all(LABELS, values![]).await? {
            let label = format!("{}={}", row.text(1)?, row.text(2)?);
            match Owner::of(row.text(0)?)? {
                Owner::Organization => seen.organization_labels.insert(label),
                Owner::Space => seen.space_labels.insert(label),
                // No price goes by them.
                Owner::OrganizationAnnotation | Owner::SpaceAnnotation => continue,
            };
        }
        for row in session.all(CURRENCIES, values![]).await? {
            seen.currencies.insert(row.text(0)?.to_owned());
        }
        Ok(seen)
    }
}
