//! What answers are made of: the same data as commands print, pages, forms, tags, and problems that say what to do.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Api, header, secret, text};
use crate::on_postgres;
use crate::support::background::{eventually, signal};

on_postgres!(
    the_api_gives_what_commands_print,
    pages_hold_everything_once,
    what_no_database_takes_is_refused,
    many_at_once_hold_up_nothing_else
);

/// Address, and the command that prints the same.
const SAME: [(&str, &[&str]); 7] = [
    ("/foundations", &["foundations", "list"]),
    ("/gaps", &["gaps"]),
    ("/accounts", &["accounts", "list"]),
    ("/anomalies?foundation=f", &["anomalies", "--foundation", "f"]),
    (
        "/usage?from=2026-10-01&to=2026-11-01&by=foundation,org,space,app,process,kind,buildpack,plan&names=true&foundation=f",
        &[
            "usage",
            "--from",
            "2026-10-01",
            "--to",
            "2026-11-01",
            "--by",
            "foundation,org,space,app,process,kind,buildpack,plan",
            "--names",
            "--foundation",
            "f",
        ],
    ),
    (
        "/cost?period=2026-10&by=account,org,app,buildpack,meter",
        &["cost", "--period", "2026-10", "--by", "account,org,app,buildpack,meter"],
    ),
    ("/invoices?status=final&period=2026-10", &["invoices", "list", "--status", "final", "--period", "2026-10"]),
];

#[test]
fn the_api_gives_what_commands_print() {
    let api = Api::shared();
    let provider = Some(secret("provider"));
    // So that nothing moves between the two.
    let configured = ["--config", "cf-billing.toml"];
    for (path, command) in SAME {
        let arguments = [command, &configured].concat();
        let is_steady = || {
            let mut items = api.json(provider, path)["items"].as_array().unwrap().clone();
            let mut printed = api.program.json(&arguments).as_array().unwrap().clone();
            // The list of invoices begins with the newest, that of the command with the oldest.
            for rows in [&mut items, &mut printed] {
                rows.sort_by_key(Value::to_string);
                // The collected foundation's time goes on.
                for row in rows.iter_mut() {
                    row.as_object_mut().unwrap().remove("known_until");
                }
            }
            (items == printed).then_some(items)
        };
        let items = eventually(|| format!("{path}\n{}", text(&api.ask(provider, path))), is_steady);
        if path.starts_with("/usage") || path.starts_with("/invoices") {
            assert!(items.len() >= 2, "{path}: {items:?}");
        }
        let csv = text(&api.ask_with(provider, path, &[("accept", "text/csv")]));
        let arguments = [&arguments[..], &["--format", "csv"]].concat();
        let printed = api.program.succeed(&arguments).stdout;
        assert_eq!(csv.lines().next(), printed.lines().next(), "{path}");
        assert_eq!(csv.lines().count(), printed.lines().count(), "{path}");
    }
    let printed = api.program.json(&["invoices", "show", "CF-000001"]);
    let mut answered = api.json(provider, "/invoices/CF-000001");
    // What keeps it from being final is the command's to work out.
    answered["blockers"] = printed["blockers"].clone();
    assert_eq!(answered, printed);
    let printed = api.program.json(&["invoices", "explain", "CF-000001", "--line", "1", "--config", "cf-billing.toml"]);
    assert_eq!(api.json(provider, "/invoices/CF-000001/explanation?line=1"), printed);
}

