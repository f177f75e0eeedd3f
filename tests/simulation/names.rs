//! What things are called at the end, by the events as they were sent: the newest name of each, whenever it was read. And
//! running processes that are told once more as they are. Knows neither the store's rule nor how it keeps names.

use std::collections::{BTreeMap, HashMap};

use cf_billing::domain::{Place, Stream, Timestamp};
use cf_billing::simulator::Foundation;
use cf_billing::store::{ArchivedInput, InputKind, NameOf, Names};
use rand::{Rng, RngExt};
use serde_json::Value;

/// Everything whose name isn't the last that was told.
pub fn wrong(kept: &Names, inputs: &[ArchivedInput]) -> Vec<String> {
    let mut newest: BTreeMap<(&str, String), (Timestamp, Place, String)> = BTreeMap::new();
    for input in inputs {
        let InputKind::Event(stream) = input.kind else { continue };
        let event: Value = serde_json::from_str(&input.body).unwrap_or_default();
        let known = match stream {
            Stream::App => {
                let state = event["state"]["current"].as_str().unwrap_or_default();
                !event["space"]["guid"].is_null() && (state != "BUILDPACK_SET" || !event["process"]["guid"].is_null())
            }
            Stream::Service => !event["service_instance"]["guid"].is_null(),
        };
        if !known {
            continue;
        }
        for of in ["space", "app", "task", "service_instance", "service_plan", "service_offering"] {
            let (Some(guid), Some(name)) = (event[of]["guid"].as_str(), event[of]["name"].as_str()) else { continue };
            if guid.is_empty() {
                continue;
            }
            // Both streams name spaces.
            let place = if of == "space" { Place::default() } else { input.place.clone() };
            let told = (input.created_at, place, name.to_owned());
            let last = newest.entry((of, guid.to_owned())).or_insert_with(|| told.clone());
            if told > *last {
                *last = told;
            }
        }
    }
    let kept: HashMap<(&str, String), (Option<Timestamp>, &String)> = (kept.names.iter())
        .map(|(of, name)| {
            let key = match of {
                NameOf::Organization(guid) => ("organization", guid.to_string()),
                NameOf::Space(guid) => ("space", guid.to_string()),
                NameOf::App(guid) => ("app", guid.to_string()),
                NameOf::ServicePlan(guid) => ("service_plan", guid.to_string()),
                NameOf::ServiceOffering(guid) => ("service_offering", guid.to_string()),
                NameOf::Resource(key) if key.kind == cf_billing::domain::Kind::Task => ("task", key.guid.to_string()),
                NameOf::Resource(key) => ("service_instance", key.guid.to_string()),
            };
            (key, (name.told.at, &name.value))
        })
        .collect();
    let mut wrong = Vec::new();
    for (key, (at, _, name)) in newest {
        match kept.get(&key) {
            Some((_, kept)) if **kept == name => {}
            // A list that was read later, or in that very second, told another.
            Some((Some(listed), _)) if *listed >= at && (*listed > at || key.0 == "space") => {}
            found => wrong.push(format!("{key:?} is {found:?}, last told as {name} at {at}")),
        }
    }
    wrong
}

/// Somebody asks V2 for what changes nothing of a process that runs. True if there was one.
pub fn tell_once_more(foundation: &mut Foundation, random: &mut impl Rng) -> bool {
    let started: Vec<String> = (foundation.world.processes.values())
        .filter(|process| process.started)
        .map(|process| process.guid.clone())
        .collect();
    if started.is_empty() {
        return false;
    }
    let process = &started[random.random_range(0..started.len())];
    foundation.world.flag(&mut foundation.tables, process);
    true
}
