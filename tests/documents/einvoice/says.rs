//! What e-invoices say, as a reader of theirs would put it down.

use cf_billing::invoicing::{DocumentRef, Language};
use en16931_formats::read;

use super::cases::of_card;
use super::made;
use crate::support::sample;

/// Each line: quantity, unit, price, base, amount, name, description and note.
fn lines<'a>(document: impl Into<DocumentRef<'a>>) -> String {
    let read = read(made(document)[0].as_bytes()).unwrap().invoice;
    let show = |line: &en16931::InvoiceLine| {
        let base = line.price.base_quantity.map(|base| format!(" per {base}")).unwrap_or_default();
        let note = line.note.as_ref().map(|note| format!(" | {note}")).unwrap_or_default();
        format!(
            "{} {} at {}{base} = {} | {} | {}{note}\n",
            line.quantity,
            line.unit_code,
            line.price.net_price,
            line.net_amount,
            line.item.name.as_deref().unwrap_or_default(),
            line.item.description.as_deref().unwrap_or_default()
        )
    };
    read.lines.iter().map(show).collect()
}

/// One thing of each sort.
const CARD: &str = r#"
[[process]]
memory_gib_hour = { model = "graduated", tiers = [{ up_to = "20", price = "0.02" }, { price = "0.01" }] }
disk_gib_hour = { model = "package", size = "100", price = "1" }
[[allowance]]
name = "first 4"
kind = "process"
meter = "memory_gib_hour"
amount = "4"
[[service]]
offering = "postgres"
month = "25"
[[tax]]
name = "VAT"
percent = "19"
"#;
const USAGE: &str =
    "process shop 01 02 d=512 bp=go estimated; service db 01 32 plan=postgres/small; service q 31 32 plan=x/y";

