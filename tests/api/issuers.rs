//! Access tokens of a UAA: which are taken, and for what.

use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cf_billing::clock::Clock;
use cf_billing::identity::{Identities, Unproven};
use ring::hmac;
use serde_json::{Value, json};

use super::uaa::{WithUaa, foundation, guid};
use super::{header, secret, text};
use crate::support::background::eventually;
use crate::support::program::Program;
use crate::support::served::Served;

fn detail(with: &WithUaa, token: &str) -> (u16, String) {
    let answer = with.api.ask(Some(token), "/gaps");
    let problem: Value = serde_json::from_slice(answer.body()).unwrap();
    (answer.status().as_u16(), problem["detail"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_scope_grants_a_role_in_the_foundations_of_its_issuer() {
    let with = WithUaa::new("", "");
    let sre = with.token("ada", &["openid", "cf_billing.sre"]);
    let names = |token: &str| -> Vec<String> {
        let listed = with.api.json(Some(token), "/foundations")["items"].clone();
        listed.as_array().unwrap().iter().map(|one| one["foundation"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(secret("provider")), names(&sre)), (vec!["f".to_owned(), "g".to_owned()], vec!["f".to_owned()]));
    assert_eq!(with.api.ask(Some(&sre), "/foundations/f").status(), 200);
    // Another's foundation is as one that doesn't exist.
    let without_id = |path: &str| {
        let answer = with.api.ask(Some(&sre), path);
        assert_eq!(answer.status(), 404, "{path}");
        text(&answer).replace(header(&answer, "x-request-id"), "")
    };
    for path in ["/foundations/", "/gaps?foundation=", "/anomalies?foundation="] {
        assert_eq!(without_id(&format!("{path}g")), without_id(&format!("{path}nowhere")), "{path}");
    }
    for path in ["/gaps", "/anomalies", "/gaps?foundation=f", "/anomalies?foundation=f"] {
        let told = text(&with.api.ask(Some(&sre), path));
        assert!(!told.contains("\"g\""), "{path}: {told}");
    }
    for path in ["/invoices", "/cost?period=2026-10", "/accounts", "/usage?from=2026-10-01&to=2026-11-01"] {
        assert_eq!(with.api.ask(Some(&sre), path).status(), 403, "{path}");
    }
    // What the issuer may not grant, its tokens don't.
    let would_be = with.token("ada", &["openid", "cf_billing.provider"]);
    assert_eq!(with.api.ask(Some(&would_be), "/gaps").status(), 403);
    assert_eq!(text(&with.api.ask(Some(&would_be), "/invoices")), r#"{"items":[],"next":null}"#);
    let log = with.api.daemon.log();
    assert!(log.contains(&format!("caller=uaa/{}", guid("ada"))), "{log}");
    assert!(!log.contains("eyJ"), "a token is in the log: {log}");
}

/// What is in the book from a time when it was configured is nobody's whom a UAA vouches for.
#[test]
fn a_role_over_everything_is_over_what_the_issuer_speaks_for() {
    let grants = "provider = \"cf_billing.provider\"";
    for (more, provider, seen) in [(&[][..], 200, "f g"), (&["gone"], 403, "f g")] {
        let with = WithUaa::speaking_for("f, g", grants, "", more);
        let owner = with.token("ada", &["cf_billing.provider"]);
        for path in
            ["/invoices", "/cost?period=2026-10", "/accounts", "/foundations", "/usage?from=2026-10-01&to=2026-11-01"]
        {
            let answer = with.api.ask(Some(&owner), path);
            assert_eq!(answer.status(), provider, "{path} with {more:?}: {}", text(&answer));
        }
        let sre = with.token("ada", &["cf_billing.sre"]);
        let listed = with.api.json(Some(&sre), "/foundations")["items"].clone();
        let names: Vec<&str> =
            listed.as_array().unwrap().iter().map(|one| one["foundation"].as_str().unwrap()).collect();
        assert_eq!(names.join(" "), seen);
        assert_eq!(with.api.ask(Some(secret("provider")), "/invoices").status(), 200);
    }
}

/// Whoever goes away while keys are read keeps nobody from them, and has them read no more often.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_while_keys_are_read_changes_nothing() {
    let served = Served::new(foundation(1)).await;
    let issuer = format!("{}/oauth/token", served.api);
    served.foundation.lock().unwrap().uaa.issuer.clone_from(&issuer);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cf-billing.toml");
    std::fs::write(&file, format!("[[issuer]]\nname = \"uaa\"\nissuer = \"{issuer}\"\n")).unwrap();
    let url = ("CF_BILLING__DATABASE__URL".to_owned(), "sqlite://unused.db".to_owned());
    let configuration = cf_billing::config::load(Some(&file), [url]).unwrap();
    let clock = Clock::manual(Clock::System.now());
    let identities = Identities::new(&configuration, Vec::new(), &clock).unwrap();
    let token = {
        let mut foundation = served.foundation.lock().unwrap();
        let now = foundation.now();
        foundation.uaa.issue_to_user("ada", "billing-web", &["cf_billing.read"], now).unwrap()
    };
    let requests = || served.foundation.lock().unwrap().requests;
    let before = requests();
    {
        // Nothing is answered as long as this is held.
        let _held = served.foundation.lock().unwrap();
        for _ in 0..50 {
            let mut asking = Box::pin(identities.caller(&token));
            let gone =
                std::future::poll_fn(|context| std::task::Poll::Ready(asking.as_mut().poll(context).is_pending()));
            assert!(std::pin::pin!(gone).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(true));
        }
    }
    assert!(identities.caller(&token).await.is_ok());
    assert_eq!(requests() - before, 2, "where the keys are, and the keys");
    // Nor do names of keys that there are not.
    let unknown =
        token.replacen(token.split('.').next().unwrap(), &URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"x"}"#), 1);
    for _ in 0..20 {
        assert!(matches!(identities.caller(&unknown).await, Err(Unproven::Refused(_))));
    }
    assert_eq!(requests() - before, 2);
    clock.set(clock.now().plus(10));
    assert!(identities.caller(&unknown).await.is_err() && identities.caller(&unknown).await.is_err());
    assert_eq!(requests() - before, 4, "once in ten seconds");
    // Keys that are an hour old are asked for again, and used for a day where nobody answers.
    served.foundation.lock().unwrap().uaa.issuer = "https://another.example/oauth/token".to_owned();
    for (hours, is_ok) in [(1, true), (23, true), (25, false)] {
        clock.set(Clock::System.now().plus(3600 * hours));
        assert_eq!(identities.caller(&token).await.is_ok(), is_ok, "{hours} h");
    }
}

#[test]
fn only_access_tokens_that_the_issuer_signed_for_us_are_taken() {
    let with = WithUaa::new("zone = \"uaa\"", "");
    let now = with.foundation().now().unix();
    assert_eq!(detail(&with, &with.signed(&json!({}))).0, 200);
    for (changes, said) in [
        (json!({"exp": now - 61}), "the token has expired"),
        (json!({"exp": now + 3600, "nbf": now + 120}), "the token isn't valid yet"),
        (json!({"exp": null}), "the token has no `exp`"),
        (json!({"aud": ["cloud_controller"]}), "the token isn't for `cf_billing`"),
        (json!({"aud": null}), "the token has no `aud`"),
        (json!({"zid": "other"}), "the token is of another identity zone"),
        (json!({"iss": "https://uaa.elsewhere.example/oauth/token"}), "which isn't configured"),
        (json!({"jti": "1-r"}), "it is a refresh token"),
        (json!({"nonce": "n", "scope": null}), "it is an ID token"),
        (json!({"aud": "cf_billing", "cid": "cf_billing", "scope": ["openid"]}), "ID tokens look like that"),
        (json!({"user_id": null}), "the token names nobody"),
        (json!({"sub": "somebody else"}), "the token names nobody"),
    ] {
        let (status, told) = detail(&with, &with.signed(&changes));
        assert!(status == 401 && told.contains(said), "{changes}: {status} {told}");
    }
    // Clocks may differ a little.
    assert_eq!(detail(&with, &with.signed(&json!({"exp": now - 30}))).0, 200);
    assert_eq!(detail(&with, &with.signed(&json!({"nbf": now + 30}))).0, 200);
}

#[test]
fn a_signature_by_anybody_else_is_refused() {
    let with = WithUaa::new("", "");
    let good = with.signed(&json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let modulus = {
        let keys = crate::support::background::text(&good_keys(&with));
        let keys: Value = serde_json::from_str(&keys).unwrap();
        keys["keys"][0]["n"].as_str().unwrap().to_owned()
    };
    // The public key, taken for a secret that both sides know.
    let by_public_key = {
        let message = format!("{}.{}", encoded(&json!({"alg": "HS256", "kid": "key-1", "typ": "JWT"})), parts[1]);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &URL_SAFE_NO_PAD.decode(&modulus).unwrap());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
    };
    let with_header = |head: &Value| format!("{}.{}.{}", encoded(head), parts[1], parts[2]);
    let changed = {
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        claims["scope"] = json!(["cf_billing.provider"]);
        format!("{}.{}.{}", parts[0], encoded(&claims), parts[2])
    };
    // A key of its own, as a token can name it or bring it along.
    let own = json!({"kty": "RSA", "n": modulus, "e": "AQAB", "kid": "mine", "alg": "RS256", "use": "sig"});
    for (what, token) in [
        ("alg: none", format!("{}.{}.", encoded(&json!({"alg": "none", "typ": "JWT"})), parts[1])),
        ("alg: none with a signature", with_header(&json!({"alg": "none", "kid": "key-1"}))),
        ("the public key as a secret", by_public_key),
        ("another algorithm", with_header(&json!({"alg": "RS512", "kid": "key-1"}))),
        ("an algorithm of other keys", with_header(&json!({"alg": "ES256", "kid": "key-1"}))),
        ("other claims", changed),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("a cut signature", good[..good.len() - 4].to_owned()),
        ("the other key's name", with_header(&json!({"alg": "RS256", "kid": "key-2"}))),
        ("no key's name", with_header(&json!({"alg": "RS256"}))),
        ("a key that it brings along", with_header(&json!({"alg": "RS256", "kid": "mine", "jwk": own}))),
        ("an unknown critical header", with_header(&json!({"alg": "RS256", "kid": "key-1", "crit": ["x"], "x": 1}))),
        ("four parts", format!("{good}.x")),
        ("nothing", "..".to_owned()),
    ] {
        let (status, told) = detail(&with, &token);
        assert_eq!(status, 401, "{what}: {told}");
    }
    assert_eq!(detail(&with, &good).0, 200);
}

fn good_keys(with: &WithUaa) -> String {
    format!("{}/token_keys", with.foundation().base)
}

/// Whatever a token says of where its key is, nobody asks there: the simulated UAA's own `jku` leads nowhere, too.
#[test]
fn keys_are_read_where_the_issuer_says_and_again_when_they_change() {
    let with = WithUaa::new("", "");
    with.foundation().uaa.forgets_old_key = true;
    let before = with.token("ada", &["cf_billing.sre"]);
    assert_eq!(detail(&with, &before).0, 200);
    with.foundation().uaa.rotate();
    // The keys that are known are asked for again not sooner than after ten seconds, and not for each token.
    let after = with.token("ada", &["cf_billing.sre"]);
    eventually(|| with.api.daemon.log(), || (detail(&with, &after).0 == 200).then_some(()));
    assert_eq!(detail(&with, &before).0, 401, "a key that was withdrawn is good no longer");
}

#[test]
fn an_issuer_that_can_not_be_asked_is_no_refusal() {
    let with = WithUaa::new("", "");
    let good = with.signed(&json!({}));
    let issuer = with.foundation().uaa.issuer.clone();
    with.foundation().uaa.issuer = "https://another.example/oauth/token".to_owned();
    let answer = with.api.ask(Some(&good), "/gaps");
    let told = text(&answer);
    assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "10"), "{told}");
    assert!(told.contains("unproven") && !told.contains("another.example"), "{told}");
    let log = with.api.daemon.log();
    assert!(log.contains("`issuer` must be that, letter for letter"), "{log}");
    with.foundation().uaa.issuer = issuer;
    eventually(|| with.api.daemon.log(), || (detail(&with, &good).0 == 200).then_some(()));
}

#[test]
fn check_tries_each_issuer() {
    let with = WithUaa::new("", "");
    let checked = || with.api.program.run(&["check", "--config", "cf-billing.toml"]).stdout;
    let good = checked();
    assert!(good.contains("2 key(s); for f; `cf_billing.sre` is sre"), "{good}");
    with.foundation().uaa.issuer = "https://another.example/oauth/token".to_owned();
    let bad = checked();
    assert!(bad.contains("says that its issuer is `https://another.example/oauth/token`"), "{bad}");
}

#[test]
fn tokens_of_the_cf_cli_are_taken_if_that_is_configured() {
    let cli =
        json!({"cid": "cf", "aud": ["cf", "cloud_controller"], "scope": ["cloud_controller.read", "cf_billing.sre"]});
    for (configured, status) in [("", 401), ("cf_cli = \"tenants\"", 403)] {
        let with = WithUaa::new(configured, "");
        assert_eq!(with.api.ask(Some(&with.signed(&cli)), "/gaps").status(), status, "{configured}");
    }
}

/// What an `[[issuer]]` lacks or has too much of, and what is said of it.
#[test]
fn an_issuer_that_is_not_whole_is_refused() {
    let program = Program::without_database();
    let check = |text: &str| {
        let foundations = ["f", "g"].map(|name| {
            format!("[[foundation]]\nname = \"{name}\"\napi = \"https://api.{name}.example\"\nclient_id = \"c\"\nclient_secret = \"s\"\n")
        });
        std::fs::write(program.folder.path().join("cf-billing.toml"), foundations.concat() + text).unwrap();
        let run = program.run(&["usage", "--from", "2026-10-01", "--to", "2026-10-02", "--config", "cf-billing.toml"]);
        run.stderr
    };
    let of = |name: &str, url: &str, more: &str| format!("[[issuer]]\nname = \"{name}\"\nissuer = \"{url}\"\n{more}\n");
    let url = "https://uaa.example/oauth/token";
    let everywhere =
        |more: &str| format!("[http]\nlisten = \"0.0.0.0:1\"\npublic_url = \"https://billing.example.org\"\n{more}\n");
    for (text, said) in [
        (of("a", url, ""), ""),
        (of("a", url, "foundations = \"f, g\"\nprovider = \"x\""), ""),
        (of("a", url, "provider = \"x\"\nfinance = \"y\""), ""),
        (of("a", url, "foundations = \"f\"\nsre = \"x\""), ""),
        (
            of("a", url, "foundations = \"f\"\nprovider = \"x\""),
            "`provider` is a role over everything, and this issuer speaks for f alone",
        ),
        (of("a", url, "foundations = \"f\"\nfinance = \"x\""), "`finance` is a role over everything"),
        (of("a", url, "provider = \"x\"\nsre = \"x\""), "`x` grants both `provider` and `sre`"),
        (of("a", url, "foundations = \"h\""), "no foundation `h` is configured"),
        (of("a", url, "foundations = \"f,,g\""), "a name is empty"),
        (of("a", "http://127.0.0.1:1/oauth/token", ""), ""),
        (of("a", "http://uaa.example/oauth/token", ""), "isn't https"),
        (of("a", "uaa.example", ""), "is not a URL"),
        (of("a", "https://uaa.example/oauth/token ", ""), ""),
        (of("a", "https://UAA.example/oauth/token", ""), "isn't written as an address is"),
        (of("a", "https://uaa.example", ""), ""),
        (of("a", "https://uaa.example/", ""), ""),
        (of("a", url, "sre = \"a b\""), "`a b` is several scopes"),
        (of("a", url, "sre = \"a b\"\nclaim = \"groups\""), ""),
        (of("a", "https://user@uaa.example/", ""), "an issuer has no user, query or fragment"),
        (of("a", "https://uaa.example/?a=b", ""), "an issuer has no user, query or fragment"),
        (of("a", url, "audience = \"cloud_controller\""), "aren't taken as ours"),
        (of("a", url, "cf_cli = \"tenants\""), "this issuer speaks for no foundation"),
        (of("a", url, "foundations = \"f\"\ncf_cli = \"yes\""), "`yes`"),
        (of("a", url, "billing_managers = \"all\""), "`all`"),
        (of("a", url, "") + &of("a", "https://other.example", ""), "two issuers are named `a`"),
        (of("a", url, "") + &of("b", url, ""), "`a` and `b` are the same issuer"),
        (
            of("a", url, "foundations = \"f\"") + &of("b", "https://other.example", "foundations = \"f\""),
            "`a` and `b` both speak for `f`",
        ),
        ("[[issuer]]\nname = \"a\"\n".to_owned(), "`issuer` is missing in `issuer`"),
        (of("a", url, "client_id = \"c\"\nclient_secret = \"s\""), ""),
        (of("a", url, "client_id = \"c\""), "`client_secret` is missing"),
        (of("a", url, "client_secret = \"s\""), "`client_id` is missing"),
        (of("a", url, "scopes = \"openid cf_billing.read\""), ""),
        (of("a", url, "scopes = \"cf_billing.read\""), "doesn't have the scope `openid`"),
        (of("a", url, "") + "[http]\npublic_url = \"https://billing.example.org\"\n", ""),
        (of("a", url, "") + "[http]\npublic_url = \"https://billing.example.org:8443/\"\n", ""),
        (of("a", url, "") + "[http]\npublic_url = \"http://localhost:9495\"\n", ""),
        (of("a", url, "") + "[http]\npublic_url = \"http://billing.example.org\"\n", "isn't https"),
        (of("a", url, "") + "[http]\npublic_url = \"billing.example.org\"\n", "is not a URL"),
        (of("a", url, "") + "[http]\npublic_url = \"https://billing.example.org/x\"\n", "more than a host and a port"),
        (of("a", url, "") + "[http]\npublic_url = \"https://billing.example.org?x\"\n", "has a query or a fragment"),
        ("[http]\npublic_url = \"https://billing.example.org\"\n".to_owned(), "nobody could sign in"),
        ("[http]\nlisten = \"0.0.0.0:1\"\n".to_owned(), "is not a loopback address"),
        (of("a", url, "") + &everywhere(""), "is not a loopback address"),
        (of("a", url, "") + &everywhere("trusted_proxies = \"10.0.0.0/8, 192.0.2.7, 2001:db8::/32\""), ""),
        (of("a", url, "") + &everywhere("trusted_proxies = \"10.0.0.0/33\""), "is not an address or a network"),
        (of("a", url, "") + &everywhere("tls_certificate = \"a.pem\"\ntls_key = \"a.key\""), ""),
        (of("a", url, "") + &everywhere("tls_certificate = \"a.pem\""), "`tls_key` is missing"),
        (of("a", url, "") + &everywhere("tls_key = \"a.key\""), "`tls_certificate` is missing"),
        ("[http]\nsession_idle = \"59s\"\n".to_owned(), "session_idle"),
        ("[http]\nsession_idle = \"25h\"\n".to_owned(), "session_idle"),
        ("[http]\nsession_idle = \"60s\"\nsession_longest = \"5m\"\n".to_owned(), ""),
        ("[http]\nsession_idle = \"24h\"\nsession_longest = \"30d\"\n".to_owned(), ""),
        ("[http]\nsession_longest = \"299s\"\n".to_owned(), "session_longest"),
        ("[http]\nsession_longest = \"31d\"\n".to_owned(), "session_longest"),
        ("[http]\nroles_every = \"999ms\"\n".to_owned(), "roles_every"),
        ("[http]\nroles_every = \"901s\"\n".to_owned(), "roles_every"),
        ("[http]\nroles_every = \"15m\"\n".to_owned(), ""),
    ] {
        let stderr = check(&text);
        if said.is_empty() {
            assert!(
                ["issuer", "roles_every", "public_url", "session_", "listen", "tls_", "trusted"]
                    .iter()
                    .all(|one| !stderr.contains(one)),
                "{text}\n{stderr}"
            );
        } else {
            assert!(stderr.contains(said), "{text}\n{stderr}");
        }
    }
}
