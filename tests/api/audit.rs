//! The audit log: what is in it, who reads it, and that nobody changes it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use cf_billing::clock::Clock;

use super::{Api, header, secret, text};
use crate::on_postgres;
use crate::support::background::eventually;
use crate::support::database;

on_postgres!(
    documents_that_are_opened_are_noted_with_who_and_from_where,
    decisions_by_command_are_noted_and_a_change_of_them_is_found,
    a_document_is_not_shown_while_it_can_not_be_noted
);

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entries(api: &Api, query: &str) -> Vec<Value> {
    let listed = api.json(Some(secret("provider")), &format!("/audit{query}"));
    listed["items"].as_array().unwrap().clone()
}

#[test]
fn documents_that_are_opened_are_noted_with_who_and_from_where() {
    let api = Api::with(&super::tokens(), "trusted_proxies = \"127.0.0.1\"\n");
    let opened = api.ask_with(Some(secret("tenant-one")), "/invoices/CF-000001/documents/html", &[]);
    assert_eq!(opened.status(), 200);
    let newest = entries(&api, "?limit=1").remove(0);
    let sha256 = sha256(opened.body());
    let after = json!({"format": "html", "sha256": sha256});
    for (key, value) in [
        ("who", json!("tenant-one")),
        ("way", json!("api")),
        ("origin", json!("127.0.0.1")),
        ("deed", json!("document_opened")),
        ("subject", json!("CF-000001")),
        ("request_id", json!(header(&opened, "x-request-id"))),
        ("before", Value::Null),
        ("after", after),
    ] {
        assert_eq!(newest[key], value, "{key}: {newest}");
    }
    // By whom a proxy says that it asks. What isn't shown isn't opened: another's, a list, a head.
    api.ask_with(Some(secret("finance")), "/invoices/CF-000002/documents/csv", &[("x-forwarded-for", "192.0.2.7")]);
    let before = entries(&api, "?deed=document_opened").len();
    api.ask(Some(secret("tenant-one")), "/invoices/CF-000002/documents/html");
    api.ask(Some(secret("sre")), "/invoices/CF-000001/documents/html");
    api.ask(Some(secret("finance")), "/invoices/CF-000001/documents");
    api.ask(Some(secret("finance")), "/invoices/CF-000001");
    api.send("HEAD", Some(secret("finance")), "/invoices/CF-000001/documents/html", &[]);
    let opened = entries(&api, "?deed=document_opened");
    assert_eq!(opened.len(), before, "{opened:?}");
    assert_eq!((&opened[0]["who"], &opened[0]["origin"]), (&json!("finance"), &json!("192.0.2.7")));
    // Filters and pages.
    assert_eq!(entries(&api, "?who=tenant-one").len(), 1);
    assert_eq!(entries(&api, "?subject=CF-000002&deed=document_opened").len(), 1);
    assert!(entries(&api, "?to=2026-01-01").is_empty() && entries(&api, "?from=2100-01-01").is_empty());
    let all = entries(&api, "");
    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let page = api.json(Some(secret("provider")), &format!("/audit?limit=1{next}"));
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(paged, all);
    for (query, told) in [("?deed=read", "document_opened"), ("?what=x", "unknown field"), ("?from=x", "from")] {
        let answer = api.ask(Some(secret("provider")), &format!("/audit{query}"));
        assert!(answer.status() == 400 && text(&answer).contains(told), "{}", text(&answer));
    }
}

