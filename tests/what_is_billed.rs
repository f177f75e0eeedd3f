//! docs/what-is-billed.md tells a story; here it happens, in a simulated foundation, and the page's numbers are checked.
//!
//! `CF_BILLING_WRITE_DOCS=1 cargo test what_is_billed` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write;

use cf_billing::domain::ledger_entry::net;
use cf_billing::domain::{Kind, Timestamp};
use cf_billing::simulator::Foundation;
use cf_billing::simulator::world::{Outcome, Size, Then};

use crate::support::collected::Collected;
use crate::support::generated;

const PAGE: &str = "docs/what-is-billed.md";
const PICTURE: &str = "docs/what-is-billed.svg";
const DAY: &str = "2026-03-02T00:00:00Z";

fn at(clock: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-03-02T{clock}:00Z")).unwrap()
}

/// What is in the ledger of the day: kind, whose, from, to, instances, MiB of memory and disk each, buildpack.
struct Billed {
    kind: Kind,
    what: String,
    from: Timestamp,
    to: Timestamp,
    instances: u32,
    memory_mib: u32,
    disk_mib: u32,
    buildpack: String,
}

/// Lives the page's day.
fn live() -> Vec<Billed> {
    let mut collected = Collected::new(Foundation::new(7, Timestamp::parse("2026-03-01T12:00:00Z").unwrap()));
    let (space, plan) = with(&collected, |foundation| {
        let (world, tables) = (&mut foundation.world, &mut foundation.tables);
        world.install_buildpack("java_buildpack");
        world.install_buildpack("go_buildpack");
        let org = world.create_org(tables, "retail");
        let plan = world.offer(tables, "postgres", "small");
        (world.create_space(tables, &org, "production"), plan)
    });
    collected.onboard();
    let mut app = String::new();
    let mut service = String::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (clock, action) in ACTIONS {
        let to = at(clock);
        collected.pass(to.seconds_since(collected.now()));
        collected.cycle().unwrap();
        with(&collected, |foundation| {
            let (world, tables) = (&mut foundation.world, &mut foundation.tables);
            let java = world.receipt("java_buildpack");
            let go = world.receipt("go_buildpack");
            match *action {
                "push" => {
                    app = world.create_app(tables, &space, "shop", &["java_buildpack"]);
                    let size = Size { instances: Some(2), memory_mib: Some(512), disk_mib: Some(1024) };
                    world.scale(tables, &app.clone(), size);
                    world.stage(tables, &app, 180, Outcome::Staged(java), Then::Start);
                }
                "create-service" => service = world.create_service(tables, &space, "shop-db", Some(&plan)),
                "scale -i" => world.scale(tables, &app, Size { instances: Some(4), ..Size::default() }),
                "restage" => world.stage(tables, &app, 120, Outcome::Staged(java), Then::Restart),
                "failed push" => world.stage(tables, &app, 60, Outcome::Failed, Then::Restart),
                "rolling push" => world.stage(tables, &app, 120, Outcome::Staged(go), Then::Roll),
                "task" => {
                    let task = world.run_task(tables, &app, "migrate", 256, Some(600));
                    names.insert(task, "migrate".to_owned());
                }
                "scale -m" => {
                    let web = web(world, &app);
                    world.scale(tables, &web, Size { memory_mib: Some(1024), ..Size::default() });
                }
                "rename" => world.rename_app(tables, &app, "store"),
                "stop" => world.stop_app(tables, &app),
                "start" => world.start_app(tables, &app),
                "delete" => world.delete_app(tables, &app),
                "delete-service" => world.delete_service(tables, &service),
                // An instance crashes, its cell is evacuated, the organization is suspended: no event tells.
                "crash" | "suspend" => {}
                other => panic!("{other}"),
            }
        });
        collected.pass(20);
        collected.cycle().unwrap();
    }
    collected.pass(at("23:59").seconds_since(collected.now()));
    collected.cycle().unwrap();
    assert!(collected.open().is_empty(), "the day is over: {:?}", collected.open());
    let head = collected.head();
    let entries = collected.runtime.block_on(collected.store.ledger_entries(&head, 0, usize::MAX)).unwrap();
    let mut billed: Vec<Billed> = (net(entries).into_iter())
        .map(|entry| {
            let interval = entry.interval;
            let guid = interval.resource.guid.to_string();
            Billed {
                kind: interval.resource.kind,
                what: match interval.resource.kind {
                    Kind::Process if guid == app => "web".to_owned(),
                    Kind::Process => "web, after the rolling push".to_owned(),
                    Kind::Staging => "staging of shop".to_owned(),
                    Kind::Task => names.get(&guid).cloned().unwrap_or_default(),
                    Kind::Service => "shop-db".to_owned(),
                },
                from: interval.started_at,
                to: interval.ended_at,
                instances: interval.footprint.instances,
                memory_mib: interval.footprint.memory_mib,
                disk_mib: interval.footprint.disk_mib,
                buildpack: interval.footprint.buildpack.as_deref().unwrap_or_default().to_owned(),
            }
        })
        .collect();
    billed.sort_by(|one, two| (one.kind, one.from, &one.what).cmp(&(two.kind, two.from, &two.what)));
    // A process that has no instance costs nothing.
    billed.retain(|billed| billed.instances > 0);
    billed
}

