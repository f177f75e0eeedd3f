//! The schema: explained to DBAs, brought up to date from every earlier one with its data, and moved between databases.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cf_billing::store::{Found, PostgresOptions, Store, StoreError};
use serde_json::Value;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};

use crate::dataset::{OCTOBER, import, kept};
use crate::support::database::{self, Kind, OwnDatabase, kind};
use crate::support::month;
use crate::support::program::{Program, path};

const CARD: &str = "name = \"test\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"0.0123456789\"\n\
    [[staging]]\nmemory_gib_hour = \"0.5\"\n[[task]]\nmemory_gib_hour = \"1\"\n[[service]]\ninstance_hour = \"0.05\"\n";

/// The schema this program knows.
pub const NEWEST: i64 = 42;
/// Later ones aren't released yet: they are filled with this one's rows.
const RELEASED: i64 = 7;

fn migrations() -> PathBuf {
    let folder = if kind() == Kind::Sqlite { "sqlite" } else { "postgres" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder)
}

/// The schemas there are; a number may be left out.
fn versions() -> Vec<i64> {
    let names = std::fs::read_dir(migrations()).unwrap().map(|entry| entry.unwrap().file_name());
    let numbers = names.map(|name| name.to_str().unwrap().split('_').next().unwrap().parse().unwrap());
    let mut versions: Vec<i64> = numbers.collect();
    versions.sort_unstable();
    assert_eq!(versions.last(), Some(&NEWEST));
    versions
}

/// A DBA who asks for `\d+` reads what everything means.
#[test]
fn every_table_column_and_view_of_postgresql_is_explained() {
    let own = OwnDatabase::new();
    let (missing, tables) = database::run(|| async {
        let mut connection = PgConnection::connect(&own.url()).await.unwrap();
        let rows = connection
            .fetch_all(
                "SELECT class.relname, NULL, obj_description(class.oid) FROM pg_class AS class
                 WHERE class.relnamespace = 'public'::regnamespace AND class.relkind IN ('r', 'v')
                 UNION ALL
                 SELECT class.relname, attribute.attname, col_description(class.oid, attribute.attnum)
                 FROM pg_class AS class JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
                 WHERE class.relnamespace = 'public'::regnamespace AND class.relkind = 'r' AND attribute.attnum > 0",
            )
            .await
            .unwrap();
        let mut missing = Vec::new();
        let mut tables = 0;
        for row in rows {
            let (table, column): (String, Option<String>) = (row.get(0), row.get(1));
            if table == "_sqlx_migrations" {
                continue;
            }
            tables += usize::from(column.is_none());
            if row.get::<Option<String>, _>(2).is_none_or(|text| text.len() < 5) {
                missing.push(format!("{table}.{}", column.unwrap_or_default()));
            }
        }
        (missing, tables)
    });
    assert_eq!(missing, Vec::<String>::new());
    assert!(tables > 25, "{tables}");
}

/// A table's columns as a database has them: name, type, whether it may be null, comment.
type Columns = Vec<(String, String, bool, String)>;

/// SQLite's tables; of an integer that is the key, SQLite doesn't say that it is never null.
async fn tables_of_sqlite(url: &str) -> BTreeMap<String, (String, Columns)> {
    let text = "SELECT t.name, c.name, c.type, c.\"notnull\" = 0 AND c.pk = 0
                FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
                WHERE t.type = 'table' AND t.name NOT LIKE '%sqlx%' AND t.name NOT LIKE 'sqlite%'";
    let mut found = BTreeMap::<String, (String, Columns)>::new();
    for row in SqliteConnection::connect(url).await.unwrap().fetch_all(text).await.unwrap() {
        found.entry(row.get(0)).or_default().1.push((row.get(1), row.get(2), row.get(3), String::new()));
    }
    found
}

