//! Price model × usage × date edge → invoice lines. Every expected amount is worked out by hand: quantity × price is in
//! the line, so that it can be followed.
//!
//! A case is a month (and zone), a card, what was used, and the invoice in words. Usage is 1 instance of 1 GiB without
//! disk unless it says otherwise, so an hour is one instance-hour and one GiB-hour.

use cf_billing::rating::RULES;

use super::bill::{bill, bill_by, card, period, shown};

type Case = (&'static str, &'static str, &'static str, &'static str);

fn check(cases: &[Case]) {
    let mut wrong = String::new();
    for (month, text, usage, expected) in cases {
        let card = card(text, period(month).1);
        let billed = shown(&bill(&card, month, usage));
        if billed != *expected {
            wrong += &format!("{month}, {usage}, by\n{text}\nexpected: {expected}\nbilled:   {billed}\n\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const OCTOBER: &str = "2026-10";
const MEMORY: &str = "[[process]]\nmemory_gib_hour = \"0.01\"\n";

#[test]
fn flat_prices() {
    check(&[
        (OCTOBER, MEMORY, "process shop 01 02", "shop mem 24 × 0.01 = 0.24"),
        (OCTOBER, MEMORY, "process shop 01 02 m=512", "shop mem 12 × 0.01 = 0.12"),
        (OCTOBER, MEMORY, "process shop 01 02 i=3 m=2048", "shop mem 144 × 0.01 = 1.44"),
        (OCTOBER, MEMORY, "process shop 01 02 i=0", ""),
        (
            OCTOBER,
            MEMORY,
            "process shop 01 02; process blog 01 03",
            "blog mem 48 × 0.01 = 0.48; shop mem 24 × 0.01 = 0.24; net 0.72",
        ),
        // What is assumed is a line of its own.
        (
            OCTOBER,
            MEMORY,
            "process shop 01 02; process shop 02 03 estimated",
            "shop mem 24 × 0.01 = 0.24; shop mem 24 × 0.01 = 0.24; net 0.48",
        ),
        (OCTOBER, "[[process]]\ninstance_hour = \"0.01\"\n", "process shop 01 02 i=3", "shop inst 72 × 0.01 = 0.72"),
        // 0.048
        (
            OCTOBER,
            "[[process]]\ndisk_gib_hour = \"0.001\"\n",
            "process shop 01 02 d=2048",
            "shop disk 48 × 0.001 = 0.05",
        ),
        (
            OCTOBER,
            "[[process]]\ninstance_hour = \"0.1\"\nmemory_gib_hour = \"0.01\"\ndisk_gib_hour = \"0.001\"\n",
            "process shop 01 02 d=4096",
            "shop inst 24 × 0.1 = 2.40; shop mem 24 × 0.01 = 0.24; shop disk 96 × 0.001 = 0.10; net 2.74",
        ),
        // Half a cent is a cent, a second less is none.
        (OCTOBER, MEMORY, "process shop 01 01T00:30", "shop mem 0.5 × 0.01 = 0.01"),
        (OCTOBER, MEMORY, "process shop 01 01T00:29:59", "shop mem 0.499722 × 0.01 = 0.00"),
        // 9.1851851016
        (
            OCTOBER,
            "[[process]]\nmemory_gib_hour = \"0.0123456789\"\n",
            "process shop 01 2026-11-01T00:00:00Z",
            "shop mem 744 × 0.0123456789 = 9.19",
        ),
        (OCTOBER, "[[task]]\nmemory_gib_hour = \"0.5\"\n", "task job 01 01T01", "job mem 1 × 0.5 = 0.50"),
        (OCTOBER, "[[process]]\nfree = true\n", "process shop 01 02", "shop inst 24 × 0 = 0.00"),
        (OCTOBER, "[[task]]\nfree = true\n", "process shop 01 02", "shop 24 unpriced"),
        (OCTOBER, "[[task]]\nfree = true\n", "process shop 01 02 i=0", ""),
    ]);
}

#[test]
fn dates_cut_where_they_stand() {
    let change =
        "[[process]]\ninstance_hour = \"1\"\n[[process]]\nfrom = 2026-10-15T13:37:00+02:00\ninstance_hour = \"2\"\n";
    let days = "[[process]]\ninstance_hour = \"1\"\n[[process]]\nfrom = 2026-10-10\ninstance_hour = \"2\"\n[[process]]\nfrom = 2026-10-20\ninstance_hour = \"3\"\n";
    check(&[
        // Only what lies in the month.
        (OCTOBER, MEMORY, "process shop 2026-09-29T00:00:00Z 02", "shop mem 24 × 0.01 = 0.24"),
        (OCTOBER, MEMORY, "process shop 31 2026-11-05T00:00:00Z", "shop mem 24 × 0.01 = 0.24"),
        // 37 min at 1, 83 min at 2.
        (
            OCTOBER,
            change,
            "process shop 15T11:00 15T13:00",
            "shop inst 0.616667 01-15T11:37 × 1 = 0.62; shop inst 1.383333 15T11:37-01 × 2 = 2.77; net 3.39",
        ),
        (OCTOBER, change, "process shop 15T11:37 15T12:37", "shop inst 1 15T11:37-01 × 2 = 2.00"),
        (OCTOBER, change, "process shop 15T10:37 15T11:37", "shop inst 1 01-15T11:37 × 1 = 1.00"),
        (
            OCTOBER,
            change,
            "process shop 15T10:37 15T11:37:01",
            "shop inst 1 01-15T11:37 × 1 = 1.00; shop inst 0.000278 15T11:37-01 × 2 = 0.00; net 1.00",
        ),
        // A date is midnight in the billing time zone.
        (
            "2026-10 Europe/Berlin",
            days,
            "process shop 09T21 09T23",
            "shop inst 1 30T22:00-09T22:00 × 1 = 1.00; shop inst 1 09T22:00-19T22:00 × 2 = 2.00; net 3.00",
        ),
        (
            OCTOBER,
            days,
            "process shop 09T23 10T01",
            "shop inst 1 01-10 × 1 = 1.00; shop inst 1 10-20 × 2 = 2.00; net 3.00",
        ),
        (
            OCTOBER,
            days,
            "process shop 09T23 20T01",
            "shop inst 1 01-10 × 1 = 1.00; shop inst 240 10-20 × 2 = 480.00; shop inst 1 20-01 × 3 = 3.00; net 484.00",
        ),
        // What ended has no price any more.
        (
            OCTOBER,
            "[[process]]\nto = 2026-10-16\nmemory_gib_hour = \"0.01\"\n",
            "process shop 15 17",
            "shop 24 unpriced; shop mem 24 01-16 × 0.01 = 0.24; net 0.24",
        ),
        // A later block took over, and ended: the earlier one doesn't come back.
        (
            OCTOBER,
            "[[process]]\ninstance_hour = \"1\"\n[[process]]\nfrom = 2026-10-10\nto = 2026-10-11\ninstance_hour = \"0.5\"\n",
            "process shop 10T23 11T01",
            "shop inst 1 10-11 × 0.5 = 0.50; shop 1 unpriced; net 0.50",
        ),
        // The edges of rates that aren't its own cut no line.
        (
            OCTOBER,
            "[[process]]\ninstance_hour = \"1\"\n[[task]]\nfrom = 2026-10-10\ninstance_hour = \"2\"\n",
            "process shop 09T23 10T01",
            "shop inst 2 × 1 = 2.00",
        ),
    ]);
}

const TIERS: &str =
    "tiers = [{ up_to = \"100\", price = \"0.02\" }, { up_to = \"200\", price = \"0.01\" }, { price = \"0.005\" }] }\n";

#[test]
fn graduated_tiers() {
    let graduated = &*format!("[[process]]\ninstance_hour = {{ model = \"graduated\", {TIERS}").leak();
    let changed = &*format!(
        "{graduated}[[process]]\nfrom = 2026-10-16\ninstance_hour = {{ model = \"graduated\", tiers = [{{ up_to = \"100\", price = \"0.04\" }}, {{ price = \"0.02\" }}] }}\n"
    )
    .leak();
    let odd = "[[process]]\ninstance_hour = { model = \"graduated\", tiers = [{ up_to = \"1\", price = \"1\" }, { price = \"3600\" }] }\n";
    let two =
        &*format!("{graduated}[[process]]\nbuildpack = \"go\"\ninstance_hour = {{ model = \"graduated\", {TIERS}")
            .leak();
    check(&[
        (OCTOBER, graduated, "process shop 01 05T03", "shop inst [tier 1] 99 × 0.02 = 1.98"),
        (OCTOBER, graduated, "process shop 01 05T04", "shop inst [tier 1] 100 × 0.02 = 2.00"),
        (
            OCTOBER,
            graduated,
            "process shop 01 05T05",
            "shop inst [tier 1] 100 × 0.02 = 2.00; shop inst [tier 2] 1 × 0.01 = 0.01; net 2.01",
        ),
        (
            OCTOBER,
            graduated,
            "process shop 01 09T08",
            "shop inst [tier 1] 100 × 0.02 = 2.00; shop inst [tier 2] 100 × 0.01 = 1.00; net 3.00",
        ),
        // The 201st hour costs half a cent.
        (
            OCTOBER,
            graduated,
            "process shop 01 09T09",
            "shop inst [tier 1] 100 × 0.02 = 2.00; shop inst [tier 2] 100 × 0.01 = 1.00; shop inst [tier 3] 1 × 0.005 = 0.01; net 3.01",
        ),
        (
            OCTOBER,
            graduated,
            "process shop 01 2026-11-01T00:00:00Z",
            "shop inst [tier 1] 100 × 0.02 = 2.00; shop inst [tier 2] 100 × 0.01 = 1.00; shop inst [tier 3] 544 × 0.005 = 2.72; net 5.72",
        ),
        // 150 h and 50 h: tiers count the account's total and are shared out 3 to 1.
        (
            OCTOBER,
            graduated,
            "process a 01 07T06; process b 01 03T02",
            "a inst [tier 1] 75 × 0.02 = 1.50; a inst [tier 2] 75 × 0.01 = 0.75; b inst [tier 1] 25 × 0.02 = 0.50; b inst [tier 2] 25 × 0.01 = 0.25; net 3.00",
        ),
        // 1801 s and 1800 s of 3600: 1800.4998 and 1799.5002, so b gets the second that is left.
        (
            OCTOBER,
            odd,
            "process a 01 01T00:30:01; process b 01 01T00:30",
            "a inst [tier 1] 0.5 × 1 = 0.50; a inst [tier 2] 0.000278 × 3600 = 1.00; b inst [tier 1] 0.5 × 1 = 0.50; net 2.00",
        ),
        // Equal remainders go by resource guid: 3602 s, of which 3600 are in the first tier, 1800.0 each.
        (
            OCTOBER,
            odd,
            "process a 01 01T00:30:01; process b 01 01T00:30:01",
            "a inst [tier 1] 0.5 × 1 = 0.50; a inst [tier 2] 0.000278 × 3600 = 1.00; b inst [tier 1] 0.5 × 1 = 0.50; b inst [tier 2] 0.000278 × 3600 = 1.00; net 3.00",
        ),
        // 100 h before and 100 h after a change of prices: 200 h in all, half of each block's in the first tier.
        (
            OCTOBER,
            changed,
            "process shop 11T20 20T04",
            "shop inst [tier 1] 50 01-16 × 0.02 = 1.00; shop inst [tier 2] 50 01-16 × 0.01 = 0.50; shop inst [tier 1] 50 16-01 × 0.04 = 2.00; shop inst [tier 2] 50 16-01 × 0.02 = 1.00; net 4.50",
        ),
        // Another rate has tiers of its own.
        (
            OCTOBER,
            two,
            "process a 01 05T04; process b 01 05T04 bp=go",
            "a inst [tier 1] 100 × 0.02 = 2.00; b inst [tier 1] 100 × 0.02 = 2.00; net 4.00",
        ),
    ]);
}

#[test]
fn volume_tiers() {
    let volume = &*format!("[[process]]\ninstance_hour = {{ model = \"volume\", {TIERS}").leak();
    check(&[
        (OCTOBER, volume, "process shop 01 05T03", "shop inst [tier 1] 99 × 0.02 = 1.98"),
        (OCTOBER, volume, "process shop 01 05T04", "shop inst [tier 1] 100 × 0.02 = 2.00"),
        (OCTOBER, volume, "process shop 01 05T04:00:01", "shop inst [tier 2] 100.000278 × 0.01 = 1.00"),
        (OCTOBER, volume, "process shop 01 05T05", "shop inst [tier 2] 101 × 0.01 = 1.01"),
        (OCTOBER, volume, "process shop 01 09T08", "shop inst [tier 2] 200 × 0.01 = 2.00"),
        // 1.005
        (OCTOBER, volume, "process shop 01 09T09", "shop inst [tier 3] 201 × 0.005 = 1.01"),
        (
            OCTOBER,
            volume,
            "process a 01 03T12; process b 01 03T12",
            "a inst [tier 2] 60 × 0.01 = 0.60; b inst [tier 2] 60 × 0.01 = 0.60; net 1.20",
        ),
    ]);
}

#[test]
fn packages() {
    let package = "[[process]]\ninstance_hour = { model = \"package\", size = \"10\", price = \"1\" }\n";
    check(&[
        (OCTOBER, package, "process shop 01 01T09:59:59", "shop inst [packages 1] 0.999972 × 1 = 1.00"),
        (OCTOBER, package, "process shop 01 01T10", "shop inst [packages 1] 1 × 1 = 1.00"),
        (OCTOBER, package, "process shop 01 01T10:00:01", "shop inst [packages 2] 1.000028 × 1 = 2.00"),
        // 25 h are three packages, shared out 20 to 5.
        (
            OCTOBER,
            package,
            "process a 01 01T20; process b 01 01T05",
            "a inst [packages 3] 2 × 1 = 2.40; b inst [packages 3] 0.5 × 1 = 0.60; net 3.00",
        ),
        // 2.00 over three: the cents that are left go to the first two.
        (
            OCTOBER,
            package,
            "process a 01 01T05; process b 01 01T05; process c 01 01T05",
            "a inst [packages 2] 0.5 × 1 = 0.67; b inst [packages 2] 0.5 × 1 = 0.67; c inst [packages 2] 0.5 × 1 = 0.66; net 2.00",
        ),
    ]);
}

#[test]
fn allowances() {
    let of = |more: &str| -> &'static str {
        let allowance = "[[allowance]]\nname = \"free\"\nkind = \"process\"\nmeter = \"memory_gib_hour\"\n";
        format!("{MEMORY}{allowance}{more}").leak()
    };
    let hundred = of("amount = \"100\"\n");
    let tiers = format!("[[process]]\nmemory_gib_hour = {{ model = \"graduated\", {TIERS}[[allowance]]\nname = \"free\"\nkind = \"process\"\nmeter = \"memory_gib_hour\"\namount = \"50\"\n").leak();
    let narrower = of(
        "amount = \"20\"\n[[allowance]]\nname = \"go\"\nkind = \"process\"\nmeter = \"memory_gib_hour\"\nbuildpack = \"go\"\namount = \"10\"\n",
    );
    check(&[
        (OCTOBER, hundred, "process shop 01 05T03", "shop mem [allowance free] 99 × 0 = 0.00"),
        (OCTOBER, hundred, "process shop 01 05T04", "shop mem [allowance free] 100 × 0 = 0.00"),
        (
            OCTOBER,
            hundred,
            "process shop 01 05T05",
            "shop mem [allowance free] 100 × 0 = 0.00; shop mem 1 × 0.01 = 0.01; net 0.01",
        ),
        // 150 and 50: shared out 3 to 1.
        (
            OCTOBER,
            hundred,
            "process a 01 07T06; process b 01 03T02",
            "a mem [allowance free] 75 × 0 = 0.00; a mem 75 × 0.01 = 0.75; b mem [allowance free] 25 × 0 = 0.00; b mem 25 × 0.01 = 0.25; net 1.00",
        ),
        // Each org has its own, or both share the account's.
        (
            OCTOBER,
            of("amount = \"60\"\nper = \"org\"\n"),
            "process a 01 05T04 org=north; process b 01 05T04 org=south",
            "a@north mem [allowance free] 60 × 0 = 0.00; a@north mem 40 × 0.01 = 0.40; b@south mem [allowance free] 60 × 0 = 0.00; b@south mem 40 × 0.01 = 0.40; net 0.80",
        ),
        (
            OCTOBER,
            of("amount = \"60\"\n"),
            "process a 01 05T04 org=north; process b 01 05T04 org=south",
            "a@north mem [allowance free] 30 × 0 = 0.00; a@north mem 70 × 0.01 = 0.70; b@south mem [allowance free] 30 × 0 = 0.00; b@south mem 70 × 0.01 = 0.70; net 1.40",
        ),
        // In force for the second half of the month: half of it, and only for what is used then.
        (
            OCTOBER,
            of("amount = \"100\"\nfrom = 2026-10-16T12:00:00Z\n"),
            "process shop 17 20",
            "shop mem [allowance free] 50 16T12:00-01 × 0 = 0.00; shop mem 22 16T12:00-01 × 0.01 = 0.22; net 0.22",
        ),
        (
            OCTOBER,
            of("amount = \"100\"\nfrom = 2026-10-16T12:00:00Z\n"),
            "process shop 10 12",
            "shop mem 48 01-16T12:00 × 0.01 = 0.48",
        ),
        // Tiers count what an allowance leaves: 150 of 200.
        (
            OCTOBER,
            tiers,
            "process shop 01 09T08",
            "shop mem [allowance free] 50 × 0 = 0.00; shop mem [tier 1] 100 × 0.02 = 2.00; shop mem [tier 2] 50 × 0.01 = 0.50; net 2.50",
        ),
        (
            OCTOBER,
            narrower,
            "process a 01 02T06 bp=go; process b 01 02T06",
            "a mem [allowance go] 10 × 0 = 0.00; a mem 20 × 0.01 = 0.20; b mem [allowance free] 20 × 0 = 0.00; b mem 10 × 0.01 = 0.10; net 0.30",
        ),
        (OCTOBER, of("amount = \"100\"\naccount = \"other\"\n"), "process shop 01 02", "shop mem 24 × 0.01 = 0.24"),
        (
            OCTOBER,
            of("amount = \"100\"\naccount = \"acme\"\n"),
            "process shop 01 02",
            "shop mem [allowance free] 24 × 0 = 0.00",
        ),
    ]);
}

#[test]
fn lengths_are_rounded_as_the_rate_says() {
    let of = |granularity: &str, price: &str| -> &'static str {
        format!("[[process]]\nmemory_gib_hour = \"{price}\"\ngranularity = {{ {granularity} }}\n").leak()
    };
    let hour = of("unit = \"hour\"", "0.01");
    let nearest = of("unit = \"hour\", round = \"nearest\"", "0.01");
    let daily = of("unit = \"hour\", per = \"day\"", "0.01");
    let change = format!(
        "{}[[process]]\nfrom = 2026-10-15T12:00:00Z\nmemory_gib_hour = \"2\"\ngranularity = {{ unit = \"hour\" }}\n",
        of("unit = \"hour\"", "1")
    )
    .leak();
    check(&[
        (OCTOBER, hour, "process shop 01 01T00:00:01", "shop mem 1 (used 0.000278) × 0.01 = 0.01"),
        (OCTOBER, hour, "process shop 01 01T01", "shop mem 1 × 0.01 = 0.01"),
        (OCTOBER, hour, "process shop 01 01T01:00:01", "shop mem 2 (used 1.000278) × 0.01 = 0.02"),
        // Two intervals with a break are rounded each; without a break they are one.
        (OCTOBER, hour, "process shop 01 01T00:30; process shop 01T02 01T02:30", "shop mem 2 (used 1) × 0.01 = 0.02"),
        (OCTOBER, hour, "process shop 01 01T00:30; process shop 01T00:30 01T01", "shop mem 1 × 0.01 = 0.01"),
        // Another name on the same quantities doesn't break it; other rated quantities do.
        (
            OCTOBER,
            hour,
            "process shop 01 01T00:30 bp=go; process shop 01T00:30 01T01 bp=ruby",
            "shop mem 0.5 × 0.01 = 0.01; shop mem 0.5 × 0.01 = 0.01; net 0.02",
        ),
        (
            OCTOBER,
            hour,
            "process shop 01 01T00:30; process shop 01T00:30 01T01 m=2048",
            "shop mem 3 (used 1.5) × 0.01 = 0.03",
        ),
        (
            OCTOBER,
            hour,
            "process shop 01 01T00:30; process shop 01T00:30 01T01 i=2",
            "shop mem 3 (used 1.5) × 0.01 = 0.03",
        ),
        (OCTOBER, hour, "process shop 01 01T00:30; process shop 01T00:30 01T01 d=2048", "shop mem 1 × 0.01 = 0.01"),
        // 40 min from 11:30 count until 12:30: prices that change at noon share them 30 to 30.
        (
            OCTOBER,
            change,
            "process shop 15T11:30 15T12:10",
            "shop mem 0.5 01-15T12:00 × 1 = 0.50; shop mem 0.5 (used 0.166667) 15T12:00-01 × 2 = 1.00; net 1.50",
        ),
        (
            OCTOBER,
            change,
            "process shop 15T11:30 15T11:50",
            "shop mem 0.5 (used 0.333333) 01-15T12:00 × 1 = 0.50; shop mem 0.5 (used 0) 15T12:00-01 × 2 = 1.00; net 1.50",
        ),
        // Cut at the month's edges before it is rounded: ten minutes of October.
        (OCTOBER, hour, "process shop 2026-09-30T23:30:00Z 01T00:10", "shop mem 1 (used 0.166667) × 0.01 = 0.01"),
        (OCTOBER, hour, "process shop 31T23:50 2026-11-01T03:00:00Z", "shop mem 1 (used 0.166667) × 0.01 = 0.01"),
        (OCTOBER, nearest, "process shop 01 01T00:29:59", "shop mem 0 (used 0.499722) × 0.01 = 0.00"),
        (OCTOBER, nearest, "process shop 01 01T00:30", "shop mem 1 (used 0.5) × 0.01 = 0.01"),
        (OCTOBER, nearest, "process shop 01 01T01:29:59", "shop mem 1 (used 1.499722) × 0.01 = 0.01"),
        (
            OCTOBER,
            of("unit = \"minute\"", "6"),
            "process shop 01 01T00:01:01",
            "shop mem 0.033333 (used 0.016944) × 6 = 0.20",
        ),
        (
            OCTOBER,
            of("unit = \"minute\", round = \"nearest\"", "6"),
            "process shop 01 01T00:01:29",
            "shop mem 0.016667 (used 0.024722) × 6 = 0.10",
        ),
        (OCTOBER, of("unit = \"second\"", "6"), "process shop 01 01T00:01:01", "shop mem 0.016944 × 6 = 0.10"),
        // A day as a whole: two half hours are one; on two days, or over midnight, they are two.
        (OCTOBER, daily, "process shop 01 01T00:30; process shop 01T02 01T02:30", "shop mem 1 × 0.01 = 0.01"),
        (OCTOBER, daily, "process shop 01 01T00:30; process shop 02T02 02T02:30", "shop mem 2 (used 1) × 0.01 = 0.02"),
        (OCTOBER, daily, "process shop 01T23:30 02T00:30", "shop mem 2 (used 1) × 0.01 = 0.02"),
        ("2026-10 Europe/Berlin", daily, "process shop 14T21:30 14T22:30", "shop mem 2 (used 1) × 0.01 = 0.02"),
        // GOV.UK: nodes × ceil(seconds / 3600) × GiB × 0.01: 2 × 2 × 0.5 × 0.01.
        (OCTOBER, hour, "process shop 01 01T01:30 i=2 m=512", "shop mem 2 (used 1.5) × 0.01 = 0.02"),
    ]);
}

/// An hour that was begun is a whole one of what was bought then.
#[test]
fn rounding_begins_again_where_the_size_or_what_was_bought_changes() {
    const HOUR: &str = "granularity = { unit = \"hour\" }\n";
    let plans: &'static str = format!(
        "[[service]]\noffering = \"db\"\nplan = \"a\"\ninstance_hour = \"1\"\n{HOUR}\
         [[service]]\noffering = \"db\"\ninstance_hour = \"10\"\n{HOUR}"
    )
    .leak();
    let apps: &'static str = format!(
        "[[process]]\ninstance_hour = \"1\"\n{HOUR}\
         [[process]]\nbuildpack = \"java\"\nmultiplier = \"10\"\n\
         [[process]]\nspace_label = \"tier=gold\"\nmultiplier = \"3\"\n"
    )
    .leak();
    let edge: &'static str = format!(
        "[[process]]\ninstance_hour = \"1\"\n{HOUR}\
         [[process]]\nfrom = 2026-10-01T00:30:00Z\ninstance_hour = \"10\"\n{HOUR}"
    )
    .leak();
    let daily: &'static str = plans.replace("unit = \"hour\"", "unit = \"hour\", per = \"day\"").leak();
    check(&[
        (
            OCTOBER,
            plans,
            "service s 01 01T00:30 plan=db/a; service s 01T00:30 01T01 plan=db/b",
            "s inst 1 (used 0.5) × 1 = 1.00; s inst 1 (used 0.5) × 10 = 10.00; net 11.00",
        ),
        // Back again is bought again.
        (
            OCTOBER,
            plans,
            "service s 01 01T00:20 plan=db/a; service s 01T00:20 01T00:40 plan=db/b; service s 01T00:40 01T01 plan=db/a",
            "s inst 2 (used 0.666667) × 1 = 2.00; s inst 1 (used 0.333333) × 10 = 10.00; net 12.00",
        ),
        // Another plan at the same rate is another plan; the same one goes on.
        (
            OCTOBER,
            plans,
            "service s 01 01T00:30 plan=db/b; service s 01T00:30 01T01 plan=db/c",
            "s inst 1 (used 0.5) × 10 = 10.00; s inst 1 (used 0.5) × 10 = 10.00; net 20.00",
        ),
        (OCTOBER, plans, "service s 01 01T00:30 plan=db/a; service s 01T00:30 01T01 plan=db/a", "s inst 1 × 1 = 1.00"),
        // A buildpack with another rate is another purchase; with the same it isn't.
        (
            OCTOBER,
            apps,
            "process shop 01 01T00:30 bp=go; process shop 01T00:30 01T01 bp=java",
            "shop inst 1 (used 0.5) × 1 = 1.00; shop inst 1 (used 0.5) × 10 = 10.00; net 11.00",
        ),
        (
            OCTOBER,
            apps,
            "process shop 01 01T00:30 bp=go; process shop 01T00:30 01T01 bp=ruby",
            "shop inst 0.5 × 1 = 0.50; shop inst 0.5 × 1 = 0.50; net 1.00",
        ),
        // Instances scaled; memory that has no price.
        (
            OCTOBER,
            apps,
            "process shop 01 01T00:30; process shop 01T00:30 01T01 i=2",
            "shop inst 3 (used 1.5) × 1 = 3.00",
        ),
        (OCTOBER, apps, "process shop 01 01T00:30; process shop 01T00:30 01T01 m=2048", "shop inst 1 × 1 = 1.00"),
        // In another org at the same rate it goes on; a label with a rate of its own begins anew.
        (
            OCTOBER,
            apps,
            "process shop 01 01T00:30; process shop 01T00:30 01T01 org=other",
            "shop inst 0.5 × 1 = 0.50; shop@other inst 0.5 × 1 = 0.50; net 1.00",
        ),
        (
            OCTOBER,
            apps,
            "process shop 01 01T00:30; process shop 01T00:30 01T01 slabel=tier:gold",
            "shop inst 1 (used 0.5) × 1 = 1.00; shop inst 1 (used 0.5) × 3 = 3.00; net 4.00",
        ),
        // That the rate changes its price then splits the hour, also where a new piece begins there.
        (
            OCTOBER,
            edge,
            "process shop 01 01T00:30; process shop 01T00:30 01T01",
            "shop inst 0.5 01-01T00:30 × 1 = 0.50; shop inst 0.5 01T00:30-01 × 10 = 5.00; net 5.50",
        ),
        // The month's edge cuts, and another plan there is nothing more.
        (
            OCTOBER,
            plans,
            "service s 2026-09-30T23:30:00Z 01T00 plan=db/a; service s 01T00 01T00:30 plan=db/b",
            "s inst 1 (used 0.5) × 10 = 10.00",
        ),
        // Of a day, all is one.
        (
            OCTOBER,
            daily,
            "service s 01 01T00:30 plan=db/a; service s 01T00:30 01T01 plan=db/b",
            "s inst 0.5 × 1 = 0.50; s inst 0.5 × 10 = 5.00; net 5.50",
        ),
    ]);
}

