//! What the simulated foundation's own account charges: a price list of its own, arithmetic of its own.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::domain::{Kind, Timestamp};

use super::world::World;
use super::world::truth::{Key, Sums};

/// Prices per instance-hour, GiB-hour of memory and GiB-hour of disk, in millionths of the currency's unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    pub kind: Kind,
    /// A buildpack, or offering and plan as `offering plan`; nothing for all of the kind.
    pub of: Option<&'static str>,
    pub from: Option<Timestamp>,
    pub instance: i64,
    pub memory: i64,
    pub disk: i64,
}

/// A price list.
#[derive(Clone, Debug)]
pub struct Prices {
    pub rates: Vec<Rate>,
}

/// Seconds of an hour; MiB·s of a GiB-hour.
const UNITS: [i64; 3] = [3600, 3_686_400, 3_686_400];

/// What one line of the account is for: its key, which rate, and which of its three prices.
pub type Line = (Key, usize, usize);

impl Prices {
    /// Prices with a change in the middle of the month.
    #[must_use]
    pub fn example(change: Timestamp) -> Self {
        let rate = |kind, of, from, instance, memory, disk| Rate { kind, of, from, instance, memory, disk };
        Self {
            rates: vec![
                rate(Kind::Process, None, None, 2000, 12_500, 400),
                rate(Kind::Process, Some("java_buildpack"), None, 2000, 16_000, 400),
                rate(Kind::Process, Some("java_buildpack"), Some(change), 2000, 15_000, 400),
                rate(Kind::Process, Some("staticfile_buildpack"), None, 0, 6000, 0),
                rate(Kind::Staging, None, None, 0, 20_000, 900),
                rate(Kind::Task, None, None, 2000, 12_500, 400),
                rate(Kind::Service, None, None, 50_000, 0, 0),
                rate(Kind::Service, Some("postgres small"), None, 35_000, 0, 0),
                rate(Kind::Service, Some("postgres medium"), None, 70_000, 0, 0),
            ],
        }
    }

    /// The same list as a rate card.
    #[must_use]
    pub fn card(&self) -> String {
        let mut card = String::from("# The prices of the demo.\nname = \"demo\"\ncurrency = \"EUR\"\n");
        for rate in &self.rates {
            let _ = write!(card, "\n[[{}]]\n", rate.kind);
            match (rate.kind, rate.of.and_then(|of| of.split_once(' '))) {
                (Kind::Service, Some((offering, plan))) => {
                    let _ = write!(card, "offering = \"{offering}\"\nplan = \"{plan}\"\n");
                }
                _ => {
                    if let Some(buildpack) = rate.of {
                        let _ = writeln!(card, "buildpack = \"{buildpack}\"");
                    }
                }
            }
            if let Some(from) = rate.from {
                let _ = writeln!(card, "from = {from}");
            }
            for (name, price) in
                [("instance_hour", rate.instance), ("memory_gib_hour", rate.memory), ("disk_gib_hour", rate.disk)]
            {
                if price > 0 {
                    let _ = writeln!(card, "{name} = \"0.{price:06}\"");
                }
            }
        }
        card
    }

    /// When prices change.
    #[must_use]
    pub fn changes(&self) -> Vec<Timestamp> {
        self.rates.iter().filter_map(|rate| rate.from).collect()
    }

    /// The rate for `key` at `at`: the one made for it, else the one for all; the newest that has begun.
    fn rate(&self, key: &Key, plans: &BTreeMap<String, String>, at: Timestamp) -> usize {
        let of = match key.kind {
            Kind::Service => key.plan.as_ref().and_then(|plan| plans.get(plan)).map(String::as_str),
            _ => key.buildpack.as_deref(),
        };
        let begun = |rate: &Rate| rate.kind == key.kind && rate.from.is_none_or(|from| from <= at);
        let own = self.rates.iter().rposition(|rate| begun(rate) && rate.of.is_some() && rate.of == of);
        own.or_else(|| self.rates.iter().rposition(|rate| begun(rate) && rate.of.is_none())).unwrap_or_default()
    }

    /// What was used within `[from, to)` up to now, line by line, in cents, half a cent up.
    #[must_use]
    pub fn lines(&self, world: &World, from: Timestamp, to: Timestamp) -> BTreeMap<Line, i64> {
        let plans =
            world.plans().map(|(guid, offering, plan)| (guid.to_owned(), format!("{offering} {plan}"))).collect();
        let mut quantities: BTreeMap<Line, i64> = BTreeMap::new();
        for ((at, key), sums) in world.truth.sums(from, to, world.now) {
            let rate = self.rate(&key, &plans, at);
            let Sums { instance_seconds, memory_mib_seconds, disk_mib_seconds } = sums;
            for (meter, quantity) in [instance_seconds, memory_mib_seconds, disk_mib_seconds].into_iter().enumerate() {
                *quantities.entry((key.clone(), rate, meter)).or_default() += quantity;
            }
        }
        let cents = |(line, quantity): (Line, i64)| {
            let rate = &self.rates[line.1];
            let price = [rate.instance, rate.memory, rate.disk][line.2];
            // Millionths to cents: divided by 10 000, and by the unit; half a cent is rounded up.
            let divisor = i128::from(UNITS[line.2]) * 10_000;
            let exact = i128::from(quantity) * i128::from(price);
            let cents = (exact * 2 + divisor) / (divisor * 2);
            (line, i64::try_from(cents).unwrap_or(i64::MAX))
        };
        quantities.into_iter().map(cents).collect()
    }

    /// The sum of [`Prices::lines`], in cents.
    #[must_use]
    pub fn total(&self, world: &World, from: Timestamp, to: Timestamp) -> i64 {
        self.lines(world, from, to).values().sum()
    }
}
