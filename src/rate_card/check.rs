//! What is wrong between the blocks of a card, and between a card and what the ledger has seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::terms::derive;
use super::{Matcher, Meter, Model, Rate, RateCard, Terms, Validity, What, Whom};
use crate::domain::text::did_you_mean;
use crate::domain::{Kind, Price, Timestamp};
use crate::keyed::{FilePosition, Problem, Severity, sort};

/// Everything that is wrong between the blocks of a card, each of which is right by itself.
pub(super) fn between(card: &RateCard) -> Vec<Problem> {
    let mut problems = Vec::new();
    let rates = card.rates.iter().map(|rate| Dated {
        same: format!("{:?}", (rate.kind, &rate.matcher)),
        shown: if rate.matcher == Matcher::any() {
            rate.kind.to_string()
        } else {
            format!("{}, {}", rate.kind, rate.matcher)
        },
        what: rate.to_string(),
        validity: rate.validity,
        place: &rate.place,
    });
    let allowances = card.allowances.iter().map(|allowance| Dated {
        same: format!("{:?}", ("allowance", allowance.kind, allowance.meter, &allowance.matcher)),
        shown: format!("allowance of {} {}, {}", allowance.kind, allowance.meter, allowance.matcher),
        what: format!("allowance of {} {}", allowance.kind, allowance.meter),
        validity: allowance.validity,
        place: &allowance.place,
    });
    let floors = card.floors.iter().map(|floor| Dated {
        same: format!("{:?}", (floor.floor, &floor.whom)),
        shown: format!("{}, {}", floor.floor.name(), floor.whom),
        what: floor.floor.name().to_owned(),
        validity: floor.validity,
        place: &floor.place,
    });
    let taxes = card.taxes.iter().map(|tax| Dated {
        same: "tax".to_owned(),
        shown: "tax".to_owned(),
        what: "tax".to_owned(),
        validity: tax.validity,
        place: &tax.place,
    });
    let discounts = card.discounts.iter().map(|discount| Dated {
        same: format!("{:?}", ("discount", &discount.name, &discount.whom, discount.kind)),
        shown: format!("discount {}", discount.name),
        what: format!("discount {}", discount.name),
        validity: discount.validity,
        place: &discount.place,
    });
    problems.extend(dates(rates.chain(allowances).chain(floors).chain(taxes).chain(discounts).collect()));
    problems.extend(card.rates.iter().filter_map(|rate| unreachable(card, rate)));
    problems.extend(no_catch_all(card));
    problems.extend(Derivations::new(card).check());
    problems.extend(labels(card));
    problems.extend(idle_allowances(card));
    problems
}

/// A block that takes over from those before it that are for the same.
struct Dated<'a> {
    /// The same of blocks that are for the same.
    same: String,
    /// That, for people.
    shown: String,
    what: String,
    validity: Validity,
    place: &'a FilePosition,
}

