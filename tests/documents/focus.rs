//! FOCUS rows: they come to what is to be paid, and prices times quantities to their costs.

use cf_billing::documents::focus::{self, Cell, Column, Exact, FocusRow};
use cf_billing::documents::{Branding, Issue, ToRender};
use cf_billing::domain::{Amount, Month, Rounding};
use cf_billing::invoicing::{self, AdjustmentType, CorrectionCause, DocumentRef, Invoice};
use cf_billing::rate_card::Meter;
use cf_billing::rating::Part;
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::rates::bill::{bill, card};
use crate::support::sample;

/// A document, and what makes it final.
pub struct Document {
    pub of: invoicing::Document,
    pub issue: Option<Issue>,
}

impl Document {
    fn new(number: &str, of: impl Into<invoicing::Document>) -> Self {
        let of = of.into();
        Self { issue: Some(sample::issue(number, &of)), of }
    }

    fn draft(invoice: Invoice) -> Self {
        Self { of: invoice.into(), issue: None }
    }

    pub fn with<T>(&self, made: impl FnOnce(&ToRender<'_>) -> T) -> T {
        let look = Branding::default();
        made(&ToRender {
            document: self.of.by_ref(),
            issue: self.issue.as_ref(),
            in_review: false,
            drafted_at: sample::drafted_at(),
            look: &look,
        })
    }

    pub fn rows(&self) -> Vec<FocusRow> {
        self.with(focus::rows).unwrap()
    }

    pub fn gross(&self) -> Exact {
        Exact::amount(self.of.gross().unwrap(), self.of.currency)
    }
}

/// Tiers, packages, an allowance, discounts, prices agreed on, and a commitment that covers a part of all.
const COMMITTED: &str = r#"
[[process]]
memory_gib_hour = { model = "graduated", tiers = [{ up_to = "500", price = "0.0123456789" }, { price = "0.01" }] }
disk_gib_hour = { model = "package", size = "700", price = "0.33" }
[[process]]
account = "acme"
buildpack = "go_buildpack"
memory_gib_hour = "0.008"
[[staging]]
per_staging = "0.01"
granularity = { unit = "minute" }
memory_gib_hour = "0.0125"
[[task]]
memory_gib_hour = "0.0125"
[[service]]
month = "25"
[[allowance]]
kind = "process"
meter = "memory_gib_hour"
amount = "100"
[[discount]]
name = "launch"
percent = "7.5"
kind = "process"
[[discount]]
name = "goodwill"
amount = "3.33"
[[commitment]]
name = "basic plan"
account = "acme"
amount = "30"
[[tax]]
name = "VAT"
category = "S"
percent = "19"
"#;

const USAGE: &str = "
    process shop 01 20 i=2 m=1024 d=1024 bp=java_buildpack
    process shop 20 32 i=4 m=1024 d=1024 bp=java_buildpack
    process api 03T12:30 32 i=3 m=512 d=512 bp=go_buildpack
    process site 10 25 i=1 m=64 d=256 bp=staticfile_buildpack
    process legacy 02 04 i=1 m=2048 d=2048 estimated
    staging shop 01T08:00 01T08:07 m=4096 bp=java_buildpack
    task nightly 05T02:00 05T03:10:11 m=256
    service orders-db 01 17T11:11:11 plan=postgres/small
    service queue 07 32 plan=p-rabbitmq/tiny";

/// A seller, as a provider who is to be named must have.
fn named(mut invoice: Invoice) -> Invoice {
    invoice.account_name = Some("ACME".to_owned());
    invoice.particulars.seller = sample::seller();
    invoice
}

fn committed() -> Invoice {
    named(bill(&card(COMMITTED, Tz::Europe__Berlin), "2026-10 Europe/Berlin", USAGE))
}

/// A commitment that isn't used up, and a minimum on top.
fn unused() -> Invoice {
    let text = COMMITTED.replace("amount = \"30\"", "amount = \"333\"");
    let text = format!("{text}\n[[minimum]]\nname = \"minimum fee\"\namount = \"400\"\n");
    named(bill(&card(&text, Tz::Europe__Berlin), "2026-10 Europe/Berlin", USAGE))
}

/// Every sort of document that is final, numbered from after `before`.
pub fn finals(before: u32) -> Vec<Document> {
    let invoices: [invoicing::Document; 6] = [
        sample::standard().into(),
        sample::reverse_charge().into(),
        sample::with_correction().into(),
        sample::credit_note().into(),
        committed().into(),
        unused().into(),
    ];
    let numbered = invoices.into_iter().zip(before + 1..);
    numbered.map(|(invoice, number)| Document::new(&format!("CF-{number:06}"), invoice)).collect()
}

pub fn drafts() -> Vec<Document> {
    let text = "[[process]]\nbuildpack = \"java_buildpack\"\nmemory_gib_hour = \"0.01\"\n[[task]]\nmemory_gib_hour = \"1\"\n[[staging]]\nfree = true\n[[service]]\ninstance_hour = \"1\"\n";
    let unpriced = named(bill(&card(text, Tz::UTC), "2026-10", USAGE));
    assert!(unpriced.lines.iter().any(|line| line.charge.is_none()));
    vec![Document::draft(sample::standard()), Document::draft(unpriced)]
}

fn decimal(row: &FocusRow, column: Column) -> Exact {
    match row.get(column) {
        Cell::Decimal(number) => *number,
        other => panic!("{}: {other:?}", column.name()),
    }
}

fn sum(rows: &[FocusRow], column: Column) -> Exact {
    rows.iter().map(|row| decimal(row, column)).fold(Exact::ZERO, |sum, number| sum.plus(number).unwrap())
}

/// The rows of a category.
fn of<'r>(rows: &'r [FocusRow], category: &str) -> Vec<&'r FocusRow> {
    rows.iter().filter(|row| *row.get(Column::ChargeCategory) == Cell::from(category)).collect()
}

