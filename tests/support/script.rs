//! Scripts: a line an input, so that a case is readable and a new one is short.
//!
//! ```text
//! epoch 10:00                                   settings: epoch, cap, lost_after, rules, unlisted-tasks-until
//! baseline p 512x2 bp=ruby                      baseline items: processes, `baseline-task`, `baseline-service`
//! 10:00 p STARTED 512x2 bp=ruby prev=STOPPED    an event: time, resource, state, then what it says
//! 10:05 disk p 2048 updated=10:00               an observation
//! 10:10 gap app                                 a gap of that stream, since then
//! 10:30 look p 512x4 certain=09:00 since=09:30  what a look found: or `ended at=09:40`, with `exact`; or `unsure`
//! late 10:01 p STOPPED                          stands here in the stream, arrives after all others
//! ```
//!
//! Times are of 2026-10-10, `3d10:00` is three days later. Every event becomes V3 JSON and is decoded again.

use std::collections::HashMap;

use cf_billing::cloud_controller::decode;
use cf_billing::domain::ledger_entry::net;
use cf_billing::domain::{
    Anomaly, Baseline, BaselineItem, BuildObservation, DiskObservation, FailedCreate, Finding, Gap, GapReason, Guid,
    Interval, Kind, LedgerEntry, Location, Place, ResourceKey, Settings, Settlement, Stream, Timestamp,
};
use cf_billing::fold::{Depth, Fold, Input, Known, Numbered, Resource};
use serde_json::{Value, json};

/// 2026-10-10T00:00:00Z
pub const DAY: i64 = 1_791_590_400;

/// A time of the script's day, such as `10:00`, `10:00:05` or `3d10:00`.
pub fn time(text: &str) -> Timestamp {
    let (days, clock) = text.split_once('d').map_or((0, text), |(days, clock)| (days.parse().unwrap(), clock));
    let mut seconds = 0;
    for (part, unit) in clock.split(':').zip([3600, 60, 1]) {
        seconds += part.parse::<i64>().unwrap_or_else(|_| panic!("no time: {text}")) * unit;
    }
    Timestamp::from_unix(DAY + days * 86_400 + seconds)
}

/// The other way round.
pub fn clock(at: Timestamp) -> String {
    let since = at.unix() - DAY;
    let (days, rest) = (since.div_euclid(86_400), since.rem_euclid(86_400));
    let day = if days == 0 { String::new() } else { format!("{days}d") };
    let seconds = if rest % 60 == 0 { String::new() } else { format!(":{:02}", rest % 60) };
    format!("{day}{:02}:{:02}{seconds}", rest / 3600, rest / 60 % 60)
}

/// One line of a script.
#[derive(Clone, Debug)]
pub enum Line {
    Settings(Settings),
    /// Stream and V3 JSON.
    Event {
        stream: Stream,
        raw: String,
        late: bool,
    },
    Other(Input),
}

