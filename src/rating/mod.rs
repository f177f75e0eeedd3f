//! Usage × rate card → rated lines, cut at period and rate edges. Quantities stay integers; nothing is divided.

use std::collections::BTreeMap;

use crate::domain::{Guid, Kind, Overflow, Price, Span, Timestamp};
use crate::rate_card::{Meter, RateCard, Subject};

/// A guid and the newest name known for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    pub name: Option<String>,
    pub guid: Guid,
}

/// What a line is for. Ordered as lines stand on an invoice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    fn subject(&self) -> Subject<'_> {
        Subject {
            kind: self.kind,
            buildpack: self.buildpack.as_deref(),
            plan: self.service_plan.as_ref().map(|plan| &plan.guid),
            plan_name: self.service_plan.as_ref().and_then(|plan| plan.name.as_deref()),
            offering_name: self.service_offering.as_ref().and_then(|offering| offering.name.as_deref()),
        }
    }
}

/// How much was used, in integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantities {
    pub instance_seconds: i64,
    pub memory_mib_seconds: i64,
    pub disk_mib_seconds: i64,
}

impl Quantities {
    const fn of(self, meter: Meter) -> i64 {
        match meter {
            Meter::InstanceHour => self.instance_seconds,
            Meter::MemoryGibHour => self.memory_mib_seconds,
            Meter::DiskGibHour => self.disk_mib_seconds,
        }
    }

    const fn is_zero(self) -> bool {
        self.instance_seconds == 0 && self.memory_mib_seconds == 0 && self.disk_mib_seconds == 0
    }
}

/// What was used for one key within one span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageItem {
    pub key: LineKey,
    pub quantities: Quantities,
}

/// Integer quantity, price, unit size: exact, never a quotient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatedLine {
    pub key: LineKey,
    pub meter: Meter,
    /// In instance·s or MiB·s.
    pub quantity: i64,
    /// How much of the quantity one price is for.
    pub unit_size: i64,
    pub price: Price,
    /// Position of the rate in its card.
    pub rate: usize,
    /// The part of the period in which that rate is in force.
    pub span: Span,
}

/// Usage that no rate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpricedLine {
    pub key: LineKey,
    pub quantities: Quantities,
    pub span: Span,
}

/// Everything of a period, rated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rated {
    pub lines: Vec<RatedLine>,
    pub unpriced: Vec<UnpricedLine>,
}

/// The period, cut at those of `edges` that lie within it.
#[must_use]
pub fn cuts(period: Span, edges: &[Timestamp]) -> Vec<Span> {
    let within = edges.iter().copied().filter(|edge| period.from < *edge && *edge < period.to);
    let mut at: Vec<Timestamp> = within.chain([period.from, period.to]).collect();
    at.sort_unstable();
    at.dedup();
    at.windows(2).map(|pair| Span { from: pair[0], to: pair[1] }).collect()
}

/// Rates what was used in each of the spans that [`cuts`] gave. What has the same key and rate in several
/// spans is one line, so that any cut of time costs the same.
///
/// # Errors
/// [`Overflow`] if a sum leaves its type.
pub fn rate(card: &RateCard, period: Span, usage: &[(Span, Vec<UsageItem>)]) -> Result<Rated, Overflow> {
    let mut lines: BTreeMap<(LineKey, Meter, usize), RatedLine> = BTreeMap::new();
    let mut unpriced: BTreeMap<LineKey, UnpricedLine> = BTreeMap::new();
    for (span, items) in usage {
        for item in items {
            match card.rate_at(item.key.subject(), span.from) {
                Some(rate) => add_rated(&mut lines, card, rate, period, item)?,
                None if item.quantities.is_zero() => {}
                None => add_unpriced(&mut unpriced, *span, item)?,
            }
        }
    }
    Ok(Rated { lines: lines.into_values().collect(), unpriced: unpriced.into_values().collect() })
}

fn add_rated(
    lines: &mut BTreeMap<(LineKey, Meter, usize), RatedLine>,
    card: &RateCard,
    rate: usize,
    period: Span,
    item: &UsageItem,
) -> Result<(), Overflow> {
    // What is free is shown too, by its instance-hours.
    let free = [(Meter::InstanceHour, Price::ZERO)];
    let prices = if card.rates[rate].free { &free[..] } else { &card.rates[rate].prices };
    for &(meter, price) in prices {
        let quantity = item.quantities.of(meter);
        if quantity == 0 {
            continue;
        }
        let line = lines.entry((item.key.clone(), meter, rate)).or_insert_with(|| RatedLine {
            key: item.key.clone(),
            meter,
            quantity: 0,
            unit_size: meter.unit_size(),
            price,
            rate,
            span: card.in_force(rate, period),
        });
        line.quantity = line.quantity.checked_add(quantity).ok_or(Overflow)?;
    }
    Ok(())
}

fn add_unpriced(unpriced: &mut BTreeMap<LineKey, UnpricedLine>, span: Span, item: &UsageItem) -> Result<(), Overflow> {
    let line = unpriced.entry(item.key.clone()).or_insert_with(|| UnpricedLine {
        key: item.key.clone(),
        quantities: Quantities::default(),
        span,
    });
    let add = |total: &mut i64, more: i64| total.checked_add(more).map(|sum| *total = sum).ok_or(Overflow);
    add(&mut line.quantities.instance_seconds, item.quantities.instance_seconds)?;
    add(&mut line.quantities.memory_mib_seconds, item.quantities.memory_mib_seconds)?;
    add(&mut line.quantities.disk_mib_seconds, item.quantities.disk_mib_seconds)?;
    line.span.to = span.to;
    Ok(())
}
