//! Invoices to make documents of: what three accounts pay for October 2026, and a credit note.

use cf_billing::documents::Issue;
use cf_billing::domain::{Amount, ElectronicAddress, Party, Timestamp};
use cf_billing::invoicing::{
    Common, Corrected, Correction, CorrectionCause, CreditNote, DocumentKind, DocumentRef, GroupBy, Invoice, Language,
    Particulars, Payment,
};
use chrono_tz::Tz;

use crate::rates::bill::{bill, card};

const CARD: &str = r#"
[[process]]
memory_gib_hour = "0.0125"
disk_gib_hour = "0.0004"
[[process]]
buildpack = "java_buildpack"
multiplier = "1.25"
[[process]]
account = "acme"
buildpack = "go_buildpack"
memory_gib_hour = "0.0100"
[[staging]]
memory_gib_hour = "0.0125"
per_staging = "0.01"
[[task]]
memory_gib_hour = "0.0125"
[[service]]
offering = "postgres"
plan = "small"
month = "25"
[[service]]
instance_hour = "0.05"
[[allowance]]
name = "first 100 GiB-hours"
kind = "process"
meter = "memory_gib_hour"
amount = "100"
[[discount]]
name = "partner discount"
percent = "5"
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
    staging shop 20T08:00 20T08:06 m=4096 bp=java_buildpack
    staging api 03T12:25 03T12:29 m=1024 bp=go_buildpack
    task nightly 05T02:00 05T03:10 m=256
    service orders-db 01 32 plan=postgres/small
    service cache 15 32 plan=redis/tiny";

/// The seller of all.
pub fn seller() -> Party {
    Party {
        name: "Beispiel Plattform GmbH".to_owned(),
        address_lines: vec!["Musterstraße 12".to_owned()],
        postal_code: Some("10115".to_owned()),
        city: Some("Berlin".to_owned()),
        country: Some("DE".to_owned()),
        vat_id: Some("DE123456789".to_owned()),
        tax_number: Some("12/345/67890".to_owned()),
        registration: Some("HRB 123456 B, Amtsgericht Charlottenburg".to_owned()),
        contact: Some("Billing".to_owned()),
        email: Some("billing@platform.example".to_owned()),
        phone: Some("+49 30 1234567".to_owned()),
        electronic_address: Some(ElectronicAddress { scheme: "9930".to_owned(), id: "DE123456789".to_owned() }),
        ..Party::default()
    }
}

fn buyer(name: &str, country: &str, vat_id: &str) -> Party {
    Party {
        name: name.to_owned(),
        address_lines: vec!["12 Example Street".to_owned(), "3rd floor".to_owned()],
        postal_code: Some("75001".to_owned()),
        city: Some("Exampleville".to_owned()),
        country: Some(country.to_owned()),
        vat_id: Some(vat_id.to_owned()),
        email: Some("accounts@customer.example".to_owned()),
        electronic_address: Some(ElectronicAddress { scheme: "0088".to_owned(), id: "4012345000009".to_owned() }),
        ..Party::default()
    }
}

fn particulars(buyer: Party, language: Language) -> Particulars {
    Particulars {
        seller: seller(),
        buyer,
        payment: Payment {
            days: 30,
            terms: None,
            iban: Some("DE89370400440532013000".to_owned()),
            bic: Some("COBADEFFXXX".to_owned()),
            bank: Some("Beispielbank".to_owned()),
        },
        purchase_order: Some("PO-4711".to_owned()),
        cost_centre: Some("KST 1200".to_owned()),
        buyer_reference: Some("platform-team".to_owned()),
        language,
        group_by: vec![GroupBy::Organization, GroupBy::Space],
    }
}

fn made(card_text: &str, particulars: Particulars) -> Invoice {
    let mut invoice = bill(&card(card_text, Tz::UTC), "2026-10 Europe/Berlin", USAGE);
    invoice.account_name = Some(particulars.buyer.name.clone());
    invoice.seller = Some(particulars.seller.name.clone());
    invoice.particulars = particulars;
    invoice
}

