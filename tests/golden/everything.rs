//! Makes a book with a bit of everything, as golden books are made: a foundation that is collected while all sorts of
//! things go wrong, another one that is imported, and three months of invoices with what can become of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cf_billing::consumer::Repair;
use cf_billing::domain::{Stream, Timestamp};
use cf_billing::simulator::Foundation;
use cf_billing::simulator::tables::List;
use cf_billing::simulator::world::Size;
use serde_json::{Value, json};

use super::folder;
use crate::schema::NEWEST;
use crate::support::collected::{Collected, NAME, caught_up};
use crate::support::month;
use crate::support::program::{Program, Run, path};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Tables in which only a daemon that runs has rows.
const OF_DAEMONS: [&str; 1] = ["lease"];

const CARD: &str = r#"
name = "golden"
currency = "EUR"
[[process]]
memory_gib_hour = { model = "graduated", tiers = [{ up_to = "50", price = "0.0123456789" }, { price = "0.01" }] }
disk_gib_hour = "0.0004"
[[process]]
buildpack = "java_buildpack"
multiplier = "1.25"
[[process]]
account = "acme"
buildpack = "go"
memory_gib_hour = "0.01"
granularity = { unit = "hour", round = "up", per = "interval" }
[[staging]]
memory_gib_hour = "0.0125"
per_staging = "0.01"
[[task]]
memory_gib_hour = "0.0125"
[[service]]
month = "25"
[[allowance]]
name = "first 100 GiB-hours"
kind = "process"
meter = "memory_gib_hour"
amount = "100"
account = "acme"
[[discount]]
name = "partner discount"
percent = "5"
account = "acme"
[[minimum]]
name = "minimum charge"
amount = "5"
[[tax]]
name = "VAT"
percent = "19"
"#;

const ACCOUNTS: &str = r#"
[[account]]
id = "acme"
name = "ACME"
legal_name = "ACME Deutschland GmbH"
address = ["Hauptstraße 1"]
postal_code = "80331"
city = "München"
country = "DE"
vat_id = "DE987654321"
email = "rechnung@acme.example"
electronic_address = "9930:DE987654321"
buyer_reference = "plattform"
language = "de"
group_by = ["org", "buildpack"]
organizations = ["f/o1"]

[[account]]
id = "exemple"
name = "Exemple"
legal_name = "Exemple SARL"
address = ["12, rue de l’Exemple"]
postal_code = "75001"
city = "Paris"
country = "FR"
vat_id = "FR12345678901"
electronic_address = "9957:FR12345678901"
buyer_reference = "plateforme"
tax_category = "AE"
tax_exemption_reason = "Autoliquidation"
language = "fr"
organizations = ["f/o2"]

[[account]]
id = "mover"
name = "Mover Ltd"
address = ["1 Sample Street"]
postal_code = "D02"
city = "Dublin"
country = "IE"
vat_id = "IE1234567T"
electronic_address = "9935:IE1234567T"
buyer_reference = "moved"
[[account.owns]]
organization = "f/o3"
from = 2026-08-12
"#;

const CONFIGURATION: &str = r##"
[billing]
rates = "card.toml"
accounts = "accounts.toml"
time_zone = "Europe/Berlin"
grace = "0s"
jump_factor = 0
seller = "Beispiel Plattform GmbH"
seller_address = "Musterstraße 12"
seller_postal_code = "10115"
seller_city = "Berlin"
seller_country = "DE"
seller_vat_id = "DE123456789"
seller_email = "billing@platform.example"
seller_contact = "Billing"
seller_phone = "+49 30 1234567"
seller_electronic_address = "9930:DE123456789"
seller_iban = "DE89370400440532013000"
seller_colour = "#0b5d63"
"##;

/// From 11 August on; the script's day is 10 October.
const USAGE: &str = "
    -60d00:00 shop STARTED 1024x2 app=a bp=java_buildpack
    -60d00:10 api STARTED 512x3 app=b bp=go space=s2
    -60d00:20 site STARTED 2048x1 app=c org=o2 space=s3
    -60d00:30 core STARTED 4096x2 app=d bp=ruby org=o3 space=s4
    -60d00:00 db CREATED plan=small
    -60d00:00 cache CREATED plan=tiny org=o3 space=s4
    -60d02:00 a STAGING_STARTED
    -60d02:06 a STAGING_STOPPED bp=java_buildpack
    -60d03:00 job TASK_STARTED 256x1 app=d org=o3 space=s4
    -60d04:10 job TASK_STOPPED app=d org=o3 space=s4
    -55d00:00 shop STARTED 1024x4 app=a bp=java_buildpack
    -50d00:00 core STOPPED app=d org=o3 space=s4";

