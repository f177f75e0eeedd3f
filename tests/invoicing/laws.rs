//! A final month changes only by new facts about that month or by finance's own command, and each line's documents come to
//! what it costs now less what was given back of it.

use cf_billing::access::{OfOrganization, OrganizationPayer, Theirs};
use cf_billing::domain::Span;
use cf_billing::store::{InvoiceFilter, Store};
use serde_json::{Value, json};

use super::{cents, configure, shown};
use crate::support::database;
use crate::support::month;
use crate::support::program::{Program, Run};

const FREE: &str = "[[service]]\nfree = true\n[[task]]\nfree = true\n[[staging]]\nfree = true\n";
const ACCOUNTS: &str = "[[account]]\nid = \"acme\"\nname = \"Acme Ltd\"\norganizations = [\"f/o1\", \"f/o2\"]\n";

/// One instance hour costs 1, and more.
fn card(more: &str) -> String {
    format!(
        "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n{FREE}[[tax]]\npercent = \"19\"\n{more}"
    )
}

struct Book {
    program: Program,
    events: Vec<(String, Value)>,
    services: Vec<(String, Value)>,
}

impl Book {
    fn new(card: &str) -> Self {
        let program = Program::new();
        month::card(&program, card);
        std::fs::write(program.folder.path().join("accounts.toml"), ACCOUNTS).unwrap();
        configure(
            &program,
            "[billing]\nrates = \"card.toml\"\naccounts = \"accounts.toml\"\ngrace = \"0s\"\njump_factor = 0\n",
        );
        Self { program, events: Vec::new(), services: Vec::new() }
    }

    /// An app, named as its process, of an organization runs from a day of a month on, for some hours.
    fn runs(&mut self, app: &str, organization: &str, day: &str, hours: i64) {
        let from = cf_billing::domain::Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap();
        for (at, state) in [(from, "STARTED"), (from.plus(3600 * hours), "STOPPED")] {
            self.say(app, organization, &at.to_string(), state);
        }
    }

    /// A service instance of a plan that is called so then, for some hours.
    fn serves(&mut self, instance: &str, plan: &str, day: &str, hours: i64) {
        let from = cf_billing::domain::Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap();
        for (at, state) in [(from, "CREATED"), (from.plus(3600 * hours), "DELETED")] {
            let event = json!({
                "guid": format!("{instance}-{state}"), "created_at": at.to_string(), "state": state,
                "space": {"guid": "s-o1", "name": "s"}, "organization": {"guid": "o1"},
                "service_instance": {"guid": instance, "name": instance, "type": "managed_service_instance"},
                "service_plan": {"guid": "plan", "name": plan}, "service_offering": {"guid": "offering", "name": "redis"},
                "service_broker": {"guid": "broker", "name": "broker"},
            });
            self.services.push((at.to_string(), event));
        }
    }

    fn say(&mut self, app: &str, organization: &str, at: &str, state: &str) {
        let guid = format!("{app}-{state}-{at}");
        let event = json!({
            "guid": guid, "created_at": at, "state": {"current": state, "previous": "STOPPED"},
            "app": {"guid": app, "name": app}, "process": {"guid": format!("p-{app}"), "type": "web"},
            "space": {"guid": format!("s-{organization}"), "name": "s"}, "organization": {"guid": organization},
            "buildpack": {"guid": null, "name": null}, "task": {"guid": null, "name": null},
            "memory_in_mb_per_instance": {"current": 1024}, "instance_count": {"current": 1},
        });
        self.events.push((at.to_owned(), event));
    }

    fn learn(&mut self) {
        let folder = self.program.folder.path();
        let write = |events: &mut Vec<(String, Value)>, name: &str| {
            events.sort_by_key(|(at, _)| at.clone());
            let lines: Vec<String> = events.iter().map(|(_, event)| event.to_string()).collect();
            std::fs::write(folder.join(name), lines.join("\n")).unwrap();
        };
        write(&mut self.events, "app.jsonl");
        write(&mut self.services, "service.jsonl");
        let files = ["--app-events", "app.jsonl", "--service-events", "service.jsonl"];
        let until = ["--complete-until", "2026-11-20T00:00:00Z", "--read-at", "2100-01-01T00:00:00Z"];
        self.program.succeed(&[&["import", "--foundation", "f"], &files[..], &until[..]].concat());
    }