/// Blocks for the same: two from one instant, two at once, and none for a while.
fn dates(mut all: Vec<Dated<'_>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    all.sort_by(|one, two| (&one.same, one.validity.from, one.place).cmp(&(&two.same, two.validity.from, two.place)));
    for pair in all.windows(2).filter(|pair| pair[0].same == pair[1].same) {
        let (one, two) = (&pair[0], &pair[1]);
        let Some(from) = two.validity.from.filter(|_| one.validity.from != two.validity.from) else {
            let message = format!("a second block for `{}`; the first is on line {}", two.what, one.place.line);
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
                let message = format!("two blocks for `{}` from {from} to {to}; the other is {}", one.shown, one.place);
                let hint = format!("end the other with `to = {from}`, or remove its `to`: a later block takes over");
                problems.push(Problem::at(two.place, Severity::Error, message, hint));
            }
            Some(to) if to < from => {
                let message = format!("no block for `{}` from {to} to {from}", one.shown);
                let hint =
                    "usage in that time gets the next less specific rate, or none; if that is wrong, add a block"
                        .to_owned();
                problems.push(Problem::at(two.place, Severity::Warning, message, hint));
            }
            _ => {}
        }
        let last =
            all.iter().filter(|other| other.same == two.same).all(|other| other.validity.from <= two.validity.from);
        if let Some(to) = two.validity.to.filter(|_| last && ends.contains(&None)) {
            let message = format!("no block for `{}` from {to} on: the earlier block doesn't come back", two.shown);
            let hint = format!("repeat the earlier block with `from = {to}`");
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
            // What derives from it doesn't hide it.
            other.kind == rate.kind
                && !matches!(other.terms, Terms::Derived { .. })
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
    let message = format!("the `{rate}` never applies: {} covers all its usage", by.place);
    let hint = "the most specific rate wins: remove this one, or change what it is for".to_owned();
    Some(Problem::at(&rate.place, Severity::Error, message, hint))
}

/// Kinds of which some usage would be unpriced: there is no rate at all, or none for everything, or it ends.
fn no_catch_all(card: &RateCard) -> Vec<Problem> {
    let mut problems = Vec::new();
    if card.rates.is_empty() {
        return problems; // that is told
    }
    for kind in [Kind::Process, Kind::Staging, Kind::Task, Kind::Service] {
        let of_kind: Vec<&Rate> = card.rates.iter().filter(|rate| rate.kind == kind).collect();
        let for_all = |what: &What| {
            let matcher = Matcher { what: what.clone(), ..Matcher::any() };
            of_kind.iter().filter(|rate| rate.matcher == matcher).max_by_key(|rate| rate.validity.from).copied()
        };
        let all = of_kind.iter().map(|rate| &rate.matcher.what).find(|what| {
            matches!(what, What::BuildpackPattern(pattern) if pattern.as_str().chars().all(|letter| letter == '*'))
        });
        let together = for_all(&What::WithoutBuildpack).filter(|_| all.and_then(for_all).is_some());
        let hint = format!("add a [[{kind}]] for everything, with prices or free = true");
        let Some(first) = of_kind.first() else {
            let place = card.rates.first().map_or_else(FilePosition::nowhere, |rate| rate.place.clone());
            let message = format!("there is no `{kind}` rate: {} will be unpriced", plural(kind));
            problems.push(Problem::at(&FilePosition { line: 1, column: 1, ..place }, Severity::Warning, message, hint));
            continue;
        };
        match for_all(&What::Any).or(together) {
            None => {
                let buildpacks = of_kind.iter().all(|rate| is_of_buildpack(&rate.matcher.what));
                let message = if buildpacks {
                    format!("every `{kind}` rate is for a buildpack; docker apps and the like have none")
                } else {
                    format!("no `{kind}` rate is for everything; usage that none of them covers will be unpriced")
                };
                problems.push(Problem::at(&first.place, Severity::Warning, message, hint));
            }
            Some(Rate { validity: Validity { to: Some(to), from }, place, .. }) => {
                // Where an earlier block would have gone on, that is told already.
                let told = of_kind.iter().any(|rate| rate.matcher == Matcher::any() && rate.validity.from < *from);
                if !told {
                    let message = format!("no `{kind}` rate is for everything from {to} on");
                    problems.push(Problem::at(place, Severity::Warning, message, hint));
                }
            }
            Some(_) => {}
        }
    }
    problems
}

const fn is_of_buildpack(what: &What) -> bool {
    matches!(what, What::BuildpackPattern(_) | What::Buildpack(_) | What::BuildpackGuid(_))
}

/// What a kind's resources are called together.
const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Process => "instances of apps",
        Kind::Staging => "stagings",
        Kind::Task => "tasks",
        Kind::Service => "service instances",
    }
}

fn overlap(one: Validity, two: Validity) -> bool {
    let before = |end: Option<Timestamp>, start: Option<Timestamp>| match (end, start) {
        (Some(end), Some(start)) => end <= start,
        _ => false,
    };
    !before(one.to, two.from) && !before(two.to, one.from)
}

/// What a rate may come to: prices by way of one wider rate or another.
type Outcome = (usize, Vec<(Meter, Model)>);

/// No card that people can follow has so many ways to one price; beyond them, digits are counted when rating.
const MOST_OUTCOMES: usize = 64;

/// Rates that change the prices of others: what is wrong with what comes out.
struct Derivations<'a> {
    card: &'a RateCard,
    /// When each rate is in force, until a later one for the same takes over.
    validity: Vec<Validity>,
    known: HashMap<usize, Vec<Outcome>>,
    problems: Vec<Problem>,
}