async fn tables_of_postgresql(url: &str) -> BTreeMap<String, (String, Columns)> {
    let text = "SELECT c.table_name::text, obj_description(c.table_name::text::regclass), c.column_name::text,
                       c.data_type::text, c.is_nullable = 'YES',
                       col_description(c.table_name::text::regclass, c.ordinal_position)
                FROM information_schema.columns AS c
                JOIN information_schema.tables AS t USING (table_schema, table_name)
                WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name NOT LIKE '%sqlx%'";
    let mut found = BTreeMap::<String, (String, Columns)>::new();
    for row in PgConnection::connect(url).await.unwrap().fetch_all(text).await.unwrap() {
        let of: String = row.get(3);
        let of = if matches!(of.as_str(), "smallint" | "integer") { "bigint".to_owned() } else { of };
        let of = of.replace("timestamp with time zone", "timestamptz");
        let (comment, columns) = found.entry(row.get(0)).or_default();
        *comment = row.get(1);
        columns.push((row.get(2), of, row.get(4), row.get(5)));
    }
    found
}

/// What is declared once, for writers, readers and moving a book, is what both databases have: no table and no column more
/// or less, of the same types, null where it may be, and with the comments that PostgreSQL tells.
#[test]
fn tables_are_declared_as_both_databases_have_them() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let program = database::with(kind, Program::new);
        let url = program.database();
        let is_sqlite = kind == Kind::Sqlite;
        let found = database::run(|| async {
            Store::open(&url).await.unwrap().close().await;
            if is_sqlite { tables_of_sqlite(&url).await } else { tables_of_postgresql(&url).await }
        });
        let told = |comment: &str| if is_sqlite { String::new() } else { comment.to_owned() };
        let mut expected = BTreeMap::new();
        for table in cf_billing::store::expected_tables() {
            let columns = table.columns.iter().map(|column| {
                let of = column.types[usize::from(!is_sqlite)].to_owned();
                (column.name.to_owned(), of, column.nullable, told(column.comment))
            });
            let mut columns: Columns = columns.collect();
            columns.sort();
            expected.insert(table.name.to_owned(), (told(table.comment), columns));
        }
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, (comment, mut columns)) in found {
            columns.sort();
            assert_eq!((comment, columns), expected[&name], "{name} of {kind:?}");
        }
    }
}

/// Brings an empty database to an earlier schema.
fn at_schema(url: &str, version: i64) {
    let folder = migrations();
    database::run(|| async move {
        let mut all = Migrator::new(folder).await.unwrap();
        all.migrations.to_mut().retain(|migration| migration.version <= version);
        if url.starts_with("sqlite:") {
            let options = format!("{url}?mode=rwc");
            all.run(&mut SqliteConnection::connect(&options).await.unwrap()).await.unwrap();
        } else {
            all.run(&mut PgConnection::connect(url).await.unwrap()).await.unwrap();
        }
    });
}

/// Fills it with rows as they were then: a line a table, `{"table", "columns", "rows"}`; bytes are `{"hex": …}`.
fn fill(url: &str, version: i64) {
    // What schema 1 had is as it was in schema 2.
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/schema/{}.jsonl", version.clamp(2, RELEASED)));
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let table: Value = serde_json::from_str(line).unwrap();
        let of_invoicing = ["rate_card", "invoice_series", "invoice", "invoice_line"];
        if version == 1 && (table["final"].is_array() || of_invoicing.iter().any(|name| table["table"] == *name)) {
            continue;
        }
        // Final invoices became so once their lines were there.
        for of in table["final"].as_array().into_iter().flatten() {
            let at = literal((kind() == Kind::Postgres).then_some("timestamp with time zone"), &of[4]);
            let [id, series, series_number, number] = [0, 1, 2, 3].map(|column| literal(Some("text"), &of[column]));
            let text = format!(
                "UPDATE invoice SET status = 'final', series = {series}, series_number = {series_number},
                     number = {number}, finalized_at = {at} WHERE id = {id}"
            );
            database::execute(url, &text).unwrap();
        }
        if table["final"].is_array() {
            continue;
        }
        let name = table["table"].as_str().unwrap();
        let columns: Vec<&str> =
            table["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let types = types_of(url, name);
        let rows: Vec<String> = (table["rows"].as_array().unwrap().iter())
            .map(|row| {
                let literals = columns.iter().zip(row.as_array().unwrap());
                let literals: Vec<String> =
                    literals.map(|(column, value)| literal(types.get(*column).map(String::as_str), value)).collect();
                format!("({})", literals.join(", "))
            })
            .collect();
        for rows in rows.chunks(200) {
            let text = format!("INSERT INTO {name} ({}) VALUES {}", columns.join(", "), rows.join(", "));
            database::execute(url, &text).unwrap_or_else(|error| panic!("{error}\n{}", &text[..300.min(text.len())]));
        }
        if kind() == Kind::Postgres && columns[0] == "id" {
            let text = format!("SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}");
            database::execute(url, &text).unwrap();
        }
    }
}

