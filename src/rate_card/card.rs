//! A whole card: which of its rates, allowances and discounts some usage has, and what that comes to.

use std::fmt::Write;

use super::compare::terms_values;
use super::terms::derive;
use super::{
    Allowance, Charges, Discount, Floor, Matcher, Meter, Off, Rate, Subject, Tax, Terms, Validity, What, Whom,
    shown_model,
};
use crate::domain::money::NotAPrice;
use crate::domain::{Currency, Price, Rounding, Span, Timestamp};

/// A whole card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateCard {
    pub name: String,
    pub currency: Currency,
    pub rounding: Rounding,
    /// In the order of the text, as everything that follows.
    pub rates: Vec<Rate>,
    pub allowances: Vec<Allowance>,
    pub discounts: Vec<Discount>,
    pub floors: Vec<Floor>,
    pub taxes: Vec<Tax>,
}

/// Whether two matchers that both mean some usage are for the same: an organization may be named by guid or name.
fn alike(one: &Matcher, two: &Matcher) -> bool {
    let same_organization = matches!((&one.whom, &two.whom), (Whom::Organization { .. }, Whom::Organization { .. }));
    one == two || same_organization && one.what == two.what && one.process_type == two.process_type
}

/// A rate that is in force, with its keys and values for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Of the rate in its card.
    pub position: usize,
    /// Until a later one for the same takes over.
    pub validity: Validity,
    /// Key, value, and the steps that a derived price comes from.
    pub values: Vec<(String, String, String)>,
}

const fn is_derived(rate: &Rate) -> bool {
    matches!(rate.terms, Terms::Derived { .. })
}

