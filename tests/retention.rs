//! What becomes of the archive: sealed, pruned to guids, and missed by nothing.

use std::collections::HashMap;

use cf_billing::consumer::Cycle;
use cf_billing::domain::{Kind, Stream, Timestamp};
use cf_billing::fold::Depth;
use cf_billing::store::{InputKind, StoreError};
use serde_json::Value;

use crate::support::book::StoredBook;
use crate::support::collected::{Collected, NAME};
use crate::support::database;
use crate::support::script::parse;

const DAY: i64 = 86_400;
const KEEP: i64 = 62 * DAY;

fn seals(collected: &Collected) -> Vec<cf_billing::store::Seal> {
    collected.runtime.block_on(collected.store.seals(&collected.head())).unwrap()
}

/// 20 s or so on PostgreSQL: three months are lived through.
#[test]
fn months_old_events_are_pruned_to_guids_and_everything_still_adds_up() {
    let mut collected = Collected::settled(71, 20);
    collected.plan.keep_events_seconds = Some(KEEP);
    collected.onboard();
    for _ in 0..100 {
        collected.act(DAY, 4);
        collected.cycle().unwrap();
    }
    let seals = seals(&collected);
    let pruned = seals.iter().filter(|seal| seal.pruned_at.is_some()).collect::<Vec<_>>();
    assert!(!pruned.is_empty() && seals.starts_with(&pruned.iter().map(|seal| (*seal).clone()).collect::<Vec<_>>()));
    let pruned = [*pruned.last().unwrap()];
    let age = |seal: &cf_billing::store::Seal| collected.now().seconds_since(seal.sealed_at);
    assert!(age(pruned[0]) >= KEEP && age(pruned[0]) < KEEP + 15 * DAY, "{}", age(pruned[0]) / DAY);
    assert!(seals.iter().all(|seal| seal.resources > 20 && seal.digest.len() == 64));

    // Guids stay, what else events said is gone, of those before the seal only.
    let head = collected.head();
    let inputs = collected.runtime.block_on(collected.store.archived(&head, 1, usize::MAX)).unwrap();
    assert_eq!(inputs.len() as u64, head.last_sequence);
    let (mut guids_only, mut whole) = (0, 0);
    for input in &inputs {
        if let InputKind::Event(stream) = input.kind {
            let body: Value = serde_json::from_str(&input.body).unwrap();
            assert!(body["guid"].is_string() && body["created_at"].is_string(), "{body}");
            let found =
                collected.foundation().tables.events_mut(stream).iter().any(|event| body["guid"] == event["guid"]);
            assert!(found, "{body}");
            if body.get("state").is_none() {
                guids_only += 1;
            } else {
                whole += 1;
            }
            assert!(body.get("state").is_some() || input.sequence <= pruned[0].sequence);
        }
    }
    assert!(guids_only > 20 && whole > 20, "{guids_only} {whole}");
    collected.check_truth();

    // What began before the seal is folded again from its state in it.
    let open = collected.runtime.block_on(collected.store.open_resources(&head)).unwrap();
    let deep: HashMap<_, _> = open.iter().map(|loaded| (loaded.resource.key.clone(), Depth::History)).collect();
    let loaded = collected.runtime.block_on(collected.store.load(&head, &deep)).unwrap();
    let from_seal = loaded.iter().filter(|loaded| loaded.sealed.is_some()).count();
    assert!(from_seal > 5, "{from_seal} of {}", loaded.len());
    for (_, sealed) in loaded.iter().filter_map(|loaded| loaded.sealed.as_ref()) {
        assert!(sealed.entries.iter().all(|entry| entry.sequence <= pruned[0].sequence));
    }
    let mut found = 0;
    for behind in [1, 2, 3, 4, 6] {
        collected.act(3600, 30);
        let hidden = {
            let mut foundation = collected.foundation();
            let events = foundation.tables.events_mut(Stream::App);
            let at = events.len() - 1 - behind;
            (at, events.remove(at))
        };
        let mut late = |collected: &mut Collected| match collected.cycle().unwrap() {
            Cycle::CaughtUp(caught) => found += caught.late,
            Cycle::Waiting(what) => panic!("{what}"),
        };
        late(&mut collected);
        collected.foundation().tables.events_mut(Stream::App).insert(hidden.0, hidden.1);
        for _ in 0..3 {
            collected.pass(600);
            late(&mut collected);
        }
        collected.check_truth();
    }
    assert_eq!(found, 5, "each once");
}

