//! Accounts against what the ledger has seen: who is in no account, what there isn't, what two accounts have.
//! Owns these warnings; never reads a ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use super::owners::{Claim, Rank};
use super::{Account, Accounts, Owned, Target, Whereabouts, parse};
use crate::domain::period::{Month, date_or_time};
use crate::domain::text::did_you_mean;
use crate::domain::{Span, Timestamp};
use crate::keyed::{self, Problem};
use crate::rate_card::Labels;
use crate::rating::Named;

/// What a ledger has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenPlaces {
    pub foundations: BTreeSet<String>,
    /// `FOUNDATION/NAME` and `FOUNDATION/GUID`, also of those without usage.
    pub organizations: BTreeSet<String>,
    /// As of organizations, whatever organization they are in.
    pub spaces: BTreeSet<String>,
    /// `FOUNDATION: KEY = VALUE`, of labels and annotations.
    pub labels: BTreeSet<String>,
    pub places: Vec<SeenPlace>,
}

/// An organization and a space with usage, and when it was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPlace {
    pub foundation: String,
    pub organization: Named,
    pub space: Named,
    pub organization_labels: Arc<Labels>,
    pub space_labels: Arc<Labels>,
    pub organization_annotations: Arc<Labels>,
    pub space_annotations: Arc<Labels>,
    pub used_until: Timestamp,
}

impl<'a> From<&'a SeenPlace> for Whereabouts<'a> {
    fn from(place: &'a SeenPlace) -> Self {
        Self {
            foundation: &place.foundation,
            organization: &place.organization,
            space: &place.space,
            organization_labels: &place.organization_labels,
            space_labels: &place.space_labels,
            organization_annotations: &place.organization_annotations,
            space_annotations: &place.space_annotations,
        }
    }
}

impl SeenPlace {
    /// As people know it: `FOUNDATION/ORG`.
    fn organization(&self) -> String {
        format!("{}/{}", self.foundation, self.organization.called())
    }

    /// `FOUNDATION/ORG/SPACE`
    fn space(&self) -> String {
        format!("{}/{}", self.organization(), self.space.called())
    }
}

/// Longer values than this are no typing mistakes of each other, and take long to compare.
const MOST_TO_COMPARE: usize = 200;

/// What accounts and a ledger don't have in common. A name that nothing has is an error: it is mistyped, or out of date, and
/// what was meant is charged to nobody. The rest are warnings, for it may come yet, or may be meant.
#[must_use]
pub fn check_against(accounts: &Accounts, seen: &SeenPlaces) -> Vec<Problem> {
    let mut problems = unknown(accounts, seen);
    problems.extend(contested(accounts, seen));
    keyed::sort(&mut problems);
    problems.extend(nobodys(accounts, seen));
    problems
}

/// What is owned and was never seen.
fn unknown(accounts: &Accounts, seen: &SeenPlaces) -> Vec<Problem> {
    let mut spaces = BTreeSet::new();
    for place in &seen.places {
        let SeenPlace { foundation, organization, space, .. } = place;
        spaces.insert(format!("{foundation}/{}", space.guid));
        for organization in [Some(organization.guid.to_string()), organization.name.clone()].iter().flatten() {
            for space in [Some(space.guid.to_string()), space.name.clone()].iter().flatten() {
                spaces.insert(format!("{foundation}/{organization}/{space}"));
            }
        }
    }
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    let mut owned: Vec<&Owned> = accounts.all().flat_map(|account| &account.owns).collect();
    owned.sort_by_key(|owned| owned.position);
    for owned in owned {
        let text = owned.to_string();
        let (what, name, known) = if seen.foundations.contains(&owned.foundation) {
            match owned.target {
                Target::Organization(_) => ("org", text.as_str(), &seen.organizations),
                Target::Space(_) => ("space", text.as_str(), &spaces),
                Target::Label { .. } => ("label or annotation", text.as_str(), &seen.labels),
            }
        } else {
            ("foundation", owned.foundation.as_str(), &seen.foundations)
        };
        if known.contains(name) || !told.insert((what, name.to_owned())) {
            continue;
        }
        let short = known.iter().map(String::as_str).filter(|known| known.len() < MOST_TO_COMPARE);
        let meant = did_you_mean(name, short);
        let may_come = || "that is fine if it will exist later; until then it has no effect".to_owned();
        let origin = accounts.origin(Some(owned.position));
        let unseen = format!("the ledger has seen no {what} `{name}`");
        if seen.foundations.contains(&owned.foundation) && is_wrong_name(owned, seen) {
            let hint = meant.unwrap_or_else(|| {
                format!("write its name as `cf {what}s` shows it, or its guid; leave it out until there is one")
            });
            let article = if what == "org" { "an" } else { "a" };
            let what = format!("neither usage nor Cloud Controller's lists know {article} {what} `{name}`");
            problems.push(Problem::error(origin, what, hint));
        } else {
            problems.push(Problem::warning(origin, unseen, meant.unwrap_or_else(may_come)));
        }
    }
    problems
}

/// Whether a name in it is nothing's. A guid without usage may be one that was just made.
fn is_wrong_name(owned: &Owned, seen: &SeenPlaces) -> bool {
    let foundation = &owned.foundation;
    let is_nothings = |name: &str, known: &BTreeSet<String>| {
        !parse::looks_like_guid(name) && !known.contains(&format!("{foundation}/{name}"))
    };
    match &owned.target {
        Target::Organization(organization) => is_nothings(organization, &seen.organizations),
        Target::Space(place) => place.split_once('/').is_some_and(|(organization, space)| {
            is_nothings(organization, &seen.organizations) || is_nothings(space, &seen.spaces)
        }),
        Target::Label { .. } => false,
    }
}

