//! A whole book as lines of text, so that it can move from one database to another: all tables, row by row, in the
//! order of their keys, with a digest of everything at the end. Who holds a lease and which replicas live stays behind.

use std::collections::HashMap;
use std::io;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::domain::text::hexadecimal;
use crate::domain::{Amount, Currency, Price, Timestamp};
use crate::store::database::{Row, Session, Sql, Type, Value, column_json};
use crate::store::{Store, StoreError};

/// A table: its columns, the first of which are its key.
struct Table {
    name: &'static str,
    key: usize,
    columns: &'static [(&'static str, Type)],
    /// Where the currency of its amounts is found, if it has any.
    currency: Option<&'static str>,
}

use Type::{Amount as Money, Bytes, Flag, Integer, Price as Decimal, Text, Time};

const fn table(name: &'static str, key: usize, columns: &'static [(&'static str, Type)]) -> Table {
    Table { name, key, columns, currency: None }
}

/// The footprint's columns after the given ones.
macro_rules! columns {
    ($($name:ident: $of:expr),* $(,)?) => { &[$((stringify!($name), $of)),*] };
}

const NAMED: &[(&str, Type)] = columns![
    id: Integer, foundation_id: Integer, guid: Text, name: Text, named_at: Time, named_place: Text,
];

/// In an order in which each row finds the rows it points to.
const TABLES: &[Table] = &[
    table(
        "foundation",
        1,
        columns![
            id: Integer, name: Text, lease_epoch: Integer, last_sequence: Integer, last_entry: Integer, known_until: Time,
            swept_until: Time, observed_until: Time, collected: Flag, reconciled_at: Time, swept_long_at: Time,
            chained_from: Integer, chained_entry: Integer, uaa: Text, clock_accepted_at: Time,
        ],
    ),
    table(
        "stream",
        2,
        columns![
            foundation_id: Integer, name: Text, last_ordinal: Integer, oldest_created_at: Time, newest_created_at: Time,
            checkpoint_guid: Text, checkpoint_created_at: Time, predecessor_guid: Text, predecessor_created_at: Time,
            agreeing_at: Time,
        ],
    ),
    table(
        "foundation_identity",
        1,
        columns![
            foundation_id: Integer, api: Text, issuer: Text, links: Text, pinned_at: Time, after_organization: Integer,
            after_space: Integer, after_resource: Integer, adopted_at: Time, adopted_by: Text, adopting: Flag,
            held_since: Time, held_reason: Text, held_detail: Text,
        ],
    ),
    table(
        "onboarding",
        1,
        columns![
            foundation_id: Integer, strategy: Text, stage: Text, begun_at: Time, completed_at: Time, reason: Text,
        ],
    ),
    table(
        "onboarding_snapshot",
        2,
        columns![
            foundation_id: Integer, stream: Text, guid: Text, completed_at: Time, checkpoint_guid: Text,
            checkpoint_created_at: Time,
        ],
    ),
    table(
        "archive_chunk",
        2,
        columns![
            foundation_id: Integer, first_sequence: Integer, last_sequence: Integer, min_created_at: Time,
            max_created_at: Time, directory: Bytes, bodies: Bytes, pruned: Flag,
        ],
    ),
    table("late_place", 4, columns![foundation_id: Integer, stream: Text, ordinal: Integer, fraction: Bytes]),
    table("fold_settings", 2, columns![foundation_id: Integer, sequence: Integer, settings: Text]),
    table("organization", 1, NAMED),
    table("space", 1, NAMED),
    table("app", 1, NAMED),
    table(
        "buildpack",
        1,
        columns![id: Integer, foundation_id: Integer, name: Text, guid: Text, guid_at: Time, guid_place: Text],
    ),
    table("label", 4, columns![foundation_id: Integer, owner: Text, guid: Text, key: Text, value: Text]),
    table(
        "service_offering",
        1,
        columns![
            id: Integer, foundation_id: Integer, guid: Text, name: Text, named_at: Time, named_place: Text,
            broker_guid: Text, broker_name: Text, broker_at: Time, broker_place: Text,
        ],
    ),
    table(
        "service_plan",
        1,
        columns![
            id: Integer, foundation_id: Integer, guid: Text, name: Text, service_offering_id: Integer, named_at: Time,
            named_place: Text, offering_at: Time, offering_place: Text,
        ],
    ),
    table(
        "resource",
        1,
        columns![
            id: Integer, foundation_id: Integer, kind: Integer, guid: Text, name: Text, app_id: Integer,
            process_type: Text, user_provided: Flag, latest: Time, ended: Flag, disk_mib: Integer, last_ordinal: Integer,
            last_fraction: Bytes, last_sequence: Integer, to_observe: Flag, named_at: Time, named_place: Text,
        ],
    ),
    table(
        "open_interval",
        1,
        columns![
            resource_id: Integer, foundation_id: Integer, kind: Integer, run: Integer, opening: Integer,
            unconfirmed: Flag, billed: Flag, started_at: Time, counts_until: Time, opened_by: Integer, instances: Integer,
            memory_mib: Integer, memory_source: Integer, disk_mib: Integer, disk_source: Integer, buildpack_id: Integer,
            service_plan_id: Integer, organization_id: Integer, space_id: Integer, app_id: Integer, estimated: Flag,
        ],
    ),
    table(
        "ledger_entry",
        2,
        columns![
            foundation_id: Integer, number: Integer, entry_type: Integer, corrects: Integer, cause: Integer,
            sequence: Integer, known_at: Time, resource_id: Integer, kind: Integer, run: Integer, started_at: Time,
            ended_at: Time, instances: Integer, memory_mib: Integer, memory_source: Integer, disk_mib: Integer,
            disk_source: Integer, buildpack_id: Integer, service_plan_id: Integer, organization_id: Integer,
            space_id: Integer, app_id: Integer, estimated: Flag, opened_by: Integer, closed_by: Integer,
        ],
    ),
    table(
        "anomaly",
        3,
        columns![
            foundation_id: Integer, sequence: Integer, position: Integer, kind: Text, at: Time, resource_kind: Integer,
            resource_guid: Text, detail: Text,
        ],
    ),
    table(
        "seal",
        2,
        columns![
            foundation_id: Integer, sequence: Integer, sealed_at: Time, resources: Integer, digest: Text,
            pruned_at: Integer,
        ],
    ),
    table(
        "gap",
        2,
        columns![
            foundation_id: Integer, number: Integer, stream: Text, reason: Text, began_at: Time, ended_at: Time,
            checkpoint_guid: Text, checkpoint_created_at: Time, found_at: Time, sequence: Integer, stage: Text,
            settled_at: Time, ended: Integer, begun: Integer, changed: Integer,
        ],
    ),
    table(
        "clock_bound",
        4,
        columns![
            foundation_id: Integer, stream: Text, ordinal: Integer, fraction: Bytes, event_guid: Text, created_at: Time,
            counts_at: Time, provisional: Flag, kind: Integer, resource_guid: Text, sequence: Integer, number: Integer,
        ],
    ),
    table(
        "difference",
        3,
        columns![
            foundation_id: Integer, kind: Integer, guid: Text, class: Text, detail: Text,
            certain_until: Time, found_at: Time, seen_at: Time,
        ],
    ),
    table(
        "ledger_link",
        2,
        columns![
            foundation_id: Integer, last_sequence: Integer, last_entry: Integer, inputs_digest: Bytes,
            entries_digest: Bytes, digest: Bytes,
        ],
    ),
    table("seal_chunk", 3, columns![foundation_id: Integer, sequence: Integer, first_id: Integer, states: Bytes]),
    table("rate_card", 1, columns![hash: Text, name: Text, currency: Text, body: Text, first_used: Time]),
    table("invoice_series", 1, columns![name: Text, last_number: Integer]),
    Table {
        currency: Some("currency"),
        ..table(
            INVOICE,
            1,
            columns![
                id: Integer, status: Text, series: Text, series_number: Integer, number: Text, account: Text,
                account_name: Text, seller: Text, month: Text, period_start: Time, period_end: Time, time_zone: Text,
                currency: Text, net: Money, estimated: Money, rate_card_hash: Text, rated_through: Time, drafted_at: Time,
                finalized_at: Time, accepted: Text, digest: Text, tax_name: Text, tax_category: Text, tax_percent: Decimal,
                tax: Money, kind: Text, in_review: Flag, issued_on: Text, due_on: Text, corrects: Text, reason: Text,
                replaces: Integer, reopens: Flag, particulars: Text, tax_exemption: Text, previous_net: Money,
                rules: Integer, accounts_hash: Text, uncountable: Text,
            ],
        )
    },
    Table {
        currency: Some("(SELECT currency FROM invoice WHERE invoice.id = invoice_line.invoice_id)"),
        ..table(
            "invoice_line",
            2,
            columns![
                invoice_id: Integer, position: Integer, foundation: Text, organization_guid: Text,
                organization_name: Text, space_guid: Text, space_name: Text, kind: Text, app_guid: Text, app_name: Text,
                service_instance_guid: Text, service_instance_name: Text, service_offering_guid: Text,
                service_offering_name: Text, service_plan_guid: Text, service_plan_name: Text, buildpack: Text,
                estimated: Flag, started_at: Time, ended_at: Time, meter: Text, quantity: Integer, unit_size: Integer,
                price: Decimal, amount: Money, rate: Text, used: Integer, part: Text, granularity: Text,
                list_price: Decimal, discount: Money, days: Text, basis_row: Integer,
            ],
        )
    },
    Table {
        currency: Some("(SELECT currency FROM invoice WHERE invoice.id = invoice_adjustment.invoice_id)"),
        ..table(
            "invoice_adjustment",
            2,
            columns![
                invoice_id: Integer, position: Integer, adjustment: Text, name: Text, basis: Money, percent: Decimal,
                amount: Money,
            ],
        )
    },
    Table {
        currency: Some("(SELECT currency FROM invoice WHERE invoice.id = invoice_correction.invoice_id)"),
        ..table(
            "invoice_correction",
            2,
            columns![
                invoice_id: Integer, position: Integer, number: Text, line: Integer, month: Text, started_at: Time,
                ended_at: Time, what: Text, subject: Text, meter: Text, quantity: Integer, unit_size: Integer,
                price: Decimal, amount_before: Money, amount_after: Money, cause: Text, rate_card_hash: Text,
            ],
        )
    },
    table(
        "invoice_coverage",
        5,
        columns![
            invoice_id: Integer, foundation: Text, organization_guid: Text, space_guid: Text, started_at: Time,
            ended_at: Time, labels: Text,
        ],
    ),
    table("to_compare", 1, columns![month: Text]),
    table("compared_through", 1, columns![foundation_id: Integer, entry: Integer, sequence: Integer]),
    table("accounts_file", 1, columns![hash: Text, kept_at: Time, body: Text]),
    table("invoice_basis", 1, columns![invoice_id: Integer, body: Bytes]),
    table(
        "invoice_document",
        2,
        columns![invoice_id: Integer, format: Text, renderer: Text, made_at: Time, sha256: Text, body: Bytes],
    ),
    Table {
        currency: Some("(SELECT currency FROM invoice WHERE invoice.id = invoice_recalculation.invoice_id)"),
        ..table(
            "invoice_recalculation",
            1,
            columns![
                invoice_id: Integer, computed_at: Time, rate_card_hash: Text, pinned: Flag, reason: Text, net: Money,
                body: Text,
            ],
        )
    },
    table(
        "invoice_hold",
        3,
        columns![
            account: Text, month: Text, held_at: Time, reason: Text, released_at: Time, release_reason: Text,
        ],
    ),
    table(
        "invoice_lost",
        2,
        columns![series: Text, first_number: Integer, last_number: Integer, reason: Text, recorded_at: Time],
    ),
    table("invoice_adopted", 1, columns![invoice_id: Integer, before: Text, adopted_at: Time]),
    table("lease", 1, columns![duty: Text, epoch: Integer]),
];

const INVOICE: &str = "invoice";
/// What makes an invoice final is written last: until then its lines may be.
const FINAL: [&str; 5] = ["status", "series", "series_number", "number", "finalized_at"];
const FORMAT: &str = "cf-billing book";
/// Rows read or written at a time.
const BATCH: usize = 2_000;

/// What was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    pub rows: u64,
    pub ledger_entries: u64,
    pub invoices: u64,
    /// SHA-256 of all rows, hexadecimal.
    pub digest: String,
}

/// Why a book could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("line {line}: {what}\nhint: {hint}")]
    File { line: u64, what: String, hint: &'static str },
    #[error("can't read or write the file: {0}")]
    Io(#[from] io::Error),
    #[error(
        "the database at {0} is not empty\nhint: a book can be imported only into a new database; nothing was changed"
    )]
    NotEmpty(String),
    #[error(
        "what was written doesn't read back the same\nhint: nothing was kept; this is an error of cf-billing or of the database"
    )]
    Different,
}