fn with<T>(collected: &Collected, action: impl FnOnce(&mut Foundation) -> T) -> T {
    action(&mut collected.foundation())
}

/// The process that answers: after a rolling push another than before.
fn web(world: &cf_billing::simulator::world::World, app: &str) -> String {
    let found = world.processes.values().find(|process| process.app == app && process.kind == "web" && process.started);
    found.unwrap().guid.clone()
}

/// What people do, as the page's first table has it.
const ACTIONS: &[(&str, &str)] = &[
    ("06:00", "push"),
    ("06:30", "create-service"),
    ("07:00", "scale -i"),
    ("08:00", "crash"),
    ("09:00", "restage"),
    ("10:00", "failed push"),
    ("11:00", "rolling push"),
    ("13:00", "task"),
    ("14:00", "scale -m"),
    ("15:00", "rename"),
    ("16:00", "suspend"),
    ("17:00", "stop"),
    ("18:00", "start"),
    ("19:00", "delete"),
    ("20:00", "delete-service"),
];

fn clock(at: Timestamp) -> String {
    at.to_string()[11..19].to_owned()
}

/// Hours in thousandths, rounded.
fn hours(seconds: i64) -> String {
    let thousandths = (seconds * 1000 + 1800) / 3600;
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

fn gib_hours(mib_seconds: i64) -> String {
    let thousandths = (mib_seconds * 1000 + 1800 * 1024) / (3600 * 1024);
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

fn ledger_table(day: &[Billed]) -> String {
    let mut text = String::from(
        "| kind | what | from | to | instances | memory each | disk each | buildpack |\n| --- | --- | --- | --- | ---: | ---: | ---: | --- |\n",
    );
    for one in day {
        let Billed { kind, what, from, to, instances, memory_mib, disk_mib, buildpack } = one;
        let size = |mib: &u32| if *kind == Kind::Service { String::new() } else { format!("{mib} MiB") };
        let _ = writeln!(
            text,
            "| {kind} | {what} | {} | {} | {instances} | {} | {} | {buildpack} |",
            clock(*from),
            clock(*to),
            size(memory_mib),
            size(disk_mib)
        );
    }
    text
}

fn total_table(day: &[Billed]) -> String {
    let mut text =
        String::from("| kind | instance-hours | memory GiB-hours | disk GiB-hours |\n| --- | ---: | ---: | ---: |\n");
    for kind in [Kind::Process, Kind::Staging, Kind::Task, Kind::Service] {
        let of = || day.iter().filter(|one| one.kind == kind);
        let seconds = |one: &Billed| one.to.seconds_since(one.from) * i64::from(one.instances);
        let instances: i64 = of().map(seconds).sum();
        let memory: i64 = of().map(|one| seconds(one) * i64::from(one.memory_mib)).sum();
        let disk: i64 = of().map(|one| seconds(one) * i64::from(one.disk_mib)).sum();
        let _ = writeln!(text, "| {kind} | {} | {} | {} |", hours(instances), gib_hours(memory), gib_hours(disk));
    }
    text
}

/// Memory held over the day, as areas: 1 h is 40 wide, 1 GiB 30 high.
fn picture(day: &[Billed]) -> String {
    let x = |at: Timestamp| 120 + at.seconds_since(at_six()) * 40 / 3600;
    let mut text = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 330\" font-family=\"system-ui, sans-serif\" font-size=\"11\">\n\
         <title>What is billed of one app in one day: memory held by its processes, its stagings and its task, and its service instance</title>\n\
         <rect width=\"720\" height=\"330\" fill=\"#fff\"/>\n",
    );
    for hour in 6..=20 {
        let line = 120 + (hour - 6) * 40;
        let _ = writeln!(
            text,
            "<line x1=\"{line}\" y1=\"20\" x2=\"{line}\" y2=\"290\" stroke=\"#ddd\"/><text x=\"{line}\" y=\"306\" text-anchor=\"middle\" fill=\"#555\">{hour}:00</text>"
        );
    }
    for (kind, name, base, colour) in [
        (Kind::Process, "processes", 150, "#3b6fb6"),
        (Kind::Staging, "stagings", 200, "#c2571a"),
        (Kind::Task, "task", 240, "#6a51a3"),
        (Kind::Service, "service", 280, "#2a7f62"),
    ] {
        let _ = writeln!(
            text,
            "<text x=\"10\" y=\"{base}\" fill=\"#222\">{name}</text><line x1=\"120\" y1=\"{base}\" x2=\"680\" y2=\"{base}\" stroke=\"#888\"/>"
        );
        for one in day.iter().filter(|one| one.kind == kind) {
            let height = if kind == Kind::Service { 12 } else { (one.instances * one.memory_mib * 30 / 1024).max(6) };
            // Two processes of one rolling push stand on each other's shoulders.
            let beside = day.iter().filter(|other| {
                other.kind == kind
                    && other.what != one.what
                    && (other.from, &other.what) < (one.from, &one.what)
                    && one.from < other.to
            });
            let lift: u32 = beside.map(|other| other.instances * other.memory_mib * 30 / 1024).sum();
            let (from, width) = (x(one.from), (x(one.to) - x(one.from)).max(2));
            let _ = writeln!(
                text,
                "<rect x=\"{from}\" y=\"{}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\" fill-opacity=\"0.75\"><title>{} {} to {}: {} x {} MiB</title></rect>",
                base - height - lift,
                one.what,
                clock(one.from),
                clock(one.to),
                one.instances,
                one.memory_mib
            );
        }
    }
    text.push_str(
        "<text x=\"120\" y=\"324\" fill=\"#555\">Height: memory held, all instances together.</text>\n</svg>\n",
    );
    text
}

fn at_six() -> Timestamp {
    at("06:00")
}

#[test]
fn the_pages_numbers_are_what_the_ledger_says() {
    let day = live();
    generated::blocks(PAGE, &[("ledger", &ledger_table(&day)), ("totals", &total_table(&day))]);
    generated::file(PICTURE, &picture(&day));
    let page = std::fs::read_to_string(PAGE).unwrap();
    // Every action is told, at its time, in the page's first table.
    for (clock, action) in ACTIONS {
        let told = page.lines().any(|line| line.starts_with(&format!("| {clock} |")));
        assert!(told, "{action} at {clock} is not in {PAGE}");
    }
    assert!(page.contains(&DAY[..10]));
}
