//! Sessions of pages: who signs in how, what they see, and how it ends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use cf_billing::access::{ApiToken, Identity};
use cf_billing::clock::Clock;
use cf_billing::store::{SessionLimits, Store};

use super::browser::{Browser, Page};
use super::uaa::WithUaa;
use super::{Api, header, secret};
use crate::on_postgres;
use crate::support::background::eventually;
use crate::support::database;
use crate::support::node::node;
use crate::support::tool::on_path;

on_postgres!(a_token_signs_in_and_out, somebody_signs_in_at_uaa_and_sees_what_is_theirs);

/// Signs in by the token of that name, from the page that asks for it.
fn by_token(api: &Api, browser: &mut Browser, name: &str) -> Page {
    let page = browser.open(&format!("{}/sign-in", api.url));
    assert_eq!(page.status(), 200, "{}", page.text());
    let page = browser.send_form(&page_of_tokens(page), &[("token", secret(name))]);
    assert_eq!(page.location().path(), "/", "{}", page.text());
    browser.open(page.location().as_str())
}

/// The form for a token is the last of the page, after that of signing out.
fn page_of_tokens(mut page: Page) -> Page {
    let text = page.text();
    let at = text.rfind("<form").unwrap();
    *page.answer.body_mut() = text[at..].to_owned().into();
    page
}

fn sign_out(api: &Api, browser: &mut Browser) -> Page {
    let page = browser.open(&format!("{}/", api.url));
    browser.send_form(&page, &[])
}