#[test]
fn decisions_by_command_are_noted_and_a_change_of_them_is_found() {
    let api = Api::new();
    let configured = ["--config", "cf-billing.toml"];
    let run = |arguments: &[&str]| api.program.succeed(&[arguments, &configured].concat());
    let list = |more: &[&str]| api.program.json(&[&["audit", "list"], more, &configured].concat());
    // What made the book: two invoices and a credit note.
    let made = list(&[]);
    let deeds: Vec<&str> = made.as_array().unwrap().iter().map(|entry| entry["deed"].as_str().unwrap()).collect();
    assert_eq!(deeds, ["invoice_credited", "invoice_finalized", "invoice_finalized"], "{made}");
    let credit = &made[0];
    assert_eq!((&credit["after"]["corrects"], &credit["after"]["net"]), (&json!("CF-000001"), &json!("-10.00")));
    assert!(credit["way"] == "command" && credit["origin"].is_string() && credit["who"].is_string(), "{credit}");
    // The foundation that is collected has a draft before long.
    let draft = eventually(
        || api.daemon.log(),
        || {
            let month = &Clock::System.now().to_string()[..7];
            api.program.run(&[&["invoices", "draft", "--period", month][..], &configured].concat());
            let listed = api.program.json(&[&["invoices", "list"][..], &configured].concat());
            listed.as_array().unwrap().iter().find(|one| one["status"] == "draft").cloned()
        },
    );
    let (account, month) = (draft["account"].as_str().unwrap(), draft["month"].as_str().unwrap());
    let of = ["--period", month, "--account", account, "--reason"];
    run(&[&["invoices", "hold"], &of[..], &["disputed"]].concat());
    run(&[&["invoices", "release"], &of[..], &["agreed"]].concat());
    let out = api.program.folder.path().join("out");
    let out = out.to_str().unwrap();
    run(&["invoices", "export", "--period", "2026-10", "--format", "json", "--out", out]);
    run(&["invoices", "export", "CF-000001", "--format", "focus", "--out", out]);
    let newest = list(&["--most", "6"]);
    let told: Vec<(String, String)> = newest
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let what = format!("{} {}", entry["deed"].as_str().unwrap(), entry["subject"].as_str().unwrap());
            (what, format!("{} {}", entry["before"], entry["after"]))
        })
        .collect();
    let subject = format!("{account} {month}");
    let told: Vec<(&str, &str)> = told.iter().map(|(what, values)| (what.as_str(), values.as_str())).collect();
    assert_eq!(told[0], ("document_opened CF-000001", r#"null {"format":"focus"}"#));
    assert_eq!(told[1].1, r#"null {"format":"json"}"#);
    let (held, released) = (format!("month_held {subject}"), format!("month_released {subject}"));
    assert_eq!(told[4], (released.as_str(), r#"{"reason":"disputed"} {"reason":"agreed"}"#), "{told:?}");
    assert_eq!(told[5], (held.as_str(), r#"null {"reason":"disputed"}"#), "{told:?}");
    let table = run(&["audit", "list", "--deed", "month_held"]).stdout;
    assert!(table.contains("month_held") && table.lines().all(|line| line.chars().count() <= 120), "{table}");
    // Nobody changes it, and who does all the same is found.
    let verify = || api.program.run(&[&["ledger", "verify", "--format", "json"][..], &configured].concat());
    let chains: Value = serde_json::from_str(&verify().stdout).unwrap();
    let chain = chains.as_array().unwrap().iter().find(|chain| chain["chain"] == "audit").unwrap().clone();
    assert_eq!((&chain["entries"], &chain["links"]), (&json!(9), &json!(7)), "a link for each batch: {chain}");
    let url = api.program.database();
    for statement in
        ["UPDATE audit_entry SET who = 'nobody' WHERE number = 1", "DELETE FROM audit_entry", "DELETE FROM audit_link"]
    {
        let refused = database::execute(&url, statement).unwrap_err().to_string();
        assert!(refused.contains("the audit log never changes"), "{statement}: {refused}");
    }
    let is_sqlite = url.starts_with("sqlite");
    let off =
        if is_sqlite { "DROP TRIGGER audit_entry_stays" } else { "DROP TRIGGER audit_entry_stays ON audit_entry" };
    database::execute(&url, off).unwrap();
    database::execute(&url, "UPDATE audit_entry SET who = 'nobody' WHERE number = 4").unwrap();
    let found = verify();
    assert!(
        found.code == Some(1) && found.stderr.contains("audit: batch 4 isn't as it was written"),
        "{}",
        found.stderr
    );
}

#[test]
fn a_document_is_not_shown_while_it_can_not_be_noted() {
    let api = Api::new();
    let url = api.program.database();
    let (refuse, again) = if url.starts_with("sqlite") {
        (
            vec!["CREATE TRIGGER refuse BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'no'); END"],
            "DROP TRIGGER refuse",
        )
    } else {
        (
            vec![
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
                "CREATE TRIGGER refuse BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse()",
            ],
            "DROP TRIGGER refuse ON audit_entry",
        )
    };
    for statement in refuse {
        database::execute(&url, statement).unwrap();
    }
    for name in ["provider", "finance", "tenant-one"] {
        let answer = api.ask(Some(secret(name)), "/invoices/CF-000001/documents/html");
        assert_eq!(answer.status(), 503, "{}", text(&answer));
        assert!(text(&answer).contains("who opens a document can't be written down now"), "{}", text(&answer));
        assert_eq!(api.ask(Some(secret(name)), "/invoices/CF-000001").status(), 200);
    }
    let out = api.program.folder.path().join("out");
    let export = ["invoices", "export", "CF-000001", "--format", "html", "--config", "cf-billing.toml", "--out"];
    let refused = api.program.run(&[&export[..], &[out.to_str().unwrap()]].concat());
    assert!(refused.code == Some(1) && !out.join("CF-000001.html").exists(), "{}", refused.stderr);
    database::execute(&url, again).unwrap();
    assert_eq!(api.ask(Some(secret("finance")), "/invoices/CF-000001/documents/html").status(), 200);
}