/// Reads a script.
pub fn parse(script: &str) -> Vec<Line> {
    let mut settings = Settings::default();
    let mut lines = Vec::new();
    for (number, text) in script.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (late, text) = text.strip_prefix("late ").map_or((false, text), |rest| (true, rest));
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["epoch", at] => settings.billing_epoch = Some(time(at)),
            ["cap", seconds] => settings.staging_cap_seconds = seconds.parse().unwrap(),
            ["lost_after", seconds] => settings.staging_lost_after_seconds = seconds.parse().unwrap(),
            ["unlisted-tasks-until", at] => settings.unlisted_tasks_until = Some(time(at)),
            ["rules", rules] => settings.rules = rules.parse().unwrap(),
            ["baseline" | "baseline-task" | "baseline-service", ..] => {
                lines.push(Line::Other(Input::Baseline(baseline(&words))));
                continue;
            }
            [at, "disk", process, disk, ..] => {
                lines.push(Line::Other(Input::Disk(DiskObservation {
                    resource: ResourceKey { kind: Kind::Process, guid: Guid::new(process) },
                    disk_mib: disk.parse().unwrap(),
                    observed_at: time(at),
                    updated_at: time(value(&words, "updated").unwrap_or(at)),
                    process_type: value(&words, "type").map(Into::into),
                })));
                continue;
            }
            [at, "gap", stream] => {
                lines.push(Line::Other(Input::Gap(Gap {
                    stream: if stream == "app" { Stream::App } else { Stream::Service },
                    reason: GapReason::Reseeded,
                    from: time(at),
                    to: None,
                    checkpoint: None,
                    found_at: time(at),
                })));
                continue;
            }
            [at, "create-failed", instance] => {
                lines.push(Line::Other(Input::CreateFailed(FailedCreate {
                    service_instance: Guid::new(instance),
                    observed_at: time(at),
                })));
                continue;
            }
            [at, "look", resource, ..] => {
                lines.push(Line::Other(Input::Settlement(look(at, resource, &words))));
                continue;
            }
            [at, "build", app, memory, disk, ..] => {
                lines.push(Line::Other(Input::Build(BuildObservation {
                    build: Guid::new(&format!("build-{at}")),
                    app: Guid::new(app),
                    memory_mib: memory.parse().unwrap(),
                    disk_mib: disk.parse().unwrap(),
                    created_at: time(value(&words, "created").unwrap_or(at)),
                    observed_at: time(at),
                })));
                continue;
            }
            [at, resource, state, ..] => {
                let (stream, raw) = event(number, at, resource, state, &words[3..]);
                lines.push(Line::Event { stream, raw: raw.to_string(), late });
                continue;
            }
            _ => panic!("not a line of a script: {text}"),
        }
        lines.push(Line::Settings(settings.clone()));
    }
    lines
}

/// What `name=` says.
fn value<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// What `MxN` says: MiB per instance and instances.
fn size(words: &[&str]) -> Option<(i64, i64)> {
    words.iter().find_map(|word| {
        let (memory, instances) = word.split_once('x')?;
        Some((memory.parse().ok()?, instances.parse().ok()?))
    })
}

fn location(words: &[&str]) -> (String, String) {
    let space = value(words, "space").unwrap_or("s1");
    (value(words, "org").unwrap_or("o1").to_owned(), space.to_owned())
}

fn look(at: &str, resource: &str, words: &[&str]) -> Settlement {
    let (kind, item) = match () {
        () if words.contains(&"task") => (Kind::Task, "baseline-task"),
        () if value(words, "plan").is_some() || words.contains(&"service") => (Kind::Service, "baseline-service"),
        () => (Kind::Process, "baseline"),
    };
    let of = |name: &str| value(words, name).map(time);
    let finding = if words.contains(&"ended") {
        Finding::Ended { at: of("at").unwrap(), exact: words.contains(&"exact") }
    } else if words.contains(&"unsure") {
        Finding::Unsure
    } else {
        let created = format!("created={at}");
        let mut of_item = vec![item, resource, created.as_str()];
        of_item.extend_from_slice(&words[3..]);
        Finding::Running { item: baseline(&of_item), since: of("since").unwrap_or(Timestamp::MIN) }
    };
    Settlement {
        resource: ResourceKey { kind, guid: Guid::new(resource) },
        certain_until: of("certain").unwrap_or(Timestamp::MIN),
        observed_at: time(at),
        finding,
        bounded: true,
    }
}

fn baseline(words: &[&str]) -> BaselineItem {
    let (organization, space) = location(words);
    let guid = Guid::new(words[1]);
    let (memory, instances) = size(words).unwrap_or((512, 1));
    let memory_mib = memory.try_into().unwrap();
    let app = Guid::new(value(words, "app").unwrap_or("app"));
    let item = match words[0] {
        "baseline" => Baseline::Process {
            process: guid,
            process_type: Some("web".into()),
            app,
            instances: instances.try_into().unwrap(),
            memory_mib,
            buildpack: value(words, "bp").map(Into::into),
            buildpack_assumed: words.contains(&"bp-assumed"),
        },
        "baseline-task" => {
            let created_at = time(value(words, "created").unwrap());
            Baseline::Task { task: guid, app, memory_mib, disk_mib: None, created_at }
        }
        _ => Baseline::Service {
            service_instance: guid,
            user_provided: words.contains(&"user-provided"),
            plan: value(words, "plan").map(Guid::new),
        },
    };
    let location = Location { organization: Guid::new(&organization), space: Guid::new(&space) };
    BaselineItem { location, item }
}

