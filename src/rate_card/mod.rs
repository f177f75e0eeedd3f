//! The dated price list: from TOML text to a card, or to everything that is wrong with it.
//! Owns what a card may say and which rate is in force; never multiplies anything by a quantity.

mod check;
mod compare;
pub mod keys;
mod matcher;
mod parse;
mod problem;
mod schema;

use std::fmt;

use rust_decimal::Decimal;

use crate::domain::money::NotAPrice;
use crate::domain::{Amount, Currency, Kind, Price, Rounding, Span, Timestamp};

pub use check::{Seen, check_against};
pub use compare::{Change, changes, same_within, terms_values};
pub use matcher::{Label, Labels, Matcher, Pattern, Subject, What, Whom};
pub use parse::{CardFile, parse};
pub use problem::{Problem, Severity};
pub use schema::{key_table, schema};

/// What is multiplied by a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// One instance for one hour: unit 3 600 instance·s.
    InstanceHour,
    /// 1 GiB of memory for one hour: unit 3 686 400 MiB·s.
    MemoryGibHour,
    /// 1 GiB of disk for one hour: unit 3 686 400 MiB·s.
    DiskGibHour,
    /// One instance for a whole calendar month, by the second: the unit is that month's seconds.
    Month,
    /// One staging, however long.
    Staging,
}

impl Meter {
    pub const ALL: [Self; 5] = [Self::InstanceHour, Self::MemoryGibHour, Self::DiskGibHour, Self::Month, Self::Staging];

    /// The key in a card, and the word in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstanceHour => "instance_hour",
            Self::MemoryGibHour => "memory_gib_hour",
            Self::DiskGibHour => "disk_gib_hour",
            Self::Month => "month",
            Self::Staging => "per_staging",
        }
    }

    /// The meter of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| meter.name() == name)
    }

    /// How much of its quantity is one unit of its price, in a period of one calendar month.
    #[must_use]
    pub const fn unit_size(self, month: Span) -> i64 {
        match self {
            Self::Month => month.seconds(),
            Self::InstanceHour => 3600,
            Self::MemoryGibHour | Self::DiskGibHour => 1024 * 3600,
            Self::Staging => 1,
        }
    }

    /// How much of its quantity is one unit, where that is the same in every period.
    #[must_use]
    pub const fn constant_unit(self) -> Option<i64> {
        match self {
            Self::InstanceHour => Some(3600),
            Self::MemoryGibHour | Self::DiskGibHour => Some(1024 * 3600),
            Self::Staging => Some(1),
            Self::Month => None,
        }
    }

    /// The unit, for people.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::InstanceHour => "instance-hours",
            Self::MemoryGibHour => "GiB-hours memory",
            Self::DiskGibHour => "GiB-hours disk",
            Self::Month => "months",
            Self::Staging => "stagings",
        }
    }

    /// What can be priced of a kind. Service instances have no memory or disk of their own.
    #[must_use]
    pub const fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Service => &[Self::InstanceHour, Self::Month],
            Kind::Staging => &[Self::InstanceHour, Self::MemoryGibHour, Self::DiskGibHour, Self::Staging],
            Kind::Process | Kind::Task => &[Self::InstanceHour, Self::MemoryGibHour, Self::DiskGibHour],
        }
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Where a block of a card begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl Place {
    /// Of what stands in no file.
    #[must_use]
    pub const fn nowhere() -> Self {
        Self { file: String::new(), line: 1, column: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// When something applies: `[from, to)`, where an open end is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Validity {
    /// `None`: always was.
    pub from: Option<Timestamp>,
    /// `None`: until something later takes over.
    pub to: Option<Timestamp>,
}

impl Validity {
    /// Whether `at` lies in it.
    #[must_use]
    pub fn holds(self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// The part of `span` in which it applies; `None` if there is none.
    #[must_use]
    pub fn within(self, span: Span) -> Option<Span> {
        let from = self.from.map_or(span.from, |from| from.max(span.from));
        let to = self.to.map_or(span.to, |to| to.min(span.to));
        (from < to).then_some(Span { from, to })
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (None, None) => formatter.write_str("always"),
            (Some(from), None) => write!(formatter, "from {from}"),
            (None, Some(to)) => write!(formatter, "until {to}"),
            (Some(from), Some(to)) => write!(formatter, "from {from} to {to}"),
        }
    }
}

/// One step of a tiered price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Its end, inclusive, in the meter's quantity (instance·s, MiB·s, stagings); `None`: no end.
    pub up_to: Option<i64>,
    pub price: Price,
}

/// How a price follows from a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// The same for every unit.
    Flat(Price),
    /// Each unit at the price of the tier that it lies in.
    Graduated(Vec<Tier>),
    /// All units at the price of the tier that the total lies in.
    Volume(Vec<Tier>),
    /// So much for each package begun; `size` in the meter's quantity.
    Package { size: i64, price: Price },
}

