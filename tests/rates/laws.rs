//! What holds of every card and every usage.

use cf_billing::domain::{Price, Timestamp, share};
use cf_billing::invoicing::Invoice;
use cf_billing::rate_card::{CardFile, Meter, parse};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::bill::{bill, card, shown};

const SEED: u64 = 20_261_121;

fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(SEED), failure_persistence: None, ..Config::default() }
}

const FROM: &str = "2026-10-01T00:00:00Z";

/// One app's usage of some seconds, cut at some of them.
fn cut(whose: &str, seconds: i64, memory: i64, cuts: &[i64]) -> String {
    let mut edges: Vec<i64> = cuts.iter().copied().filter(|at| *at < seconds).chain([0, seconds]).collect();
    edges.sort_unstable();
    edges.dedup();
    let at = |seconds: i64| Timestamp::parse(FROM).unwrap().plus(seconds).to_string();
    let piece = |pair: &[i64]| format!("process {whose} {} {} m={memory} d=1024", at(pair[0]), at(pair[1]));
    edges.windows(2).map(piece).collect::<Vec<_>>().join("\n")
}

/// By meter, what all lines charge for.
fn quantities(invoice: &Invoice) -> [i64; 3] {
    [Meter::InstanceHour, Meter::MemoryGibHour, Meter::DiskGibHour]
        .map(|meter| invoice.lines.iter().filter(|line| line.meter == meter).map(|line| line.quantity).sum())
}

