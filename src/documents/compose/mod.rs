//! An invoice or credit note in words: what HTML and PDF show, in the document's language.
//! Owns what a document says and where; never computes an amount that isn't a sum of the invoice's.

mod annex;
mod corrections;
mod groups;
mod notes;
mod parties;
mod summary;

use chrono_tz::Tz;

use super::language::Locale;
use super::names::printable;
use super::view::{Total, View, ViewFact};
use super::{DocumentError, Issue, ToRender, chart};
use crate::domain::period::date_of;
use crate::domain::{Amount, AmountOverflow};
use crate::invoicing::{Corrected, CreditNote, Document, DocumentKind, DocumentRef};

/// The accent where a seller has no colour of their own.
pub const COLOUR: &str = "#1f4e79";

/// Composes what a document says.
///
/// # Errors
/// [`DocumentError::Failed`] if the invoice doesn't add up, leaves the range of amounts, or is of an unknown time zone:
/// nothing that doesn't add up is printed.
pub fn compose(subject: &ToRender<'_>) -> Result<View, DocumentError> {
    let composer = Composer::new(subject);
    composer.must_add_up()?;
    let texts = composer.locale.texts;
    Ok(View {
        language: composer.locale.language().code(),
        colour: colour(subject.look.colour.as_deref()).to_owned(),
        title: composer.title().to_owned(),
        number: composer.number(),
        watermark: composer.issue.is_none().then(|| texts.watermark.to_owned()),
        date: composer
            .issue
            .map_or_else(|| date_of(subject.drafted_at, composer.zone), |issue| issue.issued_on)
            .to_string(),
        sender: composer.sender(),
        recipient: composer.recipient(),
        facts: composer.facts(),
        introduction: composer.introduction(),
        summary: composer.summary()?,
        totals: composer.totals()?,
        notes: composer.notes()?,
        payment: composer.payment()?,
        chart: match subject.document {
            Document::Invoice(invoice) => chart::chart(invoice, composer.locale, composer.zone)?,
            Document::CreditNote(_) => None,
        },
        annex_title: texts.annex.to_owned(),
        annex: composer.annex()?,
        footer: composer.footer(),
        page_label: texts.page.to_owned(),
    })
}

/// A seller's colour, or ours if it is none such as `#1f4e79`.
pub(super) fn colour(wanted: Option<&str>) -> &str {
    let is_colour = |text: &&str| {
        let digits = text.strip_prefix('#').unwrap_or_default();
        digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    wanted.filter(is_colour).unwrap_or(COLOUR)
}

/// What all parts of a document are composed from.
struct Composer<'a> {
    subject: ToRender<'a>,
    document: DocumentRef<'a>,
    issue: Option<&'a Issue>,
    locale: Locale,
    zone: Tz,
}

fn overflow(error: AmountOverflow) -> DocumentError {
    DocumentError::Failed(error.to_string())
}

impl<'a> Composer<'a> {
    fn new(subject: &ToRender<'a>) -> Self {
        let document = subject.document;
        let zone = document.time_zone;
        let locale = Locale::of(document.particulars.language);
        Self { subject: *subject, document, issue: subject.issue, locale, zone }
    }

    const fn is_credit_note(&self) -> bool {
        matches!(self.document, Document::CreditNote(_))
    }

    /// As the document shows it: what a credit note gives back is positive on it.
    fn shown(&self, amount: Amount) -> Result<Amount, DocumentError> {
        if !self.is_credit_note() {
            return Ok(amount);
        }
        amount.0.checked_neg().map(Amount).ok_or(overflow(AmountOverflow))
    }

    /// For columns that name the currency.
    fn bare(&self, amount: Amount) -> Result<String, DocumentError> {
        Ok(self.locale.bare_amount(self.shown(amount)?, self.document.currency))
    }

    /// With the currency.
    fn money(&self, amount: Amount) -> Result<String, DocumentError> {
        Ok(self.locale.amount(self.shown(amount)?, self.document.currency))
    }

    fn gross(&self) -> Result<Amount, DocumentError> {
        self.document.gross().map_err(overflow)
    }

    /// All that is shown above the net comes to it.
    fn must_add_up(&self) -> Result<(), DocumentError> {
        let document = self.document;
        let mut sum = Amount::default();
        for charge in document.lines().iter().filter_map(|line| line.charge.as_ref()) {
            sum = sum.plus(charge.amount).map_err(overflow)?;
        }
        for adjustment in document.adjustments() {
            sum = sum.plus(adjustment.amount).map_err(overflow)?;
        }
        for correction in &document.corrections {
            sum = sum.plus(correction.amount().map_err(overflow)?).map_err(overflow)?;
        }
        if sum == document.net {
            return Ok(());
        }
        let major = |amount: Amount| amount.in_major_units(document.currency);
        let (sum, net) = (major(sum), major(document.net));
        Err(DocumentError::Failed(format!("lines, adjustments and corrections come to {sum}, the net is {net}")))
    }

