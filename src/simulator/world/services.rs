//! Service instances: created, updated, deleted.

use serde_json::{Value, json};

use super::rows;
use super::{Plan, Service, World};
use crate::domain::{Kind, Stream};
use crate::simulator::tables::{List, Tables};
use crate::simulator::world::truth::{Key, Use};

const BROKER: (&str, &str) = ("broker", "main-broker");

impl World {
    /// Offers a plan.
    pub fn offer(&mut self, tables: &mut Tables, offering: &str, plan: &str) -> String {
        let offering_guid = if let Some(guid) = self.offerings.get(offering) {
            guid.clone()
        } else {
            let guid = self.guid();
            tables.put(List::ServiceOfferings, rows::offering(&guid, offering, self.now));
            self.offerings.insert(offering.to_owned(), guid.clone());
            guid
        };
        let guid = self.guid();
        tables.put(List::ServicePlans, rows::plan(&guid, plan, &offering_guid, self.now));
        self.plans.insert(guid.clone(), Plan { name: plan.to_owned(), offering: offering.to_owned() });
        guid
    }

    /// Renames a plan in the catalogue; nothing is emitted.
    pub fn rename_plan(&mut self, plan: &str, name: &str) {
        if let Some(plan) = self.plans.get_mut(plan) {
            name.clone_into(&mut plan.name);
        }
    }

    /// The plans on offer, by guid, with the name of the offering and of the plan.
    pub fn plans(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.plans.iter().map(|(guid, plan)| (guid.as_str(), plan.offering.as_str(), plan.name.as_str()))
    }

    /// Creates a service instance; without a plan it is user-provided. The event comes at once, before any broker answers.
    pub fn create_service(&mut self, tables: &mut Tables, space: &str, name: &str, plan: Option<&str>) -> String {
        let service = Service {
            guid: self.guid(),
            name: name.to_owned(),
            space: space.to_owned(),
            plan: plan.map(str::to_owned),
            touched: self.now,
        };
        tables.put(List::ServiceInstances, rows::service(&service, self.now));
        self.emit_service(tables, "CREATED", &service);
        let guid = service.guid.clone();
        self.services.insert(guid.clone(), service);
        self.account_service(&guid);
        guid
    }

    /// Renames an instance, moves it to another plan, or both: one event.
    pub fn update_service(&mut self, tables: &mut Tables, guid: &str, name: Option<&str>, plan: Option<&str>) {
        let now = self.now;
        let Some(service) = self.services.get_mut(guid) else { return };
        service.touched = now;
        if let Some(name) = name {
            name.clone_into(&mut service.name);
        }
        if let Some(plan) = plan {
            service.plan = Some(plan.to_owned());
        }
        let service = service.clone();
        tables.change(
            List::ServiceInstances,
            guid,
            &[
                ("/name", service.name.clone().into()),
                ("/relationships/service_plan/data/guid", service.plan.clone().into()),
                ("/updated_at", json!(now)),
            ],
        );
        self.account_service(guid);
        self.emit_service(tables, "UPDATED", &service);
    }

    /// Deletes an instance.
    pub fn delete_service(&mut self, tables: &mut Tables, guid: &str) {
        let Some(service) = self.services.remove(guid) else { return };
        self.truth.stops(guid, self.now);
        tables.remove(List::ServiceInstances, |row| row["guid"] == guid);
        self.emit_service(tables, "DELETED", &service);
    }

    /// What an instance uses, for the account; user-provided ones cost nothing and aren't counted.
    pub(super) fn account_service(&mut self, guid: &str) {
        let service = &self.services[guid];
        let Some(plan) = service.plan.clone() else { return };
        let space = &self.spaces[&service.space];
        let key = Key {
            organization: space.org.clone(),
            space: space.guid.clone(),
            kind: Kind::Service,
            owner: guid.to_owned(),
            plan: Some(plan),
            buildpack: None,
        };
        self.truth.runs(guid, self.now, Use { key, instances: 1, memory_mib: 0, disk_mib: 0 }, false);
    }

    pub(super) fn service_event(&self, guid: &str, state: &str, service: &Service) -> Value {
        let plan = service.plan.as_ref().map(|guid| (guid, &self.plans[guid]));
        let catalogue = plan.map(|(guid, plan)| {
            [
                (guid.as_str(), plan.name.as_str()),
                (self.offerings[&plan.offering].as_str(), plan.offering.as_str()),
                BROKER,
            ]
        });
        rows::service_event(guid, state, service, &self.spaces[&service.space], catalogue, self.now)
    }

    fn emit_service(&mut self, tables: &mut Tables, state: &str, service: &Service) {
        let guid = self.guid();
        tables.write(Stream::Service, self.service_event(&guid, state, service));
    }

    pub(super) fn snapshot_service(&self, service: &Service) -> Value {
        let plan = service.plan.as_ref().map(|guid| (guid, &self.plans[guid]));
        let offering = plan.map(|(_, plan)| (&self.offerings[&plan.offering], &plan.offering));
        json!({
            "service_instance_guid": service.guid, "service_instance_name": service.name,
            "service_instance_type": if service.plan.is_some() { "managed" } else { "user_provided" },
            "service_plan_guid": plan.map(|plan| plan.0), "service_plan_name": plan.map(|plan| &plan.1.name),
            "service_offering_guid": offering.map(|offering| offering.0), "service_offering_name": offering.map(|offering| offering.1),
            "service_broker_guid": plan.map(|_| BROKER.0), "service_broker_name": plan.map(|_| BROKER.1),
        })
    }
}