/// The one of `all` in force at `at` that is the narrowest; of several for the same, the one that began last.
/// An earlier one doesn't come back when a later one for the same has ended.
fn in_force<'a, T>(
    all: &(impl Iterator<Item = (usize, &'a T)> + Clone),
    at: Timestamp,
    matcher: impl Fn(&T) -> &Matcher,
    validity: impl Fn(&T) -> Validity,
) -> Option<usize>
where
    T: 'a,
{
    let begun = |one: &T| validity(one).from.is_none_or(|from| from <= at);
    let latest = |one: &T| {
        !all.clone().any(|(_, other)| {
            alike(matcher(other), matcher(one)) && begun(other) && validity(other).from > validity(one).from
        })
    };
    (all.clone())
        .filter(|(_, one)| begun(one) && latest(one) && validity(one).holds(at))
        .max_by_key(|(_, one)| matcher(one))
        .map(|(position, _)| position)
}

impl RateCard {
    /// Of the rates that reach `subject` at `at` the most specific, of some of those that are wider than `below`.
    fn rate_below(
        &self,
        subject: Subject<'_>,
        at: Timestamp,
        below: Option<&Matcher>,
        among: impl Fn(&Rate) -> bool + Copy,
    ) -> Option<usize> {
        let candidates = (self.rates.iter().enumerate()).filter(|(_, rate)| {
            rate.kind == subject.kind
                && among(rate)
                && below.is_none_or(|below| rate.matcher < *below)
                && rate.matcher.matches(subject)
        });
        in_force(&candidates, at, |rate| &rate.matcher, |rate| rate.validity)
    }

    /// What `subject` is charged by at `at`; `None`: unpriced, which a rate is too that derives from nothing.
    ///
    /// # Errors
    /// [`NotAPrice`] if a product has too many digits; a card that was read without problems has none such.
    pub fn charges_at(&self, subject: Subject<'_>, at: Timestamp) -> Result<Option<Charges>, NotAPrice> {
        self.charges_among(subject, at, |_| true)
    }

    /// What `subject` would be charged by if nothing were agreed on with its account or organization: list prices.
    ///
    /// # Errors
    /// As [`RateCard::charges_at`].
    pub fn list_charges_at(&self, subject: Subject<'_>, at: Timestamp) -> Result<Option<Charges>, NotAPrice> {
        self.charges_among(subject, at, |rate| rate.matcher.whom == Whom::Everyone)
    }

    fn charges_among(
        &self,
        subject: Subject<'_>,
        at: Timestamp,
        among: impl Fn(&Rate) -> bool + Copy,
    ) -> Result<Option<Charges>, NotAPrice> {
        let Some(first) = self.rate_below(subject, at, None, among) else { return Ok(None) };
        let mut chain = vec![first];
        while is_derived(&self.rates[chain[chain.len() - 1]]) {
            let below = &self.rates[chain[chain.len() - 1]].matcher;
            match self.rate_below(subject, at, Some(below), among) {
                Some(base) => chain.push(base),
                None => return Ok(None),
            }
        }
        self.charges_of(chain).map(Some)
    }

    /// What a chain of rates comes to, each deriving from the next.
    ///
    /// # Errors
    /// [`NotAPrice`] if a product has too many digits.
    pub(super) fn charges_of(&self, chain: Vec<usize>) -> Result<Charges, NotAPrice> {
        let mut charges =
            Charges { chain: Vec::new(), free: false, prices: Vec::new(), granularity: None, minimum_seconds: None };
        for position in chain.iter().rev() {
            let rate = &self.rates[*position];
            match &rate.terms {
                Terms::Free => charges.free = true,
                Terms::Prices(prices) => charges.prices.clone_from(prices),
                Terms::Derived { multiplier, surcharges } => {
                    derive(&mut charges.prices, *multiplier, surcharges)?;
                    charges.free &= surcharges.is_empty();
                }
            }
            charges.granularity = rate.granularity.or(charges.granularity);
            charges.minimum_seconds = rate.minimum_seconds.or(charges.minimum_seconds);
        }
        charges.chain = chain;
        charges.granularity = charges.granularity.filter(|granularity| granularity.seconds > 1);
        Ok(charges)
    }

    /// The allowance that takes some of `subject`'s quantity of `meter` at `at`: the narrowest.
    #[must_use]
    pub fn allowance_at(&self, subject: Subject<'_>, meter: Meter, at: Timestamp) -> Option<usize> {
        let candidates = (self.allowances.iter().enumerate()).filter(|(_, allowance)| {
            allowance.kind == subject.kind && allowance.meter == meter && allowance.matcher.matches(subject)
        });
        in_force(&candidates, at, |allowance| &allowance.matcher, |allowance| allowance.validity)
    }

    /// The discounts in percent that `subject` has at `at`.
    #[must_use]
    pub fn discounts_at(&self, subject: Subject<'_>, at: Timestamp) -> Vec<usize> {
        let has = |discount: &Discount| {
            matches!(discount.off, Off::Percent(_))
                && discount.kind.is_none_or(|kind| kind == subject.kind)
                && self.discount_validity(discount).holds(at)
                && discount.whom.matches(subject)
        };
        (self.discounts.iter().enumerate())
            .filter(|(_, discount)| has(discount))
            .map(|(position, _)| position)
            .collect()
    }

    /// The tax on what is invoiced for a period: that in force at its last instant.
    #[must_use]
    pub fn tax_of(&self, period: Span) -> Option<&Tax> {
        let at = period.to.plus(-1);
        let in_force = self.taxes.iter().filter(|tax| tax.validity.from.is_none_or(|from| from <= at));
        in_force.max_by_key(|tax| tax.validity.from).filter(|tax| tax.validity.holds(at))
    }

    /// When a rate is in force, until a later one for the same takes over.
    #[must_use]
    pub fn rate_validity(&self, rate: &Rate) -> Validity {
        let same = self.rates.iter().filter(|other| other.kind == rate.kind && other.matcher == rate.matcher);
        rate.validity.until_taken_over(same.map(|other| other.validity))
    }

    /// When an allowance is in force, until a later one of the same quantity, for the same, takes over.
    #[must_use]
    pub fn allowance_validity(&self, allowance: &Allowance) -> Validity {
        let same = self.allowances.iter().filter(|other| {
            (other.kind, other.meter) == (allowance.kind, allowance.meter) && other.matcher == allowance.matcher
        });
        allowance.validity.until_taken_over(same.map(|other| other.validity))
    }

    /// When a minimum or commitment is in force, until a later one for the same takes over.
    #[must_use]
    pub fn floor_validity(&self, floor: &Floor) -> Validity {
        let same = self.floors.iter().filter(|other| other.floor == floor.floor && other.whom == floor.whom);
        floor.validity.until_taken_over(same.map(|other| other.validity))
    }

    /// When a discount is in force, until a later one of the same name, for the same, takes over.
    #[must_use]
    pub fn discount_validity(&self, discount: &Discount) -> Validity {
        let same = self
            .discounts
            .iter()
            .filter(|other| (&other.name, &other.whom, other.kind) == (&discount.name, &discount.whom, discount.kind));
        discount.validity.until_taken_over(same.map(|other| other.validity))
    }

    /// The instants at which anything that concerns a quantity begins or ends, sorted, each once.
    #[must_use]
    pub fn edges(&self) -> Vec<Timestamp> {
        let rates = self.rates.iter().map(|rate| rate.validity);
        let allowances = self.allowances.iter().map(|allowance| allowance.validity);
        let discounts = self.discounts.iter().filter(|discount| matches!(discount.off, Off::Percent(_)));
        let all = rates.chain(allowances).chain(discounts.map(|discount| discount.validity));
        let mut edges: Vec<Timestamp> = all.flat_map(|validity| [validity.from, validity.to]).flatten().collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// The next instant after `at` at which anything in the card begins or ends.
    #[must_use]
    pub fn next_edge(&self, at: Timestamp) -> Option<Timestamp> {
        let others = self.floors.iter().map(|floor| floor.validity);
        let others = others.chain(self.taxes.iter().map(|tax| tax.validity));
        let others = others.chain(self.discounts.iter().map(|discount| discount.validity));
        let others = others.flat_map(|validity| [validity.from, validity.to]).flatten();
        self.edges().into_iter().chain(others).filter(|edge| *edge > at).min()
    }

    /// The rates in force at `at`, the widest of each kind first, with all prices worked out.
    #[must_use]
    pub fn rates_in_force(&self, at: Timestamp) -> Vec<InForce> {
        let mut all = Vec::new();
        for (position, rate) in self.rates.iter().enumerate() {
            let validity = self.rate_validity(rate);
            if validity.holds(at) {
                all.push(InForce { position, validity, values: self.values_at(position, at) });
            }
        }
        all.sort_by_key(|rate| (self.rates[rate.position].kind, &self.rates[rate.position].matcher));
        all
    }

    /// A rate's keys and values, with the steps that a derived price comes from.
    fn values_at(&self, position: usize, at: Timestamp) -> Vec<(String, String, String)> {
        let rate = &self.rates[position];
        let plain = |values: Vec<(String, String)>| -> Vec<(String, String, String)> {
            values.into_iter().map(|(key, value)| (key, value, String::new())).collect()
        };
        let mut chain = vec![position];
        // What everything it is for would have without it; for some of that a narrower rate may come between.
        while let Some(last) = chain.last().map(|last| &self.rates[*last]).filter(|last| is_derived(last)) {
            let wider = self.rates.iter().enumerate().filter(|(_, other)| {
                other.kind == last.kind && other.matcher < last.matcher && other.matcher.covers(&last.matcher)
            });
            match in_force(&wider, at, |rate| &rate.matcher, |rate| rate.validity) {
                Some(base) => chain.push(base),
                None => break,
            }
        }
        let ends = chain.last().is_some_and(|last| !is_derived(&self.rates[*last]));
        let charges = if ends { self.charges_of(chain.clone()).ok() } else { None };
        let Some(charges) = charges else {
            let mut values = plain(terms_values(&rate.terms));
            for (.., steps) in &mut values {
                "of what would apply without it".clone_into(steps);
            }
            return values;
        };
        let mut values = if charges.free { plain(terms_values(&Terms::Free)) } else { Vec::new() };
        for (meter, model) in &charges.prices {
            let steps = if is_derived(rate) { self.steps(&chain, *meter) } else { String::new() };
            values.push((meter.name().to_owned(), shown_model(model, *meter), steps));
        }
        values.extend(plain(
            charges.granularity.map(|of| ("granularity".to_owned(), of.to_string())).into_iter().collect(),
        ));
        let minimum = charges.minimum_seconds.map(|seconds| ("minimum_seconds".to_owned(), seconds.to_string()));
        values.extend(plain(minimum.into_iter().collect()));
        values
    }

    /// How a chain's price of a meter comes about: `0.0125 × 1.25 + 0.001 (card.toml:10)`.
    fn steps(&self, chain: &[usize], meter: Meter) -> String {
        let Some(base) = chain.last().map(|last| &self.rates[*last]) else { return String::new() };
        let price = match &base.terms {
            Terms::Prices(prices) => prices.iter().find(|(priced, _)| *priced == meter).map(|(_, model)| model),
            _ => None,
        };
        let mut steps = price.map_or_else(|| "0".to_owned(), |model| shown_model(model, meter));
        for rate in chain.iter().rev().map(|position| &self.rates[*position]) {
            let Terms::Derived { multiplier, surcharges } = &rate.terms else { continue };
            if *multiplier != Price::ONE {
                // A surcharge before it is multiplied, too.
                steps = if steps.contains(" + ") {
                    format!("({steps}) × {multiplier}")
                } else {
                    format!("{steps} × {multiplier}")
                };
            }
            if let Some((_, price)) = surcharges.iter().find(|(of, _)| *of == meter) {
                let _ = write!(steps, " + {price}");
            }
        }
        let _ = write!(steps, " ({})", base.place);
        steps
    }

    /// Whether user-provided service instances are to be looked at: they are free unless a rate is for them.
    #[must_use]
    pub fn prices_user_provided(&self) -> bool {
        self.rates.iter().any(|rate| rate.matcher.what == What::UserProvided)
    }
}
