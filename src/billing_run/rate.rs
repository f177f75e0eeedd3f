//! One pass over a month's usage, account by account, by as many cards as are asked about.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::basis::Basis;
use super::numbered::issue_of;
use super::payers::{Paid, Payers};
use super::{BillingError, BillingRun, Card, Meant};
use crate::accounts::{Account, Accounts};
use crate::domain::text::visible;
use crate::domain::{FoundationHead, Guid, Month, Span, Timestamp, is_too_large};
use crate::invoicing::{
    AccountTax, Corrected, Correction, Draft, DraftNotes, Given, Header, Invoice, given_before, invoice, uncountable,
};
use crate::rate_card::Whom;
use crate::rating::{Named, Piece, RULES, Rater};
use crate::store::{AccountsOf, MadeBy, Recalculation, StoredInvoice};

/// By what a month is rated: a card, and the rules of then.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    pub card: &'a Card,
    pub rules: u32,
}

impl<'a> By<'a> {
    /// By the rules of now.
    pub const fn now(card: &'a Card) -> Self {
        Self { card, rules: RULES }
    }
}

/// What an account's month comes to.
#[derive(Debug)]
pub(super) struct Computed {
    pub account: String,
    /// By each of what was asked for; `None`: by it there is nothing to charge.
    pub drafts: Vec<Option<Draft>>,
    /// What the first card's invoice rests on, if that was asked for.
    pub basis: Option<Vec<u8>>,
}

impl Computed {
    /// The account, and why its usage can't be counted, if it can't.
    pub fn uncountable(&self) -> Option<String> {
        let mut drafts = self.drafts.iter().flatten();
        let found = drafts.find_map(|draft| Some((&draft.invoice, draft.notes.uncountable.as_ref()?)));
        found.map(|(invoice, why)| format!("{}: {why}", invoice.account_name.as_ref().unwrap_or(&invoice.account)))
    }

    /// What the account's month comes to, by each of what was asked for.
    pub fn invoices(self) -> Vec<Option<Invoice>> {
        self.drafts.into_iter().map(|draft| draft.map(|draft| draft.invoice)).collect()
    }
}

/// An account whose usage is being added up.
struct Open<'a> {
    account: Arc<Account>,
    /// Whose usage it is charged for.
    places: BTreeSet<usize>,
    raters: Vec<Rater<'a>>,
    basis: Option<Basis>,
    /// What of its usage can't be added up: then nothing of it is charged.
    uncountable: Option<String>,
    /// Something of it that is larger than any foundation.
    too_large: Option<String>,
}

