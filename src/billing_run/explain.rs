//! Every cent of an invoice, down to ledger entries and the usage events behind them: steps that add up to what is
//! printed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rust_decimal::Decimal;

use super::basis::unpack;
use super::rate::By;
use super::{BillingError, BillingRun, Card, CardError, Meant};
use crate::config::Configuration;
use crate::domain::money::amount;
use crate::domain::{Amount, Currency, Guid, Kind, Span, Timestamp};
use crate::invoicing::{Adjustment, AdjustmentType, Charge, Correction, Document, DocumentKind, InvoiceLine, Status};
use crate::rate_card::Meter;
use crate::rating::{Contribution, Part};
use crate::store::{ArchivedInput, InputKind, Store, StoredInvoice};

/// An invoice explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub stored: StoredInvoice,
    /// Whether it is a draft whose usage, rates or accounts have changed since it was made: it is explained as it now is.
    pub changed: bool,
    /// Name of the rate card.
    pub card: Option<String>,
    /// The lines that were asked for.
    pub lines: Vec<ExplainedLine>,
    /// From the lines to what is to be paid.
    pub steps: Vec<Step>,
}

/// A line explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedLine {
    /// From 1.
    pub position: usize,
    pub line: InvoiceLine,
    /// What was used, of the line's row; empty if it isn't known.
    pub uses: Vec<Use>,
    pub steps: Vec<Step>,
}

/// A stretch of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub resource: Guid,
    pub span: Span,
    pub instances: i64,
    /// MiB an instance, or 1.
    pub size: i64,
    pub used: i64,
    pub charged: i64,
    /// Number of the ledger entry; `None`: it was still running.
    pub entry: Option<i64>,
    pub began: Option<InputOrigin>,
    pub ended: Option<InputOrigin>,
}

/// Something in the archive that began or ended a use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputOrigin {
    /// Its number in the foundation's archive.
    pub sequence: u64,
    /// `usage event`, `baseline item` …
    pub what: &'static str,
    /// Of the event.
    pub guid: Option<String>,
    pub at: Timestamp,
}

/// A step of a computation: what, how, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub what: String,
    pub formula: String,
    pub result: String,
}

fn step(what: impl Into<String>, formula: impl Into<String>, result: impl Into<String>) -> Step {
    Step { what: what.into(), formula: formula.into(), result: result.into() }
}

/// The card that a final invoice was made with; for a draft the configured one.
///
/// # Errors
/// [`BillingError::CardGone`], [`BillingError::Card`].
pub async fn card_of(
    store: &Store,
    stored: &StoredInvoice,
    configuration: &Configuration,
) -> Result<Card, BillingError> {
    let zone = configuration.billing.time_zone;
    if stored.status != Status::Final {
        let file = configuration.billing.rates.as_deref().ok_or(BillingError::NoCard)?;
        return Ok(Card::read(file, zone)?);
    }
    let card = store.card(&stored.document.rate_card).await?.ok_or(BillingError::CardGone)?;
    Ok(Card::parse("the invoice's card", card.text, zone).map_err(CardError::Wrong)?)
}

/// Explains an invoice, or some of its lines.
///
/// # Errors
/// [`BillingError`]; [`BillingError::Unexplained`] if a step doesn't come to what is printed.
pub async fn explain(run: &BillingRun<'_>, stored: StoredInvoice, wanted: &[usize]) -> Result<Explained, BillingError> {
    let (stored, changed, basis) = basis(run, stored, !wanted.is_empty()).await?;
    let lines = stored.document.lines().len();
    if let Some(line) = wanted.iter().find(|line| **line == 0 || **line > lines) {
        let named = stored.number.clone().unwrap_or_else(|| stored.id.to_string());
        return Err(BillingError::NoLine { invoice: named, line: *line, lines });
    }
    let card = run.store.card(&stored.document.rate_card).await?;
    let card = card.and_then(|card| Card::parse("the card", card.text, run.zone).ok());
    let rows: BTreeSet<usize> = wanted.iter().map(|line| stored.document.lines()[line - 1].row).collect();
    let contributions = basis.map_or(Ok(Vec::new()), |basis| unpack(&basis, |row| rows.contains(&row)))?;
    let mut explained = Vec::new();
    for position in wanted {
        let line = stored.document.lines()[position - 1].clone();
        // What has no price is in no row.
        let of_row: Vec<&Contribution> =
            contributions.iter().filter(|one| line.charge.is_some() && one.row == line.row).collect();
        let uses = uses(run.store, &line.key.foundation, &of_row).await?;
        let steps = line_steps(&stored, &line, &uses, card.as_ref())?;
        explained.push(ExplainedLine { position: *position, line, uses, steps });
    }
    let steps = invoice_steps(&stored)?;
    Ok(Explained { card: card.map(|card| card.rates.name), stored, changed, lines: explained, steps })
}

