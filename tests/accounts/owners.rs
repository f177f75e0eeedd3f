//! Whose a space is, when.

use cf_billing::accounts::{Account, Accounts, Whereabouts};
use cf_billing::domain::{Guid, Span, Timestamp};
use cf_billing::rate_card::Labels;
use cf_billing::rating::Named;
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::accounts;

fn named(guid: &str, name: Option<&str>) -> Named {
    Named { guid: Guid::new(guid), name: name.map(str::to_owned) }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// October in UTC.
fn october() -> Span {
    Span { from: time("2026-10-01T00:00:00Z"), to: time("2026-11-01T00:00:00Z") }
}

/// A place with labels: `oa=1` is the organization's label a, `sb=2` the space's b; `OA=1`, `SB=2` are annotations.
struct Place {
    organization: Named,
    space: Named,
    labels: [Labels; 4],
}

impl Place {
    fn new(labels: &str) -> Self {
        let of = |prefix: char| -> Labels {
            let labels = labels.split_whitespace().filter_map(|label| label.strip_prefix(prefix)?.split_once('='));
            labels.map(|(key, value)| (key.to_lowercase(), value.to_owned())).collect()
        };
        Self {
            organization: named("org-guid", Some("shop")),
            space: named("space-guid", Some("live")),
            labels: ['o', 's', 'O', 'S'].map(of),
        }
    }

    fn whereabouts<'a>(&'a self, foundation: &'a str) -> Whereabouts<'a> {
        Whereabouts {
            foundation,
            organization: &self.organization,
            space: &self.space,
            organization_labels: &self.labels[0],
            space_labels: &self.labels[1],
            organization_annotations: &self.labels[2],
            space_annotations: &self.labels[3],
        }
    }
}

/// Owners as text: days of October, 1 to 32, or with hours.
fn told(owners: &[(Span, Option<&Account>)]) -> String {
    let day = |at: Timestamp| {
        let seconds = at.seconds_since(october().from);
        let (days, hours) = (seconds.div_euclid(86_400) + 1, seconds.rem_euclid(86_400) / 3600);
        if hours == 0 { days.to_string() } else { format!("{days}T{hours:02}") }
    };
    let one = |(span, owner): &(Span, Option<&Account>)| {
        format!("{}-{} {}", day(span.from), day(span.to), owner.map_or("-", |owner| &owner.id))
    };
    owners.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `accounts`: a line an account: its id, then what it owns; `@` begins a time, days of October, `@12-` from the 12th.
fn file(text: &str) -> String {
    let mut file = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (id, owns) = line.split_once(' ').unwrap();
        file += &format!("[[account]]\nid = \"{id}\"\nname = \"{id}\"\n");
        for owned in owns.split(' ') {
            let (what, times) = owned.split_once('@').unwrap_or((owned, "-"));
            let (kind, what) = what.split_once('>').unwrap();
            let (from, to) = times.split_once('-').unwrap();
            file += &format!("[[account.owns]]\n{kind} = \"{what}\"\n");
            for (key, day) in [("from", from), ("to", to)].into_iter().filter(|(_, day)| !day.is_empty()) {
                file += &format!("{key} = 2026-10-{:02}\n", day.parse::<u32>().unwrap());
            }
        }
    }
    file
}

#[track_caller]
fn check(text: &str, labels: &str, expected: &str) {
    let accounts = accounts(&file(text));
    assert_eq!(told(&accounts.owners(&Place::new(labels).whereabouts("eu1"), october())), expected, "{text}");
}

#[test]
fn an_organization_that_moves_is_split_there() {
    check("a organization>eu1/shop", "", "1-32 a");
    check("a organization>eu1/other", "", "1-32 -");
    check("a organization>us1/shop", "", "1-32 -");
    check("a organization>eu1/shop@-12\nb organization>eu1/shop@12-", "", "1-12 a, 12-32 b");
    check("a organization>eu1/shop@10-12\nb organization>eu1/shop@20-", "", "1-10 -, 10-12 a, 12-20 -, 20-32 b");
    // Neighbours of one owner are one span, by whichever of its entries.
    check("a organization>eu1/shop@-12 organization>eu1/shop@12-", "", "1-32 a");
    check("a organization>eu1/shop@-12 organization>eu1/org-guid@12-", "", "1-32 a");
}

/// One line less each time: what comes next.
#[test]
fn the_narrower_and_the_surer_comes_first() {
    let lines = [
        "sg space>eu1/org-guid/space-guid",
        "sn space>eu1/shop/live",
        "og organization>eu1/org-guid",
        "on organization>eu1/shop",
        "sl label>eu1:a=1",
        "sa label>eu1:a=2",
        "ol label>eu1:a=3",
        "oa label>eu1:a=4",
    ];
    for first in 0..lines.len() {
        // The order of the file doesn't matter.
        let text: Vec<&str> = lines[first..].iter().rev().copied().collect();
        let expected = lines[first].split(' ').next().unwrap();
        check(&text.join("\n"), "sa=1 SA=2 oa=3 OA=4", &format!("1-32 {expected}"));
    }
    for space in ["eu1/shop/space-guid", "eu1/org-guid/live", "eu1/shop/live"] {
        check(&format!("s space>{space}\no organization>eu1/shop"), "", "1-32 s");
    }
    check("s space>eu1/other/live\no organization>eu1/shop", "", "1-32 o");
    let guid = "0b35e9e2-1784-4881-9c4e-0deb1d51458c";
    let accounts = accounts(&file(&format!("s space>eu1/{guid}\no organization>eu1/shop")));
    let place = Place { space: named(guid, None), ..Place::new("") };
    assert_eq!(told(&accounts.owners(&place.whereabouts("eu1"), october())), "1-32 s");
}

#[test]
fn a_space_goes_back_to_its_organization() {
    check("a organization>eu1/shop\nb space>eu1/shop/live@10-20", "", "1-10 a, 10-20 b, 20-32 a");
    check("a organization>eu1/shop@5-\nb space>eu1/shop/live@10-20", "", "1-5 -, 5-10 a, 10-20 b, 20-32 a");
}

#[test]
fn labels_of_two_accounts_go_by_their_keys() {
    check("a label>eu1:z=1\nb label>eu1:y=1", "oz=1 oy=1", "1-32 b");
    check("a label>eu1:z=1\nb label>eu1:y=1@10-", "oz=1 oy=1", "1-10 a, 10-32 b");
    check("a label>eu1:z=1\nb label>eu1:z=2", "oz=2", "1-32 b");
    check("a label>eu1:z=", "oz=", "1-32 a");
    check("a label>eu1:z=", "oz=1", "1-32 -");
    check("a label>us1:z=1", "oz=1", "1-32 -");
}

/// A date is midnight in the billing time zone; an instant is itself.
#[test]
fn dates_are_those_of_the_billing_time_zone() {
    let text = file("a organization>eu1/shop@-12\nb organization>eu1/shop@12-");
    let accounts = Accounts::parse("a.toml", &text, Tz::Europe__Berlin).unwrap();
    let place = Place::new("");
    assert_eq!(told(&accounts.owners(&place.whereabouts("eu1"), october())), "1-11T22 a, 11T22-32 b");
    let text = text.replace("2026-10-12", "2026-10-12T00:00:00-02:00");
    let accounts = Accounts::parse("a.toml", &text, Tz::Europe__Berlin).unwrap();
    assert_eq!(told(&accounts.owners(&place.whereabouts("eu1"), october())), "1-12T02 a, 12T02-32 b");
}

#[test]
fn a_period_without_length_has_no_owner() {
    let accounts = accounts(&file("a organization>eu1/shop"));
    let place = Place::new("");
    let at = time("2026-10-12T00:00:00Z");
    assert!(accounts.owners(&place.whereabouts("eu1"), Span { from: at, to: at }).is_empty());
    let last = Span { from: at, to: at.plus(1) };
    assert_eq!(accounts.owners(&place.whereabouts("eu1"), last).len(), 1);
}

/// Kinds of entries for the same place, with the rank by which they count.
const KINDS: [(&str, usize); 11] = [
    ("space>eu1/org-guid/space-guid", 0),
    ("space>eu1/shop/space-guid", 1),
    ("space>eu1/org-guid/live", 2),
    ("space>eu1/shop/live", 3),
    ("label>eu1:a=1", 6),
    ("label>eu1:a=2", 7),
    ("organization>eu1/org-guid", 4),
    ("organization>eu1/shop", 5),
    ("label>eu1:a=3", 8),
    ("label>eu1:b=3", 9),
    ("label>eu1:a=4", 10),
];

/// Entries of some kind, on days that don't overlap, of accounts that come again.
fn ownerships() -> impl Strategy<Value = Vec<(usize, u8, u32, u32)>> {
    let one = (0..KINDS.len(), 0..4_u8, 1..31_u32, 1..15_u32);
    prop::collection::vec(one, 0..25).prop_map(|all| {
        let mut kept: Vec<(usize, u8, u32, u32)> = Vec::new();
        for (kind, account, from, days) in all {
            let to = (from + days).min(31);
            if from < to && !kept.iter().any(|other| other.0 == kind && other.2 < to && from < other.3) {
                kept.push((kind, account, from, to));
            }
        }
        kept
    })
}

proptest! {
    #![proptest_config(Config { rng_seed: RngSeed::Fixed(20_261_127), failure_persistence: None, ..Config::default() })]

    /// Spans cover the period in order, neighbours differ, and each hour has the owner that a plain search finds.
    #[test]
    fn spans_are_what_every_hour_says(owned in ownerships(), start in 0..40_i64, hours in 1..900_i64) {
        let mut text = String::new();
        for account in 0..4_u8 {
            let mine = owned.iter().filter(|one| one.1 == account);
            let mine: Vec<String> = mine.map(|(kind, _, from, to)| format!("{}@{from}-{to}", KINDS[*kind].0)).collect();
            if !mine.is_empty() {
                text += &format!("{account} {}\n", mine.join(" "));
            }
        }
        let accounts = Accounts::parse("a.toml", &file(&text), Tz::UTC).unwrap();
        let place = Place::new("sa=1 SA=2 oa=3 ob=3 OA=4");
        let from = october().from.plus((start - 5) * 3600);
        let period = Span { from, to: from.plus(hours * 3600) };
        let owners = accounts.owners(&place.whereabouts("eu1"), period);
        prop_assert_eq!(owners.first().unwrap().0.from, period.from);
        prop_assert_eq!(owners.last().unwrap().0.to, period.to);
        for pair in owners.windows(2) {
            prop_assert_eq!(pair[0].0.to, pair[1].0.from);
            prop_assert_ne!(pair[0].1.map(|owner| &owner.id), pair[1].1.map(|owner| &owner.id));
        }
        for hour in 0..hours {
            let at = period.from.plus(hour * 3600);
            let day = at.seconds_since(october().from).div_euclid(86_400) + 1;
            let holds = |one: &&(usize, u8, u32, u32)| i64::from(one.2) <= day && day < i64::from(one.3);
            let expected = owned.iter().filter(holds).min_by_key(|one| KINDS[one.0].1).map(|one| one.1.to_string());
            let found = owners.iter().find(|(span, _)| span.from <= at && at < span.to).unwrap();
            prop_assert_eq!(found.1.map(|owner| owner.id.clone()), expected, "{}", at);
        }
    }
}
