//! Months of usage events with independently computed answers: every integer must be theirs.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::support::database;
use crate::support::program::{Program, path};

pub const OCTOBER: [&str; 4] = ["--from", "2026-10-01T00:00:00Z", "--to", "2026-11-01T00:00:00Z"];

pub fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dataset").join(name)
}

/// Imports a dataset's two files with pages of that size.
pub fn import(program: &Program, folder: &Path, page_size: &str) {
    let (app, service) = (folder.join("app_v3.jsonl.gz"), folder.join("service_v3.jsonl.gz"));
    program.succeed(&[
        "import",
        "--foundation",
        "dataset",
        "--page-size",
        page_size,
        "--app-events",
        path(&app),
        "--service-events",
        path(&service),
    ]);
}

/// Rows without disk (the truth knows none), in no order.
fn rows(value: &Value) -> BTreeSet<String> {
    let row = |row: &Value| {
        let mut row = row.as_object().expect("rows are objects").clone();
        row.remove("disk_mib_seconds");
        Value::from(row).to_string()
    };
    value.as_array().expect("usage is an array").iter().map(row).collect()
}

/// Compares `usage` with the truth files of a dataset.
#[track_caller]
pub fn assert_truth(program: &Program, folder: &Path) {
    for by in ["kind", "kind,org,buildpack", "kind,org,plan"] {
        let truth = std::fs::read_to_string(folder.join(format!("truth-{}.json", by.replace(',', "-")))).unwrap();
        let truth = rows(&serde_json::from_str(&truth).unwrap());
        let ours = rows(&program.json(&[&["usage", "--by", by], &OCTOBER[..]].concat()));
        let (missing, extra) = (truth.difference(&ours), ours.difference(&truth));
        let report: Vec<String> = missing
            .map(|row| format!("missing {row}"))
            .chain(extra.map(|row| format!("wrong   {row}")))
            .take(10)
            .collect();
        assert!(report.is_empty(), "{} by {by}:\n{}", folder.display(), report.join("\n"));
    }
}

/// Page sizes to try; on PostgreSQL, which takes longer, the first alone: what a page becomes is the same code.
fn sizes<'a>(all: &'a [&'a str]) -> &'a [&'a str] {
    if database::kind() == database::Kind::Postgres { &all[..1] } else { all }
}

#[test]
fn small_is_the_truth_in_pages_of_any_size() {
    for page_size in sizes(&["5000", "777", "100000"]) {
        let program = Program::new();
        import(&program, &kept("small"), page_size);
        assert_truth(&program, &kept("small"));
    }
}

#[test]
fn odd_is_the_truth_in_pages_of_any_size() {
    for page_size in sizes(&["311", "5000"]) {
        let program = Program::new();
        import(&program, &kept("odd"), page_size);
        assert_truth(&program, &kept("odd"));
    }
}

#[test]
fn importing_again_changes_nothing() {
    let program = Program::new();
    import(&program, &kept("odd"), "5000");
    let usage = ["usage", "--by", "kind,org,space,app,process,buildpack,plan"];
    let before = program.json(&[&usage[..], &OCTOBER].concat());
    let app = kept("odd").join("app_v3.jsonl.gz");
    let again = program.succeed(&["import", "--foundation", "dataset", "--app-events", path(&app)]);
    assert!(again.stderr.contains(" 0 archived"), "{}", again.stderr);
    assert_eq!(program.json(&[&usage[..], &OCTOBER].concat()), before);
}

/// Lines of a gzipped file.
fn lines(file: &Path) -> Vec<String> {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn write_gz(file: &Path, lines: &[String]) {
    let mut encoder = GzEncoder::new(std::fs::File::create(file).unwrap(), Compression::fast());
    for line in lines {
        writeln!(encoder, "{line}").unwrap();
    }
    encoder.finish().unwrap();
}

/// Starts importing, kills the process once some pages are committed, and gives how many inputs were archived.
fn import_and_kill(program: &Program, app: &Path, after: u64) -> u64 {
    let arguments = ["import", "--foundation", "dataset", "--page-size", "500", "--app-events", path(app)];
    let mut child = program.spawn(&arguments);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let archived = archived(program);
        if archived >= after || child.try_wait().unwrap().is_some() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "nothing was committed within 30 s");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    archived(program)
}

/// What another process sees committed.
fn archived(program: &Program) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Ok(store) = cf_billing::store::Store::open(&program.database()).await else { return 0 };
        let head = store.foundations().await.ok().and_then(|mut foundations| foundations.pop());
        store.close().await;
        head.map_or(0, |head| head.last_sequence)
    })
}