#[test]
fn pages_hold_everything_once() {
    let api = Api::shared();
    let provider = Some(secret("provider"));
    let all = api.json(provider, "/invoices?status=final");
    let ids = |page: &Value| -> Vec<i64> {
        page["items"].as_array().unwrap().iter().map(|invoice| invoice["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(all["next"], Value::Null);
    assert!(ids(&all).len() >= 3 && ids(&all).is_sorted_by(|one, next| one > next), "{all}");
    let (mut path, mut met) = ("/invoices?status=final&limit=1".to_owned(), Vec::new());
    loop {
        let answer = api.ask(provider, &path);
        let page: Value = serde_json::from_slice(answer.body()).unwrap();
        assert!(ids(&page).len() == 1, "{page}");
        met.extend(ids(&page));
        let link = header(&answer, "link");
        let Some(cursor) = page["next"].as_str() else {
            assert_eq!(link, "");
            break;
        };
        assert_eq!(link, format!("</api/v1/invoices?status=final&limit=1&cursor={cursor}>; rel=\"next\""));
        link.strip_prefix("</api/v1").unwrap().split('>').next().unwrap().clone_into(&mut path);
    }
    assert_eq!(met, ids(&all));
    // The same pages as CSV.
    let csv = api.ask_with(provider, "/invoices?status=final&limit=2", &[("accept", "text/csv")]);
    assert_eq!(text(&csv).lines().count(), 3);
    assert!(header(&csv, "link").ends_with("rel=\"next\""));
}

#[test]
fn what_is_not_valid_is_told_with_what_is() {
    let api = Api::shared();
    let provider = Some(secret("provider"));
    for (path, status, said) in [
        ("/invoices?limit=0", 400, "use a whole number from 1 to 1000"),
        ("/invoices?limit=1", 200, ""),
        ("/invoices?limit=1000", 200, ""),
        ("/invoices?limit=1001", 400, "use a whole number from 1 to 1000"),
        ("/invoices?limit=+1", 400, "use a whole number"),
        ("/invoices?limit=", 400, "use a whole number"),
        ("/invoices?limit=1&limit=2", 400, "duplicate field `limit`"),
        ("/invoices?limits=1", 400, "unknown field `limits`, expected one of"),
        ("/invoices?period=2026-13", 400, "use a month such as 2026-10"),
        ("/invoices?status=sent", 400, "expected one of `draft`, `in_review`, `final`"),
        ("/invoices?cursor=x", 400, "is not a place in this list"),
        ("/invoices?period=2026-10%0Ahint:%20evil", 400, "use a month such as 2026-10"),
        ("/openapi.json?x=1", 400, "unknown field `x`"),
        ("/invoices?account=nobody", 200, ""),
        ("/invoices/CF-000001?x=1", 400, "unknown field `x`"),
        ("/invoices/0", 404, "there is no such invoice"),
        ("/invoices/01", 404, "there is no such invoice"),
        ("/invoices/CF-000001/documents/docx", 400, "expected one of `html`, `pdf`, `csv`, `json`, `ubl`, `facturx`"),
        ("/invoices/CF-000001/explanation?line=0", 400, "use numbers of lines, from 1"),
        ("/invoices/CF-000001/explanation?line=1,", 400, "use numbers of lines, from 1"),
        ("/invoices/CF-000001/explanation?line=2", 400, "no line 2"),
        ("/accounts/nobody", 404, "there is no such account"),
        ("/foundations?x", 400, "unknown field `x`"),
        ("/foundations/nowhere", 404, "there is no such foundation"),
        ("/gaps?foundation=nowhere", 404, "there is no such foundation"),
        ("/anomalies?kind=odd", 400, "use one of"),
        ("/anomalies?from=yesterday", 400, "`from`"),
        ("/anomalies?from=2026-10-02&to=2026-10-01", 400, "`to` is before `from`"),
        ("/anomalies?from=2026-10-01&to=2026-10-01", 200, ""),
        ("/usage", 400, "missing field `from`"),
        ("/usage?from=2026-10-01", 400, "missing field `to`"),
        ("/usage?from=2026-10-02&to=2026-10-01", 400, "is before"),
        ("/usage?from=2026-10-01&to=2026-10-01", 200, ""),
        ("/usage?from=2026-10-01&to=2026-11-01&by=colour", 400, "`colour` is not a key"),
        ("/usage?from=2026-10-01&to=2026-11-01&by=", 400, "`` is not a key"),
        ("/usage?from=2026-10-01&to=2026-11-01&by=org,org", 400, "has `org` twice"),
        ("/usage?from=2026-10-01&to=2026-11-01&names=yes", 400, "use true or false"),
        ("/usage?from=2026-10-01&to=2026-11-01&foundation=nowhere", 404, "there is no such foundation"),
        ("/cost", 400, "missing field `period`"),
        ("/cost?period=october", 400, "use a month such as 2026-10"),
        ("/cost?period=2026-10&by=day", 400, "`day` is not a key"),
        ("/nothing", 404, "there is no such address"),
        ("/", 404, "there is no such address"),
    ] {
        let answer = api.ask(provider, path);
        assert_eq!(answer.status(), status, "{path}: {}", text(&answer));
        if status == 200 {
            continue;
        }
        let problem: Value = serde_json::from_slice(answer.body()).unwrap();
        assert!(problem["type"].as_str().unwrap().starts_with("urn:cf-billing:problem:"));
        let told = format!("{} {}", problem["detail"], problem["hint"]);
        assert!(told.contains(said), "{path}: {problem}");
    }
    let none = api.ask_with(provider, "/gaps", &[("accept", "application/xml")]);
    assert_eq!(none.status(), 406, "{}", text(&none));
}

#[test]
fn what_no_database_takes_is_refused() {
    let api = Api::shared();
    let place = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let (most, beyond) = (i64::MAX, i64::MAX.cast_unsigned() + 1);
    for (path, status) in [
        ("/invoices/%00".to_owned(), 400),
        ("/invoices/x%00/documents/json".to_owned(), 400),
        ("/invoices?account=%00".to_owned(), 400),
        ("/cost?period=2026-10&account=x%00y".to_owned(), 400),
        ("/foundations/%00".to_owned(), 400),
        ("/foundations/%FF".to_owned(), 400),
        (format!("/anomalies?cursor={}", place(r#"["anomalies",["\u0000",0,0]]"#)), 400),
        (format!("/anomalies?cursor={}", place(&format!(r#"["anomalies",["f",{most},{most}]]"#))), 200),
        (format!("/anomalies?cursor={}", place(&format!(r#"["anomalies",["f",{beyond},0]]"#))), 400),
        (format!("/anomalies?cursor={}", place(r#"["anomalies",["f",-1,-1]]"#)), 200),
        (format!("/invoices?cursor={}", place(&format!(r#"["invoices",{}]"#, i64::MIN))), 200),
        (format!("/invoices?cursor={}", place(r#"["invoices","CF-000001"]"#)), 400),
        ("/usage?from=-262143-01-01T00:00:00Z&to=9999-12-31".to_owned(), 400),
        ("/usage?from=0001-01-01&to=9999-12-31".to_owned(), 200),
    ] {
        let answer = api.ask(Some(secret("provider")), &path);
        assert_eq!(answer.status(), status, "{path}: {}", text(&answer));
    }
}

/// Who asks much waits, or is told to; leases are renewed, and all is well.
#[test]
fn many_at_once_hold_up_nothing_else() {
    // Not the shared one: whoever asks with these tokens meanwhile would be told to wait, too.
    let api = Arc::new(Api::new());
    let path = "/cost?period=2026-10&by=account,foundation,kind,org,space,app,service,buildpack,plan,meter";
    let statuses: Vec<u16> = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut asked = tokio::task::JoinSet::new();
        for at in 0..150 {
            let (api, name) = (api.clone(), ["provider", "finance", "tenant-one"][at % 3]);
            asked.spawn(async move { api.sent("GET", Some(secret(name)), path, &[]).await.status().as_u16() });
        }
        asked.join_all().await
    });
    let count = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!(count(200) + count(429), 150, "{statuses:?}");
    assert!(count(200) >= 3 * 16, "{statuses:?}");
    let ready = crate::support::background::get(&format!("{}/readyz", api.url));
    assert_eq!(ready.status(), 200, "{}\n{}", text(&ready), api.daemon.log());
    let log = api.daemon.log();
    assert!(!log.contains("lease ran out") && !log.contains("can't renew"), "{log}");
}

#[test]
fn an_answer_that_is_known_is_not_sent_again() {
    let api = Api::shared();
    let provider = Some(secret("provider"));
    for path in ["/invoices/CF-000001", "/invoices/CF-000001/documents/html", "/invoices?status=final", "/openapi.json"]
    {
        let answer = api.ask(provider, path);
        let tag = header(&answer, "etag").to_owned();
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        assert_eq!(header(&answer, "cache-control"), "private, no-cache");
        let vary: BTreeSet<String> = answer
            .headers()
            .get_all("vary")
            .iter()
            .flat_map(|value| value.to_str().unwrap().split(", ").map(str::to_lowercase).collect::<Vec<_>>())
            .collect();
        assert!(
            ["authorization", "cookie", "accept", "accept-language"].iter().all(|name| vary.contains(*name)),
            "{vary:?}"
        );
        for (known, status) in
            [(tag.clone(), 304), (format!("\"x\", {tag}"), 304), (tag[2..].to_owned(), 304), ("\"x\"".to_owned(), 200)]
        {
            let again = api.ask_with(provider, path, &[("if-none-match", &known)]);
            assert_eq!(again.status(), status, "{path} {known}");
            assert_eq!(again.body().is_empty(), status == 304);
        }
    }
    let refused = api.ask(None, "/invoices");
    assert_eq!(header(&refused, "cache-control"), "private, no-store");
}

#[test]
fn a_document_is_the_one_that_was_made_and_shows_itself_alone() {
    let api = Api::shared();
    let tenant = Some(secret("tenant-one"));
    let export = ["invoices", "export", "CF-000001", "--out", "out", "--config", "cf-billing.toml", "--format"];
    for (format, media_type, name) in [
        ("html", "text/html; charset=utf-8", "CF-000001.html"),
        ("json", "application/json", "CF-000001.json"),
        ("csv", "text/csv; charset=utf-8", "CF-000001.csv"),
        ("ubl", "application/xml", "CF-000001.xml"),
        ("pdf", "application/pdf", "CF-000001.pdf"),
        ("facturx", "application/pdf", "CF-000001-facturx.pdf"),
    ] {
        let answer = api.ask(tenant, &format!("/invoices/CF-000001/documents/{format}"));
        assert_eq!(answer.status(), 200, "{format}: {}", text(&answer));
        assert_eq!(header(&answer, "content-type"), media_type);
        assert_eq!(header(&answer, "content-disposition"), format!("attachment; filename=\"{name}\""));
        assert!(header(&answer, "content-security-policy").starts_with("sandbox; default-src 'none'"));
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        api.program.succeed(&[&export[..], &[format]].concat());
        let file = std::fs::read(api.program.folder.path().join("out").join(name)).unwrap();
        assert!(answer.body()[..] == file[..], "{format}");
    }
    let kept = api.json(tenant, "/invoices/CF-000001/documents");
    // Whoever only asks whether there is one has none made.
    let asked = api.send("HEAD", tenant, "/invoices/CN-000001/documents/csv", &[]);
    assert_eq!((asked.status().as_u16(), header(&asked, "content-type")), (200, "text/csv; charset=utf-8"));
    let of_note = api.json(tenant, "/invoices/CN-000001/documents");
    assert!(!of_note["items"].to_string().contains("csv"), "{of_note}");
    let formats: Vec<&str> =
        kept["items"].as_array().unwrap().iter().map(|document| document["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["csv", "html", "json", "pdf", "ubl"]);
}

#[test]
fn answers_are_compressed_for_those_who_can_read_that() {
    let api = Api::shared();
    let answer = api.ask_with(None, "/openapi.json", &[("accept-encoding", "gzip")]);
    assert_eq!(header(&answer, "content-encoding"), "gzip");
    let mut whole = String::new();
    flate2::read::GzDecoder::new(&answer.body()[..]).read_to_string(&mut whole).unwrap();
    assert_eq!(whole, text(&api.ask(None, "/openapi.json")));
    assert!(answer.body().len() * 3 < whole.len());
}

#[test]
fn nothing_but_reading_is_allowed() {
    let api = Api::shared();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = api.send(method, Some(secret("provider")), "/invoices", &[]);
        assert_eq!(answer.status(), 405, "{method}");
    }
}

/// With the database away it says so, and whoever may not read still isn't told more.
#[test]
fn a_book_that_is_away_is_told_as_that() {
    let api = Api::new();
    let folder = api.program.folder.path().to_owned();
    signal(&api.daemon.child, "TERM");
    eventually(|| api.daemon.log(), || api.daemon.log().contains("stopped").then_some(()));
    // A server that nobody listens for.
    let mut command = api.program.command(&["run", "--config", "cf-billing.toml"]);
    command.env("CF_BILLING__DATABASE__URL", "postgres://nobody@127.0.0.1:1/none");
    let daemon = crate::support::background::Background::spawn_in(&folder, "away.log", &mut command);
    let away = Api { url: daemon.url(), daemon, ..api };
    let answer = away.ask(Some(secret("finance")), "/invoices");
    assert_eq!(answer.status(), 503, "{}", text(&answer));
    assert!(text(&answer).contains("/readyz says what is wrong") && !text(&answer).contains("127.0.0.1"));
    assert_eq!(header(&answer, "retry-after"), "10");
    assert_eq!(away.ask(Some(secret("sre")), "/invoices").status(), 403);
    assert_eq!(away.ask(None, "/invoices").status(), 401);
}
