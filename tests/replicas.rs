//! Several processes on one book: leases, fencing, takeover.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cf_billing::domain::{Strategy, Timestamp};
use cf_billing::store::{DutyState, Lease, PageOrigin, Store, StoreError, WriteSet};
use tokio::runtime::Runtime;

use crate::support::background::{eventually, text};
use crate::support::collected::{Collected, NAME};
use crate::support::database::{self, Kind};
use crate::support::program::Program;
use crate::support::proxy::Network;
use crate::support::replica::{FOUNDATIONS, Replica, foundations};
use crate::support::served::complete_until;

const LONG: Duration = Duration::from_mins(1);

#[test]
fn a_duty_is_one_replicas_at_a_time() {
    let program = Program::new();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&program.database()).await.unwrap();
        let first = store.take_lease("drafts", "a", LONG).await.unwrap().unwrap();
        assert_eq!(first, Lease { duty: "drafts".to_owned(), epoch: 1 });
        assert_eq!(store.renew_leases("a", LONG).await.unwrap(), std::slice::from_ref(&first));
        assert_eq!(store.renew_leases("b", LONG).await.unwrap(), []);
        if store.is_shared() {
            assert_eq!(store.take_lease("drafts", "b", LONG).await.unwrap(), None);
        }
        // Whoever doesn't have it can't give it up.
        store.give_up_lease(&first, "b").await.unwrap();
        let held = |state: &DutyState| state.holder.clone();
        assert_eq!(store.duties().await.unwrap().iter().map(held).collect::<Vec<_>>(), [Some("a".to_owned())]);
        store.give_up_lease(&first, "a").await.unwrap();
        assert_eq!(store.duties().await.unwrap().iter().map(held).collect::<Vec<_>>(), [None]);
        let second = store.take_lease("drafts", "b", LONG).await.unwrap().unwrap();
        assert_eq!(second.epoch, 2);
        // What ran out is anybody's.
        store.give_up_lease(&second, "b").await.unwrap();
        let third = store.take_lease("drafts", "c", Duration::from_millis(1)).await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let fourth = store.take_lease("drafts", "d", LONG).await.unwrap().unwrap();
        assert_eq!((third.epoch, fourth.epoch), (3, 4));
        assert_eq!(store.renew_leases("c", LONG).await.unwrap(), []);
    });
}

#[test]
fn an_older_epoch_writes_nothing() {
    let program = Program::new();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&program.database()).await.unwrap();
        let duty = Lease::duty_of("f");
        // Taken before the foundation is there.
        let old = store.take_lease(&duty, "a", LONG).await.unwrap().unwrap();
        let paused = store.under(old.clone());
        let head = paused.foundation("f").await.unwrap();
        assert_eq!(head.lease_epoch, 1);
        let mut write = WriteSet::new(PageOrigin::Collector, &head);
        write.known_until = Some(Timestamp::from_unix(1_790_000_000));
        paused.commit(&head, &write).await.unwrap();

        store.give_up_lease(&old, "a").await.unwrap();
        let new = store.take_lease(&duty, "b", LONG).await.unwrap().unwrap();
        write.known_until = Some(Timestamp::from_unix(1_790_000_001));
        let superseded = |error: StoreError| assert!(matches!(error, StoreError::Superseded(_)), "{error}");
        superseded(paused.commit(&head, &write).await.unwrap_err());
        // Nor with what it reads afterwards.
        let head = paused.foundation("f").await.unwrap();
        assert_eq!(head.lease_epoch, 2);
        superseded(paused.commit(&head, &write).await.unwrap_err());
        let onboarding = cf_billing::store::Onboarding::new(Strategy::Snapshot, "", Timestamp::from_unix(0));
        superseded(paused.put_onboarding(&head, &onboarding).await.unwrap_err());
        let unchanged = store.foundation("f").await.unwrap();
        assert_eq!(unchanged.known_until, Some(Timestamp::from_unix(1_790_000_000)));
        assert_eq!(store.onboarding(&unchanged).await.unwrap(), None);
        let current = store.under(new);
        current.commit(&head, &write).await.unwrap();
        current.put_onboarding(&head, &onboarding).await.unwrap();

        let drafts = store.take_lease("drafts", "a", LONG).await.unwrap().unwrap();
        let card = cf_billing::store::StoredCard {
            hash: "h".to_owned(),
            name: "n".to_owned(),
            currency: "EUR".to_owned(),
            text: String::new(),
        };
        let at = Timestamp::from_unix(0);
        store.under(drafts.clone()).put_drafts(&card, &[], None, at).await.unwrap();
        store.give_up_lease(&drafts, "a").await.unwrap();
        store.take_lease("drafts", "b", LONG).await.unwrap().unwrap();
        superseded(store.under(drafts).put_drafts(&card, &[], None, at).await.unwrap_err());
    });
}