/// Three months of a foundation in which everything goes wrong once.
fn collected() -> Collected {
    let mut foundation = Foundation::new(400, Timestamp::parse("2026-07-01T08:00:00Z").unwrap());
    foundation.world.settle(&mut foundation.tables, 10);
    let mut collected = Collected::new(foundation);
    collected.onboard();
    for _ in 0..6 {
        collected.act(6 * HOUR, 3);
        caught_up(collected.cycle());
    }
    // Events before this are pruned in the end.
    let head = collected.head();
    let sealed_at = collected.now();
    collected.runtime.block_on(collected.store.seal(&head, sealed_at)).unwrap();
    late_and_wrong_times(&mut collected);
    unseen_changes(&mut collected);
    unreadable_rows(&mut collected);
    reseeded(&mut collected);
    collected.world(|world, tables| {
        let organization = world.orgs.keys().next().unwrap().clone();
        world.label(tables, List::Organizations, &organization, &json!({"tier": "gold"}));
    });
    while collected.now() < Timestamp::parse("2026-10-01T06:00:00Z").unwrap() {
        collected.act(DAY, 1);
        caught_up(collected.cycle());
    }
    let head = collected.head();
    assert!(collected.runtime.block_on(collected.store.prune(&head, sealed_at)).unwrap() > 0);
    // The newest look found something that isn't settled yet.
    let app = collected.plain_apps().pop().unwrap();
    collected.world(|world, tables| {
        let events = tables.events(Stream::App).len();
        world.stop_app(tables, &app.0);
        tables.events_mut(Stream::App).truncate(events);
    });
    collected.pass(900);
    assert_eq!(collected.look(Repair::Confirmed).differences.len(), 1);
    collected
}

/// An event that becomes visible late, and one whose clock was wrong.
fn late_and_wrong_times(collected: &mut Collected) {
    collected.act(HOUR, 20);
    let (at, event) = {
        let mut foundation = collected.foundation();
        let events = foundation.tables.events_mut(Stream::App);
        let at = events.len() - 3;
        (at, events.remove(at))
    };
    caught_up(collected.cycle());
    collected.foundation().tables.events_mut(Stream::App).insert(at, event);
    for _ in 0..3 {
        collected.pass(600);
        caught_up(collected.cycle());
    }
    let (app, _) = collected.plain_apps().remove(0);
    collected.world(|world, tables| world.stop_app(tables, &app));
    collected.foundation().tables.events_mut(Stream::App).last_mut().unwrap()["created_at"] =
        "1970-01-01T00:00:00Z".into();
    collected.act(HOUR, 3);
    caught_up(collected.cycle());
    assert!(!collected.runtime.block_on(collected.store.clock_spans(None)).unwrap().is_empty());
}

/// Changes of which no event tells: settled by two looks; and a service instance whose creation failed.
fn unseen_changes(collected: &mut Collected) {
    collected.look(Repair::Confirmed);
    let apps = collected.plain_apps();
    let (failed, deleted) = {
        let foundation = collected.foundation();
        let mut managed = foundation.world.services.values().filter(|service| service.plan.is_some());
        let mut next = || managed.next().unwrap().guid.clone();
        (next(), next())
    };
    collected.world(|world, tables| {
        let [app, service_events] = Stream::ALL.map(|stream| tables.events(stream).len());
        world.stop_app(tables, &apps[0].0);
        world.scale(tables, &apps[1].1, Size { instances: Some(7), ..Size::default() });
        world.delete_app(tables, &apps[2].0);
        world.delete_service(tables, &deleted);
        tables.events_mut(Stream::App).truncate(app);
        tables.events_mut(Stream::Service).truncate(service_events);
        let create_failed = json!({"type": "create", "state": "failed"});
        tables.change(List::ServiceInstances, &failed, &[("/last_operation", create_failed)]);
    });
    for _ in 0..2 {
        collected.pass(900);
        collected.look(Repair::Confirmed);
    }
}

/// A row of a list that can't be read for a while.
fn unreadable_rows(collected: &mut Collected) {
    let (_, process) = collected.plain_apps().remove(0);
    collected.foundation().options.unreadable.insert((List::Processes, process));
    for _ in 0..2 {
        collected.pass(22_000);
        caught_up(collected.cycle());
    }
    collected.foundation().options.unreadable.clear();
    collected.pass(22_000);
    caught_up(collected.cycle());
}

