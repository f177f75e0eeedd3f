//! What the month before is worth as a measure: only a month that an account had from its first second to its last.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{BillingError, BillingRun};
use crate::domain::{Amount, FoundationHead, Month, Span};
use crate::invoicing::{Coverage, Document, Status};
use crate::store::InvoiceFilter;

/// Accounts' invoices of a month: final ones before drafts.
#[derive(Debug)]
pub(super) struct Previous {
    period: Span,
    of: HashMap<String, Before>,
}

#[derive(Debug)]
struct Before {
    net: Amount,
    foundations: BTreeSet<String>,
    is_full: bool,
}

impl Previous {
    /// What an account's month is measured by; `None`: it had none, or had or was read only for a part of it.
    pub fn measure(&self, account: &str, foundations: &BTreeSet<String>, heads: &[FoundationHead]) -> Option<Amount> {
        let before = self.of.get(account).filter(|before| before.is_full)?;
        // What ran before the epoch isn't known, so it isn't on that invoice.
        let began_later = |name: &String| {
            let head = heads.iter().find(|head| head.name == *name);
            head.and_then(|head| head.current_settings().billing_epoch).is_some_and(|epoch| epoch > self.period.from)
        };
        let partly = foundations.iter().chain(&before.foundations).any(began_later);
        (!partly).then_some(before.net)
    }
}

/// Whether every space was the account's for the whole period.
fn is_full(coverage: &[Coverage], period: Span) -> bool {
    let mut seconds: BTreeMap<(&str, &crate::domain::Guid, &crate::domain::Guid), i64> = BTreeMap::new();
    for one in coverage {
        let within = one.span.within(period);
        *seconds.entry((&one.foundation, &one.organization, &one.space)).or_default() +=
            within.to.seconds_since(within.from);
    }
    seconds.values().all(|owned| *owned == period.to.seconds_since(period.from))
}

impl BillingRun<'_> {
    /// The invoices of the month before.
    pub(super) async fn previous(&self, month: Month) -> Result<Previous, BillingError> {
        let month = month.previous();
        let period = month.span(self.zone);
        let filter = InvoiceFilter { month: Some(month), ..InvoiceFilter::default() };
        let mut coverage = self.store.coverage_of(month).await?;
        let mut of = HashMap::new();
        for stored in self.store.invoices(&filter).await? {
            let Document::Invoice(invoice) = stored.document else { continue };
            let covered = coverage.remove(&stored.id).unwrap_or_default();
            let is_known = stored.status == Status::Final
                || invoice.rated_through.is_some_and(|through| through >= invoice.period.to);
            let of_month = Before {
                net: invoice.net,
                foundations: covered.iter().map(|one| one.foundation.clone()).collect(),
                is_full: is_known && is_full(&covered, invoice.period),
            };
            // The one that replaces another comes later.
            of.insert(invoice.common.account, of_month);
        }
        Ok(Previous { period, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Guid, Timestamp};

    #[test]
    fn a_month_is_full_if_every_space_was_the_accounts_from_its_first_second_to_its_last() {
        let span = |from: i64, to: i64| Span { from: Timestamp::from_unix(from), to: Timestamp::from_unix(to) };
        let of = |space: &str, from, to| Coverage {
            foundation: "f".to_owned(),
            organization: Guid::new("o"),
            space: Guid::new(space),
            span: span(from, to),
            labels: None,
        };
        let period = span(0, 100);
        for (coverage, expected) in [
            (vec![of("s", 0, 100)], true),
            (vec![of("s", 1, 100)], false),
            (vec![of("s", 0, 99)], false),
            (vec![of("s", 0, 40), of("s", 40, 100)], true),
            (vec![of("s", 0, 40), of("s", 41, 100)], false),
            (vec![of("s", 0, 100), of("t", 50, 100)], false),
            (vec![of("s", -5, 105)], true),
            (vec![], true),
        ] {
            assert_eq!(is_full(&coverage, period), expected, "{coverage:?}");
        }
    }
}