impl<'a> Open<'a> {
    fn new(account: Arc<Account>, bys: &[By<'a>], period: Span, run: &BillingRun<'_>, traced: bool) -> Self {
        let rater = |by: &By<'a>| Rater::new(&by.card.rates, &account.id, period, run.zone, by.rules);
        let mut raters: Vec<Rater<'a>> = bys.iter().map(rater).collect();
        if traced {
            raters = raters.into_iter().enumerate().map(|(at, one)| if at == 0 { one.traced() } else { one }).collect();
        }
        Self {
            account,
            places: BTreeSet::new(),
            raters,
            basis: traced.then(Basis::default),
            uncountable: None,
            too_large: None,
        }
    }

    /// Adds what was used of one resource. What can't be added up is this account's trouble alone.
    fn add(&mut self, pieces: &[Piece]) -> Result<(), BillingError> {
        if self.uncountable.is_some() {
            return Ok(());
        }
        let is_larger = |piece: &Piece| is_too_large(piece.instances, piece.memory_mib, piece.disk_mib);
        if self.too_large.is_none() && pieces.iter().any(is_larger) {
            self.too_large = Some(largest(pieces));
        }
        for (position, rater) in self.raters.iter_mut().enumerate() {
            if let Err(error) = rater.add(pieces) {
                self.uncountable = Some(format!("{error}, with {}", largest(pieces)));
                return Ok(());
            }
            if let (0, Some(basis)) = (position, &mut self.basis) {
                basis.add(&rater.take_trace())?;
            }
        }
        Ok(())
    }
}

/// The largest size that a resource had, for people.
fn largest(pieces: &[Piece]) -> String {
    let size = |piece: &&Piece| {
        let of = |one: i64| i128::from(piece.instances) * i128::from(one.max(1));
        of(piece.memory_mib).max(of(piece.disk_mib))
    };
    let Some(piece) = pieces.iter().max_by_key(size) else { return "nothing".to_owned() };
    let line = &piece.key.line;
    let named = line.service_instance.as_ref().or(line.app.as_ref()).map(Named::called).unwrap_or_default();
    format!(
        "{} `{}` ({}) in {}/{}/{}: {} instance(s) of {} MiB of memory and {} MiB of disk from {} to {}",
        line.kind.name(),
        visible(&named),
        piece.resource,
        line.foundation,
        visible(&line.organization.called()),
        visible(&line.space.called()),
        piece.instances,
        piece.memory_mib,
        piece.disk_mib,
        piece.span.from,
        piece.span.to
    )
}

impl BillingRun<'_> {
    /// Rates a month's usage; `traced`: tells what each invoice rests on, by the first of `bys`.
    pub(super) async fn rate<'a>(
        &self,
        bys: &[By<'a>],
        month: Month,
        meant: Option<&Meant>,
        traced: bool,
    ) -> Result<Vec<Computed>, BillingError> {
        let period = month.span(self.zone);
        let user_provided = bys.iter().any(|by| by.card.rates.prices_user_provided());
        let mut pieces = self.store.pieces(period, user_provided, self.goes_on.then_some(period.to)).await?;
        let gaps = self.store.gaps(None).await?;
        let undecodable = self.store.undecodable(period).await?;
        let clocks = self.store.clock_spans(None).await?;
        let paid = self.paid(month, &pieces.named_later).await?;
        let wanted = |of: &Account| meant.is_none_or(|meant| meant.may_be(of));
        let mut payers = Payers::new(&self.accounts, &paid, period);
        let mut open: BTreeMap<String, Open<'a>> = BTreeMap::new();
        while let Some(resources) = pieces.more().await? {
            for resource in resources {
                // Who moved with it pays each their part.
                for share in payers.split(resource) {
                    if !wanted(&share.account) {
                        continue;
                    }
                    let begun = open
                        .entry(share.account.id.clone())
                        .or_insert_with(|| Open::new(share.account.clone(), bys, period, self, traced));
                    begun.places.extend(share.places);
                    begun.add(&share.pieces)?;
                }
            }
        }
        // Who committed to pay does, also without usage; so does who was charged too little before.
        let committed = self.committed(bys);
        let pending = self.pending(month).await?;
        for id in committed.iter().chain(pending.iter().map(|(one, _)| &one.account)) {
            let payer = payers.account(id);
            if wanted(&payer) {
                open.entry(id.clone()).or_insert_with(|| Open::new(payer, bys, period, self, traced));
            }
        }
        if let Some(meant) = meant {
            let only = meant.among(open.keys())?;
            open.retain(|id, _| only.as_ref() == Some(id));
        }
        let previous = self.previous(month).await?;
        let reopened = self.store.reopened(month).await?;
        let mut computed = Vec::with_capacity(open.len());
        for (id, open) in open {
            let coverage = payers.coverage(&open.places, &id);
            let of_usage = coverage.iter().map(|covered| covered.foundation.clone());
            let foundations = open.account.foundations.iter().cloned().chain(of_usage);
            // Whom the file knows no more, and what was used is another's now, is charged for what was used then.
            let of_then = of_pending(&pending, &id).flat_map(|stored| stored.document.coverage());
            let foundations: BTreeSet<String> = foundations.chain(of_then.map(|one| one.foundation.clone())).collect();
            let of_payer = gaps.iter().filter(|gap| foundations.contains(&gap.foundation));
            let unread = undecodable.iter().filter(|note| foundations.contains(&note.foundation));
            let clocks_of_payer = clocks.iter().filter(|clock| foundations.contains(&clock.foundation));
            let is_final = paid.names.contains_key(&id);
            let replaced = match reopened.get(&id).filter(|_| !is_final) {
                Some(number) => self.store.invoice(number).await?,
                None => None,
            };
            let header = Header {
                gaps: of_payer.filter_map(|gap| gap.note(period)).collect(),
                undecodable: unread.cloned().collect(),
                clocks: clocks_of_payer.filter_map(|clock| clock.note(period)).collect(),
                rated_through: self.rated_through(&pieces.heads, &foundations),
                corrections: if is_final { Vec::new() } else { corrections_of(&pending, &id) },
                given: self.given_before(replaced.as_ref()).await?,
                replaced: replaced
                    .as_ref()
                    .and_then(issue_of)
                    .map(|issue| Corrected { number: issue.number, issued_on: Some(issue.issued_on) }),
                taxed_before: of_pending(&pending, &id).map(|stored| stored.document.tax.clone()).collect(),
                previous_net: previous.measure(&id, &foundations, &pieces.heads),
                coverage,
                ..self.header(&open.account, month, of_pending(&pending, &id).next())
            };
            computed.push(self.finish(&header, bys, open, committed.contains(&id))?);
        }
        Ok(computed)
    }

    /// Whose usage of a month is on final invoices, and by which names, labels and accounts they were made.
    async fn paid(&self, month: Month, named_later: &HashSet<Guid>) -> Result<Paid, BillingError> {
        let mut paid = Paid::new(self.store.invoiced(month).await?);
        if paid.names.is_empty() {
            return Ok(paid);
        }
        if !named_later.is_empty() {
            paid.note_names(self.store.invoiced_names(month).await?, named_later);
        }
        for MadeBy { file, accounts: of } in self.store.accounts_of(month).await? {
            let accounts = match file {
                // Earlier versions kept none: the file of now is all there is.
                AccountsOf::Unknown => self.accounts.clone(),
                AccountsOf::Nobody => Accounts::default(),
                AccountsOf::File(text) => Accounts::parse("the accounts of final invoices", &text, self.zone)
                    .map_err(BillingError::Accounts)?,
            };
            paid.made_by.push((accounts, of));
        }
        Ok(paid)
    }