/// An invoice, whether it isn't as it was drafted, and what its rows rest on: of a final one as it was kept when it became
/// final. Usage goes on while people read a draft, so a draft is computed again, from the same view of the book as its
/// basis.
async fn basis(
    run: &BillingRun<'_>,
    mut stored: StoredInvoice,
    of_lines: bool,
) -> Result<(StoredInvoice, bool, Option<Vec<u8>>), BillingError> {
    if stored.status == Status::Final {
        let basis = if of_lines { run.store.invoice_basis(stored.id).await? } else { None };
        return Ok((stored, false, basis));
    }
    if !of_lines {
        return Ok((stored, false, None));
    }
    let (month, account) = (stored.document.month, &stored.document.account);
    let computed = run.rate(&[By::now(run.card)], month, Some(&Meant::Id(account.clone())), true).await?;
    let of_account = computed.into_iter().find(|computed| computed.account == *account);
    let Some(computed) = of_account else { return Err(BillingError::DraftGone(stored.id.to_string())) };
    if let Some(why) = computed.uncountable() {
        return Err(BillingError::Uncountable(why));
    }
    let basis = computed.basis;
    let Some(now) = computed.drafts.into_iter().next().flatten() else {
        return Err(BillingError::DraftGone(stored.id.to_string()));
    };
    let changed = now.invoice.lines != stored.document.lines();
    if changed {
        stored.document = Document::Invoice(now.invoice);
    }
    Ok((stored, changed, basis))
}

async fn uses(store: &Store, foundation: &str, of_row: &[&Contribution]) -> Result<Vec<Use>, BillingError> {
    let number = |sequence: i64| u64::try_from(sequence).unwrap_or_default();
    let sequences: BTreeSet<u64> = (of_row.iter())
        .flat_map(|one| [Some(one.source.opened_by), one.source.closed_by])
        .flatten()
        .map(number)
        .collect();
    let heads = store.foundations().await?;
    let inputs = match heads.iter().find(|head| head.name == foundation) {
        Some(head) => store.inputs_at(head, &sequences).await?,
        None => HashMap::new(),
    };
    let origin = |sequence: i64| inputs.get(&number(sequence)).map(origin);
    let mut uses: Vec<Use> = (of_row.iter())
        .map(|one| Use {
            resource: one.resource.clone(),
            span: one.span,
            instances: one.instances,
            size: one.size,
            used: one.used,
            charged: one.charged,
            entry: one.source.entry,
            began: origin(one.source.opened_by),
            ended: one.source.closed_by.and_then(origin),
        })
        .collect();
    uses.sort_by(|one, two| (one.span, &one.resource, one.entry).cmp(&(two.span, &two.resource, two.entry)));
    Ok(uses)
}

fn origin(input: &ArchivedInput) -> InputOrigin {
    let what = match input.kind {
        InputKind::Event(_) => "usage event",
        InputKind::Baseline(_) => "baseline item",
        InputKind::Settings => "settings",
        InputKind::DiskObservation => "observed disk",
        InputKind::BuildObservation => "observed build",
        InputKind::FailedCreate => "observed failure to create",
        InputKind::Gap => "gap",
        InputKind::Settlement => "settlement by what runs",
        InputKind::Bound => "bound of a time",
        InputKind::Row => "row that can't be read",
    };
    let body: Option<serde_json::Value> = serde_json::from_str(&input.body).ok();
    let guid = body.and_then(|body| body["guid"].as_str().map(str::to_owned));
    let guid = guid.filter(|_| matches!(input.kind, InputKind::Event(_)));
    InputOrigin { sequence: input.sequence, what, guid, at: input.created_at }
}

/// What a meter counts, in words.
const fn counted(meter: Meter) -> &'static str {
    match meter {
        Meter::MemoryGibHour | Meter::DiskGibHour => "MiB·s",
        Meter::InstanceHour | Meter::Month => "instance·s",
        Meter::Staging => "stagings",
    }
}

fn major(amount: Amount, currency: Currency) -> String {
    format!("{} {currency}", amount.in_major_units(currency))
}

