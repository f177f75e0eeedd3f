//! Accounts: what their file may say, what is wrong with it, whose a space is when, and the commands.

mod collected;
mod commands;
mod owners;
mod problems;

use cf_billing::accounts::{Account, Accounts, Target, keys};
use cf_billing::domain::{Currency, ElectronicAddress, Guid, Price};
use cf_billing::invoicing::{AccountTax, GroupBy, Language};
use cf_billing::keyed::{Takes, reference};
use cf_billing::rating::Named;
use chrono_tz::Tz;

use crate::support::generated;

/// Accounts of a text without problems; dates in UTC.
#[track_caller]
fn accounts(text: &str) -> Accounts {
    Accounts::parse("accounts.toml", text, Tz::UTC).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn example() -> String {
    std::fs::read_to_string("deploy/accounts.toml").unwrap()
}

#[test]
fn the_example_is_good_and_has_every_key() {
    let accounts = accounts(&example());
    assert_eq!(accounts.count(), 3);
    let warnings: Vec<String> = accounts.warnings().iter().map(ToString::to_string).collect();
    // The operator's own department gets no e-invoice.
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].contains("account `platform` lacks"), "{warnings:?}");
    let tables = keys::tables();
    let keys = tables.iter().flat_map(|table| &table.keys);
    for key in keys.filter(|key| !matches!(key.takes, Takes::Tables(_))) {
        assert!(example().lines().any(|line| line.starts_with(&format!("{} =", key.name))), "{}", key.name);
    }
}

/// Each key ends where it belongs.
#[test]
fn an_account_has_what_its_file_says() {
    let accounts = accounts(&example());
    let acme = accounts.get("acme").unwrap();
    let buyer = &acme.particulars.buyer;
    assert_eq!((&*acme.name, &*buyer.name), ("ACME", "ACME Deutschland GmbH"));
    assert_eq!(buyer.address_lines, ["Musterstraße 1", "3. Stock"]);
    let texts = [&buyer.postal_code, &buyer.city, &buyer.region, &buyer.country, &buyer.vat_id, &buyer.registration];
    let registration = "HRB 12345 B, Amtsgericht Charlottenburg";
    assert_eq!(
        texts.map(|text| text.as_deref().unwrap()),
        ["10115", "Berlin", "Berlin", "DE", "DE123456789", registration]
    );
    let texts = [&buyer.contact, &buyer.email, &buyer.phone];
    assert_eq!(
        texts.map(|text| text.as_deref().unwrap()),
        ["Accounts payable", "accounts@acme.example", "+49 30 1234567"]
    );
    let address = ElectronicAddress { scheme: "EM".to_owned(), id: "accounts@acme.example".to_owned() };
    assert_eq!(buyer.electronic_address, Some(address));
    let Account { particulars, tax, currency, .. } = acme;
    let texts = [&particulars.purchase_order, &particulars.cost_centre, &particulars.buyer_reference];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), ["PO-4711", "KST 1200", "platform-team"]);
    assert_eq!(particulars.payment.terms.as_deref(), Some("2 % discount within 10 days"));
    assert_eq!((particulars.payment.days, particulars.language), (30, Language::German));
    assert_eq!(particulars.group_by, [GroupBy::Organization, GroupBy::Space, GroupBy::App]);
    let nineteen: Price = "19".parse().unwrap();
    assert_eq!(*tax, Some(AccountTax { category: "S".to_owned(), percent: Some(nineteen), exemption_reason: None }));
    assert_eq!(currency.map(Currency::code), Some("EUR"));
    assert_eq!(acme.foundations, ["eu1", "us1"]);
    let owns: Vec<String> = acme.owns.iter().map(ToString::to_string).collect();
    assert_eq!(owns, ["eu1/acme", "us1/acme-prod", "eu1: billing-account = acme", "eu1/shop"]);
    let label = Target::Label { key: "billing-account".to_owned(), value: "acme".to_owned() };
    assert_eq!(acme.owns[2].target, label);
    assert_eq!(acme.owns[3].validity.from.unwrap().to_string(), "2026-10-12T00:00:00Z");
    let exemple = accounts.get("exemple").unwrap();
    assert_eq!(exemple.particulars.buyer.tax_number.as_deref(), Some("123 456 789"));
    assert_eq!(exemple.particulars.payment.days, 45);
    assert_eq!(exemple.tax.as_ref().unwrap().exemption_reason.as_deref(), Some("Reverse charge"));
    assert_eq!(accounts.all().map(|account| &*account.id).collect::<Vec<_>>(), ["acme", "exemple", "platform"]);
}

