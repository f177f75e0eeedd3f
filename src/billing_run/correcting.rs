//! What final invoices cost now beside what was invoiced, and credit notes.

use super::issuing::{Making, NotBefore};
use super::numbered::issue_of;
use super::rate::{By, Computed};
use super::{BillingError, BillingRun, Card, Meant};
use crate::documents::Issue;
use crate::domain::{Amount, Month};
use crate::invoicing::{
    Common, Corrected, Correction, CorrectionCause, Credit, CreditError, Credited, Document, Invoice, NoteHeader,
    TaxLine, compare, credit, credit_note, net_of,
};
use crate::store::{FinalInvoice, Issuing, Recalculation, StoredCard, StoredInvoice};

/// What of an invoice is to be corrected.
#[derive(Debug)]
pub enum CorrectionRequest {
    /// Given back, whatever was used.
    Credit(Credit),
    /// As far as its period costs something else now; by another card, if one is given.
    Difference(Option<Box<Card>>),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreditOutcome {
    /// A credit note of that number.
    Note(String),
    /// It costs so much more: that goes on the account's next invoice.
    Charged(Amount),
    /// It costs the same by the card given, and is compared by it from now on.
    Same,
}

/// The invoice of a period in which nothing was used after all.
fn nothing(invoiced: &Invoice, rate_card: &str) -> Invoice {
    let (lines, adjustments) = (Vec::new(), Vec::new());
    let common = Common { rate_card: rate_card.to_owned(), ..invoiced.common.clone() };
    Invoice { common, lines, adjustments, ..invoiced.clone() }
}

impl BillingRun<'_> {
    /// The cards, but the one in use, that final invoices are to be compared by.
    pub(super) async fn cards_of(&self, finals: &[FinalInvoice]) -> Result<Vec<Card>, BillingError> {
        let mut cards: Vec<Card> = Vec::new();
        for invoice in finals {
            let hash = &invoice.rate_card;
            let known = std::iter::once(self.card).chain(&cards).any(|card| card.stored.hash == *hash);
            if !known {
                cards.push(self.stored_card(hash).await?);
            }
        }
        Ok(cards)
    }