impl Store {
    /// Gives the whole book to `line`, a line at a time, as it is now, whatever is written meanwhile.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn export(
        &self,
        mut line: impl FnMut(&str) -> io::Result<()>,
        mut progress: impl FnMut(u64),
    ) -> Result<Transferred, TransferError> {
        let mut session = self.database.read().await?;
        session.may_rest().await?;
        let schema = self.database.newest_schema();
        line(&json!({ "format": FORMAT, "schema": schema }).to_string())?;
        let mut transferred = Transferred::default();
        let mut all = Sha256::new();
        for table in TABLES {
            line(&json!({ "table": table.name }).to_string())?;
            let rows = read_table(&mut session, table, |row| {
                all.update(row);
                line(row)?;
                transferred.rows += 1;
                progress(transferred.rows);
                Ok(())
            });
            let rows = rows.await?;
            transferred.count(table, rows);
        }
        transferred.digest = hexadecimal(&all.finalize());
        line(&json!({ "end": true, "rows": transferred.rows, "sha256": transferred.digest }).to_string())?;
        Ok(transferred)
    }

    /// Fills an empty database with what [`Store::export`] gave: all of it or nothing. What was written is read back
    /// and compared before it counts.
    ///
    /// # Errors
    /// [`TransferError`].
    pub async fn fill(
        &self,
        lines: impl IntoIterator<Item = io::Result<String>>,
        mut progress: impl FnMut(u64),
    ) -> Result<Transferred, TransferError> {
        const FOUNDATIONS: Sql = Sql::new("SELECT count(*) FROM foundation");
        const INVOICES: Sql = Sql::new("SELECT count(*) FROM invoice");
        const LEASES: Sql = Sql::new("SELECT count(*) FROM lease");
        let mut session = self.database.write().await?;
        session.may_rest().await?;
        for counted in [FOUNDATIONS, INVOICES, LEASES] {
            if session.one(counted, Vec::new()).await?.integer(0)? > 0 {
                return Err(TransferError::NotEmpty(self.location()));
            }
        }
        let mut lines = Lines { lines: lines.into_iter(), number: 0, currencies: HashMap::new() };
        lines.header(self.database.newest_schema())?;
        let mut transferred = Transferred::default();
        let mut all = Sha256::new();
        let mut wanted = TABLES.iter();
        let mut table: Option<&Table> = None;
        let mut batch: Vec<Vec<Value>> = Vec::new();
        let mut invoices: Vec<Vec<Value>> = Vec::new();
        let mut counts: Vec<u64> = Vec::new();
        loop {
            let text = lines.next()?;
            if text.starts_with('[') {
                let table = table.ok_or_else(|| lines.wrong("a row before any table"))?;
                all.update(&text);
                batch.push(lines.row(table, &text)?);
                transferred.rows += 1;
                if let Some(count) = counts.last_mut() {
                    *count += 1;
                }
                progress(transferred.rows);
                if batch.len() < BATCH {
                    continue;
                }
                write(&mut session, table, std::mem::take(&mut batch), &mut invoices).await?;
                continue;
            }
            if let Some(table) = table {
                write(&mut session, table, std::mem::take(&mut batch), &mut invoices).await?;
            }
            let Ok(told) = serde_json::from_str::<Json>(&text) else { return Err(lines.wrong("it isn't JSON")) };
            if told["end"] == true {
                let digest = hexadecimal(&all.finalize());
                if wanted.next().is_some() || told["rows"] != transferred.rows || told["sha256"] != digest.as_str() {
                    return Err(lines.wrong("the file is not what was exported: rows are missing or were changed"));
                }
                transferred.digest = digest;
                break;
            }
            table = wanted.next();
            counts.push(0);
            match table {
                Some(table) if told["table"] == table.name => {}
                _ => return Err(lines.wrong("it is not the table that comes next")),
            }
        }
        finish_invoices(&mut session, invoices).await?;
        for (table, count) in TABLES.iter().zip(counts) {
            transferred.count(table, count);
        }
        if digest_of(&mut session).await? != transferred.digest {
            return Err(TransferError::Different);
        }
        for table in TABLES.iter().filter(|table| table.columns[0].0 == "id") {
            session.number_on(table.name).await?;
        }
        session.commit().await?;
        Ok(transferred)
    }
}