impl<'a> Derivations<'a> {
    fn new(card: &'a RateCard) -> Self {
        let validity = card.rates.iter().map(|rate| card.rate_validity(rate)).collect();
        Self { card, validity, known: HashMap::new(), problems: Vec::new() }
    }

    /// Everything that is wrong with the derived rates of a card.
    fn check(mut self) -> Vec<Problem> {
        for position in 0..self.card.rates.len() {
            self.outcomes(position);
        }
        self.problems
    }

    fn tell(&mut self, position: usize, severity: Severity, message: String, hint: String) {
        let problem = Problem::at(&self.card.rates[position].place, severity, message, hint);
        if !self.problems.iter().any(|told| told.origin == problem.origin) {
            self.problems.push(problem);
        }
    }

    /// What a rate can come to: each outcome with the rate at the end of its chain.
    fn outcomes(&mut self, position: usize) -> Vec<Outcome> {
        if let Some(known) = self.known.get(&position) {
            return known.clone();
        }
        let rate = &self.card.rates[position];
        let outcomes = match &rate.terms {
            Terms::Free => vec![(position, Vec::new())],
            Terms::Prices(prices) => vec![(position, prices.clone())],
            Terms::Derived { multiplier, surcharges } => self.derived(position, *multiplier, surcharges),
        };
        self.known.insert(position, outcomes.clone());
        outcomes
    }

    fn derived(&mut self, position: usize, multiplier: Price, surcharges: &[(Meter, Price)]) -> Vec<Outcome> {
        let (card, rate) = (self.card, &self.card.rates[position]);
        // Matchers are ordered, so no chain comes back to where it began.
        let wider: Vec<usize> = (card.rates.iter().enumerate())
            .filter(|(_, other)| {
                other.kind == rate.kind && other.matcher < rate.matcher && other.matcher.meets(&rate.matcher)
            })
            .map(|(wider, _)| wider)
            .filter(|wider| overlap(self.validity[*wider], self.validity[position]))
            .collect();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for base in &wider {
            for (end, mut prices) in self.outcomes(*base) {
                let last = &card.rates[end];
                let sold = |meter: &Meter| {
                    prices.iter().any(|(priced, model)| priced == meter && matches!(model, Model::Package { .. }))
                };
                if let Some((meter, _)) = surcharges.iter().find(|(meter, _)| sold(meter)) {
                    let message =
                        format!("a surcharge on `{meter}`, which `{last}` ({}) sells in packages", last.place);
                    let hint = "give this rate its own prices, or a multiplier".to_owned();
                    self.tell(position, Severity::Error, message, hint);
                } else if let Err(error) = derive(&mut prices, multiplier, surcharges) {
                    let message = format!("with `{last}` ({}): {error}", last.place);
                    let hint = "round the price or the multiplier, so that their product keeps its digits".to_owned();
                    self.tell(position, Severity::Error, message, hint);
                } else if outcomes.len() < MOST_OUTCOMES && !outcomes.iter().any(|(_, known)| *known == prices) {
                    outcomes.push((end, prices));
                }
            }
        }
        self.begins_before(position, &wider);
        outcomes
    }

    /// A derived rate that has nothing to derive from, at all or to begin with.
    fn begins_before(&mut self, position: usize, wider: &[usize]) {
        let rate = &self.card.rates[position];
        let begins = wider.iter().map(|wider| self.validity[*wider].from).min();
        let hint = format!("add a less specific [[{}]] with prices, or give this one its own prices", rate.kind);
        match begins {
            None => {
                let message = format!("the `{rate}` changes prices, but no less specific rate has any");
                self.tell(position, Severity::Error, message, hint);
            }
            Some(Some(from)) if self.validity[position].from.is_none_or(|ours| ours < from) => {
                let message = format!("the `{rate}` changes prices, but there are none before {from}");
                self.tell(position, Severity::Warning, message, hint);
            }
            Some(_) => {}
        }
    }
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
            let message = format!("usage with both labels has two rates: this one and {}", two.place);
            let hint = format!(
                "the one for {first} applies, because it comes first in the alphabet: use one label key for prices"
            );
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
        let hint = "it has no effect: price that quantity, or remove the allowance".to_owned();
        Problem::at(&allowance.place, Severity::Warning, message, hint)
    });
    told.collect()
}