/// What is final is compared by the rules that it was made by.
#[test]
fn an_invoice_of_the_first_rules_keeps_an_interval_over_a_change_of_plan() {
    let text = "[[service]]\noffering = \"db\"\nplan = \"a\"\ninstance_hour = \"1\"\ngranularity = { unit = \"hour\" }\n\
                [[service]]\noffering = \"db\"\ninstance_hour = \"10\"\ngranularity = { unit = \"hour\" }\n";
    let usage = "service s 01 01T00:30 plan=db/a; service s 01T00:30 01T01 plan=db/b";
    for (rules, cents) in [(1, 550), (RULES, 1100)] {
        let invoice = bill_by(&card(text, chrono_tz::Tz::UTC), OCTOBER, usage, rules);
        assert_eq!(invoice.net.0, cents, "{rules}");
    }
}

#[test]
fn stagings() {
    // A cent a second.
    let minimum = "[[staging]]\ninstance_hour = \"36\"\nminimum_seconds = 300\n";
    let fee = "[[staging]]\nper_staging = \"0.05\"\n";
    let both = "[[staging]]\ninstance_hour = \"36\"\nminimum_seconds = 300\nper_staging = \"0.05\"\n";
    check(&[
        (OCTOBER, minimum, "staging shop 01 01T00:04:59", "shop inst 0.083333 (used 0.083056) × 36 = 3.00"),
        (OCTOBER, minimum, "staging shop 01 01T00:05", "shop inst 0.083333 × 36 = 3.00"),
        (OCTOBER, minimum, "staging shop 01 01T00:05:01", "shop inst 0.083611 × 36 = 3.01"),
        (
            OCTOBER,
            minimum,
            "staging shop 01 01T00:01; staging shop 02 02T00:06",
            "shop inst 0.183333 (used 0.116667) × 36 = 6.60",
        ),
        (OCTOBER, fee, "staging shop 01 01T00:01; staging shop 02 02T00:06", "shop staging 2 × 0.05 = 0.10"),
        (
            OCTOBER,
            both,
            "staging shop 01 01T00:01",
            "shop inst 0.083333 (used 0.016667) × 36 = 3.00; shop staging 1 × 0.05 = 0.05; net 3.05",
        ),
        // Begun in September: its fee is September's; what its two minutes lack to five is added where it ends.
        (OCTOBER, both, "staging shop 2026-09-30T23:59:00Z 01T00:01", "shop inst 0.066667 (used 0.016667) × 36 = 2.40"),
        // It goes on in November.
        (
            OCTOBER,
            both,
            "staging shop 31T23:59 2026-11-01T00:01:00Z",
            "shop inst 0.016667 × 36 = 0.60; shop staging 1 × 0.05 = 0.05; net 0.65",
        ),
        (
            OCTOBER,
            both,
            "staging shop 31T23:00 31T23:01 open",
            "shop inst 0.016667 × 36 = 0.60; shop staging 1 × 0.05 = 0.05; net 0.65",
        ),
        (
            OCTOBER,
            "[[staging]]\nper_staging = { model = \"graduated\", tiers = [{ up_to = \"1\", price = \"0\" }, { price = \"1\" }] }\n",
            "staging shop 01 01T00:01; staging shop 02 02T00:06",
            "shop staging [tier 1] 1 × 0 = 0.00; shop staging [tier 2] 1 × 1 = 1.00; net 1.00",
        ),
    ]);
}

