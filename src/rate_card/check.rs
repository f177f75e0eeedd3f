//! What is wrong between the blocks of a card, and between a card and what the ledger has seen.

use std::collections::BTreeSet;

use super::{Matcher, Meter, Model, Place, Problem, Rate, RateCard, Severity, Terms, Validity, What, Whom};
use crate::domain::text::did_you_mean;
use crate::domain::{Kind, Timestamp};

/// Everything that is wrong between the blocks of a card, each of which is right by itself.
pub(super) fn between(card: &RateCard) -> Vec<Problem> {
    let mut problems = Vec::new();
    let rates = card.rates.iter().map(|rate| Dated {
        same: if rate.matcher == Matcher::any() {
            rate.kind.to_string()
        } else {
            format!("{}, {}", rate.kind, rate.matcher)
        },
        what: rate.to_string(),
        validity: rate.validity,
        place: &rate.place,
    });
    let allowances = card.allowances.iter().map(|allowance| Dated {
        same: format!("allowance of {} {}, {}", allowance.kind, allowance.meter, allowance.matcher),
        what: format!("allowance of {} {}", allowance.kind, allowance.meter),
        validity: allowance.validity,
        place: &allowance.place,
    });
    let floors = card.floors.iter().map(|floor| Dated {
        same: format!("{}, {}", floor.floor.name(), floor.whom),
        what: floor.floor.name().to_owned(),
        validity: floor.validity,
        place: &floor.place,
    });
    let taxes = card.taxes.iter().map(|tax| Dated {
        same: "tax".to_owned(),
        what: "tax".to_owned(),
        validity: tax.validity,
        place: &tax.place,
    });
    problems.extend(dates(rates.chain(allowances).chain(floors).chain(taxes).collect()));
    problems.extend(card.rates.iter().filter_map(|rate| unreachable(card, rate)));
    problems.extend(no_catch_all(card));
    problems.extend(card.rates.iter().filter_map(|rate| derivation(card, rate)));
    problems.extend(labels(card));
    problems.extend(idle_allowances(card));
    problems
}

/// A block that takes over from those before it that are for the same.
struct Dated<'a> {
    same: String,
    what: String,
    validity: Validity,
    place: &'a Place,
}

/// Blocks for the same: two from one instant, two at once, and none for a while.
fn dates(mut all: Vec<Dated<'_>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    all.sort_by(|one, two| (&one.same, one.validity.from, one.place).cmp(&(&two.same, two.validity.from, two.place)));
    for dated in &all {
        if let Validity { from: Some(from), to: Some(to) } = dated.validity
            && to <= from
        {
            let message = format!("the `{}` is never in force: it ends at {to}, where its file does", dated.what);
            problems.push(Problem::at(dated.place, Severity::Error, message, "give it a `to` of its own".to_owned()));
        }
    }
    for pair in all.windows(2).filter(|pair| pair[0].same == pair[1].same) {
        let (one, two) = (&pair[0], &pair[1]);
        let Some(from) = two.validity.from.filter(|_| one.validity.from != two.validity.from) else {
            let message = format!("a second rate for `{}`; the first is on line {}", two.what, one.place.line);
            let message =
                if one.place.file == two.place.file { message } else { format!("{message} of {}", one.place.file) };
            let hint = "give one of them another `from`, or remove it".to_owned();
            problems.push(Problem::at(two.place, Severity::Error, message, hint));
            continue;
        };
        let earlier = all.iter().filter(|other| other.same == two.same && other.validity.from < two.validity.from);
        let ends: Vec<Option<Timestamp>> = earlier.map(|other| other.validity.to).collect();
        match one.validity.to {
            Some(to) if to > from => {
                let message = format!("two blocks for `{}` from {from} to {to}; the other is {}", one.same, one.place);
                let hint = format!("end that with `to = {from}`, or leave its `to` out: a later block takes over");
                problems.push(Problem::at(two.place, Severity::Error, message, hint));
            }
            Some(to) if to < from => {
                let message = format!("no block for `{}` from {to} to {from}", one.same);
                let hint =
                    "what is used then has the next wider rate, or none: give it a block if it shouldn't".to_owned();
                problems.push(Problem::at(two.place, Severity::Warning, message, hint));
            }
            _ => {}
        }
        let last =
            all.iter().filter(|other| other.same == two.same).all(|other| other.validity.from <= two.validity.from);
        if let Some(to) = two.validity.to.filter(|_| last && ends.contains(&None)) {
            let message = format!("no block for `{}` from {to} on: the one before doesn't come back", two.same);
            let hint = format!("repeat that in a block with `from = {to}`");
            problems.push(Problem::at(two.place, Severity::Warning, message, hint));
        }
    }
    problems
}

