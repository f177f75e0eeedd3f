//! A whole book of each schema that was released, with a bit of everything in it.
//!
//! Each is a file as `ledger export` wrote it, and stays as it is for good. A program of any later version must read it:
//! it verifies, folds again to the same, and exports the same lines as long as the schema is the same. With a new schema,
//! `CF_BILLING_RECORD_BOOK=1` records one more, from what `everything` makes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{check_packed, folder};
use crate::schema::{NEWEST, fill_exported};
use crate::support::program::{Program, path};

/// The schemas of golden books.
const SCHEMAS: [i64; 2] = [30, 42];
/// Of the newest one.
const LATEST: i64 = SCHEMAS[SCHEMAS.len() - 1];
/// Of the newest book.
const CONFIGURATION: &str = "[billing]\ntime_zone = \"Europe/Berlin\"\n";

fn file(schema: i64) -> PathBuf {
    folder().join(format!("book-{schema}.jsonl.zst"))
}

pub fn lines(file: &Path) -> String {
    String::from_utf8(zstd::decode_all(&std::fs::read(file).unwrap()[..]).unwrap()).unwrap()
}

/// The lines of a golden book; of the newest one as a program of now writes them.
fn lines_now(schema: i64) -> String {
    let lines = lines(&file(schema));
    if schema == LATEST {
        lines.replacen(&format!("\"schema\":{LATEST}"), &format!("\"schema\":{NEWEST}"), 1)
    } else {
        lines
    }
}

/// A program on the first golden book: what was made of it keeps its bytes, whatever newer ones have.
pub fn open() -> Program {
    let program = Program::unprepared();
    fill(&program, SCHEMAS[0]);
    std::fs::write(program.folder.path().join("cf-billing.toml"), CONFIGURATION).unwrap();
    program
}

/// As a user gets it into a database: imported by a program of its schema, and brought up to date by this one.
fn fill(program: &Program, schema: i64) {
    if schema == LATEST {
        let file = program.folder.path().join("golden.jsonl.zst");
        std::fs::write(&file, zstd::encode_all(lines_now(schema).as_bytes(), 1).unwrap()).unwrap();
        program.succeed(&["ledger", "import", path(&file)]);
        std::fs::remove_file(file).unwrap();
    } else {
        fill_by_rows(program, schema);
    }
}

/// Row by row into the earlier schema, as a program of that time left it.
fn fill_by_rows(program: &Program, schema: i64) {
    let columns = std::fs::read_to_string(folder().join(format!("book-{schema}.columns.json"))).unwrap();
    let columns: BTreeMap<String, Vec<String>> = serde_json::from_str(&columns).unwrap();
    fill_exported(&program.database(), schema, &columns, &lines(&file(schema)));
}

/// The columns of each table of a book of this schema, in the order of its rows: with them, later programs fill a database of
/// that time.
pub fn columns_of(book: &str) -> BTreeMap<String, Vec<String>> {
    let mut declared: BTreeMap<String, Vec<String>> = (cf_billing::store::expected_tables().into_iter())
        .map(|table| (table.name.to_owned(), table.columns.iter().map(|column| column.name.to_owned()).collect()))
        .collect();
    let mut columns = BTreeMap::new();
    let mut table = String::new();
    for line in book.lines() {
        match serde_json::from_str(line).unwrap() {
            Value::Object(head) => {
                let Some(name) = head.get("table").and_then(Value::as_str) else { continue };
                name.clone_into(&mut table);
                columns.extend(declared.remove_entry(name));
            }
            // Of some tables only the first columns move with a book: as many as a row has.
            row => columns.get_mut(&table).unwrap().truncate(row.as_array().unwrap().len()),
        }
    }
    columns
}

fn export(program: &Program) -> String {
    let out = program.folder.path().join("again.jsonl.zst");
    program.succeed(&["ledger", "export", "--out", path(&out)]);
    lines(&out)
}

