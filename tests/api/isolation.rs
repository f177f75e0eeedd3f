//! Two tenants: not one byte of the other's, by any address, filter or form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Api, header, secret, text, tokens};
use crate::support::background;

/// What is only in what is `two`'s: its ids, names, numbers and sums.
const OF_TWO: [&str; 7] = ["two", "Zweite", "o2", "s2", "PO-TWO", "CF-000002", "5.95"];

/// Addresses that a tenant can ask, with everything of the other's that can be named.
pub const ASKED: [&str; 40] = [
    "/foundations",
    "/foundations/f",
    "/gaps",
    "/gaps?foundation=f",
    "/anomalies",
    "/usage?from=2026-10-01&to=2026-11-01&by=org,space,app&names=true",
    "/accounts",
    "/accounts/TWO",
    "/invoices/CF-000001/explanation?line=1",
    "/invoices/CF-00000TWO/explanation",
    "/invoices/CF-00000TWO/explanation?line=1",
    "/cost?period=2026-10",
    "/cost?period=2026-10&account=TWO",
    "/cost?period=2026-10&by=account,foundation,org,space,app,service,buildpack,plan,kind,meter",
    "/cost?period=2026-10&by=org,app&account=TWO",
    "/cost?period=2026-10&by=kind",
    "/audit",
    "/audit?subject=CF-00000TWO",
    "/forecast",
    "/forecast?by=account,foundation,org,space,app,service,buildpack,plan,kind,meter",
    "/forecast?by=org&account=TWO",
    "/forecast?account=one",
    "/invoices",
    "/invoices?account=TWO",
    "/invoices?period=2026-10",
    "/invoices?status=final",
    "/invoices?status=draft",
    "/invoices?status=in_review",
    "/invoices?limit=1",
    "/invoices/1",
    "/invoices/2",
    "/invoices/3",
    "/invoices/CF-00000TWO",
    "/invoices/CF-00000TWO/documents",
    "/invoices/CF-00000TWO/documents/html",
    "/invoices/CF-00000TWO/documents/json",
    "/invoices/CF-00000TWO/documents/ubl",
    "/invoices/CF-00000TWO/documents/pdf",
    "/invoices/CF-00000TWO/documents/facturx",
    "/invoices/CF-00000TWO/documents/csv",
];

#[test]
fn a_tenant_sees_not_one_byte_of_another() {
    let api = Api::shared();
    let one = Some(secret("tenant-one"));
    // The provider has what is looked for.
    let all = text(&api.ask(Some(secret("provider")), "/invoices/CF-000002"));
    for word in OF_TWO {
        assert!(all.contains(word), "the provider's has no `{word}`: {all}");
    }
    for asked in ASKED {
        let path = asked.replace("CF-00000TWO", "CF-000002").replace("TWO", "two");
        for form in ["application/json", "text/csv", "*/*"] {
            let answer = api.ask_with(one, &path, &[("accept", form)]);
            let whole = format!("{:?}\n{}", answer.headers(), text(&answer));
            // What is asked for stands in no answer either.
            for word in OF_TWO {
                assert!(!whole.contains(word), "{path} as {form} tells `{word}`: {whole}");
            }
        }
    }
}

#[test]
fn another_s_invoice_is_as_one_that_does_not_exist() {
    let api = Api::shared();
    let one = Some(secret("tenant-one"));
    let without_id = |path: &str| {
        let answer = api.ask(one, path);
        assert_eq!(answer.status(), 404, "{path}");
        let id = header(&answer, "x-request-id").to_owned();
        assert!(!id.is_empty());
        let head: Vec<String> = (answer.headers().iter())
            .filter(|(name, _)| *name != "date")
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap().replace(&id, "")))
            .collect();
        (head, text(&answer).replace(&id, ""))
    };
    let drafts = api.json(Some(secret("provider")), "/invoices?status=final")["items"].clone();
    let of_two = drafts.as_array().unwrap().iter().find(|invoice| invoice["account"] == "two").unwrap();
    let id = of_two["id"].to_string();
    for rest in ["", "/explanation", "/explanation?line=1", "/documents", "/documents/html"] {
        let nobody_s = without_id(&format!("/invoices/CF-999999{rest}"));
        assert_eq!(without_id(&format!("/invoices/CF-000002{rest}")), nobody_s);
        assert_eq!(without_id(&format!("/invoices/{id}{rest}")), nobody_s);
    }
}

