//! The books hold together: hash chains that show any change, the archive folded again to the same ledger, and what was
//! known at a time.

use cf_billing::domain::{EntryType, Stream, Timestamp};
use cf_billing::simulator::world::Size;
use serde_json::Value;

use crate::support::collected::{Collected, caught_up};
use crate::support::database::{self, Kind, kind};

const DAY: i64 = 86_400;
const CARD: &str = "name = \"test\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"0.10\"\n[[staging]]\nfree = true\n\
    [[task]]\ninstance_hour = \"0.20\"\n[[service]]\ninstance_hour = \"0.05\"\n";

/// Some days of a foundation, with a late event, and March's invoices final.
pub fn book(seed: u64) -> Collected {
    let mut foundation =
        cf_billing::simulator::Foundation::new(seed, Timestamp::parse("2026-03-30T08:00:00Z").unwrap());
    foundation.world.settle(&mut foundation.tables, 14);
    let mut collected = Collected::new(foundation);
    collected.onboard();
    for hour in 0..40 {
        collected.act(3600, 2);
        if hour == 10 {
            let mut foundation = collected.foundation();
            let guid = foundation.tables.events(Stream::App).last().unwrap()["guid"].as_str().unwrap().to_owned();
            foundation.tables.uncommitted.insert(guid);
        }
        if hour == 11 {
            collected.foundation().tables.uncommitted.clear();
        }
        caught_up(collected.cycle());
    }
    let program = collected.program();
    let file = program.folder.path().join("card.toml");
    std::fs::write(&file, CARD).unwrap();
    let accept = crate::support::month::accepted_estimates_of(program, "2026-03", file.to_str().unwrap());
    let finalize = ["invoices", "finalize", "--period", "2026-03", "--rates", file.to_str().unwrap()];
    program.succeed(&finalize.into_iter().chain(accept.iter().map(String::as_str)).collect::<Vec<_>>());
    collected
}

/// Changes rows that nothing is allowed to change: the guard is taken away first.
pub fn tamper(collected: &Collected, table: &str, triggers: &[&str], change: &str) {
    let url = collected.url();
    if kind() == Kind::Postgres {
        database::execute(&url, &format!("ALTER TABLE {table} DISABLE TRIGGER USER")).unwrap();
    } else {
        for trigger in triggers {
            database::execute(&url, &format!("DROP TRIGGER {trigger}")).unwrap();
        }
    }
    database::execute(&url, change).unwrap();
}

#[test]
fn an_untouched_book_verifies_and_rebuilds() {
    let collected = book(600);
    let verified = collected.program().json(&["ledger", "verify"]);
    let rows = verified.as_array().unwrap();
    assert_eq!(rows.len(), 3, "{verified:#}");
    assert_eq!(rows[2]["chain"], "audit");
    let head = collected.head();
    assert_eq!(rows[0]["chain"], "foundation/sim");
    assert_eq!(rows[0]["inputs"], head.last_sequence);
    assert_eq!(rows[0]["entries"], head.last_entry);
    assert!(rows[0]["links"].as_u64().unwrap() > 40 && rows[0]["before"] == 0);
    assert_eq!(rows[1]["chain"], "invoices/CF");
    assert_eq!(
        rows[1]["links"].as_u64().unwrap(),
        collected.program().json(&["invoices", "list", "--status", "final"]).as_array().unwrap().len() as u64
    );
    let told = collected.program().succeed(&["ledger", "rebuild"]).stderr;
    assert!(told.contains("the same") && told.contains("folded again"), "{told}");
}