#[test]
fn rows_come_to_what_is_to_be_paid() {
    for document in finals(0).iter().chain(&drafts()) {
        let rows = document.rows();
        let number = document.issue.as_ref().map(|issue| issue.number.clone());
        assert_eq!(sum(&rows, Column::BilledCost), document.gross(), "{number:?}");
        assert_eq!(sum(&rows, Column::EffectiveCost), document.gross(), "{number:?}");
        assert!(rows.iter().all(|row| *row.get(Column::InvoiceId) == Cell::from(number.clone())));
        assert_eq!(of(&rows, "Tax").len(), usize::from(document.of.tax.is_some()));
        let discounts: i64 = document.of.lines().iter().map(|line| line.discount.0).sum();
        assert_eq!(Amount(discounts), taken_off(&document.of), "{number:?}");
    }
}

/// What adjustments take off lines.
fn taken_off<'a>(document: impl Into<DocumentRef<'a>>) -> Amount {
    let document = document.into();
    let off = |kind| matches!(kind, AdjustmentType::Discount | AdjustmentType::Covered);
    let adjustments = document.adjustments().iter().filter(|one| off(one.adjustment));
    Amount(adjustments.map(|one| one.amount.0).sum())
}

#[test]
fn a_line_has_a_row_for_each_day_of_the_billing_time_zone() {
    let card = card("[[process]]\ninstance_hour = \"1\"\n", Tz::UTC);
    // From 02:00 on the 24th in Berlin to 01:00 on the 26th; the 25th has 25 hours.
    let invoice = bill(&card, "2026-10 Europe/Berlin", "process shop 2026-10-24T00:00:00Z 2026-10-26T00:00:00Z");
    let rows = Document::draft(invoice).rows();
    let shown: Vec<String> = (rows.iter())
        .map(|row| {
            let (from, to) = (row.get(Column::ChargePeriodStart), row.get(Column::ChargePeriodEnd));
            let (Cell::Time(from), Cell::Time(to)) = (from, to) else { panic!("{from:?} {to:?}") };
            format!("{from} {to} {} {}", decimal(row, Column::PricingQuantity), decimal(row, Column::BilledCost))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    2026-10-23T22:00:00Z 2026-10-24T22:00:00Z 22.0 22.0
    2026-10-24T22:00:00Z 2026-10-25T23:00:00Z 25.0 25.0
    2026-10-25T23:00:00Z 2026-10-26T23:00:00Z 1.0 1.0
    ");
}

#[test]
fn a_correction_stands_in_its_document_for_the_time_it_is_about() {
    let document = Document::new("CF-000003", sample::with_correction());
    let rows = document.rows();
    let corrections: Vec<&FocusRow> =
        rows.iter().filter(|row| *row.get(Column::ChargeClass) == Cell::from("Correction")).collect();
    let [row] = corrections[..] else { panic!("{corrections:?}") };
    let september = "2026-09".parse::<Month>().unwrap().span(Tz::Europe__Berlin);
    for (column, cell) in [
        (Column::ChargePeriodStart, Cell::from(september.from)),
        (Column::ChargePeriodEnd, Cell::from(september.to)),
        (Column::BillingPeriodStart, Cell::from(document.of.period.from)),
        (Column::InvoiceId, Cell::from("CF-000003")),
        (Column::CorrectedInvoiceId, Cell::from("CF-000001")),
        (Column::CorrectedLine, Cell::Integer(3)),
        (Column::BilledCost, Cell::Decimal(Exact::new(125, 2))),
        (Column::PricingQuantity, Cell::Decimal(Exact::new(100, 0))),
        (Column::ConsumedQuantity, Cell::Null),
        (Column::CorrectionCause, Cell::from(CorrectionCause::Usage.name())),
    ] {
        assert_eq!(*row.get(column), cell, "{}", column.name());
    }
}

#[test]
fn a_credit_note_is_corrections_and_tax_below_zero() {
    let rows = Document::new("CF-000004", sample::credit_note()).rows();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!(*row.get(Column::ChargeClass), Cell::from("Correction"));
        assert_eq!(*row.get(Column::CorrectedInvoiceId), Cell::from("CF-000001"));
        assert!(decimal(row, Column::BilledCost).to_string().starts_with('-'));
    }
}

#[test]
fn packages_are_priced_as_begun_and_prices_agreed_on_keep_their_sku() {
    let rows = Document::new("CF-000005", committed()).rows();
    // 2303.6 GiB-hours of 700 each.
    let packages = rows.iter().filter(|row| *row.get(Column::PricingUnit) == Cell::from("Packages"));
    let packages: Vec<FocusRow> = packages.cloned().collect();
    assert_eq!(sum(&packages, Column::PricingQuantity).to_string(), "4.0");
    assert_eq!(sum(&packages, Column::ContractedCost).to_string(), "1.32");
    // Of everyone 0.0125, of this account 0.01.
    let rows = Document::new("CF-000001", sample::standard()).rows();
    let sku = Cell::from("process/go_buildpack/memory_gib_hour/standard/0.0125");
    let agreed: Vec<&FocusRow> = rows.iter().filter(|row| *row.get(Column::SkuPriceId) == sku).collect();
    assert_eq!(agreed.len(), 29);
    for row in agreed {
        assert_eq!(decimal(row, Column::ListUnitPrice), Exact::new(125, 4));
        assert_eq!(decimal(row, Column::ContractedUnitPrice), Exact::new(1, 2));
    }
}

#[test]
fn what_has_no_price_costs_nothing_and_says_so() {
    let rows = drafts()[1].rows();
    let unpriced: Vec<&FocusRow> =
        rows.iter().filter(|row| *row.get(Column::Unpriced) == Cell::Boolean(true)).collect();
    assert!(!unpriced.is_empty());
    for row in unpriced {
        assert_eq!(decimal(row, Column::BilledCost), Exact::ZERO);
        assert_eq!(*row.get(Column::ListUnitPrice), Cell::Null);
        assert_ne!(decimal(row, Column::ConsumedQuantity), Exact::ZERO);
    }
}

/// Invoices whose lines don't know what was taken off them: as the book has those made before that was kept.
#[test]
fn discounts_that_lines_do_not_know_have_a_row_of_their_own() {
    for mut invoice in [committed(), unused()] {
        for line in &mut invoice.lines {
            line.discount = Amount::default();
            line.days.clear();
        }
        let document = Document::new("CF-000009", invoice);
        let rows = document.rows();
        assert_eq!(sum(&rows, Column::BilledCost), document.gross());
        assert_eq!(sum(&rows, Column::EffectiveCost), document.gross());
        let discounts = Cell::from("discount");
        assert_eq!(rows.iter().filter(|row| *row.get(Column::Adjustment) == discounts).count(), 1);
    }
}

#[test]
fn rows_that_do_not_come_to_the_total_are_refused() {
    let mut invoice = sample::standard();
    invoice.lines[3].charge.as_mut().unwrap().amount.0 += 1;
    let refused = Document::draft(invoice).with(focus::rows).unwrap_err();
    insta::assert_snapshot!(refused, @"can't make the document: the FOCUS rows come to `100.58`, and the document to `100.57`");
}

const SEED: u64 = 20_261_127;

/// A card of any shape, and usage of four apps and two services.
fn any_invoice() -> impl Strategy<Value = Invoice> {
    let price = || "[0-9]{1,2}\\.[0-9]{1,10}";
    let model = (price(), price(), 1..900_u32, 0..4_u32).prop_map(|(one, two, size, model)| match model {
        0 => format!("\"{one}\""),
        1 => format!("{{ model = \"graduated\", tiers = [{{ up_to = \"{size}\", price = \"{one}\" }}, {{ price = \"{two}\" }}] }}"),
        2 => format!("{{ model = \"volume\", tiers = [{{ up_to = \"{size}\", price = \"{one}\" }}, {{ price = \"{two}\" }}] }}"),
        _ => format!("{{ model = \"package\", size = \"{size}\", price = \"{one}\" }}"),
    });
    let optional = |text: String, is_there: bool| if is_there { text } else { String::new() };
    let prices = (model.clone(), model, price(), price(), price());
    let amounts = (1..900_u32, 1..100_u32, 1..5_000_u32, 1..200_000_u32, 1..300_000_u32);
    let there = prop::collection::vec(any::<bool>(), 8);
    let usage = prop::collection::vec((0..2_600_000_i64, 1..2_678_400_i64, 1..4_u32, 1..5_000_u32), 6);
    let zone = prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York"]);
    (prices, amounts, there, usage, zone).prop_map(move |(prices, amounts, there, usage, zone)| {
        let (memory, disk, agreed, service, staging) = prices;
        let (allowance, percent, off, commitment, minimum) = amounts;
        let cents = |amount: u32| format!("{}.{:02}", amount / 100, amount % 100);
        let text = [
            format!("currency = \"{}\"\n", if there[0] { "EUR" } else { "KWD" }),
            format!("[[process]]\nmemory_gib_hour = {memory}\ndisk_gib_hour = {disk}\n"),
            optional("granularity = { unit = \"hour\", per = \"day\" }\n".to_owned(), there[7]),
            format!("[[staging]]\nper_staging = \"{staging}\"\n[[service]]\nmonth = \"{service}\"\n"),
            optional(
                format!("[[process]]\naccount = \"acme\"\nbuildpack = \"go\"\nmemory_gib_hour = \"{agreed}\"\n"),
                there[1],
            ),
            optional(format!("[[process]]\norg = \"eu1/north\"\nmemory_gib_hour = \"{service}\"\n"), there[2]),
            optional(
                format!("[[allowance]]\nkind = \"process\"\nmeter = \"memory_gib_hour\"\namount = \"{allowance}\"\n"),
                there[3],
            ),
            optional(format!("[[discount]]\nname = \"a\"\npercent = \"{percent}\"\nkind = \"process\"\n"), there[4]),
            optional(format!("[[discount]]\nname = \"b\"\namount = \"{}\"\n", cents(off)), there[4]),
            optional(format!("[[commitment]]\nname = \"c\"\namount = \"{}\"\n", cents(commitment)), there[5]),
            optional(format!("[[minimum]]\nname = \"m\"\namount = \"{}\"\n", cents(minimum)), there[6]),
            optional("[[tax]]\npercent = \"19\"\n".to_owned(), there[7]),
        ];
        let (month, zone) = ("2026-10", zone.parse::<Tz>().unwrap());
        let start = month.parse::<Month>().unwrap().span(zone);
        let what = ["process a", "process b", "process c", "process d", "service e", "staging f"];
        let more = ["bp=go", "bp=go org=north", "", "bp=java estimated", "plan=postgres/small", "bp=go"];
        let used = usage.iter().zip(what.iter().zip(more)).map(|((from, seconds, instances, memory), (what, more))| {
            let from = start.from.plus(*from);
            let to = from.plus(*seconds).min(start.to);
            format!("{what} {from} {to} i={instances} m={memory} d=1024 {more}")
        });
        bill(&card(&text.concat(), zone), &format!("{month} {zone}"), &used.collect::<Vec<_>>().join("\n"))
    })
}

proptest! {
    #![proptest_config(Config { cases: 200, rng_seed: RngSeed::Fixed(SEED), failure_persistence: None, ..Config::default() })]

    #[test]
    fn rows_of_any_invoice_add_up(invoice in any_invoice()) {
        let discounts: i64 = invoice.lines.iter().map(|line| line.discount.0).sum();
        prop_assert_eq!(Amount(discounts), taken_off(&invoice), "seed {}", SEED);
        let document = Document::draft(invoice);
        let rows = document.rows();
        prop_assert_eq!(sum(&rows, Column::BilledCost), document.gross(), "seed {}", SEED);
        prop_assert_eq!(sum(&rows, Column::EffectiveCost), document.gross(), "seed {}", SEED);
        for row in of(&rows, "Usage") {
            for (price, cost) in [(Column::ListUnitPrice, Column::ListCost), (Column::ContractedUnitPrice, Column::ContractedCost)] {
                let product = decimal(row, price).times(decimal(row, Column::PricingQuantity)).unwrap();
                prop_assert_eq!(product, decimal(row, cost), "seed {}", SEED);
            }
            let covered = *row.get(Column::CommitmentDiscountStatus) != Cell::Null;
            prop_assert!(!covered || decimal(row, Column::BilledCost) == Exact::ZERO, "seed {}", SEED);
        }
        // Each line's quantities come to the line's, to the digits printed.
        for (position, line) in (1..).zip(document.of.lines()) {
            let own: Vec<FocusRow> = rows.iter().filter(|row| *row.get(Column::InvoiceLine) == Cell::Integer(position)).cloned().collect();
            let unit = i128::from(if line.meter == Meter::Month { 3600 } else { line.meter.constant_unit().unwrap() });
            let used = Rounding::HalfUp.divide(i128::from(line.used) * 10_i128.pow(12), unit);
            prop_assert_eq!(sum(&own, Column::ConsumedQuantity), Exact::new(used, 12), "seed {}", SEED);
            if !matches!(line.part, Part::Packages(_)) {
                let priced = Rounding::HalfUp.divide(i128::from(line.quantity) * 10_i128.pow(12), i128::from(line.unit_size));
                prop_assert_eq!(sum(&own, Column::PricingQuantity), Exact::new(priced, 12), "seed {}", SEED);
            }
            let amount = Amount(line.charge.as_ref().unwrap().amount.0 + line.discount.0);
            prop_assert_eq!(sum(&own, Column::BilledCost), Exact::amount(amount, document.of.currency), "seed {}", SEED);
        }
    }
}