/// Whether `one` is in force whenever `other` is.
fn covers(one: Validity, other: Validity) -> bool {
    one.from.is_none_or(|from| other.from.is_some_and(|other| from <= other))
        && one.to.is_none_or(|to| other.to.is_some_and(|other| other <= to))
}

/// A rate that can never apply.
fn unreachable(card: &RateCard, rate: &Rate) -> Option<Problem> {
    let hides = |what: &What| {
        card.rates.iter().find(|other| {
            other.kind == rate.kind
                && other.matcher == Matcher { what: what.clone(), ..rate.matcher.clone() }
                && covers(other.validity, rate.validity)
        })
    };
    let hidden_by = match &rate.matcher.what {
        What::BuildpackPattern(pattern) if !pattern.as_str().contains('*') => {
            hides(&What::Buildpack(pattern.as_str().to_owned()))
        }
        What::Any if matches!(rate.kind, Kind::Process | Kind::Staging) => {
            let all = card.rates.iter().map(|rate| &rate.matcher.what).find(|what| {
                matches!(what, What::BuildpackPattern(pattern) if pattern.as_str().chars().all(|letter| letter == '*'))
            });
            hides(&What::WithoutBuildpack).and_then(|_| all.and_then(hides))
        }
        _ => None,
    };
    let by = hidden_by?;
    let message = format!("the `{rate}` never applies: {} takes everything that it is for", by.place);
    let hint = "narrower rates come first: remove this one, or change what it is for".to_owned();
    Some(Problem::at(&rate.place, Severity::Error, message, hint))
}

/// Kinds that have rates for buildpacks only: what names none is unpriced.
fn no_catch_all(card: &RateCard) -> Vec<Problem> {
    let mut problems = Vec::new();
    for kind in [Kind::Process, Kind::Staging] {
        let of_kind = || card.rates.iter().filter(|rate| rate.kind == kind);
        let is_wide = |rate: &&Rate| {
            rate.matcher.whom == Whom::Everyone
                && rate.matcher.process_type.is_none()
                && matches!(rate.matcher.what, What::Any | What::WithoutBuildpack)
        };
        let narrowed = of_kind().find(|rate| !matches!(rate.matcher.what, What::Any | What::WithoutBuildpack));
        if let Some(narrowed) = narrowed.filter(|_| !of_kind().any(|rate| is_wide(&rate))) {
            let message = format!("every `{kind}` rate is for a buildpack; docker apps and the like have none");
            let hint = format!("add a [[{kind}]] without buildpack, or that usage is unpriced");
            problems.push(Problem::at(&narrowed.place, Severity::Warning, message, hint));
        }
    }
    problems
}

fn overlap(one: Validity, two: Validity) -> bool {
    let before = |end: Option<Timestamp>, start: Option<Timestamp>| match (end, start) {
        (Some(end), Some(start)) => end <= start,
        _ => false,
    };
    !before(one.to, two.from) && !before(two.to, one.from)
}

