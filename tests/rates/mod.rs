//! Rate cards: what they may say, what is wrong with them, which rate applies, and what it comes to.

pub mod bill;
mod commands;
mod laws;
mod table;

use cf_billing::keyed::Severity;
use cf_billing::rate_card::{CardFile, parse};
use chrono_tz::Tz;

use crate::support::program::Program;

const HEAD: &str = "name = \"test\"\ncurrency = \"EUR\"\n";
/// So that no kind goes without a rate.
const OTHERS: &str = "[[staging]]\nfree = true\n[[task]]\nfree = true\n[[service]]\nfree = true\n";

fn file(name: &str, text: &str) -> CardFile {
    CardFile { name: name.to_owned(), text: text.to_owned() }
}

/// The problems of a card, as printed.
fn problems(text: &str) -> String {
    let (card, problems) = parse(&[file("card.toml", text)], Tz::UTC);
    let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(card.is_none(), errors);
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn the_example_cards_are_good() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/rates")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let (card, problems) = parse(&[file("card", &text)], Tz::UTC);
            assert!(card.is_some() && problems.is_empty(), "{}: {problems:?}", path.display());
        }
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
    card.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    card.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    card.toml:3:12: `currency`: `EURO` is not a currency
    hint: use an ISO 4217 code such as EUR
    card.toml:4:1: unknown key `prices`
    hint: did you mean `process`?
    card.toml:7:19: `memory_gib_hour` is the number 0.0125, not a quoted decimal
    hint: quote it, so that it stays exact: memory_gib_hour = "0.0125"
    card.toml:8:17: `disk_gib_hour`: `0,01` is not a decimal number such as 0.0125
    hint: digits and a point, no sign, no comma, no exponent
    card.toml:9:1: unknown key `memory_gb_hour` in `process`
    hint: did you mean `memory_gib_hour`?
    card.toml:10:8: `from`: `October` is not a valid date or time
    hint: write a date (2026-10-01, midnight in UTC) or a time with its offset (2026-10-15T13:37:00+02:00)
    card.toml:14:6: it ends at 2026-01-01T00:00:00Z, not after it begins at 2026-02-01T00:00:00Z
    hint: `to` is the first instant at which it no longer applies
    card.toml:15:19: `memory_gib_hour`: `-1` is negative
    hint: it can't be less than 0
    card.toml:17:1: a second block for `process, from 2026-02-01T00:00:00Z`; the first is on line 12
    hint: give one of them another `from`, or remove it
    card.toml:19:17: `instance_hour` is the number 5, not a quoted decimal
    hint: quote it, so that it stays exact: instance_hour = "5"
    card.toml:25:1: the `service` rate is free and has prices
    hint: remove free = true, or the prices
    card.toml:25:1: the `service` says in two ways what it is for
    hint: name the plan with plan_guid, or with offering, plan and broker
    card.toml:29:17: `instance_hour`: `1.0000000000001` has more than 12 decimals
    hint: round it: so many decimals are kept
    card.toml:32:1: unknown key `memory_gib_hour` in `service`
    hint: `service` has: from, to, account, org, org_label, space_label, plan_guid, offering, plan, broker, user_provided, instance_hour, month, free, multiplier, granularity
    card.toml:34:2: `staging` is not a list of tables
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
    hint: write name = "…" (The card's name)
    card.toml:1:1: `currency` is missing
    hint: write currency = "EUR" (ISO 4217 code of all its prices, such as EUR)
    card.toml:1:1: the card has no rates
    hint: begin with [[process]]
    "#);
    insta::assert_snapshot!(problems("name = \"\"\ncurrency = 3"), @r#"
    card.toml:1:1: the card has no rates
    hint: begin with [[process]]
    card.toml:1:8: `name` is empty
    hint: give it a text, or leave the key out
    card.toml:2:12: `currency` is not text
    hint: write currency = "…"
    "#);
    insta::assert_snapshot!(problems(&format!("{HEAD}[[process]]\nfrom = 2026-01-01")), @r"
    card.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    card.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    card.toml:1:1: there is no `service` rate: service instances will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    card.toml:3:1: the `process` rate has no price
    hint: give instance_hour, memory_gib_hour, disk_gib_hour, or free = true
    ");
    insta::assert_snapshot!(problems(&format!("{HEAD}[[process]]\nbuildpack = \"go\"\nmemory_gib_hour = \"1\"")), @r"
    card.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    card.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    card.toml:1:1: there is no `service` rate: service instances will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    card.toml:3:1: every `process` rate is for a buildpack; docker apps and the like have none
    hint: add a [[process]] for everything, with prices or free = true
    ");
}

/// Every mistake between blocks that are right by themselves.
#[test]
fn what_is_wrong_between_blocks_is_found() {
    let text = r#"
name = "test"
currency = "EUR"

[[process]]
from = 2026-01-01
to = 2026-03-01
memory_gib_hour = "0.0123456789"

# Overlaps.
[[process]]
from = 2026-02-01
memory_gib_hour = "1"

# Leaves a gap, and ends for good.
[[process]]
buildpack = "go"
to = 2026-02-01
memory_gib_hour = "1"
[[process]]
buildpack = "go"
from = 2026-02-15
to = 2026-03-01
memory_gib_hour = "1"

# The sale ends, and nothing comes back.
[[process]]
buildpack = "ruby"
memory_gib_hour = "1"
[[process]]
buildpack = "ruby"
from = 2026-02-15
to = 2026-03-01
memory_gib_hour = "0.5"

# Too many digits come out.
[[process]]
buildpack = "java"
multiplier = "1.2345"

# Nothing to multiply.
[[task]]
account = "acme"
multiplier = "2"

# Never applies.
[[process]]
buildpack_pattern = "nodejs"
memory_gib_hour = "1"
[[process]]
buildpack = "nodejs"
memory_gib_hour = "1"

# Never applies either, and can't be surcharged.
[[staging]]
per_staging = { model = "package", size = "10", price = "1" }
[[staging]]
buildpack_pattern = "*"
per_staging = { model = "package", size = "10", price = "1" }
[[staging]]
without_buildpack = true
surcharge = { per_staging = "1" }

# Both may be meant.
[[service]]
org_label = "a=1"
instance_hour = "1"
[[service]]
org_label = "b=1"
instance_hour = "1"

# Twice.
[[service]]
offering = "pg"
instance_hour = "1"
[[service]]
offering = "pg"
free = true

# Of what has no price.
[[allowance]]
kind = "process"
meter = "disk_gib_hour"
amount = "100"
"#;
    insta::assert_snapshot!(problems(text), @r"
    card.toml:11:1: two blocks for `process` from 2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z; the other is card.toml:5
    hint: end the other with `to = 2026-02-01T00:00:00Z`, or remove its `to`: a later block takes over
    card.toml:20:1: no block for `process, buildpack go` from 2026-02-01T00:00:00Z to 2026-02-15T00:00:00Z
    hint: usage in that time gets the next less specific rate, or none; if that is wrong, add a block
    card.toml:30:1: no block for `process, buildpack ruby` from 2026-03-01T00:00:00Z on: the earlier block doesn't come back
    hint: repeat the earlier block with `from = 2026-03-01T00:00:00Z`
    card.toml:37:1: with `process, from 2026-01-01T00:00:00Z` (card.toml:5): `0.0123456789 × 1.2345` has more than 12 decimals
    hint: round the price or the multiplier, so that their product keeps its digits
    card.toml:42:1: no `task` rate is for everything; usage that none of them covers will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    card.toml:42:1: the `task, account acme` changes prices, but no less specific rate has any
    hint: add a less specific [[task]] with prices, or give this one its own prices
    card.toml:47:1: the `process, buildpack like nodejs` never applies: card.toml:50 covers all its usage
    hint: the most specific rate wins: remove this one, or change what it is for
    card.toml:60:1: a surcharge on `per_staging`, which `staging` (card.toml:55) sells in packages
    hint: give this rate its own prices, or a multiplier
    card.toml:65:1: no `service` rate is for everything; usage that none of them covers will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    card.toml:68:1: usage with both labels has two rates: this one and card.toml:65
    hint: the one for org label b=1 applies, because it comes first in the alphabet: use one label key for prices
    card.toml:76:1: a second block for `service, offering pg`; the first is on line 73
    hint: give one of them another `from`, or remove it
    card.toml:81:1: an allowance of `disk_gib_hour`, which no `process` rate prices
    hint: it has no effect: price that quantity, or remove the allowance
    ");
}

#[test]
fn what_a_block_can_not_say_is_refused() {
    let text = r#"
name = "test"
currency = "EUR"
rounding = "bankers"

[[process]]
memory_gib_hour = { price = "1" }
[[process]]
buildpack = "a"
memory_gib_hour = { model = "graduated", tiers = [{ up_to = "100", price = "1" }, { up_to = "100", price = "2" }] }
[[process]]
buildpack = "b"
memory_gib_hour = { model = "volume", tiers = [{ price = "1" }, { price = "2" }] }
[[process]]
buildpack = "c"
memory_gib_hour = { model = "package", price = "1" }
[[process]]
buildpack = "d"
memory_gib_hour = { model = "package", size = "0.0000001", price = "1" }
[[process]]
buildpack = "e"
buildpack_guid = "e"
memory_gib_hour = "1"
[[process]]
org = "acme"
memory_gib_hour = "1"
[[process]]
account = "acme"
org_label = "tier=gold"
memory_gib_hour = "1"
[[process]]
buildpack = "f"
memory_gib_hour = "1"
multiplier = "2"
[[process]]
buildpack = "g"
multiplier = "1.2345678"
[[process]]
buildpack = "h"
surcharge = { month = "1" }
[[process]]
buildpack = "i"
granularity = { unit = "day" }
memory_gib_hour = "1"
[[process]]
buildpack = "j"
granularity = { round = "up" }
memory_gib_hour = "1"
[[staging]]
minimum_seconds = 0
per_staging = "1"
[[service]]
month = { model = "volume", tiers = [{ price = "1" }] }
[[allowance]]
kind = "service"
meter = "memory_gib_hour"
amount = "1"
[[allowance]]
kind = "process"
amount = "1"
[[discount]]
percent = "0"
[[discount]]
percent = "100.1"
[[discount]]
[[discount]]
kind = "task"
amount = "5"
[[minimum]]
amount = "9.999"
[[commitment]]
amount = "0"
[[tax]]
percent = "7"
category = "E"
[[tax]]
percent = "101"
"#;
    insta::assert_snapshot!(problems(text), @r#"
    card.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    card.toml:4:12: `rounding`: `bankers` is not valid
    hint: use `half_up`, `half_even`, `up` or `down`
    card.toml:7:19: `model` is missing in `process.memory_gib_hour`
    hint: write model = "flat", "graduated", "volume" or "package" (How the price follows from the quantity)
    card.toml:10:93: the last tier has an end, so usage above it has no price
    hint: remove its up_to
    card.toml:10:93: the tier ends where the one before it ends, or before
    hint: order tiers by up_to
    card.toml:13:48: a tier before the last has no end
    hint: give it an up_to
    card.toml:16:19: `size` is missing in `process.memory_gib_hour`
    hint: write size = "1" (package: its size in units; each package begun is paid)
    card.toml:19:47: `size`: `0.0000001` isn't a whole number of instance-seconds or MiB-seconds
    hint: use fewer decimals, such as 0.25 or 0.1
    card.toml:20:1: the `process` says in two ways what it is for
    hint: keep one of buildpack, buildpack_guid, buildpack_pattern and without_buildpack
    card.toml:25:7: `org`: `acme` is not valid
    hint: write FOUNDATION/ORG, with the org's name or guid
    card.toml:27:1: it says in two ways whom it is for
    hint: keep one of account, org, org_label and space_label
    card.toml:31:1: the `process` rate has prices, and also changes those of another rate
    hint: give either prices, or a multiplier or surcharge
    card.toml:37:14: `multiplier`: `1.2345678` has more than 6 decimals
    hint: round it: prices keep 12 decimals
    card.toml:40:15: unknown key `month` in `process.surcharge`
    hint: `process.surcharge` has: instance_hour, memory_gib_hour, disk_gib_hour
    card.toml:43:24: `unit`: `day` is not valid
    hint: use `second`, `minute` or `hour`
    card.toml:47:15: `unit` is missing in `process.granularity`
    hint: write unit = "second", "minute" or "hour" (Whole seconds, minutes or hours)
    card.toml:50:19: `minimum_seconds`: `0` is not a whole number from 1 to 86400
    hint: write it without quotes, such as minimum_seconds = 60
    card.toml:53:9: `month` takes a single price
    hint: months differ in length: use instance_hour for tiers and packages
    card.toml:56:9: a service has no `memory_gib_hour`
    hint: it has instance_hour, month
    card.toml:58:1: `meter` is missing in `allowance`
    hint: write meter = "instance_hour", "memory_gib_hour", "disk_gib_hour", "month" or "per_staging" (Of which quantity)
    card.toml:62:11: `percent`: `0` is not between 0 and 100, with 6 decimals at most
    hint: write percent = "10"
    card.toml:64:11: `percent`: `100.1` is not between 0 and 100, with 6 decimals at most
    hint: write percent = "10"
    card.toml:65:1: the `discount` doesn't say what it takes off
    hint: give either percent or amount
    card.toml:66:1: the `discount` has an amount for a part of an invoice
    hint: an amount is taken off the whole invoice: limit it by account only, or use percent
    card.toml:70:10: `amount`: `9.999` has more decimals than the 2 of the currency
    hint: round it
    card.toml:72:10: `amount` is nothing
    hint: give more than 0, or remove the block
    card.toml:74:11: `percent`: category E has no tax, and `7` is given
    hint: use category S with a percentage such as "19", or another category with "0" or none
    card.toml:77:11: `percent`: `101` is not between 0 and 100, with 4 decimals at most
    hint: use category S with a percentage such as "19", or another category with "0" or none
    "#);
}

/// Just below and just above what is allowed.
#[test]
fn limits_are_where_they_are_said_to_be() {
    let process = |more: &str| format!("{HEAD}[[process]]\n{more}\n");
    let staging = |more: &str| format!("{HEAD}[[staging]]\nper_staging = \"1\"\n{more}\n");
    let beside = |more: &str| format!("{HEAD}[[process]]\nmemory_gib_hour = \"1\"\n{more}\n");
    for (good, bad) in [
        (process("memory_gib_hour = \"0.123456789012\""), process("memory_gib_hour = \"0.1234567890123\"")),
        (process("memory_gib_hour = \"999999999\""), process("memory_gib_hour = \"1000000000\"")),
        (
            beside("[[process]]\nbuildpack = \"a\"\nmultiplier = \"1.123456\""),
            beside("[[process]]\nbuildpack = \"a\"\nmultiplier = \"1.1234567\""),
        ),
        (staging("minimum_seconds = 1"), staging("minimum_seconds = 0")),
        (staging("minimum_seconds = 86400"), staging("minimum_seconds = 86401")),
        (beside("[[discount]]\npercent = \"100\""), beside("[[discount]]\npercent = \"100.000001\"")),
        (beside("[[discount]]\npercent = \"0.000001\""), beside("[[discount]]\npercent = \"0.0000001\"")),
        (beside("[[tax]]\npercent = \"100\""), beside("[[tax]]\npercent = \"100.01\"")),
        (beside("[[tax]]\npercent = \"0.0001\""), beside("[[tax]]\npercent = \"0.00001\"")),
        (beside("[[minimum]]\namount = \"0.01\""), beside("[[minimum]]\namount = \"0.001\"")),
        // 1 s is 0.000277… of an hour: no decimal is; a quarter of a millionth of a GiB-hour isn't a whole MiB·s.
        (
            process("memory_gib_hour = { model = \"package\", size = \"0.01\", price = \"1\" }"),
            process("memory_gib_hour = { model = \"package\", size = \"0.0000001\", price = \"1\" }"),
        ),
        (
            process("from = 2026-01-01T00:00:00Z\nto = 2026-01-01T00:00:01Z\nfree = true"),
            process("from = 2026-01-01T00:00:00Z\nto = 2026-01-01T00:00:00Z\nfree = true"),
        ),
    ] {
        let errors = |text: &str| parse(&[file("card.toml", text)], Tz::UTC).0.is_none();
        assert!(!errors(&good), "{good}{}", problems(&good));
        assert!(errors(&bad), "{bad}");
    }
}

#[test]
fn files_of_a_folder_are_one_card() {
    let one = file(
        "rates/1.toml",
        "name = \"a\"\ncurrency = \"EUR\"\nfrom = 2026-01-01\n[[process]]\nmemory_gib_hour = \"1\"\n",
    );
    let two = file(
        "rates/2.toml",
        "name = \"a\"\ncurrency = \"EUR\"\nfrom = 2027-01-01\n[[process]]\nmemory_gib_hour = \"2\"\n",
    );
    let others = file("rates/others.toml", &format!("name = \"a\"\ncurrency = \"EUR\"\nfrom = 2026-01-01\n{OTHERS}"));
    let (card, found) = parse(&[two.clone(), others, one.clone()], Tz::UTC);
    assert!(found.is_empty(), "{found:?}");
    let from: Vec<_> = card.unwrap().rates.iter().map(|rate| rate.validity.from.unwrap().to_string()).collect();
    assert_eq!(&from[..2], ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]);
    let other = file(
        "rates/3.toml",
        "name = \"b\"\ncurrency = \"CHF\"\n[[process]]\nfrom = 2027-01-01\nmemory_gib_hour = \"3\"\n",
    );
    let (card, found) = parse(&[one, two, other], Tz::UTC);
    assert!(card.is_none());
    let found: String = found.iter().map(|problem| format!("{problem}\n")).collect();
    insta::assert_snapshot!(found, @r"
    rates/1.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    rates/1.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    rates/1.toml:1:1: there is no `service` rate: service instances will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    rates/3.toml:1:1: `b` is another name than `a` in rates/1.toml
    hint: all files of a folder are one card: use the same name, or separate folders
    rates/3.toml:1:1: `CHF` is another currency than `EUR` in rates/1.toml
    hint: all files of a folder are one card: use the same currency, or separate folders
    rates/3.toml:3:1: a second block for `process, from 2027-01-01T00:00:00Z`; the first is on line 4 of rates/2.toml
    hint: give one of them another `from`, or remove it
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
    there is no ledger to compare with, so names aren't checked
    warning: card.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    warning: card.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    warning: card.toml:1:1: there is no `service` rate: service instances will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    error: card.toml:4:19: `memory_gib_hour` is the number 0.5, not a quoted decimal
    hint: quote it, so that it stays exact: memory_gib_hour = "0.5"
    "#);
    assert_eq!(run.stdout, "");
}