/// SHA-256 of all rows as they are.
async fn digest_of(session: &mut Session) -> Result<String, TransferError> {
    let mut all = Sha256::new();
    for table in TABLES {
        let update = |row: &str| {
            all.update(row);
            Ok(())
        };
        read_table(session, table, update).await?;
    }
    Ok(hexadecimal(&all.finalize()))
}

impl Transferred {
    fn count(&mut self, table: &Table, rows: u64) {
        match table.name {
            "ledger_entry" => self.ledger_entries = rows,
            INVOICE => self.invoices = rows,
            _ => {}
        }
    }
}

/// Reads a table in the order of its key; gives how many rows it has.
async fn read_table(
    session: &mut Session,
    table: &Table,
    mut take: impl FnMut(&str) -> io::Result<()>,
) -> Result<u64, TransferError> {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let key = columns[..table.key].join(", ");
    let from = format!("SELECT {}, {} FROM {}", columns.join(", "), table.currency.unwrap_or("NULL"), table.name);
    let places: Vec<String> = (1..=table.key).map(|number| format!("${number}")).collect();
    let first = format!("{from} ORDER BY {key} LIMIT {BATCH}");
    let next = format!("{from} WHERE ({key}) > ({}) ORDER BY {key} LIMIT {BATCH}", places.join(", "));
    let (mut rows, mut after) = (0, None);
    loop {
        let found = match after.take() {
            None => session.all_text(first.clone(), Vec::new()).await?,
            Some(last) => session.all_text(next.clone(), last).await?,
        };
        let is_last = found.len() < BATCH;
        for row in found {
            let values = read_row(&row, table)?;
            let mut text = String::from("[");
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                column_json(&mut text, value);
            }
            text.push(']');
            take(&text)?;
            rows += 1;
            after = Some(values.into_iter().take(table.key).collect());
        }
        if is_last {
            return Ok(rows);
        }
    }
}