fn line_steps(
    stored: &StoredInvoice,
    line: &InvoiceLine,
    uses: &[Use],
    card: Option<&Card>,
) -> Result<Vec<Step>, BillingError> {
    let unit = counted(line.meter);
    let same = |other: &&InvoiceLine| other.row == line.row && other.charge.is_some() == line.charge.is_some();
    let row: Vec<&InvoiceLine> = stored.document.lines().iter().filter(same).collect();
    let sum = |of: &dyn Fn(&InvoiceLine) -> i64| row.iter().map(|line| i128::from(of(line))).sum::<i128>();
    // An unpriced line stands by itself.
    let (used, charged) = match line.charge {
        Some(_) => (sum(&|line| line.used), sum(&|line| line.quantity)),
        None => (i128::from(line.used), i128::from(line.quantity)),
    };
    let mut steps = Vec::new();
    if !uses.is_empty() {
        let told: i128 = uses.iter().map(|one| i128::from(one.used)).sum();
        let told_charged: i128 = uses.iter().map(|one| i128::from(one.charged)).sum();
        if told != used || told_charged != charged {
            return Err(BillingError::Unexplained {
                what: format!("line {}", line.what()),
                printed: format!("{used} {unit}"),
                comes_to: format!("{told} {unit}"),
            });
        }
        let formula = if line.meter == Meter::Staging {
            format!("stagings begun: {}", uses.len())
        } else {
            format!("sum of {} use(s), each seconds × instances × {}", uses.len(), size_words(line.meter))
        };
        steps.push(step("used", formula, format!("{used} {unit}")));
    }
    if used != charged {
        let how = line.granularity.clone().unwrap_or_else(|| "minimum length of each staging".to_owned());
        steps.push(step("lengths rounded", how, format!("{charged} {unit}")));
    }
    if line.charge.is_some() && row.len() > 1 || line.part != Part::Whole {
        let part = match &line.part {
            Part::Whole => "what an allowance leaves".to_owned(),
            Part::Allowance(name) => format!("what the allowance `{name}` takes of it, shared out over all it is for"),
            Part::Tier(tier) => format!("what of it lies in tier {tier} of the total, shared out over all lines"),
            Part::Packages(packages) => format!("its share of {packages} package(s)"),
        };
        steps.push(step("this line", part, format!("{} {unit}", line.quantity)));
    }
    steps.push(step(
        "units",
        format!("{} ÷ {} ({})", line.quantity, line.unit_size, line.meter.unit()),
        quotient(i128::from(line.quantity), i128::from(line.unit_size)),
    ));
    match &line.charge {
        None => steps.push(step("price", "no rate is for it", "nothing is charged")),
        Some(charge) => steps.extend(charge_steps(stored, line, charge, card)?),
    }
    Ok(steps)
}

const fn size_words(meter: Meter) -> &'static str {
    match meter {
        Meter::MemoryGibHour => "MiB of memory",
        Meter::DiskGibHour => "MiB of disk",
        Meter::InstanceHour | Meter::Month | Meter::Staging => "1",
    }
}

fn charge_steps(
    stored: &StoredInvoice,
    line: &InvoiceLine,
    charge: &Charge,
    card: Option<&Card>,
) -> Result<Vec<Step>, BillingError> {
    let currency = stored.document.currency;
    let card_name = card.map_or_else(|| "the card".to_owned(), |card| card.rates.name.clone());
    let version: String = stored.document.rate_card.chars().take(12).collect();
    let mut steps = vec![step(
        "price",
        format!("rate `{}` of card `{card_name}`, version {version}", charge.rate),
        format!("{} {currency} per {}", charge.price, line.meter.unit()),
    )];
    let rounding = card.map(|card| card.rates.rounding).unwrap_or_default();
    if let Part::Packages(packages) = line.part {
        let total = amount(packages, charge.price, 1, currency, rounding)?;
        let formula =
            format!("{packages} package(s) × {} = {}, shared out by quantity", charge.price, major(total, currency));
        steps.push(step("amount", formula, major(charge.amount, currency)));
        return Ok(steps);
    }
    let again = amount(line.quantity, charge.price, line.unit_size, currency, rounding)?;
    if again != charge.amount {
        return Err(BillingError::Unexplained {
            what: format!("line {}", line.what()),
            printed: major(charge.amount, currency),
            comes_to: major(again, currency),
        });
    }
    let scale = 10_i128.saturating_pow(charge.price.scale());
    let exact = quotient(
        i128::from(line.quantity).saturating_mul(charge.price.mantissa()),
        i128::from(line.unit_size).saturating_mul(scale),
    );
    steps.push(step("exact", format!("{} × {} ÷ {}", line.quantity, charge.price, line.unit_size), exact));
    let words = rounding.name().replace('_', " ");
    steps.push(step("rounded", format!("once, {words}"), major(charge.amount, currency)));
    Ok(steps)
}