    fn invoices(&self, more: &[&str]) -> Run {
        self.program.run(&[&["invoices"], more, &["--config", "cf-billing.toml"]].concat())
    }

    #[track_caller]
    fn done(&self, more: &[&str]) -> Value {
        let run = self.invoices(&[more, &["--format", "json"]].concat());
        assert_eq!(run.code, Some(0), "{more:?}: {}", run.stderr);
        serde_json::from_str(&run.stdout).unwrap()
    }

    /// Net of what became final of a month, by account.
    #[track_caller]
    fn finalize(&self, month: &str) -> Vec<(String, i64)> {
        nets(&self.done(&["finalize", "--period", month]))
    }

    /// Net of a month's drafts, by account.
    #[track_caller]
    fn draft(&self, month: &str) -> Vec<(String, i64)> {
        let run = self.invoices(&["draft", "--period", month, "--format", "json"]);
        if run.stderr.contains("nothing was used in") {
            return Vec::new();
        }
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        nets(&serde_json::from_str(&run.stdout).unwrap())
    }

    #[track_caller]
    fn credit(&self, number: &str, more: &[&str]) -> i64 {
        let run = self.invoices(&[&["credit", number, "--reason", "decided", "--format", "json"], more].concat());
        assert_eq!(run.code, Some(0), "{more:?}: {}", run.stderr);
        let list: Value = serde_json::from_str(&run.stdout).unwrap();
        cents(&list[0]["net"])
    }

    fn difference(&self, number: &str) -> Value {
        self.draft("2026-11");
        shown(&self.program, number)["difference"].clone()
    }
}

fn nets(list: &Value) -> Vec<(String, i64)> {
    let of = |invoice: &Value| (invoice["account"].as_str().unwrap().to_owned(), cents(&invoice["net"]));
    let mut nets: Vec<(String, i64)> = list.as_array().unwrap().iter().map(of).collect();
    nets.sort();
    nets
}

fn acme(cents: i64) -> Vec<(String, i64)> {
    vec![("acme".to_owned(), cents)]
}

#[test]
fn what_was_given_back_of_a_line_pays_for_no_other() {
    let mut book = Book::new(&card(""));
    book.runs("b", "o1", "2026-08-10", 9);
    book.learn();
    assert_eq!(book.finalize("2026-08"), acme(900));
    assert_eq!(book.credit("CF-000001", &["--line", "1"]), -900);
    // It turns out cheaper, and another one was never billed.
    book.say("b", "o1", "2026-08-10T02:00:00Z", "STOPPED");
    book.runs("c", "o1", "2026-08-12", 48);
    book.learn();
    assert_eq!(book.draft("2026-09"), acme(4800), "b stays at 0, c is charged whole");
}

#[test]
fn a_line_comes_to_what_it_costs_less_what_was_given_back_of_it() {
    let mut book = Book::new(&card(""));
    book.runs("b", "o1", "2026-08-10", 10);
    book.learn();
    assert_eq!(book.finalize("2026-08"), acme(1000));
    assert_eq!(book.credit("CF-000001", &["--line", "1", "--amount", "4"]), -400);
    // It costs 7.00: 3.00 of it stay charged.
    book.say("b", "o1", "2026-08-10T07:00:00Z", "STOPPED");
    book.learn();
    assert_eq!(book.difference("CF-000001"), "-3.00");
    assert_eq!(book.credit("CF-000001", &["--difference"]), -300);
    assert_eq!(book.difference("CF-000001"), Value::Null);
    // And 3.00 are what is left to give back.
    let run = book.invoices(&["credit", "CF-000001", "--reason", "x", "--line", "1", "--amount", "3.01"]);
    assert!(run.stderr.contains("3.01 is more than the 3.00 left of line 1"), "{}", run.stderr);
    assert_eq!(book.credit("CF-000001", &["--line", "1"]), -300);
}