/// What a ledger has seen, by name and guid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenNames {
    pub buildpacks: BTreeSet<String>,
    pub buildpack_guids: BTreeSet<String>,
    pub plan_guids: BTreeSet<String>,
    /// Offering and plan.
    pub plans: BTreeSet<(String, String)>,
    /// Guids and names of service brokers.
    pub brokers: BTreeSet<String>,
    /// Every plan whose offering is known.
    pub services: Vec<SeenService>,
    /// `FOUNDATION/NAME` and `FOUNDATION/GUID`.
    pub organizations: BTreeSet<String>,
    /// Ids.
    pub accounts: BTreeSet<String>,
    /// Ids by what people call them.
    pub account_names: BTreeMap<String, String>,
    pub process_types: BTreeSet<String>,
    /// `KEY=VALUE`
    pub organization_labels: BTreeSet<String>,
    pub space_labels: BTreeSet<String>,
    /// Currencies of final invoices.
    pub currencies: BTreeSet<String>,
}

/// A plan that usage was seen under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenService {
    pub foundation: String,
    pub offering_name: String,
    pub plan_name: String,
    pub offering: String,
    pub plan: String,
    /// Guid and name; `None`: no event told it.
    pub broker: Option<(String, Option<String>)>,
}

impl SeenService {
    /// What tells its broker from another: the name, which another can't have at the same time.
    fn whose(&self) -> &str {
        self.broker.as_ref().map_or(&self.offering, |(guid, name)| name.as_ref().unwrap_or(guid))
    }

    fn told(&self) -> String {
        let broker = match &self.broker {
            Some((guid, Some(name))) => format!("broker `{name}` ({guid})"),
            Some((guid, None)) => format!("broker {guid}"),
            None => "a broker that no event names".to_owned(),
        };
        format!("plan {} of offering {} of {broker}", self.plan, self.offering)
    }
}

/// Rates that price what several brokers offer under one name, without saying whose: warnings, for that may be meant.
#[must_use]
pub fn names_of_several(card: &RateCard, seen: &SeenNames) -> Vec<Problem> {
    let of_rates = card.rates.iter().map(|rate| (&rate.place, &rate.matcher.what));
    let of_allowances = card.allowances.iter().map(|allowance| (&allowance.place, &allowance.matcher.what));
    let blocks: Vec<(&FilePosition, &What)> = of_rates.chain(of_allowances).collect();
    let is_parted = |offering: &String, plan: Option<&String>| {
        blocks.iter().any(|(_, what)| match what {
            What::OfferingOf { offering: of, .. } => of == offering,
            What::PlanOf { offering: of, plan: parted, .. } => of == offering && Some(parted) == plan,
            _ => false,
        })
    };
    let mut problems = Vec::new();
    for (place, what) in &blocks {
        let (offering, plan) = match what {
            What::Offering(offering) => (offering, None),
            What::PlanName { offering, plan } => (offering, Some(plan)),
            _ => continue,
        };
        if is_parted(offering, plan) {
            continue;
        }
        let mut by_foundation: BTreeMap<&str, BTreeMap<&str, &SeenService>> = BTreeMap::new();
        let named = |service: &&SeenService| {
            service.offering_name == *offering && plan.is_none_or(|plan| service.plan_name == *plan)
        };
        for service in seen.services.iter().filter(named) {
            by_foundation.entry(&service.foundation).or_default().entry(service.whose()).or_insert(service);
        }
        for (foundation, services) in by_foundation.iter().filter(|(_, services)| services.len() > 1) {
            let name = plan.map_or_else(|| offering.clone(), |plan| format!("{offering} {plan}"));
            let told: Vec<String> = services.values().map(|service| service.told()).collect();
            let example = services.values().find_map(|service| service.broker.as_ref()).map_or("", |(guid, _)| guid);
            problems.push(Problem::at(
                place,
                Severity::Warning,
                format!(
                    "`{name}` is the name of {} in {foundation}, of {} brokers, and this prices all of them: {}",
                    if plan.is_some() { "several plans" } else { "several offerings" },
                    services.len(),
                    told.join("; ")
                ),
                format!("to tell them apart, add broker = \"{example}\" or plan_guid"),
            ));
        }
    }
    problems
}

