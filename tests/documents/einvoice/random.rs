//! Whatever a card makes of whatever usage is valid as an e-invoice.

use std::sync::Arc;

use cf_billing::domain::Amount;
use cf_billing::invoicing::{Document, Invoice, Language};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::cases::{of_card, with_category};
use super::check;

const INVOICES: usize = 60;

fn decimal(most: u32, decimals: u32) -> impl Strategy<Value = String> {
    (0..=most, 0..=decimals).prop_map(|(whole, scale)| {
        let text = format!("{whole:0width$}", width = scale as usize + 1);
        let (before, after) = text.split_at(text.len() - scale as usize);
        if after.is_empty() { before.to_owned() } else { format!("{before}.{after}") }
    })
}

fn model() -> impl Strategy<Value = String> {
    prop_oneof![
        decimal(99_999, 7).prop_map(|price| format!("\"{price}\"")),
        (1..300_u32, decimal(999, 4), decimal(999, 4), any::<bool>()).prop_map(|(up_to, one, two, volume)| {
            let model = if volume { "volume" } else { "graduated" };
            format!(
                "{{ model = \"{model}\", tiers = [{{ up_to = \"{up_to}\", price = \"{one}\" }}, {{ price = \"{two}\" }}] }}"
            )
        }),
        (1..500_u32, 0..99_u32)
            .prop_map(|(size, price)| format!("{{ model = \"package\", size = \"{size}\", price = \"{price}\" }}")),
    ]
}

/// Currency, rounding, rates, and some of what stands beside the lines.
fn card() -> impl Strategy<Value = String> {
    let beside = prop::collection::vec(
        prop_oneof![
            (0..=100_u32).prop_map(|percent| format!("[[discount]]\nname = \"d{percent}\"\npercent = \"{percent}\"\n")),
            (1..500_u32).prop_map(|amount| format!("[[discount]]\nname = \"off\"\namount = \"{amount}\"\n")),
            (1..2000_u32).prop_map(|amount| format!("[[commitment]]\nname = \"c\"\namount = \"{amount}\"\n")),
            (1..2000_u32).prop_map(|amount| format!("[[minimum]]\nname = \"m\"\namount = \"{amount}\"\n")),
            (1..200_u32).prop_map(|amount| format!(
                "[[allowance]]\nname = \"free\"\nkind = \"process\"\nmeter = \"memory_gib_hour\"\namount = \"{amount}\"\n"
            )),
        ],
        0..3,
    );
    let currency = prop::sample::select(vec!["EUR", "USD", "JPY", "HUF"]);
    let rounding = prop::sample::select(vec!["half_up", "half_even", "up", "down"]);
    (currency, rounding, [model(), model(), model()], decimal(99_999, 2), beside).prop_map(
        |(currency, rounding, [memory, disk, instance], month, mut beside)| {
            let kind_of = |text: &String| text.lines().next().unwrap_or_default().to_owned();
            beside.sort();
            beside.dedup_by_key(|text| kind_of(text));
            format!(
                "currency = \"{currency}\"\nrounding = \"{rounding}\"\n[[process]]\nmemory_gib_hour = {memory}\n\
                 disk_gib_hour = {disk}\ninstance_hour = {instance}\n[[service]]\nmonth = \"{month}\"\n{}",
                beside.concat()
            )
        },
    )
}

fn usage() -> impl Strategy<Value = String> {
    let piece =
        (0..6_usize, 1..28_u32, 0..86_400_u32, 1..5_u32, 1..4000_u32, 0..4000_u32, any::<bool>(), any::<bool>());
    prop::collection::vec(
        piece.prop_map(|(who, day, second, instances, memory, disk, estimated, service)| {
            let time = format!("{:02}T{:02}:{:02}:{:02}", day, second / 3600, second / 60 % 60, second % 60);
            let estimated = if estimated { " estimated" } else { "" };
            if service {
                format!("service s{who} 01 {time} plan=postgres/small{estimated}")
            } else {
                format!("process p{who} 01 {time} i={instances} m={memory} d={disk} bp=go{estimated}")
            }
        }),
        1..6,
    )
    .prop_map(|pieces| {
        let mut pieces = pieces;
        pieces.sort();
        pieces.dedup_by_key(|piece| piece.split(' ').nth(1).unwrap().to_owned());
        pieces.join("; ")
    })
}

fn tax() -> impl Strategy<Value = (&'static str, String)> {
    prop_oneof![
        decimal(2999, 2)
            .prop_map(|percent| ("S", if percent.trim_matches(['0', '.']).is_empty() { "1".into() } else { percent })),
        prop::sample::select(vec!["Z", "E", "AE", "K", "G", "O"]).prop_map(|category| (category, "0".to_owned())),
    ]
}

/// Puts any texts where people can write what they want.
fn odd(invoice: &mut Invoice, texts: &[String]) {
    let [name, line, city, terms, accepted, cost_centre, organization, app, buildpack, contact] = texts else {
        panic!("{texts:?}")
    };
    let particulars = &mut invoice.particulars;
    particulars.buyer.name = format!("ACME {name}");
    particulars.buyer.address_lines = vec![line.clone(); 4];
    (particulars.buyer.city, particulars.seller.contact) = (Some(format!("A {city}")), Some(format!("B {contact}")));
    particulars.payment.terms = Some(terms.clone());
    (invoice.accepted, invoice.particulars.cost_centre) = (vec![accepted.clone()], Some(cost_centre.clone()));
    for line in &mut invoice.lines {
        let key = Arc::make_mut(&mut line.key);
        key.organization.name = Some(organization.clone());
        if let Some(named) = &mut key.app {
            named.name = Some(app.clone());
        }
        key.buildpack = Some(buildpack.clone());
    }
}

#[test]
fn whatever_is_billed_is_valid() {
    let seed = TestRng::from_seed(RngAlgorithm::ChaCha, b"e-invoices of whatever is billed");
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let one = (card(), usage(), tax(), 0..3_usize, any::<bool>(), prop::collection::vec(any::<String>(), 10));
    let mut invoices: Vec<(String, Document)> = Vec::new();
    for number in 0..INVOICES {
        let (card, usage, (category, percent), language, is_irish, texts) =
            one.new_tree(&mut runner).unwrap().current();
        let mut invoice = with_category(of_card(&card, &usage), category, &percent);
        invoice.particulars.language = Language::ALL[language];
        odd(&mut invoice, &texts);
        if is_irish {
            invoice.particulars.buyer.country = Some("IE".to_owned());
        }
        println!("{number}: {category} {percent}\n{card}{usage}\n");
        invoices.push((format!("{number:02}"), invoice.into()));
    }
    let several = |test: &dyn Fn(&Document) -> bool| invoices.iter().filter(|(_, invoice)| test(invoice)).count();
    assert!(several(&|invoice| !invoice.adjustments().is_empty()) > INVOICES / 4);
    assert!(several(&|invoice| invoice.net > Amount(0)) > INVOICES / 2);
    check(&invoices);
}