impl Model {
    /// The word in a card.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Flat(_) => "flat",
            Self::Graduated(_) => "graduated",
            Self::Volume(_) => "volume",
            Self::Package { .. } => "package",
        }
    }

    /// Every price in it, changed in the same way.
    fn map(&self, change: impl Fn(Price) -> Result<Price, NotAPrice>) -> Result<Self, NotAPrice> {
        let tiers = |tiers: &[Tier]| {
            let changed = |tier: &Tier| Ok(Tier { up_to: tier.up_to, price: change(tier.price)? });
            tiers.iter().map(changed).collect::<Result<Vec<_>, _>>()
        };
        Ok(match self {
            Self::Flat(price) => Self::Flat(change(*price)?),
            Self::Graduated(all) => Self::Graduated(tiers(all)?),
            Self::Volume(all) => Self::Volume(tiers(all)?),
            Self::Package { size, price } => Self::Package { size: *size, price: change(*price)? },
        })
    }
}

/// A quantity in units of a meter, for people: 3 686 400 MiB·s are `1`.
#[must_use]
pub fn units(quantity: i64, unit_size: i64) -> Decimal {
    (Decimal::from(quantity) / Decimal::from(unit_size.max(1))).round_dp(6).normalize()
}

/// A model for people, in the units of its meter.
#[must_use]
pub fn shown_model(model: &Model, meter: Meter) -> String {
    let unit = meter.constant_unit().unwrap_or(1);
    let tiers = |tiers: &[Tier]| {
        let shown = tiers.iter().map(|tier| match tier.up_to {
            Some(up_to) => format!("{} up to {}", tier.price, units(up_to, unit)),
            None => format!("{} above", tier.price),
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    match model {
        Model::Flat(price) => price.to_string(),
        Model::Graduated(all) => format!("graduated: {}", tiers(all)),
        Model::Volume(all) => format!("volume: {}", tiers(all)),
        Model::Package { size, price } => format!("{price} per package of {}", units(*size, unit)),
    }
}

/// What a rate charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Declared to cost nothing.
    Free,
    /// At least one. What isn't priced here isn't charged.
    Prices(Vec<(Meter, Model)>),
    /// What the next wider rate charges, times something, plus something.
    Derived { multiplier: Price, surcharges: Vec<(Meter, Price)> },
}

/// To what an interval's length is rounded before it is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Granularity {
    /// 60 or 3600.
    pub seconds: i64,
    /// Up, or else to the nearest, halves up.
    pub up: bool,
    /// Each resource's day is rounded as a whole, or else each interval.
    pub per_day: bool,
}

impl Granularity {
    /// So many seconds, rounded.
    #[must_use]
    pub const fn round(self, seconds: i64) -> i64 {
        let add = if self.up { self.seconds - 1 } else { self.seconds / 2 };
        (seconds + add) / self.seconds * self.seconds
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.seconds == 3600 { "hour" } else { "minute" };
        let each = if self.per_day { "resource and day" } else { "interval" };
        if self.up {
            write!(formatter, "each {each} rounded up to whole {unit}s")
        } else {
            write!(formatter, "each {each} rounded to the nearest {unit}")
        }
    }
}

/// Prices for what a matcher matches, from one instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    pub kind: Kind,
    pub matcher: Matcher,
    pub validity: Validity,
    pub terms: Terms,
    /// `None`: by the second, or as the rate that this derives from.
    pub granularity: Option<Granularity>,
    /// What each staging counts at least, in seconds.
    pub minimum_seconds: Option<i64>,
    pub place: Place,
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kind)?;
        if self.matcher != Matcher::any() {
            write!(formatter, ", {}", self.matcher)?;
        }
        match self.validity.from {
            Some(from) => write!(formatter, ", from {from}"),
            None => Ok(()),
        }
    }
}

/// Who gets an allowance once a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    Account,
    Organization,
}