    async fn stored_card(&self, hash: &str) -> Result<Card, BillingError> {
        let unread = |reason: String| super::CardError::Read {
            file: format!("the card {hash} of final invoices"),
            reason,
            hint: "restore the database from a backup",
        };
        let stored: Option<StoredCard> = self.store.card(hash).await?;
        let stored = stored.ok_or_else(|| unread("it isn't kept".to_owned()))?;
        Card::parse("the card of final invoices", stored.text, self.zone)
            .map_err(|problems| unread(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")).into())
    }

    /// By what a month with these final invoices is rated: the card in use and the rules of now, and whatever each of them
    /// is to be compared by, once.
    pub(super) fn bys<'a>(&'a self, finals: &[FinalInvoice], used: &'a [Card]) -> Vec<By<'a>> {
        let mut bys = vec![By::now(self.card)];
        for invoice in finals {
            let card = std::iter::once(self.card).chain(used).find(|card| card.stored.hash == invoice.rate_card);
            let known = |by: &By<'_>| by.card.stored.hash == invoice.rate_card && by.rules == invoice.rules;
            if let Some(card) = card
                && !bys.iter().any(known)
            {
                bys.push(By { card, rules: invoice.rules });
            }
        }
        bys
    }

    /// Compares final invoices with what their period comes to now, each by its own card and rules.
    pub(super) async fn recalculate(
        &self,
        finals: &[FinalInvoice],
        bys: &[By<'_>],
        mut computed: Vec<(i64, Vec<Option<Invoice>>)>,
    ) -> Result<Vec<Recalculation>, BillingError> {
        let mut recalculations = Vec::new();
        for invoice in finals {
            let is_its = |by: &By<'_>| by.card.stored.hash == invoice.rate_card && by.rules == invoice.rules;
            let by_card = bys.iter().position(is_its);
            let of_invoice = computed.iter_mut().find(|(of, _)| *of == invoice.id).map(|(_, invoices)| invoices);
            let now = of_invoice.zip(by_card).and_then(|(invoices, card)| invoices.get_mut(card)?.take());
            // What comes to the same is most of them: their lines needn't be read.
            let comes_to = now.as_ref().map_or(Amount::default(), |now| now.net);
            if comes_to == invoice.charged && !invoice.pinned && !invoice.is_given {
                continue;
            }
            let Some(stored) = self.store.invoice(&invoice.id.to_string()).await? else { continue };
            let corrections = match stored.document.as_invoice() {
                Some(invoiced) => self.compared(&invoice.number, invoiced, now, &invoice.rate_card).await?,
                None => continue,
            };
            let net = net_of(&corrections)?;
            if net != Amount::default() || invoice.pinned {
                recalculations.push(Recalculation {
                    invoice_id: invoice.id,
                    number: invoice.number.clone(),
                    account: invoice.account.clone(),
                    month: stored.document.month,
                    rate_card: invoice.rate_card.clone(),
                    pinned: invoice.pinned,
                    reason: invoice.reason.clone(),
                    currency: stored.document.currency,
                    net,
                    corrections,
                });
            }
        }
        Ok(recalculations)
    }

    async fn compared(
        &self,
        number: &str,
        invoiced: &Invoice,
        now: Option<Invoice>,
        rate_card: &str,
    ) -> Result<Vec<Correction>, BillingError> {
        let past = self.store.corrections_of(number).await?;
        let now = now.unwrap_or_else(|| nothing(invoiced, rate_card));
        let corrections = compare(number, invoiced, &past, &now)?;
        // Earlier versions kept no labels and owners beside an invoice: what moved without other use, or another card, was
        // moved by what was said later.
        let became_known =
            |one: &Correction| !matches!(one.cause, CorrectionCause::Shared | CorrectionCause::Adjustment);
        let is_known = invoiced.rules >= 2 || corrections.iter().any(became_known);
        Ok(if is_known { corrections } else { Vec::new() })
    }

    /// Corrects a final invoice: by a credit note, final at once, or, where it costs more than was invoiced, with the
    /// account's next invoice.
    ///
    /// # Errors
    /// [`BillingError`].
    pub async fn credit(
        &self,
        stored: &StoredInvoice,
        what: CorrectionRequest,
        reason: &str,
    ) -> Result<CreditOutcome, BillingError> {
        let Some(Issue { number, issued_on, .. }) = issue_of(stored) else {
            return Err(BillingError::NotFinal(stored.id.to_string()));
        };
        let Some(invoiced) = stored.document.as_invoice() else {
            return Err(match what {
                CorrectionRequest::Credit(_) => CreditError::NotAnInvoice { number }.into(),
                CorrectionRequest::Difference(_) => BillingError::Reopened { number },
            });
        };
        let reopens = matches!(what, CorrectionRequest::Credit(Credit::Anew));
        if self.store.credit_notes_of(&number).await?.iter().any(|note| note.document.reopens()) {
            return Err(BillingError::Reopened { number });
        }
        let past = self.store.corrections(&number).await?;
        let (corrections, card) = match what {
            CorrectionRequest::Credit(of) => {
                let corrections = credit(&number, invoiced, &past, &of)?;
                self.within(&number, invoiced, &of, &corrections).await?;
                (corrections, self.stored_card(&invoiced.rate_card).await?.stored)
            }
            CorrectionRequest::Difference(card) => {
                let given = card.is_some();
                let (corrections, card) = self.difference(stored.id, &number, invoiced, card).await?;
                let net = net_of(&corrections)?;
                if net >= Amount::default() {
                    if given {
                        self.pin(stored, &card, corrections, past.own.len(), reason).await?;
                    } else if net == Amount::default() {
                        return Err(BillingError::NoDifference { number });
                    }
                    return Ok(if net == Amount::default() {
                        CreditOutcome::Same
                    } else {
                        CreditOutcome::Charged(net)
                    });
                }
                (corrections, card)
            }
        };
        let corrects = Corrected { issued_on: Some(issued_on), number: number.clone() };
        let header = NoteHeader { corrects, reason: reason.to_owned(), reopens };
        let credited = self.credited(&number).await?;
        let note = credit_note(invoiced, header, corrections, credited, card.hash.clone())?;
        let making = Making {
            series: &self.credit_note_series,
            document: Document::CreditNote(&note),
            not_before: NotBefore::Invoice(issued_on),
            basis: None,
        };
        let take = async |issuing: Issuing<'_>| self.store.credit(&card, &note, past.count(), &issuing).await;
        let number = self.make_final(making, take).await?;
        Ok(CreditOutcome::Note(number.expect("a credit note isn't final before it is made")))
    }

    /// Refuses to give back by decision more than the invoice charged.
    async fn within(
        &self,
        number: &str,
        invoiced: &Invoice,
        of: &Credit,
        corrections: &[Correction],
    ) -> Result<(), BillingError> {
        let credited = self.credited(number).await?.net;
        let left = invoiced.net.plus(credited)?;
        let off = net_of(corrections)?;
        if *of != Credit::Anew && left.plus(off)? < Amount::default() {
            let major = |amount: Amount| amount.in_major_units(invoiced.currency).to_string();
            let (number, asked, left) = (number.to_owned(), major(Amount(-off.0)), major(left));
            return Err(CreditError::MoreThanLeft { number, asked, left }.into());
        }
        Ok(())
    }

    /// What an invoice's period costs now less what was invoiced, by a card given or its own.
    async fn difference(
        &self,
        id: i64,
        number: &str,
        invoiced: &Invoice,
        card: Option<Box<Card>>,
    ) -> Result<(Vec<Correction>, StoredCard), BillingError> {
        let (month, account): (Month, &str) = (invoiced.month, &invoiced.account);
        let finals = self.store.finals(month).await?;
        let Some(of) = finals.iter().find(|of| of.id == id) else {
            return Err(BillingError::Reopened { number: number.to_owned() });
        };
        if of.time_zone != self.zone {
            let number = number.to_owned();
            return Err(BillingError::OtherZone { number, zone: of.time_zone.name().to_owned() });
        }
        let (own, given) = (self.stored_card(&of.rate_card).await?, card);
        let mut bys = vec![By { card: &own, rules: of.rules }];
        bys.extend(given.as_deref().map(|card| By { card, rules: of.rules }));
        let computed = self.rate(&bys, month, Some(&Meant::Id(account.to_owned())), false).await?;
        let of_account = computed.into_iter().find(|computed| computed.account == *account);
        if let Some(why) = of_account.as_ref().and_then(Computed::uncountable) {
            return Err(BillingError::Uncountable(why));
        }
        let mut invoices = of_account.map(Computed::invoices).unwrap_or_default();
        let now = invoices.pop().flatten();
        if let (Some(Some(before)), Some(now)) = (invoices.first(), &now)
            && !TaxLine::is_same(before.tax.as_ref(), now.tax.as_ref())
        {
            let words = |tax: &Option<TaxLine>| tax.as_ref().map_or_else(|| "no tax".to_owned(), TaxLine::words);
            let (number, before, now) = (number.to_owned(), words(&before.tax), words(&now.tax));
            return Err(BillingError::OtherTax { number, before, now });
        }
        let card = given.map_or(own, |card| *card);
        let corrections = self.compared(number, invoiced, now, &card.stored.hash).await?;
        Ok((corrections, card.stored))
    }

    async fn pin(
        &self,
        stored: &StoredInvoice,
        card: &StoredCard,
        corrections: Vec<Correction>,
        past: usize,
        reason: &str,
    ) -> Result<(), BillingError> {
        let recalculation = Recalculation {
            invoice_id: stored.id,
            number: stored.number.clone().unwrap_or_default(),
            account: stored.document.account.clone(),
            month: stored.document.month,
            rate_card: card.hash.clone(),
            pinned: true,
            reason: Some(reason.to_owned()),
            currency: stored.document.currency,
            net: net_of(&corrections)?,
            corrections,
        };
        Ok(self.store.pin_recalculation(card, &recalculation, past, self.clock.now()).await?)
    }

    /// What credit notes of an invoice came to so far.
    async fn credited(&self, number: &str) -> Result<Credited, BillingError> {
        let mut credited = Credited::default();
        for note in self.store.credit_notes_of(number).await? {
            credited.net = credited.net.plus(note.document.net)?;
            let tax = note.document.tax.as_ref().map_or(Amount::default(), |tax| tax.amount);
            credited.tax = credited.tax.plus(tax)?;
        }
        Ok(credited)
    }
}
