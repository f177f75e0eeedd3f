//! `cargo bench`: a million usage events from files into the book, by the shipped program; and, for comparison, the same
//! events as plain rows of 16 columns. Prints a table and, on the last line, JSON. Takes some minutes.
//!
//! `CF_BILLING_BENCH_EVENTS` sets another number of events, `CF_BILLING_BENCH_DATABASE` an empty PostgreSQL database to
//! import into, instead of an SQLite file.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a program of its own that measures and prints"
)]

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgConnection, QueryBuilder, Sqlite};

fn main() {
    let wanted: usize =
        std::env::var("CF_BILLING_BENCH_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let source = source();
    println!("{wanted} events made of {}", source.display());
    let (app, service) = (folder.path().join("app.jsonl"), folder.path().join("service.jsonl"));
    let service_share = 10;
    let made = generate(&source.join("app_v3.jsonl.gz"), &app, wanted - wanted / service_share)
        + generate(&source.join("service_v3.jsonl.gz"), &service, wanted / service_share);
    let sent = size(&app) + size(&service);

    let imported = import(folder.path(), &app, &service);
    let again = import(folder.path(), &app, &service);
    let usage = usage(folder.path());
    let plain = plain_rows(folder.path(), &[&app, &service]);

    let per_second = |took: Duration| made as f64 / took.as_secs_f64();
    let per_event = |bytes: u64| bytes as f64 / made as f64;
    println!("{:<44} {:>12} {:>12} {:>10} {:>10}", "", "seconds", "events/s", "bytes/ev", "peak MiB");
    let line = |what: &str, took: Duration, bytes: Option<u64>, peak: Option<u64>| {
        let optional = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
        println!(
            "{what:<44} {:>12.1} {:>12.0} {:>10} {:>10}",
            took.as_secs_f64(),
            per_second(took),
            optional(bytes.map(per_event)),
            optional(peak.map(|bytes| bytes as f64 / f64::from(1 << 20)))
        );
    };
    line("import: archived, folded, committed", imported.took, Some(imported.bytes), Some(imported.peak));
    line("the same import again: everything is known", again.took, Some(again.bytes), Some(again.peak));
    line("usage of everything, by kind, org, buildpack", usage, None, None);
    line("plain rows of 16 columns, one index", plain.took, Some(plain.bytes), None);
    println!("{:<44} {:>12} {:>12} {:>10.0}", "as sent (JSON)", "", "", per_event(sent));
    println!(
        "{}",
        json!({
            "events": made,
            "import": {
                "seconds": imported.took.as_secs_f64(), "events_per_second": per_second(imported.took),
                "bytes_per_event": per_event(imported.bytes), "peak_resident_bytes": imported.peak,
            },
            "import_again": {"seconds": again.took.as_secs_f64(), "events_per_second": per_second(again.took)},
            "usage": {"seconds": usage.as_secs_f64()},
            "plain_rows": {
                "seconds": plain.took.as_secs_f64(), "events_per_second": per_second(plain.took),
                "bytes_per_event": per_event(plain.bytes),
            },
            "json_bytes_per_event": per_event(sent),
        })
    );
}

struct Measured {
    took: Duration,
    /// Of the database and its log, afterwards.
    bytes: u64,
    /// Peak resident memory; 0 where it wasn't measured.
    peak: u64,
}

/// The months of events to repeat: the large ones where they are, else those kept with the tests.
fn source() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let large = root.join("../shared/dataset/large");
    if large.is_dir() { large } else { root.join("tests/data/dataset/small") }
}

/// Writes `wanted` events: the file's, over and over, each time with other guids and later times.
fn generate(from: &Path, to: &Path, wanted: usize) -> usize {
    let lines: Vec<String> =
        BufReader::new(GzDecoder::new(File::open(from).unwrap())).lines().map(Result::unwrap).collect();
    let time = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        DateTime::parse_from_rfc3339(value["created_at"].as_str().unwrap()).unwrap()
    };
    let span = time(lines.last().unwrap()) - time(&lines[0]) + TimeDelta::hours(1);
    let mut writer = BufWriter::new(File::create(to).unwrap());
    let mut written = 0;
    for round in 0_u32.. {
        let shift = span * i32::try_from(round).unwrap();
        for line in &lines {
            if written == wanted {
                writer.flush().unwrap();
                return written;
            }
            writeln!(writer, "{}", other(line, round, shift)).unwrap();
            written += 1;
        }
    }
    written
}

