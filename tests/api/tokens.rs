//! Who may read what: by the role of a token, and without tokens by being on this machine.

use std::collections::BTreeSet;

use super::{Api, TOKENS, header, secret, text};
use crate::support::program::Program;

/// Every address, and what it answers to provider, finance, SRE and the tenant whose invoice CF-000001 is.
const ROUTES: [(&str, &str, [u16; 4]); 15] = [
    ("/foundations", "/foundations", [200, 200, 200, 403]),
    ("/foundations/{foundation}", "/foundations/f", [200, 200, 200, 403]),
    ("/gaps", "/gaps", [200, 200, 200, 403]),
    ("/anomalies", "/anomalies", [200, 200, 200, 403]),
    ("/usage", "/usage?from=2026-10-01&to=2026-11-01", [200, 200, 403, 403]),
    ("/accounts", "/accounts", [200, 200, 403, 200]),
    ("/accounts/{account}", "/accounts/one", [200, 200, 403, 200]),
    ("/invoices/{invoice}/explanation", "/invoices/CF-000001/explanation?line=1", [200, 200, 403, 200]),
    ("/cost", "/cost?period=2026-10", [200, 200, 403, 200]),
    ("/forecast", "/forecast?by=org", [200, 200, 403, 200]),
    ("/audit", "/audit", [200, 403, 403, 403]),
    ("/invoices", "/invoices", [200, 200, 403, 200]),
    ("/invoices/{invoice}", "/invoices/CF-000001", [200, 200, 403, 200]),
    ("/invoices/{invoice}/documents", "/invoices/CF-000001/documents", [200, 200, 403, 200]),
    ("/invoices/{invoice}/documents/{format}", "/invoices/CF-000001/documents/html", [200, 200, 403, 200]),
];