/// Fills an empty database at an earlier schema with the lines of `ledger export`; `columns` are those of each table.
pub fn fill_exported(url: &str, schema: i64, columns: &BTreeMap<String, Vec<String>>, lines: &str) {
    at_schema(url, schema);
    let mut tables: Vec<(String, Vec<Value>)> = Vec::new();
    for line in lines.lines() {
        match serde_json::from_str(line).unwrap() {
            Value::Object(head) if head.contains_key("table") => {
                tables.push((head["table"].as_str().unwrap().to_owned(), Vec::new()));
            }
            Value::Object(_) => {}
            row => tables.last_mut().unwrap().1.push(row),
        }
    }
    let mut finals = Vec::new();
    for (name, rows) in tables {
        let columns: Vec<&str> = columns[&name].iter().map(String::as_str).collect();
        let types = exported_types_of(url, &name);
        let at = |column: &str| columns.iter().position(|name| *name == column).unwrap();
        let rows: Vec<String> = (rows.iter())
            .map(|row| {
                let mut literals: Vec<String> = (columns.iter().zip(row.as_array().unwrap()))
                    .map(|(column, value)| exported_literal(&types[*column], value))
                    .collect();
                // Final invoices become so once their lines are there.
                if name == "invoice" && row[at("status")] == "final" {
                    let set = FINAL.map(|column| format!("{column} = {}", literals[at(column)]));
                    finals.push(format!("UPDATE invoice SET {} WHERE id = {}", set.join(", "), row[at("id")]));
                    for column in FINAL {
                        "NULL".clone_into(&mut literals[at(column)]);
                    }
                    "'draft'".clone_into(&mut literals[at("status")]);
                }
                format!("({})", literals.join(", "))
            })
            .collect();
        for rows in rows.chunks(100) {
            let text = format!("INSERT INTO {name} ({}) VALUES {}", columns.join(", "), rows.join(", "));
            database::execute(url, &text).unwrap_or_else(|error| panic!("{error}\n{}", &text[..300.min(text.len())]));
        }
        if kind() == Kind::Postgres && columns[0] == "id" {
            let text = format!(
                "SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name} HAVING count(*) > 0"
            );
            database::execute(url, &text).unwrap();
        }
    }
    for text in &finals {
        database::execute(url, text).unwrap();
    }
}

/// What makes an invoice final.
const FINAL: [&str; 5] = ["status", "series", "series_number", "number", "finalized_at"];

/// Types of a table's columns, in the database's words.
fn exported_types_of(url: &str, table: &str) -> BTreeMap<String, String> {
    if kind() == Kind::Postgres {
        return types_of(url, table);
    }
    database::run(|| async {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let text = format!("SELECT name, type FROM pragma_table_info('{table}')");
        let rows = connection.fetch_all(AssertSqlSafe(text)).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    })
}

