//! One page: number its inputs, fold them over what the store holds, commit everything together.

use std::collections::{BTreeMap, HashSet};

use super::clocks::decide;
use crate::cloud_controller::{Decoded, decode};
use crate::domain::quantity::{instance_seconds, mib_seconds};
use crate::domain::usage_event::ServiceChange;
use crate::domain::{
    AnomalyKind, BaselineItem, Bound, BuildObservation, DiskObservation, DiskSource, EntryType, Fact, FailedCreate,
    Footprint, Gap, Interval, Kind, LedgerEntry, MemorySource, Place, ResourceKey, RowObservation, Settings,
    Settlement, Stream, Timestamp,
};
use crate::fold::{Depth, Fold, Input, Known, Numbered, Resource};
use crate::store::{
    ArchivedInput, FoundationHead, GapProgress, InputKind, LoadedResource, NameOf, Names, Origin, Settled, Store,
    StoreError, StoredBound, StreamHead, Told, WriteSet, identity,
};
use crate::telemetry::PageCounts;

/// An input not yet numbered.
#[derive(Clone, Debug)]
pub struct NewInput {
    /// An event's place in its stream; anything else stands at the end of its stream.
    pub place: Place,
    pub body: Body,
}

/// What it is, and its text for the archive.
#[derive(Clone, Debug)]
pub enum Body {
    /// As received.
    Event {
        stream: Stream,
        raw: String,
        decoded: Box<Decoded>,
    },
    Settings(Settings),
    /// An item of the baseline of that stream's resources, begun at `epoch`.
    Baseline {
        stream: Stream,
        epoch: Timestamp,
        item: BaselineItem,
    },
    Disk(DiskObservation),
    Build(BuildObservation),
    CreateFailed(FailedCreate),
    Gap(Gap),
    Settlement(Settlement),
    /// Stands at its event's place.
    Bound(Bound),
    Row(RowObservation),
}

/// What one transaction is to hold.
#[derive(Clone, Debug)]
pub struct Page {
    pub origin: Origin,
    pub received_at: Timestamp,
    /// No event of it was created later, as far as the clock that says so is right.
    pub read_at: Timestamp,
    pub inputs: Vec<NewInput>,
    /// Processes and tasks whose disk can't be observed any more.
    pub unobservable: Vec<ResourceKey>,
    /// Beside those that the events carry.
    pub names: Names,
    /// The streams with the checkpoints they should then have; ordinals and times are kept by [`commit`].
    pub app: StreamHead,
    pub service: StreamHead,
    pub known_until: Option<Timestamp>,
    pub observed_until: Option<Timestamp>,
    pub swept_until: Option<Timestamp>,
    pub reconciled_at: Option<Timestamp>,
    pub swept_long_at: Option<Timestamp>,
    /// How it moves a gap on.
    pub gap_progress: Option<GapProgress>,
}

impl Page {
    /// An empty page on top of `head`.
    #[must_use]
    pub fn new(origin: Origin, received_at: Timestamp, head: &FoundationHead) -> Self {
        Self {
            origin,
            received_at,
            read_at: received_at,
            inputs: Vec::new(),
            unobservable: Vec::new(),
            names: Names::default(),
            app: head.app.clone(),
            service: head.service.clone(),
            known_until: head.known_until,
            observed_until: head.observed_until,
            swept_until: head.swept_until,
            reconciled_at: head.reconciled_at,
            swept_long_at: head.swept_long_at,
            gap_progress: None,
        }
    }

    /// The head of one stream.
    pub const fn stream_mut(&mut self, stream: Stream) -> &mut StreamHead {
        match stream {
            Stream::App => &mut self.app,
            Stream::Service => &mut self.service,
        }
    }
}

/// What a page led to.
#[derive(Clone, Debug)]
pub struct PageReport {
    /// The foundation after it.
    pub head: FoundationHead,
    pub inputs: usize,
    pub entries: usize,
    pub anomalies: usize,
    /// Events placed behind others.
    pub late: usize,
    /// For metrics.
    pub counts: PageCounts,
}