/// 168 GiB-hours, 24 a line. Of the allowance of 5 each line gets 0.714286. Prices are 1 and from the 2nd on 2; go: × 3
/// × 2, gr: × 2, by labels: × 7 × 5.
const IN_ANY_ORDER: &str = "a mem [allowance process memory_gib_hour allowance] 0.714286 01-02 × 0 = 0.00; a mem 23.285714 01-02 × 6 = 139.71; a mem [allowance process memory_gib_hour allowance] 0.714286 02-01 × 0 = 0.00; a mem 23.285714 02-01 × 12 = 279.43; b mem [allowance process memory_gib_hour allowance] 0.714286 01-02 × 0 = 0.00; b mem 23.285714 01-02 × 2 = 46.57; b mem [allowance process memory_gib_hour allowance] 0.714286 02-01 × 0 = 0.00; b mem 23.285714 02-01 × 4 = 93.14; c mem [allowance process memory_gib_hour allowance] 0.714286 01-02 × 0 = 0.00; c mem 23.285714 01-02 × 1 = 23.29; c mem [allowance process memory_gib_hour allowance] 0.714286 02-01 × 0 = 0.00; c mem 23.285714 02-01 × 2 = 46.57; d mem [allowance process memory_gib_hour allowance] 0.714285 01-02 × 0 = 0.00; d mem 23.285715 01-02 × 35 = 815.00; x -144.37; y -10.00; net 1289.34";

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn any_split_of_time_costs_the_same(
        price in "[0-9]{1,3}\\.[0-9]{10}",
        seconds in 1..2_678_400_i64,
        memory in 1..100_000_i64,
        edges in prop::collection::vec(0..2_678_400_i64, 0..30),
    ) {
        let card = card(&format!("[[process]]\nmemory_gib_hour = \"{price}\"\ninstance_hour = \"{price}\"\ndisk_gib_hour = \"{price}\"\n"), Tz::UTC);
        let whole = shown(&bill(&card, "2026-10", &cut("shop", seconds, memory, &[])));
        prop_assert_eq!(shown(&bill(&card, "2026-10", &cut("shop", seconds, memory, &edges))), whole);
    }

    /// Two buildpacks of one app on one day share what is rounded, however often the app is cut.
    #[test]
    fn so_it_does_where_a_day_is_shared(
        seconds in prop::collection::vec(1..40_000_i64, 3),
        edges in prop::collection::vec(0..120_000_i64, 0..40),
    ) {
        let card = card("[[process]]\ninstance_hour = \"3600\"\ngranularity = { unit = \"hour\", per = \"day\" }\n", Tz::UTC);
        let usage = |edges: &[i64]| {
            let (mut begun, mut lines) = (0, Vec::new());
            for (seconds, buildpack) in seconds.iter().zip(["go", "ruby", "go"]) {
                let end = begun + seconds;
                let mut at: Vec<i64> = edges.iter().copied().filter(|at| begun < *at && *at < end).chain([begun, end]).collect();
                at.sort_unstable();
                at.dedup();
                let time = |at: i64| Timestamp::parse(FROM).unwrap().plus(at).to_string();
                lines.extend(at.windows(2).map(|pair| format!("process shop {} {} bp={buildpack}", time(pair[0]), time(pair[1]))));
                begun = end;
            }
            lines.join("\n")
        };
        prop_assert_eq!(shown(&bill(&card, "2026-10", &usage(&edges))), shown(&bill(&card, "2026-10", &usage(&[]))));
    }

    #[test]
    fn so_it_does_when_rounding_begins_or_ends(
        first in prop::sample::select(vec!["", "granularity = { unit = \"hour\" }\n", "granularity = { unit = \"hour\", per = \"day\" }\n", "granularity = { unit = \"minute\", round = \"nearest\" }\n"]),
        then in prop::sample::select(vec!["", "granularity = { unit = \"hour\" }\n", "granularity = { unit = \"hour\", per = \"day\" }\n"]),
        seconds in 1..2_678_400_i64,
        edges in prop::collection::vec(0..2_678_400_i64, 0..30),
    ) {
        let card = card(&format!("[[process]]\nmemory_gib_hour = \"0.01\"\n{first}[[process]]\nfrom = 2026-10-13T13:37:11Z\nmemory_gib_hour = \"0.02\"\ndisk_gib_hour = \"0.001\"\n{then}"), Tz::UTC);
        let whole = shown(&bill(&card, "2026-10", &cut("shop", seconds, 1024, &[])));
        prop_assert_eq!(shown(&bill(&card, "2026-10", &cut("shop", seconds, 1024, &edges))), whole);
    }

    #[test]
    fn so_it_does_by_tiers_packages_and_rounded_intervals(
        model in prop::sample::select(vec![
            "{ model = \"graduated\", tiers = [{ up_to = \"100\", price = \"0.0123456789\" }, { price = \"0.01\" }] }",
            "{ model = \"volume\", tiers = [{ up_to = \"300\", price = \"0.0123456789\" }, { price = \"0.01\" }] }",
            "{ model = \"package\", size = \"7\", price = \"0.3333333333\" }",
        ]),
        rounded in prop::sample::select(vec!["", "granularity = { unit = \"hour\" }\n", "granularity = { unit = \"minute\", round = \"nearest\" }\n", "granularity = { unit = \"hour\", per = \"day\" }\n"]),
        one in 1..2_678_400_i64,
        two in 1..2_678_400_i64,
        edges in prop::collection::vec(0..2_678_400_i64, 0..30),
    ) {
        let card = card(&format!("[[process]]\nmemory_gib_hour = {model}\n{rounded}"), Tz::UTC);
        let usage = |edges: &[i64]| format!("{}\n{}", cut("a", one, 1024, edges), cut("b", two, 512, edges));
        prop_assert_eq!(shown(&bill(&card, "2026-10", &usage(&edges))), shown(&bill(&card, "2026-10", &usage(&[]))));
    }

    #[test]
    fn every_second_is_charged_once_whatever_the_prices(
        seconds in prop::collection::vec(1..2_678_400_i64, 1..6),
        change in 0..31_u32,
        allowance in 1..900_u32,
        tier in 1..900_u32,
    ) {
        let tiers = |first: &str| format!("{{ model = \"graduated\", tiers = [{{ up_to = \"{tier}\", price = \"{first}\" }}, {{ price = \"0.01\" }}] }}");
        let card = card(&format!(
            "[[process]]\ninstance_hour = {}\n[[process]]\nfrom = 2026-10-{:02}\ninstance_hour = {}\n\
             [[allowance]]\nkind = \"process\"\nmeter = \"instance_hour\"\namount = \"{allowance}\"\n",
            tiers("0.02"), change.max(2), tiers("0.03"),
        ), Tz::UTC);
        let usage: Vec<String> = seconds.iter().enumerate().map(|(at, seconds)| cut(&format!("app{at}"), *seconds, 1, &[])).collect();
        let invoice = bill(&card, "2026-10", &usage.join("\n"));
        prop_assert_eq!(quantities(&invoice)[0], seconds.iter().sum::<i64>());
        let free: i64 = invoice.lines.iter().filter(|line| line.part.to_string().starts_with("allowance")).map(|line| line.quantity).sum();
        prop_assert_eq!(free, seconds.iter().sum::<i64>().min(i64::from(allowance) * 3600));
        let first: i64 = invoice.lines.iter().filter(|line| line.part.to_string() == "tier 1").map(|line| line.quantity).sum();
        let left = seconds.iter().sum::<i64>() - free;
        // Both blocks have the same tiers, so that the first holds what it can of the total, but for the seconds by
        // which two shares of one total can differ.
        prop_assert!((first - left.min(i64::from(tier) * 3600)).abs() <= i64::try_from(2 * seconds.len()).unwrap());
        prop_assert!(invoice.lines.iter().all(|line| line.quantity >= 0));
    }

    #[test]
    fn a_month_s_price_is_whole_whatever_the_month_and_zone(
        year in 2024..2040_i32,
        month in 1..=12_u32,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"]),
        price in "[1-9][0-9]{0,3}\\.[0-9]{2}",
        cut in 1..2_419_199_i64,
    ) {
        let setup = format!("{year}-{month:02} {zone}");
        let (_, zone, span) = super::bill::period(&setup);
        let card = card(&format!("[[service]]\nmonth = \"{price}\"\n"), zone);
        let cut = span.from.plus(cut);
        let usage = format!("service db {} {cut}\nservice db {cut} {}", span.from, span.to);
        let net = bill(&card, &setup, &usage).net.0;
        prop_assert_eq!(net, price.replace('.', "").parse::<i64>().unwrap());
    }

    #[test]
    fn the_order_of_blocks_and_files_does_not_matter(
        shuffled in Just(vec![
            "[[process]]\nmemory_gib_hour = \"1\"\n",
            "[[process]]\nfrom = 2026-10-02\nmemory_gib_hour = \"2\"\n",
            "[[process]]\nbuildpack = \"go\"\nmultiplier = \"3\"\n",
            "[[process]]\nbuildpack_pattern = \"g*\"\nmultiplier = \"2\"\n",
            "[[process]]\norg_label = \"a=1\"\nmultiplier = \"5\"\n",
            "[[process]]\norg_label = \"b=1\"\nmultiplier = \"7\"\n",
            "[[discount]]\nname = \"x\"\npercent = \"10\"\n",
            "[[discount]]\nname = \"y\"\namount = \"10\"\n",
            "[[minimum]]\namount = \"50\"\n",
            "[[allowance]]\nkind = \"process\"\nmeter = \"memory_gib_hour\"\namount = \"5\"\n",
        ]).prop_shuffle(),
        files in 1..5_usize,
    ) {
        let texts: Vec<String> = shuffled.chunks(shuffled.len().div_ceil(files)).map(|blocks| format!("name = \"t\"\ncurrency = \"EUR\"\n{}", blocks.concat())).collect();
        let files: Vec<CardFile> = texts.iter().enumerate().map(|(at, text)| CardFile { name: format!("{at}.toml"), text: text.clone() }).collect();
        let (card, problems) = parse(&files, Tz::UTC);
        let card = card.unwrap_or_else(|| panic!("{problems:?}"));
        let usage = "process a 01 03 bp=go\nprocess b 01 03 bp=gr\nprocess c 01 03 bp=x\nprocess d 01 02 label=a:1 label=b:1";
        let billed = shown(&bill(&card, "2026-10", usage));
        prop_assert_eq!(billed, IN_ANY_ORDER);
    }

    #[test]
    fn the_order_of_reading_does_not_matter(
        seconds in prop::collection::vec(1..400_000_i64, 2..6),
        allowance in 1..100_u32,
    ) {
        let card = card(&format!(
            "[[process]]\ninstance_hour = {{ model = \"graduated\", tiers = [{{ up_to = \"7\", price = \"0.02\" }}, {{ price = \"0.01\" }}] }}\n\
             [[process]]\nprocess_type = \"web\"\nfrom = 2026-10-02\nmultiplier = \"1.5\"\n\
             [[allowance]]\nkind = \"process\"\nmeter = \"instance_hour\"\namount = \"{allowance}\"\n",
        ), Tz::UTC);
        let mut pieces: Vec<String> = (seconds.iter().enumerate())
            .map(|(at, seconds)| format!("{} type={}", cut("shop", *seconds, 1, &[]), if at % 2 == 0 { "web" } else { "worker" }))
            .collect();
        let forward = shown(&bill(&card, "2026-10", &pieces.join("\n")));
        pieces.reverse();
        prop_assert_eq!(shown(&bill(&card, "2026-10", &pieces.join("\n"))), forward);
    }

    #[test]
    fn shares_add_up_and_no_one_gets_more_than_there_is(
        weights in prop::collection::vec(0..1_000_000_i64, 1..20),
        part in 0..=1000_i64,
    ) {
        let sum: i64 = weights.iter().sum();
        let total = sum / 1000 * part;
        let shares = share(total, &weights).unwrap();
        prop_assert_eq!(shares.iter().sum::<i64>(), total);
        for (share, weight) in shares.iter().zip(&weights) {
            prop_assert!(*share >= 0 && share <= weight);
            // Never a whole unit off the exact share.
            if sum > 0 {
                prop_assert!((i128::from(*share) * i128::from(sum) - i128::from(total) * i128::from(*weight)).abs() < i128::from(sum));
            }
        }
    }

    #[test]
    fn prices_read_back_as_written(text in "[0-9]{1,9}(\\.[0-9]{1,12})?") {
        let price: Price = text.parse().unwrap();
        prop_assert_eq!(price.to_string().parse::<Price>().unwrap(), price);
    }
}