#[test]
fn a_price_per_month_is_prorated_by_the_second() {
    let of = |price: &str| -> &'static str { format!("[[service]]\nmonth = \"{price}\"\n").leak() };
    check(&[
        (OCTOBER, of("31"), "service db 01 2026-11-01T00:00:00Z", "db month 1 × 31 = 31.00"),
        (OCTOBER, of("31"), "service db 01 02", "db month 0.032258 × 31 = 1.00"),
        ("2026-02", of("28"), "service db 01 02", "db month 0.035714 × 28 = 1.00"),
        ("2028-02", of("29"), "service db 01 02", "db month 0.034483 × 29 = 1.00"),
        ("2026-04", of("30"), "service db 01 02", "db month 0.033333 × 30 = 1.00"),
        // 31 and 30 days of the same price.
        ("2026-04", of("31"), "service db 01 2026-05-01T00:00:00Z", "db month 1 × 31 = 31.00"),
        // An October in Berlin has 745 hours, a March 743.
        ("2026-10 Europe/Berlin", of("745"), "service db 01 01T01", "db month 0.001342 × 745 = 1.00"),
        (
            "2026-10 Europe/Berlin",
            of("745"),
            "service db 2026-09-30T22:00:00Z 2026-10-31T23:00:00Z",
            "db month 1 × 745 = 745.00",
        ),
        ("2026-03 Europe/Berlin", of("743"), "service db 01 01T01", "db month 0.001346 × 743 = 1.00"),
        (
            "2026-03 Europe/Berlin",
            of("743"),
            "service db 2026-02-28T23:00:00Z 2026-03-31T22:00:00Z",
            "db month 1 × 743 = 743.00",
        ),
        (
            OCTOBER,
            "[[service]]\nmonth = \"31\"\n[[service]]\nfrom = 2026-10-16T12:00:00Z\nmonth = \"62\"\n",
            "service db 01 2026-11-01T00:00:00Z",
            "db month 0.5 01-16T12:00 × 31 = 15.50; db month 0.5 16T12:00-01 × 62 = 31.00; net 46.50",
        ),
    ]);
}