/// Folds a page over the store's state and commits it.
///
/// # Errors
/// [`StoreError`]; then nothing of the page is stored.
pub async fn commit(store: &Store, head: &FoundationHead, page: Page) -> Result<PageReport, StoreError> {
    let mut write = WriteSet::new(page.origin, head);
    write.gap_progress = page.gap_progress;
    write.reconciled_at = page.reconciled_at;
    write.swept_long_at = page.swept_long_at;
    write.known_until = page.known_until;
    write.observed_until = page.observed_until;
    write.swept_until = page.swept_until;
    write.app = page.app;
    write.service = page.service;
    write.names = page.names;
    write.unobservable = page.unobservable;

    let decided = decide(store, head, &page.inputs, page.read_at).await?;
    for (stream, agreeing) in decided.agreeing {
        write.stream_mut(stream).agreeing_at = agreeing;
        if write.origin == Origin::Import {
            write.known_until = known_by_events(head, &write);
        }
    }
    let inputs = decided.bounds.into_iter().chain(page.inputs);
    let mut numbered = Vec::with_capacity(inputs.size_hint().0);
    for (sequence, input) in (head.last_sequence + 1..).zip(inputs) {
        numbered.push(number(sequence, page.received_at, input, &[], &mut write));
    }
    fold_and_commit(store, head, write, numbered, Vec::new()).await
}

/// An import knows as much as the last event of either stream tells, or as was said. A time that doesn't agree tells nothing.
fn known_by_events(head: &FoundationHead, write: &WriteSet) -> Option<Timestamp> {
    let told_before = head.app.agreeing_at.max(head.service.agreeing_at);
    let said = head.known_until.filter(|known| Some(*known) > told_before);
    said.max(write.app.agreeing_at).max(write.service.agreeing_at)
}

/// Commits archived inputs once more, in another book, as they were archived: the fold is the same whatever the pages.
///
/// # Errors
/// [`StoreError`]; then nothing of them is stored.
pub(super) async fn commit_again(
    store: &Store,
    head: &FoundationHead,
    archived: Vec<ArchivedInput>,
) -> Result<PageReport, StoreError> {
    let mut write = WriteSet::new(Origin::Import, head);
    let mut numbered = Vec::with_capacity(archived.len());
    let mut bounds = Vec::new();
    for stream in Stream::ALL {
        // They were archived before their events, and may have come with an earlier page.
        let ordinals =
            || archived.iter().filter(|input| input.kind == InputKind::Event(stream)).map(|of| of.place.ordinal);
        if let (Some(first), Some(last)) = (ordinals().min(), ordinals().max()) {
            bounds.extend(store.bounds(head, stream, first, last).await?);
        }
    }
    for input in archived {
        let (sequence, received_at, place) = (input.sequence, input.received_at, input.place.clone());
        let body = recall_body(input)?;
        numbered.push(number(sequence, received_at, NewInput { place, body }, &bounds, &mut write));
    }
    fold_and_commit(store, head, write, numbered, bounds).await
}

async fn fold_and_commit(
    store: &Store,
    head: &FoundationHead,
    mut write: WriteSet,
    numbered: Vec<Numbered>,
    bounds: Vec<StoredBound>,
) -> Result<PageReport, StoreError> {
    let mut fold = Fold::new(head.settings.clone(), head.last_entry).across(head.gaps.clone());
    fold.provide_bounds(
        bounds.into_iter().filter_map(|held| Some((held.bound.resource?, held.place, held.bound.counts_at?))),
    );
    provide(store, head, &mut fold, &numbered).await?;

    for (input, archived) in numbered.iter().zip(&mut write.inputs) {
        if let Some(resource) = input.input.resource().and_then(|key| fold.resource(&key)) {
            archived.previous = resource.last_sequence;
        }
        fold.apply(input);
    }
    let outputs = fold.take_outputs();
    write.last_entry = fold.last_entry();
    write.entries = outputs.entries;
    write.anomalies = outputs.anomalies;
    write.told_by_reseeds = told_by_reseeds(head, &write, &numbered);
    write.to_observe = to_observe(write.origin, &fold, &numbered, &write.entries);
    write.resources = fold.into_resources();
    // Written in an order of their own, so that the same page always gives the same file.
    write.resources.sort_by(|one, two| one.key.cmp(&two.key));

    let counts = counts(&write, &numbered);
    store.commit(head, &write).await?;
    Ok(PageReport {
        counts,
        head: write.applied_to(head),
        inputs: write.inputs.len(),
        entries: write.entries.len(),
        anomalies: write.anomalies.len(),
        late: write.late_places.len(),
    })
}