#[test]
fn a_token_signs_in_and_out() {
    let api = Api::shared();
    let mut browser = Browser::default();
    let overview = format!("{}/", api.url);
    // Whoever isn't known signs in first.
    let page = browser.open(&overview);
    assert_eq!(page.location().path(), "/sign-in");
    for path in ["/sign-in/nobody", "/sign-in/nobody/callback?code=1&state=2"] {
        let page = browser.open(&format!("{}{path}", api.url));
        assert!([400, 404].contains(&page.status()) && !page.text().contains("CF-000001"), "{}", page.text());
    }
    // What a token of each role sees.
    for (name, sees, does_not) in [
        ("provider", &["Foundations", "Open drafts", "CF-000001", "CF-000002"][..], &[][..]),
        ("finance", &["Foundations", "Open drafts", "CF-000001", "CF-000002"], &[]),
        ("sre", &["Foundations", "sim"], &["Open drafts", "CF-000001", "Final invoices"]),
        ("tenant-one", &["CF-000001"], &["Foundations", "Open drafts", "CF-000002", "Zweite"]),
        ("tenant-two", &["CF-000002"], &["Foundations", "Open drafts", "CF-000001", "Erste"]),
    ] {
        let page = by_token(&api, &mut Browser::default(), name);
        let text = page.text();
        assert_eq!(page.status(), 200, "{text}");
        assert!(text.contains(&format!("Signed in as <b>{name}</b>")), "{name}: {text}");
        assert!(sees.iter().all(|one| text.contains(one)), "{name}: {text}");
        assert!(!does_not.iter().any(|one| text.contains(one)), "{name}: {text}");
        for (header_of_it, value) in [
            ("cache-control", "private, no-store"),
            ("vary", "Authorization, Cookie, Accept, Accept-Language"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(header(&page.answer, header_of_it), value);
        }
    }
    // A session is good for the API, too, to read what its tokens may read.
    by_token(&api, &mut browser, "tenant-one");
    let mine = browser.open(&format!("{}/api/v1/invoices", api.url));
    assert!(mine.text().contains("CF-000001") && !mine.text().contains("CF-000002"), "{}", mine.text());
    assert_eq!(browser.open(&format!("{}/api/v1/gaps", api.url)).status(), 403);
    // Both tenants in one session.
    let both = by_token(&api, &mut browser, "tenant-two").text();
    assert!(both.contains("CF-000001") && both.contains("CF-000002") && !both.contains("Open drafts"), "{both}");
    assert!(both.contains("Signed in as <b>tenant-one and tenant-two</b>"), "{both}");
    // Signing out ends it at the server, whoever still has the cookie.
    let kept = browser.cookie(&api.url, "cf-billing-").unwrap().clone();
    let out = sign_out(&api, &mut browser);
    assert!(out.status() == 200 && out.text().contains("Signed out"), "{}", out.text());
    assert!(browser.cookie(&api.url, "cf-billing-").is_none());
    assert_eq!(browser.open(&overview).location().path(), "/sign-in");
    let port = api.url.rsplit_once(':').unwrap().1;
    let again = format!("cf-billing-{port}={kept}");
    let page = browser.send("GET", overview.parse().unwrap(), &[("cookie", &again)], None);
    assert_eq!(page.location().path(), "/sign-in");
    let log = api.daemon.log();
    assert!(log.contains("caller=tenant-one"), "{log}");
    assert!(!log.contains(&kept) && !log.contains(secret("tenant-one")), "a secret is in the log");
}

#[test]
fn forms_come_from_our_own_pages_alone() {
    let api = Api::shared();
    let mut browser = Browser::default();
    let sign_in: url::Url = format!("{}/sign-in", api.url).parse().unwrap();
    let form = || Some(format!("token={}", secret("sre")));
    for headers in [
        &[][..],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("origin", "http://127.0.0.1:1")],
    ] {
        let page = browser.send("POST", sign_in.clone(), headers, form());
        assert_eq!(page.status(), 403, "{headers:?}: {}", page.text());
        assert!(browser.cookie(&api.url, "cf-billing-").is_none());
    }
    let own = [("origin", api.url.as_str())];
    for (token, status) in [("", 401), ("unknown", 401), ("x\u{0}", 401)] {
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
        let page = browser.send("POST", sign_in.clone(), &own, Some(body));
        assert_eq!(page.status(), status, "{token:?}: {}", page.text());
        assert!(page.text().contains("That token isn't known"), "{}", page.text());
    }
    // Two of one field are none; a form has a largest size.
    let twice = format!("{0}&{0}", form().unwrap());
    assert_eq!(browser.send("POST", sign_in.clone(), &own, Some(twice)).status(), 401);
    let padded = |length: usize| format!("{}&x={}", form().unwrap(), "a".repeat(length - form().unwrap().len() - 3));
    assert_eq!(browser.send("POST", sign_in.clone(), &own, Some(padded(4097))).status(), 413);
    let page = browser.send("POST", sign_in.clone(), &own, Some(padded(4096)));
    let cookie = header(&page.answer, "set-cookie").to_owned();
    assert_eq!(page.status(), 303, "{}", page.text());
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    // It comes back to a page of ours.
    for (to, comes_to) in
        [("/x?y=1", "/x?y=1"), ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil", "/")]
    {
        let body = url::form_urlencoded::Serializer::new(form().unwrap()).append_pair("to", to).finish();
        let page = Browser::default().send("POST", sign_in.clone(), &own, Some(body));
        assert_eq!(header(&page.answer, "location"), comes_to);
    }
    // Signing out takes the token of the session's own forms, and nothing is signed out by a link.
    let sign_out: url::Url = format!("{}/sign-out", api.url).parse().unwrap();
    let page = browser.open(&format!("{}/", api.url));
    let (_, fields) = page.form();
    let other = by_token(&api, &mut Browser::default(), "sre").form().1;
    assert_ne!(fields, other);
    for body in [String::new(), format!("form={}", other[0].1), format!("form={0}&form={0}", fields[0].1)] {
        let page = browser.send("POST", sign_out.clone(), &own, Some(body));
        assert_eq!(page.status(), 403, "{}", page.text());
    }
    assert_eq!(browser.send("GET", sign_out.clone(), &[], None).status(), 405);
    let whole = Some(format!("form={}", fields[0].1));
    assert_eq!(browser.send("POST", sign_out.clone(), &[], whole.clone()).status(), 403);
    assert_eq!(browser.open(&format!("{}/", api.url)).status(), 200);
    assert_eq!(browser.send("POST", sign_out, &own, whole).status(), 200);
    assert_eq!(browser.open(&format!("{}/", api.url)).status(), 303);
}

/// What only a real one tells: which `Origin` it sends, and what our policy lets it do.
#[test]
fn a_browser_signs_in_and_out() {
    let api = Api::shared();
    let output = node("browser.mjs")
        .args([&format!("{}/", api.url), secret("finance")])
        .env("CHROMIUM", on_path("chromium"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), api.daemon.log());
    let said: Value = serde_json::from_str(&said).unwrap();
    let authority = api.url.trim_start_matches("http://");
    assert_eq!(said["asked"], format!("{authority}/sign-in"), "it is led to the name that cookies are of");
    let seen = said["seen"].as_str().unwrap();
    assert!(seen.contains("Signed in as finance") && seen.contains("CF-000001"), "{said}");
    let port = authority.split(':').next_back().unwrap();
    let cookie = json!([{"name": format!("cf-billing-{port}"), "httpOnly": true, "sameSite": "Lax"}]);
    assert_eq!(said["cookies"], cookie);
    assert!(said["out"].as_str().unwrap().contains("Signed out"), "{said}");
    assert_eq!((&said["after"], &said["left"], &said["refused"]), (&json!("/sign-in"), &json!(0), &json!([])));
}

/// The keys of an issuer at which people sign in.
const CLIENT: &str =
    "client_id = \"billing-web\"\nclient_secret = \"web-secret\"\nscopes = \"openid cf_billing.read cf_billing.sre\"\n";

/// Goes to UAA and back, as far as the page that it sends the browser to.
#[track_caller]
fn at_uaa(with: &WithUaa, browser: &mut Browser, user: &str) -> Page {
    let page = browser.open(&format!("{}/sign-in/uaa", with.api.url));
    let page = browser.open(page.location().as_str());
    let page = browser.send_form(&page, &[("username", user), ("password", "secret")]);
    let back = page.location();
    assert_eq!(back.path(), "/sign-in/uaa/callback", "{back}");
    browser.open(back.as_str())
}

#[track_caller]
fn overview(with: &WithUaa, browser: &mut Browser) -> String {
    let page = browser.open(&format!("{}/", with.api.url));
    assert_eq!(page.status(), 200, "{} {}", page.status(), page.text());
    page.text()
}

#[test]
fn somebody_signs_in_at_uaa_and_sees_what_is_theirs() {
    let with = WithUaa::new(CLIENT, "");
    let mut browser = Browser::default();
    let choices = browser.open(&format!("{}/sign-in", with.api.url)).text();
    assert!(choices.contains("Sign in at uaa") && choices.contains("(foundation f)"), "{choices}");
    // A user without a role sees that nothing is theirs; once they have one, what it opens; and no longer once it is gone.
    let page = at_uaa(&with, &mut browser, "user-1");
    assert_eq!(page.location().path(), "/", "{}", page.text());
    assert!(overview(&with, &mut browser).contains("There are none yet that are yours"));
    let role = with.foundation().grant("user-1", "organization_manager", "o1");
    let log = || with.api.daemon.log();
    let page = eventually(log, || Some(overview(&with, &mut browser)).filter(|text| text.contains("CF-0")));
    assert!(page.contains("one") && !page.contains("two") && !page.contains("Foundations"), "{page}");
    with.foundation().revoke(&role);
    eventually(log, || (!overview(&with, &mut browser).contains("CF-0")).then_some(()));
    // The key of UAA is another by now.
    with.foundation().uaa.rotate();
    let mut sre = Browser::default();
    assert_eq!(at_uaa(&with, &mut sre, "ada").location().path(), "/");
    let page = overview(&with, &mut sre);
    // Of its own foundation alone.
    assert!(page.contains("<td>f</td>") && !page.contains("<td>g</td>") && !page.contains("CF-0"), "{page}");
    assert!(page.contains("Signed in as <b>ada (uaa)</b>"), "{page}");
    // Who signs out may sign out at UAA, too.
    let page = browser.open(&format!("{}/", with.api.url));
    let out = browser.send_form(&page, &[]).text();
    assert!(out.contains("/logout.do?client_id=billing-web&amp;redirect=http%3A%2F%2F127.0.0.1"), "{out}");
    let log = with.api.daemon.log();
    assert!(!log.contains("eyJ") && !log.contains("simulated-code"), "a token or a code is in the log: {log}");
}

#[test]
fn a_sign_in_that_is_not_the_one_that_began_is_refused() {
    let with = WithUaa::new(CLIENT, "");
    let refused = |page: &Page, told: &str| {
        assert!([400, 401].contains(&page.status()) && page.text().contains(told), "{} {}", page.status(), page.text());
    };
    let returned = |browser: &mut Browser, user: &str| {
        let page = browser.open(&format!("{}/sign-in/uaa?to=/x", with.api.url));
        let page = browser.open(page.location().as_str());
        browser.send_form(&page, &[("username", user), ("password", "secret")]).location()
    };
    let kept = |browser: &mut Browser| -> Value {
        let text = browser.cookie(&with.api.url, "cf-billing-sign-in").unwrap().clone();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap()).unwrap()
    };
    let keep = |browser: &mut Browser, changed: &Value| {
        let cookie = browser.cookie(&with.api.url, "cf-billing-sign-in").unwrap();
        let seal = cookie.split('.').next_back().unwrap();
        *cookie = format!("{}.{seal}", URL_SAFE_NO_PAD.encode(changed.to_string()));
    };
    // Another browser's: whoever is sent a link isn't signed in as the one who sent it.
    let mut browser = Browser::default();
    let back = returned(&mut browser, "ada");
    refused(&Browser::default().open(back.as_str()), "This browser began no sign-in there");
    // It is good once.
    assert_eq!(browser.open(back.as_str()).location().path(), "/x");
    let begun = {
        browser.open(&format!("{}/sign-in/uaa", with.api.url));
        kept(&mut browser)
    };
    let again = format!("{}&state={}", back.as_str().split("&state").next().unwrap(), begun["state"].as_str().unwrap());
    refused(&browser.open(&again), "it took too long, or was used already");
    // Nothing of what the browser keeps can be changed: it is sealed.
    for part in ["state", "nonce", "verifier", "issuer", "then", "began_at"] {
        let mut browser = Browser::default();
        let back = returned(&mut browser, "ada");
        let mut changed = kept(&mut browser);
        changed[part] = json!(format!("{}x", changed[part].as_str().unwrap()));
        keep(&mut browser, &changed);
        refused(&browser.open(back.as_str()), "This browser began no sign-in there");
        assert!(browser.cookie(&with.api.url, "cf-billing-sign-in").is_none());
    }
    let mut browser = Browser::default();
    let back = returned(&mut browser, "ada");
    refused(&browser.open(&back.as_str().replace("state=", "state=x")), "to another sign-in");
    let back = returned(&mut browser, "ada");
    refused(&browser.open(&format!("{back}&state=x")), "to another sign-in");
    let back = returned(&mut browser, "ada");
    refused(&browser.open(&format!("{back}&iss=https://evil.example")), "another provider");
    let back = returned(&mut browser, "ada");
    let without = back.as_str().split("?code").next().unwrap().to_owned();
    let state = kept(&mut browser)["state"].as_str().unwrap().to_owned();
    refused(&browser.open(&format!("{without}?error=access_denied&state={state}")), "refused the sign-in");
    // A user who has no scope of ours, whose tokens are for others.
    with.foundation().uaa.users.iter_mut().find(|user| user.name == "user-2").unwrap().scopes =
        vec!["openid".to_owned()];
    let back = returned(&mut browser, "user-2");
    refused(&Browser::default().open(back.as_str()), "began no sign-in");
    refused(&browser.open(back.as_str()), "no access token for this");
    // UAA is away: nobody is refused for that.
    let mut browser = Browser::default();
    let back = returned(&mut browser, "ada");
    with.foundation().uaa.clients.retain(|client| client.id != "billing-web");
    let page = browser.open(back.as_str());
    refused(&page, "doesn't take the sign-in back");
    assert!(with.api.daemon.log().contains("the provider gives no token"), "{}", with.api.daemon.log());
}

