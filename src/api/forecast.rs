//! What the running month will come to, as programs read it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::cost::CostBy;
use super::keys::{Keys, columns};
use crate::access::{OfOrganization, Theirs};
use crate::billing_run::{Forecast, ForecastLine};
use crate::domain::{Amount, AmountOverflow, Currency};
use crate::rating::Named;
use crate::store::{self, CostPart, UsageKeyed};

/// One group's cost: last month's, so far in this one, and at its end if what runs now goes on. A key that wasn't asked for isn't
/// there; null: it has none, or the row isn't of usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ForecastRow {
    /// `usage`; `adjustments`: minimums, commitments and discounts, as far as no line has a share of them; `corrections`: what
    /// corrects months that are final.
    pub part: &'static str,
    #[serde(flatten)]
    #[schema(ignore)]
    pub keys: Keys,
    /// ISO 4217.
    pub currency: String,
    /// Net, as a decimal number in the currency's major unit: of last month, as its drafts and invoices stand.
    pub last_month: String,
    /// Of the running month, by the card and accounts as they are now.
    pub so_far: String,
    /// The same at its end.
    pub forecast: String,
}

/// Columns of sums.
const SUMS: [&str; 4] = ["currency", "last_month", "so_far", "forecast"];

impl ForecastRow {
    /// The columns of rows with those keys.
    #[must_use]
    pub fn header(by: &[CostBy]) -> Vec<&'static str> {
        std::iter::once("part").chain(columns(by, true)).chain(SUMS).collect()
    }

    /// The cells of its columns.
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        let sums = [self.currency.clone(), self.last_month.clone(), self.so_far.clone(), self.forecast.clone()];
        std::iter::once(self.part.to_owned()).chain(self.keys.cells()).chain(sums).collect()
    }
}

/// How much of a line somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// That there is something, of an organization.
    InSum,
    /// All but whose account pays.
    InDetail,
    Whole,
}

/// How much of a line is seen by whom it is somebody's; the same rule as `Store::cost` has in SQL.
fn seen(line: &ForecastLine, of: Option<&Theirs>) -> Option<Seen> {
    let Some(of) = of else { return Some(Seen::Whole) };
    if of.accounts.contains(&line.account) {
        return Some(Seen::Whole);
    }
    let (key, _) = line.of.as_ref()?;
    let (organization, space) = (key.organization.guid.to_string(), key.space.guid.to_string());
    if of.reach.iter().any(|reach| reach.foundation == key.foundation && reach.spaces.contains(&space)) {
        return Some(Seen::InDetail);
    }
    let paid = of.payers.iter().filter(|payer| {
        payer.account == line.account
            && payer.foundation == key.foundation
            && payer.organization == organization
            && payer.span.from <= line.span.from
            && payer.span.to >= line.span.to
    });
    let seen = paid.map(|payer| match payer.seen {
        OfOrganization::Whole => Seen::InDetail,
        OfOrganization::Sum => Seen::InSum,
    });
    seen.max()
}

/// What a line has under a key, as far as it is seen; `None`: nothing.
fn keyed(line: &ForecastLine, by: CostBy, seen: Seen) -> Option<UsageKeyed> {
    let named = |named: &Named| UsageKeyed { value: named.guid.to_string(), name: named.name.clone() };
    let word = |value: &str| UsageKeyed { value: value.to_owned(), name: None };
    if by == CostBy::Account {
        let account = UsageKeyed { value: line.account.clone(), name: line.account_name.clone() };
        return (seen == Seen::Whole).then_some(account);
    }
    let (key, meter) = line.of.as_ref()?;
    match by {
        CostBy::Foundation => return Some(word(&key.foundation)),
        CostBy::Org => return Some(named(&key.organization)),
        _ if seen == Seen::InSum => return None,
        _ => {}
    }
    match by {
        CostBy::Account | CostBy::Foundation | CostBy::Org => None,
        CostBy::Kind => Some(word(key.kind.name())),
        CostBy::Space => Some(named(&key.space)),
        CostBy::App => key.app.as_ref().map(named),
        CostBy::Service => key.service_instance.as_ref().map(named),
        CostBy::Buildpack => key.buildpack.as_deref().map(word),
        CostBy::Plan => key.service_plan.as_ref().map(named),
        CostBy::Meter => Some(word(meter.name())),
    }
}

/// By part, keys and currency: names, and the three amounts.
type Groups = BTreeMap<(CostPart, Vec<Option<String>>, &'static str), (Vec<Option<UsageKeyed>>, Currency, [Amount; 3])>;

fn add(
    groups: &mut Groups,
    part: CostPart,
    keys: Vec<Option<UsageKeyed>>,
    currency: Currency,
    amounts: [Amount; 3],
) -> Result<(), AmountOverflow> {
    let values = keys.iter().map(|key| key.as_ref().map(|key| key.value.clone())).collect();
    let (_, _, sums) =
        groups.entry((part, values, currency.code())).or_insert((keys, currency, <[Amount; 3]>::default()));
    for (sum, amount) in sums.iter_mut().zip(amounts) {
        *sum = sum.plus(amount)?;
    }
    Ok(())
}

/// The rows of a forecast, with last month's cost by the same keys beside them; of what is somebody's, if that is given.
///
/// # Errors
/// [`AmountOverflow`].
pub fn forecast_rows(
    forecast: &Forecast,
    last_month: Vec<store::CostRow>,
    by: &[CostBy],
    account: Option<&str>,
    of: Option<&Theirs>,
) -> Result<Vec<ForecastRow>, AmountOverflow> {
    let mut groups = Groups::new();
    for row in last_month {
        add(&mut groups, row.part, row.keys, row.currency, [row.amount, Amount::default(), Amount::default()])?;
    }
    for line in forecast.lines.iter().filter(|line| account.is_none_or(|account| account == line.account)) {
        // By an account that isn't theirs nobody can ask.
        let seen = seen(line, of).filter(|seen| account.is_none() || *seen == Seen::Whole);
        let Some(seen) = seen else { continue };
        let keys = by.iter().map(|by| keyed(line, *by, seen)).collect();
        add(&mut groups, line.part, keys, line.currency, [Amount::default(), line.so_far, line.at_end])?;
    }
    let mut rows = Vec::with_capacity(groups.len());
    for ((part, ..), (keys, currency, amounts)) in groups {
        let [last_month, so_far, forecast] = amounts.map(|amount| amount.in_major_units(currency).to_string());
        let (part, keys, currency) = (part.name(), Keys::new(by, &keys, true), currency.code().to_owned());
        rows.push(ForecastRow { part, keys, currency, last_month, so_far, forecast });
    }
    Ok(rows)
}