/// What a card names that a ledger has never seen: warnings, for it may come yet.
#[must_use]
pub fn check_against(card: &RateCard, seen: &SeenNames) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut blocks: Vec<(&FilePosition, Whom, What, Option<&String>)> = Vec::new();
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
                let hint = meant(what, name, known, seen);
                let message = format!("the ledger has seen no {what} `{name}`");
                problems.push(Problem::at(place, Severity::Warning, message, hint));
            }
        };
        names_of_whom(&whom, seen, &mut unknown);
        names_of_what(&what, seen, &mut unknown);
        if let Some(process_type) = process_type {
            unknown("process type", process_type, &seen.process_types);
        }
    }
    if !seen.currencies.is_empty() && !seen.currencies.contains(card.currency.code()) {
        let other = seen.currencies.iter().next().map_or("", String::as_str);
        let place = FilePosition {
            column: 1,
            line: 1,
            ..card.rates.first().map_or_else(FilePosition::nowhere, |rate| rate.place.clone())
        };
        let message = format!("the card is in {}, and final invoices are in {other}", card.currency);
        let hint = "nothing is converted: keep an account's invoices in one currency".to_owned();
        problems.push(Problem::at(&place, Severity::Warning, message, hint));
    }
    problems.extend(names_of_several(card, seen));
    sort(&mut problems);
    problems
}

/// What to do about a name that was never seen.
fn meant(what: &str, name: &str, known: &BTreeSet<String>, seen: &SeenNames) -> String {
    let by_name = seen.account_names.get(name).filter(|_| what == "account");
    by_name
        .map(|id| format!("give the account's id: account = \"{id}\""))
        .or_else(|| did_you_mean(name, known.iter().map(String::as_str)))
        .unwrap_or_else(|| "that is fine if it will exist later; until then it has no effect".to_owned())
}

/// Names each name of whom a block is for: what it is, and which of them were seen.
fn names_of_whom(whom: &Whom, seen: &SeenNames, name: &mut impl FnMut(&str, &str, &BTreeSet<String>)) {
    match whom {
        Whom::Everyone => {}
        Whom::Account(account) => name("account", account, &seen.accounts),
        Whom::Organization { foundation, organization } => {
            name("org", &format!("{foundation}/{organization}"), &seen.organizations);
        }
        Whom::OrganizationLabel(label) => name("org label", &label.to_string(), &seen.organization_labels),
        Whom::SpaceLabel(label) => name("space label", &label.to_string(), &seen.space_labels),
    }
}

/// Names each name of what a block is for: what it is, and which of them were seen.
fn names_of_what(what: &What, seen: &SeenNames, name: &mut impl FnMut(&str, &str, &BTreeSet<String>)) {
    let offerings = || seen.plans.iter().map(|(offering, _)| offering.clone()).collect::<BTreeSet<_>>();
    match what {
        What::Any | What::WithoutBuildpack | What::UserProvided => {}
        What::Buildpack(buildpack) => name("buildpack", buildpack, &seen.buildpacks),
        What::BuildpackGuid(guid) => name("buildpack guid", guid, &seen.buildpack_guids),
        What::BuildpackPattern(pattern) => {
            if !seen.buildpacks.iter().any(|name| pattern.matches(name)) {
                name("buildpack like", pattern.as_str(), &BTreeSet::new());
            }
        }
        What::PlanGuid(guid) => name("plan", &guid.to_string(), &seen.plan_guids),
        What::Broker(broker) => name("broker", broker, &seen.brokers),
        What::Offering(offering) => name("offering", offering, &offerings()),
        What::OfferingOf { offering, broker } => {
            name("offering", offering, &offerings());
            name("broker", broker, &seen.brokers);
        }
        What::PlanOf { broker, .. } if !seen.brokers.contains(broker) => name("broker", broker, &seen.brokers),
        What::PlanName { offering, plan } | What::PlanOf { offering, plan, .. } => {
            let of_offering = seen.plans.iter().filter(|(of, _)| of == offering).map(|(_, plan)| plan.clone());
            let plans: BTreeSet<String> = of_offering.collect();
            if plans.is_empty() {
                name("offering", offering, &offerings());
            } else {
                name(&format!("plan of `{offering}`"), plan, &plans);
            }
        }
    }
}