#[test]
fn each_role_reads_what_is_its_own_and_nobody_without_a_token_reads_anything() {
    let api = Api::shared();
    let described = api.json(None, "/openapi.json");
    let described: BTreeSet<&str> = described["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, ROUTES.iter().map(|(template, ..)| *template).collect(), "every address is in the table");
    for (_, path, statuses) in ROUTES {
        for (name, status) in ["provider", "finance", "sre", "tenant-one"].into_iter().zip(statuses) {
            let answer = api.ask(Some(secret(name)), path);
            assert_eq!(answer.status(), status, "{name} {path}: {}", text(&answer));
        }
        for token in [None, Some("33333333333333333333333333333333"), Some(""), Some(&secret("sre")[1..])] {
            let answer = api.ask(token, path);
            assert_eq!(answer.status(), 401, "{token:?} {path}");
            assert_eq!(header(&answer, "www-authenticate"), "Bearer realm=\"cf-billing\"");
            assert_eq!(header(&answer, "content-type"), "application/problem+json");
        }
    }
    // Whatever the token is, it is in no log; whose it is, is.
    let log = api.daemon.log();
    for said in ["caller=finance method=GET path=/api/v1/invoices/CF-000001 status=200", "caller=\"nobody known\""] {
        assert!(log.contains(said), "{said}\n{log}");
    }
    assert!(TOKENS.iter().all(|(_, _, secret)| !log.contains(secret)), "{log}");
}

#[test]
fn how_a_token_is_sent() {
    let api = Api::shared();
    let sre = secret("sre");
    for (value, status) in [
        (format!("Bearer {sre}"), 200),
        (format!("bearer {sre}"), 200),
        (format!("Bearer   {sre} "), 200),
        (format!("Basic {sre}"), 401),
        (sre.to_owned(), 401),
        (format!("Bearer {sre}x"), 401),
        ("Bearer".to_owned(), 401),
    ] {
        let answer = api.ask_with(None, "/gaps", &[("authorization", &value)]);
        assert_eq!(answer.status(), status, "{value}");
    }
    let twice = [("authorization", "Bearer x"), ("authorization", &format!("Bearer {sre}"))];
    assert_eq!(api.ask_with(None, "/gaps", &twice).status(), 401);
}

#[test]
fn without_tokens_whoever_is_on_the_machine_reads_everything() {
    let api = Api::with("", "hosts = \"bills.example.org\"\n");
    for (_, path, _) in ROUTES {
        let answer = api.ask(None, path);
        assert_eq!(answer.status(), 200, "{path}: {}", text(&answer));
    }
    for (name, value, status) in [
        ("host", "billing.example.org", 421),
        // Configured: what comes by it comes through a proxy.
        ("host", "bills.example.org", 401),
        ("x-forwarded-for", "192.0.2.7", 401),
        ("forwarded", "for=192.0.2.7", 401),
        ("x-forwarded-port", "443", 401),
        ("via", "1.1 proxy", 401),
        ("host", "[::1].evil.example", 421),
        ("host", "localhost:1", 200),
    ] {
        let answer = api.ask_with(None, "/invoices", &[(name, value)]);
        assert_eq!(answer.status(), status, "{name}: {value}: {}", text(&answer));
    }
}

/// What a `[[token]]` lacks or has too much of, and what is said of it.
#[test]
fn a_token_that_is_not_whole_is_refused() {
    let program = Program::without_database();
    let long = "a".repeat(32);
    let check = |text: &str| {
        std::fs::write(program.folder.path().join("cf-billing.toml"), text).unwrap();
        let run = program.run(&["usage", "--from", "2026-10-01", "--to", "2026-10-02", "--config", "cf-billing.toml"]);
        run.stderr
    };
    let token = |name: &str, role: &str, secret: &str, more: &str| {
        format!("[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsecret = \"{secret}\"\n{more}\n")
    };
    for (text, said) in [
        (token("a", "sre", &long, ""), ""),
        (token("a", "sre", &long[1..], ""), ":4:10: the token's secret has less than 32 characters"),
        (
            token("a", "sre", &("ä".to_owned() + &long), ""),
            ":4:10: the token's secret has characters that can't be sent",
        ),
        (token("a b", "sre", &long, ""), "`a b` is not a name"),
        (token("a", "boss", &long, ""), "`boss`"),
        (token("a", "tenant", &long, ""), "`accounts` is missing in `token`"),
        (token("a", "tenant", &long, "accounts = \"x, f/o1\""), ""),
        (token("a", "tenant", &long, "accounts = \"x,,y\""), "has an id that is empty"),
        (token("a", "sre", &long, "accounts = \"x\""), "a token of the role `sre` has no accounts"),
        (token("a", "sre", &long, "") + &token("a", "sre", &"b".repeat(32), ""), "two tokens are named `a`"),
        (token("a", "sre", &long, "") + &token("b", "sre", &long, ""), "`a` and `b` have the same secret"),
        (token("a", "sre", &long, "more = 1"), "unknown key `more` in `token`"),
        ("[[token]]\nname = \"a\"\nrole = \"sre\"\n".to_owned(), "`secret` is missing in `token`"),
    ] {
        let stderr = check(&text);
        if said.is_empty() {
            assert!(!stderr.contains("token"), "{text}\n{stderr}");
        } else {
            assert!(stderr.contains(said), "{text}\n{stderr}");
        }
        assert!(!stderr.contains(&long[1..]), "a secret is shown: {stderr}");
    }
}

#[test]
fn a_token_is_read_from_a_file_and_from_the_environment() {
    let program = Program::without_database();
    std::fs::write(program.folder.path().join("secret"), format!("{}\n", "s".repeat(31))).unwrap();
    let text = "[[token]]\nname = \"dash-board\"\nrole = \"sre\"\nsecret_file = \"secret\"\n";
    std::fs::write(program.folder.path().join("cf-billing.toml"), text).unwrap();
    let mut command = program.command(&["foundations", "list", "--config", "cf-billing.toml"]);
    let said = |command: &mut std::process::Command| String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(said(&mut command).contains("the token's secret has less than 32 characters"));
    let other = program.folder.path().join("other");
    std::fs::write(&other, "o".repeat(32)).unwrap();
    command.env("CF_BILLING__TOKEN__DASH_BOARD__SECRET_FILE", &other);
    assert!(!said(&mut command).contains("token"));
    command.env("CF_BILLING__TOKEN__OTHER__ROLE", "sre");
    let other = said(&mut command);
    assert!(
        other.contains("no token `other` is configured") && other.contains("hint: tokens are: dash-board"),
        "{other}"
    );
}
