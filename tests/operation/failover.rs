//! A primary that dies under load, and the standby that takes over: daemons find it by themselves, nothing of usage is lost,
//! and no number is issued twice.

use std::path::Path;
use tokio::runtime::Runtime;

use super::twins::{Twins, inputs};
use crate::support::background::eventually;
use crate::support::cluster::{Cluster, Pair, folder, server_owner};
use crate::support::month;
use crate::support::program::{Program, Run, path};

const ACCOUNTS: &str = "[[account]]\nid = \"k1\"\nname = \"K1\"\norganizations = [\"f/o1\"]\n\
                        [[account]]\nid = \"k2\"\nname = \"K2\"\norganizations = [\"f/o2\"]\n\
                        [[account]]\nid = \"k3\"\nname = \"K3\"\norganizations = [\"f/o3\"]\n\
                        [[account]]\nid = \"k4\"\nname = \"K4\"\norganizations = [\"f/o4\"]\n";

/// Two hosts that make invoices of one book, each with marks of its own.
struct Hosts {
    one: Program,
    other: Program,
}

impl Hosts {
    fn new(pair: &Pair, user: &str, database: &str) -> Self {
        pair.primary.execute(&format!("CREATE DATABASE {database} OWNER {user}"));
        let url = pair.url(user, database);
        let (one, other) = (Program::at(&url), Program::at(&url));
        month::import(
            &one,
            "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED\n\
             00:00 q STARTED 512x2 app=b org=o2 space=s2\n05:00 q STOPPED\n\
             00:00 r STARTED 512x1 app=c org=o3 space=s3\n01:00 r STOPPED\n\
             00:00 t STARTED 512x1 app=d org=o4 space=s4\n03:00 t STOPPED",
            "80d00:00",
        );
        for program in [&one, &other] {
            month::card(program, month::INSTANCE_HOURS);
            std::fs::write(program.folder.path().join("accounts.toml"), ACCOUNTS).unwrap();
            let text =
                "[billing]\nrates = \"card.toml\"\naccounts = \"accounts.toml\"\ngrace = \"0s\"\nseller = \"Seller\"\n";
            std::fs::write(program.folder.path().join("cf-billing.toml"), text).unwrap();
        }
        Self { one, other }
    }
}

fn run(program: &Program, arguments: &[&str]) -> Run {
    program.run(&[arguments, &["--config", "cf-billing.toml"]].concat())
}

fn finalize(program: &Program, account: &str, more: &[&str]) -> Run {
    run(program, &[&["invoices", "finalize", "--period", "2026-10", "--account", account][..], more].concat())
}

#[track_caller]
fn issues(run: &Run, number: &str) {
    assert!(run.code == Some(0) && run.stdout.contains(number), "{number}: {}{}", run.stdout, run.stderr);
}

#[track_caller]
fn refuses(run: &Run, told: &[&str]) {
    for words in told.iter().copied().chain(["hint: "]) {
        assert!(run.code == Some(1) && run.stderr.contains(words), "{words}: {}{}", run.stdout, run.stderr);
    }
}

#[track_caller]
fn checks(program: &Program, told: &str) {
    let checked = run(program, &["check"]);
    assert!(checked.stdout.contains(told), "{told}: {}{}", checked.stdout, checked.stderr);
}

/// Some 20 s.
#[test]
fn a_failover_to_a_synchronous_standby_loses_nothing() {
    let runtime = Runtime::new().unwrap();
    let pair = Pair::new(server_owner());
    pair.synchronous();
    let twins = Twins::near(&runtime, pair);
    let pair = &twins.pair;
    let hosts = Hosts::new(pair, "postgres", "invoices");
    twins.complete();
    for _ in 0..2 {
        twins.live();
        twins.complete();
    }
    let standing = format!("{}, timeline 1: a failover to", pair.host(&pair.primary));
    checks(&hosts.one, &standing);
    checks(&hosts.one, "loses nothing that was committed (synchronous)");
    issues(&finalize(&hosts.one, "k1", &[]), "CF-000001");
    let took = twins.fail_over();
    println!("collecting again {took:.1?} after the standby was promoted");
    // The number is there. Whoever marked it knows that it is the last; another host can't, and asks.
    issues(&run(&hosts.one, &["invoices", "list", "--status", "final"]), "CF-000001");
    refuses(
        &finalize(&hosts.other, "k2", &[]),
        &["(timeline 2) than when CF-000001 was issued (timeline 1)", "--above N"],
    );
    issues(&finalize(&hosts.one, "k2", &[]), "CF-000002");
    issues(&finalize(&hosts.other, "k3", &[]), "CF-000003");
    checks(&hosts.one, &format!("{}, timeline 2: there is no standby", pair.host(&pair.standby)));
    twins.complete();
    twins.live();
    twins.ends_as_undisturbed();
}

