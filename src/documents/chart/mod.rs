//! What each day cost, by buildpack or app: sums for a chart, and the chart.
//! Owns whose cost is shown together; never how it is drawn.

mod svg;

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

use super::DocumentError;
use super::language::Locale;
use super::names::{name, plan, printable};
use super::view::Chart;
use crate::domain::{Amount, AmountOverflow, Kind, share};
use crate::invoicing::{GroupBy, Invoice, InvoiceLine};

pub use svg::COLOURS;

/// Groups that are shown by name; what is left of the others goes together.
pub const MOST_GROUPS: usize = 5;

/// What one group cost on each day of the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartSeries {
    pub label: String,
    pub days: Vec<Amount>,
    /// Their sum.
    pub total: Amount,
}

fn overflow(error: AmountOverflow) -> DocumentError {
    DocumentError::Failed(error.to_string())
}

/// What each group cost on each day: each line's amount shared out over the days on which it was used, by largest
/// remainder, so that all of it together is the sum of those lines exactly. The dearest group comes first, what is left of
/// those past [`MOST_GROUPS`] last. `None` if no line knows its days.
///
/// # Errors
/// [`DocumentError::Failed`] if a sum leaves the range of amounts.
pub fn day_totals(invoice: &Invoice, locale: Locale) -> Result<Option<Vec<ChartSeries>>, DocumentError> {
    let knowing = || invoice.lines.iter().filter(|line| !line.days.is_empty());
    let Some(days) = knowing().map(|line| line.days.len()).max() else { return Ok(None) };
    let by = &invoice.particulars.group_by;
    let by_app = by.contains(&GroupBy::App) && !by.contains(&GroupBy::Buildpack);
    let mut groups: BTreeMap<String, Vec<Amount>> = BTreeMap::new();
    for line in knowing() {
        let Some(charge) = &line.charge else { continue };
        let shares = share(charge.amount.0, &line.days).map_err(|error| DocumentError::Failed(error.to_string()))?;
        let sums = groups.entry(label(line, by_app, locale)).or_insert_with(|| vec![Amount::default(); days]);
        add(sums, shares.into_iter().map(Amount))?;
    }
    let mut series = Vec::with_capacity(groups.len());
    for (label, days) in groups {
        let total = days.iter().try_fold(Amount::default(), |sum, day| sum.plus(*day)).map_err(overflow)?;
        series.push(ChartSeries { label, days, total });
    }
    series.retain(|series| series.total != Amount::default());
    // By label where two cost the same.
    series.sort_by_key(|series| std::cmp::Reverse(series.total));
    if series.len() > MOST_GROUPS {
        let label = locale.texts.others.to_owned();
        let mut others = ChartSeries { label, days: vec![Amount::default(); days], total: Amount::default() };
        for one in series.drain(MOST_GROUPS..) {
            add(&mut others.days, one.days.into_iter())?;
            others.total = others.total.plus(one.total).map_err(overflow)?;
        }
        series.push(others);
    }
    Ok(Some(series))
}

fn add(sums: &mut [Amount], more: impl Iterator<Item = Amount>) -> Result<(), DocumentError> {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.plus(more).map_err(overflow)?;
    }
    Ok(())
}

/// Offering and plan of services; app or buildpack of the rest.
fn label(line: &InvoiceLine, by_app: bool, locale: Locale) -> String {
    let (key, texts) = (&*line.key, locale.texts);
    if key.kind == Kind::Service {
        return plan(key).unwrap_or_else(|| texts.kinds.service.to_owned());
    }
    if by_app {
        return key.app.as_ref().map_or_else(|| texts.kinds.of(key.kind).to_owned(), name);
    }
    key.buildpack.as_deref().map_or_else(|| texts.no_buildpack.to_owned(), printable)
}

/// The chart; `None` if no line knows its days, or no day cost anything.
pub(super) fn chart(invoice: &Invoice, locale: Locale, zone: Tz) -> Result<Option<Chart>, DocumentError> {
    let Some(series) = day_totals(invoice, locale)?.filter(|series| !series.is_empty()) else { return Ok(None) };
    let days = series[0].days.len();
    let mut totals = vec![Amount::default(); days];
    for one in &series {
        add(&mut totals, one.days.iter().copied())?;
    }
    let total = totals.iter().try_fold(Amount::default(), |sum, day| sum.plus(*day)).map_err(overflow)?;
    let first = crate::domain::period::date_of(invoice.period.from, zone);
    let date = |position: usize| first.checked_add_days(Days::new(position as u64)).unwrap_or(NaiveDate::MAX);
    let dearest = (0..days).max_by_key(|day| (totals[*day], std::cmp::Reverse(*day))).unwrap_or_default();
    let money = |amount| locale.amount(amount, invoice.currency);
    let groups = series.iter().map(|one| format!("{}: {}", one.label, money(one.total)));
    let (from, to) = (locale.date(first), locale.date(date(days.saturating_sub(1))));
    let (total, most) = (money(total), money(totals[dearest]));
    let sentence = (locale.texts.chart_description)(&from, &to, &total, &locale.date(date(dearest)), &most);
    let description = format!("{sentence} {}.", groups.collect::<Vec<_>>().join("; "));
    let title = (locale.texts.chart)(invoice.currency.code());
    let dates: Vec<NaiveDate> = (0..days).map(date).collect();
    let svg = svg::Drawing {
        series: &series,
        totals: &totals,
        dates: &dates,
        title: &title,
        description: &description,
        currency: invoice.currency,
        locale,
    }
    .draw();
    Ok(Some(Chart { title, description, svg }))
}
