//! What a month comes to if what runs now goes on until its end. Nothing of it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BillingError, BillingRun, Card};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::{Amount, AmountOverflow, Currency, Month, Span};
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
    /// From the first use to the last.
    pub span: Span,
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
    let mut lines = Lines::new();
    for goes_on in [false, true] {
        run.goes_on = goes_on;
        for draft in run.compute(month, None).await? {
            add(&mut lines, &draft.invoice, goes_on)?;
        }
    }
    Ok(Forecast { month, lines: lines.into_values().collect() })
}

/// By account, part, use and currency.
type Lines = BTreeMap<(String, CostPart, Option<(Arc<LineKey>, Meter)>, &'static str), ForecastLine>;

/// Adds what an invoice charges, so far or at the end.
fn add(lines: &mut Lines, invoice: &Invoice, at_end: bool) -> Result<(), AmountOverflow> {
    let currency = invoice.currency;
    let mut put = |part, of: Option<(Arc<LineKey>, Meter)>, span: Span, amount: Amount| {
        if amount == Amount::default() {
            return Ok(());
        }
        let line = lines.entry((invoice.account.clone(), part, of.clone(), currency.code())).or_insert_with(|| {
            let (account, account_name) = (invoice.account.clone(), invoice.account_name.clone());
            let (so_far, at_end) = (Amount::default(), Amount::default());
            ForecastLine { account, account_name, currency, part, of, span, so_far, at_end }
        });
        line.span = line.span.hull(span);
        let sum = if at_end { &mut line.at_end } else { &mut line.so_far };
        *sum = sum.plus(amount)?;
        Ok(())
    };
    let mut used = Amount::default();
    for line in &invoice.lines {
        let amount = line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount).plus(line.discount)?;
        used = used.plus(amount)?;
        // Whether its length is assumed parts no sums.
        let key = LineKey { estimated: false, ..(*line.key).clone() };
        put(CostPart::Usage, Some((Arc::new(key), line.meter)), line.span, amount)?;
    }
    let corrections = net_of(&invoice.corrections)?;
    put(CostPart::Corrections, None, invoice.period, corrections)?;
    put(CostPart::Adjustments, None, invoice.period, invoice.net.minus(corrections)?.minus(used)?)
}