/// A value of `ledger export` as SQL: bytes are hexadecimal, amounts in cents, prices text.
fn exported_literal(of: &str, value: &Value) -> String {
    match (of, value) {
        ("BLOB", Value::String(digits)) => format!("x'{digits}'"),
        ("bytea", Value::String(digits)) => format!("'\\x{digits}'"),
        ("numeric", Value::String(price)) => price.clone(),
        (of, value) => literal(Some(of), value),
    }
}

/// PostgreSQL's types of a table's columns; none of SQLite, whose values are as they stand in the file.
fn types_of(url: &str, table: &str) -> BTreeMap<String, String> {
    if kind() == Kind::Sqlite {
        return BTreeMap::new();
    }
    database::run(|| async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let text = format!(
            "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = '{table}'"
        );
        let rows = connection.fetch_all(AssertSqlSafe(text)).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    })
}

fn literal(of: Option<&str>, value: &Value) -> String {
    match (of, value) {
        (_, Value::Null) => "NULL".to_owned(),
        (Some("boolean"), value) => (value == 1).to_string(),
        (Some("timestamp with time zone"), value) => format!("to_timestamp({value})"),
        // Amounts in cents.
        (Some("numeric"), Value::Number(cents)) => format!("{cents} / 100.0"),
        (Some("bytea"), value) => format!("'\\x{}'", value["hex"].as_str().unwrap()),
        (None, Value::Object(bytes)) => format!("x'{}'", bytes["hex"].as_str().unwrap()),
        (_, Value::String(text)) => format!("'{}'", text.replace('\'', "''")),
        (_, value) => value.to_string(),
    }
}

/// What people see of a book.
fn seen(program: &Program) -> Vec<Value> {
    let usage = ["usage", "--by", "kind,org,space,app,buildpack,plan", "--from", "2026-09-01", "--to", "2026-12-01"];
    let mut invoices = program.json(&["invoices", "list"]);
    let mut seen = vec![program.json(&usage)];
    for invoice in invoices.as_array().unwrap() {
        let reference = invoice["number"].as_str().map_or_else(|| invoice["id"].to_string(), str::to_owned);
        let mut shown = program.json(&["invoices", "show", &reference]);
        // Said since schema 5; nothing had been accepted before.
        assert_eq!(shown.as_object_mut().unwrap().remove("accepted"), Some(Value::Array(Vec::new())));
        // Said since schema 6: there was neither tax nor any part of a line, and nothing was rounded.
        assert_eq!(shown.as_object_mut().unwrap().remove("adjustments"), Some(Value::Array(Vec::new())));
        for line in shown["lines"].as_array_mut().unwrap() {
            let line = line.as_object_mut().unwrap();
            assert_eq!(line.remove("used"), line.get("quantity").cloned());
            assert_eq!((line.remove("part"), line.remove("granularity")), (Some("whole".into()), Some(Value::Null)));
            // Said since schema 7: nothing was agreed on, discounted, or known by day.
            assert_eq!(
                (line.remove("list_price"), line.remove("discount")),
                (line.get("price").cloned(), Some("0.00".into()))
            );
            assert_eq!(line.remove("days"), Some(Value::Array(Vec::new())));
            assert!(line.remove("what").unwrap().is_string());
        }
        without_tax(&mut shown);
        without_life(&mut shown);
        let shown_parts = shown.as_object_mut().unwrap();
        assert_eq!(shown_parts.remove("corrections"), Some(Value::Array(Vec::new())));
        assert!(shown_parts.remove("particulars").unwrap().is_object());
        seen.push(shown);
    }
    invoices.as_array_mut().unwrap().iter_mut().for_each(without_tax);
    invoices.as_array_mut().unwrap().iter_mut().for_each(without_life);
    seen.push(invoices);
    seen
}

