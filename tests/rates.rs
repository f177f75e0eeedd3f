//! Rate cards: what they may say, what is wrong with them, which rate applies, and what it comes to.

use cf_billing::domain::{Guid, Kind, Price, Span, Timestamp};
use cf_billing::rate_card::{Meter, RateCard, Subject, parse};
use cf_billing::rating::{LineKey, Named, Quantities, UsageItem, cuts, rate};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::support::program::Program;

const HEAD: &str = "name = \"test\"\ncurrency = \"EUR\"\n";

fn card(rates: &str) -> RateCard {
    let (card, problems) = parse("card.toml", &format!("{HEAD}{rates}"), Tz::Europe__Berlin);
    card.unwrap_or_else(|| panic!("{problems:?}"))
}

/// The problems of a card, as printed.
fn problems(text: &str) -> String {
    let (card, problems) = parse("card.toml", text, Tz::UTC);
    let errors = problems.iter().any(|problem| problem.severity == cf_billing::rate_card::Severity::Error);
    assert_eq!(card.is_none(), errors);
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn the_example_cards_are_good() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rates")).unwrap() {
        let file = entry.unwrap().path();
        let (card, problems) = parse("card", &std::fs::read_to_string(&file).unwrap(), Tz::UTC);
        assert!(card.is_some() && problems.is_empty(), "{}: {problems:?}", file.display());
    }
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let text = r#"
name = "test"
currency = "EURO"
prices = 1

[[process]]
memory_gib_hour = 0.0125
disk_gib_hour = "0,01"
memory_gb_hour = "1"
from = "October"

[[process]]
from = 2026-02-01
to = 2026-01-01
memory_gib_hour = "-1"

[[process]]
from = 2026-02-01
instance_hour = 5

[[service]]
offering = "postgres"
instance_hour = "1"

[[service]]
plan_guid = "x"
plan = "small"
free = true
instance_hour = "1.0000000000001"

[[service]]
memory_gib_hour = "1"

[staging]
memory_gib_hour = "1"
"#;
    insta::assert_snapshot!(problems(text), @r#"
    card.toml:3:12: `EURO` is not a currency
    hint: use an ISO 4217 code such as EUR
    card.toml:4:1: unknown key `prices`
    hint: did you mean `process`?
    card.toml:7:19: `memory_gib_hour` is the number 0.0125, not a quoted decimal
    hint: quote it, so that it stays exact: memory_gib_hour = "0.0125"
    card.toml:8:17: `disk_gib_hour`: `0,01` is not a decimal number such as 0.0125
    hint: digits and a point, no sign, no comma, no exponent
    card.toml:9:1: unknown key `memory_gb_hour` in `process`
    hint: did you mean `memory_gib_hour`?
    card.toml:10:8: `from`: `October` is no instant
    hint: write a date (from = 2026-10-01, midnight in UTC) or a time with its offset (from = 2026-10-15T13:37:00+02:00)
    card.toml:14:6: the rate ends at 2026-01-01T00:00:00Z, not after it begins at 2026-02-01T00:00:00Z
    hint: `to` is the first instant at which it no longer applies
    card.toml:15:19: `memory_gib_hour`: `-1` is negative
    hint: digits and a point, no sign, no comma, no exponent
    card.toml:17:1: a second rate for `process, from 2026-02-01T00:00:00Z`; the first is on line 12
    hint: give one of them another `from`, or remove it
    card.toml:19:17: `instance_hour` is the number 5, not a quoted decimal
    hint: quote it, so that it stays exact: instance_hour = "5"
    card.toml:21:1: the `service` rate names half a plan
    hint: name the plan with plan_guid, or with offering and plan
    card.toml:25:1: the `service` rate is free and has prices
    hint: remove free = true, or the prices
    card.toml:25:1: the `service` rate names its plan twice
    hint: name the plan with plan_guid, or with offering and plan
    card.toml:29:17: `instance_hour`: `1.0000000000001` has more than 12 decimals
    hint: digits and a point, no sign, no comma, no exponent
    card.toml:31:1: the `service` rate has no price
    hint: give instance_hour, or free = true
    card.toml:32:1: unknown key `memory_gib_hour` in `service`
    hint: a service rate has: from, to, free, plan_guid, offering, plan, instance_hour
    card.toml:34:2: `staging` is not a list of rates
    hint: write [[staging]]
    "#);
}

