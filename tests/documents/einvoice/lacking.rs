//! What an e-invoice lacks, and what is said of it.

use cf_billing::documents::einvoice::{self, Syntax};
use cf_billing::documents::{Branding, DocumentError, Lacking, ToRender};
use cf_billing::domain::{Amount, Currency, ElectronicAddress};
use cf_billing::invoicing::Invoice;
use en16931::codes::generated::PEPPOL_EAS_SCHEMES;
use std::process::Command;

use super::SCRIPT;
use super::cases::{of_card, with_category};
use crate::support::sample;
use crate::support::tool::python;

fn lacking(invoice: &Invoice, is_final: bool, syntax: Syntax) -> Vec<Lacking> {
    let issue = sample::issue("CF-000042", invoice);
    let look = Branding::default();
    let subject = ToRender {
        document: invoice.into(),
        issue: is_final.then_some(&issue),
        in_review: false,
        drafted_at: sample::drafted_at(),
        look: &look,
    };
    einvoice::lacking(&subject, syntax)
}

/// A change, and what a draft then lacks in UBL.
type Case = (fn(&mut Invoice), &'static [&'static str]);

fn check(cases: &[Case]) {
    for (position, (change, wanted)) in cases.iter().enumerate() {
        let mut invoice = sample::with_correction();
        change(&mut invoice);
        let shown: Vec<String> = lacking(&invoice, false, Syntax::Ubl)
            .into_iter()
            .map(|lacking| format!("{} → {}", lacking.what, lacking.hint))
            .collect();
        assert_eq!(shown, *wanted, "case {position}");
    }
}