/// What takes longer for what is there tells that it is there: both are asked for by the same statements.
#[test]
fn another_s_invoice_takes_the_statements_of_one_that_does_not_exist() {
    let api = Api::with(&tokens(), "");
    let file = api.program.folder.path().join("cf-billing.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    // Without a card nothing else reads invoices at the same time, but for the chain of their hashes.
    let quiet = text.replace("rates = \"card.toml\"\n", "") + "[log]\nlevel = \"info,sqlx::query=debug\"\n";
    std::fs::write(&file, quiet).unwrap();
    let Api { program, daemon, .. } = api;
    drop(daemon);
    let (daemon, url) = background::run(&program);
    let api = Api { program, _simulated: None, daemon, url };
    // Chains are verified once at the beginning.
    let verified = |line: &str| {
        line.starts_with("cf_billing_job_duration_seconds_count{task=\"verify\"}") && !line.ends_with(" 0")
    };
    let metrics = || background::text(&format!("{}/metrics", api.url));
    background::eventually(metrics, || metrics().lines().any(verified).then_some(()));
    let is_of_reader = |line: &&str| {
        line.contains("db.statement=") && (line.contains("FROM invoice") || line.contains("FROM rate_card"))
    };
    let statements = |path: &str| {
        let before = api.daemon.log().len();
        let answer = api.ask(Some(secret("tenant-one")), path);
        assert_eq!(answer.status(), 404, "{path}");
        api.daemon.says(header(&answer, "x-request-id"));
        let log = api.daemon.log();
        let of = |line: &str| {
            line.split_once("db.statement=")
                .map_or(line, |(_, statement)| statement)
                .split(" rows_affected")
                .next()
                .unwrap()
                .to_owned()
        };
        log[before..].lines().filter(is_of_reader).map(of).collect::<Vec<String>>()
    };
    for rest in ["", "/explanation", "/explanation?line=1", "/documents", "/documents/html", "/documents/pdf"] {
        let nobody_s = statements(&format!("/invoices/CF-999999{rest}"));
        assert!(!nobody_s.is_empty(), "the statements are in the log: {}", api.daemon.log());
        assert_eq!(statements(&format!("/invoices/CF-000002{rest}")), nobody_s, "{rest}");
    }
}

/// An account's cost is that of its documents, and no more than its own.
#[test]
fn a_tenant_s_cost_is_its_own() {
    let api = Api::shared();
    let amounts = |token: &str, path: &str| -> Vec<String> {
        let rows = api.json(Some(secret(token)), path)["items"].clone();
        rows.as_array().unwrap().iter().map(|row| format!("{} {}", row["part"], row["amount"])).collect()
    };
    // 10 instance-hours at 1, all of it given back by the credit note.
    let one = [r#""usage" "10.00""#, r#""corrections" "-10.00""#];
    assert_eq!(amounts("tenant-one", "/cost?period=2026-10"), one);
    assert_eq!(amounts("provider", "/cost?period=2026-10&account=one"), one);
    assert_eq!(amounts("tenant-two", "/cost?period=2026-10"), [r#""usage" "5.00""#]);
    assert_eq!(amounts("tenant-two", "/cost?period=2026-10&account=one"), [""; 0]);
    assert_eq!(amounts("tenant-two", "/cost?period=2026-09"), [""; 0]);
}

#[test]
fn a_cursor_of_the_provider_s_leads_a_tenant_nowhere() {
    let api = Api::shared();
    let first = api.json(Some(secret("provider")), "/invoices?limit=1");
    let cursor = first["next"].as_str().unwrap();
    let answer = api.ask(Some(secret("tenant-one")), &format!("/invoices?cursor={cursor}"));
    let rest = text(&answer);
    assert_eq!(answer.status(), 400, "{rest}");
    for word in OF_TWO {
        assert!(!rest.contains(word), "{word}: {rest}");
    }
}

/// By ids and places one could count what others have.
#[test]
fn a_tenant_pages_by_numbers_and_knows_no_ids() {
    let api = Api::shared();
    let one = Some(secret("tenant-one"));
    let all = api.json(one, "/invoices")["items"].clone();
    let first = api.json(one, "/invoices?limit=1");
    let cursor = first["next"].as_str().unwrap();
    let place = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    assert_eq!(place, format!(r#"["invoices",{}]"#, first["items"][0]["number"]));
    let second = api.json(one, &format!("/invoices?limit=1&cursor={cursor}"));
    assert_eq!(serde_json::json!([first["items"][0], second["items"][0]]), all);
    assert_eq!(second["next"], serde_json::Value::Null);
    // Another's number is no place in this list, nor is one that nobody has.
    for number in ["CF-000002", "CF-999999"] {
        let cursor = URL_SAFE_NO_PAD.encode(format!(r#"["invoices","{number}"]"#));
        assert_eq!(text(&api.ask(one, &format!("/invoices?cursor={cursor}"))), r#"{"items":[],"next":null}"#);
    }
    for invoice in api.json(Some(secret("provider")), "/invoices?account=one")["items"].as_array().unwrap() {
        assert_eq!(api.ask(one, &format!("/invoices/{}", invoice["id"])).status(), 404, "{invoice}");
    }
}

/// What the provider decides and notes isn't a tenant's to see.
#[test]
fn a_tenant_sees_final_documents_without_the_provider_s_notes() {
    let api = Api::shared();
    let listed = api.json(Some(secret("tenant-one")), "/invoices");
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "an invoice and a credit note: {listed}");
    let whole = api.json(Some(secret("tenant-one")), "/invoices/CF-000001");
    for invoice in items.iter().chain([&whole]) {
        assert_eq!(invoice["status"], "final");
        assert!(invoice.get("rate_card_sha256").is_some());
        for own in ["id", "held", "difference", "finalized_at", "accepted", "blockers"] {
            assert!(invoice.get(own).is_none(), "{own}: {invoice}");
        }
    }
    let explained = api.json(Some(secret("tenant-one")), "/invoices/CF-000001/explanation?line=1");
    assert!(explained.get("id").is_none() && explained["lines"][0]["uses"][0]["seconds"] == 36_000, "{explained}");
    let accounts = api.json(Some(secret("tenant-one")), "/accounts");
    let owned = &accounts["items"][0]["owns"][0];
    assert!(owned["organization"] == "f/o1" && owned.get("line").is_none(), "{accounts}");
    let staff = api.json(Some(secret("finance")), "/invoices/CF-000001");
    assert!(staff.get("accepted").is_some() && staff.get("id").is_some());
}
