//! What was really used: added up as things run, resource by resource and second by second, by those who
//! started and stopped them. Knows no events and no intervals.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Kind, Timestamp};

/// What use is added up by. Guids as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub organization: String,
    pub space: String,
    pub kind: Kind,
    /// The app, or the service instance.
    pub owner: String,
    pub plan: Option<String>,
    pub buildpack: Option<String>,
}

/// Sums of use, in instance·s and MiB·s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub instance_seconds: i64,
    pub memory_mib_seconds: i64,
    pub disk_mib_seconds: i64,
}

/// What one thing uses each second while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub key: Key,
    pub instances: i64,
    pub memory_mib: i64,
    pub disk_mib: i64,
}

#[derive(Clone, Debug)]
struct Running {
    using: Use,
    since: Timestamp,
    /// Used under a buildpack that isn't known yet, by span.
    unknown: Option<BTreeMap<usize, Sums>>,
    /// Begun before the epoch, and by rule not billed (a staging).
    unbilled: bool,
}

/// What one thing used over a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    pub id: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub using: Use,
    /// Its buildpack isn't known yet.
    unknown: bool,
}

/// The account.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    epoch: Option<Timestamp>,
    /// Every span, if that is wanted: instants instead of sums.
    history: Option<Vec<Used>>,
    /// Prices change at these instants, periods begin and end at them.
    cuts: Vec<Timestamp>,
    running: BTreeMap<String, Running>,
    sums: BTreeMap<(usize, Key), Sums>,
}

impl Truth {
    /// Begins to count: what runs now counts from now.
    pub fn begin(&mut self, epoch: Timestamp) {
        self.epoch = Some(epoch);
        self.sums.clear();
        if let Some(history) = &mut self.history {
            history.clear();
        }
        for running in self.running.values_mut() {
            running.since = epoch;
            running.unbilled = running.using.key.kind == Kind::Staging;
            if let Some(unknown) = &mut running.unknown {
                unknown.clear();
            }
        }
    }

    /// Keeps every span from now on, not only sums.
    pub fn remember(&mut self) {
        self.history.get_or_insert_default();
    }

    /// Every span used since the epoch, up to `now`; empty unless it was to be remembered.
    #[must_use]
    pub fn history(&self, now: Timestamp) -> Vec<Used> {
        let mut until_now = self.clone();
        let ids: Vec<String> = until_now.running.keys().cloned().collect();
        for id in ids {
            until_now.stops(&id, now);
        }
        until_now.history.unwrap_or_default()
    }

    /// What was used from an instant on, up to `now`, of what is remembered.
    #[must_use]
    pub fn since(&self, from: Timestamp, now: Timestamp) -> BTreeMap<Key, Sums> {
        let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
        for used in self.history(now).into_iter().filter(|used| used.to > from) {
            let seconds = used.to.seconds_since(used.from.max(from));
            let total = sums.entry(used.using.key).or_default();
            total.instance_seconds += seconds * used.using.instances;
            total.memory_mib_seconds += seconds * used.using.instances * used.using.memory_mib;
            total.disk_mib_seconds += seconds * used.using.instances * used.using.disk_mib;
        }
        sums
    }

    /// The buildpack of what `id` used while it wasn't known.
    fn resolve(&mut self, id: &str, buildpack: Option<&String>) {
        for used in self.history.iter_mut().flatten().rev().filter(|used| used.id == id) {
            if !std::mem::replace(&mut used.unknown, false) {
                break;
            }
            used.using.key.buildpack = buildpack.cloned();
        }
    }

