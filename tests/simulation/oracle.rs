//! What was really used, second by second, from the simulated foundation's own history, against what the ledger says.
//! Knows no event and no rule of the fold; only where Cloud Controller itself lost something may the two differ.

use std::collections::{BTreeMap, BTreeSet};

use cf_billing::domain::{Kind, Timestamp};
use cf_billing::simulator::world::truth::Used;

/// One resource at one time, as far as it must be the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    pub instances: i64,
    pub memory_mib: i64,
    pub space: String,
    pub plan: Option<String>,
    /// `None` where it can't be known.
    #[expect(clippy::option_option, reason = "not known, or known that there is none")]
    pub buildpack: Option<Option<String>>,
}

/// A span in which the ledger bills a resource.
#[derive(Clone, Debug)]
pub struct Billed {
    pub kind: Kind,
    pub guid: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub using: Use,
    pub estimated: bool,
}

/// A span of history that was lost, of one stream's kinds.
#[derive(Clone, Debug)]
pub struct Lost {
    pub kinds: Vec<Kind>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// When everything that ran was last looked at before.
    pub looked: Timestamp,
}

/// A resource that changed while no event told: what a look finds of it counts from a time that is assumed.
#[derive(Clone, Debug)]
pub struct Assumed {
    pub guid: String,
    /// The last look before it.
    pub from: Timestamp,
    pub at: Timestamp,
    /// An event was the first to say how it is since: that it began before, nothing tells.
    pub told: Option<Timestamp>,
    /// It has been found by then.
    pub to: Timestamp,
}

/// What the oracle knows of one foundation.
#[derive(Debug)]
pub struct Oracle {
    pub epoch: Timestamp,
    pub until: Timestamp,
    pub history: Vec<Used>,
    pub lost: Vec<Lost>,
    /// Kinds that were listed only when onboarding was over: what ran at the epoch and ended before was never seen.
    pub listed: Lost,
    /// Resources of which an event was lost for good, without any gap.
    pub robbed: BTreeSet<String>,
    /// Processes that never started though their apps did: no list tells them apart.
    pub never_started: BTreeSet<String>,
    pub assumed: Vec<Assumed>,
    /// Up to here nothing is known of what ran: the records that the baseline was to rest on were purged.
    pub unknown_until: Option<Timestamp>,
}

fn kind_of(used: &Used) -> (Kind, String) {
    match used.using.key.kind {
        Kind::Staging => (Kind::Staging, used.using.key.owner.clone()),
        kind => (kind, used.id.clone()),
    }
}

impl Oracle {
    /// Everything that is wrong with what is billed.
    pub fn judge(&self, billed: &[Billed]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut truth: BTreeMap<(Kind, String), Vec<&Used>> = BTreeMap::new();
        for used in &self.history {
            truth.entry(kind_of(used)).or_default().push(used);
        }
        let mut ours: BTreeMap<(Kind, String), Vec<&Billed>> = BTreeMap::new();
        for one in billed {
            ours.entry((one.kind, one.guid.clone())).or_default().push(one);
        }
        let keys: BTreeSet<(Kind, String)> = truth.keys().chain(ours.keys()).cloned().collect();
        for key in keys {
            let (kind, guid) = &key;
            if self.robbed.contains(guid) || self.never_started.contains(guid) {
                continue;
            }
            let truth = truth.get(&key).map(Vec::as_slice).unwrap_or_default();
            let ours = ours.get(&key).map(Vec::as_slice).unwrap_or_default();
            let found = if *kind == Kind::Staging {
                self.stagings(truth, ours)
            } else {
                self.resource(*kind, guid, truth, ours)
            };
            wrong.extend(found.into_iter().map(|what| format!("{kind} {guid}: {what}")));
        }
        wrong
    }

    /// Whether an instant lies where history was lost for a resource that changed then.
    fn excused(&self, kind: Kind, truth: &[&Used], at: Timestamp) -> bool {
        self.lost.iter().any(|lost| {
            let within = lost.kinds.contains(&kind) && lost.from <= at && at < lost.to;
            // What went on unchanged must be billed as if nothing had happened. What changed just before the epoch may
            // have been uncommitted when the baseline was taken.
            let changed = truth.iter().any(|used| {
                let edge = |at: Timestamp| lost.from <= at && at <= lost.to;
                edge(used.from) || (edge(used.to) && used.to < self.until)
            });
            // What began after the last look, and whose ending was lost, was never seen to run: nothing of it is certain.
            let never_seen = truth
                .iter()
                .any(|used| used.from > lost.looked && used.from <= at && lost.from <= used.to && used.to <= lost.to);
            (within && changed) || (never_seen && lost.kinds.contains(&kind) && at < lost.to)
        })
    }

    /// Whether something ran at the epoch, at `at`, and ended before it could be listed. A process that is held as running
    /// by a baseline alone and whose ending is lost counts as never having run, once it is seen to start.
    fn over_before_listed(&self, kind: Kind, truth: &[&Used], at: Timestamp) -> bool {
        let mut end = self.epoch;
        while let Some(used) = truth.iter().find(|used| used.from <= end && end < used.to) {
            end = used.to;
        }
        let listed = self.listed.kinds.contains(&kind) && end <= self.listed.to;
        let lost = |lost: &Lost| lost.kinds.contains(&kind) && lost.from <= end && end <= lost.to;
        at < end && (listed || (kind == Kind::Process && self.lost.iter().any(lost)))
    }

