//! What people see by their roles in Cloud Controller.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use cf_billing::access::Person;
use cf_billing::clock::Clock;
use cf_billing::cloud_controller::Client;
use cf_billing::cloud_controller::transport::Http;
use cf_billing::identity::{Identities, Unproven};
use cf_billing::simulator::Foundation;
use cf_billing::simulator::faults::Fault;
use cf_billing::store::Store;
use serde_json::json;

use super::isolation::ASKED;
use super::uaa::{WithUaa, foundation, guid};
use super::{header, secret, text};
use crate::on_postgres;
use crate::support::background::eventually;
use crate::support::member::credentials;
use crate::support::program::Program;
use crate::support::served::Served;

on_postgres!(each_role_sees_what_it_opens_and_no_more, who_is_named_by_an_account_sees_its_documents);

const BY_EVERYTHING: &str =
    "/cost?period=2026-10&by=account,foundation,org,space,app,service,buildpack,plan,kind,meter";

/// Rows of cost as `account org/space/app amount`; `-` for what isn't told.
fn cost(with: &WithUaa, token: &str) -> Vec<String> {
    let rows = with.api.json(Some(token), BY_EVERYTHING)["items"].clone();
    let row = |row: &serde_json::Value| {
        let key = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        assert!(row["part"] == "usage" || row["org_guid"].is_null(), "{row}");
        // What isn't told of a space isn't told otherwise either.
        if row["space_guid"].is_null() {
            for name in ["space_name", "app_guid", "app_name", "kind", "meter", "buildpack"] {
                assert!(row[name].is_null(), "{name}: {row}");
            }
        }
        format!("{} {}/{}/{} {}", key("account"), key("org_guid"), key("space_guid"), key("app_guid"), key("amount"))
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn invoices(with: &WithUaa, token: &str) -> BTreeSet<String> {
    let rows = with.api.json(Some(token), "/invoices")["items"].clone();
    rows.as_array().unwrap().iter().map(|row| row["account"].as_str().unwrap().to_owned()).collect()
}

/// Space `s2` of organization `o1` is another account's: only who has a role in it sees what it costs.
#[test]
fn each_role_sees_what_it_opens_and_no_more() {
    let with = WithUaa::new("", "");
    let provider = secret("provider");
    assert_eq!(cost(&with, provider), ["one o1/s1/a 10.00", "two o1/s2/b 5.00", "two o2/s3/c 3.00"], "what there is");
    let roles = [
        ("organization_manager", "o1", &["- o1/s1/a 10.00"][..], &["one"][..]),
        ("organization_billing_manager", "o1", &["- o1/s1/a 10.00"], &["one"]),
        ("organization_auditor", "o1", &["- o1/-/- 10.00"], &[]),
        ("organization_user", "o1", &[], &[]),
        ("organization_manager", "o2", &["- o2/s3/c 3.00"], &[]),
        ("space_developer", "s1", &["- o1/s1/a 10.00"], &[]),
        ("space_manager", "s2", &["- o1/s2/b 5.00"], &[]),
        ("space_auditor", "s3", &["- o2/s3/c 3.00"], &[]),
        ("space_supporter", "s3", &["- o2/s3/c 3.00"], &[]),
        ("space_developer", "nowhere", &[], &[]),
    ];
    for (number, (role, over, rows, whose)) in (1..).zip(roles) {
        let user = format!("user-{number}");
        let role_guid = with.foundation().grant(&user, role, over);
        let token = with.tenant(&user);
        assert_eq!(cost(&with, &token), rows, "{role} over {over}");
        let seen: Vec<String> = invoices(&with, &token).into_iter().collect();
        assert_eq!(seen, whose, "{role} over {over}");
        for (number, account) in [("CF-000001", "one"), ("CF-000002", "two")] {
            let status = if whose.contains(&account) { 200 } else { 404 };
            for rest in ["", "/documents", "/documents/html", "/explanation"] {
                let path = format!("/invoices/{number}{rest}");
                assert_eq!(with.api.ask(Some(&token), &path).status(), status, "{role} over {over}: {path}");
            }
        }
        // By whose account something is paid isn't told, and can't be tried.
        for account in ["one", "two"] {
            let told = text(&with.api.ask(Some(&token), &format!("{BY_EVERYTHING}&account={account}")));
            assert_eq!(told, r#"{"items":[],"next":null}"#, "{role}");
        }
        assert_eq!(text(&with.api.ask(Some(&token), "/accounts")), r#"{"items":[],"next":null}"#);
        for path in ["/foundations", "/gaps", "/anomalies", "/usage?from=2026-10-01&to=2026-11-01"] {
            assert_eq!(with.api.ask(Some(&token), path).status(), 403, "{role}: {path}");
        }
        // Nobody else sees anything of it.
        assert_eq!(cost(&with, &with.tenant("bob")), [""; 0]);
        if number == 1 {
            with.foundation().revoke(&role_guid);
            eventually(|| with.api.daemon.log(), || cost(&with, &token).is_empty().then_some(()));
            assert!(invoices(&with, &token).is_empty());
        }
    }
    // Roles add up: the whole of one, the sum of the other, each line once.
    for (role, over) in [
        ("organization_auditor", "o1"),
        ("space_developer", "s1"),
        ("organization_manager", "o2"),
        ("space_developer", "s2"),
    ] {
        with.foundation().grant(guid("bob"), role, over);
    }
    let token = with.tenant("bob");
    let all = ["- o1/s1/a 10.00", "- o1/s2/b 5.00", "- o2/s3/c 3.00"];
    eventually(|| with.api.daemon.log(), || (cost(&with, &token) == all).then_some(()));
}

/// Not one byte of what is another account's, by whatever can be asked, in any form.
#[test]
fn a_role_opens_not_one_byte_of_another_s() {
    const OF_TWO: [&str; 9] = ["two", "Zweite", "o2", "s2", "s3", "PO-TWO", "CF-000002", "5.00", "3.00"];
    let with = WithUaa::new("", "");
    with.foundation().grant(guid("ada"), "organization_manager", "o1");
    let token = with.tenant("ada");
    let all = text(&with.api.ask(Some(secret("provider")), "/invoices/CF-000002"));
    assert!(OF_TWO.iter().all(|word| all.contains(word)), "the provider's: {all}");
    for asked in ASKED {
        let path = asked.replace("CF-00000TWO", "CF-000002").replace("TWO", "two");
        for form in ["application/json", "text/csv", "*/*"] {
            let answer = with.api.ask_with(Some(&token), &path, &[("accept", form)]);
            let whole = format!("{:?}\n{}", answer.headers(), text(&answer));
            for word in OF_TWO {
                assert!(!whole.contains(word), "{path} as {form} tells `{word}`: {whole}");
            }
        }
    }
}

#[test]
fn billing_managers_can_be_shown_a_sum_alone() {
    let with = WithUaa::new("billing_managers = \"sum\"", "");
    with.foundation().grant(guid("ada"), "organization_billing_manager", "o1");
    assert_eq!(cost(&with, &with.tenant("ada")), ["- o1/-/- 10.00"]);
    assert!(invoices(&with, &with.tenant("ada")).is_empty());
}

#[test]
fn who_is_named_by_an_account_sees_its_documents() {
    let with = WithUaa::new("", &format!("people = [\"uaa/{}\"]", guid("ada")));
    let (ada, bob) = (with.tenant("ada"), with.tenant("bob"));
    assert_eq!(invoices(&with, &ada), BTreeSet::from(["one".to_owned()]));
    assert_eq!(cost(&with, &ada), ["one o1/s1/a 10.00"]);
    assert_eq!(with.api.ask(Some(&ada), "/accounts/one").status(), 200);
    assert_eq!(with.api.ask(Some(&ada), "/invoices/CF-000002").status(), 404);
    assert!(invoices(&with, &bob).is_empty() && cost(&with, &bob).is_empty());
    // A client of that id is somebody else.
    let client = with.signed(&json!({
        "sub": guid("ada"), "user_id": null, "cid": guid("ada"), "client_id": guid("ada"), "grant_type": "client_credentials",
    }));
    assert!(!text(&with.api.ask(Some(&client), "/accounts")).contains("Erste"));
    // People are known by their guids.
    let log = with.api.daemon.log();
    assert!(!log.contains("ada") && log.contains(guid("ada")), "people are known by their guids: {log}");
}

#[test]
fn a_client_is_its_id_unless_that_is_a_user_s() {
    let with = WithUaa::new("", "");
    for user in ["robot", guid("ada")] {
        with.foundation().grant(user, "organization_manager", "o1");
    }
    let of = |id: &str| {
        with.signed(&json!({
            "sub": id, "user_id": null, "cid": id, "client_id": id, "azp": id, "grant_type": "client_credentials", "scope": ["cf_billing.read"],
        }))
    };
    assert_eq!(invoices(&with, &of("robot")), BTreeSet::from(["one".to_owned()]));
    let answer = with.api.ask(Some(&of(guid("ada"))), "/invoices");
    assert!(answer.status() == 401 && text(&answer).contains("the client has the id of a user"), "{}", text(&answer));
    // One whose id is a list of guids is nobody of them.
    let both = of(&format!("robot,{}", guid("ada")));
    assert!(invoices(&with, &both).is_empty());
    // The user's own token isn't the client's.
    assert_eq!(invoices(&with, &with.tenant("ada")), BTreeSet::from(["one".to_owned()]));
}

#[test]
fn a_foundation_that_can_not_be_asked_is_no_refusal() {
    let with = WithUaa::new("", "");
    with.foundation().grant(guid("ada"), "organization_manager", "o1");
    let (ada, bob) = (with.tenant("ada"), with.tenant("bob"));
    assert_eq!(invoices(&with, &ada), BTreeSet::from(["one".to_owned()]));
    with.foundation().options.faults.push(Fault::LoginPage);
    // Who wasn't asked about before isn't known; whose roles were read, for a while.
    let answer = with.api.ask(Some(&bob), "/invoices");
    let told = text(&answer);
    assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "10"), "{told}");
    assert!(told.contains("Cloud Controller can't be asked now"), "{told}");
    assert_eq!(invoices(&with, &ada), BTreeSet::from(["one".to_owned()]));
    with.foundation().options.faults.clear();
    // For a moment nobody tries again.
    eventually(|| with.api.daemon.log(), || (with.api.ask(Some(&bob), "/invoices").status() == 200).then_some(()));
    assert!(invoices(&with, &bob).is_empty());
}

/// Where Cloud Controller doesn't answer at all, what is known is answered after some seconds, and what isn't known is a 503.
#[test]
fn a_foundation_that_hangs_holds_nobody_up_for_long() {
    let with = WithUaa::new("", "");
    with.foundation().grant(guid("ada"), "organization_manager", "o1");
    let (ada, bob) = (with.tenant("ada"), with.tenant("bob"));
    assert_eq!(invoices(&with, &ada), BTreeSet::from(["one".to_owned()]));
    with.foundation().options.faults.push(Fault::SlowBytes);
    let watch = std::time::Instant::now();
    assert_eq!(with.api.ask(Some(&bob), "/invoices").status(), 503);
    assert_eq!(invoices(&with, &ada), BTreeSet::from(["one".to_owned()]));
    assert!(watch.elapsed() < std::time::Duration::from_secs(20), "{:?}", watch.elapsed());
}

/// A role counts a quarter of an hour after it was read, to the second; many are read at once, and not more often than may be.
#[tokio::test(flavor = "multi_thread")]
async fn roles_count_for_a_quarter_of_an_hour() {
    let mut simulated = foundation(1);
    simulated.options.rate_limit = Some(200);
    let began = simulated.now();
    let served = Served::new(simulated).await;
    let (ada, bob) = (guid("ada"), guid("bob"));
    served.foundation.lock().unwrap().grant(ada, "organization_manager", "o1");
    let text = format!(
        "[http]\nroles_every = \"5m\"\n[[foundation]]\nname = \"f\"\napi = \"{0}\"\nclient_id = \"billing\"\nclient_secret = \"simulated-secret\"\n\
         [[issuer]]\nname = \"uaa\"\nissuer = \"{0}/oauth/token\"\nfoundations = \"f\"\n",
        served.api
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cf-billing.toml");
    std::fs::write(&file, text).unwrap();
    let url = ("CF_BILLING__DATABASE__URL".to_owned(), "sqlite://unused.db".to_owned());
    let configuration = cf_billing::config::load(Some(&file), [url]).unwrap();
    let clock = Clock::manual(began);
    let client = Client::new(
        Arc::new(Http::new(None).unwrap()),
        clock.clone(),
        credentials(&served.api, ("billing", "simulated-secret")),
    );
    let identities = Identities::new(&configuration, vec![("f".to_owned(), client)], &clock).unwrap();
    let program = Program::new();
    let store = Store::open(&program.database()).await.unwrap();
    let requests = || served.foundation.lock().unwrap().requests;
    let whose = |subject: &str| Person { issuer: "uaa".to_owned(), subject: subject.to_owned(), is_client: false };
    let organizations = async |subject: &str| {
        let found = identities.look_up(&whose(subject), &configuration, &store).await?;
        Ok::<usize, Unproven>(found.reach.iter().map(|reach| reach.organizations.len()).sum())
    };
    assert_eq!(organizations(ada).await, Ok(1));
    let first = requests();
    clock.set(began.plus(299));
    assert_eq!((organizations(ada).await, requests()), (Ok(1), first), "it is known for five minutes");
    clock.set(began.plus(300));
    assert_eq!((organizations(ada).await, requests()), (Ok(1), first + 1));
    // Many who ask at the same time are asked about at the same time.
    let many: Vec<String> = (0..80).map(|number| format!("user-{number}")).collect();
    let before = requests();
    let asked = together(&served.foundation, many.iter().map(|user| organizations(user))).await;
    assert!(asked.iter().all(|asked| *asked == Ok(0)), "{asked:?}");
    assert_eq!(requests() - before, 2, "the first is asked about at once, the others with the second");
    // A tenth of 200 requests an hour is twenty: half of them are used up, and there is one more with the time.
    let away = |asked: Result<usize, Unproven>| {
        matches!(asked, Err(Unproven::Away { told: "Cloud Controller can't be asked now", .. }))
    };
    while !away(organizations(&format!("one more {}", requests())).await) {
        assert!(requests() < before + 10, "there is no end to it");
    }
    assert_eq!(organizations(ada).await, Ok(1));
    assert!(away(organizations(bob).await));
    clock.set(began.plus(300 + 720));
    assert_eq!(organizations(bob).await, Ok(0), "there is one more after some time");
    // Nobody answers: what was read counts for fifteen minutes.
    let read = began.plus(300 + 720);
    assert_eq!(organizations(bob).await, Ok(0));
    served.foundation.lock().unwrap().options.faults.push(Fault::LoginPage);
    clock.set(read.plus(899));
    assert_eq!(organizations(bob).await, Ok(0));
    clock.set(read.plus(900));
    assert!(away(organizations(bob).await));
    // Those who wait together are told together, and don't ask one after the other.
    clock.set(read.plus(7200));
    let before = requests();
    let asked = together(&served.foundation, many.iter().map(|user| organizations(user))).await;
    assert!(asked.into_iter().all(away) && requests() - before <= 4, "{} requests", requests() - before);
}

/// All of them at the same time: the foundation answers once each has asked.
async fn together<F: Future>(foundation: &Mutex<Foundation>, all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    let mut is_first = true;
    std::future::poll_fn(|context| {
        let _held = std::mem::take(&mut is_first).then(|| foundation.lock().unwrap());
        let mut pending = false;
        for (future, output) in &mut all {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(ready) => *output = Some(ready),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    all.into_iter().filter_map(|(_, output)| output).collect()
}
