//! Invoices of every sort: samples, VAT categories, currencies, odd texts, what has no line.

use std::ops::DerefMut;

use cf_billing::domain::{Amount, Party, Price};
use cf_billing::invoicing::{Common, Document, DocumentKind, Invoice, Language, Payment, TaxLine};
use chrono_tz::Tz;

use crate::rates::bill::{bill, card};
use crate::support::sample;

/// The category, its percentage and a reason where it asks for one; parties as the category wants them.
pub fn with_category<D: DerefMut<Target = Common>>(mut invoice: D, category: &str, percent: &str) -> D {
    let percent: Price = percent.parse().unwrap();
    let exact = i128::from(invoice.net.0) * percent.mantissa();
    let divisor = 100 * 10_i128.pow(percent.scale());
    let amount = exact.signum() * ((exact.abs() * 2 + divisor) / (divisor * 2));
    let exemption_reason = (category == "E").then(|| "Exempt under article 132".to_owned());
    let amount = Amount(i64::try_from(amount).unwrap());
    let name = "VAT".to_owned();
    invoice.tax = Some(TaxLine { name, category: category.to_owned(), percent, amount, exemption_reason });
    invoice
}

/// What a card makes of usage, between the parties of the samples.
pub fn of_card(text: &str, usage: &str) -> Invoice {
    let mut invoice = bill(&card(text, Tz::UTC), "2026-10 Europe/Berlin", usage);
    invoice.particulars = sample::standard().common.particulars;
    invoice.account_name = Some("ACME".to_owned());
    invoice
}

const CATEGORIES: [(&str, &str); 9] =
    [("S", "19"), ("Z", "0"), ("E", "0"), ("AE", "0"), ("K", "0"), ("G", "0"), ("O", "0"), ("L", "7"), ("M", "4")];

const VAT: &str = "[[tax]]\nname = \"VAT\"\npercent = \"7.7\"\n";

/// Everything that must be valid, each with a name.
pub fn all() -> Vec<(String, Document)> {
    let mut all: Vec<(String, Document)> = vec![
        ("standard".into(), sample::standard().into()),
        ("reverse_charge".into(), sample::reverse_charge().into()),
        ("with_correction".into(), sample::with_correction().into()),
        ("credit_note".into(), sample::credit_note().into()),
    ];
    for (category, percent) in CATEGORIES {
        let samples: [(&str, Document); 3] = [
            ("invoice", sample::standard().into()),
            ("correction", sample::with_correction().into()),
            ("note", sample::credit_note().into()),
        ];
        for (position, (name, sample)) in samples.into_iter().enumerate() {
            let mut invoice = with_category(sample, category, percent);
            invoice.particulars.language = Language::ALL[position];
            all.push((format!("{category}-{name}"), invoice));
        }
    }
    all.extend(parties());
    all.extend(amounts());
    all
}

fn parties() -> Vec<(String, Document)> {
    let with = |name: &str, change: fn(&mut Invoice)| {
        let mut invoice = sample::reverse_charge();
        change(&mut invoice);
        (name.to_owned(), invoice.into())
    };
    vec![
        with("least", |invoice| {
            let particulars = &mut invoice.particulars;
            for party in [&mut particulars.seller, &mut particulars.buyer] {
                let country = party.country.take();
                let address = party.electronic_address.take();
                let vat_id = party.vat_id.take();
                *party = Party::default();
                (party.country, party.electronic_address, party.vat_id) = (country, address, vat_id);
            }
            particulars.payment = Payment::default();
            (particulars.buyer_reference, particulars.cost_centre) = (None, None);
        }),
        with("odd_texts", |invoice| {
            let odd = "A\u{0}\u{b}<b> & \"c\" 'd' ]]> \u{fffe}é 😀\r\n  e";
            let particulars = &mut invoice.particulars;
            for party in [&mut particulars.seller, &mut particulars.buyer] {
                odd.clone_into(&mut party.name);
                party.address_lines =
                    ["", "one", " \u{1} ", "two", odd, "four", "five"].map(ToOwned::to_owned).to_vec();
                party.region = Some(odd.to_owned());
                party.contact = Some(" ".to_owned());
                party.vat_id = party.vat_id.as_ref().map(|id| format!(" {} {} ", &id[..4], &id[4..]));
            }
            particulars.purchase_order = Some(odd.to_owned());
            particulars.payment.terms = Some(format!("{odd}\n\n{odd}"));
            particulars.payment.iban = Some("de89 3704 0044 0532 0130 00".to_owned());
            invoice.accepted = vec![odd.to_owned(), "gap:eu1/3".to_owned()];
            for line in &mut invoice.lines {
                std::sync::Arc::make_mut(&mut line.key).organization.name = Some(odd.to_owned());
                std::sync::Arc::make_mut(&mut line.key).space.name = Some("\u{0}".to_owned());
            }
        }),
        with("gln", |invoice| {
            let address = invoice.particulars.buyer.electronic_address.as_mut().unwrap();
            (address.scheme, address.id) = ("0088".to_owned(), "4012345000009".to_owned());
        }),
        with("greek", |invoice| {
            let buyer = &mut invoice.particulars.buyer;
            (buyer.country, buyer.vat_id) = (Some("GR".to_owned()), Some("EL123456789".to_owned()));
        }),
        with("by_registration", |invoice| {
            invoice.particulars.seller.vat_id = None;
            (invoice.particulars.buyer.vat_id, invoice.particulars.buyer.registration) =
                (None, Some("RCS Paris 123".to_owned()));
        }),
    ]
}

