//! What a month comes to if what runs now goes on until its end. Nothing of it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BillingError, BillingRun, Card};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::{Amount, AmountOverflow, Currency, Month};
use crate::invoicing::{Invoice, net_of};
use crate::rate_card::Meter;
use crate::rating::LineKey;
use crate::store::{CostPart, Store};

/// What a month comes to so far, and at its end: what has an amount of either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    pub month: Month,
    pub lines: Vec<ForecastLine>,
}

/// Of one account, what one use of one meter comes to, or what is beside all lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastLine {
    pub account: String,
    pub account_name: Option<String>,
    pub currency: Currency,
    pub part: CostPart,
    /// `None`: beside the lines.
    pub of: Option<(Arc<LineKey>, Meter)>,
    pub so_far: Amount,
    pub at_end: Amount,
}

/// Of the running month, by the configured card and accounts: processes and service instances that run go on until its end, tasks
/// and stagings end now.
///
/// # Errors
/// [`BillingError`].
pub async fn forecast(configuration: &Configuration, store: &Store, clock: &Clock) -> Result<Forecast, BillingError> {
    let rates = configuration.billing.rates.as_deref().ok_or(BillingError::NoCard)?;
    let card = Card::read(rates, configuration.billing.time_zone)?;
    let mut run = BillingRun::new(configuration, store, clock, &card)?;
    let month = Month::of(clock.now(), run.zone);
    let mut lines: BTreeMap<Place, (Option<String>, [Amount; 2])> = BTreeMap::new();
    for (at, goes_on) in [false, true].into_iter().enumerate() {
        run.goes_on = goes_on;
        for draft in run.compute(month, None).await? {
            add(&mut lines, &draft.invoice, at)?;
        }
    }
    let line = |(place, (account_name, [so_far, at_end])): (Place, (Option<String>, [Amount; 2]))| {
        let (account, part, of, currency) = place;
        let currency = Currency::from_code(currency).expect("it is the code of one");
        ForecastLine { account, account_name, currency, part, of, so_far, at_end }
    };
    Ok(Forecast { month, lines: lines.into_iter().map(line).collect() })
}

type Place = (String, CostPart, Option<(Arc<LineKey>, Meter)>, &'static str);

/// Adds what an invoice charges, so far or at the end.
fn add(
    lines: &mut BTreeMap<Place, (Option<String>, [Amount; 2])>,
    invoice: &Invoice,
    at: usize,
) -> Result<(), AmountOverflow> {
    let code = invoice.currency.code();
    let mut put = |part, of: Option<(Arc<LineKey>, Meter)>, amount: Amount| {
        if amount == Amount::default() {
            return Ok(());
        }
        let place = (invoice.account.clone(), part, of, code);
        let (_, amounts) =
            lines.entry(place).or_insert_with(|| (invoice.account_name.clone(), <[Amount; 2]>::default()));
        amounts[at] = amounts[at].plus(amount)?;
        Ok(())
    };
    let mut used = Amount::default();
    for line in &invoice.lines {
        let amount = line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount).plus(line.discount)?;
        used = used.plus(amount)?;
        // Whether its length is assumed parts no sums.
        let key = LineKey { estimated: false, ..(*line.key).clone() };
        put(CostPart::Usage, Some((Arc::new(key), line.meter)), amount)?;
    }
    let corrections = net_of(&invoice.corrections)?;
    put(CostPart::Corrections, None, corrections)?;
    put(CostPart::Adjustments, None, invoice.net.minus(corrections)?.minus(used)?)
}