/// So much of a meter's quantity for nothing, once a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub name: String,
    pub kind: Kind,
    pub meter: Meter,
    pub matcher: Matcher,
    pub validity: Validity,
    /// For a whole period, in the meter's quantity.
    pub quantity: i64,
    pub per: Per,
    pub place: Place,
}

/// What is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// Of 100, more than 0.
    Percent(Price),
    /// A month.
    Amount(Amount),
}

/// A discount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discount {
    pub name: String,
    pub whom: Whom,
    /// `None`: of all kinds.
    pub kind: Option<Kind>,
    pub validity: Validity,
    pub off: Off,
    pub place: Place,
}

/// What an account pays a month at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FloorKind {
    /// The invoice is filled up to it.
    Minimum,
    /// Paid in any case, and usage up to it is covered.
    Commitment,
}

impl FloorKind {
    /// The word in a card.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Commitment => "commitment",
        }
    }
}

/// A minimum charge or a commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    pub floor: FloorKind,
    pub name: String,
    /// Everyone or one account.
    pub whom: Whom,
    pub validity: Validity,
    /// For a whole month.
    pub amount: Amount,
    pub place: Place,
}

/// Which tax comes on top; prices are without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tax {
    pub validity: Validity,
    /// As on the invoice: `VAT`.
    pub name: String,
    /// EN 16931's letter (UNCL 5305): `S` standard, `Z` zero rated, `E` exempt, `AE` reverse charge, `O` outside.
    pub category: String,
    pub percent: Price,
    pub place: Place,
}

/// A whole card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateCard {
    pub name: String,
    pub currency: Currency,
    pub rounding: Rounding,
    /// In the order of the text, as everything that follows.
    pub rates: Vec<Rate>,
    pub allowances: Vec<Allowance>,
    pub discounts: Vec<Discount>,
    pub floors: Vec<Floor>,
    pub taxes: Vec<Tax>,
}

/// What some usage is charged by: prices after all multipliers and surcharges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charges {
    /// Positions of rates: the one that applies, and those that it derives from, in turn.
    pub chain: Vec<usize>,
    pub free: bool,
    pub prices: Vec<(Meter, Model)>,
    pub granularity: Option<Granularity>,
    pub minimum_seconds: Option<i64>,
}

/// A rate that is in force, with its keys and values for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Of the rate in its card.
    pub position: usize,
    /// Until a later one for the same takes over.
    pub validity: Validity,
    /// Key, value, and the steps that a derived price comes from.
    pub values: Vec<(String, String, String)>,
}

/// The one of `all` in force at `at` that is the narrowest; of several for the same, the one that began last.
/// An earlier one doesn't come back when a later one for the same has ended.
fn in_force<'a, T>(
    all: impl Iterator<Item = (usize, &'a T)> + Clone,
    at: Timestamp,
    matcher: impl Fn(&T) -> &Matcher,
    validity: impl Fn(&T) -> Validity,
) -> Option<usize>
where
    T: 'a,
{
    let begun = |one: &T| validity(one).from.is_none_or(|from| from <= at);
    let latest = |one: &T| {
        !all.clone().any(|(_, other)| {
            matcher(other) == matcher(one) && begun(other) && validity(other).from > validity(one).from
        })
    };
    (all.clone())
        .filter(|(_, one)| begun(one) && latest(one) && validity(one).holds(at))
        .max_by_key(|(_, one)| matcher(one))
        .map(|(position, _)| position)
}

impl RateCard {
    /// The position of the rate that `subject` has at `at`: of those in force, the narrowest; of several of
    /// the same for the same, the one that began last. `None`: unpriced.
    #[must_use]
    pub fn rate_at(&self, subject: Subject<'_>, at: Timestamp) -> Option<usize> {
        self.rate_below(subject, at, None)
    }

    /// As [`RateCard::rate_at`], of rates that are wider than `below`.
    fn rate_below(&self, subject: Subject<'_>, at: Timestamp, below: Option<&Matcher>) -> Option<usize> {
        let candidates = (self.rates.iter().enumerate()).filter(|(_, rate)| {
            rate.kind == subject.kind
                && below.is_none_or(|below| rate.matcher < *below)
                && rate.matcher.matches(subject)
        });
        in_force(candidates, at, |rate| &rate.matcher, |rate| rate.validity)
    }

