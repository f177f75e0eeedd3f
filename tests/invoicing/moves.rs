//! An organization that changes accounts within a month: each pays for its part, and nobody for both.

use serde_json::Value;

use super::{cents, configure, october_json, shown};
use crate::support::month;
use crate::support::program::Program;

const RATES: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[service]]\nfree = true\n[[task]]\nfree = true\n[[staging]]\nfree = true\n";

const ACCOUNTS: &str = r#"
[[account]]
id = "old"
name = "Old Ltd"
[[account.owns]]
organization = "f/o1"
to = 2026-10-12
[[account]]
id = "new"
name = "New Ltd"
[[account.owns]]
organization = "f/o1"
from = 2026-10-12
"#;

fn accounts(program: &Program, text: &str) {
    std::fs::write(program.folder.path().join("accounts.toml"), text).unwrap();
}

fn nets(list: &Value) -> Vec<(String, i64)> {
    let of = |invoice: &Value| (invoice["account"].as_str().unwrap().to_owned(), cents(&invoice["net"]));
    let mut nets: Vec<(String, i64)> = list.as_array().unwrap().iter().map(of).collect();
    nets.sort();
    nets
}

#[test]
fn an_organization_that_moves_on_the_12th_is_split_there() {
    let program = Program::new();
    month::card(&program, RATES);
    // From the 10th, 00:00, to the end of the month: 22 days.
    month::import(&program, "00:00 p STARTED 512x1 app=a", "40d00:00");
    accounts(&program, ACCOUNTS);
    let with = configure(&program, "[billing]\naccounts = \"accounts.toml\"\n");
    let drafts = october_json(&program, "draft", &with);
    assert_eq!(nets(&drafts), [("new".to_owned(), 20 * 24 * 100), ("old".to_owned(), 2 * 24 * 100)]);
    // Under another zone it moves at that zone's midnight, 22:00 UTC of the day before; the month ends there at 23:00.
    let zone = configure(&program, "[billing]\naccounts = \"accounts.toml\"\ntime_zone = \"Europe/Berlin\"\n");
    let drafts = october_json(&program, "draft", &zone);
    assert_eq!(nets(&drafts), [("new".to_owned(), (20 * 24 + 2 - 1) * 100), ("old".to_owned(), (2 * 24 - 2) * 100)]);

    // What is invoiced stays whose it was, whatever the file says later.
    let with = configure(&program, "[billing]\naccounts = \"accounts.toml\"\n");
    let finals = october_json(&program, "finalize", &[&["--account", "old"][..], &with].concat());
    assert_eq!(nets(&finals), [("old".to_owned(), 4800)]);
    accounts(&program, &ACCOUNTS.replace("2026-10-12", "2026-10-20"));
    let drafts = october_json(&program, "draft", &with);
    // From the 20th on it is New's, and what lies between is on no invoice yet: it comes with Old's next one.
    assert_eq!(nets(&drafts), [("new".to_owned(), 12 * 24 * 100)]);
    let old = shown(&program, "CF-000001");
    assert_eq!(old["net"], "48.00");
    assert_eq!(old["difference"], "192.00");
    accounts(&program, ACCOUNTS);
    let drafts = october_json(&program, "draft", &with);
    assert_eq!(nets(&drafts), [("new".to_owned(), 20 * 24 * 100)]);
    assert_eq!(shown(&program, "CF-000001")["difference"], Value::Null);
    // All of it is somebody's, once.
    let finals = october_json(&program, "finalize", &[&["--account", "new"][..], &with].concat());
    assert_eq!(nets(&finals), [("new".to_owned(), 48_000)]);
}

#[test]
fn a_space_may_be_an_account_of_its_own() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a\n01:00 p STOPPED\n00:00 q STARTED 512x1 app=b space=s2\n02:00 q STOPPED space=s2",
        "40d00:00",
    );
    accounts(
        &program,
        "[[account]]\nid = \"all\"\nname = \"All\"\norganizations = [\"f/o1\"]\n\
         [[account]]\nid = \"part\"\nname = \"Part\"\n[[account.owns]]\nspace = \"f/o1/s2\"\n",
    );
    let with = configure(&program, "[billing]\naccounts = \"accounts.toml\"\n");
    let drafts = october_json(&program, "draft", &with);
    assert_eq!(nets(&drafts), [("all".to_owned(), 100), ("part".to_owned(), 200)]);
    let finals = october_json(&program, "finalize", &with);
    assert_eq!(nets(&finals), [("all".to_owned(), 100), ("part".to_owned(), 200)]);
}

#[test]
fn lines_of_several_organizations_tell_whose_they_are() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a\n01:00 p STOPPED\n00:00 q STARTED 512x1 app=b org=o2\n02:00 q STOPPED org=o2",
        "40d00:00",
    );
    let table = |organizations: &str| {
        accounts(&program, &format!("[[account]]\nid = \"all\"\nname = \"All\"\norganizations = {organizations}\n"));
        let with = configure(&program, "[billing]\naccounts = \"accounts.toml\"\n");
        let drafts = october_json(&program, "draft", &with);
        let all = drafts.as_array().unwrap().iter().find(|draft| draft["account"] == "all").unwrap();
        program.succeed(&["invoices", "show", &all["id"].to_string()]).stdout
    };
    let both = table("[\"f/o1\", \"f/o2\"]");
    assert!(both.contains("   org   ") && both.contains("   o2   ") && both.contains("Net      3.00 EUR"), "{both}");
    let one = table("[\"f/o1\"]");
    assert!(!one.contains("   org   ") && one.contains("Net      1.00 EUR"), "{one}");
}

crate::on_postgres! {
    an_organization_that_moves_on_the_12th_is_split_there,
    a_space_may_be_an_account_of_its_own,
}