/// An event as Cloud Controller would send it. `null` as a word makes all numbers null; `called=X` is in all names.
fn event(number: usize, at: &str, resource: &str, state: &str, words: &[&str]) -> (Stream, Value) {
    let guid = match value(words, "guid") {
        Some(guid) => guid.to_owned(),
        None if words.contains(&"reseeded") => resource.to_owned(),
        None => format!("event-{number}"),
    };
    let created_at = time(at).to_string();
    let (organization, space) = location(words);
    let called = value(words, "called");
    let space = json!({"guid": space, "name": format!("{space}-{}", called.unwrap_or("name"))});
    let named = |guid: &str| called.map_or_else(|| guid.to_owned(), |called| format!("{guid}-{called}"));
    let organization = json!({"guid": organization});
    if matches!(state, "CREATED" | "UPDATED" | "DELETED") || words.contains(&"service") {
        let kind = if words.contains(&"user-provided") {
            "user_provided_service_instance"
        } else {
            "managed_service_instance"
        };
        let plan = value(words, "plan");
        let name = value(words, "name").map_or_else(|| named(resource), str::to_owned);
        let offering = value(words, "offering").unwrap_or("offering");
        let raw = json!({
            "guid": guid, "created_at": created_at, "updated_at": created_at, "state": state,
            "space": space, "organization": organization,
            "service_instance": {"guid": resource, "name": name, "type": kind},
            "service_plan": {"guid": plan, "name": plan.map(named)},
            "service_offering": {"guid": plan.map(|_| offering), "name": called.map(|_| named(offering))},
            "service_broker": {"guid": null, "name": null}, "links": {},
        });
        return (Stream::Service, raw);
    }
    let task = state.starts_with("TASK_");
    let process = !task && !state.starts_with("STAGING_") && !words.contains(&"build");
    let app = value(words, "app").unwrap_or(if task || process { "app" } else { resource });
    let (memory, instances) = size(words).unwrap_or((if process { 512 } else { 1024 }, 1));
    let numbers = |current: i64| if words.contains(&"null") { Value::Null } else { current.into() };
    let previous = value(words, "prev").filter(|previous| *previous != "null");
    let raw = json!({
        "guid": guid, "created_at": created_at, "updated_at": created_at,
        "state": {"current": state, "previous": previous},
        "app": {"guid": app, "name": value(words, "name").map_or_else(|| named(app), str::to_owned)},
        "process": {"guid": process.then_some(resource), "type": (process && !words.contains(&"reseeded")).then_some("web")},
        "space": space, "organization": organization,
        "buildpack": {"guid": value(words, "bp-guid"), "name": value(words, "bp")},
        "task": {"guid": task.then_some(resource), "name": task.then(|| named("task"))},
        "memory_in_mb_per_instance": {"current": numbers(memory), "previous": null},
        "instance_count": {"current": numbers(instances), "previous": null},
        "links": {},
    });
    (Stream::App, raw)
}

/// A book in memory: folds pages as the consumer does, with nothing loaded that isn't asked for.
#[derive(Default)]
pub struct Book {
    settings: Vec<(u64, Settings)>,
    gaps: Vec<(u64, Gap)>,
    last_entry: u64,
    resources: HashMap<ResourceKey, Resource>,
    inputs: Vec<Numbered>,
    pub entries: Vec<LedgerEntry>,
    pub anomalies: Vec<Anomaly>,
}

impl Book {
    /// Folds a script in pages of `page_size`; late lines come last, at their places.
    pub fn fold(script: &[Line], page_size: usize) -> Self {
        let mut book = Self::default();
        let inputs = place(script);
        for page in inputs.chunks(page_size) {
            book.page(page);
        }
        book
    }