#[test]
fn what_was_given_back_outlives_a_reissue() {
    let mut book = Book::new(&card(""));
    book.runs("b", "o1", "2026-08-10", 10);
    book.runs("c", "o1", "2026-08-11", 5);
    book.learn();
    assert_eq!(book.finalize("2026-08"), acme(1500));
    book.credit("CF-000001", &["--line", "1", "--amount", "4"]);
    assert_eq!(book.credit("CF-000001", &["--reissue"]), -1100);
    // The address is right now; the goodwill stays.
    assert_eq!(book.finalize("2026-08"), acme(1100));
    let anew = shown(&book.program, "CF-000002");
    assert_eq!(anew["replaces"]["number"], "CF-000001");
    assert_eq!(anew["corrections"][0]["cause"], "credited");
    assert_eq!(
        (&anew["corrections"][0]["before"], &anew["corrections"][0]["after"]),
        (&"10.00".into(), &"6.00".into())
    );
    book.say("b", "o1", "2026-08-10T03:00:00Z", "STOPPED");
    book.learn();
    // b costs 3.00 now, less than was given back.
    assert_eq!(book.difference("CF-000002"), "-6.00");
    assert_eq!(book.credit("CF-000002", &["--difference"]), -600);
    assert_eq!(book.credit("CF-000002", &["--whole"]), -500);
}

#[test]
fn a_carried_correction_is_given_back_once_in_any_order() {
    for order in [["CF-000001", "CF-000002"], ["CF-000002", "CF-000001"]] {
        let mut book = Book::new(&card(""));
        book.runs("b", "o1", "2026-08-10", 10);
        book.runs("b2", "o1", "2026-09-10", 3);
        book.learn();
        let mut all = book.finalize("2026-08")[0].1;
        book.runs("c", "o1", "2026-08-12", 7);
        book.learn();
        // Nobody drafted August again.
        assert_eq!(book.finalize("2026-09"), acme(1000));
        all += 1000;
        for number in order {
            all += book.credit(number, &["--reissue"]);
        }
        assert_eq!(all, 0, "{order:?}");
        all += book.finalize("2026-08")[0].1 + book.finalize("2026-09")[0].1;
        assert_eq!(all, 2000, "{order:?}");
    }
}

#[test]
fn no_order_of_drafts_moves_money() {
    for drafts in [&[][..], &["2026-08"], &["2026-09", "2026-08"], &["2026-08", "2026-08", "2026-10"]] {
        let mut book = Book::new(&card(""));
        book.runs("b", "o1", "2026-08-10", 10);
        book.runs("b2", "o1", "2026-09-10", 3);
        book.learn();
        book.finalize("2026-08");
        book.runs("c", "o1", "2026-08-12", 7);
        book.learn();
        for month in drafts {
            book.draft(month);
        }
        assert_eq!(book.finalize("2026-09"), acme(1000), "{drafts:?}");
        assert_eq!(book.draft("2026-10"), Vec::new());
    }
}