#[test]
fn rates_change_the_prices_of_wider_ones() {
    let base = "[[process]]\nmemory_gib_hour = \"0.0125\"\n";
    let of = |more: &str| -> &'static str { format!("{base}[[process]]\nbuildpack = \"java\"\n{more}").leak() };
    let chain = of("multiplier = \"1.25\"\n[[process]]\norg = \"eu1/acme\"\nmultiplier = \"0.5\"\n");
    let tiers = format!("[[process]]\ninstance_hour = {{ model = \"graduated\", {TIERS}[[process]]\nbuildpack = \"java\"\nmultiplier = \"2\"\n").leak();
    check(&[
        // 0.375
        (OCTOBER, of("multiplier = \"1.25\"\n"), "process shop 01 02 bp=java", "shop mem 24 × 0.015625 = 0.38"),
        (OCTOBER, of("multiplier = \"1.25\"\n"), "process shop 01 02 bp=go", "shop mem 24 × 0.0125 = 0.30"),
        // 0.324
        (
            OCTOBER,
            of("surcharge = { memory_gib_hour = \"0.001\" }\n"),
            "process shop 01 02 bp=java",
            "shop mem 24 × 0.0135 = 0.32",
        ),
        // 0.048
        (
            OCTOBER,
            of("surcharge = { instance_hour = \"0.002\" }\n"),
            "process shop 01 02 bp=java",
            "shop inst 24 × 0.002 = 0.05; shop mem 24 × 0.0125 = 0.30; net 0.35",
        ),
        // 0.0125 × 2 + 0.005
        (
            OCTOBER,
            of("multiplier = \"2\"\nsurcharge = { memory_gib_hour = \"0.005\" }\n"),
            "process shop 01 02 bp=java",
            "shop mem 24 × 0.03 = 0.72",
        ),
        // Half of what the org's Java apps would cost otherwise: 0.0125 × 1.25 × 0.5 × 24 = 0.1875
        (OCTOBER, chain, "process shop 01 02 bp=java", "shop mem 24 × 0.0078125 = 0.19"),
        (OCTOBER, chain, "process shop 01 02 bp=go", "shop mem 24 × 0.00625 = 0.15"),
        (OCTOBER, chain, "process shop 01 02 bp=java org=other", "shop@other mem 24 × 0.015625 = 0.38"),
        (
            OCTOBER,
            tiers,
            "process shop 01 05T05 bp=java",
            "shop inst [tier 1] 100 × 0.04 = 4.00; shop inst [tier 2] 1 × 0.02 = 0.02; net 4.02",
        ),
        // The wider rate's change is its change.
        (
            OCTOBER,
            of("multiplier = \"2\"\n[[process]]\nfrom = 2026-10-16\nmemory_gib_hour = \"0.1\"\n"),
            "process shop 15 17 bp=java",
            "shop mem 24 01-16 × 0.025 = 0.60; shop mem 24 16-01 × 0.2 = 4.80; net 5.40",
        ),
        (
            OCTOBER,
            "[[process]]\nfree = true\n[[process]]\nbuildpack = \"java\"\nmultiplier = \"2\"\n",
            "process shop 01 02 bp=java",
            "shop inst 24 × 0 = 0.00",
        ),
        (
            OCTOBER,
            "[[process]]\nfree = true\n[[process]]\nbuildpack = \"java\"\nsurcharge = { instance_hour = \"0.01\" }\n",
            "process shop 01 02 bp=java",
            "shop inst 24 × 0.01 = 0.24",
        ),
    ]);
}

