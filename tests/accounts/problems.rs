//! What is wrong with an accounts file, all at once.

use cf_billing::accounts::{Accounts, SeenPlaces, check_against};
use cf_billing::rate_card::{CardFile, parse};
use chrono_tz::Tz;

use super::accounts;

/// The problems of a file, as printed.
fn problems(text: &str) -> String {
    let problems = Accounts::parse("a.toml", text, Tz::Europe__Berlin).unwrap_err();
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// An account with that in it.
fn with(more: &str) -> String {
    format!("[[account]]\nid = \"a\"\nname = \"A\"\norganizations = [\"f/a\"]\n{more}\n")
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let text = r#"
[default]
language = "de"

[defaults]
language = "german"
id = "x"

[[account]]
id = "a b"
nam = "A"
organizations = ["eu1/x", "y", "z/", "a:b/c"]
spaces = ["eu1/live", "eu1/a/", "eu1/shop/live"]
labels = ["billing-account=acme", "eu1: = acme", "eu1: empty ="]

[[account]]
id = "c"
name = "C"
organizations = ["eu1/x"]

[[account]]
id = "c"
name = ""
organizations = []

[[account]]
id = "d"
name = "D"
[[account.owns]]
organization = "eu1/d"
from = 2026-10-12
to = 2026-10-12
[[account.owns]]
from = "soon"
[[account.owns]]
organization = "eu1/d"
space = "eu1/d/live"
[[account.owns]]
org = "eu1/d"
"#;
    insta::assert_snapshot!(problems(text), @r#"
    a.toml:2:2: unknown section `default`
    hint: did you mean `defaults`?
    a.toml:6:12: `language`: `german` is not valid
    hint: use `en`, `de` or `fr`
    a.toml:7:1: unknown key `id` in `defaults`
    hint: `defaults` has: currency, payment_days, payment_terms, tax_category, tax_percent, tax_exemption_reason, language, group_by
    a.toml:9:1: `name` is missing in `account`
    hint: write name = "…" (As people call it)
    a.toml:10:6: `a b` is not an id
    hint: an id is of letters, digits, `-`, `_` and `.`
    a.toml:11:1: unknown key `nam` in `account`
    hint: did you mean `name`?
    a.toml:12:27: `organizations`: `y` is not valid
    hint: write FOUNDATION/ORG, with the org's name or guid
    a.toml:12:32: `organizations`: `z/` is not valid
    hint: write FOUNDATION/ORG, with the org's name or guid
    a.toml:12:38: `organizations`: `a:b/c` is not valid
    hint: write FOUNDATION/ORG, with the org's name or guid
    a.toml:13:11: `spaces`: `eu1/live` is not valid
    hint: write FOUNDATION/ORG/SPACE, with names or guids, or FOUNDATION/SPACE-GUID
    a.toml:13:23: `spaces`: `eu1/a/` is not valid
    hint: write FOUNDATION/ORG/SPACE, with names or guids, or FOUNDATION/SPACE-GUID
    a.toml:14:11: `labels`: `billing-account=acme` is not valid
    hint: write FOUNDATION: KEY = VALUE
    a.toml:14:35: `labels`: `eu1: = acme` is not valid
    hint: write FOUNDATION: KEY = VALUE
    a.toml:19:18: `eu1/x` is account `a b`'s already (line 12)
    hint: an organization belongs to one account at a time; if it moved, use [[account.owns]] with `to` and `from`
    a.toml:21:1: account `c` owns nothing
    hint: write organizations = ["FOUNDATION/ORG"], spaces, labels or [[account.owns]]
    a.toml:22:1: there are two accounts `c`; the first is on line 17
    hint: give each its own id
    a.toml:23:8: `name` is empty
    hint: give it a text, or leave the key out
    a.toml:32:6: it ends at 2026-10-12, not after it begins at 2026-10-12
    hint: `to` is the first instant at which it is no longer owned
    a.toml:33:1: the `account.owns` doesn't say what is owned
    hint: give one of organization, space and label; of several, one [[account.owns]] each
    a.toml:34:8: `from`: `soon` is not a valid date or time
    hint: write a date (2026-10-01, midnight in Europe/Berlin) or a time with its offset (2026-10-15T13:37:00+02:00)
    a.toml:35:1: the `account.owns` doesn't say what is owned
    hint: give one of organization, space and label; of several, one [[account.owns]] each
    a.toml:38:1: the `account.owns` doesn't say what is owned
    hint: give one of organization, space and label; of several, one [[account.owns]] each
    a.toml:39:1: unknown key `org` in `account.owns`
    hint: `account.owns` has: organization, space, label, from, to
    "#);
}

#[test]
fn half_a_file_is_a_syntax_error_and_nothing_else() {
    insta::assert_snapshot!(problems("[[account]\nid = "), @r#"
    a.toml:1:11: unclosed array table, expected `]`
    hint: TOML: [[account]], then key = "value", a line each
    "#);
    insta::assert_snapshot!(problems("account = 1\ndefaults = 2"), @"
    a.toml:1:1: `account` is not a list of tables
    hint: write [[account]]
    a.toml:2:12: `defaults` is not a table
    hint: write [defaults]
    ");
    insta::assert_snapshot!(problems("account = [1]"), @"
    a.toml:1:12: `account` is not a list of tables
    hint: write [[account]]
    ");
}

#[test]
fn values_are_checked_one_by_one() {
    let text = r#"
[[account]]
id = 1
name = 2
address = "Musterstraße 1"
country = "UK"
vat_id = "DE 123 456 789"
email = "acme"
phone = "a\tb"
electronic_address = "accounts@acme.example"
currency = "eur"
payment_days = 366
tax_category = "s"
tax_percent = 19
language = "deutsch"
group_by = ["org", "org", "orgs"]
contact = "a\nb"
organizations = "eu1/x"

[[account]]
id = "b"
name = "B"
address = ["1", "2", "3", "4"]
country = "Germany"
vat_id = "DE12345678"
electronic_address = "EN:accounts@acme.example"
currency = "EURO"
payment_days = "30"
tax_percent = "19,0"
group_by = "org"
owns = "eu1/b"

[[account]]
id = "c"
name = "C"
electronic_address = "EM:acme"
tax_exemption_reason = "because"
organizations = ["eu1/c"]
[account.owns]
"#;
    insta::assert_snapshot!(problems(text), @r#"
    a.toml:3:6: `id` is not text
    hint: write id = "…"
    a.toml:4:8: `name` is not text
    hint: write name = "…"
    a.toml:5:11: `address` is not a list
    hint: write address = ["…"]
    a.toml:6:11: `country`: `UK` is not a country's code
    hint: write country = "GB"
    a.toml:7:10: `vat_id`: `DE 123 456 789` is not a VAT id
    hint: write vat_id = "DE123456789"
    a.toml:8:9: `email`: `acme` is not an address
    hint: write one, such as accounts@acme.example
    a.toml:9:9: `phone` has the control character \u{9}
    hint: remove it: a document can't show it
    a.toml:10:22: `electronic_address`: `accounts@acme.example` has no scheme
    hint: write electronic_address = "EM:accounts@acme.example"
    a.toml:11:12: `currency`: `eur` is not a currency
    hint: write currency = "EUR"
    a.toml:12:16: `payment_days`: `366` is not a whole number from 0 to 365
    hint: write it without quotes, such as payment_days = 60
    a.toml:13:16: `tax_category`: `s` is not valid
    hint: write tax_category = "S"
    a.toml:14:15: `tax_percent` is the number 19, not a quoted decimal
    hint: quote it, so that it stays exact: tax_percent = "19"
    a.toml:15:12: `language`: `deutsch` is not valid
    hint: use `en`, `de` or `fr`
    a.toml:16:20: `group_by` has `org` twice
    hint: once is enough: remove one
    a.toml:16:27: `group_by`: `orgs` is not valid
    hint: did you mean `org`?
    a.toml:17:11: `contact` has more than one line
    hint: write it on one line
    a.toml:18:17: `organizations` is not a list
    hint: write organizations = ["…"]: `FOUNDATION/ORG`
    a.toml:23:11: `address` has 4 lines, not 1 to 3
    hint: e-invoices have room for 3; leave the key out if there are none
    a.toml:24:11: `country`: `Germany` is not a country's code
    hint: use the two letters of ISO 3166-1, such as DE
    a.toml:25:10: `vat_id`: `DE12345678` is not a VAT id
    hint: one of DE looks like DE999999999: 9 stands for a digit, and there are no spaces
    a.toml:26:22: `electronic_address`: there is no scheme `EN`
    hint: use a code of the EAS list, such as 0088 (GLN), 9930 (German VAT id), 0204 (Leitweg-ID) or EM
    a.toml:27:12: `currency`: `EURO` is not a currency
    hint: use an ISO 4217 code such as EUR
    a.toml:28:16: `payment_days`: `"30"` is not a whole number from 0 to 365
    hint: write it without quotes, such as payment_days = 60
    a.toml:29:15: `tax_percent`: `19,0` is not a decimal number such as 0.0125
    hint: digits and a point, no sign, no comma, no exponent
    a.toml:30:12: `group_by` is not a list
    hint: write group_by = ["…"]
    a.toml:31:1: `owns` is not a list of tables
    hint: write [[account.owns]]
    a.toml:36:22: `electronic_address`: `acme` is not an email address
    hint: EM is for email: write EM:accounts@acme.example
    a.toml:37:24: a `tax_exemption_reason` without `tax_category`
    hint: give tax_category = "AE" (reverse charge), "E", "K", "G" or "O", too
    a.toml:39:10: `owns` is not a list of tables
    hint: write [[account.owns]]
    "#);
}

#[test]
fn tax_keys_must_fit_together() {
    let told = |keys: &str| -> Vec<String> {
        match Accounts::parse("a.toml", &with(keys), Tz::UTC) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| problem.message).collect(),
        }
    };
    for good in [
        "tax_category = \"S\"",
        "tax_percent = \"0.0001\"",
        "tax_category = \"S\"\ntax_percent = \"100\"",
        "tax_category = \"Z\"\ntax_percent = \"0\"",
        "tax_category = \"AE\"\ntax_exemption_reason = \"Reverse charge\"",
        "tax_category = \"K\"",
    ] {
        assert_eq!(told(good), Vec::<String>::new(), "{good}");
    }
    for (bad, what) in [
        ("tax_percent = \"0\"", "`tax_percent`: the standard category has a tax, and `0` is given"),
        ("tax_percent = \"100.0001\"", "`tax_percent`: `100.0001` is not between 0 and 100, with 4 decimals at most"),
        ("tax_percent = \"0.00001\"", "`tax_percent`: `0.00001` is not between 0 and 100, with 4 decimals at most"),
        ("tax_percent = \"-1\"", "`tax_percent`: `-1` is negative"),
        ("tax_category = \"E\"\ntax_percent = \"7\"", "`tax_percent`: category E has no tax, and `7` is given"),
        ("tax_exemption_reason = \"x\"", "a `tax_exemption_reason` without `tax_category`"),
        ("tax_category = \"S\"\ntax_exemption_reason = \"x\"", "`tax_exemption_reason`: category S isn't exempt"),
        ("tax_category = \"Z\"\ntax_exemption_reason = \"x\"", "`tax_exemption_reason`: category Z isn't exempt"),
        ("tax_category = \"X\"", "`tax_category`: `X` is not valid"),
    ] {
        assert_eq!(told(bad), [what], "{bad}");
    }
}

/// Just below and just above what is allowed.
#[test]
fn limits_are_where_they_are_said_to_be() {
    for (good, bad) in [
        ("payment_days = 0", "payment_days = -1"),
        ("payment_days = 365", "payment_days = 366"),
        ("address = [\"1\"]", "address = []"),
        ("address = [\"1\", \"2\", \"3\"]", "address = [\"1\", \"2\", \"3\", \"4\"]"),
        ("payment_terms = \"a\\nb\"", "payment_terms = \"a\\u0007b\""),
        ("cost_centre = \"a\"", "cost_centre = \" \""),
        (
            "[[account.owns]]\nspace = \"f/a/b\"\nfrom = 2026-01-01T00:00:00Z\nto = 2026-01-01T00:00:01Z",
            "[[account.owns]]\nspace = \"f/a/b\"\nfrom = 2026-01-01T00:00:00Z\nto = 2026-01-01T00:00:00Z",
        ),
        (
            "spaces = [\"f/0b35e9e2-1784-4881-9c4e-0deb1d51458c\"]",
            "spaces = [\"f/0b35e9e2-1784-4881-9c4e-0deb1d51458\"]",
        ),
    ] {
        let errors = |keys: &str| Accounts::parse("a.toml", &with(keys), Tz::UTC).is_err();
        assert!(!errors(good), "{good}");
        assert!(errors(bad), "{bad}");
    }
}

/// Times, names: what is owned twice, and by whom.
#[test]
fn nothing_is_two_accounts_at_once() {
    let owner = |id: &str, owned: &str| format!("[[account]]\nid = \"{id}\"\nname = \"{id}\"\n{owned}\n");
    let dated = |what: &str, times: &str| format!("[[account.owns]]\n{what}\n{times}\n");
    let shop = |times: &str| dated("organization = \"eu1/shop\"", times);
    let text = [
        owner("a", "organizations = [\"eu1/shop\", \"eu1/twice\", \"eu1/twice\"]\nlabels = [\"eu1:k=v\"]"),
        owner("b", &shop("from = 2026-10-12")),
        owner("c", "labels = [\"eu1: k = v\"]"),
        owner("d", &dated("space = \"eu1/o/s\"", "from = 2026-10-01\nto = 2026-11-01")),
        owner("e", &dated("space = \"eu1/o/s\"", "from = 2026-10-31T23:59:59+01:00")),
        owner("f", &dated("space = \"eu1/o/s\"", "from = 2026-10-01\nto = 2026-10-02")),
        owner("g", &dated("space = \"eu1/o/s\"", "to = 2026-10-01")),
    ]
    .concat();
    insta::assert_snapshot!(problems(&text), @"
    a.toml:4:43: `eu1/twice` is account `a`'s already (line 4)
    hint: once is enough: remove one of them
    a.toml:10:16: `eu1/shop` is account `a`'s already (line 4)
    hint: the one on line 4 always applies: write it as [[account.owns]] with `to = 2026-10-12`
    a.toml:16:11: `eu1: k = v` is account `a`'s already (line 5)
    hint: a label's value belongs to one account; if it moved, give both times in [[account.owns]]
    a.toml:29:9: `eu1/o/s` is account `d`'s already, from 2026-10-01 to 2026-11-01 (line 21)
    hint: end the one on line 21 with `to = 2026-10-31T23:59:59+01:00`
    a.toml:36:9: `eu1/o/s` is account `d`'s already, from 2026-10-01 to 2026-11-01 (line 21)
    hint: both begin at once: give one of them another `from`, or remove it
    ");
    // Whatever only touches is fine, and so is the same name elsewhere.
    let text = [
        owner("a", &shop("to = 2026-10-12")),
        owner("b", &shop("from = 2026-10-12\nto = 2026-11-01")),
        owner("c", &shop("from = 2026-11-01")),
        owner("d", "organizations = [\"us1/shop\"]\nlabels = [\"us1:k=v\"]"),
        owner("e", "organizations = [\"eu1/shop2\"]\nlabels = [\"eu1:k=v\"]"),
    ]
    .concat();
    let accounts = accounts(&text);
    assert!(accounts.warnings().iter().all(|warning| warning.message.contains("lacks what an e-invoice needs")));
}

#[test]
fn gaps_and_what_e_invoices_lack_are_warnings() {
    let text = r#"
[[account]]
id = "a"
name = "A"
country = "DE"
buyer_reference = "x"
[[account.owns]]
organization = "eu1/shop"
to = 2026-10-12
[[account.owns]]
space = "eu1/shop/live"
to = 2026-10-12
[[account.owns]]
label = "eu1: k = v"
to = 2026-10-12

[[account]]
id = "b"
name = "B"
vat_id = "FR12345678901"
tax_category = "O"
[[account.owns]]
organization = "eu1/shop"
from = 2026-10-13
[[account.owns]]
space = "eu1/shop/live"
from = 2026-10-13
[[account.owns]]
label = "eu1: k = v"
from = 2026-10-13

[[account]]
id = "c"
name = "C"
address = ["1"]
postal_code = "1"
city = "1"
country = "DE"
electronic_address = "EM:a@b.example"
purchase_order = "1"
tax_category = "AE"
tax_exemption_reason = "Reverse charge"
organizations = ["eu1/c"]
"#;
    let told: String = accounts(text).warnings().iter().map(|warning| format!("{warning}\n")).collect();
    insta::assert_snapshot!(told, @"
    accounts.toml:2:1: account `a` lacks what an e-invoice needs: `address`, `postal_code`, `city`, `electronic_address`
    hint: that is fine if it gets none: its invoices are made anyway
    accounts.toml:17:1: account `b` lacks what an e-invoice needs: `address`, `postal_code`, `city`, `country`, `electronic_address`, `buyer_reference` or `purchase_order`, `tax_exemption_reason`
    hint: that is fine if it gets none: its invoices are made anyway
    accounts.toml:20:1: account `b` is outside of VAT but has a `vat_id`
    hint: an e-invoice of category O must not have one (BR-O-02): remove it, or give another category
    accounts.toml:23:16: nobody owns `eu1/shop` from 2026-10-12 (line 8) to 2026-10-13
    hint: it is an account by itself then; if that is wrong, close the gap
    accounts.toml:26:9: nobody owns `eu1/shop/live` from 2026-10-12 (line 11) to 2026-10-13
    hint: it belongs to its org's account then; if that is wrong, close the gap
    accounts.toml:29:9: nobody owns `eu1: k = v` from 2026-10-12 (line 14) to 2026-10-13
    hint: it has no effect then; if that is wrong, close the gap
    accounts.toml:32:1: account `c` lacks what an e-invoice needs: `vat_id`
    hint: that is fine if it gets none: its invoices are made anyway
    ");
    let registered = text.replace("tax_category = \"AE\"", "registration = \"HRB 1\"\ntax_category = \"AE\"");
    assert!(accounts(&registered).get("c").unwrap().lacks_for_e_invoice().is_empty());
}

#[test]
fn an_account_pays_in_the_cards_currency() {
    let card = "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nfree = true\n";
    let problems = |accounts_text: &str, card: &str| -> Vec<String> {
        let file = CardFile { name: "card".to_owned(), text: card.to_owned() };
        let card = parse(&[file], Tz::UTC).0.unwrap();
        accounts(accounts_text).check_card(&card).iter().map(ToString::to_string).collect()
    };
    assert_eq!(problems(&with("currency = \"EUR\""), card), Vec::<String>::new());
    insta::assert_snapshot!(problems(&with("currency = \"CHF\"").replace("f/a", "f/b"), card).join("\n"), @r#"
    accounts.toml:5:1: account `a` pays in CHF, but the rate card is in EUR
    hint: nothing is converted: write currency = "EUR", or bill it by another card
    "#);
    insta::assert_snapshot!(problems(&with("tax_category = \"S\""), card).join("\n"), @r#"
    accounts.toml:5:1: account `a` has category S, but neither it nor the rate card gives a percentage
    hint: write tax_percent = "19", or a [[tax]] with category = "S" in the card
    "#);
    let defaults = format!("{}[defaults]\ncurrency = \"CHF\"\n", with("currency = \"EUR\""));
    insta::assert_snapshot!(problems(&defaults, card).join("\n"), @r#"
    accounts.toml: `defaults` has the currency CHF, but the rate card is in EUR
    hint: nothing is converted: write currency = "EUR", or leave it out
    "#);
    let taxed = format!("{card}[[tax]]\npercent = \"19\"\n");
    assert_eq!(problems(&with("tax_category = \"S\""), &taxed), Vec::<String>::new());
    assert_eq!(problems(&with("tax_percent = \"19\""), card), Vec::<String>::new());
}

/// An empty ledger knows nothing, so nothing is wrong but that.
#[test]
fn an_empty_ledger_has_seen_no_foundation() {
    let told = check_against(&accounts(&with("")), &SeenPlaces::default());
    let told: Vec<&str> = told.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told, ["the ledger has seen no foundation `f`"]);
}