#[test]
fn parties_are_named_and_placed() {
    check(&[
        (|_| (), &[]),
        (
            |invoice| (invoice.particulars.seller.name, invoice.seller) = (" ".into(), None),
            &["the seller's name → set `seller` in `[billing]`"],
        ),
        (
            |invoice| (invoice.particulars.buyer.name, invoice.account_name) = (String::new(), Some(String::new())),
            &["the buyer's name → set `legal_name` of account `acme` in the accounts file"],
        ),
        (|invoice| invoice.particulars.buyer.name = String::new(), &[]),
        (
            |invoice| invoice.particulars.seller.country = None,
            &["the seller's country → set `seller_country` in `[billing]`"],
        ),
        (
            |invoice| invoice.particulars.buyer.country = Some("UK".into()),
            &[
                "the buyer's country as two letters of ISO 3166-1, but `UK` is not one → set `country` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| {
                invoice.account = "eu1/5d1b".to_owned();
                invoice.particulars.buyer.country = None;
            },
            &["the buyer's country → give `eu1/5d1b` an `[[account]]` in the accounts file, with `country`"],
        ),
        (
            |invoice| invoice.particulars.buyer.vat_id = Some("123456789".into()),
            &[
                "the buyer's VAT id, and `123456789` is not a VAT id → set `vat_id` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| invoice.particulars.seller.electronic_address = None,
            &[
                "the seller's electronic address, which is where Peppol sends it → set `seller_electronic_address` in `[billing]`",
            ],
        ),
        (
            |invoice| {
                let address =
                    |scheme: &str, id: &str| Some(ElectronicAddress { scheme: scheme.to_owned(), id: id.to_owned() });
                invoice.particulars.seller.electronic_address = address("9999", "x");
                invoice.particulars.buyer.electronic_address = address("0088", "4012345000008");
            },
            &[
                "the seller's electronic address, and there is no scheme `9999` → set `seller_electronic_address` in `[billing]`",
                "the buyer's electronic address, and `4012345000008` is not an id of scheme 0088 → set `electronic_address` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| {
                let address = invoice.particulars.buyer.electronic_address.as_mut().unwrap();
                (address.scheme, address.id) = ("EM".into(), "a@customer.example".into());
            },
            &[
                "the buyer's electronic address on Peppol's network, but `EM` is not one of its schemes → set `electronic_address` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| {
                let particulars = &mut invoice.particulars;
                (particulars.buyer_reference, particulars.purchase_order) = (None, None);
            },
            &[
                "the buyer's reference or purchase order, for Peppol → set `buyer_reference` of account `acme` in the accounts file",
            ],
        ),
        (|invoice| invoice.particulars.buyer_reference = None, &[]),
        (
            |invoice| {
                let particulars = &mut invoice.particulars;
                particulars.buyer.country = Some("DE".into());
                (particulars.buyer_reference, particulars.seller.phone) = (None, None);
            },
            &[
                "the seller's phone, as Peppol has it in Germany → set `seller_phone` in `[billing]`",
                "the buyer's reference, as Peppol has it in Germany → set `buyer_reference` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| invoice.particulars.payment.iban = Some("DE89 3704 0044 0532 0130 01".into()),
            &["the seller's IBAN, and `DE89370400440532013001` is not an IBAN → set `seller_iban` in `[billing]`"],
        ),
    ]);
}

#[test]
fn each_category_asks_for_what_it_needs() {
    let without = |mut invoice: Invoice| {
        let particulars = &mut invoice.particulars;
        for party in [&mut particulars.seller, &mut particulars.buyer] {
            (party.vat_id, party.tax_number, party.registration) = (None, None, None);
        }
        invoice
    };
    let set = "set `seller_vat_id` in `[billing]`";
    for (category, percent, seller, buyer) in [
        ("S", "19", "VAT id or tax number", false),
        ("Z", "0", "VAT id or tax number", false),
        ("E", "0", "VAT id or tax number", false),
        ("AE", "0", "VAT id or tax number", true),
        ("K", "0", "VAT id", true),
        ("G", "0", "VAT id", false),
        ("L", "7", "VAT id or tax number", false),
        ("M", "4", "VAT id or tax number", false),
    ] {
        let invoice = without(with_category(sample::with_correction(), category, percent));
        let shown: Vec<String> = lacking(&invoice, false, Syntax::Cii)
            .into_iter()
            .map(|lacking| format!("{} → {}", lacking.what, lacking.hint))
            .collect();
        let mut wanted = vec![format!("the seller's {seller}, with category `{category}` → {set}")];
        let buyers = format!(
            "the buyer's VAT id, with category `{category}` → set `vat_id` of account `acme` in the accounts file"
        );
        wanted.extend(buyer.then_some(buyers));
        assert_eq!(shown, wanted);
    }
    let outside = without(with_category(sample::standard(), "O", "0"));
    let what: Vec<String> = lacking(&outside, false, Syntax::Cii).into_iter().map(|lacking| lacking.what).collect();
    assert_eq!(what, ["the seller's registration, with category `O`, which forbids its VAT id"]);
}

#[test]
fn tax_is_named_and_agrees_with_its_category() {
    check(&[
        (
            |invoice| invoice.tax = None,
            &[
                "a VAT category, also where there is no VAT → write a `[[tax]]` into the rate card, or set `tax_category` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| *invoice = with_category(invoice.clone(), "B", "0"),
            &[
                "a VAT category (S, Z, E, AE, K, G or O), but `B` is not one → set `tax_category` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| *invoice = with_category(invoice.clone(), "S", "0"),
            &[
                "more than 0 % of VAT with category `S`, but `0 %` is given → set `percent` of `[[tax]]` in the rate card, or set `tax_percent` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| *invoice = with_category(invoice.clone(), "Z", "0.1"),
            &[
                "0 % of VAT with category `Z`, but `0.1 %` is given → set `percent` of `[[tax]]` in the rate card, or set `tax_percent` of account `acme` in the accounts file",
            ],
        ),
        (|invoice| *invoice = with_category(invoice.clone(), "L", "0"), &[]),
        (
            |invoice| {
                *invoice = with_category(invoice.clone(), "E", "0");
                invoice.tax.as_mut().unwrap().exemption_reason = Some(" ".to_owned());
            },
            &[
                "the reason why there is no VAT, with category `E` → set `tax_exemption_reason` of account `acme` in the accounts file",
            ],
        ),
        (
            |invoice| {
                let seller = &mut invoice.particulars.seller;
                (seller.vat_id, seller.registration) = (None, None);
            },
            &[
                "the seller's VAT id or registration: a tax number alone is not enough → set `seller_registration` in `[billing]`",
            ],
        ),
    ]);
}

#[test]
fn currencies_with_three_decimals_have_no_e_invoice() {
    let with = |code: &str| {
        let mut invoice = sample::with_correction();
        invoice.currency = Currency::from_code(code).unwrap();
        lacking(&invoice, true, Syntax::Cii).into_iter().map(|lacking| lacking.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        with("KWD"),
        [
            "an e-invoice needs amounts with at most two decimals, but those in `KWD` have 3\nhint: export html, pdf, csv or json instead: EN 16931 can't express it"
        ]
    );
    for code in ["EUR", "JPY", "HUF"] {
        assert_eq!(with(code), Vec::<String>::new());
    }
}

#[test]
fn an_invoice_that_charges_for_nothing_has_no_e_invoice() {
    let vat = "[[tax]]\nname = \"VAT\"\npercent = \"19\"\n";
    let nothing = of_card(&format!("{vat}[[process]]\nmemory_gib_hour = \"1\"\n"), "");
    let what: Vec<String> = lacking(&nothing, true, Syntax::Ubl).into_iter().map(|lacking| lacking.what).collect();
    assert_eq!(what, ["a line, but this invoice charges for nothing"]);
    let minimum = of_card(
        &format!(
            "{vat}[[process]]\nmemory_gib_hour = \"1\"\n[[minimum]]\nname = \"least\"\naccount = \"acme\"\namount = \"1\"\n"
        ),
        "",
    );
    assert_eq!(lacking(&minimum, true, Syntax::Ubl), []);
}

#[test]
fn drafts_are_refused_and_told_everything_at_once() {
    let mut invoice = sample::with_correction();
    (invoice.particulars.seller.country, invoice.particulars.buyer.country) = (None, None);
    let look = Branding::default();
    let subject = ToRender {
        document: (&invoice).into(),
        issue: None,
        in_review: false,
        drafted_at: sample::drafted_at(),
        look: &look,
    };
    let error = einvoice::cii(&subject).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an e-invoice needs the seller's country\n\
         hint: set `seller_country` in `[billing]`\n\
         an e-invoice needs the buyer's country\n\
         hint: set `country` of account `acme` in the accounts file\n\
         an e-invoice needs a number, but this invoice is a draft\n\
         hint: make it final with `cf-billing invoices finalize`, then export it"
    );
    // What is final can't be mended by a setting.
    let issue = sample::issue("CF-000042", &invoice);
    let error = einvoice::ubl(&ToRender { issue: Some(&issue), ..subject }).unwrap_err();
    let DocumentError::Lacking(lacking) = error else { panic!("{error}") };
    assert_eq!(lacking.len(), 2);
    assert_eq!(
        lacking[0].hint,
        "set `seller_country` in `[billing]`; a final invoice keeps what it was made with, so that helps the next one"
    );
}

#[test]
fn what_is_to_be_paid_is_due() {
    let invoice = sample::with_correction();
    let mut issue = sample::issue("CF-000042", &invoice);
    issue.due_on = None;
    let look = Branding::default();
    let subject = ToRender {
        document: (&invoice).into(),
        issue: Some(&issue),
        in_review: false,
        drafted_at: sample::drafted_at(),
        look: &look,
    };
    let what: Vec<String> = einvoice::lacking(&subject, Syntax::Cii).into_iter().map(|lacking| lacking.what).collect();
    assert_eq!(what, ["a due date, or payment terms in words"]);
    let mut with_terms = invoice.clone();
    with_terms.particulars.payment.terms = Some("At once".to_owned());
    assert_eq!(einvoice::lacking(&ToRender { document: (&with_terms).into(), ..subject }, Syntax::Cii), []);
}

#[test]
fn an_invoice_that_does_not_add_up_is_not_written() {
    let mut invoice = sample::with_correction();
    invoice.net = Amount(invoice.net.0 + 1);
    let issue = sample::issue("CF-000042", &invoice);
    let look = Branding::default();
    let subject = ToRender {
        document: (&invoice).into(),
        issue: Some(&issue),
        in_review: false,
        drafted_at: sample::drafted_at(),
        look: &look,
    };
    let error = einvoice::ubl(&subject).unwrap_err();
    assert!(matches!(&error, DocumentError::Failed(why) if why.contains("aren't the net")), "{error}");
}

/// The validators' own lists and ours are the same, code by code.
#[test]
fn code_lists_are_those_of_the_validators() {
    let output = Command::new(python()).args([SCRIPT, "--codes"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let list = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}\t"))).unwrap();
        line.split(' ').map(ToOwned::to_owned).collect::<Vec<String>>()
    };
    let letters: Vec<char> = ('A'..='Z').collect();
    let two: Vec<String> =
        letters.iter().flat_map(|one| letters.iter().map(move |two| format!("{one}{two}"))).collect();
    let three = two.iter().flat_map(|two| letters.iter().map(move |three| format!("{two}{three}")));
    let numbers = (0..10_000).map(|number| format!("{number:04}"));
    let taken = |codes: &mut dyn Iterator<Item = String>, syntax, change: fn(&mut Invoice, String)| {
        let mut invoice = sample::with_correction();
        let takes = |code: &String| {
            change(&mut invoice, code.clone());
            // Each scheme has ids of another form.
            let is_list = |told: &Lacking| {
                !told.what.contains("is not an id of scheme") && !told.what.contains("is not an email")
            };
            !lacking(&invoice, true, syntax).iter().any(is_list)
        };
        let mut codes: Vec<String> = codes.filter(takes).collect();
        codes.sort();
        codes
    };
    let countries = taken(&mut two.iter().cloned().chain(["1A".to_owned()]), Syntax::Cii, |invoice, code| {
        invoice.particulars.buyer.country = Some(code);
    });
    assert_eq!(countries, list("countries"));
    let mut all: Vec<String> = numbers.chain(two.iter().cloned()).collect();
    let scheme = |invoice: &mut Invoice, scheme| {
        let id = "4012345000009".to_owned();
        invoice.particulars.buyer.electronic_address = Some(ElectronicAddress { scheme, id });
    };
    assert_eq!(taken(&mut all.iter().cloned(), Syntax::Cii, scheme), list("schemes"));
    assert_eq!(taken(&mut all.drain(..), Syntax::Ubl, scheme), PEPPOL_EAS_SCHEMES);

    // Of ours, all that can be written: with two decimals at most.
    let currencies = list("currencies");
    let mut invoice = sample::with_correction();
    for currency in three.filter_map(|code| Currency::from_code(&code)) {
        invoice.currency = currency;
        let may = currencies.iter().any(|code| code == currency.code()) && currency.digits() <= 2;
        assert_eq!(lacking(&invoice, true, Syntax::Cii).is_empty(), may, "{currency}");
    }
}