#[test]
fn discounts_minimums_commitments_and_tax() {
    // A euro an hour.
    let of = |more: &str| -> &'static str { format!("[[process]]\ninstance_hour = \"1\"\n{more}").leak() };
    let discount = |more: &str| of(&format!("[[discount]]\nname = \"off\"\n{more}"));
    let minimum = |more: &str| of(&format!("[[minimum]]\namount = \"10\"\n{more}"));
    let ten = "process shop 01 01T10";
    check(&[
        (OCTOBER, discount("percent = \"10\"\n"), ten, "shop inst 10 × 1 = 10.00; off -1.00; net 9.00"),
        // 1.255
        (OCTOBER, discount("percent = \"12.55\"\n"), ten, "shop inst 10 × 1 = 10.00; off -1.26; net 8.74"),
        (OCTOBER, discount("percent = \"100\"\n"), ten, "shop inst 10 × 1 = 10.00; off -10.00; net 0.00"),
        // Each on the list amount, together no more than there is.
        (
            OCTOBER,
            discount("percent = \"10\"\n[[discount]]\nname = \"more\"\npercent = \"20\"\n"),
            ten,
            "shop inst 10 × 1 = 10.00; more -2.00; off -1.00; net 7.00",
        ),
        (
            OCTOBER,
            discount("percent = \"80\"\n[[discount]]\nname = \"more\"\npercent = \"80\"\n"),
            ten,
            "shop inst 10 × 1 = 10.00; more -8.00; off -2.00; net 0.00",
        ),
        // From the 16th on: what is used before has none.
        (
            OCTOBER,
            discount("percent = \"50\"\nfrom = 2026-10-16\n"),
            "process shop 15T20 16T06",
            "shop inst 4 01-16 × 1 = 4.00; shop inst 6 16-01 × 1 = 6.00; off -3.00; net 7.00",
        ),
        (OCTOBER, discount("percent = \"50\"\nkind = \"task\"\n"), ten, "shop inst 10 × 1 = 10.00"),
        (
            OCTOBER,
            discount("percent = \"50\"\norg = \"eu1/north\"\n"),
            "process a 01 01T02 org=north; process b 01 01T04 org=south",
            "a@north inst 2 × 1 = 2.00; b@south inst 4 × 1 = 4.00; off -1.00; net 5.00",
        ),
        (OCTOBER, discount("amount = \"4\"\n"), ten, "shop inst 10 × 1 = 10.00; off -4.00; net 6.00"),
        (OCTOBER, discount("amount = \"10.01\"\n"), ten, "shop inst 10 × 1 = 10.00; off -10.00; net 0.00"),
        // Half of the month.
        (
            OCTOBER,
            discount("amount = \"4\"\nto = 2026-10-16T12:00:00Z\n"),
            ten,
            "shop inst 10 × 1 = 10.00; off -2.00; net 8.00",
        ),
        (OCTOBER, discount("amount = \"4\"\naccount = \"other\"\n"), ten, "shop inst 10 × 1 = 10.00"),
        // In percent first, then amounts.
        (
            OCTOBER,
            discount("amount = \"4\"\n[[discount]]\nname = \"rest\"\npercent = \"10\"\n"),
            ten,
            "shop inst 10 × 1 = 10.00; rest -1.00; off -4.00; net 5.00",
        ),
        (OCTOBER, minimum(""), "process shop 01 01T09:59:24", "shop inst 9.99 × 1 = 9.99; minimum 0.01; net 10.00"),
        (OCTOBER, minimum(""), ten, "shop inst 10 × 1 = 10.00"),
        (OCTOBER, minimum(""), "process shop 01 01T10:00:36", "shop inst 10.01 × 1 = 10.01"),
        (
            OCTOBER,
            minimum("from = 2026-10-16T12:00:00Z\n"),
            "process shop 01 01T02",
            "shop inst 2 × 1 = 2.00; minimum 3.00; net 5.00",
        ),
        // An account's own before everyone's.
        (
            OCTOBER,
            minimum("[[minimum]]\naccount = \"acme\"\namount = \"3\"\n"),
            "process shop 01 01T02",
            "shop inst 2 × 1 = 2.00; minimum 1.00; net 3.00",
        ),
        (OCTOBER, minimum("account = \"other\"\n"), "process shop 01 01T02", "shop inst 2 × 1 = 2.00"),
        // From 10 to 20 in the middle of the month: 15.
        (
            OCTOBER,
            minimum("[[minimum]]\namount = \"20\"\nfrom = 2026-10-16T12:00:00Z\n"),
            "process shop 01 01T02",
            "shop inst 2 × 1 = 2.00; minimum 13.00; net 15.00",
        ),
        // A minimum looks at what is left after discounts.
        (
            OCTOBER,
            discount("percent = \"50\"\n[[minimum]]\namount = \"6\"\n"),
            ten,
            "shop inst 10 × 1 = 10.00; off -5.00; minimum 1.00; net 6.00",
        ),
        (
            OCTOBER,
            of("[[commitment]]\namount = \"5\"\n"),
            "process shop 01 01T02",
            "shop inst 2 × 1 = 2.00; commitment 5.00; commitment -2.00; net 5.00",
        ),
        (
            OCTOBER,
            of("[[commitment]]\namount = \"5\"\n"),
            "process shop 01 01T05",
            "shop inst 5 × 1 = 5.00; commitment 5.00; commitment -5.00; net 5.00",
        ),
        (
            OCTOBER,
            of("[[commitment]]\namount = \"5\"\n"),
            ten,
            "shop inst 10 × 1 = 10.00; commitment 5.00; commitment -5.00; net 10.00",
        ),
        // Who committed does, also without usage; one for everyone is for everyone who used anything.
        (OCTOBER, of("[[commitment]]\naccount = \"acme\"\namount = \"5\"\n"), "", "commitment 5.00"),
        (OCTOBER, of("[[minimum]]\naccount = \"acme\"\namount = \"5\"\n"), "", "minimum 5.00"),
        (OCTOBER, of("[[commitment]]\namount = \"5\"\n"), "", ""),
        (OCTOBER, of("[[minimum]]\namount = \"5\"\n"), "", ""),
        // 1.9, and 0.475
        (OCTOBER, of("[[tax]]\npercent = \"19\"\n"), ten, "shop inst 10 × 1 = 10.00; VAT 19 % 1.90"),
        (
            OCTOBER,
            of("[[tax]]\npercent = \"19\"\n"),
            "process shop 01 01T02:30",
            "shop inst 2.5 × 1 = 2.50; VAT 19 % 0.48",
        ),
        // That at the month's end.
        (
            OCTOBER,
            of("[[tax]]\npercent = \"19\"\n[[tax]]\nfrom = 2026-10-31\npercent = \"16\"\n"),
            ten,
            "shop inst 10 × 1 = 10.00; VAT 16 % 1.60",
        ),
        (
            OCTOBER,
            of("[[tax]]\npercent = \"19\"\n[[tax]]\nfrom = 2026-11-01\npercent = \"16\"\n"),
            ten,
            "shop inst 10 × 1 = 10.00; VAT 19 % 1.90",
        ),
        (
            OCTOBER,
            of("[[tax]]\nname = \"none\"\ncategory = \"AE\"\npercent = \"0\"\n"),
            ten,
            "shop inst 10 × 1 = 10.00; none 0 % 0.00",
        ),
    ]);
}