/// What the page's reseeded events told that was lost with a gap: resources that nobody knew, and footprints that changed.
fn told_by_reseeds(head: &FoundationHead, write: &WriteSet, numbered: &[Numbered]) -> Vec<(u64, Settled)> {
    let reseeded: HashSet<u64> = (numbered.iter())
        .filter(|input| matches!(&input.input, Input::Event(event) if event.fact.is_reseeded()))
        .map(|input| input.sequence)
        .collect();
    let mut told: BTreeMap<u64, Settled> = BTreeMap::new();
    for anomaly in write.anomalies.iter().filter(|anomaly| reseeded.contains(&anomaly.sequence)) {
        let Some(stream) = anomaly.resource.as_ref().map(|key| key.kind.stream()) else { continue };
        let before = |of: &&(u64, Gap)| of.0 < anomaly.sequence && of.1.stream == stream;
        let gap = head.gaps.iter().chain(&write.gaps).rfind(before);
        let Some((gap, _)) = gap else { continue };
        match anomaly.kind {
            AnomalyKind::StartUnknown => told.entry(*gap).or_default().begun += 1,
            AnomalyKind::ToldByReseed => told.entry(*gap).or_default().changed += 1,
            _ => {}
        }
    }
    told.into_iter().collect()
}

fn counts(write: &WriteSet, numbered: &[Numbered]) -> PageCounts {
    let events =
        || numbered.iter().filter_map(|input| if let Input::Event(event) = &input.input { Some(event) } else { None });
    let metered = |kind: Kind| {
        let closed = write.entries.iter().filter(|entry| entry.entry_type == EntryType::Usage);
        closed.filter(|entry| entry.interval.resource.kind == kind).fold([0_i64; 3], |sums, entry| {
            let Interval { footprint, .. } = &entry.interval;
            let seconds = entry.interval.seconds();
            let quantities = [
                instance_seconds(footprint.instances, seconds).map(|sum| sum.0),
                mib_seconds(footprint.instances, footprint.memory_mib, seconds).map(|sum| sum.0),
                mib_seconds(footprint.instances, footprint.disk_mib, seconds).map(|sum| sum.0),
            ];
            let mut added =
                quantities.into_iter().zip(sums).map(|(more, sum)| sum.saturating_add(more.unwrap_or(i64::MAX)));
            std::array::from_fn(|_| added.next().unwrap_or_default())
        })
    };
    PageCounts {
        archived: events().count() as u64,
        late: write.late_places.len() as u64,
        states: tally(events().map(|event| event.fact.state())),
        anomalies: tally(write.anomalies.iter().map(|anomaly| anomaly.kind)),
        entries: EntryType::ALL
            .map(|entry_type| {
                (entry_type, write.entries.iter().filter(|entry| entry.entry_type == entry_type).count() as u64)
            })
            .to_vec(),
        metered: Kind::ALL.map(|kind| (kind, metered(kind))).to_vec(),
    }
}