/// Somebody purges and reseeds one stream: a gap.
fn reseeded(collected: &mut Collected) {
    collected.pass(900);
    collected.foundation().purge_and_reseed(Stream::App);
    for _ in 0..4 {
        collected.pass(900);
        caught_up(collected.cycle());
    }
    assert_eq!(collected.gaps().len(), 1);
}

const WITH: [&str; 2] = ["--config", "cf-billing.toml"];

fn run(program: &Program, arguments: &[&str]) -> Run {
    program.run(&[arguments, &WITH].concat())
}

#[track_caller]
fn succeed(program: &Program, arguments: &[&str]) -> Run {
    program.succeed(&[arguments, &WITH].concat())
}

/// Makes an account's invoice final, and accepts whatever it is said to need.
#[track_caller]
fn finalize(program: &Program, month: &str, account: &str) {
    let base = ["invoices", "finalize", "--period", month, "--account", account];
    let refused = run(program, &base);
    if refused.code == Some(0) {
        return;
    }
    let words: Vec<&str> = refused.stderr.split_whitespace().collect();
    let mut accepted: Vec<&str> = Vec::new();
    for pair in words.windows(2).filter(|pair| pair[0] == "--accept") {
        if !accepted.contains(&pair[1]) {
            accepted.extend(["--accept", pair[1]]);
        }
    }
    succeed(program, &[&base[..], &accepted].concat());
}

/// Writes the card, accounts and configuration that the book was made with.
pub fn configure(program: &Program, marks: &Path) {
    let write = |name: &str, text: &str| std::fs::write(program.folder.path().join(name), text).unwrap();
    write("card.toml", CARD);
    write("accounts.toml", ACCOUNTS);
    write("cf-billing.toml", &format!("{CONFIGURATION}marks = \"{}\"\n", path(marks)));
}

/// Months that are final, corrected, credited, held, restored and lost.
fn invoices(program: &Program, marks: &Path) -> Program {
    configure(program, marks);
    for account in ["acme", "exemple", "mover"] {
        finalize(program, "2026-08", account);
    }
    let number = |account: &str| {
        let finals = program.json(&["invoices", "list", "--period", "2026-08", "--status", "final"]);
        let mut finals = finals.as_array().unwrap().iter();
        finals.find(|one| one["account"] == account).unwrap()["number"].as_str().unwrap().to_owned()
    };
    // Usage of August that is told late: it goes on September's invoice.
    let events = late_usage(program, &program.folder.path().join("app.jsonl"), "late-1");
    succeed(program, &["invoices", "draft", "--period", "2026-08"]);
    finalize(program, "2026-09", "acme");
    let (acme, exemple) = (number("acme"), number("exemple"));
    let line = charged_line(program, &acme);
    let credit = ["invoices", "credit", &acme, "--line", &line, "--amount", "1.50", "--reason", "goodwill"];
    succeed(program, &credit);
    succeed(program, &["invoices", "credit", &number("mover"), "--reissue", "--reason", "wrong address"]);
    succeed(program, &["invoices", "draft", "--period", "2026-08"]);
    finalize(program, "2026-08", "mover");
    succeed(program, &["invoices", "draft", "--period", "2026-09"]);
    let drafts = program.json(&["invoices", "list", "--period", "2026-09", "--status", "in_review"]);
    let others: Vec<&str> = (drafts.as_array().unwrap().iter())
        .map(|draft| draft["account"].as_str().unwrap())
        .filter(|account| account.starts_with(&format!("{NAME}/")))
        .collect();
    for account in &others[..2] {
        succeed(program, &["invoices", "hold", "--period", "2026-09", "--account", account, "--reason", "disputed"]);
    }
    let release = ["invoices", "release", "--period", "2026-09", "--account", others[0], "--reason", "agreed"];
    succeed(program, &release);
    // A backup is restored that lacks two of the invoices which were issued: one is brought back, one is lost.
    let backup = program.folder.path().join("backup.jsonl.zst");
    succeed(program, &["ledger", "export", "--out", path(&backup)]);
    finalize(program, "2026-09", "exemple");
    finalize(program, "2026-10", "exemple");
    let newest = program.json(&["invoices", "list", "--period", "2026-09", "--account", "exemple"]);
    let number = newest[0]["number"].as_str().unwrap();
    for format in ["json", "html"] {
        succeed(program, &["invoices", "export", number, "--format", format, "--out", "issued"]);
    }
    let restored = Program::unprepared();
    configure(&restored, marks);
    restored.succeed(&["ledger", "import", path(&backup)]);
    let issued = program.folder.path().join("issued");
    // It says that one more is missing.
    assert_eq!(run(&restored, &["invoices", "adopt", path(&issued)]).code, Some(1));
    let lost: i64 = number.trim_start_matches("CF-").parse::<i64>().unwrap() + 1;
    succeed(&restored, &["invoices", "lost", &lost.to_string(), "--reason", "the disk failed"]);
    // Something more was used in August that waits for the account's next invoice; and a month is to be compared again.
    succeed(&restored, &["invoices", "draft", "--period", "2026-10"]);
    late_usage(&restored, &events, "late-2");
    succeed(&restored, &["invoices", "draft", "--period", "2026-08"]);
    let line = charged_line(&restored, &exemple);
    let credit = ["invoices", "credit", &exemple, "--line", &line, "--amount", "0.10", "--reason", "goodwill"];
    succeed(&restored, &credit);
    restored
}