/// What the layers of one kind are, for people: the first of two is taken.
const fn by(rank: Rank) -> &'static str {
    match rank {
        Rank::SpaceGuid | Rank::OrganizationGuid => "guid",
        Rank::SpaceName | Rank::OrganizationName => "name",
        Rank::SpaceLabel | Rank::OrganizationLabel => "label",
        Rank::SpaceAnnotation | Rank::OrganizationAnnotation => "annotation",
    }
}

/// Ways of owning of which none says more than the other.
const fn level(rank: Rank) -> usize {
    match rank {
        Rank::SpaceGuid | Rank::SpaceName => 0,
        Rank::OrganizationGuid | Rank::OrganizationName => 1,
        Rank::SpaceLabel | Rank::SpaceAnnotation => 2,
        Rank::OrganizationLabel | Rank::OrganizationAnnotation => 3,
    }
}

/// What is one account's by its guid and another's by its name, or has labels of two.
fn contested(accounts: &Accounts, seen: &SeenPlaces) -> Vec<Problem> {
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    for place in &seen.places {
        let layers = accounts.layers(&Whereabouts::from(place));
        let claims: Vec<(Rank, &Claim)> =
            layers.iter().flat_map(|(rank, claims)| claims.iter().map(|claim| (*rank, claim))).collect();
        for (at, (rank, one)) in claims.iter().enumerate() {
            for (other_rank, two) in &claims[at + 1..] {
                let both = level(*rank) == level(*other_rank)
                    && one.account != two.account
                    && parse::overlap(one.validity, two.validity);
                if !both || !told.insert((one.position, two.position)) {
                    continue;
                }
                let name = if matches!(level(*rank), 0 | 2) {
                    format!("space `{}`", place.space())
                } else {
                    format!("org `{}`", place.organization())
                };
                let what = format!(
                    "{name} is account `{}`'s by its {} (line {}), and `{}`'s by its {}",
                    one.account,
                    by(*rank),
                    one.position.line,
                    two.account,
                    by(*other_rank)
                );
                let hint = if rank == other_rank {
                    format!("`{}` is charged, because the key of its label comes first: keep one of them", one.account)
                } else {
                    format!("`{}` is charged: a guid counts before a name, a label before an annotation", one.account)
                };
                problems.push(Problem::warning(accounts.origin(Some(two.position)), what, hint));
            }
        }
    }
    problems
}

/// What was used lately and is in no account, now or later.
fn nobodys(accounts: &Accounts, seen: &SeenPlaces) -> Vec<Problem> {
    let Some(newest) = seen.places.iter().map(|place| place.used_until).max() else { return Vec::new() };
    // Of the last instant of a month, not of the next one's first.
    let month = Month::of(newest.plus(-1), accounts.zone);
    let since = month.previous().span(accounts.zone).from;
    let period = Span { from: month.span(accounts.zone).from, to: Timestamp::MAX };
    // With the spans in which nobody owns them.
    type Places<'a> = Vec<(&'a SeenPlace, Vec<Span>)>;
    let mut organizations: BTreeMap<(&str, &Named), Places<'_>> = BTreeMap::new();
    for place in seen.places.iter().filter(|place| place.used_until > since) {
        let owners = accounts.owners(&Whereabouts::from(place), period);
        let free = owners.into_iter().filter(|(_, owner)| owner.is_none()).map(|(span, _)| span).collect();
        organizations.entry((&place.foundation, &place.organization)).or_default().push((place, free));
    }
    let mut problems = Vec::new();
    let mut ids: BTreeSet<String> = accounts.all().map(|account| account.id.clone()).collect();
    for places in organizations.values() {
        let (first, free) = &places[0];
        if places.iter().all(|(_, other)| other == free) {
            let name = format!("org `{}`", first.organization());
            if free.as_slice() == [period] {
                let own = accounts.own(&first.foundation, &first.organization);
                let what = format!("{name} is in no account: it is an account by itself, `{}`", own.id);
                problems.push(Problem::warning(accounts.origin(None), what, block(first, &own, &mut ids)));
            } else {
                problems.extend(free.iter().map(|span| for_a_time(accounts, &name, period, *span)));
            }
            continue;
        }
        for (place, free) in places {
            let name = format!("space `{}`", place.space());
            problems.extend(free.iter().map(|span| for_a_time(accounts, &name, period, *span)));
        }
    }
    problems
}

fn for_a_time(accounts: &Accounts, name: &str, period: Span, free: Span) -> Problem {
    let shown = |at| date_or_time(at, accounts.zone);
    let mut when = String::new();
    if free.from > period.from {
        write!(when, " from {}", shown(free.from)).expect("writing to a String never fails");
    }
    match free.to == period.to {
        true if !when.is_empty() => when += " on",
        true => {}
        false => write!(when, " until {}", shown(free.to)).expect("writing to a String never fails"),
    }
    let what = format!("{name} is in no account{when}");
    let hint = "its org is an account by itself then; if that is wrong, give it to one with [[account.owns]]";
    Problem::warning(accounts.origin(None), what, hint)
}

/// What to paste into the file.
fn block(place: &SeenPlace, own: &Account, ids: &mut BTreeSet<String>) -> String {
    let plain = |text: &str| -> String {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        text.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect()
    };
    let name = plain(&own.name);
    let candidates = [name.clone(), format!("{name}-{}", place.foundation), plain(&own.id)];
    let id = candidates.into_iter().find(|id| !id.is_empty() && !ids.contains(id)).unwrap_or_else(|| plain(&own.id));
    ids.insert(id.clone());
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let organization = quoted(&place.organization());
    format!("[[account]]\nid = \"{id}\"\nname = {}\norganizations = [{organization}]", quoted(&own.name))
}