    /// Whether it changed unseen around that time, and all that is billed then is marked as estimated; or it changed again
    /// before it had to be found, and nothing tells what it was meanwhile.
    fn may_be_assumed(&self, guid: &str, at: Timestamp, truth: &[&Used], mine: &[&&Billed]) -> bool {
        let about = |assumed: &&Assumed| assumed.guid == guid && assumed.from <= at && at < assumed.to;
        let over = |assumed: &Assumed| {
            let then = truth.iter().find(|used| used.from <= at && at < used.to);
            at >= assumed.at && then.is_some_and(|used| used.to < assumed.to.min(self.until))
        };
        let assumed: Vec<&Assumed> = self.assumed.iter().filter(about).collect();
        let as_before = |assumed: &&Assumed| {
            let before = truth.iter().find(|used| used.from < assumed.at && assumed.at <= used.to);
            let same = before.is_some_and(|before| mine.iter().all(|one| is_as(&one.using, &use_of(before))));
            same && mine.len() == 1 && assumed.at <= at && assumed.told.is_some_and(|told| at < told)
        };
        let marked = !mine.is_empty() && mine.iter().all(|one| one.estimated);
        !assumed.is_empty() && (marked || assumed.iter().any(as_before) || assumed.into_iter().any(over))
    }

    fn resource(&self, kind: Kind, guid: &str, truth: &[&Used], ours: &[&Billed]) -> Vec<String> {
        let mut edges: BTreeSet<Timestamp> = BTreeSet::from([self.epoch, self.until]);
        edges.extend(truth.iter().flat_map(|used| [used.from, used.to]));
        edges.extend(ours.iter().flat_map(|one| [one.from, one.to]));
        edges.extend(self.unknown_until);
        edges.extend(self.lost.iter().flat_map(|lost| [lost.from, lost.to]));
        let edges: Vec<Timestamp> = edges.into_iter().filter(|at| self.epoch <= *at && *at <= self.until).collect();
        let mut wrong = Vec::new();
        for pair in edges.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let is_unknown = self.unknown_until.is_some_and(|until| from < until);
            if is_unknown || self.excused(kind, truth, from) {
                continue;
            }
            let real: Vec<&&Used> = truth.iter().filter(|used| used.from <= from && to <= used.to).collect();
            let real: Vec<Use> = real.iter().filter(|used| used.using.instances > 0).map(|used| use_of(used)).collect();
            let mine: Vec<&&Billed> = ours.iter().filter(|one| one.from <= from && to <= one.to).collect();
            if self.may_be_assumed(guid, from, truth, &mine) {
                continue;
            }
            let mine: Vec<&Use> = mine.iter().map(|one| &one.using).filter(|using| using.instances > 0).collect();
            let same = real.len() == mine.len() && real.iter().zip(&mine).all(|(real, mine)| is_as(mine, real));
            let never_shown = mine.is_empty() && self.over_before_listed(kind, truth, from);
            if !same && !never_shown {
                wrong.push(format!("{from} to {to}: {mine:?} billed, {real:?} used"));
            }
        }
        wrong
    }

    /// Builds of an app: each that began since the epoch is billed once, at its true length; one whose ending was lost
    /// no longer than assumed.
    fn stagings(&self, truth: &[&Used], ours: &[&Billed]) -> Vec<String> {
        const CAP_SECONDS: i64 = 900;
        let mut wrong = Vec::new();
        // A build is one span, cut where its use was counted.
        let mut builds: BTreeMap<&str, (Timestamp, Timestamp, &Used)> = BTreeMap::new();
        for used in truth {
            let build = builds.entry(&used.id).or_insert((used.from, used.to, used));
            *build = (build.0.min(used.from), build.1.max(used.to), used);
        }
        let lost = |from: Timestamp, to: Timestamp| {
            let touches = |lost: &Lost| lost.kinds.contains(&Kind::Staging) && lost.from <= to && from <= lost.to;
            self.lost.iter().any(touches)
        };
        let begun_at = |at: Timestamp| builds.values().filter(|(from, ..)| *from == at).count();
        for (from, to, used) in builds.values() {
            // Up to the last minutes its ending may not have come; in the epoch's second it may have begun before.
            if *from <= self.epoch || lost(*from, *to) || *from >= self.until || begun_at(*from) > 1 {
                continue;
            }
            let of_it: Vec<&&Billed> = ours.iter().filter(|one| one.from == *from).collect();
            match of_it[..] {
                [one] if one.estimated => {
                    if one.to > from.plus(CAP_SECONDS) {
                        wrong.push(format!("begun {from}: billed until {}, past the cap", one.to));
                    }
                }
                [one] if one.to != *to => wrong.push(format!("begun {from}: billed until {}, ended {to}", one.to)),
                [one] if one.using.space != used.using.key.space => {
                    wrong.push(format!("begun {from}: in another space"));
                }
                [_] => {}
                [] => wrong.push(format!("begun {from}, ended {to}: not billed")),
                _ => wrong.push(format!("begun {from}: billed {} times", of_it.len())),
            }
        }
        for one in ours {
            let real = builds.values().any(|(from, ..)| *from == one.from);
            if !real && !lost(one.from, one.to) {
                wrong.push(format!("billed from {} to {}, and there was none", one.from, one.to));
            }
        }
        wrong
    }
}

/// Whether what is billed is what was used, as far as that can be known.
fn is_as(mine: &Use, real: &Use) -> bool {
    let buildpack = real.buildpack.clone().filter(|_| mine.buildpack.is_some());
    *mine == Use { buildpack, ..real.clone() }
}

fn use_of(used: &Used) -> Use {
    let key = &used.using.key;
    Use {
        instances: used.using.instances,
        memory_mib: used.using.memory_mib,
        space: key.space.clone(),
        plan: key.plan.clone(),
        buildpack: Some(key.buildpack.clone()),
    }
}