#[test]
fn a_wrong_tax_is_not_said_to_cost_the_same() {
    let mut book = Book::new(&card(""));
    book.runs("b", "o1", "2026-08-10", 25);
    book.learn();
    book.finalize("2026-08");
    let fixed = card("").replace("\"19\"", "\"7\"");
    std::fs::write(book.program.folder.path().join("fixed.toml"), &fixed).unwrap();
    let fix = ["credit", "CF-000001", "--difference", "--rates", "fixed.toml", "--reason", "VAT is 7 %"];
    let run = book.invoices(&fix);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for told in ["VAT 7 % (S)", "VAT 19 % (S)", "--reissue"] {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    book.credit("CF-000001", &["--reissue"]);
    month::card(&book.program, &fixed);
    book.finalize("2026-08");
    assert_eq!(shown(&book.program, "CF-000002")["gross"], "26.75");
}

/// Late use of an organization that was the account's all along is the account's, on its terms.
#[test]
fn late_use_is_billed_to_whoever_owned_it_by_the_file() {
    let more = "[[commitment]]\naccount = \"acme\"\namount = \"30\"\n[[minimum]]\namount = \"50\"\n";
    let mut book = Book::new(&card(more));
    book.runs("b", "o1", "2026-08-10", 60);
    book.runs("x", "o3", "2026-08-10", 60);
    book.learn();
    let of_o3 = ("f/o3".to_owned(), 6000);
    assert_eq!(book.finalize("2026-08"), [acme(6000), vec![of_o3]].concat());
    // o2 was never on an invoice, and the file has moved both since.
    book.runs("c", "o2", "2026-08-12", 7);
    book.learn();
    let later = "[[account]]\nid = \"acme\"\nname = \"Acme Ltd\"\norganizations = [\"f/o1\", \"f/o3\"]\n\
                 [[account]]\nid = \"other\"\nname = \"Other\"\norganizations = [\"f/o2\"]\n";
    std::fs::write(book.program.folder.path().join("accounts.toml"), later).unwrap();
    assert_eq!(book.draft("2026-08"), Vec::new(), "no new invoice");
    let september = book.draft("2026-09");
    assert_eq!(september, acme(3000 + 700), "September's commitment, and August's late use");
    assert_eq!(book.difference("CF-000002"), Value::Null);
}

/// Late use of an organization that was on no invoice is a correction of one: whoever has a role in the others only doesn't
/// see the document that has it.
#[test]
fn a_document_is_seen_by_who_sees_all_that_it_corrects() {
    let mut book = Book::new(&card(""));
    book.runs("b", "o1", "2026-08-10", 60);
    book.learn();
    assert_eq!(book.finalize("2026-08"), acme(6000));
    book.runs("b", "o1", "2026-09-10", 10);
    book.runs("secret", "o2", "2026-08-12", 7);
    book.learn();
    assert_eq!(book.finalize("2026-09"), acme(1000 + 700));
    let of = |day: &str| cf_billing::domain::Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap();
    let payer = |organization: &str, from: &str, to: &str| OrganizationPayer {
        account: "acme".to_owned(),
        foundation: "f".to_owned(),
        organization: organization.to_owned(),
        span: Span { from: of(from), to: of(to) },
        seen: OfOrganization::Whole,
        person: 0,
    };
    let always = |organization: &str| payer(organization, "1970-01-01", "2999-01-01");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sees = |payers: Vec<OrganizationPayer>| -> Vec<String> {
        let theirs = Theirs { payers, ..Theirs::default() };
        runtime.block_on(async {
            let store = Store::open(&book.program.database()).await.unwrap();
            let mut seen = Vec::new();
            for number in ["CF-000001", "CF-000002"] {
                seen.extend(store.invoice_of(number, Some(&theirs)).await.unwrap().and_then(|found| found.number));
            }
            let listed = store.invoices_before(&InvoiceFilter::default(), Some(&theirs), None, 10).await.unwrap();
            assert_eq!(listed.len(), seen.len());
            store.close().await;
            seen
        })
    };
    assert_eq!(sees(vec![always("o1")]), ["CF-000001"], "the second has o2's use of August");
    assert_eq!(sees(vec![always("o1"), always("o2")]), ["CF-000001", "CF-000002"]);
    assert_eq!(sees(vec![always("o2")]), [""; 0]);
    assert_eq!(sees(vec![always("o1"), payer("o2", "2026-08-01", "2026-09-01")]), ["CF-000001", "CF-000002"]);
    assert_eq!(sees(vec![always("o1"), payer("o2", "2026-09-01", "2026-10-01")]), ["CF-000001"]);
    // Two people who see a part each don't see it together.
    let of_another = |payer: OrganizationPayer| OrganizationPayer { person: 1, ..payer };
    assert_eq!(sees(vec![always("o1"), of_another(always("o2"))]), ["CF-000001"]);
    let both = vec![always("o1"), of_another(always("o1")), of_another(always("o2"))];
    assert_eq!(sees(both), ["CF-000001", "CF-000002"], "the second of them sees all of it");
    // Whose the organization was for a part of the month only.
    assert_eq!(sees(vec![payer("o1", "2026-08-01", "2026-09-15"), always("o2")]), ["CF-000001"]);
}

#[test]
fn what_is_called_otherwise_later_moves_no_final_month() {
    let named = card("").replace("[[service]]\nfree = true\n", "[[service]]\ninstance_hour = \"1\"\n")
        + "[[service]]\noffering = \"redis\"\nplan = \"small\"\ninstance_hour = \"3\"\n";
    let mut book = Book::new(&named);
    book.serves("one", "small", "2026-08-10", 10);
    book.learn();
    assert_eq!(book.finalize("2026-08"), acme(3000));
    // From September on the plan is called otherwise.
    book.serves("two", "tiny", "2026-09-10", 5);
    book.learn();
    assert_eq!(book.difference("CF-000001"), Value::Null);
    assert_eq!(book.finalize("2026-09"), acme(500));
    // Late use of August is priced by the name of then.
    book.serves("three", "small", "2026-08-12", 2);
    book.learn();
    assert_eq!(book.difference("CF-000001"), "6.00");
}

/// Labels the organization `o1`, as a list of Cloud Controller's would.
fn label(book: &Book, tier: &str) {
    let url = book.program.database();
    database::execute(&url, "DELETE FROM label").unwrap();
    let put = format!(
        "INSERT INTO label (foundation_id, owner, guid, key, value) SELECT id, 'organization', 'o1', 'tier', '{tier}' FROM foundation"
    );
    database::execute(&url, &put).unwrap();
}

const GOLD: &str = "[[process]]\norg_label = \"tier=gold\"\ninstance_hour = \"3\"\n[[minimum]]\namount = \"20\"\n";

#[test]
fn no_label_moves_a_final_month() {
    let mut book = Book::new(&card(GOLD));
    book.runs("b", "o1", "2026-08-10", 10);
    book.learn();
    label(&book, "gold");
    assert_eq!(book.finalize("2026-08"), acme(3000));
    label(&book, "lead");
    assert_eq!(book.difference("CF-000001"), Value::Null);
    book.runs("c", "o1", "2026-08-12", 2);
    book.runs("d", "o1", "2026-09-12", 30);
    book.learn();
    assert_eq!(book.difference("CF-000001"), "6.00");
    assert_eq!(book.finalize("2026-09"), acme(3000 + 600));
}

/// Corrections of an account that left the file come to whom the invoice names.
#[test]
fn a_correction_of_an_account_that_left_can_be_charged() {
    let mut book = Book::new(&card(""));
    book.runs("b", "o1", "2026-08-10", 10);
    book.learn();
    book.finalize("2026-08");
    book.runs("c", "o1", "2026-08-12", 7);
    book.learn();
    let later = "[[account]]\nid = \"new\"\nname = \"New Ltd\"\norganizations = [\"f/o1\"]\n";
    std::fs::write(book.program.folder.path().join("accounts.toml"), later).unwrap();
    let list = book.done(&["finalize", "--period", "2026-09"]);
    assert_eq!((&list[0]["account"], &list[0]["account_name"]), (&"acme".into(), &"Acme Ltd".into()));
    assert_eq!(cents(&list[0]["net"]), 700);
}

/// Makes invoices as version 0.1.0 left them: without what later ones keep beside them.
fn as_of_before(book: &Book) {
    let url = book.program.database();
    let sqlite = url.starts_with("sqlite:");
    let off = if sqlite { "DROP TRIGGER final_invoice_stays" } else { "ALTER TABLE invoice DISABLE TRIGGER USER" };
    database::execute(&url, off).unwrap();
    database::execute(&url, "UPDATE invoice SET rules = 1, accounts_hash = NULL").unwrap();
    let off =
        if sqlite { "DROP TRIGGER final_coverage_stays" } else { "ALTER TABLE invoice_coverage DISABLE TRIGGER USER" };
    database::execute(&url, off).unwrap();
    database::execute(&url, "UPDATE invoice_coverage SET labels = NULL").unwrap();
    database::execute(&url, "DELETE FROM compared_through").unwrap();
}

#[test]
fn an_upgrade_moves_no_money() {
    let mut book = Book::new(&card(GOLD));
    book.runs("b", "o1", "2026-08-10", 10);
    book.learn();
    label(&book, "gold");
    assert_eq!(book.finalize("2026-08"), acme(3000));
    assert_eq!(book.credit("CF-000001", &["--line", "1", "--amount", "10"]), -1000);
    label(&book, "lead");
    as_of_before(&book);
    assert_eq!(book.difference("CF-000001"), Value::Null);
    // What becomes known is charged as ever.
    book.runs("c", "o2", "2026-08-12", 2);
    book.learn();
    assert_ne!(book.difference("CF-000001"), Value::Null);
}

crate::on_postgres! {
    what_was_given_back_of_a_line_pays_for_no_other,
    a_document_is_seen_by_who_sees_all_that_it_corrects,
    what_was_given_back_outlives_a_reissue,
    a_carried_correction_is_given_back_once_in_any_order,
    late_use_is_billed_to_whoever_owned_it_by_the_file,
    what_is_called_otherwise_later_moves_no_final_month,
    no_label_moves_a_final_month,
    an_upgrade_moves_no_money,
}