#[test]
fn the_narrowest_rate_applies() {
    // Each rate has a price of its own, so that the price tells which one applied.
    let card = "
[[process]]
instance_hour = \"1\"
[[process]]
process_type = \"worker\"
instance_hour = \"2\"
[[process]]
without_buildpack = true
instance_hour = \"3\"
[[process]]
buildpack_pattern = \"https://*\"
instance_hour = \"4\"
[[process]]
buildpack_pattern = \"https://git.acme.example/*\"
instance_hour = \"5\"
[[process]]
buildpack = \"go\"
instance_hour = \"6\"
[[process]]
buildpack_guid = \"g-1\"
instance_hour = \"7\"
[[process]]
org_label = \"tier:gold=no\"
instance_hour = \"8\"
[[process]]
org_label = \"tier=gold\"
instance_hour = \"9\"
[[process]]
space_label = \"env=test\"
instance_hour = \"10\"
[[process]]
account = \"acme\"
buildpack = \"special\"
instance_hour = \"11\"
[[process]]
org = \"eu1/north\"
instance_hour = \"12\"
[[process]]
org = \"eu1/south-guid\"
process_type = \"worker\"
instance_hour = \"13\"
[[process]]
buildpack = \"go\"
process_type = \"worker\"
instance_hour = \"14\"
";
    let hour = |more: &str, price: i32| -> Case {
        let usage = format!("process a 01 01T01 {more}").leak();
        let org = more
            .split_whitespace()
            .find_map(|word| word.strip_prefix("org="))
            .map_or(String::new(), |org| format!("@{org}"));
        (OCTOBER, card, usage, format!("a{org} inst 1 × {price} = {price}.00").leak())
    };
    check(&[
        hour("bp=ruby", 1),
        hour("bp=ruby type=worker", 2),
        hour("", 3),
        // What before process type.
        hour("type=worker", 3),
        hour("bp=https://x.example/y.git", 4),
        hour("bp=https://git.acme.example/y.git", 5),
        hour("bp=go", 6),
        hour("bp=go bpguid=g-1", 7),
        hour("bp=renamed bpguid=g-1", 7),
        hour("bp=go bpguid=g-2", 6),
        // Whom before what.
        hour("bp=go label=tier:gold", 9),
        hour("bp=go label=tier:silver", 6),
        hour("bp=go label=tier:gold slabel=env:test", 10),
        hour("bp=special label=tier:gold slabel=env:test", 11),
        hour("bp=special org=north", 12),
        hour("bp=go org=south", 6),
        hour("bp=go org=south type=worker", 13),
        hour("bp=go type=worker", 14),
    ]);
}