/// A rate that changes the prices of others: what is wrong with what comes out.
fn derivation(card: &RateCard, rate: &Rate) -> Option<Problem> {
    let Terms::Derived { surcharges, .. } = &rate.terms else { return None };
    let position = card.rates.iter().position(|other| std::ptr::eq(other, rate))?;
    let mut chains = vec![vec![position]];
    let mut found = false;
    while let Some(chain) = chains.pop() {
        let last = &card.rates[chain[chain.len() - 1]];
        if matches!(last.terms, Terms::Derived { .. }) {
            let wider = card.rates.iter().enumerate().filter(|(_, other)| {
                other.kind == last.kind
                    && other.matcher < last.matcher
                    && other.matcher.meets(&last.matcher)
                    && overlap(other.validity, last.validity)
            });
            chains.extend(wider.map(|(position, _)| chain.iter().copied().chain([position]).collect()));
            continue;
        }
        found = true;
        let on_packages = |(meter, _): &&(Meter, _)| match &last.terms {
            Terms::Prices(prices) => {
                prices.iter().any(|(priced, model)| priced == meter && matches!(model, Model::Package { .. }))
            }
            _ => false,
        };
        if let Some((meter, _)) = surcharges.iter().find(on_packages) {
            let message = format!("a surcharge on `{meter}`, which `{last}` ({}) sells in packages", last.place);
            let hint = "give this rate prices of its own, or a multiplier".to_owned();
            return Some(Problem::at(&rate.place, Severity::Error, message, hint));
        }
        if let Err(error) = card.charges_of(chain) {
            let message = format!("with `{last}` ({}): {error}", last.place);
            let hint = "round the price or the multiplier, so that their product keeps its digits".to_owned();
            return Some(Problem::at(&rate.place, Severity::Error, message, hint));
        }
    }
    if found {
        return None;
    }
    let message = format!("the `{rate}` changes prices, and there is no wider rate that has any");
    let hint = format!("add a [[{}]] that is for more, or give this one prices of its own", rate.kind);
    Some(Problem::at(&rate.place, Severity::Error, message, hint))
}

/// Rates by labels of different keys for the same: which one an org with both has is decided by their text.
fn labels(card: &RateCard) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (position, one) in card.rates.iter().enumerate() {
        let twin = card.rates[..position].iter().find(|two| {
            let keys = match (&one.matcher.whom, &two.matcher.whom) {
                (Whom::OrganizationLabel(one), Whom::OrganizationLabel(two))
                | (Whom::SpaceLabel(one), Whom::SpaceLabel(two)) => Some((&one.key, &two.key)),
                _ => None,
            };
            keys.is_some_and(|(one, two)| one != two)
                && one.kind == two.kind
                && Matcher { whom: Whom::Everyone, ..one.matcher.clone() }
                    == Matcher { whom: Whom::Everyone, ..two.matcher.clone() }
                && overlap(one.validity, two.validity)
        });
        if let Some(two) = twin {
            let first = (&one.matcher.whom).max(&two.matcher.whom);
            let message = format!("what has both labels has two rates: this one and {}", two.place);
            let hint = format!("that for {first} applies, by its text: use one label key for prices");
            problems.push(Problem::at(&one.place, Severity::Warning, message, hint));
        }
    }
    problems
}

/// Allowances of what costs nothing anyway.
fn idle_allowances(card: &RateCard) -> Vec<Problem> {
    let idle = card.allowances.iter().filter(|allowance| {
        !card.rates.iter().any(|rate| {
            let prices = match &rate.terms {
                Terms::Prices(prices) => prices.iter().any(|(meter, _)| *meter == allowance.meter),
                Terms::Derived { surcharges, .. } => surcharges.iter().any(|(meter, _)| *meter == allowance.meter),
                Terms::Free => false,
            };
            rate.kind == allowance.kind && prices
        })
    });
    let told = idle.map(|allowance| {
        let message = format!("an allowance of `{}`, which no `{}` rate prices", allowance.meter, allowance.kind);
        let hint = "it takes nothing off: price that quantity, or remove the allowance".to_owned();
        Problem::at(&allowance.place, Severity::Warning, message, hint)
    });
    told.collect()
}

/// What a ledger has seen, by name and guid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub buildpacks: BTreeSet<String>,
    pub buildpack_guids: BTreeSet<String>,
    pub plan_guids: BTreeSet<String>,
    /// Offering and plan.
    pub plans: BTreeSet<(String, String)>,
    /// `FOUNDATION/NAME` and `FOUNDATION/GUID`.
    pub organizations: BTreeSet<String>,
    pub accounts: BTreeSet<String>,
    pub process_types: BTreeSet<String>,
    /// `KEY=VALUE`
    pub organization_labels: BTreeSet<String>,
    pub space_labels: BTreeSet<String>,
    /// Currencies of final invoices.
    pub currencies: BTreeSet<String>,
}