/// The collector that was paused between a page's delivery and its commit.
#[test]
fn a_leader_paused_before_its_commit_is_refused_when_it_wakes() {
    let mut collected = Collected::settled(17, 20);
    let duty = Lease::duty_of(NAME);
    let store = collected.store.clone();
    let lease = collected.runtime.block_on(store.take_lease(&duty, "a", LONG)).unwrap().unwrap();
    collected.store = store.under(lease.clone());
    collected.onboard();
    collected.act(3600, 40);
    // Somebody else takes over while the first page is on its way.
    let (url, taken) = (collected.url(), Arc::new(Mutex::new(false)));
    collected.fail(move |request| {
        let mut taken = taken.lock().unwrap();
        if !*taken && request.uri().path().ends_with("app_usage_events") {
            *taken = true;
            let (url, duty, lease) = (url.clone(), duty.clone(), lease.clone());
            database::run(|| async move {
                let other = Store::open(&url).await.unwrap();
                other.give_up_lease(&lease, "a").await.unwrap();
                assert_eq!(other.take_lease(&duty, "b", LONG).await.unwrap().unwrap().epoch, 2);
                other.close().await;
            });
        }
        None
    });
    let before = collected.runtime.block_on(store.foundation(NAME)).unwrap();
    for _ in 0..3 {
        let refused = collected.cycle().unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("taken over or written by another process"), "{text}");
    }
    let after = collected.runtime.block_on(store.foundation(NAME)).unwrap();
    assert_eq!(after.last_sequence, before.last_sequence);
    assert_eq!(after.last_entry, before.last_entry);
    assert_eq!(after.known_until, before.known_until);
    // Whoever has the lease goes on there.
    collected.store = store.under(Lease { duty: Lease::duty_of(NAME), epoch: 2 });
    collected.restart();
    collected.cycle().unwrap();
    collected.check_truth();
}

crate::on_postgres! {
    a_duty_is_one_replicas_at_a_time,
    an_older_epoch_writes_nothing,
    a_leader_paused_before_its_commit_is_refused_when_it_wakes,
}

#[test]
fn a_database_that_is_away_at_the_start_is_waited_for() {
    let runtime = Runtime::new().unwrap();
    let served = foundations(&runtime);
    let book = database::with(Kind::Postgres, Program::new);
    let mut replica = Replica::new(&runtime, &book.database(), &served);
    replica.databases[0].set(Network::Cut);
    // Other commands end with the reason.
    let checked = replica.command(&["check"]).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{told}");
    assert!(
        told.contains("can't reach the database") && told.contains("is it running, and reachable from here?"),
        "{told}"
    );
    replica.start();
    let url = replica.address();
    let body = text(&format!("{url}/readyz"));
    assert!(body.contains("\"ready\":false") && body.contains("can't reach the database"), "{body}");
    assert_eq!(text(&format!("{url}/healthz")), "alive\n");
    assert!(text(&format!("{url}/metrics")).contains("cf_billing_build_info"));
    replica.databases[0].set(Network::Whole);
    eventually(|| replica.log(), || text(&format!("{url}/readyz")).contains("\"ready\":true").then_some(()));
    let store = runtime.block_on(Store::open(&book.database())).unwrap();
    for name in FOUNDATIONS {
        eventually(|| replica.log(), || runtime.block_on(complete_until(&store, name)));
    }
}

/// Foundations are shared out; a replica that ends well is followed at once.
#[test]
fn replicas_share_the_foundations_and_follow_each_other() {
    let runtime = Runtime::new().unwrap();
    let served = foundations(&runtime);
    let book = database::with(Kind::Postgres, Program::new);
    let store = runtime.block_on(Store::open(&book.database())).unwrap();
    let mut replicas: Vec<Replica> = (0..2).map(|_| Replica::new(&runtime, &book.database(), &served)).collect();
    let holders = || {
        let duties = runtime.block_on(store.duties()).unwrap();
        let held = |state: &DutyState| Some((state.lease.duty.clone(), state.holder.clone()?));
        duties.iter().filter_map(held).collect::<BTreeMap<String, String>>()
    };
    replicas[0].start();
    eventually(|| replicas[0].log(), || (holders().len() == 4).then_some(()));
    replicas[1].start();
    // Two foundations, drafts and verification over two: each has two.
    let log = || format!("{:?}\n{}\n{}", holders(), replicas[0].log(), replicas[1].log());
    eventually(log, || {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for holder in holders().into_values() {
            *counts.entry(holder).or_default() += 1;
        }
        counts.values().copied().eq([2, 2]).then_some(())
    });
    // Both are ready, and say of what they have; of the rest they say what the book says, which goes on.
    for replica in &replicas {
        eventually(
            || replica.log(),
            || {
                for served in &served {
                    let mut foundation = served.foundation.lock().unwrap();
                    let to = foundation.now().plus(1);
                    foundation.advance(to);
                }
                let ready = text(&format!("{}/readyz", replica.address()));
                ready.contains("\"ready\":true").then_some(())
            },
        );
    }
    let metrics = text(&format!("{}/metrics", replicas[1].address()));
    let leads = |value: u8| {
        metrics
            .lines()
            .filter(|line| line.starts_with("cf_billing_leader{") && line.ends_with(&format!(" {value}")))
            .count()
    };
    assert_eq!((leads(1), leads(0)), (2, 2), "{metrics}");
    // One that ends well leaves nothing to wait for.
    assert_eq!(replicas[1].end(), Some(0));
    let ended = Instant::now();
    assert!(replicas[1].log().contains("stopped"));
    eventually(
        || replicas[0].log(),
        || {
            (holders().values().collect::<std::collections::BTreeSet<_>>().len() == 1 && holders().len() == 4)
                .then_some(())
        },
    );
    println!("followed after {:?}", ended.elapsed());
    // The same names in two foundations stay two accounts. Some time passes in each, so that there is usage.
    for served in &served {
        let mut foundation = served.foundation.lock().unwrap();
        let to = foundation.now().plus(60);
        foundation.advance(to);
    }
    let organizations = |name: &str| {
        let by_org = ["usage", "--by", "org", "--foundation", name, "--from", "2026-03-01", "--to", "2026-05-01"];
        let used = || Some(book.json(&by_org).as_array().unwrap().len()).filter(|count| *count > 0);
        eventually(|| replicas[0].log(), used)
    };
    assert_eq!(organizations(FOUNDATIONS[0]), organizations(FOUNDATIONS[1]));
}