    /// What `subject` is charged by at `at`; `None`: unpriced, which a rate is too that derives from nothing.
    ///
    /// # Errors
    /// [`NotAPrice`] if a product has too many digits; a card that was read without problems has none such.
    pub fn charges_at(&self, subject: Subject<'_>, at: Timestamp) -> Result<Option<Charges>, NotAPrice> {
        let Some(first) = self.rate_at(subject, at) else { return Ok(None) };
        let mut chain = vec![first];
        while matches!(self.rates[chain[chain.len() - 1]].terms, Terms::Derived { .. }) {
            let below = &self.rates[chain[chain.len() - 1]].matcher;
            match self.rate_below(subject, at, Some(below)) {
                Some(base) => chain.push(base),
                None => return Ok(None),
            }
        }
        self.charges_of(chain).map(Some)
    }

    /// What a chain of rates comes to, each deriving from the next.
    ///
    /// # Errors
    /// [`NotAPrice`] if a product has too many digits.
    fn charges_of(&self, chain: Vec<usize>) -> Result<Charges, NotAPrice> {
        let mut charges =
            Charges { chain: Vec::new(), free: false, prices: Vec::new(), granularity: None, minimum_seconds: None };
        for position in chain.iter().rev() {
            let rate = &self.rates[*position];
            match &rate.terms {
                Terms::Free => charges.free = true,
                Terms::Prices(prices) => charges.prices.clone_from(prices),
                Terms::Derived { multiplier, surcharges } => {
                    derive(&mut charges.prices, *multiplier, surcharges)?;
                    charges.free &= surcharges.is_empty();
                }
            }
            charges.granularity = rate.granularity.or(charges.granularity);
            charges.minimum_seconds = rate.minimum_seconds.or(charges.minimum_seconds);
        }
        charges.chain = chain;
        Ok(charges)
    }

    /// The allowance that takes some of `subject`'s quantity of `meter` at `at`: the narrowest.
    #[must_use]
    pub fn allowance_at(&self, subject: Subject<'_>, meter: Meter, at: Timestamp) -> Option<usize> {
        let candidates = (self.allowances.iter().enumerate()).filter(|(_, allowance)| {
            allowance.kind == subject.kind && allowance.meter == meter && allowance.matcher.matches(subject)
        });
        in_force(candidates, at, |allowance| &allowance.matcher, |allowance| allowance.validity)
    }

    /// The discounts in percent that `subject` has at `at`.
    #[must_use]
    pub fn discounts_at(&self, subject: Subject<'_>, at: Timestamp) -> Vec<usize> {
        let has = |discount: &Discount| {
            matches!(discount.off, Off::Percent(_))
                && discount.kind.is_none_or(|kind| kind == subject.kind)
                && discount.validity.holds(at)
                && discount.whom.matches(subject)
        };
        (self.discounts.iter().enumerate())
            .filter(|(_, discount)| has(discount))
            .map(|(position, _)| position)
            .collect()
    }

    /// The tax on what is invoiced for a period: that in force at its last instant.
    #[must_use]
    pub fn tax_of(&self, period: Span) -> Option<&Tax> {
        let at = period.to.plus(-1);
        let in_force = self.taxes.iter().filter(|tax| tax.validity.from.is_none_or(|from| from <= at));
        in_force.max_by_key(|tax| tax.validity.from).filter(|tax| tax.validity.holds(at))
    }

    /// The part of `period` in which the rate at `position` is in force, for what no narrower rate is for.
    #[must_use]
    pub fn in_force(&self, position: usize, period: Span) -> Span {
        let rate = &self.rates[position];
        let same = self.rates.iter().filter(|other| other.kind == rate.kind && other.matcher == rate.matcher);
        let next =
            same.filter(|other| other.validity.from > rate.validity.from).filter_map(|other| other.validity.from);
        let from = rate.validity.from.map_or(period.from, |from| from.max(period.from));
        let to = [rate.validity.to, next.min()].into_iter().flatten().fold(period.to, Timestamp::min);
        Span { from, to }
    }