#[test]
fn a_role_of_staff_ends_with_its_token() {
    let with = WithUaa::new(CLIENT, "people = [\"uaa/user-3\"]");
    with.foundation().uaa.validity_seconds = 2;
    let mut browser = Browser::default();
    at_uaa(&with, &mut browser, "ada");
    let log = || with.api.daemon.log();
    // Whoever has nothing but that is sent to sign in there again, without being asked where.
    let page =
        eventually(log, || Some(browser.open(&format!("{}/", with.api.url))).filter(|page| page.status() == 303));
    assert_eq!(page.location().path(), "/sign-in/uaa");
    let page = browser.open(&format!("{}/api/v1/gaps", with.api.url));
    assert!(page.status() == 401 && page.text().contains("the session has ended"), "{}", page.text());
    // A tenant's session goes on: what is theirs is looked up again and again.
    at_uaa(&with, &mut browser, "user-3");
    let began = std::time::Instant::now();
    eventually(log, || {
        let page = overview(&with, &mut browser);
        assert!(page.contains("Signed in as <b>user-3 (uaa)</b>") && page.contains("CF-0"), "{page}");
        (began.elapsed().as_secs() > 3).then_some(())
    });
}

/// A secret from before a sign-in that comes again was copied by somebody.
#[test]
fn who_comes_with_a_secret_that_was_replaced_ends_the_session() {
    let api = Api::shared();
    let now = Clock::System.now();
    let url = api.program.database();
    let limits = SessionLimits { idle_seconds: 1800, longest_seconds: 3600 };
    let token = |name: &str| Identity::Token { name: name.to_owned(), digest: ApiToken::digest(secret(name)) };
    let secrets = ["first", "second", "third", "other"].map(|name| format!("{name:a<42}A"));
    let [first, second, third, other] = &secrets;
    let port = api.url.rsplit_once(':').unwrap().1.to_owned();
    let status = |held: &str| {
        let cookie = format!("cf-billing-{port}={held}");
        Browser::default().send("GET", format!("{}/", api.url).parse().unwrap(), &[("cookie", &cookie)], None).status()
    };
    let begin = |secret: &str, name: &str, before: Option<&str>, at| {
        database::run(|| async {
            let store = Store::open(&url).await.unwrap();
            let begun = store.begin_session(secret, &token(name), before, limits, at).await.unwrap();
            store.close().await;
            begun.identities.len()
        })
    };
    let two_minutes_ago = now.plus(-120);
    assert_eq!(begin(first, "sre", None, two_minutes_ago), 1);
    assert_eq!(status(first), 200);
    assert_eq!(begin(second, "provider", Some(first), two_minutes_ago), 2);
    assert_eq!(begin(other, "sre", None, now), 1);
    assert_eq!(status(second), 200);
    // Somebody else has the first still: both are out.
    assert_eq!(status(first), 303);
    eventually(|| api.daemon.log(), || (status(second) == 303).then_some(()));
    assert_eq!(status(other), 200, "another session goes on");
    // A session that was signed out, or whose secret was replaced, gives nobody to the next.
    assert_eq!(begin(third, "sre", Some(second), now), 1);
    // A request that was under way while somebody signed in ends nothing.
    let fourth = "fourth".to_owned() + &"a".repeat(36) + "A";
    assert_eq!(begin(&fourth, "provider", Some(third), now), 2);
    assert_eq!((status(third), status(&fourth)), (303, 200));
    assert_eq!(begin(&format!("{:a<42}A", "fifth"), "provider", Some(third), now), 1);
    assert_eq!(status(&fourth), 200);
}

