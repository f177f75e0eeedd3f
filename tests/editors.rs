//! What people who write configuration, accounts and rate cards go by: schemas for their editors, and problems that are told
//! alike in all three.

use std::path::Path;

use cf_billing::accounts::Accounts;
use cf_billing::config;
use cf_billing::keyed::{Problem, Takes};
use cf_billing::rate_card::{CardFile, parse};
use chrono_tz::Tz;
use serde_json::Value;

use crate::support::customers::{CONFIGURATION, account};
use crate::support::schema;

#[track_caller]
fn fits(schema: &Value, text: &str) {
    assert_eq!(schema::errors(schema, text), Vec::<String>::new(), "{text}");
}

#[track_caller]
fn is_underlined(schema: &Value, text: &str) {
    assert_ne!(schema::errors(schema, text), Vec::<String>::new(), "{text}");
}

#[test]
fn the_schema_of_accounts_is_made_from_the_code() {
    let schema = schema::kept(&["accounts", "schema"], Path::new("deploy/accounts.schema.json"));
    let example = std::fs::read_to_string("deploy/accounts.toml").unwrap();
    assert!(example.starts_with("#:schema ./accounts.schema.json\n"));
    fits(&schema, &example);
    let head = account("a", "A", "DE987654321", "organizations = [\"f/a\"]");
    fits(&schema, &head);
    for wrong in [
        "nam = \"A\"",
        "payment_days = 366",
        "payment_days = \"30\"",
        "tax_category = \"X\"",
        "tax_percent = 19",
        "group_by = [\"org\", \"org\"]",
        "spaces = \"f/a/b\"",
        "[[account.owns]]\norganisation = \"f/a\"",
        "[defaults]\nid = \"a\"",
        "[[accounts]]",
    ] {
        let text = format!("{head}{wrong}\n");
        is_underlined(&schema, &text);
        assert!(Accounts::parse("a", &text, Tz::UTC).is_err(), "{text}");
    }
    is_underlined(&schema, "[[account]]\nname = \"A\"\n");
    is_underlined(&schema, "[[account]]\nid = \"a\"\nname = \"A\"\naddress = []\n");
}

#[test]
fn the_schema_of_the_configuration_is_made_from_the_code() {
    let schema = schema::kept(&["config", "schema"], Path::new("deploy/configuration.schema.json"));
    fits(&schema, "");
    fits(&schema, CONFIGURATION);
    let foundation = "[[foundation]]\nname = \"a\"\napi = \"https://api.example.org\"\nclient_id = \"b\"\n";
    // Its secret may come from the environment.
    fits(&schema, foundation);
    fits(&schema, &format!("{foundation}client_secret_file = \"secret\"\nbilling_from = 2026-10-01\n"));
    for wrong in [
        "[billng]\n",
        "[billing]\nseler = \"A\"\n",
        "[database]\nconnections = 1\n",
        "[database]\nconnections = 1001\n",
        "[log]\nformat = \"xml\"\n",
        "[foundation]\nname = \"a\"\n",
        "[[foundation]]\nname = \"a\"\n",
    ] {
        is_underlined(&schema, wrong);
    }
}

/// A value of each limit is right, and the next beyond it isn't, as the reference and the schema say.
#[test]
fn numbers_of_the_configuration_end_where_the_keys_say() {
    let load = |section: &str, key: &str, value: i64| {
        let variable = format!("CF_BILLING__{section}__{key}").to_uppercase();
        let database = ("CF_BILLING__DATABASE__URL".to_owned(), "sqlite:///tmp/none.db".to_owned());
        config::load(None, [database, (variable, value.to_string())])
    };
    let mut numbers = 0;
    for table in config::tables() {
        let section = table.heading.trim_matches(['`', '[', ']']);
        for key in &table.keys {
            let Takes::Whole { min, max } = key.takes else { continue };
            numbers += 1;
            for (value, is_good) in [(min - 1, false), (min, true), (max, true), (max + 1, false)] {
                assert_eq!(load(section, key.name, value).is_ok(), is_good, "{section}.{} = {value}", key.name);
            }
        }
    }
    assert!(numbers >= 4, "{numbers}");
}

/// A seller's keys are a buyer's with `seller_` before them, and take the same.
#[test]
fn a_seller_has_the_keys_of_a_buyer() {
    let tables = config::tables();
    let billing = tables.iter().find(|table| table.heading == "`[billing]`").unwrap();
    let accounts = cf_billing::accounts::keys::tables();
    let buyer = &accounts[0].keys;
    let of_seller = |name: &str| billing.keys.iter().find(|key| key.name.strip_prefix("seller_") == Some(name));
    let codes = ["country", "vat_id", "email", "electronic_address"];
    for name in ["postal_code", "city", "region", "tax_number", "registration", "contact", "phone"].iter().chain(&codes)
    {
        let buyers = buyer.iter().find(|key| key.name == *name).unwrap();
        let sellers = of_seller(name).unwrap_or_else(|| panic!("`seller_{name}` is missing"));
        assert_eq!(format!("{:?}", buyers.takes), format!("{:?}", sellers.takes), "{name}");
        assert_eq!(matches!(buyers.takes, Takes::Code(_)), codes.contains(name), "{name}");
    }
}

/// What is wrong with a configuration, an accounts file and a card, each of that text behind what it must have.
fn problems(configuration: &str, of_account: &str, of_card: &str) -> [Vec<Problem>; 3] {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file.toml");
    std::fs::write(&file, format!("[database]\nurl = \"sqlite:///none.db\"\n{configuration}")).unwrap();
    let accounts = account("a", "A", "DE987654321", "organizations = [\"f/a\"]") + of_account;
    let text = format!("name = \"t\"\ncurrency = \"EUR\"\n{of_card}");
    let card = parse(&[CardFile { name: "file.toml".to_owned(), text }], Tz::UTC).1;
    [
        config::load(Some(&file), []).unwrap_err(),
        Accounts::parse("file.toml", &accounts, Tz::UTC).unwrap_err(),
        card.into_iter().filter(|problem| problem.severity.name() == "error").collect(),
    ]
}

#[test]
fn the_same_mistake_is_told_alike_in_all_three() {
    let rate = "[[process]]\nfree = true\n";
    for (texts, told, lines) in [
        (
            ["[log]\nformt = \"text\"\n", "languag = \"de\"\n", &format!("{rate}per = true\nfre = true\n")],
            ["unknown key `formt` in `log`", "unknown key `languag` in `account`", "unknown key `fre` in `process`"],
            [4, 11, 6],
        ),
        (
            ["[log]\nformat = \"xml\"\n", "language = \"xx\"\n", "rounding = \"xx\"\n[[process]]\nfree = true\n"],
            ["`format`: `xml` is not valid", "`language`: `xx` is not valid", "`rounding`: `xx` is not valid"],
            [4, 11, 3],
        ),
        (
            ["[[foundation]]\n", "[[account]]\n", "[[tax]]\n[[process]]\nfree = true\n"],
            ["`name` is missing in `foundation`", "`id` is missing in `account`", "`percent` is missing in `tax`"],
            [3, 11, 3],
        ),
    ] {
        let [configuration, account, card] = texts;
        for ((problems, told), line) in problems(configuration, account, card).iter().zip(told).zip(lines) {
            let problem = problems.iter().find(|problem| problem.message == told);
            let problem = problem.unwrap_or_else(|| panic!("{told} isn't told: {problems:#?}"));
            assert!(problem.origin.file().ends_with("file.toml") && problem.origin.line() == Some(line), "{problem}");
            assert!(problem.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{problem}");
        }
    }
}