#[test]
fn nothing_is_pruned_before_its_time_nor_while_a_draft_needs_it() {
    let collected = Collected::settled(72, 5);
    let mut collected = collected;
    collected.onboard();
    collected.act(DAY, 20);
    collected.cycle().unwrap();
    let (store, head) = (collected.store.clone(), collected.head());
    let at = collected.now();
    let prune = |until: Timestamp| collected.runtime.block_on(store.prune(&head, until)).unwrap();
    // Without a seal there is nothing to begin with again.
    assert_eq!(prune(at), 0);
    collected.runtime.block_on(store.seal(&head, at)).unwrap();
    assert_eq!(prune(at.plus(-1)), 0);
    let draft = |period_end: i64| {
        let statements = [
            "INSERT INTO rate_card (hash, name, currency, body, first_used) VALUES ('h', 'n', 'EUR', '', {now})".to_owned(),
            "INSERT INTO invoice (status, account, month, period_start, period_end, time_zone, currency, net, estimated,
                 rate_card_hash, drafted_at)
             VALUES ('draft', 'a', '2026-03', {start}, {end}, 'UTC', 'EUR', 0, 0, 'h', {now})"
                .to_owned(),
        ];
        for statement in statements {
            let time = |unix: i64| match database::kind() {
                database::Kind::Sqlite => unix.to_string(),
                database::Kind::Postgres => format!("to_timestamp({unix})"),
            };
            let statement = statement.replace("{now}", &time(0)).replace("{start}", &time(period_end - 1));
            database::execute(&collected.url(), &statement.replace("{end}", &time(period_end))).unwrap();
        }
    };
    draft(at.unix());
    assert_eq!(prune(at), 0, "the draft's period begins before the seal");
    database::execute(&collected.url(), "DELETE FROM invoice").unwrap();
    let pruned = prune(at);
    assert!(pruned > 20 && pruned <= head.last_sequence, "{pruned}");
    // Once is enough, and a seal is made once.
    assert_eq!(prune(at), 0);
    collected.runtime.block_on(store.seal(&head, at.plus(1))).unwrap();
    assert_eq!(seals(&collected).len(), 1);
    // Who has lost the foundation seals and prunes nothing.
    let mut older = head.clone();
    older.lease_epoch += 1;
    let refused = collected.runtime.block_on(store.seal(&older, at)).unwrap_err();
    assert!(matches!(refused, StoreError::Superseded(ref name) if name == NAME), "{refused}");
}

/// Its state in the seal lacks what was found between sealing and pruning: its whole history stays.
#[test]
fn what_is_found_behind_a_seal_before_it_is_pruned_stays_in_the_history() {
    let script = "10:00 p STARTED 512x1 bp=ruby\n10:10 p STARTED 512x2 bp=ruby\n10:20 p STARTED 512x3 bp=ruby\n\
                  10:25 q STARTED 256x1 bp=go\n10:30 p STARTED 512x4 bp=ruby\n10:40 p STOPPED 512x4\n10:50 q STOPPED 256x1";
    let lines = parse(script);
    let live = |prune: bool| {
        let stored = StoredBook::new();
        stored.import_events(&lines, 0..1, 10);
        stored.import_events(&lines, 2..4, 10);
        stored.seal(1);
        stored.import_events(&lines, 0..4, 10);
        if prune {
            stored.prune(1);
        }
        stored.import_events(&lines, 5..7, 10);
        stored.import_events(&lines, 0..7, 10);
        assert_eq!((stored.anomalies("late_event"), stored.anomalies("before_seal")), (2, 0));
        (stored.entries(), stored.open())
    };
    assert_eq!(live(true), live(false));
}

/// What comes too late for a pruned seal changes nothing, and nothing that comes later suffers from it.
#[test]
fn what_came_too_late_spoils_nothing_that_comes_later() {
    let script = "10:00 p STARTED 512x1 bp=ruby\n10:10 p STARTED 512x2 bp=ruby\n10:20 p STARTED 512x3 bp=ruby\n\
                  10:30 p STARTED 512x4 bp=ruby\n10:40 p STOPPED 512x4";
    let lines = parse(script);
    let without: Vec<_> =
        parse(script).into_iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| line).collect();
    let stored = StoredBook::new();
    stored.import_events(&lines, 0..1, 10);
    stored.import_events(&lines, 2..3, 10);
    stored.seal_and_prune();
    stored.import_events(&lines, 0..3, 10);
    assert_eq!(stored.anomalies("before_seal"), 1);
    stored.import_events(&lines, 4..5, 10);
    stored.import_events(&lines, 0..5, 10);
    assert_eq!((stored.anomalies("late_event"), stored.anomalies("before_seal")), (1, 1));
    let undisturbed = StoredBook::new();
    undisturbed.import(&without, 10);
    let nets = |book: &StoredBook| {
        let net = cf_billing::domain::ledger_entry::net(book.entries());
        let interval = |entry: cf_billing::domain::LedgerEntry| {
            (entry.interval.started_at, entry.interval.ended_at, entry.interval.footprint.instances)
        };
        net.into_iter().map(interval).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(nets(&stored), nets(&undisturbed));
}

#[test]
fn what_is_found_behind_a_seal_changes_nothing_and_is_told() {
    let script = "10:00 p STARTED 512x2 bp=ruby\n10:10 p STARTED 512x3 bp=ruby\n10:20 p STOPPED 512x3\n\
                  11:00 q STARTED 256x1 bp=go\n12:00 q STOPPED 256x1\n";
    let lines = parse(script);
    let stored = StoredBook::new();
    stored.import_events(&lines, 0..1, 10);
    stored.import_events(&lines, 2..5, 10);
    stored.seal_and_prune();
    let before = (stored.entries(), stored.open());
    stored.import_events(&lines, 0..5, 10);
    assert_eq!((stored.entries(), stored.open()), before);
    assert_eq!(stored.anomalies("before_seal"), 1);
    assert_eq!(stored.anomalies("late_event"), 0);
    assert!(before.0.iter().all(|entry| entry.interval.resource.kind == Kind::Process));
}

crate::on_postgres! {
    months_old_events_are_pruned_to_guids_and_everything_still_adds_up,
    nothing_is_pruned_before_its_time_nor_while_a_draft_needs_it,
    what_is_found_behind_a_seal_changes_nothing_and_is_told,
    what_is_found_behind_a_seal_before_it_is_pruned_stays_in_the_history,
    what_came_too_late_spoils_nothing_that_comes_later,
}