/// Said since schema 7: all there was were invoices, which nobody held or corrected. Those that were final count as
/// issued on the day on which they became so.
fn without_life(invoice: &mut Value) {
    let invoice = invoice.as_object_mut().unwrap();
    assert_eq!(invoice.remove("document"), Some("invoice".into()));
    let is_final = invoice["status"] == "final";
    assert_eq!(invoice.remove("issued_on").unwrap().is_null(), !is_final);
    for name in ["due_on", "corrects", "reason", "held", "difference"] {
        assert_eq!(invoice.remove(name), Some(Value::Null), "{name}");
    }
    // Said since schema 16: nothing was invoiced anew.
    assert_eq!((invoice.remove("replaces"), invoice.remove("reopens")), (Some(Value::Null), Some(false.into())));
}

fn without_tax(invoice: &mut Value) {
    let invoice = invoice.as_object_mut().unwrap();
    assert_eq!(invoice.remove("tax"), Some(Value::Null));
    assert_eq!(invoice.remove("gross"), invoice.get("net").cloned());
}

#[test]
fn every_earlier_schema_is_brought_up_to_date_with_its_data() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema");
    // What people saw of it was written down when it was the newest.
    let packed = std::fs::read(folder.join("seen.json.zst")).unwrap();
    let expected: Vec<Value> = serde_json::from_slice(&zstd::decode_all(&packed[..]).unwrap()).unwrap();
    for version in versions().into_iter().filter(|version| *version < NEWEST) {
        let program = Program::unprepared();
        at_schema(&program.database(), version);
        fill(&program.database(), version);
        let checked = program.run(&["check"]);
        let told = format!("schema {version}; `run` will update it to {NEWEST}");
        assert!(checked.stdout.contains(&told), "{}", checked.stdout);
        assert!(checked.stdout.contains("invoices"), "{}", checked.stdout);
        assert!(checked.stdout.contains("that takes a second or two"), "{}", checked.stdout);
        let seen = seen(&program);
        if version == 1 {
            assert_eq!(seen, [expected[0].clone(), Value::Array(Vec::new())], "schema 1 had no invoices");
        } else {
            assert_eq!(seen, expected, "from schema {version}");
        }
        // What was folded comes out again as it was, by the rules of its time.
        program.succeed(&["ledger", "verify"]);
        program.succeed(&["ledger", "rebuild"]);
        // And it goes on.
        program.succeed(&["invoices", "draft", "--period", "2026-11", "--rates", &card(&program)]);
        let url = program.database();
        database::run(|| async {
            let found = Store::inspect(&url, &PostgresOptions::default()).await.unwrap();
            assert!(matches!(found, Found::Schema { found: NEWEST, known: NEWEST, .. }), "{found:?}");
        });
    }
}

fn card(program: &Program) -> String {
    month::card(program, CARD);
    path(&program.folder.path().join("card.toml")).to_owned()
}

#[test]
fn a_newer_schema_is_refused() {
    let program = Program::new();
    let url = program.database();
    database::run(|| async { Store::open(&url).await.unwrap().close().await });
    let values = if kind() == Kind::Sqlite { "1, x'00'" } else { "true, '\\x00'" };
    let text = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'future', {values}, 0)"
    );
    database::execute(&url, &text).unwrap();
    database::run(|| async {
        let error = Store::open(&url).await.unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 99, known: NEWEST, .. }), "{error}");
        let error = Store::inspect(&url, &PostgresOptions::default()).await.unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 99, known: NEWEST, .. }), "{error}");
    });
}