fn read_row(row: &Row, table: &Table) -> Result<Vec<Value>, StoreError> {
    let currency = match table.currency {
        Some(_) => row.maybe_text(table.columns.len())?.and_then(Currency::from_code),
        None => None,
    };
    let mut values = Vec::with_capacity(table.columns.len());
    for (index, (_, of)) in table.columns.iter().enumerate() {
        values.push(match of {
            Integer => Value::Integer(row.maybe_integer(index)?),
            Flag => Value::Flag(row.flag(index)?),
            Text => Value::Text(row.owned(index)?),
            Bytes => Value::Bytes(row.bytes(index)?),
            Time => Value::Time(row.maybe_time(index)?),
            Decimal => Value::Price(row.price(index)?),
            Money => {
                let unknown = || StoreError::Unexpected { place: "invoice.currency", value: String::new() };
                let currency = currency.ok_or_else(unknown)?;
                Value::Amount(row.amount(index, currency)?, currency)
            }
        });
    }
    Ok(values)
}

async fn write(
    session: &mut Session,
    table: &Table,
    rows: Vec<Vec<Value>>,
    invoices: &mut Vec<Vec<Value>>,
) -> Result<(), TransferError> {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let columns = columns.join(", ");
    let text = format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {{rows}} AS moved", table.name);
    let mut payload = session.payload(table.columns);
    for mut row in rows {
        if table.name == INVOICE {
            let of_final = |(index, _): &(usize, &Value)| FINAL.contains(&table.columns[*index].0);
            let mut last = vec![row[0].clone()];
            last.extend(row.iter().enumerate().filter(of_final).map(|(_, value)| value.clone()));
            for (value, (name, of)) in row.iter_mut().zip(table.columns) {
                if *name == "status" {
                    *value = Value::Text(Some("draft".to_owned()));
                } else if FINAL.contains(name) {
                    *value = nothing(*of);
                }
            }
            invoices.push(last);
        }
        let mut writer = payload.row();
        for value in row {
            writer = writer.value(value);
        }
    }
    session.run_text_of(&text, payload).await?;
    Ok(())
}