fn tally<T: Ord>(of: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counts = BTreeMap::new();
    for one in of {
        *counts.entry(one).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// Loads what the fold needs for `numbered`: first the states, then what those show to be needed as well.
async fn provide(
    store: &Store,
    head: &FoundationHead,
    fold: &mut Fold,
    numbered: &[Numbered],
) -> Result<(), StoreError> {
    loop {
        let mut lacking = fold.lacking(numbered);
        if lacking.is_empty() {
            return Ok(());
        }
        for loaded in store.load(head, &lacking).await? {
            let depth = lacking.remove(&loaded.resource.key).unwrap_or(Depth::State);
            fold.provide(known(loaded, depth)?);
        }
        for key in lacking.into_keys() {
            fold.provide(Resource::new(key));
        }
    }
}

fn known(loaded: LoadedResource, depth: Depth) -> Result<Resource, StoreError> {
    let entries: Vec<LedgerEntry> = loaded.entries;
    let known = match depth {
        Depth::State => Known::State,
        Depth::Run => Known::Run(entries),
        Depth::Entries => Known::Entries(entries),
        Depth::History => {
            // What a seal holds stands for the inputs before it.
            let sealed = loaded.sealed.map(|(sequence, sealed)| {
                let (received_at, place) = (Timestamp::MIN, sealed.resource.last_place.clone());
                Ok(Numbered { sequence, received_at, place, input: Input::Sealed(Box::new(sealed)) })
            });
            let inputs: Result<Vec<_>, _> = sealed.into_iter().chain(loaded.history.into_iter().map(recall)).collect();
            Known::History(entries, inputs?)
        }
    };
    Ok(Resource { known, ..loaded.resource })
}

/// An archived input as the fold takes it.
///
/// # Errors
/// [`StoreError::Unexpected`] for a body this program did not write.
pub fn recall(archived: ArchivedInput) -> Result<Numbered, StoreError> {
    let (sequence, received_at, place) = (archived.sequence, archived.received_at, archived.place.clone());
    let input = match recall_body(archived)? {
        Body::Event { decoded, .. } => Input::Event(decoded.event),
        Body::Settings(settings) => Input::Settings(settings),
        Body::Baseline { item, .. } => Input::Baseline(item),
        Body::Disk(observation) => Input::Disk(observation),
        Body::Build(observation) => Input::Build(observation),
        Body::CreateFailed(failed) => Input::CreateFailed(failed),
        Body::Gap(gap) => Input::Gap(gap),
        Body::Settlement(settlement) => Input::Settlement(settlement),
        Body::Bound(bound) => Input::Bound(bound),
        Body::Row(row) => Input::Row(row),
    };
    Ok(Numbered { sequence, received_at, place, input })
}

fn recall_body(archived: ArchivedInput) -> Result<Body, StoreError> {
    let ArchivedInput { kind, created_at, body, .. } = archived;
    let unexpected = |_| StoreError::Unexpected { place: "the archive", value: body.clone() };
    Ok(match kind {
        InputKind::Event(stream) => {
            let decoded = Box::new(decode(stream, &body));
            Body::Event { stream, raw: body, decoded }
        }
        InputKind::Settings => Body::Settings(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Baseline(stream) => {
            let item = serde_json::from_str(&body).map_err(unexpected)?;
            Body::Baseline { stream, epoch: created_at, item }
        }
        InputKind::DiskObservation => Body::Disk(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::FailedCreate => Body::CreateFailed(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::BuildObservation => Body::Build(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Gap => Body::Gap(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Settlement => Body::Settlement(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Bound => Body::Bound(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Row => Body::Row(serde_json::from_str(&body).map_err(unexpected)?),
    })
}

/// Numbers an input, adds it to what is to be archived, and keeps the stream's head and the names up to date.
/// `bounds`: those archived before this page.
fn number(
    sequence: u64,
    received_at: Timestamp,
    new: NewInput,
    bounds: &[StoredBound],
    write: &mut WriteSet,
) -> Numbered {
    let NewInput { place, body } = new;
    let json = |value: Result<String, serde_json::Error>| value.expect("domain values are plain JSON");
    let (kind, created_at, name, text, input) = match body {
        Body::Event { stream, raw, decoded } => {
            note_place(write, stream, &place, decoded.event.created_at);
            let Decoded { event, names } = *decoded;
            // A time that the stream contradicts must not make a name the newest for years.
            let of_it = |held: &&StoredBound| held.bound.stream == stream && held.place == place;
            let bound = write.bounds.iter().map(|(_, held)| held).rfind(of_it).or(bounds.iter().rfind(of_it));
            let told_at = bound.and_then(|held| held.bound.counts_at).unwrap_or(event.created_at);
            note_names(&mut write.names, &event.fact, names, &Told::by_event(told_at, place.clone()));
            (InputKind::Event(stream), event.created_at, event.guid.to_string(), raw, Input::Event(event))
        }
        Body::Settings(settings) => {
            write.settings.push((sequence, settings.clone()));
            let text = json(serde_json::to_string(&settings));
            (InputKind::Settings, received_at, String::new(), text, Input::Settings(settings))
        }
        Body::Baseline { stream, epoch, item } => {
            let text = json(serde_json::to_string(&item));
            let input = Input::Baseline(item);
            let guid = input.resource().map(|key| key.guid.to_string()).unwrap_or_default();
            (InputKind::Baseline(stream), epoch, guid, text, input)
        }
        Body::Disk(observation) => {
            let text = json(serde_json::to_string(&observation));
            let guid = observation.resource.guid.to_string();
            (InputKind::DiskObservation, observation.observed_at, guid, text, Input::Disk(observation))
        }
        Body::CreateFailed(failed) => {
            let text = json(serde_json::to_string(&failed));
            let guid = failed.service_instance.to_string();
            (InputKind::FailedCreate, failed.observed_at, guid, text, Input::CreateFailed(failed))
        }
        Body::Gap(gap) => {
            let text = json(serde_json::to_string(&gap));
            write.gaps.push((sequence, gap.clone()));
            (InputKind::Gap, gap.from, gap.stream.name().to_owned(), text, Input::Gap(gap))
        }
        Body::Settlement(settlement) => {
            let text = json(serde_json::to_string(&settlement));
            let guid = settlement.resource.guid.to_string();
            (InputKind::Settlement, settlement.observed_at, guid, text, Input::Settlement(settlement))
        }
        Body::Bound(bound) => {
            let text = json(serde_json::to_string(&bound));
            write.bounds.push((sequence, StoredBound { place: place.clone(), bound: bound.clone() }));
            (InputKind::Bound, bound.created_at, bound.event.to_string(), text, Input::Bound(bound))
        }
        Body::Row(row) => {
            let text = json(serde_json::to_string(&row));
            (InputKind::Row, row.observed_at, row.guid.to_string(), text, Input::Row(row))
        }
        Body::Build(observation) => {
            let text = json(serde_json::to_string(&observation));
            let guid = observation.build.to_string();
            (InputKind::BuildObservation, observation.created_at, guid, text, Input::Build(observation))
        }
    };
    write.inputs.push(ArchivedInput {
        sequence,
        kind,
        received_at,
        created_at,
        identity: identity(&name),
        place: place.clone(),
        previous: 0,
        body: text,
    });
    Numbered { sequence, received_at, place, input }
}

fn note_place(write: &mut WriteSet, stream: Stream, place: &Place, created_at: Timestamp) {
    let head = match stream {
        Stream::App => &mut write.app,
        Stream::Service => &mut write.service,
    };
    head.last_ordinal = head.last_ordinal.max(place.ordinal);
    head.newest_created_at = head.newest_created_at.max(Some(created_at));
    head.oldest_created_at = Some(head.oldest_created_at.map_or(created_at, |oldest| oldest.min(created_at)));
    if !place.fraction().is_empty() {
        write.late_places.push((stream, place.clone()));
    }
}

/// Notes the names an event carries, with their time and place: which are the newest doesn't depend on when it arrived.
fn note_names(names: &mut Names, fact: &Fact, carried: crate::cloud_controller::Names, told: &Told) {
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

/// Processes and tasks that the page began or changed and whose disk nothing vouches for, and stagings whose build wasn't
/// read: no event tells their sizes. And service instances that were created: no event tells whether that failed.
fn to_observe(origin: Origin, fold: &Fold, numbered: &[Numbered], entries: &[LedgerEntry]) -> HashSet<ResourceKey> {
    if origin == Origin::Import {
        return HashSet::new();
    }
    let begins = |input: &&Numbered| match &input.input {
        Input::Baseline(_) | Input::Settlement(_) => true,
        Input::Event(event) => matches!(&event.fact, Fact::Service(fact) if fact.change == ServiceChange::Created),
        _ => false,
    };
    let begun: HashSet<ResourceKey> =
        numbered.iter().filter(begins).filter_map(|input| input.input.resource()).collect();
    let unread = |footprint: &Footprint| footprint.memory_source == MemorySource::Event;
    let staged = |key: &ResourceKey| {
        let open = fold.resource(key).and_then(|resource| resource.run.as_ref()).filter(|run| run.billed);
        let ended = entries.iter().filter(|entry| entry.interval.resource == *key);
        open.is_some_and(|run| unread(&run.piece.footprint))
            || ended.into_iter().any(|entry| unread(&entry.interval.footprint))
    };
    let made = |resource: &Resource| resource.run.is_some() && !resource.user_provided;
    let observable = |key: &ResourceKey| match (key.kind, fold.resource(key)) {
        (_, None) => false,
        // Only what has just begun may not have come about.
        (Kind::Service, Some(resource)) => begun.contains(key) && made(resource),
        (Kind::Staging, _) => staged(key),
        (_, Some(Resource { run: Some(run), .. })) => run.piece.footprint.disk_source != DiskSource::Observed,
        (_, Some(resource)) => resource.ended && resource.disk_mib.is_none(),
    };
    let read_beside =
        |input: &&Numbered| matches!(input.input, Input::Disk(_) | Input::Build(_) | Input::CreateFailed(_));
    let touched = numbered.iter().filter(|input| !read_beside(input));
    touched.filter_map(|input| input.input.resource()).filter(observable).collect()
}
