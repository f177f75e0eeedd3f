//! What the simulated foundation's own account charges: a price list of its own, arithmetic of its own.

use std::collections::{BTreeMap, BTreeSet};
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
    /// GiB-hours of tasks' memory that cost each payer nothing, each month.
    pub free_task_gib_hours: i64,
    /// Tax on top, in percent, for payers who pay any.
    pub tax_percent: i64,
}

/// Who pays for some organizations.
#[derive(Clone, Debug)]
pub struct Payer {
    /// Names it in the accounts file.
    pub account: &'static str,
    /// Guids.
    pub organizations: BTreeSet<String>,
    /// Taken off everything it used.
    pub discount_percent: i64,
    pub taxed: bool,
}

/// What a payer owes, in cents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    pub lines: BTreeMap<Line, i64>,
    /// Lines, less the discount, plus tax.
    pub total: i64,
}

/// Seconds of an hour; MiB·s of a GiB-hour.
const UNITS: [i64; 3] = [3600, 3_686_400, 3_686_400];

/// `part` in `whole` of `total`, half of one rounded up.
fn rounded(total: i64, part: i64, whole: i64) -> i64 {
    (total * part * 2 + whole) / (whole * 2)
}

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
            free_task_gib_hours: 1,
            tax_percent: 19,
        }
    }

    /// The same list as a rate card, with what `payers` agreed on.
    #[must_use]
    pub fn card(&self, payers: &[Payer]) -> String {
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
        let free = self.free_task_gib_hours;
        let _ = write!(
            card,
            "\n[[allowance]]\nname = \"first {free} GiB-hours of tasks\"\nkind = \"task\"\nmeter = \"memory_gib_hour\"\n\
             amount = \"{free}\"\nper = \"account\"\n"
        );
        for payer in payers.iter().filter(|payer| payer.discount_percent > 0) {
            let _ = write!(
                card,
                "\n[[discount]]\nname = \"partner discount\"\naccount = \"{}\"\npercent = \"{}\"\n",
                payer.account, payer.discount_percent
            );
        }
        let _ = write!(card, "\n[[tax]]\nname = \"VAT\"\npercent = \"{}\"\n", self.tax_percent);
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

    /// What each payer owes for what was used within `[from, to)` up to now.
    #[must_use]
    pub fn bills(&self, world: &World, payers: &[Payer], from: Timestamp, to: Timestamp) -> Vec<Bill> {
        let plans: BTreeMap<String, String> =
            world.plans().map(|(guid, offering, plan)| (guid.to_owned(), format!("{offering} {plan}"))).collect();
        let used = world.truth.sums(from, to, world.now);
        payers
            .iter()
            .map(|payer| {
                let mut quantities: BTreeMap<Line, i64> = BTreeMap::new();
                for ((at, key), sums) in
                    used.iter().filter(|((_, key), _)| payer.organizations.contains(&key.organization))
                {
                    let rate = self.rate(key, &plans, *at);
                    let Sums { instance_seconds, memory_mib_seconds, disk_mib_seconds } = *sums;
                    for (meter, quantity) in
                        [instance_seconds, memory_mib_seconds, disk_mib_seconds].into_iter().enumerate()
                    {
                        *quantities.entry((key.clone(), rate, meter)).or_default() += quantity;
                    }
                }
                self.bill(payer, quantities)
            })
            .collect()
    }

    fn bill(&self, payer: &Payer, mut quantities: BTreeMap<Line, i64>) -> Bill {
        self.take_what_is_free(&mut quantities);
        let lines: BTreeMap<Line, i64> =
            quantities.into_iter().map(|(line, quantity)| (line.clone(), self.cents(&line, quantity))).collect();
        let list: i64 = lines.values().sum();
        let net = list - rounded(list, payer.discount_percent, 100);
        let tax = if payer.taxed { rounded(net, self.tax_percent, 100) } else { 0 };
        Bill { lines, total: net + tax }
    }

    /// Takes what is free off the lines of tasks' memory, in proportion to them. The MiB·s that are left over go one
    /// each to the largest remainders; of equal ones to the app whose guid comes first.
    fn take_what_is_free(&self, quantities: &mut BTreeMap<Line, i64>) {
        let mut lines: Vec<(&Line, &mut i64)> = quantities
            .iter_mut()
            .filter(|((key, _, meter), quantity)| key.kind == Kind::Task && *meter == 1 && **quantity > 0)
            .collect();
        lines.sort_by(|((one, ..), _), ((other, ..), _)| (&one.owner, one).cmp(&(&other.owner, other)));
        let total: i64 = lines.iter().map(|(_, quantity)| **quantity).sum();
        let free = (self.free_task_gib_hours * UNITS[1]).min(total);
        let mut left = free;
        let mut remainders = Vec::new();
        for (position, (_, quantity)) in lines.iter_mut().enumerate() {
            let product = i128::from(free) * i128::from(**quantity);
            let share = i64::try_from(product / i128::from(total)).unwrap_or(i64::MAX);
            **quantity -= share;
            left -= share;
            remainders.push((std::cmp::Reverse(product % i128::from(total)), position));
        }
        remainders.sort_unstable();
        for (_, position) in remainders.into_iter().take(usize::try_from(left).unwrap_or_default()) {
            *lines[position].1 -= 1;
        }
    }

    /// A line's quantity at its price, in cents, half a cent up.
    fn cents(&self, line: &Line, quantity: i64) -> i64 {
        let rate = &self.rates[line.1];
        let price = [rate.instance, rate.memory, rate.disk][line.2];
        // Millionths to cents: divided by 10 000, and by the unit; half a cent is rounded up.
        let divisor = i128::from(UNITS[line.2]) * 10_000;
        let exact = i128::from(quantity) * i128::from(price);
        i64::try_from((exact * 2 + divisor) / (divisor * 2)).unwrap_or(i64::MAX)
    }
}