#[test]
fn services_go_by_plan() {
    let card = "
[[service]]
instance_hour = \"1\"
[[service]]
offering = \"pg\"
instance_hour = \"2\"
[[service]]
offering = \"pg\"
plan = \"small\"
instance_hour = \"3\"
[[service]]
plan_guid = \"large-guid\"
instance_hour = \"4\"
";
    let provided = &*format!("{card}[[service]]\nuser_provided = true\ninstance_hour = \"5\"\n").leak();
    check(&[
        (OCTOBER, card, "service db 01 01T01 plan=redis/small", "db inst 1 × 1 = 1.00"),
        (OCTOBER, card, "service db 01 01T01 plan=pg/medium", "db inst 1 × 2 = 2.00"),
        (OCTOBER, card, "service db 01 01T01 plan=pg/small", "db inst 1 × 3 = 3.00"),
        (OCTOBER, card, "service db 01 01T01 plan=pg/large", "db inst 1 × 4 = 4.00"),
        // What users bring costs nothing, and isn't unpriced, unless a rate is for it.
        (OCTOBER, card, "service db 01 01T01 user_provided", ""),
        (OCTOBER, provided, "service db 01 01T01 user_provided", "db inst 1 × 5 = 5.00"),
        (OCTOBER, provided, "service db 01 01T01", "db inst 1 × 1 = 1.00"),
    ]);
}