/// Whoever writes to the book keeps nobody from reading it.
#[test]
fn a_session_goes_on_while_the_book_can_not_be_written() {
    let with = Api::new();
    let mut browser = Browser::default();
    by_token(&with, &mut browser, "finance");
    let url = with.program.database();
    let file = url.trim_start_matches("sqlite://");
    let writer = sqlite_writer(file);
    // As if it had been used a while ago.
    writer.execute("UPDATE session SET seen_at = seen_at - 300");
    writer.execute("BEGIN IMMEDIATE");
    for _ in 0..3 {
        let began = std::time::Instant::now();
        assert_eq!(browser.open(&format!("{}/", with.url)).status(), 200);
        assert_eq!(Browser::default().open(&format!("{}/", with.url)).status(), 303);
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
    writer.execute("COMMIT");
}

/// A connection of its own, with a transaction that can be left open.
struct Writer {
    runtime: tokio::runtime::Runtime,
    connection: std::cell::RefCell<sqlx::SqliteConnection>,
}

fn sqlite_writer(file: &str) -> Writer {
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(std::time::Duration::from_secs(20));
    let connection = runtime.block_on(options.connect()).unwrap();
    Writer { runtime, connection: connection.into() }
}

impl Writer {
    fn execute(&self, statement: &'static str) {
        let mut connection = self.connection.borrow_mut();
        self.runtime.block_on(sqlx::query(statement).execute(&mut *connection)).unwrap();
    }
}

/// Whatever is configured under an issuer's name, a session is of the one that it signed in at.
#[test]
fn a_session_ends_with_what_its_issuer_was_trusted_with() {
    let mut with = WithUaa::new(CLIENT, "");
    let mut browser = Browser::default();
    at_uaa(&with, &mut browser, "ada");
    let kept = browser.cookie(&with.api.url, "cf-billing-").unwrap().clone();
    let file = with.api.program.folder.path().join("cf-billing.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut status_with = |text: &str| {
        std::fs::write(&file, text).unwrap();
        with.restart();
        let port = with.api.url.rsplit_once(':').unwrap().1.to_owned();
        let cookie = format!("cf-billing-{port}={kept}");
        let url = format!("{}/", with.api.url).parse().unwrap();
        Browser::default().send("GET", url, &[("cookie", &cookie)], None).status()
    };
    assert_eq!(status_with(&text), 200, "a restart ends nothing");
    assert_eq!(status_with(&text.replace("sre = \"cf_billing.sre\"", "sre = \"other.scope\"")), 303);
    assert_eq!(status_with(&text), 200);
    assert_eq!(status_with(&text.replace("name = \"uaa\"", "name = \"uab\"")), 303);
}