/// Each row that somebody changes, adds or removes is found, and where.
#[test]
fn whatever_is_changed_afterwards_is_found() {
    let entry = ["ledger_entry_stays", "ledger_entry_remains"];
    let cases: [(&str, &[&str], &str, &str); 6] = [
        (
            "ledger_entry",
            &entry,
            "UPDATE ledger_entry SET memory_mib = memory_mib + 1 WHERE number = 3",
            "a ledger entry was changed",
        ),
        (
            "ledger_entry",
            &entry,
            "DELETE FROM ledger_entry WHERE number = 4",
            "a ledger entry was changed, added or removed",
        ),
        (
            "ledger_link",
            &["ledger_link_stays"],
            "UPDATE ledger_link SET digest = inputs_digest WHERE last_sequence = (SELECT max(last_sequence) FROM ledger_link)",
            "doesn't follow from the one before",
        ),
        (
            "ledger_link",
            &["ledger_link_stays", "ledger_link_remains"],
            "DELETE FROM ledger_link WHERE last_sequence = (SELECT max(last_sequence) FROM ledger_link)",
            "the chain ends at input",
        ),
        (
            "invoice",
            &["final_invoice_stays"],
            "UPDATE invoice SET net = net + 1 WHERE number = 'CF-000001'",
            "invoice CF-000001 isn't as it was made final",
        ),
        (
            "invoice_line",
            &["final_line_stays", "final_line_remains"],
            "UPDATE invoice_line SET quantity = quantity + 1 WHERE position = 1 AND invoice_id = (SELECT id FROM invoice WHERE number = 'CF-000001')",
            "invoice CF-000001 isn't",
        ),
    ];
    for (table, triggers, change, told) in cases {
        let collected = book(601);
        collected.program().succeed(&["ledger", "verify"]);
        tamper(&collected, table, triggers, change);
        let verified = collected.program().run(&["ledger", "verify"]);
        assert_eq!(verified.code, Some(1), "{change}");
        assert!(verified.stderr.contains(told) && verified.stderr.contains("hint: "), "{change}: {}", verified.stderr);
    }
}