/// With an allowance, a discount, an agreed price, estimated usage and 19 % VAT, in German.
pub fn standard() -> Invoice {
    made(CARD, particulars(buyer("ACME Deutschland GmbH", "DE", "DE987654321"), Language::German))
}

/// To another member state: reverse charge, in French.
pub fn reverse_charge() -> Invoice {
    let text = CARD.replace("category = \"S\"\npercent = \"19\"", "category = \"AE\"\npercent = \"0\"");
    let mut invoice = made(&text, particulars(buyer("Exemple SARL", "FR", "FR12345678901"), Language::French));
    if let Some(tax) = &mut invoice.tax {
        tax.exemption_reason = Some("Reverse charge".to_owned());
    }
    invoice
}

/// In English, with a correction of the month before on it.
pub fn with_correction() -> Invoice {
    let mut invoice = made(CARD, particulars(buyer("Sample Ltd", "IE", "IE1234567T"), Language::English));
    let line = invoice.lines[0].clone();
    let month = invoice.month.previous();
    invoice.corrections.push(Correction {
        number: "CF-000001".to_owned(),
        line: Some(3),
        month,
        span: month.span(Tz::Europe__Berlin),
        what: line.what(),
        key: Some(line.key.clone()),
        meter: Some(line.meter),
        quantity: line.unit_size * 100,
        unit_size: line.unit_size,
        price: line.charge.as_ref().map(|charge| charge.price),
        before: Amount(1000),
        after: Amount(1125),
        cause: CorrectionCause::Usage,
        rate_card: "0123456789abcdef".repeat(4),
    });
    let lines = invoice.lines.iter().filter_map(|line| line.charge.as_ref()).map(|charge| charge.amount.0);
    let adjustments = invoice.adjustments.iter().map(|adjustment| adjustment.amount.0);
    let charged = lines.chain(adjustments).sum();
    total(&mut invoice.common, charged);
    invoice
}

/// Gives two lines of [`standard`] back.
pub fn credit_note() -> CreditNote {
    let Invoice { mut common, lines, .. } = standard();
    let (month, currency) = (common.month, common.currency);
    let priced = lines.iter().enumerate().filter_map(|(position, line)| Some((position, line, line.charge.as_ref()?)));
    common.corrections = (priced.filter(|(_, _, charge)| charge.amount > Amount::default()).take(2))
        .map(|(position, line, charge)| Correction {
            number: "CF-000001".to_owned(),
            line: Some(position + 1),
            month,
            span: line.span,
            what: line.what(),
            key: Some(line.key.clone()),
            meter: Some(line.meter),
            quantity: -line.quantity,
            unit_size: line.unit_size,
            price: Some(charge.price),
            before: charge.amount,
            after: Amount::default(),
            cause: CorrectionCause::Credited,
            rate_card: "0123456789abcdef".repeat(4),
        })
        .collect();
    assert_eq!(currency.digits(), 2);
    total(&mut common, 0);
    CreditNote {
        common,
        corrects: Corrected { number: "CF-000001".to_owned(), issued_on: "2026-11-03".parse().ok() },
        reason: "The app was shut down by our mistake".to_owned(),
        reopens: false,
    }
}

/// Net and tax anew, of what is charged beside corrections; 19 % where there is any.
fn total(common: &mut Common, charged: i64) {
    let corrections: i64 = common.corrections.iter().map(|correction| correction.amount().unwrap().0).sum();
    common.net = Amount(charged + corrections);
    if let Some(tax) = common.tax.as_mut().filter(|tax| tax.category == "S") {
        let exact = common.net.0 * 19;
        tax.amount = Amount(exact.signum() * ((exact.abs() + 50) / 100));
    }
}

/// Issued on 3 November 2026, to be paid within 30 days.
pub fn issue<'a>(number: &str, document: impl Into<DocumentRef<'a>>) -> Issue {
    let issued_on = "2026-11-03".parse().unwrap();
    let is_invoice = document.into().kind() == DocumentKind::Invoice;
    Issue { number: number.to_owned(), issued_on, due_on: is_invoice.then(|| "2026-12-03".parse().unwrap()) }
}

/// When it was computed.
pub fn drafted_at() -> Timestamp {
    Timestamp::parse("2026-11-03T04:00:00Z").unwrap()
}