    const fn title(&self) -> &'static str {
        let texts = self.locale.texts;
        match (self.document.kind(), self.issue.is_some()) {
            (DocumentKind::Invoice, true) => texts.invoice,
            (DocumentKind::Invoice, false) => texts.draft_invoice,
            (DocumentKind::CreditNote, true) => texts.credit_note,
            (DocumentKind::CreditNote, false) => texts.draft_credit_note,
        }
    }

    /// A draft has none: account and month tell it from others.
    fn number(&self) -> String {
        let draft = || printable(&format!("{} {}", self.document.account, self.document.month));
        self.issue.map_or_else(draft, |issue| printable(&issue.number))
    }

    fn facts(&self) -> Vec<ViewFact> {
        let (texts, locale, document) = (self.locale.texts, self.locale, self.document);
        let particulars = &document.particulars;
        let number_label = if self.is_credit_note() { texts.credit_note_number } else { texts.invoice_number };
        let named = |of: &Corrected| match of.issued_on {
            Some(date) => (texts.number_of_date)(&of.number, &locale.date(date)),
            None => of.number.clone(),
        };
        let replaced = document.as_invoice().and_then(|invoice| invoice.replaced.as_ref());
        let facts = [
            (number_label, self.issue.map(|issue| issue.number.clone())),
            (texts.credited_invoice, document.as_credit_note().map(|note| named(&note.corrects))),
            (texts.replaced_invoice, replaced.map(named)),
            (texts.issue_date, self.issue.map(|issue| locale.date(issue.issued_on))),
            (texts.due_date, self.issue.and_then(|issue| issue.due_on).map(|date| locale.date(date))),
            (texts.computed_at, self.issue.is_none().then(|| locale.moment(self.subject.drafted_at, self.zone))),
            (
                texts.billing_period,
                Some(format!("{} ({})", locale.days(document.period, self.zone), document.time_zone)),
            ),
            (texts.account, Some(document.account.clone())),
            (texts.purchase_order, particulars.purchase_order.clone()),
            (texts.cost_centre, particulars.cost_centre.clone()),
            (texts.buyer_reference, particulars.buyer_reference.clone()),
            (texts.your_vat_id, particulars.buyer.vat_id.clone()),
            (texts.our_vat_id, particulars.seller.vat_id.clone()),
        ];
        facts.into_iter().filter_map(|(label, value)| fact(label, value.as_deref())).collect()
    }

    fn introduction(&self) -> Vec<String> {
        let (texts, locale, document) = (self.locale.texts, self.locale, self.document);
        let mut paragraphs = Vec::new();
        if self.issue.is_none() {
            paragraphs.push(texts.draft_notice.to_owned());
            let incomplete = document.rated_through.filter(|through| *through < document.period.to);
            paragraphs.extend(incomplete.map(|through| (texts.complete_up_to)(&locale.moment(through, self.zone))));
        }
        let month = locale.month(document.month);
        match document {
            Document::Invoice(invoice) => {
                let is_empty =
                    invoice.lines.is_empty() && invoice.adjustments.is_empty() && invoice.corrections.is_empty();
                paragraphs.push(if is_empty { (texts.nothing_charged)(&month) } else { (texts.introduction)(&month) });
            }
            Document::CreditNote(CreditNote { corrects, reason, .. }) => {
                // Not known only where the invoice isn't in the book any more.
                let issued_on = corrects.issued_on.map_or_else(|| "–".to_owned(), |date| locale.date(date));
                paragraphs.push((texts.credit_introduction)(&printable(&corrects.number), &issued_on, &month));
                let reason = Some(reason).filter(|reason| !reason.trim().is_empty());
                paragraphs.extend(reason.map(|reason| (texts.credit_reason)(&printable(reason))));
            }
        }
        paragraphs
    }

    fn totals(&self) -> Result<Vec<Total>, DocumentError> {
        let (texts, document) = (self.locale.texts, self.document);
        let mut totals = Vec::new();
        let mut push = |label: String, amount: Amount, strong| {
            self.money(amount).map(|amount| totals.push(Total { label, amount, strong }))
        };
        if let Some(tax) = &document.tax {
            let net = if self.is_credit_note() { texts.net_credited } else { texts.net };
            push(net.to_owned(), document.net, false)?;
            // The tax's usual name has one in each language.
            let name = if tax.name == "VAT" { texts.vat.to_owned() } else { printable(&tax.name) };
            let label = (texts.tax)(&name, &self.locale.percent(tax.percent));
            push(label, tax.amount, false)?;
        }
        let gross = self.gross()?;
        let label = match (self.is_credit_note(), self.issue) {
            (true, _) => texts.credited,
            (false, Some(_)) if gross > Amount::default() => texts.to_pay,
            (false, _) => texts.total,
        };
        push(label.to_owned(), gross, true)?;
        Ok(totals)
    }
}

/// `None` where there is nothing to say.
fn fact(label: &str, value: Option<&str>) -> Option<ViewFact> {
    let value = printable(value?);
    (!value.is_empty()).then(|| ViewFact { label: label.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::{COLOUR, colour};

    #[test]
    fn only_colours_are_colours() {
        for (wanted, used) in [
            (Some("#aB0190"), "#aB0190"),
            (Some("#aB019"), COLOUR),
            (Some("#aB01900"), COLOUR),
            (Some("aB0190f"), COLOUR),
            (Some("#ab019g"), COLOUR),
            (Some("red;}"), COLOUR),
            (None, COLOUR),
        ] {
            assert_eq!(colour(wanted), used);
        }
    }
}