#[test]
fn an_import_killed_half_way_goes_on_where_it_stopped() {
    let program = Program::new();
    let folder = kept("odd");
    let app = folder.join("app_v3.jsonl.gz");
    let killed_at = import_and_kill(&program, &app, 3000);
    println!("killed with {killed_at} inputs archived");
    assert!((3000..20_000).contains(&killed_at), "{killed_at}");
    import(&program, &folder, "5000");
    assert_truth(&program, &folder);
}

#[test]
fn two_halves_with_a_kill_between_are_the_whole() {
    let program = Program::new();
    let folder = kept("odd");
    let all = lines(&folder.join("app_v3.jsonl.gz"));
    let (first, second) = (program.folder.path().join("first.gz"), program.folder.path().join("second.gz"));
    write_gz(&first, &all[..all.len() / 2]);
    write_gz(&second, &all[all.len() / 2..]);
    import_and_kill(&program, &first, 2000);
    for file in [&first, &second] {
        program.succeed(&["import", "--foundation", "dataset", "--app-events", path(file)]);
    }
    let service = folder.join("service_v3.jsonl.gz");
    program.succeed(&["import", "--foundation", "dataset", "--service-events", path(&service)]);
    assert_truth(&program, &folder);
}

#[test]
fn halves_cut_at_a_redelivery_are_the_whole() {
    // The hardest cuts: right before an event that was delivered once already.
    let folder = kept("odd");
    let all = lines(&folder.join("app_v3.jsonl.gz"));
    let identity = |line: &String| {
        let event: Value = serde_json::from_str(line).unwrap();
        (event["guid"].to_string(), event["created_at"].to_string())
    };
    let mut seen = BTreeSet::new();
    let again: Vec<usize> = (0..all.len()).filter(|at| !seen.insert(identity(&all[*at]))).collect();
    for at in [again[10], again[again.len() / 2] - 1] {
        let program = Program::new();
        let (first, second) = (program.folder.path().join("first"), program.folder.path().join("second"));
        std::fs::write(&first, all[..at].join("\n")).unwrap();
        std::fs::write(&second, all[at..].join("\n")).unwrap();
        let service = folder.join("service_v3.jsonl.gz");
        program.succeed(&["import", "--foundation", "dataset", "--app-events", path(&first)]);
        let arguments = ["--app-events", path(&second), "--service-events", path(&service)];
        program.succeed(&[&["import", "--foundation", "dataset"], &arguments[..]].concat());
        assert_truth(&program, &folder);
    }
}

#[test]
fn events_left_out_and_imported_later_give_the_same_usage() {
    let folder = kept("odd");
    let program = Program::new();
    let all = lines(&folder.join("app_v3.jsonl.gz"));
    // Every 97th is missing at first: some 200 events, at places all over the stream.
    let most: Vec<String> =
        all.iter().enumerate().filter(|(at, _)| at % 97 != 50).map(|(_, line)| line.clone()).collect();
    let file = program.folder.path().join("most.gz");
    write_gz(&file, &most);
    program.succeed(&["import", "--foundation", "dataset", "--app-events", path(&file)]);
    let report = program.folder.path().join("all.gz");
    write_gz(&report, &all);
    let again = program.succeed(&["import", "--foundation", "dataset", "--app-events", path(&report)]);
    assert!(!again.stderr.contains(" 0 late"), "{}", again.stderr);
    let service = folder.join("service_v3.jsonl.gz");
    program.succeed(&["import", "--foundation", "dataset", "--service-events", path(&service)]);
    assert_truth(&program, &folder);
}

crate::on_postgres! {
    small_is_the_truth_in_pages_of_any_size,
    odd_is_the_truth_in_pages_of_any_size,
    importing_again_changes_nothing,
    an_import_killed_half_way_goes_on_where_it_stopped,
    two_halves_with_a_kill_between_are_the_whole,
    halves_cut_at_a_redelivery_are_the_whole,
    events_left_out_and_imported_later_give_the_same_usage,
}