    fn finish(
        &self,
        header: &Header,
        bys: &[By<'_>],
        open: Open<'_>,
        is_committed: bool,
    ) -> Result<Computed, BillingError> {
        let Open { raters, basis, uncountable: of_usage, too_large, .. } = open;
        let account = header.account.clone();
        let mut drafts = Vec::with_capacity(bys.len());
        for (By { card, rules }, rater) in bys.iter().copied().zip(raters) {
            self.same_currency(&account, card)?;
            let header = Header { rate_card: card.stored.hash.clone(), rules, ..header.clone() };
            let rated = match &of_usage {
                Some(why) => Err(why.clone()),
                None => rater.finish().map_err(|error| error.to_string()),
            };
            let made = rated.and_then(|rated| {
                invoice(header.clone(), &card.rates, &rated).map_err(|error| format!("{error} in {}", header.month))
            });
            let Draft { invoice, notes } = match made {
                Ok(draft) => draft,
                Err(why) => {
                    drafts.push(Some(uncountable(header, card.rates.currency, why)));
                    continue;
                }
            };
            // A minimum for everyone is for everyone who used something.
            let is_something = !invoice.lines.is_empty()
                || !invoice.corrections.is_empty()
                || is_committed && !invoice.adjustments.is_empty();
            let notes = DraftNotes { too_large: too_large.clone(), ..notes };
            drafts.push(is_something.then_some(Draft { invoice, notes }));
        }
        Ok(Computed { account, drafts, basis: basis.map(Basis::finish).transpose()? })
    }

    fn same_currency(&self, account: &str, card: &Card) -> Result<(), BillingError> {
        let wanted = self.accounts.get(account).and_then(|account| account.currency);
        match wanted.filter(|wanted| *wanted != card.rates.currency) {
            None => Ok(()),
            Some(wanted) => Err(BillingError::Currency {
                account: account.to_owned(),
                wanted: wanted.to_string(),
                card: card.rates.currency.to_string(),
            }),
        }
    }

    /// What an account's invoices of a month all say.
    fn header(&self, account: &Account, month: Month, invoiced: Option<&StoredInvoice>) -> Header {
        // Whom the file knows no more is who it was.
        let gone = invoiced.filter(|_| self.accounts.get(&account.id).is_none() && !account.id.contains('/'));
        let known = gone.map_or(&account.particulars, |stored| &stored.document.particulars);
        let own_tax = gone.and_then(|stored| stored.document.tax.as_ref()).map(|tax| AccountTax {
            category: tax.category.clone(),
            percent: Some(tax.percent),
            exemption_reason: tax.exemption_reason.clone(),
        });
        Header {
            account_name: match gone {
                Some(stored) => stored.document.account_name.clone(),
                None => Some(account.name.clone()).filter(|name| !account.id.ends_with(&format!("/{name}"))),
            },
            tax: own_tax.or_else(|| account.tax.clone()),
            ..self.sender.header(&account.id, known, month, self.zone)
        }
    }

    /// What was given back by decision of the invoice that is to be made anew: it isn't charged once more.
    async fn given_before(&self, reopened: Option<&StoredInvoice>) -> Result<Vec<Given>, BillingError> {
        let Some((stored, invoice)) = reopened.and_then(|stored| Some((stored, stored.document.as_invoice()?))) else {
            return Ok(Vec::new());
        };
        let number = stored.number.clone().unwrap_or_default();
        let past = self.store.corrections_of(&number).await?;
        Ok(given_before(&number, invoice, &past)?)
    }

    /// The configured accounts that a card has a commitment or minimum for.
    fn committed(&self, bys: &[By<'_>]) -> Vec<String> {
        let floors = bys.iter().flat_map(|by| &by.card.rates.floors);
        let named = floors.filter_map(|floor| match &floor.whom {
            Whom::Account(account) => self.accounts.get(account),
            _ => None,
        });
        named.map(|account| account.id.clone()).collect()
    }

    /// Usage in all of these foundations is complete up to here.
    fn rated_through(&self, heads: &[FoundationHead], foundations: &BTreeSet<String>) -> Option<Timestamp> {
        let through = |foundation: &String| {
            let head = heads.iter().find(|head| head.name == *foundation)?;
            head.rated_through(self.sweep_window_seconds)
        };
        foundations.iter().map(through).min().flatten()
    }
}

fn corrections_of(pending: &[(Recalculation, StoredInvoice)], account: &str) -> Vec<Correction> {
    pending.iter().filter(|(one, _)| one.account == account).flat_map(|(one, _)| one.corrections.clone()).collect()
}

/// The invoices that an account's pending corrections are of.
fn of_pending<'a>(
    pending: &'a [(Recalculation, StoredInvoice)],
    account: &'a str,
) -> impl Iterator<Item = &'a StoredInvoice> {
    pending.iter().filter(move |(one, _)| one.account == account).map(|(_, stored)| stored)
}