#[test]
fn amounts_are_rounded_as_the_card_says() {
    let of = |rule: &str, price: &str| -> &'static str {
        format!("rounding = \"{rule}\"\n[[process]]\ninstance_hour = \"{price}\"\n").leak()
    };
    let hour = "process shop 01 01T01";
    check(&[
        (OCTOBER, of("half_up", "0.005"), hour, "shop inst 1 × 0.005 = 0.01"),
        (OCTOBER, of("half_up", "0.0049"), hour, "shop inst 1 × 0.0049 = 0.00"),
        (OCTOBER, of("half_even", "0.005"), hour, "shop inst 1 × 0.005 = 0.00"),
        (OCTOBER, of("half_even", "0.015"), hour, "shop inst 1 × 0.015 = 0.02"),
        (OCTOBER, of("half_even", "0.0051"), hour, "shop inst 1 × 0.0051 = 0.01"),
        (OCTOBER, of("up", "0.0001"), hour, "shop inst 1 × 0.0001 = 0.01"),
        (OCTOBER, of("up", "0.01"), hour, "shop inst 1 × 0.01 = 0.01"),
        (OCTOBER, of("down", "0.0199"), hour, "shop inst 1 × 0.0199 = 0.01"),
        (OCTOBER, "currency = \"JPY\"\n[[process]]\ninstance_hour = \"1.5\"\n", hour, "shop inst 1 × 1.5 = 2"),
        (
            OCTOBER,
            "currency = \"KWD\"\n[[process]]\ninstance_hour = \"0.0015\"\n",
            hour,
            "shop inst 1 × 0.0015 = 0.002",
        ),
    ]);
}

/// What a review with fresh eyes found.
#[test]
fn what_looked_right_and_was_not() {
    // Each rate's total by itself, whoever's prices are multiplied.
    let tiers = "[[process]]\ninstance_hour = \"0.01\"\n[[process]]\nbuildpack = \"java\"\n\
                 instance_hour = { model = \"graduated\", tiers = [{ up_to = \"100\", price = \"1\" }, { price = \"0.1\" }] }\n";
    let once = &*format!("{tiers}[[process]]\naccount = \"acme\"\nmultiplier = \"1\"\n").leak();
    let usage = "process a 01 03T02 bp=java; process b 01 11T00";
    let billed = "a inst [tier 1] 50 × 1 = 50.00; b inst 240 × 0.01 = 2.40; net 52.40";
    // From the 15th on, days are rounded; or the other way round.
    let by_day = "[[process]]\ninstance_hour = \"1\"\n[[process]]\nfrom = 2026-10-15\ninstance_hour = \"1\"\n\
                  granularity = { unit = \"hour\", per = \"day\" }\n";
    let no_longer = "[[process]]\ninstance_hour = \"1\"\ngranularity = { unit = \"hour\" }\n\
                     [[process]]\nfrom = 2026-10-15\ninstance_hour = \"1\"\n";
    let days = "shop inst 24 01-15 × 1 = 24.00; shop inst 49 (used 48.166667) 15-01 × 1 = 49.00; net 73.00";
    let then_seconds = "shop inst 24 01-15 × 1 = 24.00; shop inst 0.166667 15-01 × 1 = 0.17; net 24.17";
    let nearest = "[[staging]]\ninstance_hour = \"36\"\nminimum_seconds = 60\ngranularity = { unit = \"minute\", round = \"nearest\" }\n";
    let up = "[[staging]]\ninstance_hour = \"36\"\nminimum_seconds = 60\ngranularity = { unit = \"minute\" }\n";
    let daily = "[[staging]]\ninstance_hour = \"36\"\nminimum_seconds = 600\ngranularity = { unit = \"hour\", per = \"day\" }\n";
    let back = "[[process]]\ninstance_hour = \"6\"\ngranularity = { unit = \"hour\" }\n\
                [[process]]\naccount = \"acme\"\nmultiplier = \"1\"\ngranularity = { unit = \"second\" }\n";
    let ends = "[[process]]\nto = 2026-10-10T00:30:00Z\ninstance_hour = \"6\"\ngranularity = { unit = \"hour\" }\n";
    let types = "[[process]]\ninstance_hour = \"1\"\n[[process]]\nprocess_type = \"web\"\nfrom = 2026-10-15\ninstance_hour = \"2\"\n";
    let one_org = "[[process]]\norg = \"eu1/acme-guid\"\ninstance_hour = \"1\"\n[[process]]\norg = \"eu1/acme\"\nfrom = 2026-10-02\ninstance_hour = \"2\"\n";
    let loyalty = "[[process]]\ninstance_hour = \"1\"\n[[discount]]\nname = \"loyalty\"\npercent = \"10\"\n\
                   [[discount]]\nname = \"loyalty\"\nfrom = 2026-10-01\npercent = \"15\"\n";
    check(&[
        (OCTOBER, tiers, usage, billed),
        (OCTOBER, once, usage, billed),
        (OCTOBER, by_day, "process shop 14 17T00:10", days),
        (OCTOBER, by_day, "process shop 14 16; process shop 16 17T00:10", days),
        (OCTOBER, no_longer, "process shop 14 15T00:10", then_seconds),
        (OCTOBER, no_longer, "process shop 14 14T07:07; process shop 14T07:07 15T00:10", then_seconds),
        // 20 s are rounded to nothing, and count a minute.
        (OCTOBER, nearest, "staging shop 01 01T00:00:20", "shop inst 0.016667 (used 0.005556) × 36 = 0.60"),
        // Two that touch are two.
        (
            OCTOBER,
            up,
            "staging shop 01 01T00:00:10; staging shop 01T00:00:10 01T00:00:20",
            "shop inst 0.033333 (used 0.005556) × 36 = 1.20",
        ),
        // Ten minutes each, then the day: seven of them are an hour and ten minutes.
        (
            OCTOBER,
            daily,
            "staging shop 01 01T00:00:20; staging shop 01T01 01T01:00:20; staging shop 01T02 01T02:00:20; staging shop 01T03 01T03:00:20; staging shop 01T04 01T04:00:20; staging shop 01T05 01T05:00:20; staging shop 01T06 01T06:00:20",
            "shop inst 2 (used 0.038889) × 36 = 72.00",
        ),
        (OCTOBER, back, "process shop 01 01T00:10", "shop inst 0.166667 × 6 = 1.00"),
        // What is rounded up beyond the last rate has it.
        (OCTOBER, ends, "process shop 10 10T00:10", "shop inst 1 (used 0.166667) 01-10T00:30 × 6 = 6.00"),
        // One line of two process types says for how long it holds, whichever is read first.
        (
            OCTOBER,
            types,
            "process shop 14 16 type=web; process shop 14 16 type=worker",
            "shop inst 72 × 1 = 72.00; shop inst 24 15-01 × 2 = 48.00; net 120.00",
        ),
        (
            OCTOBER,
            types,
            "process shop 14 16 type=worker; process shop 14 16 type=web",
            "shop inst 72 × 1 = 72.00; shop inst 24 15-01 × 2 = 48.00; net 120.00",
        ),
        // By guid, later by name: the same org.
        (
            OCTOBER,
            one_org,
            "process shop 01T23 02T01",
            "shop inst 1 01-02 × 1 = 1.00; shop inst 1 02-01 × 2 = 2.00; net 3.00",
        ),
        // A later discount of the same name takes over.
        (OCTOBER, loyalty, "process shop 01 01T10", "shop inst 10 × 1 = 10.00; loyalty -1.50; net 8.50"),
    ]);
}
