//! Usage × rate card → rated lines, cut at period and rate edges. Quantities stay integers; nothing is divided but
//! what one total is shared out over.

mod applied;
mod price;
mod rater;
mod shares;
mod trace;

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::money::NotAPrice;
use crate::domain::{Amount, AmountOverflow, Guid, Kind, Overflow, Price, Span};
use crate::rate_card::{Granularity, Labels, Meter, Subject};

pub use rater::Rater;

/// Number of the rules of rating and invoicing that this version makes invoices by. What is final is compared by the rules
/// it was made by, so that no upgrade moves its money. 1: a minimum for everyone also filled up an invoice of corrections
/// alone; a rounded interval went on where another plan or buildpack was bought.
pub const RULES: u32 = 2;

/// A guid and the newest name known for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Named {
    pub name: Option<String>,
    pub guid: Guid,
}

impl Named {
    /// The name; the guid if none is known.
    #[must_use]
    pub fn called(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.guid.to_string())
    }
}

/// What a line is for. Ordered as lines stand on an invoice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LineKey {
    pub foundation: String,
    pub organization: Named,
    pub space: Named,
    pub kind: Kind,
    /// Of processes, tasks and stagings.
    pub app: Option<Named>,
    pub service_instance: Option<Named>,
    pub service_offering: Option<Named>,
    pub service_plan: Option<Named>,
    pub buildpack: Option<String>,
    /// Its length is assumed.
    pub estimated: bool,
}

impl LineKey {
    /// The guid of what is billed, by which ties are broken.
    #[must_use]
    pub fn resource(&self) -> Option<&Guid> {
        self.service_instance.as_ref().or(self.app.as_ref()).map(|named| &named.guid)
    }
}

/// Everything that decides which line and which rate some usage has, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageKey {
    pub line: Arc<LineKey>,
    pub process_type: Option<Arc<str>>,
    /// The newest guid known for the line's buildpack.
    pub buildpack_guid: Option<Arc<str>>,
    /// Whose the line's offering is.
    pub service_broker: Option<Named>,
    pub organization_labels: Arc<Labels>,
    pub space_labels: Arc<Labels>,
    /// What else people wrote to the organization: decides who pays, never a price.
    pub organization_annotations: Arc<Labels>,
    /// As of the organization.
    pub space_annotations: Arc<Labels>,
    pub user_provided: bool,
}

/// Annotations can be long, and are those of the line's space: what differs by them differs by that.
impl Hash for UsageKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.line, &self.process_type, &self.buildpack_guid, self.user_provided).hash(state);
        (&self.organization_labels, &self.space_labels).hash(state);
    }
}

impl UsageKey {
    /// As a rate card sees it, charged to `account`.
    #[must_use]
    pub fn subject<'a>(&'a self, account: &'a str) -> Subject<'a> {
        let line = &*self.line;
        Subject {
            kind: line.kind,
            account,
            foundation: &line.foundation,
            organization: (&line.organization.guid, line.organization.name.as_deref()),
            organization_labels: &self.organization_labels,
            space_labels: &self.space_labels,
            process_type: self.process_type.as_deref(),
            buildpack: line.buildpack.as_deref(),
            buildpack_guid: self.buildpack_guid.as_deref(),
            plan: line.service_plan.as_ref().map(|plan| &plan.guid),
            plan_name: line.service_plan.as_ref().and_then(|plan| plan.name.as_deref()),
            offering_name: line.service_offering.as_ref().and_then(|offering| offering.name.as_deref()),
            broker: self.service_broker.as_ref().map(|broker| (&broker.guid, broker.name.as_deref())),
            user_provided: self.user_provided,
        }
    }
}

/// One stretch of one resource at one footprint, within a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub key: Arc<UsageKey>,
    /// The part of it that lies in the period.
    pub span: Span,
    /// All of it, as the ledger has it; up to when it counts, if it is open.
    pub whole: Span,
    /// It goes on.
    pub open: bool,
    pub instances: i64,
    /// Per instance.
    pub memory_mib: i64,
    /// Per instance.
    pub disk_mib: i64,
    /// The process, task or service instance, or the app that was staged.
    pub resource: Guid,
    pub source: Source,
}