/// As they were before there was more to say.
#[test]
fn the_least_file_is_enough() {
    let accounts =
        accounts("[[account]]\nid = \"acme\"\nname = \"ACME\"\norganizations = [\"eu1/acme\", \"us1/g-1\"]\n");
    let acme = accounts.get("acme").unwrap();
    assert_eq!(acme.particulars.buyer.name, "ACME");
    assert_eq!((acme.particulars.payment.days, acme.particulars.language), (30, Language::English));
    assert_eq!(acme.particulars.group_by, [GroupBy::Organization, GroupBy::Space]);
    assert_eq!((&acme.tax, acme.currency), (&None, None));
    assert_eq!(acme.foundations, ["eu1", "us1"]);
    assert!(Accounts::default().get("acme").is_none());
}

#[test]
fn defaults_hold_where_an_account_says_nothing() {
    let text = "[defaults]\npayment_days = 14\ncurrency = \"CHF\"\nlanguage = \"de\"\ngroup_by = []\npayment_terms = \"net\"\n\
                tax_category = \"E\"\ntax_exemption_reason = \"small business\"\n\
                [[account]]\nid = \"a\"\nname = \"A\"\norganizations = [\"f/a\"]\n\
                [[account]]\nid = \"b\"\nname = \"B\"\norganizations = [\"f/b\"]\npayment_days = 0\ncurrency = \"EUR\"\n\
                language = \"fr\"\ngroup_by = [\"kind\"]\npayment_terms = \"at once\"\ntax_percent = \"8.1\"\n";
    let accounts = accounts(text);
    let nobodys = accounts.own("f", &Named { guid: Guid::new("g-1"), name: Some("shop".to_owned()) });
    assert_eq!((&*nobodys.id, &*nobodys.name, &*nobodys.particulars.buyer.name), ("f/g-1", "shop", "shop"));
    assert_eq!(nobodys.foundations, ["f"]);
    assert_eq!(accounts.own("f", &Named { guid: Guid::new("g-1"), name: None }).name, "g-1");
    for account in [accounts.get("a").unwrap(), &nobodys] {
        let particulars = &account.particulars;
        assert_eq!((particulars.payment.days, particulars.payment.terms.as_deref()), (14, Some("net")));
        assert_eq!((particulars.language, particulars.group_by.len()), (Language::German, 0));
        assert_eq!(account.currency.unwrap().code(), "CHF");
        assert_eq!(account.tax.as_ref().unwrap().category, "E");
    }
    let other = accounts.get("b").unwrap();
    assert_eq!((other.particulars.payment.days, other.particulars.payment.terms.as_deref()), (0, Some("at once")));
    assert_eq!((other.particulars.language, &*other.particulars.group_by), (Language::French, &[GroupBy::Kind][..]));
    assert_eq!(other.currency.unwrap().code(), "EUR");
    // The three keys of a tax are one thing.
    let tax = other.tax.as_ref().unwrap();
    assert_eq!((&*tax.category, tax.percent.unwrap().to_string().as_str()), ("S", "8.1"));
    assert_eq!(tax.exemption_reason, None);
}

const PAGE: &str = "docs/accounts.md";

/// `CF_BILLING_WRITE_DOCS=1 cargo test accounts` writes the reference anew.
#[test]
fn every_key_of_accounts_is_told() {
    generated::blocks(PAGE, &[("keys", &reference(&keys::tables()))]);
}

/// What the page shows can be pasted.
#[test]
fn the_examples_of_the_page_are_good() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut blocks: Vec<String> = vec![String::new()];
    for line in page.lines() {
        match line.strip_prefix("    ") {
            Some(line) => *blocks.last_mut().unwrap() += &format!("{line}\n"),
            None if line.is_empty() => *blocks.last_mut().unwrap() += "\n",
            None => blocks.push(String::new()),
        }
    }
    let examples: Vec<&String> = blocks.iter().filter(|block| block.contains("[[account]]")).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        accounts(example);
    }
}