/// What a card names that a ledger has never seen: warnings, for it may come yet.
#[must_use]
pub fn check_against(card: &RateCard, seen: &Seen) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut blocks: Vec<(&Place, Whom, What, Option<&String>)> = Vec::new();
    for rate in &card.rates {
        let Matcher { whom, what, process_type } = &rate.matcher;
        blocks.push((&rate.place, whom.clone(), what.clone(), process_type.as_ref()));
    }
    for allowance in &card.allowances {
        let Matcher { whom, what, process_type } = &allowance.matcher;
        blocks.push((&allowance.place, whom.clone(), what.clone(), process_type.as_ref()));
    }
    blocks.extend(card.discounts.iter().map(|discount| (&discount.place, discount.whom.clone(), What::Any, None)));
    blocks.extend(card.floors.iter().map(|floor| (&floor.place, floor.whom.clone(), What::Any, None)));
    for (place, whom, what, process_type) in blocks {
        let mut unknown = |what: &str, name: &str, known: &BTreeSet<String>| {
            if !known.contains(name) {
                let near = did_you_mean(name, known.iter().map(String::as_str));
                let hint = near.unwrap_or_else(|| {
                    "fine if it is still to come; what it is for has the next wider rate until then".to_owned()
                });
                problems.push(Problem::at(
                    place,
                    Severity::Warning,
                    format!("the ledger has seen no {what} `{name}`"),
                    hint,
                ));
            }
        };
        match &whom {
            Whom::Everyone => {}
            Whom::Account(account) => unknown("account", account, &seen.accounts),
            Whom::Organization { foundation, organization } => {
                unknown("org", &format!("{foundation}/{organization}"), &seen.organizations);
            }
            Whom::OrganizationLabel(label) => unknown("org label", &label.to_string(), &seen.organization_labels),
            Whom::SpaceLabel(label) => unknown("space label", &label.to_string(), &seen.space_labels),
        }
        let offerings = || seen.plans.iter().map(|(offering, _)| offering.clone()).collect::<BTreeSet<_>>();
        match &what {
            What::Any | What::WithoutBuildpack | What::UserProvided => {}
            What::Buildpack(name) => unknown("buildpack", name, &seen.buildpacks),
            What::BuildpackGuid(guid) => unknown("buildpack guid", guid, &seen.buildpack_guids),
            What::BuildpackPattern(pattern) => {
                if !seen.buildpacks.iter().any(|name| pattern.matches(name)) {
                    unknown("buildpack like", pattern.as_str(), &BTreeSet::new());
                }
            }
            What::PlanGuid(guid) => unknown("plan", &guid.to_string(), &seen.plan_guids),
            What::Offering(offering) => unknown("offering", offering, &offerings()),
            What::PlanName { offering, plan } => {
                let of_offering = seen.plans.iter().filter(|(of, _)| of == offering).map(|(_, plan)| plan.clone());
                let plans: BTreeSet<String> = of_offering.collect();
                if plans.is_empty() {
                    unknown("offering", offering, &offerings());
                } else {
                    unknown(&format!("plan of `{offering}`"), plan, &plans);
                }
            }
        }
        if let Some(process_type) = process_type {
            unknown("process type", process_type, &seen.process_types);
        }
    }
    if !seen.currencies.is_empty() && !seen.currencies.contains(card.currency.code()) {
        let other = seen.currencies.iter().next().map_or("", String::as_str);
        let place =
            Place { column: 1, line: 1, ..card.rates.first().map_or_else(Place::nowhere, |rate| rate.place.clone()) };
        let message = format!("the card is in {}, and final invoices are in {other}", card.currency);
        let hint = "nothing is converted: an account's invoices should stay in one currency".to_owned();
        problems.push(Problem::at(&place, Severity::Warning, message, hint));
    }
    problems.sort_by(|one, two| (&one.file, one.position).cmp(&(&two.file, two.position)));
    problems
}