fn amounts() -> Vec<(String, Document)> {
    let usage = "process shop 01 11T03:17:11 i=3 m=300 d=700; process api 02 09 estimated";
    let currency = |code: &str| format!("currency = \"{code}\"\n{VAT}[[process]]\nmemory_gib_hour = \"3.0125\"\n");
    let commitment = "[[commitment]]\nname = \"a year\"\naccount = \"acme\"\namount = \"100\"\n";
    let minimum = "[[minimum]]\nname = \"least\"\naccount = \"acme\"\namount = \"250\"\n";
    let discount = "[[discount]]\nname = \"friends\"\npercent = \"100\"\n";
    let price = "[[process]]\nmemory_gib_hour = \"0.0125\"\n";
    let package = "[[process]]\nmemory_gib_hour = { model = \"package\", size = \"1000\", price = \"7\" }\n";
    let tiers = "[[process]]\ninstance_hour = { model = \"graduated\", tiers = [{ up_to = \"100\", price = \"0.02\" }, { price = \"0.01\" }] }\n";
    let cases = [
        ("yen", currency("JPY"), usage),
        ("dollar", currency("USD"), usage),
        ("forint", currency("HUF"), usage),
        ("unpriced", format!("{VAT}{price}"), "process shop 01 02; service db 01 03 plan=x/y"),
        ("only_unpriced", format!("{VAT}{price}"), "service db 01 03 plan=x/y"),
        ("commitment", format!("{VAT}{price}{commitment}{minimum}"), usage),
        ("commitment_alone", format!("{VAT}{price}{commitment}"), ""),
        ("minimum_alone", format!("{VAT}{price}{minimum}"), ""),
        ("all_taken_off", format!("{VAT}{price}{discount}"), usage),
        ("packages", format!("{VAT}{package}"), usage),
        ("tiers", format!("{VAT}{tiers}"), usage),
        ("dear", format!("{VAT}[[process]]\ninstance_hour = \"123456.789\"\n"), usage),
        ("cheap", format!("{VAT}[[process]]\ninstance_hour = \"0.000000000001\"\n"), usage),
    ];
    let mut all: Vec<(String, Document)> =
        cases.into_iter().map(|(name, text, usage)| (name.to_owned(), of_card(&text, usage).into())).collect();
    let samples: [(&str, Document); 2] =
        [("gives_back", sample::with_correction().into()), ("mixed_note", sample::credit_note().into())];
    for (name, mut invoice) in samples {
        // One correction the other way round, of something beside the lines; the net may change its sign.
        let mut other = invoice.corrections[0].clone();
        let is_note = invoice.kind() == DocumentKind::CreditNote;
        (other.before, other.after) = if is_note { (Amount(0), Amount(5)) } else { (Amount(9_999_999), Amount(0)) };
        (other.key, other.meter, other.price, other.line) = (None, None, None, None);
        "CF-000002".clone_into(&mut other.number);
        invoice.net = Amount(invoice.net.0 + other.amount().unwrap().0);
        invoice.corrections.push(other);
        all.push((name.to_owned(), with_category(invoice, "S", "19")));
    }
    all
}