#[test]
fn half_a_file_is_a_syntax_error_and_nothing_else() {
    insta::assert_snapshot!(problems("name = \"test\"\ncurrency = \"EUR\"\n[[process]\nmemory_gib_hour = "), @r#"
    card.toml:3:11: unclosed array table, expected `]`
    hint: TOML: [[process]] and so on, then key = "value", a line each
    "#);
}

#[test]
fn what_is_missing_is_named() {
    insta::assert_snapshot!(problems(""), @r#"
    card.toml:1:1: `name` is missing
    hint: write name = "standard"
    card.toml:1:1: `currency` is missing
    hint: write currency = "EUR"
    card.toml:1:1: the card has no rates
    hint: begin with [[process]]
    "#);
    insta::assert_snapshot!(problems("name = \"\"\ncurrency = 3"), @r#"
    card.toml:1:8: `name` is empty
    hint: give it a text, or leave the key out
    card.toml:2:12: `currency` is not text
    hint: write currency = "…"
    "#);
    insta::assert_snapshot!(problems(&format!("{HEAD}[[process]]\nfrom = 2026-01-01")), @"
    card.toml:3:1: the `process` rate has no price
    hint: give instance_hour, memory_gib_hour, disk_gib_hour, or free = true
    ");
    insta::assert_snapshot!(problems(&format!("{HEAD}[[process]]\nbuildpack = \"go\"\nmemory_gib_hour = \"1\"")), @"
    card.toml:3:1: every `process` rate is for a buildpack; docker apps and the like have none
    hint: add a [[process]] without buildpack, or that usage is unpriced
    ");
}

#[test]
fn a_card_with_problems_exits_2_and_prints_them() {
    let program = Program::new();
    std::fs::write(program.folder.path().join("card.toml"), format!("{HEAD}[[process]]\nmemory_gib_hour = 0.5\n"))
        .unwrap();
    let run = program.run(&["rates", "check", "card.toml"]);
    assert_eq!(run.code, Some(2));
    insta::assert_snapshot!(run.stderr, @r#"
    error: card.toml:4:19: `memory_gib_hour` is the number 0.5, not a quoted decimal
    hint: quote it, so that it stays exact: memory_gib_hour = "0.5"
    "#);
    assert_eq!(run.stdout, "");
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The line of the rate that applies, or 0.
fn line_at(card: &RateCard, subject: Subject<'_>, at: &str) -> usize {
    card.rate_at(subject, time(at)).map_or(0, |position| card.rates[position].line)
}

#[test]
fn the_narrowest_rate_in_force_applies_and_the_latest_of_the_same() {
    let card = card(
        r#"
[[process]]                             # 4
memory_gib_hour = "1"
[[process]]                             # 6
from = 2026-02-01
memory_gib_hour = "2"
[[process]]                             # 9
buildpack = "go"
from = 2026-01-15
to = 2026-03-01
memory_gib_hour = "3"
[[process]]                             # 14
buildpack = "go"
from = 2026-02-15
to = 2026-02-20
free = true
[[service]]                             # 19
instance_hour = "1"
[[service]]                             # 21
offering = "pg"
plan = "small"
instance_hour = "2"
[[service]]                             # 25
plan_guid = "guid-1"
instance_hour = "3"
"#,
    );
    let process =
        |buildpack| Subject { kind: Kind::Process, buildpack, plan: None, plan_name: None, offering_name: None };
    for (buildpack, at, line) in [
        (None, "2000-01-01T00:00:00Z", 4),
        // Dates are midnights in Berlin: an hour earlier in UTC.
        (None, "2026-01-31T22:59:59Z", 4),
        (None, "2026-01-31T23:00:00Z", 6),
        (Some("ruby"), "2026-02-10T00:00:00Z", 6),
        (Some("go"), "2026-01-14T22:59:59Z", 4),
        (Some("go"), "2026-01-14T23:00:00Z", 9),
        (Some("go"), "2026-02-14T23:00:00Z", 14),
        // The later rate for the same has ended; the earlier one doesn't come back.
        (Some("go"), "2026-02-19T23:00:00Z", 6),
        (Some("go"), "2026-02-28T23:00:00Z", 6),
    ] {
        assert_eq!(line_at(&card, process(buildpack), at), line, "{buildpack:?} at {at}");
    }
    let (one, two) = (Guid::new("guid-1"), Guid::new("guid-2"));
    let service = |plan, names: (Option<&'static str>, Option<&'static str>)| Subject {
        kind: Kind::Service,
        buildpack: None,
        plan,
        offering_name: names.0,
        plan_name: names.1,
    };
    for (plan, names, line) in [
        (Some(&one), (Some("pg"), Some("small")), 25),
        (Some(&two), (Some("pg"), Some("small")), 21),
        (Some(&two), (Some("pg"), Some("large")), 19),
        (Some(&two), (None, Some("small")), 19),
        (None, (None, None), 19),
    ] {
        assert_eq!(line_at(&card, service(plan, names), "2026-01-01T00:00:00Z"), line, "{plan:?} {names:?}");
    }
    let task = Subject { kind: Kind::Task, buildpack: None, plan: None, plan_name: None, offering_name: None };
    assert_eq!(line_at(&card, task, "2026-01-01T00:00:00Z"), 0);
}

fn key() -> LineKey {
    let named = |guid: &str| Named { name: None, guid: Guid::new(guid) };
    LineKey {
        foundation: "f".to_owned(),
        organization: named("o"),
        space: named("s"),
        kind: Kind::Process,
        app: Some(named("a")),
        service_instance: None,
        service_offering: None,
        service_plan: None,
        buildpack: None,
        estimated: false,
    }
}

/// What 1 instance of `memory` MiB costs over `span`, in cents, with usage cut at `edges` besides the card's.
fn cents(card: &RateCard, period: Span, memory: i64, edges: &[Timestamp]) -> i64 {
    let all: Vec<Timestamp> = card.edges().into_iter().chain(edges.iter().copied()).collect();
    let usage: Vec<(Span, Vec<UsageItem>)> = (cuts(period, &all).into_iter())
        .map(|span| {
            let seconds = span.seconds();
            let quantities = Quantities {
                instance_seconds: seconds,
                memory_mib_seconds: seconds * memory,
                disk_mib_seconds: seconds * 1024,
            };
            (span, vec![UsageItem { key: key(), quantities }])
        })
        .collect();
    let rated = rate(card, period, &usage).unwrap();
    assert!(rated.unpriced.is_empty());
    let amount = |line: &cf_billing::rating::RatedLine| {
        cf_billing::domain::money::amount(line.quantity, line.price, line.unit_size, card.currency).unwrap().0
    };
    rated.lines.iter().map(amount).sum()
}

#[test]
fn a_price_change_splits_a_running_interval_there() {
    let card = card(
        "[[process]]\nmemory_gib_hour = \"1\"\n[[process]]\nfrom = 2026-10-15T13:37:00+02:00\nmemory_gib_hour = \"2\"\n",
    );
    let period = Span { from: time("2026-10-15T11:00:00Z"), to: time("2026-10-15T13:00:00Z") };
    let usage: Vec<_> = (cuts(period, &card.edges()).into_iter())
        .map(|span| {
            let quantities = Quantities { memory_mib_seconds: span.seconds() * 1024, ..Quantities::default() };
            (span, vec![UsageItem { key: key(), quantities }])
        })
        .collect();
    let rated = rate(&card, period, &usage).unwrap();
    let lines: Vec<_> = (rated.lines.iter())
        .map(|line| (line.span.from.to_string(), line.quantity / 1024, line.price.to_string(), line.meter))
        .collect();
    let memory = Meter::MemoryGibHour;
    assert_eq!(
        lines,
        [
            ("2026-10-15T11:00:00Z".to_owned(), 37 * 60, "1".to_owned(), memory),
            ("2026-10-15T11:37:00Z".to_owned(), 83 * 60, "2".to_owned(), memory),
        ]
    );
}

#[test]
fn what_no_rate_is_for_is_unpriced_unless_it_is_nothing() {
    let card = card("[[task]]\nmemory_gib_hour = \"1\"\n");
    let period = Span { from: time("2026-10-01T00:00:00Z"), to: time("2026-10-02T00:00:00Z") };
    let item = |seconds| {
        let quantities = Quantities { instance_seconds: seconds, ..Quantities::default() };
        vec![(period, vec![UsageItem { key: key(), quantities }])]
    };
    assert_eq!(rate(&card, period, &item(1)).unwrap().unpriced.len(), 1);
    assert_eq!(rate(&card, period, &item(0)).unwrap().unpriced.len(), 0);
}

proptest! {
    #![proptest_config(Config { cases: 512, rng_seed: RngSeed::Fixed(20_261_121), failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_split_of_time_costs_the_same(
        price in "[0-9]{1,3}\\.[0-9]{10}",
        seconds in 1..3_000_000_i64,
        memory in 1..100_000_i64,
        edges in prop::collection::vec(0..3_000_000_i64, 0..30),
    ) {
        let card = card(&format!("[[process]]\nmemory_gib_hour = \"{price}\"\ninstance_hour = \"{price}\"\ndisk_gib_hour = \"{price}\"\n"));
        let from = time("2026-10-01T00:00:00Z");
        let period = Span { from, to: from.plus(seconds) };
        let edges: Vec<_> = edges.into_iter().map(|edge| from.plus(edge)).collect();
        prop_assert_eq!(cents(&card, period, memory, &edges), cents(&card, period, memory, &[]));
    }

    #[test]
    fn the_order_of_rates_does_not_matter(shuffled in Just(vec![
        "[[process]]\nmemory_gib_hour = \"1\"\n",
        "[[process]]\nfrom = 2026-10-02\nmemory_gib_hour = \"2\"\n",
        "[[process]]\nbuildpack = \"go\"\nmemory_gib_hour = \"3\"\n",
        "[[task]]\nmemory_gib_hour = \"4\"\n",
    ]).prop_shuffle()) {
        let card = card(&shuffled.concat());
        let period = Span { from: time("2026-10-01T00:00:00Z"), to: time("2026-10-03T00:00:00Z") };
        // 22 h at 1, 26 h at 2: Berlin's midnight is at 22:00 UTC.
        prop_assert_eq!(cents(&card, period, 1024, &[]), 22 * 100 + 26 * 200);
    }

    #[test]
    fn prices_read_back_as_written(text in "[0-9]{1,9}(\\.[0-9]{1,12})?") {
        let price: Price = text.parse().unwrap();
        prop_assert_eq!(price.to_string().parse::<Price>().unwrap(), price);
    }
}