/// Words for people, which may be put otherwise.
const WORDS: [&str; 3] = ["blockers", "accepted", "what"];

/// A value without its words for people.
fn without_words(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.retain(|name, _| !WORDS.contains(&name.as_str()));
            members.values_mut().for_each(|member| *member = without_words(member.take()));
        }
        Value::Array(all) => all.iter_mut().for_each(|one| *one = without_words(one.take())),
        _ => {}
    }
    value
}

/// What people see of a book: a line a row.
fn seen(program: &Program) -> String {
    let usage =
        ["usage", "--by", "kind,org,space,app,process,buildpack,plan", "--from", "2026-06-01", "--to", "2027-01-01"];
    let invoices = program.json(&["invoices", "list"]);
    let mut seen = vec![
        ("usage", program.json(&usage)),
        ("ledger verify", program.json(&["ledger", "verify"])),
        ("gaps", program.json(&["gaps"])),
        ("clocks", program.json(&["clocks"])),
        ("foundations", program.json(&["foundations", "list"])),
        ("anomalies", program.json(&["anomalies"])),
    ];
    for invoice in invoices.as_array().unwrap() {
        let mut shown = program.json(&["invoices", "show", &invoice["id"].to_string()]);
        for rows in ["lines", "adjustments", "corrections"] {
            seen.push((rows, shown.as_object_mut().unwrap().remove(rows).unwrap()));
        }
        seen.push(("invoice", shown));
    }
    let mut text = String::new();
    for (of, value) in seen {
        let rows = match without_words(value) {
            Value::Array(rows) => rows,
            one => vec![one],
        };
        for row in rows {
            writeln!(text, "{of} {row}").unwrap();
        }
    }
    text
}

/// Both hash chains hold, the archive gives the same ledger, and it is exported as it came.
#[test]
fn every_golden_book_verifies_rebuilds_and_exports_the_same() {
    for schema in SCHEMAS {
        let program = Program::unprepared();
        fill(&program, schema);
        program.succeed(&["ledger", "verify"]);
        let golden = lines_now(schema);
        if schema == LATEST {
            assert!(export(&program) == golden, "the book of schema {schema} isn't exported as it was imported");
            std::fs::remove_file(program.folder.path().join("again.jsonl.zst")).unwrap();
        }
        let rebuilt = program.succeed(&["ledger", "rebuild"]).stderr;
        assert!(rebuilt.contains("the same"), "{rebuilt}");
        let renamed = rebuilt.lines().any(|line| line.contains("names that were lacking"));
        assert!(!renamed, "names come out otherwise: {rebuilt}");
        if schema == LATEST {
            assert!(export(&program) == golden, "folding the book again changed it");
        }
    }
}

/// What people see of it, on both databases, is what they saw when it was made.
#[test]
fn every_golden_book_shows_what_it_showed() {
    for schema in SCHEMAS {
        let program = Program::unprepared();
        fill(&program, schema);
        check_packed(&format!("book-{schema}.seen.zst"), &seen(&program));
    }
}

/// The way for books of earlier schemas, tried on the newest.
#[test]
fn a_book_filled_by_rows_is_the_same_as_an_imported_one() {
    let program = Program::unprepared();
    fill_by_rows(&program, LATEST);
    let golden = lines_now(LATEST);
    assert!(export(&program) == golden);
    let columns = std::fs::read_to_string(folder().join(format!("book-{LATEST}.columns.json"))).unwrap();
    let columns: BTreeMap<String, Vec<String>> = serde_json::from_str(&columns).unwrap();
    let found = columns_of(&golden);
    assert!(found.keys().eq(columns.keys()));
    // Of a table without rows nothing tells how many of them move.
    assert!(found.iter().all(|(table, found)| found.starts_with(&columns[table])), "{found:?}");
}

crate::on_postgres! {
    every_golden_book_verifies_rebuilds_and_exports_the_same,
    every_golden_book_shows_what_it_showed,
    a_book_filled_by_rows_is_the_same_as_an_imported_one,
}