    /// Folds one page.
    pub fn page(&mut self, page: &[(Place, Input)]) {
        let mut numbered = Vec::new();
        for (place, input) in page {
            let sequence = (self.inputs.len() + numbered.len() + 1) as u64;
            let received_at = Timestamp::from_unix(DAY + 100 * 86_400);
            numbered.push(Numbered { sequence, received_at, place: place.clone(), input: input.clone() });
        }
        let mut fold = Fold::new(self.settings.clone(), self.last_entry).across(self.gaps.clone());
        loop {
            let lacking = fold.lacking(&numbered);
            if lacking.is_empty() {
                break;
            }
            for (key, depth) in lacking {
                fold.provide(self.load(&key, depth));
            }
        }
        for input in &numbered {
            if let Input::Settings(settings) = &input.input {
                self.settings.push((input.sequence, settings.clone()));
            }
            if let Input::Gap(gap) = &input.input {
                self.gaps.push((input.sequence, gap.clone()));
            }
            fold.apply(input);
        }
        let outputs = fold.take_outputs();
        self.last_entry = fold.last_entry();
        self.entries.extend(outputs.entries);
        self.anomalies.extend(outputs.anomalies);
        for resource in fold.into_resources() {
            // What isn't stored is forgotten.
            let stored = Resource { known: Known::State, told_at: None, ..resource };
            self.resources.insert(stored.key.clone(), stored);
        }
        self.inputs.extend(numbered);
    }

    fn load(&self, key: &ResourceKey, depth: Depth) -> Resource {
        let Some(stored) = self.resources.get(key) else { return Resource::new(key.clone()) };
        let of_resource = self.entries.iter().filter(|entry| entry.interval.resource == *key).cloned();
        let entries = net(of_resource.collect());
        let run = stored.run.as_ref().map(|run| run.id);
        let known = match depth {
            Depth::State => Known::State,
            Depth::Run => Known::Run(entries.into_iter().filter(|entry| Some(entry.interval.run) == run).collect()),
            Depth::Entries => Known::Entries(entries),
            Depth::History => {
                let inputs = self.inputs.iter().filter(|input| input.input.resource().as_ref() == Some(key));
                Known::History(entries, inputs.cloned().collect())
            }
        };
        Resource { known, ..stored.clone() }
    }

    /// The net intervals and the open ones, a line each: `p 10:00-10:30 512x2 bp=ruby`.
    pub fn intervals(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in net(self.entries.clone()) {
            let interval = entry.interval;
            let estimated = if interval.estimated { " estimated" } else { "" };
            let span = format!("{}-{}", clock(interval.started_at), clock(interval.ended_at));
            let key = (interval.resource.kind, interval.resource.guid.clone(), interval.started_at, interval.ended_at);
            lines.push((key, format!("{span}{}{estimated}", footprint(&interval.footprint, interval.resource.kind))));
        }
        for resource in self.resources.values() {
            if let Some(run) = resource.run.as_ref().filter(|run| run.billed) {
                let piece = &run.piece;
                let key = (resource.key.kind, resource.key.guid.clone(), piece.started_at, Timestamp::MAX);
                let footprint = footprint(&piece.footprint, resource.key.kind);
                lines.push((key, format!("{}-{footprint}", clock(piece.started_at))));
            }
        }
        lines.sort();
        lines.into_iter().map(|((_, guid, ..), text)| format!("{guid} {text}")).collect()
    }

    /// The net intervals.
    pub fn closed(&self) -> Vec<Interval> {
        net(self.entries.clone()).into_iter().map(|entry| entry.interval).collect()
    }

    /// All entries, without the time they became known at.
    pub fn entries_without_times(&self) -> Vec<LedgerEntry> {
        (self.entries.iter()).map(|entry| LedgerEntry { known_at: Timestamp::MIN, ..entry.clone() }).collect()
    }

    /// The open intervals.
    pub fn open(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.resources.values().filter_map(open_line).collect();
        lines.sort();
        lines
    }

