//! What a rate charges: prices and their models, what changes the prices of others, and how lengths are rounded.

use std::fmt;

use super::Meter;
use super::meter::units;
use crate::domain::Price;
use crate::domain::money::NotAPrice;

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
    /// 60 or 3600; 1 says that nothing is rounded, whatever this derives from.
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
        if self.seconds == 1 {
            return formatter.write_str("by the second");
        }
        let unit = if self.seconds == 3600 { "hour" } else { "minute" };
        let each = if self.per_day { "resource and day" } else { "interval" };
        if self.up {
            write!(formatter, "each {each} rounded up to whole {unit}s")
        } else {
            write!(formatter, "each {each} rounded to the nearest {unit}")
        }
    }
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

/// Multiplies, then adds. What wasn't priced before costs the surcharge alone.
pub(super) fn derive(
    prices: &mut Vec<(Meter, Model)>,
    multiplier: Price,
    surcharges: &[(Meter, Price)],
) -> Result<(), NotAPrice> {
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