/// A pilot grows up: from a file to a server, and back.
#[test]
fn a_book_moves_between_databases_and_goes_on_there() {
    let pilot = Program::new();
    import(&pilot, &kept("small"), "5000");
    let card = card(&pilot);
    let accept = month::accepted_estimates(&pilot);
    let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", &card];
    pilot.succeed(&finalize.into_iter().chain(accept.iter().map(String::as_str)).collect::<Vec<_>>());
    pilot.succeed(&["invoices", "credit", "CF-000001", "--whole", "--reason", "it moves, too"]);
    let export = |program: &Program, name: &str| {
        let file = program.folder.path().join(name);
        let told = program.succeed(&["ledger", "export", "--out", path(&file)]).stderr;
        (file, told[told.find("exported:").unwrap()..].trim().replace("exported:", ""))
    };
    let (file, told) = export(&pilot, "book.jsonl.zst");
    let server = database::with(Kind::Postgres, Program::new);
    let imported = server.succeed(&["ledger", "import", path(&file)]).stderr;
    assert!(imported.contains(&told), "{imported}\n{told}");
    let usage = |program: &Program| {
        let by = ["usage", "--by", "kind,org,space,app,process,buildpack,plan"];
        program.json(&[&by[..], &OCTOBER[..]].concat())
    };
    assert_eq!(usage(&server), usage(&pilot));
    let invoices = |program: &Program| program.json(&["invoices", "list"]);
    assert_eq!(invoices(&server), invoices(&pilot));
    let number = invoices(&pilot)[0]["number"].as_str().unwrap().to_owned();
    let shown = |program: &Program| program.json(&["invoices", "show", &number]);
    assert_eq!(shown(&server), shown(&pilot));
    // The same rows in the same form: the same hash chains.
    let verified = |program: &Program| program.json(&["ledger", "verify"]);
    assert_eq!(verified(&server), verified(&pilot));
    server.succeed(&["ledger", "rebuild"]);
    // It is whole: importing the events again finds nothing new, and November is drafted.
    import(&server, &kept("small"), "777");
    assert_eq!(usage(&server), usage(&pilot));
    for program in [&pilot, &server] {
        program.succeed(&["invoices", "draft", "--period", "2026-09", "--rates", &card]);
    }
    let nets = |program: &Program| {
        let list = invoices(program);
        list.as_array()
            .unwrap()
            .iter()
            .map(|invoice| (invoice["account"].clone(), invoice["net"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(nets(&server), nets(&pilot));
    // And back: the file is the same but for when drafts were made.
    let (file, _) = export(&server, "back.jsonl.zst");
    let back = Program::new();
    back.succeed(&["ledger", "import", path(&file)]);
    assert_eq!(usage(&back), usage(&pilot));
    assert_eq!(shown(&back), shown(&pilot));

    // What can't be good is refused, and leaves nothing.
    let refused = server.run(&["ledger", "import", path(&file)]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is not empty"), "{}", refused.stderr);
    let refused = server.run(&["ledger", "export", "--out", path(&file)]);
    assert!(refused.code == Some(1) && refused.stderr.contains("exists"), "{}", refused.stderr);
    let text = String::from_utf8(zstd::decode_all(&std::fs::read(&file).unwrap()[..]).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let missing = [&lines[..lines.len() / 2], &lines[lines.len() / 2 + 1..]].concat();
    let net = lines.iter().position(|line| line.contains("CF-000001")).unwrap();
    let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    changed[net] = changed[net].replace("CF-000001", "CF-000009");
    let mut other = changed.clone();
    other[0] = other[0].replace(&format!("\"schema\":{NEWEST}"), "\"schema\":3");
    let wrong = [
        (missing.join("\n"), "rows are missing or changed"),
        (changed.join("\n"), "rows are missing or changed"),
        (other.join("\n"), "the book has schema 3"),
        (lines[..lines.len() - 1].join("\n"), "the file ends too early"),
        ("{}".to_owned(), "isn't an exported book"),
    ];
    for (text, reason) in wrong {
        let bad = back.folder.path().join("bad.zst");
        std::fs::write(&bad, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
        let fresh = Program::new();
        let refused = fresh.run(&["ledger", "import", path(&bad)]);
        assert_eq!(refused.code, Some(1), "{reason}");
        assert!(refused.stderr.contains(reason) && refused.stderr.contains("hint: "), "{}", refused.stderr);
        assert_eq!(invoices(&fresh), Value::Array(Vec::new()));
    }
}

crate::on_postgres! {
    every_earlier_schema_is_brought_up_to_date_with_its_data,
    a_newer_schema_is_refused,
    a_book_moves_between_databases_and_goes_on_there,
}
