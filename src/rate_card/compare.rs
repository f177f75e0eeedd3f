//! What differs between two cards, in time: for whom, of what, from when, from which price to which.

use std::collections::{BTreeMap, BTreeSet};

use super::{Discount, Floor, Matcher, Off, Rate, RateCard, Terms, Validity, Whom, shown_model, units};
use crate::domain::{Kind, Span, Timestamp};
use crate::keyed::FilePosition;

/// Something that one card says and the other says differently, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is about, such as `process, buildpack java_buildpack`.
    pub subject: String,
    /// Of which kind's usage; `None`: of all.
    pub kind: Option<Kind>,
    /// For whom, and for what.
    pub matcher: Matcher,
    /// Which of its keys, such as `memory_gib_hour`.
    pub key: String,
    /// From when; `None`: always was.
    pub from: Option<Timestamp>,
    /// Until before when; `None`: for good.
    pub to: Option<Timestamp>,
    /// As the first card has it; `None`: it doesn't.
    pub before: Option<String>,
    /// As the second card has it; `None`: it doesn't.
    pub after: Option<String>,
    /// Where that stands: in the second card, or in the first if the second says nothing.
    pub place: Option<FilePosition>,
}

/// A block, for as long as it is in force.
struct Item {
    subject: String,
    /// Of a rate or an allowance: of what, and for whom and what.
    kind: Option<Kind>,
    matcher: Matcher,
    validity: Validity,
    values: Vec<(String, String)>,
    place: Option<FilePosition>,
}

/// What differs from the first card to the second, sorted by time, then subject.
#[must_use]
pub fn changes(before: &RateCard, after: &RateCard) -> Vec<Change> {
    // By what tells blocks apart: what people read may be the same for two.
    let mut items: BTreeMap<String, [Vec<Item>; 2]> = BTreeMap::new();
    for (side, card) in [before, after].into_iter().enumerate() {
        for item in items_of(card) {
            let same = format!("{:?}", (&item.subject, item.kind, &item.matcher));
            items.entry(same).or_default()[side].push(item);
        }
    }
    let mut changes = Vec::new();
    for sides in items.values() {
        changes.extend(changes_of(sides));
    }
    changes.sort_by(|one, two| (one.from, &one.subject, &one.matcher).cmp(&(two.from, &two.subject, &two.matcher)));
    changes
}

/// What differs within a span of time.
#[must_use]
pub fn changes_within(before: &RateCard, after: &RateCard, span: Span) -> Vec<Change> {
    let touches = |change: &Change| Validity { from: change.from, to: change.to }.within(span).is_some();
    changes(before, after).into_iter().filter(touches).collect()
}

/// The differences of one subject, key by key; what is the same from one segment to the next is one change.
fn changes_of(sides: &[Vec<Item>; 2]) -> Vec<Change> {
    let Some(Item { subject, kind, matcher, .. }) = sides.iter().flatten().next() else { return Vec::new() };
    let mut edges: Vec<Timestamp> =
        (sides.iter().flatten()).flat_map(|item| [item.validity.from, item.validity.to]).flatten().collect();
    edges.sort_unstable();
    edges.dedup();
    let mut starts = vec![None];
    starts.extend(edges.iter().copied().map(Some));
    let mut open: BTreeMap<String, Change> = BTreeMap::new();
    let mut done = Vec::new();
    for (position, from) in starts.iter().enumerate() {
        let to = edges.get(position).copied();
        // An instant within the segment.
        let at = from.unwrap_or_else(|| to.map_or(Timestamp::MIN, |to| to.plus(-1)));
        let in_force =
            |side: usize| -> Vec<&Item> { sides[side].iter().filter(|item| item.validity.holds(at)).collect() };
        let (first, second) = (in_force(0), in_force(1));
        let values = |items: &[&Item]| -> BTreeMap<String, String> {
            items.iter().flat_map(|item| item.values.iter().cloned()).collect()
        };
        let (mut was, is) = (values(&first), values(&second));
        let keys: BTreeSet<String> = was.keys().chain(is.keys()).cloned().collect();
        let place = second.first().or(first.first()).and_then(|item| item.place.clone());
        let mut differs: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
        for key in keys {
            let pair = (was.remove(&key), is.get(&key).cloned());
            if pair.0 != pair.1 {
                differs.insert(key, pair);
            }
        }
        let ended: Vec<String> = (open.iter())
            .filter(|(key, change)| differs.get(*key) != Some(&(change.before.clone(), change.after.clone())))
            .map(|(key, _)| key.clone())
            .collect();
        for key in ended {
            done.extend(open.remove(&key).map(|change| Change { to: *from, ..change }));
        }
        for (key, (before, after)) in differs {
            open.entry(key.clone()).or_insert_with(|| Change {
                subject: subject.clone(),
                kind: *kind,
                matcher: matcher.clone(),
                key,
                from: *from,
                to: None,
                before,
                after,
                place: place.clone(),
            });
        }
    }
    done.extend(open.into_values());
    done
}