#[test]
fn lines_say_what_was_used() {
    let mut invoice = of_card(CARD, USAGE);
    let [english, german, french] = Language::ALL.map(|language| {
        invoice.particulars.language = language;
        lines(&invoice)
    });
    insta::assert_snapshot!(english, @"
    4 HUR at 0 = 0.00 | App shop, GiB-hours of memory | acme / live; go; allowance: first 4; estimated usage
    20 HUR at 0.02 = 0.40 | App shop, GiB-hours of memory | acme / live; go; tier 1; estimated usage
    0.12 C62 at 1 per 0.12 = 1.00 | App shop, packages of 100 GiB-hours of disk | acme / live; go; packages in all: 1; estimated usage
    0.997315 MON at 25 = 24.93 | Service db, months | acme / live; postgres small
    23 HUR at 0 = 0.00 | Service q, instance-hours | acme / live; x y | no price is agreed on for this usage: it is not charged
    ");
    insta::assert_snapshot!(german, @"
    4 HUR at 0 = 0.00 | App shop, GiB-Stunden RAM | acme / live; go; Freimenge: first 4; geschätzte Nutzung
    20 HUR at 0.02 = 0.40 | App shop, GiB-Stunden RAM | acme / live; go; Stufe 1; geschätzte Nutzung
    0.12 C62 at 1 per 0.12 = 1.00 | App shop, Pakete zu 100 GiB-Stunden Festplatte | acme / live; go; Pakete insgesamt: 1; geschätzte Nutzung
    0.997315 MON at 25 = 24.93 | Service db, Monate | acme / live; postgres small
    23 HUR at 0 = 0.00 | Service q, Instanz-Stunden | acme / live; x y | für diese Nutzung ist kein Preis vereinbart: sie wird nicht berechnet
    ");
    insta::assert_snapshot!(french, @"
    4 HUR at 0 = 0.00 | Application shop, Gio-heures de mémoire | acme / live; go; franchise : first 4; utilisation estimée
    20 HUR at 0.02 = 0.40 | Application shop, Gio-heures de mémoire | acme / live; go; tranche 1; utilisation estimée
    0.12 C62 at 1 per 0.12 = 1.00 | Application shop, lots de 100 Gio-heures de disque | acme / live; go; lots au total : 1; utilisation estimée
    0.997315 MON at 25 = 24.93 | Service db, mois | acme / live; postgres small
    23 HUR at 0 = 0.00 | Service q, heures d'instance | acme / live; x y | aucun prix n'est convenu pour cette utilisation : elle n'est pas facturée
    ");
}

#[test]
fn corrections_say_what_they_correct() {
    let mut invoice = sample::with_correction();
    let [english, german, french] = Language::ALL.map(|language| {
        invoice.particulars.language = language;
        lines(&invoice).lines().last().unwrap().to_owned()
    });
    insta::assert_snapshot!(english, @"1 C62 at 1.25 = 1.25 | Correction of invoice CF-000001, line 3: App api, GiB-hours of memory | 2026-09; acme / live; go_buildpack; +100 GiB-hours of memory, unit price 0 EUR; 11.25 EUR instead of 10.00 EUR; usage became known later, or was corrected");
    insta::assert_snapshot!(german, @"1 C62 at 1.25 = 1.25 | Korrektur zu Rechnung CF-000001, Position 3: App api, GiB-Stunden RAM | 2026-09; acme / live; go_buildpack; +100 GiB-Stunden RAM, Einzelpreis 0 EUR; 11,25 EUR statt 10,00 EUR; Nutzung wurde später bekannt oder berichtigt");
    insta::assert_snapshot!(french, @"1 C62 at 1.25 = 1.25 | Correction de la facture CF-000001, ligne 3: Application api, Gio-heures de mémoire | 2026-09; acme / live; go_buildpack; +100 Gio-heures de mémoire, prix unitaire 0 EUR; 11,25 EUR au lieu de 10,00 EUR; utilisation connue plus tard, ou corrigée");
    insta::assert_snapshot!(lines(&sample::credit_note()), @"
    1 C62 at 9.92 = 9.92 | Gutschrift zu Rechnung CF-000001, Position 2: App api, GiB-Stunden RAM | 2026-10; acme / live; go_buildpack; -991,780291 GiB-Stunden RAM, Einzelpreis 0,01 EUR; 0,00 EUR statt 9,92 EUR; zurückgegeben
    1 C62 at 1.16 = 1.16 | Gutschrift zu Rechnung CF-000001, Position 4: App legacy, GiB-Stunden RAM | 2026-10; acme / live; -93,002108 GiB-Stunden RAM, Einzelpreis 0,0125 EUR; 0,00 EUR statt 1,16 EUR; zurückgegeben
    ");
}

/// Note, terms and means of payment, and what it refers to.
fn header<'a>(document: impl Into<DocumentRef<'a>>) -> String {
    let read = read(made(document)[0].as_bytes()).unwrap().invoice;
    let preceding = read.preceding_invoices.iter();
    let preceding = preceding.map(|one| format!("{} {:?}", one.reference, one.issue_date.map(|date| date.to_string())));
    let means = read.payment.as_ref().and_then(|payment| payment.means_code.as_ref().map(ToString::to_string));
    let notes: Vec<&str> = read.notes.iter().filter_map(|note| note.note.as_deref()).collect();
    format!(
        "{}\nterms {:?}, means {means:?}, VAT {:?}\nafter {:?}\n{}",
        read.type_code.unwrap(),
        read.payment_terms.unwrap_or_default(),
        read.vat_breakdown[0].exemption_reason,
        preceding.collect::<Vec<_>>(),
        notes.join("\n")
    )
}

#[test]
fn the_header_says_what_is_special() {
    insta::assert_snapshot!(header(&sample::credit_note()), @r#"
    381
    terms "Es ist nichts zu zahlen: Der Betrag wird dem Käufer gutgeschrieben.", means Some("1"), VAT None
    after ["CF-000001 Some(\"2026-11-03\")"]
    Grund: The app was shut down by our mistake
    "#);
    insta::assert_snapshot!(header(&sample::reverse_charge()), @r#"
    380
    terms "", means Some("58"), VAT Some("Reverse charge")
    after []
    Du total hors taxe, 1,20 EUR concernent une utilisation estimée.
    "#);
    let mut invoice = of_card(CARD, USAGE);
    invoice.accepted = vec!["gap:eu1/3".to_owned()];
    invoice.particulars.language = Language::English;
    insta::assert_snapshot!(header(&invoice), @r#"
    380
    terms "", means Some("58"), VAT None
    after []
    Of the net total, 1.40 EUR is for estimated usage.
    Lines without a price, which are not charged: 5
    "#);
}
