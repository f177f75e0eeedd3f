//! Baseline items on their way into the archive: each once, with the names their rows carry.

use std::collections::HashMap;
use std::sync::Arc;

use super::page::NewInput;
use crate::cloud_controller::NamedItem;
use crate::domain::{Baseline, EventId, FoundationHead, Guid, Stream, Timestamp};
use crate::fold::Input;
use crate::store::{InputKind, NameOf, Names, Store, StoreError, Told};

/// Inputs for those of `items`, all of one stream's resources, that aren't archived yet. Their names are those of
/// `read_at`: when the snapshot was made or the list was read, which may be long before the epoch.
pub(super) async fn baseline_inputs(
    store: &Store,
    head: &FoundationHead,
    stream: Stream,
    epoch: Timestamp,
    read_at: Timestamp,
    mut items: Vec<NamedItem>,
) -> Result<(Vec<NewInput>, Names), StoreError> {
    doubt_deployments(&mut items);
    let ids: Vec<EventId> = (items.iter())
        .filter_map(|named| Input::Baseline(named.item.clone()).resource())
        .map(|key| EventId { guid: key.guid, created_at: epoch })
        .collect();
    let archived = store.find_archived(head, InputKind::Baseline(stream), &ids).await?;
    let mut names = Names::default();
    let mut inputs = Vec::new();
    for (named, archived) in items.into_iter().zip(archived) {
        if archived.is_none() {
            note_names(&mut names, &named, &Told::beside(read_at));
            inputs.push(NewInput::baseline(stream, epoch, named.item));
        }
    }
    Ok((inputs, names))
}

/// While an app is rolled over it has two processes of one type, and its current droplet is the new one's alone: which
/// buildpack each of them runs can't be known then, from a snapshot or from the lists.
fn doubt_deployments(items: &mut [NamedItem]) {
    let mut of_type: HashMap<(Guid, Option<Arc<str>>), usize> = HashMap::new();
    for named in &*items {
        if let Baseline::Process { app, process_type, .. } = &named.item.item {
            *of_type.entry((app.clone(), process_type.clone())).or_default() += 1;
        }
    }
    for named in items {
        if let Baseline::Process { app, process_type, buildpack, buildpack_assumed, .. } = &mut named.item.item {
            let alike = of_type.get(&(app.clone(), process_type.clone())).copied().unwrap_or_default();
            *buildpack_assumed |= alike > 1 && buildpack.is_some();
        }
    }
}

/// The stream that tells of an item's resource.
pub(super) const fn stream_of(named: &NamedItem) -> Stream {
    match named.item.item {
        Baseline::Service { .. } => Stream::Service,
        Baseline::Process { .. } | Baseline::Task { .. } => Stream::App,
    }
}

/// The names a baseline row carries.
pub(super) fn note_names(names: &mut Names, named: &NamedItem, told: &Told) {
    let location = &named.item.location;
    let mut note = |of: NameOf, name: &Option<String>| {
        if let Some(name) = name {
            names.note(of, name.clone(), told.clone());
        }
    };
    note(NameOf::Organization(location.organization.clone()), &named.organization);
    note(NameOf::Space(location.space.clone()), &named.space);
    match &named.item.item {
        Baseline::Process { app, .. } | Baseline::Task { app, .. } => {
            note(NameOf::App(app.clone()), &named.app);
        }
        Baseline::Service { plan, .. } => {
            if let Some(key) = Input::Baseline(named.item.clone()).resource() {
                note(NameOf::Resource(key), &named.service_instance);
            }
            if let Some(plan) = plan {
                note(NameOf::ServicePlan(plan.clone()), &named.service_plan);
                if let Some((offering, name)) = &named.service_offering {
                    note(NameOf::ServiceOffering(offering.clone()), name);
                    names.note_offering(plan.clone(), offering.clone(), told.clone());
                    if let Some(broker) = &named.service_broker {
                        names.note_broker(offering.clone(), broker.clone(), told.clone());
                    }
                }
            }
        }
    }
}