/// Some 30 s: leases run out, and each of some thirty commands is a process that finds the primary.
#[test]
fn what_a_failover_to_an_asynchronous_standby_loses_is_collected_again_and_no_number_is_issued_twice() {
    let runtime = Runtime::new().unwrap();
    let pair = Pair::new(server_owner());
    let mut twins = Twins::near(&runtime, pair);
    let asleep = twins.replicas.pop().unwrap();
    let pair = &twins.pair;
    pair.primary.execute("CREATE ROLE billing LOGIN");
    let hosts = Hosts::new(pair, "billing", "invoices");
    let others = Hosts::new(pair, "billing", "more_invoices");
    twins.complete();
    twins.live();
    twins.complete();
    checks(&hosts.one, "timeline 1: the standbys can't be seen; none is synchronous");
    pair.primary.execute("GRANT pg_monitor TO billing");
    checks(&hosts.one, "can lose the last seconds (asynchronous): usage is collected again by itself");
    for hosts in [&hosts, &others] {
        issues(&finalize(&hosts.one, "k1", &[]), "CF-000001");
    }
    checks(&hosts.other, "doesn't know CF-000001");
    pair.cut_off();
    // From here on it is lost.
    let out = hosts.one.folder.path().join("out");
    for hosts in [&hosts, &others] {
        issues(&finalize(&hosts.one, "k2", &[]), "CF-000002");
    }
    let export = ["invoices", "export", "CF-000002", "--format", "json", "--out", path(&out)];
    assert_eq!(run(&others.one, &export).code, Some(0));
    // What no event tells, such as disk, is looked at while it is there: who is to come out the same looks as late.
    twins.alone.signal("STOP");
    twins.live();
    twins.ours_complete();
    let lost = inputs(&pair.primary) - inputs(&pair.standby);
    assert!(lost > 50, "{lost}");
    // One replica sleeps through it all.
    asleep.signal("STOP");
    let took = twins.fail_over();
    twins.alone.signal("CONT");
    println!("{lost} inputs lost; collecting again {took:.1?} after the standby was promoted");
    twins.complete();

    goes_on_above_what_is_gone(&hosts);
    goes_on_after_bringing_back(&others, &out);

    // The former primary comes back, and accepts writes: nobody writes there, not even who knows nothing of a failover.
    pair.primary.start();
    let before = inputs(&pair.primary);
    asleep.signal("CONT");
    let moved = format!("the database is at {} now", pair.host(&pair.standby));
    for replica in twins.replicas.iter().chain([&asleep]) {
        eventually(|| replica.log(), || replica.log().contains(&moved).then_some(()));
    }
    let (used, rival) = (pair.host(&pair.standby), pair.host(&pair.primary));
    checks(&hosts.one, &format!("{used} is used, but {rival} accepts writes, too"));
    twins.live();
    twins.complete();
    assert_eq!(inputs(&pair.primary), before);
    drop(asleep);
    twins.ends_as_undisturbed();
}