    /// The disk of the net and the open intervals: `p 10:00-10:30 1024 default`.
    pub fn disks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in net(self.entries.clone()) {
            let interval = entry.interval;
            let disk = format!("{} {:?}", interval.footprint.disk_mib, interval.footprint.disk_source);
            let span = format!("{}-{}", clock(interval.started_at), clock(interval.ended_at));
            lines.push((interval.started_at, format!("{} {span} {}", interval.resource.guid, disk.to_lowercase())));
        }
        for resource in self.resources.values() {
            if let Some(run) = &resource.run {
                let disk = format!("{} {:?}", run.piece.footprint.disk_mib, run.piece.footprint.disk_source);
                let start = run.piece.started_at;
                lines.push((start, format!("{} {}- {}", resource.key.guid, clock(start), disk.to_lowercase())));
            }
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The kinds of anomalies, in the order they came.
    pub fn anomaly_kinds(&self) -> Vec<&'static str> {
        self.anomalies.iter().map(|anomaly| anomaly.kind.name()).collect()
    }
}

/// A resource's open interval, with all the fold remembers of it.
pub fn open_line(resource: &Resource) -> Option<String> {
    let run = resource.run.as_ref()?;
    let stored = Resource { known: Known::State, ..resource.clone() };
    Some(format!("{} {} {stored:?}", resource.key.guid, clock(run.piece.started_at)))
}

fn footprint(footprint: &cf_billing::domain::Footprint, kind: Kind) -> String {
    let mut text = String::new();
    if kind != Kind::Service {
        text += &format!(" {}x{}", footprint.memory_mib, footprint.instances);
    }
    if let Some(buildpack) = &footprint.buildpack {
        text += &format!(" bp={buildpack}");
    }
    if let Some(plan) = &footprint.service_plan {
        text += &format!(" plan={plan}");
    }
    if footprint.location.space != Guid::new("s1") {
        text += &format!(" space={}", footprint.location.space);
    }
    text
}

/// Inputs in the order they are folded, each with its place: late lines last.
pub fn place(script: &[Line]) -> Vec<(Place, Input)> {
    let mut ordinals = HashMap::from([(Stream::App, 0_u64), (Stream::Service, 0)]);
    let (mut in_time, mut late) = (Vec::new(), Vec::new());
    let mut last_late: HashMap<Stream, Place> = HashMap::new();
    for line in script {
        match line {
            Line::Settings(settings) => in_time.push((Place::default(), Input::Settings(settings.clone()))),
            Line::Other(input) => {
                let service = input.resource().is_some_and(|key| key.kind == Kind::Service);
                let stream = if service { Stream::Service } else { Stream::App };
                in_time.push((Place::at(ordinals[&stream]), input.clone()));
            }
            Line::Event { stream, raw, late: true } => {
                let before = Place::at(ordinals[stream]);
                let from = last_late.get(stream).filter(|place| **place > before).cloned().unwrap_or(before);
                let place = from.before(&Place::at(ordinals[stream] + 1));
                last_late.insert(*stream, place.clone());
                late.push((place, Input::Event(decode(*stream, raw).event)));
            }
            Line::Event { stream, raw, late: false } => {
                let ordinal = ordinals.entry(*stream).or_default();
                *ordinal += 1;
                in_time.push((Place::at(*ordinal), Input::Event(decode(*stream, raw).event)));
            }
        }
    }
    in_time.extend(late);
    in_time
}

/// Folds a script, in pages of one and all at once, and compares net and open intervals.
#[track_caller]
pub fn check(script: &str, expected: &[&str]) -> Book {
    let lines = parse(script);
    let book = Book::fold(&lines, 1);
    assert_eq!(book.intervals(), expected, "in pages of one\n{script}");
    assert_eq!(Book::fold(&lines, usize::MAX).intervals(), expected, "in one page\n{script}");
    book
}

/// As [`check`], and the anomalies raised.
#[track_caller]
pub fn check_with(script: &str, expected: &[&str], anomalies: &[&str]) {
    assert_eq!(check(script, expected).anomaly_kinds(), anomalies, "{script}");
}