fn nothing(of: Type) -> Value {
    match of {
        Integer => Value::Integer(None),
        Time => Value::Time(None),
        _ => Value::Text(None),
    }
}

/// Invoices were written as drafts: what was final becomes so once its lines are there.
async fn finish_invoices(session: &mut Session, invoices: Vec<Vec<Value>>) -> Result<(), TransferError> {
    const FINISH: Sql = Sql::new(
        "UPDATE invoice SET status = moved.status, series = moved.series, series_number = moved.series_number,
             number = moved.number, finalized_at = moved.finalized_at
         FROM {rows} AS moved
         WHERE invoice.id = moved.id AND moved.status <> 'draft'",
    );
    const COLUMNS: &[(&str, Type)] = columns![
        id: Integer, status: Text, series: Text, series_number: Integer, number: Text, finalized_at: Time,
    ];
    for batch in invoices.chunks(BATCH) {
        let mut payload = session.payload(COLUMNS);
        for row in batch {
            let mut writer = payload.row();
            for value in row {
                writer = writer.value(value.clone());
            }
        }
        session.run_of(FINISH, Vec::new(), payload).await?;
    }
    Ok(())
}

/// The lines of a file, and where it is.
struct Lines<I> {
    lines: I,
    number: u64,
    /// Of each invoice: its lines don't say.
    currencies: HashMap<i64, Currency>,
}