fn items_of(card: &RateCard) -> Vec<Item> {
    let mut items = Vec::new();
    let top = vec![
        ("currency".to_owned(), card.currency.code().to_owned()),
        ("rounding".to_owned(), card.rounding.name().to_owned()),
    ];
    items.push(Item {
        subject: "card".to_owned(),
        kind: None,
        matcher: Matcher::any(),
        validity: Validity::default(),
        values: top,
        place: None,
    });
    for rate in &card.rates {
        items.push(Item {
            subject: subject(rate.kind.name(), &rate.matcher),
            kind: Some(rate.kind),
            matcher: rate.matcher.clone(),
            validity: card.rate_validity(rate),
            values: rate_values(rate),
            place: Some(rate.place.clone()),
        });
    }
    for allowance in &card.allowances {
        let unit = allowance.meter.constant_unit().unwrap_or(1);
        let per = if allowance.per == super::Per::Organization { "org" } else { "account" };
        items.push(Item {
            subject: subject(&format!("allowance of {} {}", allowance.kind, allowance.meter), &allowance.matcher),
            kind: Some(allowance.kind),
            matcher: allowance.matcher.clone(),
            validity: card.allowance_validity(allowance),
            values: vec![("amount".to_owned(), format!("{} per {per}", units(allowance.quantity, unit)))],
            place: Some(allowance.place.clone()),
        });
    }
    items.extend(card.discounts.iter().map(|discount| discount_item(card, discount)));
    items.extend(card.floors.iter().map(|floor| floor_item(card, floor)));
    items.extend(card.taxes.iter().map(|tax| Item {
        subject: "tax".to_owned(),
        kind: None,
        matcher: Matcher::any(),
        validity: tax.validity.until_taken_over(card.taxes.iter().map(|tax| tax.validity)),
        values: vec![("percent".to_owned(), format!("{} {} ({})", tax.name, tax.percent, tax.category))],
        place: Some(tax.place.clone()),
    }));
    items
}

/// A kind and what narrows it but for whom.
fn subject(kind: &str, matcher: &Matcher) -> String {
    let rest = Matcher { whom: Whom::Everyone, ..matcher.clone() };
    if rest == Matcher::any() { kind.to_owned() } else { format!("{kind}, {rest}") }
}

fn rate_values(rate: &Rate) -> Vec<(String, String)> {
    let mut values = terms_values(&rate.terms);
    values.extend(rate.granularity.map(|granularity| ("granularity".to_owned(), granularity.to_string())));
    values.extend(rate.minimum_seconds.map(|seconds| ("minimum_seconds".to_owned(), seconds.to_string())));
    values
}

/// What a rate's terms say, key by key, for people.
#[must_use]
pub fn terms_values(terms: &Terms) -> Vec<(String, String)> {
    match terms {
        Terms::Free => vec![("free".to_owned(), "true".to_owned())],
        Terms::Prices(prices) => {
            prices.iter().map(|(meter, model)| (meter.name().to_owned(), shown_model(model, *meter))).collect()
        }
        Terms::Derived { multiplier, surcharges } => {
            let surcharges = surcharges.iter().map(|(meter, price)| (format!("surcharge {meter}"), price.to_string()));
            std::iter::once(("multiplier".to_owned(), multiplier.to_string())).chain(surcharges).collect()
        }
    }
}

fn discount_item(card: &RateCard, discount: &Discount) -> Item {
    let off = match discount.off {
        Off::Percent(percent) => ("percent".to_owned(), percent.to_string()),
        Off::Amount(amount) => ("amount".to_owned(), amount.in_major_units(card.currency).to_string()),
    };
    let of = discount.kind.map_or_else(String::new, |kind| format!(", {kind}"));
    Item {
        subject: format!("discount {}{of}", discount.name),
        kind: discount.kind,
        matcher: Matcher { whom: discount.whom.clone(), ..Matcher::any() },
        validity: card.discount_validity(discount),
        values: vec![off],
        place: Some(discount.place.clone()),
    }
}

fn floor_item(card: &RateCard, floor: &Floor) -> Item {
    Item {
        subject: floor.floor.name().to_owned(),
        kind: None,
        matcher: Matcher { whom: floor.whom.clone(), ..Matcher::any() },
        validity: card.floor_validity(floor),
        values: vec![("amount".to_owned(), floor.amount.in_major_units(card.currency).to_string())],
        place: Some(floor.place.clone()),
    }
}