/// A quotient to twelve decimals; `≈` if that isn't all of it.
fn quotient(dividend: i128, divisor: i128) -> String {
    const DECIMALS: u32 = 12;
    let scaled = dividend.checked_mul(10_i128.pow(DECIMALS));
    let Some(scaled) = scaled.filter(|_| divisor != 0) else { return format!("{dividend} ÷ {divisor}") };
    let shown = Decimal::try_from_i128_with_scale(scaled / divisor, DECIMALS).map(|shown| shown.normalize());
    let Ok(shown) = shown else { return format!("{dividend} ÷ {divisor}") };
    if scaled % divisor == 0 { shown.to_string() } else { format!("≈ {shown}") }
}

/// From the lines to what is to be paid.
fn invoice_steps(stored: &StoredInvoice) -> Result<Vec<Step>, BillingError> {
    let invoice = &stored.document;
    let currency = invoice.currency;
    let mut steps = Vec::new();
    let mut net = Amount::default();
    if !invoice.lines().is_empty() {
        for charge in invoice.lines().iter().filter_map(|line| line.charge.as_ref()) {
            net = net.plus(charge.amount)?;
        }
        let formula = format!("sum of {} line(s), each rounded once", invoice.lines().len());
        steps.push(step("lines", formula, major(net, currency)));
    }
    for adjustment in invoice.adjustments() {
        net = net.plus(adjustment.amount)?;
        steps.push(step(adjustment.name.clone(), adjusted(adjustment, currency), major(adjustment.amount, currency)));
    }
    let mut by_invoice: BTreeMap<&str, Vec<&Correction>> = BTreeMap::new();
    for correction in &invoice.corrections {
        by_invoice.entry(&correction.number).or_default().push(correction);
    }
    for (number, corrections) in by_invoice {
        for correction in corrections {
            let change = correction.amount()?;
            net = net.plus(change)?;
            let line = correction.line.map_or_else(String::new, |line| format!(" line {line}"));
            let formula = format!(
                "{} instead of {}, {}",
                major(correction.after, currency),
                major(correction.before, currency),
                correction.cause.words()
            );
            steps.push(step(format!("{number}{line}: {}", correction.what), formula, major(change, currency)));
        }
    }
    let unexplained = |what: &str, printed: Amount, comes_to: Amount| BillingError::Unexplained {
        what: what.to_owned(),
        printed: major(printed, currency),
        comes_to: major(comes_to, currency),
    };
    if net != invoice.net {
        return Err(unexplained("the net", invoice.net, net));
    }
    steps.push(step("net", "sum of these", major(net, currency)));
    if let Some(tax) = &invoice.tax {
        let reason = tax.exemption_reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"));
        let how = if invoice.kind() == DocumentKind::CreditNote {
            "of all that was given back so far, less its tax before"
        } else {
            "rounded once"
        };
        let formula =
            format!("{} % of {}, category {}{reason}, {how}", tax.percent, major(net, currency), tax.category);
        steps.push(step(tax.name.clone(), formula, major(tax.amount, currency)));
    }
    let gross = invoice.gross()?;
    steps.push(step("to pay", "net and tax", major(gross, currency)));
    Ok(steps)
}

fn adjusted(adjustment: &Adjustment, currency: Currency) -> String {
    let basis = adjustment.basis.map(|basis| major(basis, currency)).unwrap_or_default();
    match (adjustment.adjustment, adjustment.percent) {
        (AdjustmentType::Discount, Some(percent)) => format!("{percent} % of {basis}, rounded once"),
        (AdjustmentType::Discount, None) => "a discount a month, by the seconds in which it holds".to_owned(),
        (AdjustmentType::Commitment, _) => "paid in any case".to_owned(),
        (AdjustmentType::Covered, _) => format!("covered by the commitment, of {basis}"),
        (AdjustmentType::Minimum, _) => format!("filled up from {basis}"),
    }
}

/// Whether a kind's uses are of resources of their own, or of the app's builds.
#[must_use]
pub fn resource_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Process => "process",
        Kind::Task => "task",
        Kind::Staging => "app staged",
        Kind::Service => "service instance",
    }
}
