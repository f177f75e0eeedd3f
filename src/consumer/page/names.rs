//! The names that an event carries.

use crate::domain::Fact;
use crate::store::{NameOf, Names, Told};

/// Notes the names an event carries, with their time and place: which are the newest doesn't depend on when it arrived.
pub(super) fn note_names(names: &mut Names, fact: &Fact, carried: crate::cloud_controller::Names, told: &Told) {
    let resource = fact.resource();
    let (location, app, plan) = match fact {
        Fact::Process(fact) => (fact.location.as_ref(), fact.app.as_ref(), None),
        Fact::Task(fact) => (fact.location.as_ref(), fact.app.as_ref(), None),
        Fact::Staging(fact) => (fact.location.as_ref(), Some(&fact.app), None),
        Fact::Service(fact) => (fact.location.as_ref(), None, fact.plan.as_ref()),
        Fact::BuildpackSetByBuild | Fact::UnknownState(_) | Fact::Undecodable(_) => return,
    };
    if let Some((name, guid)) = carried.buildpack {
        names.note_buildpack(name, guid, told.clone());
    }
    let (offering, offering_name) = carried.service_offering.unzip();
    if let (Some(plan), Some(offering)) = (plan, &offering) {
        names.note_offering(plan.clone(), offering.clone(), told.clone());
    }
    if let (Some(offering), Some(broker)) = (&offering, carried.service_broker) {
        names.note_broker(offering.clone(), broker, told.clone());
    }
    let named = [
        (location.map(|location| NameOf::Space(location.space.clone())), carried.space),
        (app.map(|app| NameOf::App(app.clone())), carried.app),
        (plan.map(|plan| NameOf::ServicePlan(plan.clone())), carried.service_plan),
        (resource.map(NameOf::Resource), carried.task.or(carried.service_instance)),
        (offering.map(NameOf::ServiceOffering), offering_name.flatten()),
    ];
    for (of, name) in named.into_iter().filter_map(|(of, name)| of.zip(name)) {
        names.note(of, name, told.clone());
    }
}