impl<I: Iterator<Item = io::Result<String>>> Lines<I> {
    fn next(&mut self) -> Result<String, TransferError> {
        self.number += 1;
        match self.lines.next() {
            Some(line) => Ok(line?),
            None => Err(self.wrong("the file ends too early")),
        }
    }

    fn wrong(&self, what: &str) -> TransferError {
        let hint = "nothing was kept; export the book again";
        TransferError::File { line: self.number, what: what.to_owned(), hint }
    }

    fn header(&mut self, known: i64) -> Result<(), TransferError> {
        let header = serde_json::from_str::<Json>(&self.next()?).unwrap_or_default();
        if header["format"] != FORMAT {
            return Err(self.wrong("this isn't an exported book"));
        }
        if header["schema"] != known {
            return Err(TransferError::File {
                line: self.number,
                what: format!("the book has schema {}, this program's is {known}", header["schema"]),
                hint: "export it with the same version of cf-billing that imports it",
            });
        }
        Ok(())
    }

    fn row(&mut self, table: &Table, text: &str) -> Result<Vec<Value>, TransferError> {
        let row: Vec<Json> = serde_json::from_str(text).map_err(|_| self.wrong("it isn't JSON"))?;
        if row.len() != table.columns.len() {
            return Err(self.wrong("it has not the columns of its table"));
        }
        let id = row[0].as_i64().unwrap_or_default();
        if table.name == INVOICE {
            let code = table.columns.iter().zip(&row).find(|((name, _), _)| *name == "currency");
            if let Some(currency) = code.and_then(|(_, code)| Currency::from_code(code.as_str()?)) {
                self.currencies.insert(id, currency);
            }
        }
        let currency = self.currencies.get(&id).copied();
        let mut values = Vec::with_capacity(row.len());
        for ((name, of), column) in table.columns.iter().zip(row) {
            let value = value(*of, &column, currency);
            values.push(value.ok_or_else(|| self.wrong(&format!("`{column}` is not good for {}.{name}", table.name)))?);
        }
        Ok(values)
    }
}

fn value(of: Type, column: &Json, currency: Option<Currency>) -> Option<Value> {
    let null = column.is_null();
    let integer = || if null { Some(None) } else { column.as_i64().map(Some) };
    let text = || if null { Some(None) } else { column.as_str().map(|text| Some(text.to_owned())) };
    Some(match of {
        Integer => Value::Integer(integer()?),
        Flag => Value::Flag(column.as_i64()? == 1),
        Text => Value::Text(text()?),
        Time => Value::Time(integer()?.map(Timestamp::from_unix)),
        Bytes => Value::Bytes(match text()? {
            None => None,
            Some(digits) => Some(from_hexadecimal(&digits)?),
        }),
        Decimal => Value::Price(match text()? {
            None => None,
            Some(price) => Some(price.parse::<Price>().ok()?),
        }),
        Money => Value::Amount(integer()?.map(Amount), currency?),
    })
}

fn from_hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}
