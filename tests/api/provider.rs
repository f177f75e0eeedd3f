//! Access tokens of an OpenID provider that isn't a UAA: a certified one, in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::browser::{Browser, Page};
use super::{Api, header, text};
use crate::support::node::node;

struct OpenIdProvider {
    process: Child,
    /// Its address, and tokens.
    said: Value,
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl OpenIdProvider {
    fn start() -> Self {
        let mut process = node("provider.mjs").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.starts_with('{')).expect("the provider says its address and tokens");
        Self { process, said: serde_json::from_str(&line).unwrap() }
    }

    fn token(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap()
    }
}

#[test]
fn staff_and_tenants_of_an_openid_provider_read_what_is_theirs() {
    let provider = OpenIdProvider::start();
    let issuer = format!(
        "[[issuer]]\nname = \"corporate\"\nissuer = \"{}\"\nfinance = \"billing:finance\"\nsre = \"billing:sre\"\n",
        provider.token("issuer")
    );
    let api = Api::naming(&issuer, "people = [\"corporate/person-1\"]");
    let status = |token: &str, path: &str| api.ask(Some(provider.token(token)), path).status().as_u16();
    for (token, gaps, invoices) in [
        ("finance", 200, 200),
        ("sre", 200, 403),
        ("es256", 200, 403),
        ("ps256", 200, 403),
        ("neither", 403, 200),
        ("person", 403, 200),
        ("other_audience", 401, 401),
        ("id_token", 401, 401),
        ("refresh_token", 401, 401),
    ] {
        assert_eq!(
            (status(token, "/gaps"), status(token, "/invoices")),
            (gaps, invoices),
            "{token}\n{}",
            api.daemon.log()
        );
    }
    // Somebody whom an account names, with the authorization code flow; and a program that nobody names.
    let listed = |token: &str| text(&api.ask(Some(provider.token(token)), "/invoices"));
    assert!(listed("person").contains("CF-000001") && !listed("person").contains("CF-000002"), "{}", listed("person"));
    assert_eq!(listed("neither"), r#"{"items":[],"next":null}"#);
    assert_eq!(status("person", "/invoices/CF-000001/documents/html"), 200);
    assert_eq!(status("person", "/invoices/CF-000002/documents/html"), 404);
    assert!(listed("finance").contains("CF-000002"));
    let log = api.daemon.log();
    assert!(log.contains("caller=corporate/person-1") && log.contains("caller=corporate/pipeline"), "{log}");
    assert!(!log.contains("eyJ"), "a token is in the log: {log}");
}

/// Where browsers know the daemon to be, as the provider has it: nobody is there.
const PUBLIC: &str = "http://127.0.0.1:1";

/// A browser whose daemon is at another port than it knows: signed in at the provider, as far as the page after it.
fn signed_in(api: &Api, browser: &mut Browser, login: &str) -> Page {
    let page = browser.open(&format!("{}/sign-in/corporate?to=/%3Fhere", api.url));
    let mut page = browser.open(page.location().as_str());
    for _ in 0..10 {
        if matches!(page.status(), 302 | 303) {
            let to = page.location();
            if to.as_str().starts_with(PUBLIC) {
                return browser.open(&to.as_str().replace(PUBLIC, &api.url));
            }
            page = browser.open(to.as_str());
        } else if page.text().contains("name=\"login\"") {
            page = browser.send_form(&page, &[("login", login), ("password", "any")]);
        } else {
            page = browser.send_form(&page, &[]);
        }
    }
    panic!("the sign-in has no end: {}", page.text());
}

#[test]
fn people_sign_in_at_an_openid_provider() {
    let provider = OpenIdProvider::start();
    let issuer = |more: &str| {
        format!(
            "[[issuer]]\nname = \"corporate\"\nissuer = \"{}\"\nclient_id = \"pages\"\nclient_secret = \"pages-secret\"\n{more}",
            provider.token("issuer")
        )
    };
    let with = |more: &str| {
        let http = format!("public_url = \"{PUBLIC}\"\n");
        Api::made(&issuer(more), &http, "people = [\"corporate/person-1\"]")
    };
    let api = with("sre = \"billing:sre\"\nscopes = \"openid billing:sre\"\n");
    let mut browser = Browser::default();
    let page = signed_in(&api, &mut browser, "person-1");
    assert_eq!(header(&page.answer, "location"), "/?here", "{}", page.text());
    // The cookie is of the address that browsers know.
    assert!(browser.cookie(&api.url, "cf-billing-1").is_some());
    let overview = browser.open(&format!("{}/", api.url)).text();
    assert!(overview.contains("Foundations") && !overview.contains("CF-0"), "{overview}");
    // Out at the provider, too: it asks whether that is meant.
    let (_, fields) = browser.open(&format!("{}/", api.url)).form();
    let body = format!("form={}", fields[0].1);
    let to: url::Url = format!("{}/sign-out", api.url).parse().unwrap();
    let out = browser.send("POST", to, &[("origin", PUBLIC)], Some(body)).text();
    let from = out.find(provider.token("issuer")).unwrap();
    let address = out[from..from + out[from..].find('"').unwrap()].replace("&amp;", "&");
    let asked = browser.open(&address);
    assert!(asked.status() == 200 && asked.text().contains("form"), "{address}: {}", asked.text());
    // A role that isn't asked for isn't given: what is seen then is what the account names somebody for.
    let api = with("sre = \"billing:sre\"\nscopes = \"openid\"\n");
    let mut browser = Browser::default();
    signed_in(&api, &mut browser, "person-1");
    let overview = browser.open(&format!("{}/", api.url)).text();
    assert!(overview.contains("CF-000001") && !overview.contains("CF-000002"), "{overview}");
    assert!(!overview.contains("Foundations"), "{overview}");
    let mut browser = Browser::default();
    signed_in(&api, &mut browser, "person-2");
    let overview = browser.open(&format!("{}/", api.url)).text();
    assert!(overview.contains("There are none yet that are yours"), "{overview}");
    let log = api.daemon.log();
    assert!(!log.contains("eyJ"), "a token is in the log: {log}");
}
