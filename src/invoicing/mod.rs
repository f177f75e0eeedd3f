//! Rated lines → an invoice: one rounding a line, a sum, and what keeps it from being final.

mod adjust;
mod canonical;
mod compare;
mod correction;
mod credit;
mod document;
mod items;
mod particulars;
mod review;
mod status;

use std::ops::{Deref, DerefMut};

use chrono_tz::Tz;

use crate::domain::money::amount;
use crate::domain::{
    Amount, AmountOverflow, ClockNote, Currency, GapNote, Month, Price, Span, Timestamp, UndecodableNote,
};
use crate::rate_card::{Meter, RateCard};
use crate::rating::{LineUse, Named, Part, Rated, RatedLine, UnpricedLine};

pub use adjust::{AccountTax, Adjustment, AdjustmentType, TaxLine};
pub use canonical::{Dates, Issued};
pub use compare::{PastCorrection, compare};
pub use correction::{Correction, CorrectionCause, net_of};
pub use credit::{Corrections, Credit, CreditError, Credited, NoteHeader, credit, credit_note};
pub use document::{
    Common, Corrected, Coverage, CreditNote, Document, DocumentKind, DocumentRef, Invoice, PlaceLabels,
};
pub use items::{Given, given_before};
pub use particulars::{GroupBy, Language, Particulars, Payment};
pub use review::{Blocker, Review};
pub use status::Status;

/// What was charged for one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceLine {
    pub line: LineUse,
    /// How lengths were rounded, in words; `None`: by the second.
    pub granularity: Option<String>,
    /// `None`: no rate is for it.
    pub charge: Option<Charge>,
    /// Its share of the discounts and of what a commitment covers: zero or less. The amount doesn't have it taken off.
    pub discount: Amount,
}

impl Deref for InvoiceLine {
    type Target = LineUse;

    fn deref(&self) -> &LineUse {
        &self.line
    }
}

impl DerefMut for InvoiceLine {
    fn deref_mut(&mut self) -> &mut LineUse {
        &mut self.line
    }
}

/// Price and what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub price: Price,
    /// Rounded, once.
    pub amount: Amount,
    /// The rate, as its card has it.
    pub rate: String,
    /// The price for everyone, if another one was agreed on; `None`: it is the same, or there is none for everyone.
    pub list_price: Option<Price>,
}

/// An invoice that isn't final, with what may keep it from being so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub invoice: Invoice,
    pub notes: DraftNotes,
}

/// What is known of a draft beside what it charges; a final invoice has none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftNotes {
    /// Records that can't be read and touch the period.
    pub undecodable: Vec<UndecodableNote>,
    /// Events of the period whose own time isn't trusted.
    pub clocks: Vec<ClockNote>,
    /// Net of the account's invoice of the month before, if it had one.
    pub previous_net: Option<Amount>,
    /// Its period, grace time and last sweep are over.
    pub in_review: bool,
    /// What it corrects had another tax; known while it is computed.
    pub taxed_otherwise: bool,
    /// Why it has no lines, though there is usage: it comes to more than can be counted.
    pub uncountable: Option<String>,
    /// Something it charges for that is larger than any foundation: what, and how large; known while it is computed.
    pub too_large: Option<String>,
}

impl InvoiceLine {
    fn priced(line: &RatedLine, amount: Amount) -> Self {
        let (price, list_price) = (line.price, line.list_price);
        Self {
            line: line.line.clone(),
            granularity: line.granularity.map(|granularity| granularity.to_string()),
            charge: Some(Charge { price, amount, rate: line.rate.to_string(), list_price }),
            discount: Amount::default(),
        }
    }

    /// Shown by its instance-hours.
    fn unpriced(line: &UnpricedLine, period: Span) -> Self {
        let line = LineUse {
            key: line.key.clone(),
            meter: Meter::InstanceHour,
            quantity: line.quantities.instance_seconds,
            used: line.quantities.instance_seconds,
            unit_size: Meter::InstanceHour.unit_size(period),
            part: Part::Whole,
            span: line.span,
            days: Vec::new(),
            row: 0,
        };
        Self { line, granularity: None, charge: None, discount: Amount::default() }
    }

    /// What the line is for, in words.
    #[must_use]
    pub fn what(&self) -> String {
        let mut parts = vec![self.key.kind.name().to_owned()];
        parts.extend(self.key.app.as_ref().map(Named::called));
        parts.extend(self.key.service_instance.as_ref().map(Named::called));
        let plan = self.key.service_plan.as_ref().map(Named::called);
        let offering = self.key.service_offering.as_ref().map(Named::called);
        parts.extend(plan.map(|plan| match offering {
            Some(offering) => format!("({offering} {plan})"),
            None => format!("(plan {plan})"),
        }));
        parts.extend(self.key.buildpack.as_ref().map(|buildpack| format!("({buildpack})")));
        parts.join(" ")
    }
}

