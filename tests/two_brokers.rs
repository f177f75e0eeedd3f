//! Two service brokers may have an offering of one name: whoever prices both is told, and `broker` parts them.

use serde_json::{Value, json};

use crate::support::background;
use crate::support::program::Program;

const REST: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\nfree = true\n[[staging]]\nfree = true\n[[task]]\nfree = true\n\
                    [[service]]\ninstance_hour = \"1\"\n";

fn event(guid: &str, at: &str, state: &str, of: &str, broker: &Value) -> Value {
    json!({
        "guid": guid, "created_at": at, "state": state,
        "space": {"guid": format!("space-{of}"), "name": of}, "organization": {"guid": format!("org-{of}")},
        "service_instance": {"guid": format!("instance-{of}"), "name": of, "type": "managed_service_instance"},
        "service_plan": {"guid": format!("plan-{of}"), "name": "small"},
        "service_offering": {"guid": format!("offering-{of}"), "name": "redis"}, "service_broker": broker,
    })
}

/// An hour of `redis small` from each of two brokers.
fn book(brokers: &[Value; 2]) -> Program {
    let program = Program::new();
    let mut events = Vec::new();
    for (state, hour) in [("CREATED", "00"), ("DELETED", "01")] {
        for (of, broker) in ["one", "two"].into_iter().zip(brokers) {
            let at = format!("2025-10-05T{hour}:00:00Z");
            events.push(event(&format!("{state}-{of}"), &at, state, of, broker));
        }
    }
    let folder = program.folder.path();
    std::fs::write(folder.join("service.json"), json!(events).to_string()).unwrap();
    std::fs::write(folder.join("cf-billing.toml"), "[billing]\ngrace = \"0s\"\n").unwrap();
    let until = ["--complete-until", "2025-11-02T00:00:00Z"];
    program.succeed(&[&["import", "--foundation", "eu1", "--service-events", "service.json"], &until[..]].concat());
    program
}

fn named() -> [Value; 2] {
    [json!({"guid": "broker-one", "name": "platform"}), json!({"guid": "broker-two", "name": "tenant"})]
}

/// What October comes to by a card with these service rates before everything else's, by organization; and what was said.
fn priced(program: &Program, rates: &str) -> (Vec<(String, String)>, String) {
    std::fs::write(program.folder.path().join("card.toml"), format!("{REST}{rates}")).unwrap();
    let draft = ["invoices", "draft", "--period", "2025-10", "--rates", "card.toml", "--format", "json"];
    let run = program.succeed(&draft);
    let drafts: Value = serde_json::from_str(&run.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let nets = drafts.as_array().unwrap().iter().map(|draft| (text(&draft["account"]), text(&draft["net"])));
    (nets.collect(), run.stderr)
}

fn nets(one: &str, two: &str) -> Vec<(String, String)> {
    vec![("eu1/org-one".to_owned(), one.to_owned()), ("eu1/org-two".to_owned(), two.to_owned())]
}

#[test]
fn a_rate_without_a_broker_prices_both_and_says_so() {
    let program = book(&named());
    let rate = "[[service]]\noffering = \"redis\"\nplan = \"small\"\ninstance_hour = \"10\"\n";
    let (found, said) = priced(&program, rate);
    assert_eq!(found, nets("10.00", "10.00"));
    let check = program.run(&["rates", "check", "card.toml", "--config", "cf-billing.toml"]);
    for said in [said, check.stderr] {
        for told in [
            "`redis small` is the name of several plans in eu1, of 2 brokers",
            "plan plan-one of offering offering-one of broker `platform` (broker-one)",
            "plan plan-two of offering offering-two of broker `tenant` (broker-two)",
            "broker = ",
        ] {
            assert!(said.contains(told), "{told}: {said}");
        }
    }
    // Nobody answers there: what was imported is drafted all the same.
    background::configure(&program, "http://127.0.0.1:1", "[billing]\ngrace = \"0s\"\nrates = \"card.toml\"");
    let (daemon, _) = background::run(&program);
    daemon.says("`redis small` is the name of several plans in eu1, of 2 brokers");
    // A rate that names nothing prices everything anyway.
    let (found, said) = priced(&program, "");
    assert_eq!(found, nets("1.00", "1.00"));
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_broker_parts_them_by_guid_or_name() {
    let program = book(&named());
    for (rates, one, two) in [
        (
            "[[service]]\noffering = \"redis\"\nplan = \"small\"\nbroker = \"platform\"\ninstance_hour = \"10\"\n",
            "10.00",
            "1.00",
        ),
        ("[[service]]\noffering = \"redis\"\nbroker = \"broker-two\"\ninstance_hour = \"10\"\n", "1.00", "10.00"),
        ("[[service]]\nbroker = \"tenant\"\ninstance_hour = \"10\"\n", "1.00", "10.00"),
        // The broker's own rate is the narrower one, in any order.
        (
            "[[service]]\noffering = \"redis\"\nplan = \"small\"\ninstance_hour = \"5\"\n\
          [[service]]\noffering = \"redis\"\nplan = \"small\"\nbroker = \"tenant\"\ninstance_hour = \"10\"\n",
            "5.00",
            "10.00",
        ),
        (
            "[[service]]\noffering = \"redis\"\nplan = \"small\"\nbroker = \"tenant\"\ninstance_hour = \"10\"\n\
          [[service]]\noffering = \"redis\"\nplan = \"small\"\ninstance_hour = \"5\"\n",
            "5.00",
            "10.00",
        ),
        // Another's name is nobody's here.
        ("[[service]]\noffering = \"redis\"\nbroker = \"elsewhere\"\ninstance_hour = \"10\"\n", "1.00", "1.00"),
    ] {
        let (found, said) = priced(&program, rates);
        assert_eq!(found, nets(one, two), "{rates}");
        assert!(!said.contains("warning"), "{rates}: {said}");
    }
    let twice = "[[service]]\nplan_guid = \"plan-one\"\nbroker = \"platform\"\ninstance_hour = \"10\"\n";
    std::fs::write(program.folder.path().join("card.toml"), format!("{REST}{twice}")).unwrap();
    let run = program.run(&["rates", "check", "card.toml"]);
    assert!(run.code == Some(2) && run.stderr.contains("says in two ways what it is for"), "{}", run.stderr);
}

#[test]
fn an_offering_made_anew_by_its_broker_is_no_other_ones_and_an_unknown_broker_may_be() {
    let rate = "[[service]]\noffering = \"redis\"\ninstance_hour = \"10\"\n";
    let same = json!({"guid": "broker-one", "name": "platform"});
    let (found, said) = priced(&book(&[same.clone(), same]), rate);
    assert_eq!(found, nets("10.00", "10.00"));
    assert!(!said.contains("warning"), "{said}");
    // Rows of before 2018 name no broker.
    let none = || json!({"guid": null, "name": null});
    let (found, said) = priced(&book(&[none(), none()]), rate);
    assert_eq!(found, nets("10.00", "10.00"));
    assert!(said.contains("a broker that no event names"), "{said}");
}