    /// Whether it counts.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.epoch.is_some()
    }

    /// Since when it counts.
    #[must_use]
    pub const fn epoch(&self) -> Option<Timestamp> {
        self.epoch
    }

    /// Cuts time at these instants as well; before anything is counted.
    pub fn cut_at(&mut self, cuts: &[Timestamp]) {
        self.cuts.extend_from_slice(cuts);
        self.cuts.sort_unstable();
        self.cuts.dedup();
    }

    /// From `now` on the thing called `id` uses this. `unknown_buildpack`: it will be told later, and counts from here.
    pub fn runs(&mut self, id: &str, now: Timestamp, using: Use, unknown_buildpack: bool) {
        if self.running.get(id).is_some_and(|running| running.using == using) {
            return;
        }
        self.settle(id, now);
        if let Some(running) = self.running.get_mut(id) {
            running.using = using;
        } else {
            let unknown = unknown_buildpack.then(BTreeMap::new);
            self.running.insert(id.to_owned(), Running { using, since: now, unknown, unbilled: false });
        }
    }

    /// The buildpack of a running thing is this: from its start if it wasn't known, else from now.
    pub fn has_buildpack(&mut self, id: &str, now: Timestamp, buildpack: Option<String>) {
        self.settle(id, now);
        self.resolve(id, buildpack.as_ref());
        if let Some(running) = self.running.get_mut(id) {
            running.using.key.buildpack = buildpack;
            let key = running.using.key.clone();
            for (span, sums) in running.unknown.take().into_iter().flatten() {
                add(&mut self.sums, span, &key, sums);
            }
        }
    }

    /// Everything stops but these.
    pub fn stop_all_but(&mut self, these: &BTreeSet<&str>, now: Timestamp) {
        for id in self.running.keys().filter(|id| !these.contains(id.as_str())).cloned().collect::<Vec<_>>() {
            self.stops(&id, now);
        }
    }

    /// It stops.
    pub fn stops(&mut self, id: &str, now: Timestamp) {
        self.settle(id, now);
        if let Some(running) = self.running.remove(id) {
            self.resolve(id, running.using.key.buildpack.as_ref());
            for (span, sums) in running.unknown.into_iter().flatten() {
                add(&mut self.sums, span, &running.using.key, sums);
            }
        }
    }

    /// What was used within `[from, to)`, which must be cuts, up to `now`.
    #[must_use]
    pub fn sums(&self, from: Timestamp, to: Timestamp, now: Timestamp) -> BTreeMap<(Timestamp, Key), Sums> {
        let mut until_now = self.clone();
        let ids: Vec<String> = until_now.running.keys().cloned().collect();
        for id in ids {
            until_now.stops(&id, now);
        }
        let mut found: BTreeMap<(Timestamp, Key), Sums> = BTreeMap::new();
        for ((span, key), sums) in until_now.sums {
            let start =
                span.checked_sub(1).and_then(|before| until_now.cuts.get(before)).copied().unwrap_or(Timestamp::MIN);
            if from <= start && start < to {
                let total = found.entry((start, key)).or_default();
                total.instance_seconds += sums.instance_seconds;
                total.memory_mib_seconds += sums.memory_mib_seconds;
                total.disk_mib_seconds += sums.disk_mib_seconds;
            }
        }
        found
    }

    /// Counts what `id` used until `now`.
    fn settle(&mut self, id: &str, now: Timestamp) {
        let Some(running) = self.running.get_mut(id) else { return };
        let since = std::mem::replace(&mut running.since, now);
        if self.epoch.is_none() || running.unbilled {
            return;
        }
        if let Some(history) = self.history.as_mut().filter(|_| since < now) {
            let unknown = running.unknown.is_some();
            history.push(Used { id: id.to_owned(), from: since, to: now, using: running.using.clone(), unknown });
        }
        let edges: Vec<Timestamp> = self.cuts.iter().copied().filter(|cut| since < *cut && *cut < now).collect();
        let mut from = since;
        for to in edges.into_iter().chain([now]) {
            let seconds = to.seconds_since(from);
            let span = self.cuts.iter().filter(|cut| **cut <= from).count();
            let using = &running.using;
            let sums = Sums {
                instance_seconds: seconds * using.instances,
                memory_mib_seconds: seconds * using.instances * using.memory_mib,
                disk_mib_seconds: seconds * using.instances * using.disk_mib,
            };
            match &mut running.unknown {
                Some(unknown) => {
                    let total = unknown.entry(span).or_default();
                    total.instance_seconds += sums.instance_seconds;
                    total.memory_mib_seconds += sums.memory_mib_seconds;
                    total.disk_mib_seconds += sums.disk_mib_seconds;
                }
                None => add(&mut self.sums, span, &using.key, sums),
            }
            from = to;
        }
    }
}

fn add(all: &mut BTreeMap<(usize, Key), Sums>, span: usize, key: &Key, sums: Sums) {
    let total = all.entry((span, key.clone())).or_default();
    total.instance_seconds += sums.instance_seconds;
    total.memory_mib_seconds += sums.memory_mib_seconds;
    total.disk_mib_seconds += sums.disk_mib_seconds;
}
