//! Our invoices beside the simulated foundation's own account of what was used.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Amount, AmountOverflow, Kind, Span};
use crate::rate_card::Meter;
use crate::simulator::Foundation;
use crate::simulator::prices::{Payer, Prices};
use crate::store::StoredInvoice;

/// Both totals, with discounts and tax, in cents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pub ours: i64,
    pub theirs: i64,
    /// Of the difference, what lies in things whose usage isn't marked estimated.
    pub unexplained: i64,
    /// That, thing by thing, for people.
    pub where_unexplained: Vec<String>,
}

/// What both sides can be added up by: organization, space, kind, app or service instance, plan, buildpack, meter.
type Thing = (String, String, Kind, String, Option<String>, Option<String>, usize);

/// Whose use it is: an estimated one may be under another buildpack than the true one.
fn user(thing: &Thing) -> (Kind, String) {
    (thing.2, thing.3.clone())
}

impl Comparison {
    /// Compares thing by thing, so that nothing makes up for anything else.
    ///
    /// # Errors
    /// [`AmountOverflow`] if an invoice's total with tax is none.
    pub fn of(
        invoices: &[StoredInvoice],
        foundation: &Foundation,
        prices: &Prices,
        payers: &[Payer],
        period: Span,
    ) -> Result<Self, AmountOverflow> {
        let mut ours: BTreeMap<Thing, i64> = BTreeMap::new();
        let mut estimated = BTreeSet::new();
        for line in invoices.iter().flat_map(|stored| stored.document.lines()) {
            let key = &line.key;
            let owner = key.service_instance.as_ref().or(key.app.as_ref());
            let thing = (
                key.organization.guid.to_string(),
                key.space.guid.to_string(),
                key.kind,
                owner.map(|owner| owner.guid.to_string()).unwrap_or_default(),
                key.service_plan.as_ref().map(|plan| plan.guid.to_string()),
                key.buildpack.clone(),
                match line.meter {
                    Meter::Month | Meter::Staging => continue,
                    Meter::InstanceHour => 0,
                    Meter::MemoryGibHour => 1,
                    Meter::DiskGibHour => 2,
                },
            );
            if key.estimated {
                estimated.insert(user(&thing));
            }
            *ours.entry(thing).or_default() += line.charge.as_ref().map_or(0, |charge| charge.amount.0);
        }
        let mut theirs: BTreeMap<Thing, i64> = BTreeMap::new();
        let bills = prices.bills(&foundation.world, payers, period.from, period.to);
        for ((key, _, meter), cents) in bills.iter().flat_map(|bill| &bill.lines) {
            let key = key.clone();
            let thing = (key.organization, key.space, key.kind, key.owner, key.plan, key.buildpack, *meter);
            *theirs.entry(thing).or_default() += cents;
        }
        let things: BTreeSet<&Thing> = ours.keys().chain(theirs.keys()).collect();
        let difference = |thing: &Thing| {
            ours.get(thing).copied().unwrap_or_default() - theirs.get(thing).copied().unwrap_or_default()
        };
        let exact: Vec<&Thing> =
            (things.into_iter()).filter(|thing| !estimated.contains(&user(thing)) && difference(thing) != 0).collect();
        let totals = invoices.iter().try_fold(Amount::default(), |sum, stored| sum.plus(stored.document.gross()?))?;
        Ok(Self {
            ours: totals.0,
            theirs: bills.iter().map(|bill| bill.total).sum(),
            unexplained: exact.iter().map(|thing| difference(thing).abs()).sum(),
            where_unexplained: (exact.into_iter())
                .map(|thing| {
                    let cents = |side: &BTreeMap<Thing, i64>| side.get(thing).copied().unwrap_or_default();
                    format!("{thing:?}: {} cents here, {} there", cents(&ours), cents(&theirs))
                })
                .collect(),
        })
    }

    pub const fn difference(&self) -> i64 {
        self.ours - self.theirs
    }
}