/// An archived input that was changed breaks the chain, and gives another ledger.
#[test]
fn a_changed_archive_is_found() {
    let collected = book(602);
    // Two chunks' bodies change places: each still reads.
    let change =
        "UPDATE archive_chunk SET bodies = (SELECT bodies FROM archive_chunk ORDER BY first_sequence DESC LIMIT 1)
                  WHERE first_sequence = (SELECT min(first_sequence) FROM archive_chunk)";
    let chunks = collected.head().last_sequence.div_ceil(512);
    if chunks < 2 {
        // Too few inputs for two chunks: one that can't be read at all.
        database::execute(&collected.url(), "UPDATE archive_chunk SET bodies = directory").unwrap();
    } else {
        database::execute(&collected.url(), change).unwrap();
    }
    for command in ["verify", "rebuild"] {
        let run = collected.program().run(&["ledger", command]);
        assert_eq!(run.code, Some(1), "{command}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    }
}

/// A ledger that isn't what the archive gives is found, entry by entry.
#[test]
fn a_ledger_that_the_archive_does_not_give_is_found() {
    let collected = book(603);
    let change = "UPDATE ledger_entry SET instances = instances + 1 WHERE number = 5";
    tamper(&collected, "ledger_entry", &["ledger_entry_stays"], change);
    let rebuilt = collected.program().run(&["ledger", "rebuild"]);
    assert_eq!(rebuilt.code, Some(1));
    assert!(
        rebuilt.stderr.contains("entry 5 is kept as {") && rebuilt.stderr.contains("and comes out as {"),
        "{}",
        rebuilt.stderr
    );
    let none = collected.program().run(&["ledger", "rebuild", "--foundation", "other"]);
    assert!(none.code == Some(1) && none.stderr.contains("there is no foundation `other`"), "{}", none.stderr);
}

/// What is pruned is taken as it was sealed; what came after is folded again.
#[test]
fn a_pruned_book_verifies_and_rebuilds_from_its_seal() {
    let mut collected = book(604);
    collected.runtime.block_on(async {
        let head = collected.store.foundation("sim").await.unwrap();
        collected.store.seal(&head, collected.clock.now()).await.unwrap();
        // Drafts would hold it back.
        assert!(collected.store.prune(&head, collected.clock.now()).await.unwrap() > 100);
    });
    let sealed_at = collected.now();
    for _ in 0..20 {
        collected.act(1800, 3);
        caught_up(collected.cycle());
    }
    let verified = collected.program().json(&["ledger", "verify"]);
    assert!(verified[0]["pruned"].as_u64().unwrap() > 100, "{verified:#}");
    let told = collected.program().succeed(&["ledger", "rebuild"]).stderr;
    assert!(told.contains("on top of the seal of"), "{told}");
    let before = sealed_at.plus(-3600).to_string();
    let refused = collected.program().run(&["usage", "--from", "2026-03-01", "--to", "2026-04-01", "--as-of", &before]);
    assert!(refused.code == Some(1) && refused.stderr.contains("are pruned"), "{}", refused.stderr);
    collected.program().succeed(&[
        "usage",
        "--from",
        "2026-03-01",
        "--to",
        "2026-04-01",
        "--as-of",
        &sealed_at.to_string(),
    ]);
}

/// What did we know on the 3rd? An event that came late is in today's sums and not in those of then; a correction says
/// what it corrects, when it became known and why.
#[test]
fn sums_as_of_a_time_leave_out_what_was_known_later() {
    let mut collected = Collected::settled(605, 12);
    collected.onboard();
    let (_, process) = collected.plain_apps().remove(0);
    let instances = i64::from(collected.open_of(&process).unwrap().2);
    collected.pass(DAY);
    caught_up(collected.cycle());
    collected.world(|world, tables| {
        world.scale(tables, &process, Size { instances: Some(instances + 4), ..Size::default() });
        let guid = tables.events(Stream::App).last().unwrap()["guid"].as_str().unwrap().to_owned();
        tables.uncommitted.insert(guid);
    });
    let scaled = collected.now();
    // Other events are read meanwhile, and a later one of the same process, too.
    for _ in 0..3 {
        collected.act(900, 3);
        caught_up(collected.cycle());
    }
    collected.world(|world, tables| {
        world.scale(tables, &process, Size { instances: Some(instances + 1), ..Size::default() });
    });
    let back = collected.now();
    collected.pass(60);
    caught_up(collected.cycle());
    let then = collected.now();
    let span =
        ["usage", "--from", &scaled.to_string(), "--to", &back.to_string(), "--by", "process"].map(str::to_owned);
    let seconds = |collected: &Collected, more: &[&str]| -> i64 {
        let arguments: Vec<&str> = span.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let rows = collected.program().json(&arguments);
        let row = rows.as_array().unwrap().iter().find(|row| row["process_guid"] == process.as_str()).cloned();
        row.map_or(0, |row: Value| row["instance_seconds"].as_i64().unwrap())
    };
    let known_then = seconds(&collected, &[]);
    assert_eq!(known_then, instances * back.seconds_since(scaled));
    collected.pass(60);
    collected.foundation().tables.uncommitted.clear();
    collected.pass(700);
    caught_up(collected.cycle());
    let known_now = seconds(&collected, &[]);
    assert_eq!(known_now, (instances + 4) * back.seconds_since(scaled));
    assert_eq!(seconds(&collected, &["--as-of", &then.to_string()]), known_then);
    assert_eq!(seconds(&collected, &["--as-of", &collected.now().to_string()]), known_now);

    let entries = collected.entries_of(&process);
    for entry in entries.iter().filter(|entry| entry.entry_type == EntryType::Reversal) {
        assert!(entry.corrects.is_some() && entry.known_at > then, "{entry:?}");
        assert_eq!(entry.cause.name(), "late_event");
    }
    assert!(entries.iter().any(|entry| entry.entry_type == EntryType::Reversal), "{entries:?}");
}

crate::on_postgres! {
    an_untouched_book_verifies_and_rebuilds,
    whatever_is_changed_afterwards_is_found,
    a_changed_archive_is_found,
    a_ledger_that_the_archive_does_not_give_is_found,
    a_pruned_book_verifies_and_rebuilds_from_its_seal,
    sums_as_of_a_time_leave_out_what_was_known_later,
}