/// On another host nothing is known of CF-000002, which somebody has.
fn goes_on_above_what_is_gone(hosts: &Hosts) {
    let Hosts { one, other } = hosts;
    refuses(&finalize(other, "k3", &[]), &["than when CF-000001 was issued (timeline 1)", "If that is more than 1,"]);
    refuses(&finalize(one, "k3", &[]), &["numbers CF-000002 to CF-000002 of series CF are missing"]);
    // What can be brought back isn't given up.
    refuses(&finalize(one, "k3", &["--above", "2"]), &["numbers CF-000002 to CF-000002 of series CF are missing"]);
    refuses(&finalize(other, "k3", &["--above", "0"]), &["`--above 0` is behind CF-000001"]);
    refuses(
        &finalize(other, "k3", &["--above", "10002"]),
        &["`--above 10002` would leave out 10001 numbers after CF-000001"],
    );
    assert_eq!(finalize(other, "k3", &["--above", "-1"]).code, Some(2));
    let above = finalize(other, "k3", &["--above", "2"]);
    issues(&above, "CF-000003");
    assert!(above.stderr.contains("CF-000002 to CF-000002 are recorded as issued elsewhere"), "{}", above.stderr);
    // Its usage is billed again, also by the host that had issued the number.
    issues(&finalize(one, "k2", &[]), "CF-000004");
    let verified = run(one, &["ledger", "verify"]);
    assert!(verified.stderr.contains("invoices/CF: 1 number(s) were recorded as lost"), "{}", verified.stderr);
    // Credit notes have numbers of their own.
    let credit = ["invoices", "credit", "CF-000001", "--whole", "--reason", "waived"];
    refuses(&run(one, &credit), &["than when nothing was issued", "numbers of series CN"]);
    issues(&run(one, &[&credit[..], &["--above", "0"]].concat()), "CN-000001");
}

fn goes_on_after_bringing_back(hosts: &Hosts, out: &Path) {
    let Hosts { one, .. } = hosts;
    let adopted = run(one, &["invoices", "adopt", path(out)]);
    assert!(adopted.code == Some(0) && adopted.stderr.contains("1 brought back"), "{}", adopted.stderr);
    refuses(&finalize(one, "k3", &[]), &["than when CF-000002 was issued (timeline 1)"]);
    let above = finalize(one, "k3", &["--above", "2"]);
    issues(&above, "CF-000003");
    assert!(above.stderr.contains("nothing is missing"), "{}", above.stderr);
    issues(&finalize(one, "k4", &[]), "CF-000004");
    assert_eq!(run(one, &["ledger", "verify"]).code, Some(0));
}

/// `verify-full` looks for the name of the host that is connected: another host's certificate is no good.
#[test]
fn each_host_shows_a_certificate_of_its_own_name() {
    let owner = server_owner();
    let folder = folder(owner);
    let authority = certificate(folder.path(), owner);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let files = folder.path().display();
    let options = format!(
        "-c listen_addresses=localhost -c ssl=on -c ssl_cert_file={files}/server.pem -c ssl_key_file={files}/server.key"
    );
    let _server = Cluster::new(folder.path(), owner, port, &options);
    let url = |hosts: &str| {
        format!("postgres://postgres:secret@{hosts}/postgres?sslmode=verify-full&sslrootcert={}", path(&authority))
    };
    let program = Program::without_database();
    let list = |hosts: &str| program.run(&["foundations", "list", "--database", &url(hosts)]);
    let named = format!("localhost:{port}");
    let begun = program.run(&["ledger", "init", "--database", &url(&named)]);
    assert_eq!(begun.code, Some(0), "{}", begun.stderr);
    // The certificate is of `localhost`: the other name of the same server is passed over.
    for hosts in [named.clone(), format!("127.0.0.1:{port},{named}"), format!("{named},127.0.0.1:{port}")] {
        let listed = list(&hosts);
        assert_eq!(listed.code, Some(0), "{hosts}: {}", listed.stderr);
    }
    for hosts in [format!("127.0.0.1:{port}"), format!("127.0.0.1:{port},127.0.0.1:{port}")] {
        let refused = list(&hosts);
        let told = "hint: the server's certificate must be known here";
        assert!(refused.code == Some(1) && refused.stderr.contains(told), "{hosts}: {}", refused.stderr);
        assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
    }
}

/// Writes the server's certificate for `localhost`; gives the file of its authority.
fn certificate(folder: &Path, owner: u32) -> std::path::PathBuf {
    let (authority, certificate, key) = crate::support::tls::files("localhost");
    for (name, text) in [("authority.pem", authority), ("server.pem", certificate), ("server.key", key)] {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
        let mode = if name == "server.key" { 0o600 } else { 0o644 };
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    folder.join("authority.pem")
}
