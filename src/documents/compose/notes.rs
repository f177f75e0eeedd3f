//! What stands below the totals: terms, why there is no tax, what is estimated or assumed, what has no price.
//! Owns which of it is said; never whether an invoice may be final.

use super::super::DocumentError;
use super::Composer;
use crate::documents::names::printable;
use crate::domain::{Amount, GapNote};

impl Composer<'_> {
    pub(super) fn notes(&self) -> Result<Vec<String>, DocumentError> {
        let (texts, document) = (self.locale.texts, self.document);
        let mut notes = self.terms()?;
        notes.extend(self.why_untaxed());
        if document.estimated() != Amount::default() {
            notes.push((texts.estimated_note)(&self.money(document.estimated())?));
        }
        let gaps = document.as_invoice().map_or(&[][..], |invoice| &invoice.gaps);
        notes.extend(gaps.iter().map(|gap| self.gap(gap)));
        let unpriced = document.lines().iter().filter(|line| line.charge.is_none()).count();
        notes.extend((unpriced > 0).then(|| (texts.unpriced)(unpriced)));
        Ok(notes)
    }

    fn terms(&self) -> Result<Vec<String>, DocumentError> {
        let (texts, payment) = (self.locale.texts, &self.document.particulars.payment);
        let mut terms = Vec::new();
        if self.is_credit_note() {
            return Ok(terms);
        }
        let gross = self.gross()?;
        if gross <= Amount::default() {
            terms.extend(self.issue.map(|_| texts.nothing_to_pay.to_owned()));
            return Ok(terms);
        }
        match self.issue {
            Some(issue) => {
                if let Some(date) = issue.due_on {
                    terms.push((texts.pay_by)(&self.money(gross)?, &self.locale.date(date)));
                }
            }
            None if payment.days > 0 => terms.push((texts.pay_within)(&payment.days.to_string())),
            None => {}
        }
        let more = payment.terms.as_deref().map(printable).filter(|more| !more.is_empty());
        terms.extend(more);
        Ok(terms)
    }

    /// What EN 16931 asks for (BT-120): in the language, and in the words that were given.
    fn why_untaxed(&self) -> Option<String> {
        let tax = self.document.tax.as_ref()?;
        let given = tax.exemption_reason.as_deref().map(printable).filter(|reason| !reason.is_empty());
        match (self.locale.texts.untaxed.of(&tax.category), given) {
            (Some(ours), Some(given)) if !ours.to_lowercase().contains(&given.to_lowercase()) => {
                Some(format!("{ours} ({given})."))
            }
            (Some(ours), _) => Some(format!("{ours}.")),
            (None, given) => given,
        }
    }

    fn gap(&self, gap: &GapNote) -> String {
        let (texts, reference) = (self.locale.texts, printable(&gap.reference));
        let from = self.locale.moment(gap.from, self.zone);
        match gap.settled_at {
            Some(until) => (texts.gap)(&reference, &from, &self.locale.moment(until, self.zone)),
            None => (texts.open_gap)(&reference, &from),
        }
    }
}
