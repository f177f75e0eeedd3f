//! The dated price list: from TOML text to a card, or to everything that is wrong with it.
//! Owns what a card may say and which rate is in force; never multiplies anything.

mod parse;

use std::fmt;

use crate::domain::{Currency, Guid, Kind, Price, Span, Timestamp};

pub use parse::{Problem, Severity, parse};

/// What is multiplied by a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// One instance for one hour: unit 3 600 instance·s.
    InstanceHour,
    /// 1 GiB of memory for one hour: unit 3 686 400 MiB·s.
    MemoryGibHour,
    /// 1 GiB of disk for one hour: unit 3 686 400 MiB·s.
    DiskGibHour,
}

impl Meter {
    pub const ALL: [Self; 3] = [Self::InstanceHour, Self::MemoryGibHour, Self::DiskGibHour];

    /// The key in a card, and the word in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstanceHour => "instance_hour",
            Self::MemoryGibHour => "memory_gib_hour",
            Self::DiskGibHour => "disk_gib_hour",
        }
    }

    /// The meter of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| meter.name() == name)
    }

    /// How much of its quantity is one unit of its price.
    #[must_use]
    pub const fn unit_size(self) -> i64 {
        match self {
            Self::InstanceHour => 3600,
            Self::MemoryGibHour | Self::DiskGibHour => 1024 * 3600,
        }
    }

    /// The unit, for people.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::InstanceHour => "instance-hours",
            Self::MemoryGibHour => "GiB-hours memory",
            Self::DiskGibHour => "GiB-hours disk",
        }
    }
}

/// What a rate applies to, within its kind. Later variants are narrower.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matcher {
    /// Everything of the kind.
    Any,
    /// Usage under this buildpack name or custom URL.
    Buildpack(String),
    /// Service instances of this plan, by newest names.
    PlanName { offering: String, plan: String },
    /// Service instances of this plan.
    PlanGuid(Guid),
}

impl fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any"),
            Self::Buildpack(name) => write!(formatter, "buildpack {name}"),
            Self::PlanName { offering, plan } => write!(formatter, "plan {offering} {plan}"),
            Self::PlanGuid(guid) => write!(formatter, "plan {guid}"),
        }
    }
}

/// Prices for what a matcher matches, from one instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    pub kind: Kind,
    pub matcher: Matcher,
    /// In force from here; `None`: always was.
    pub from: Option<Timestamp>,
    /// In force until before here, or until a later rate for the same takes over.
    pub to: Option<Timestamp>,
    /// Declared to cost nothing.
    pub free: bool,
    /// At least one, unless free. What isn't priced here isn't charged.
    pub prices: Vec<(Meter, Price)>,
    /// Where it stands in the card's text, from 1.
    pub line: usize,
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kind)?;
        if self.matcher != Matcher::Any {
            write!(formatter, ", {}", self.matcher)?;
        }
        match self.from {
            Some(from) => write!(formatter, ", from {from}"),
            None => Ok(()),
        }
    }
}

/// A whole card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateCard {
    pub name: String,
    pub currency: Currency,
    /// In the order of the text.
    pub rates: Vec<Rate>,
}

/// What decides which rate some usage has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    pub kind: Kind,
    pub buildpack: Option<&'a str>,
    pub plan: Option<&'a Guid>,
    pub plan_name: Option<&'a str>,
    pub offering_name: Option<&'a str>,
}

impl Matcher {
    fn matches(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Buildpack(name) => subject.buildpack == Some(name),
            Self::PlanGuid(guid) => subject.plan == Some(guid),
            Self::PlanName { offering, plan } => {
                subject.plan_name == Some(plan) && subject.offering_name == Some(offering)
            }
        }
    }
}

impl RateCard {
    /// The position of the rate that `subject` has at `at`: of those in force, the narrowest; of several of
    /// the same for the same, the one that began last. `None`: unpriced.
    #[must_use]
    pub fn rate_at(&self, subject: Subject<'_>, at: Timestamp) -> Option<usize> {
        let in_force = |rate: &Rate| {
            rate.kind == subject.kind
                && rate.from.is_none_or(|from| from <= at)
                && !self.rates.iter().any(|later| {
                    later.kind == rate.kind
                        && later.matcher == rate.matcher
                        && later.from > rate.from
                        && later.from.is_some_and(|from| from <= at)
                })
                && rate.to.is_none_or(|to| at < to)
        };
        (self.rates.iter().enumerate())
            .filter(|(_, rate)| in_force(rate) && rate.matcher.matches(subject))
            .max_by_key(|(_, rate)| &rate.matcher)
            .map(|(position, _)| position)
    }

    /// The part of `period` in which the rate at `position` is in force, for what no narrower rate is for.
    #[must_use]
    pub fn in_force(&self, position: usize, period: Span) -> Span {
        let rate = &self.rates[position];
        let same = self.rates.iter().filter(|other| other.kind == rate.kind && other.matcher == rate.matcher);
        let next = same.filter(|other| other.from > rate.from).filter_map(|other| other.from).min();
        let from = rate.from.map_or(period.from, |from| from.max(period.from));
        let to = [rate.to, next].into_iter().flatten().fold(period.to, Timestamp::min);
        Span { from, to }
    }

    /// The instants at which a rate begins or ends, sorted, each once.
    #[must_use]
    pub fn edges(&self) -> Vec<Timestamp> {
        let mut edges: Vec<Timestamp> = self.rates.iter().flat_map(|rate| [rate.from, rate.to]).flatten().collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}