/// Everything of an invoice but its lines.
#[derive(Clone, Debug)]
pub struct Header {
    pub account: String,
    pub account_name: Option<String>,
    pub seller: Option<String>,
    pub month: Month,
    pub period: Span,
    pub time_zone: Tz,
    pub rate_card: String,
    /// Number of the rules to follow; see [`crate::rating::RULES`].
    pub rules: u32,
    pub rated_through: Option<Timestamp>,
    pub gaps: Vec<GapNote>,
    pub undecodable: Vec<UndecodableNote>,
    pub clocks: Vec<ClockNote>,
    pub particulars: Particulars,
    /// The account's own, instead of the card's.
    pub tax: Option<AccountTax>,
    /// What earlier invoices charged too little.
    pub corrections: Vec<Correction>,
    /// What was given back of the invoice in whose place it is; see [`given_before`].
    pub given: Vec<Given>,
    pub coverage: Vec<Coverage>,
    pub previous_net: Option<Amount>,
    /// The invoice in whose place it is.
    pub replaced: Option<Corrected>,
    /// The taxes of the invoices that are corrected.
    pub taxed_before: Vec<Option<TaxLine>>,
}

/// The part of a line's span in which its space was the account's.
fn owned(line: &InvoiceLine, coverage: &[Coverage]) -> Option<Span> {
    let key = &line.key;
    let of = coverage.iter().filter(|one| {
        one.foundation == key.foundation && one.organization == key.organization.guid && one.space == key.space.guid
    });
    let span = line.span.within(of.map(|one| one.span).reduce(Span::hull)?);
    (span.from < span.to).then_some(span)
}

/// Makes an invoice of rated lines: each is rounded once; discounts, commitments and minimums follow, then what earlier
/// invoices charged too little; the net is the sum of all, and tax comes on top of that.
///
/// # Errors
/// [`AmountOverflow`].
pub fn invoice(header: Header, card: &RateCard, rated: &Rated) -> Result<Draft, AmountOverflow> {
    let mut lines = Vec::with_capacity(rated.lines.len() + rated.unpriced.len());
    let (mut net, mut estimated) = (Amount::default(), Amount::default());
    let mut amounts = Vec::with_capacity(rated.lines.len());
    for line in &rated.lines {
        let computed = || amount(line.quantity, line.price, line.unit_size, card.currency, card.rounding);
        let amount = line.share.map_or_else(computed, Ok)?;
        amounts.push(amount);
        net = net.plus(amount)?;
        if line.key.estimated {
            estimated = estimated.plus(amount)?;
        }
        lines.push(InvoiceLine::priced(line, amount));
    }
    lines.extend(rated.unpriced.iter().map(|line| InvoiceLine::unpriced(line, header.period)));
    let adjustments = adjust::adjustments(card, &header, net, &rated.lines, &amounts, &mut lines)?;
    lines.sort_by(|one, two| (&one.key, one.meter, one.span.from).cmp(&(&two.key, two.meter, two.span.from)));
    for adjustment in &adjustments {
        net = net.plus(adjustment.amount)?;
    }
    let mut corrections = items::kept(&header.given, &lines, &adjustments)?;
    corrections.extend(header.corrections.iter().cloned());
    for correction in &corrections {
        let amount = correction.amount()?;
        net = net.plus(amount)?;
        if correction.key.as_ref().is_some_and(|key| key.estimated) {
            estimated = estimated.plus(amount)?;
        }
    }
    let tax = adjust::tax(card, header.tax.as_ref(), header.period, net)?;
    let same_tax = |before: &Option<TaxLine>| TaxLine::is_same(before.as_ref(), tax.as_ref());
    let taxed_otherwise = header.taxed_before.iter().any(|before| !same_tax(before));
    for line in &mut lines {
        line.span = owned(line, &header.coverage).unwrap_or(line.span);
    }
    let notes = DraftNotes { taxed_otherwise, ..notes_of(&header) };
    let empty = without_lines(header, card.currency);
    let common = Common { corrections, net, tax, ..empty.common };
    Ok(Draft { invoice: Invoice { common, lines, adjustments, estimated, ..empty }, notes })
}

/// In an invoice's place where usage or amounts exceed what can be counted: it has no lines, and can't be final.
#[must_use]
pub fn uncountable(header: Header, currency: Currency, why: String) -> Draft {
    let notes = DraftNotes { uncountable: Some(why), ..notes_of(&header) };
    Draft { invoice: without_lines(header, currency), notes }
}

fn notes_of(header: &Header) -> DraftNotes {
    DraftNotes {
        undecodable: header.undecodable.clone(),
        clocks: header.clocks.clone(),
        previous_net: header.previous_net,
        ..DraftNotes::default()
    }
}

/// An invoice for nothing.
#[must_use]
pub fn without_lines(header: Header, currency: Currency) -> Invoice {
    let common = Common {
        account: header.account,
        account_name: header.account_name,
        seller: header.seller,
        month: header.month,
        period: header.period,
        time_zone: header.time_zone,
        currency,
        corrections: Vec::new(),
        particulars: header.particulars,
        net: Amount::default(),
        tax: None,
        rate_card: header.rate_card,
        rated_through: header.rated_through,
        rules: header.rules,
    };
    Invoice {
        common,
        lines: Vec::new(),
        adjustments: Vec::new(),
        estimated: Amount::default(),
        gaps: header.gaps,
        accepted: Vec::new(),
        coverage: header.coverage,
        replaced: header.replaced,
    }
}