/// The first line of an invoice that costs 2 EUR or more, from 1.
fn charged_line(program: &Program, number: &str) -> String {
    let shown = program.json(&["invoices", "show", number]);
    let mut lines = shown["lines"].as_array().unwrap().iter();
    let at = lines
        .position(|line| line["amount"].as_str().is_some_and(|amount| amount.len() > 4 || amount >= "2.00"))
        .unwrap();
    (at + 1).to_string()
}

/// Imports the app events in `file` once more, with three days of one more process in August; gives the new file.
fn late_usage(program: &Program, file: &Path, process: &str) -> PathBuf {
    let text = std::fs::read_to_string(file).unwrap();
    let mut events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (at, state) in [("2026-08-20T00:00:00Z", "STARTED"), ("2026-08-23T00:00:00Z", "STOPPED")] {
        let mut event = events[0].clone();
        (event["guid"], event["created_at"]) = (format!("{process}-{state}").into(), at.into());
        event["state"]["current"] = state.into();
        event["process"]["guid"] = process.into();
        events.push(event);
    }
    events.sort_by_key(|event| event["created_at"].as_str().unwrap().to_owned());
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let more = program.folder.path().join(format!("{process}.jsonl"));
    std::fs::write(&more, lines.join("\n")).unwrap();
    let import = ["import", "--foundation", "f", "--app-events", path(&more), "--read-at", "2100-01-01T00:00:00Z"];
    program.succeed(&import);
    more
}

/// How many rows each table of an exported book has.
fn rows(lines: &str) -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    let mut table = String::new();
    for line in lines.lines() {
        if let Value::Object(head) = serde_json::from_str(line).unwrap() {
            head.get("table").and_then(Value::as_str).unwrap_or_default().clone_into(&mut table);
            rows.insert(table.clone(), 0);
        } else {
            *rows.get_mut(&table).unwrap() += 1;
        }
    }
    rows.remove("");
    rows
}

/// The next golden book would lack nothing. With `CF_BILLING_RECORD_BOOK`, it is recorded: once for each schema.
#[test]
fn a_book_with_everything_has_rows_in_every_table() {
    let collected = collected();
    let marks = tempfile::tempdir().unwrap();
    month::import(collected.program(), USAGE, "40d00:00");
    let restored = invoices(collected.program(), marks.path());
    let book: PathBuf = restored.folder.path().join("everything.jsonl.zst");
    succeed(&restored, &["ledger", "export", "--out", path(&book)]);
    succeed(&restored, &["ledger", "verify"]);
    succeed(&restored, &["ledger", "rebuild"]);
    let lines = super::book::lines(&book);
    let rows = rows(&lines);
    let empty: Vec<&String> = rows
        .iter()
        .filter(|(table, rows)| **rows == 0 && !OF_DAEMONS.contains(&table.as_str()))
        .map(|(t, _)| t)
        .collect();
    assert_eq!(empty, Vec::<&String>::new(), "{rows:?}");
    if std::env::var_os("CF_BILLING_RECORD_BOOK").is_some() {
        let golden = folder().join(format!("book-{NEWEST}.jsonl.zst"));
        assert!(!golden.exists(), "{} is there: golden books are never recorded over", golden.display());
        std::fs::write(golden, zstd::encode_all(lines.as_bytes(), 19).unwrap()).unwrap();
        let columns = serde_json::to_string_pretty(&super::book::columns_of(&lines)).unwrap();
        std::fs::write(folder().join(format!("book-{NEWEST}.columns.json")), columns + "\n").unwrap();
    }
}