/// The same event of another round.
fn other(line: &str, round: u32, shift: TimeDelta) -> String {
    if round == 0 {
        return line.to_owned();
    }
    let mut bytes = line.as_bytes().to_vec();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let mut at = 0;
    while at + 36 <= bytes.len() {
        let guid = (0..36).all(|offset| match offset {
            8 | 13 | 18 | 23 => bytes[at + offset] == b'-',
            _ => hex(bytes[at + offset]),
        });
        if !guid {
            at += 1;
            continue;
        }
        let first = u32::from_str_radix(std::str::from_utf8(&bytes[at..at + 8]).unwrap(), 16).unwrap();
        let changed = format!("{:08x}", first ^ round.wrapping_mul(0x9e37_79b9));
        bytes[at..at + 8].copy_from_slice(changed.as_bytes());
        at += 36;
    }
    let text = String::from_utf8(bytes).unwrap();
    // "created_at":"2026-03-01T00:00:00Z", with or without a space.
    let mut moved = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("ated_at\":") {
        let begin = at + "ated_at\":".len() + usize::from(rest[at + "ated_at\":".len()..].starts_with(' ')) + 1;
        let end = begin + rest[begin..].find('"').unwrap_or(0);
        moved.push_str(&rest[..begin]);
        match DateTime::parse_from_rfc3339(&rest[begin..end]) {
            Ok(time) => moved.push_str(&(time + shift).to_utc().to_rfc3339_opts(SecondsFormat::Secs, true)),
            Err(_) => moved.push_str(&rest[begin..end]),
        }
        rest = &rest[end..];
    }
    moved.push_str(rest);
    moved
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}

fn database_size(file: &Path) -> u64 {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    size(file) + size(Path::new(&log))
}

fn database(folder: &Path) -> String {
    let given = std::env::var("CF_BILLING_BENCH_DATABASE");
    given.unwrap_or_else(|_| format!("sqlite://{}", folder.join("book.db").display()))
}

/// Bytes of the book on disk.
fn book_size(folder: &Path) -> u64 {
    if database(folder).starts_with("sqlite:") {
        return database_size(&folder.join("book.db"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&database(folder)).await.unwrap();
        let size = sqlx::query_scalar::<_, i64>("SELECT pg_database_size(current_database())");
        size.fetch_one(&mut connection).await.unwrap().cast_unsigned()
    })
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cf-billing"));
    command.env_clear().env("HOME", folder).env("CF_BILLING__DATABASE__URL", database(folder));
    command
}

fn import(folder: &Path, app: &Path, service: &Path) -> Measured {
    let began = Instant::now();
    let mut child = program(folder)
        .args(["import", "--foundation", "bench", "--app-events"])
        .arg(app)
        .arg("--service-events")
        .arg(service)
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let kib =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    assert!(child.wait().unwrap().success());
    Measured { took, bytes: book_size(folder), peak }
}

fn usage(folder: &Path) -> Duration {
    let began = Instant::now();
    let arguments = ["usage", "--from", "2000-01-01", "--to", "2200-01-01", "--by", "kind,org,buildpack"];
    let status = program(folder).args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    began.elapsed()
}

/// What a system does that keeps a row per event: 16 columns and an index over the guid, 500 rows a statement, 5 000 a
/// transaction, each transaction synced.
fn plain_rows(folder: &Path, files: &[&Path]) -> Measured {
    let file = folder.join("plain.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let took = runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = options.connect().await.unwrap();
        let table = "CREATE TABLE event (guid TEXT, created_at TEXT, state TEXT, previous_state TEXT, app TEXT, app_name TEXT, space TEXT, space_name TEXT, organization TEXT, buildpack TEXT, buildpack_name TEXT, process TEXT, process_type TEXT, memory INTEGER, previous_memory INTEGER, instances INTEGER)";
        sqlx::query(table).execute(&mut connection).await.unwrap();
        sqlx::query("CREATE UNIQUE INDEX event_guid ON event (guid, created_at)").execute(&mut connection).await.unwrap();
        let mut took = Duration::ZERO;
        for file in files {
            let mut lines = BufReader::new(File::open(file).unwrap()).lines().map(Result::unwrap);
            loop {
                let page: Vec<Value> = lines.by_ref().take(5000).map(|line| serde_json::from_str(&line).unwrap()).collect();
                if page.is_empty() {
                    break;
                }
                // Reading isn't measured, inserting is.
                let began = Instant::now();
                let mut transaction = connection.begin().await.unwrap();
                for rows in page.chunks(500) {
                    insert(rows).build().execute(&mut *transaction).await.unwrap();
                }
                transaction.commit().await.unwrap();
                took += began.elapsed();
            }
        }
        connection.close().await.unwrap();
        took
    });
    Measured { took, bytes: database_size(&file), peak: 0 }
}

fn insert(rows: &[Value]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("INSERT INTO event ");
    query.push_values(rows, |mut columns, row| {
        for pointer in [
            "/guid",
            "/created_at",
            "/state/current",
            "/state/previous",
            "/app/guid",
            "/app/name",
            "/space/guid",
            "/space/name",
            "/organization/guid",
            "/buildpack/guid",
            "/buildpack/name",
            "/process/guid",
            "/process/type",
        ] {
            columns.push_bind(row.pointer(pointer).and_then(Value::as_str).map(str::to_owned));
        }
        for pointer in
            ["/memory_in_mb_per_instance/current", "/memory_in_mb_per_instance/previous", "/instance_count/current"]
        {
            columns.push_bind(row.pointer(pointer).and_then(Value::as_i64));
        }
    });
    query
}