/// What in the ledger a piece comes from, by numbers of its foundation's ledger and archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The ledger entry; `None`: an open interval.
    pub entry: Option<i64>,
    /// The archived input that it begins with.
    pub opened_by: i64,
    /// The one that it ends with.
    pub closed_by: Option<i64>,
}

/// What one piece adds to one row of usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// See [`LineUse::row`].
    pub row: usize,
    pub resource: Guid,
    pub source: Source,
    /// The part of the piece that lies in the period.
    pub span: Span,
    pub instances: i64,
    /// What is counted of each instance: MiB of memory or disk, or 1.
    pub size: i64,
    /// Quantity as used.
    pub used: i64,
    /// Quantity as charged, after lengths are rounded.
    pub charged: i64,
}

/// How much was used, in integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantities {
    pub instance_seconds: i64,
    pub memory_mib_seconds: i64,
    pub disk_mib_seconds: i64,
}

/// Which part of a quantity a line charges for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What an allowance takes, by its name.
    Allowance(String),
    /// All of it, or all that an allowance leaves.
    Whole,
    /// What lies in a tier, from 1.
    Tier(usize),
    /// A share of so many packages.
    Packages(i64),
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole => formatter.write_str("whole"),
            Self::Allowance(name) => write!(formatter, "allowance {name}"),
            Self::Tier(tier) => write!(formatter, "tier {tier}"),
            Self::Packages(packages) => write!(formatter, "packages {packages}"),
        }
    }
}

impl Part {
    /// As [`Part`] is written; `None` if the text is none.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            None => (text == "whole").then_some(Self::Whole),
            Some(("allowance", name)) => Some(Self::Allowance(name.to_owned())),
            Some(("tier", number)) => number.parse().ok().map(Self::Tier),
            Some(("packages", number)) => number.parse().ok().map(Self::Packages),
            Some(_) => None,
        }
    }
}

/// What a line is for and how much of it, whether it has a price or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineUse {
    pub key: Arc<LineKey>,
    pub meter: Meter,
    /// In instance·s, MiB·s or stagings, after lengths are rounded.
    pub quantity: i64,
    /// Before they are.
    pub used: i64,
    /// How much of the quantity one price is for.
    pub unit_size: i64,
    /// Which part of the usage it charges for.
    pub part: Part,
    /// The part of the period that it is for.
    pub span: Span,
    /// What was used on each day of the period, in the billing time zone, in the unit of `used`; empty if it isn't known.
    pub days: Vec<i64>,
    /// Numbers the usage that was summed: lines with the same number charge for parts of the same.
    pub row: usize,
}

/// Integer quantity, price, unit size: exact, never a quotient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatedLine {
    pub line: LineUse,
    pub price: Price,
    /// Its share of what all packages cost, where quantity × price doesn't say it.
    pub share: Option<Amount>,
    /// The rate, as its card has it.
    pub rate: Arc<str>,
    /// `None`: by the second.
    pub granularity: Option<Granularity>,
    /// Positions of the discounts in percent that apply.
    pub discounts: Arc<[usize]>,
    /// What would be the price if nothing were agreed on; `None`: the same, or it has none.
    pub list_price: Option<Price>,
}

impl Deref for RatedLine {
    type Target = LineUse;

    fn deref(&self) -> &LineUse {
        &self.line
    }
}

/// Usage that no rate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpricedLine {
    pub key: Arc<LineKey>,
    pub quantities: Quantities,
    pub span: Span,
}

/// Everything of a period, rated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rated {
    pub lines: Vec<RatedLine>,
    pub unpriced: Vec<UnpricedLine>,
}

/// What can't be rated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    #[error("a sum of usage exceeds 2^63 - 1")]
    Quantity(#[from] Overflow),
    #[error(transparent)]
    Amount(#[from] AmountOverflow),
    #[error("a price comes out wrong: {0}")]
    Price(#[from] NotAPrice),
}