    /// The instants at which anything that concerns a quantity begins or ends, sorted, each once.
    #[must_use]
    pub fn edges(&self) -> Vec<Timestamp> {
        let rates = self.rates.iter().map(|rate| rate.validity);
        let allowances = self.allowances.iter().map(|allowance| allowance.validity);
        let discounts = self.discounts.iter().filter(|discount| matches!(discount.off, Off::Percent(_)));
        let all = rates.chain(allowances).chain(discounts.map(|discount| discount.validity));
        let mut edges: Vec<Timestamp> = all.flat_map(|validity| [validity.from, validity.to]).flatten().collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// The next instant after `at` at which anything in the card begins or ends.
    #[must_use]
    pub fn next_edge(&self, at: Timestamp) -> Option<Timestamp> {
        let others = self.floors.iter().map(|floor| floor.validity);
        let others = others.chain(self.taxes.iter().map(|tax| tax.validity));
        let others = others.chain(self.discounts.iter().map(|discount| discount.validity));
        let others = others.flat_map(|validity| [validity.from, validity.to]).flatten();
        self.edges().into_iter().chain(others).filter(|edge| *edge > at).min()
    }

    /// The rates in force at `at`, the widest of each kind first, with all prices worked out.
    #[must_use]
    pub fn rates_in_force(&self, at: Timestamp) -> Vec<InForce> {
        let mut all = Vec::new();
        for (position, rate) in self.rates.iter().enumerate() {
            let same = self.rates.iter().filter(|other| other.kind == rate.kind && other.matcher == rate.matcher);
            let validity = compare::until_taken_over(rate.validity, same.map(|other| other.validity));
            if validity.holds(at) {
                all.push(InForce { position, validity, values: self.values_at(position, at) });
            }
        }
        all.sort_by_key(|rate| (self.rates[rate.position].kind, &self.rates[rate.position].matcher));
        all
    }

    /// A rate's keys and values, with the steps that a derived price comes from.
    fn values_at(&self, position: usize, at: Timestamp) -> Vec<(String, String, String)> {
        let rate = &self.rates[position];
        let plain = |values: Vec<(String, String)>| -> Vec<(String, String, String)> {
            values.into_iter().map(|(key, value)| (key, value, String::new())).collect()
        };
        let mut values = plain(terms_values(&rate.terms));
        if let Terms::Derived { multiplier, surcharges } = &rate.terms {
            let wider = self.rates.iter().enumerate().filter(|(_, other)| {
                other.kind == rate.kind && other.matcher < rate.matcher && other.matcher.meets(&rate.matcher)
            });
            // What everything it is for would have without it; for some of that a narrower rate may come between.
            let base = in_force(wider, at, |rate| &rate.matcher, |rate| rate.validity);
            let chain = base.map(|base| vec![position, base]);
            let charges = chain.and_then(|chain| self.charges_of(chain).ok());
            if let (Some(charges), Some(base)) = (charges, base) {
                let of = &self.rates[base];
                let before = |meter: Meter| match &of.terms {
                    Terms::Prices(prices) => prices.iter().find(|(priced, _)| *priced == meter).map(|(_, model)| model),
                    _ => None,
                };
                let shown = charges.prices.iter().map(|(meter, model)| {
                    let mut steps = before(*meter).map_or_else(|| "0".to_owned(), |model| shown_model(model, *meter));
                    if *multiplier != Price::ONE {
                        steps.push_str(&format!(" × {multiplier}"));
                    }
                    if let Some((_, price)) = surcharges.iter().find(|(of, _)| of == meter) {
                        steps.push_str(&format!(" + {price}"));
                    }
                    (meter.name().to_owned(), shown_model(model, *meter), format!("{steps} ({})", of.place))
                });
                values = shown.collect();
            }
        }
        values
            .extend(plain(rate.granularity.map(|of| ("granularity".to_owned(), of.to_string())).into_iter().collect()));
        let minimum = rate.minimum_seconds.map(|seconds| ("minimum_seconds".to_owned(), seconds.to_string()));
        values.extend(plain(minimum.into_iter().collect()));
        values
    }

    /// Whether user-provided service instances are to be looked at: they are free unless a rate is for them.
    #[must_use]
    pub fn prices_user_provided(&self) -> bool {
        self.rates.iter().any(|rate| rate.matcher.what == What::UserProvided)
    }
}

/// Multiplies, then adds. What wasn't priced before costs the surcharge alone.
fn derive(prices: &mut Vec<(Meter, Model)>, multiplier: Price, surcharges: &[(Meter, Price)]) -> Result<(), NotAPrice> {
    for (_, model) in prices.iter_mut() {
        *model = model.map(|price| price.times(multiplier))?;
    }
    for (meter, surcharge) in surcharges {
        match prices.iter_mut().find(|(priced, _)| priced == meter) {
            Some((_, model)) => *model = model.map(|price| price.plus(*surcharge))?,
            None => prices.push((*meter, Model::Flat(*surcharge))),
        }
    }
    prices.sort_by_key(|(meter, _)| *meter);
    Ok(())
}
