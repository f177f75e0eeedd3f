//! A whole book as lines of text, so that it can move from one database to another: all tables, row by row, in the
//! order of their keys, with a digest of everything at the end. Who holds a lease and which replicas live stays behind.

use std::collections::HashMap;
use std::io;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::domain::text::hexadecimal;
use crate::domain::{Amount, Currency, Price, Timestamp};
use crate::store::database::{Columns, Declared, Row, Session, Sql, Type, Value, column_json, unexpected};
use crate::store::tables::{Moves, TABLES};
use crate::store::{Store, StoreError};

use Type::{Amount as Money, Bytes, Flag, Integer, Price as Decimal, Text, Time};

/// A table, as far as it moves.
#[derive(Clone, Copy)]
struct Moved {
    name: &'static str,
    /// So many of its first columns are its key.
    key: usize,
    columns: Columns,
    currency: Option<&'static str>,
}

fn moved() -> impl Iterator<Item = Moved> {
    TABLES.iter().filter_map(|(Declared { name, key, columns, currency, .. }, moves)| {
        let columns = match moves {
            Moves::Whole => *columns,
            Moves::First(count) => &columns[..*count],
            Moves::Stays => return None,
        };
        Some(Moved { name, key: *key, columns, currency: *currency })
    })
}

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
        for table in moved() {
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
        const FOUNDATIONS: Sql = Sql::new("SELECT count(*) AS rows_there FROM foundation");
        const INVOICES: Sql = Sql::new("SELECT count(*) AS rows_there FROM invoice");
        const LEASES: Sql = Sql::new("SELECT count(*) AS rows_there FROM lease");
        let mut session = self.database.write().await?;
        session.may_rest().await?;
        for counted in [FOUNDATIONS, INVOICES, LEASES] {
            if session.one(counted, Vec::new()).await?.integer("rows_there")? > 0 {
                return Err(TransferError::NotEmpty(self.location()));
            }
        }
        let mut lines = Lines { lines: lines.into_iter(), number: 0, currencies: HashMap::new() };
        lines.header(self.database.newest_schema())?;
        let mut transferred = Transferred::default();
        let mut all = Sha256::new();
        let mut wanted = moved();
        let mut table: Option<Moved> = None;
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
                    return Err(lines.wrong("the file differs from what was exported: rows are missing or changed"));
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
        for (table, count) in moved().zip(counts) {
            transferred.count(table, count);
        }
        if digest_of(&mut session).await? != transferred.digest {
            return Err(TransferError::Different);
        }
        for table in moved().filter(|table| table.columns[0].0 == "id") {
            session.number_on(table.name).await?;
        }
        session.commit().await?;
        Ok(transferred)
    }
}

/// SHA-256 of all rows as they are.
async fn digest_of(session: &mut Session) -> Result<String, TransferError> {
    let mut all = Sha256::new();
    for table in moved() {
        let update = |row: &str| {
            all.update(row);
            Ok(())
        };
        read_table(session, table, update).await?;
    }
    Ok(hexadecimal(&all.finalize()))
}

impl Transferred {
    fn count(&mut self, table: Moved, rows: u64) {
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
    table: Moved,
    mut take: impl FnMut(&str) -> io::Result<()>,
) -> Result<u64, TransferError> {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let key = columns[..table.key].join(", ");
    let from = format!(
        "SELECT {}, {} AS row_currency FROM {}",
        columns.join(", "),
        table.currency.unwrap_or("NULL"),
        table.name
    );
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

fn read_row(row: &Row, table: Moved) -> Result<Vec<Value>, StoreError> {
    let currency: Option<Currency> = if table.currency.is_some() { row.get("row_currency")? } else { None };
    let read = |(name, of): &(&'static str, Type)| {
        Ok(match of {
            Integer => Value::Integer(row.maybe_integer(name)?),
            Flag => Value::Flag(row.maybe_flag(name)?),
            Text => Value::Text(row.maybe_string(name)?),
            Bytes => Value::Bytes(row.maybe_bytes(name)?),
            Time => Value::Time(row.maybe_time(name)?),
            Decimal => Value::Price(row.maybe_price(name)?),
            Money => {
                let currency = currency.ok_or_else(|| unexpected("invoice.currency", "null"))?;
                Value::Amount(row.maybe_amount(name, currency)?, currency)
            }
        })
    };
    table.columns.iter().map(read).collect()
}

async fn write(
    session: &mut Session,
    table: Moved,
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
    const COLUMNS: Columns = &[
        ("id", Integer),
        ("status", Text),
        ("series", Text),
        ("series_number", Integer),
        ("number", Text),
        ("finalized_at", Time),
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

    fn row(&mut self, table: Moved, text: &str) -> Result<Vec<Value>, TransferError> {
        let row: Vec<Json> = serde_json::from_str(text).map_err(|_| self.wrong("it isn't JSON"))?;
        if row.len() != table.columns.len() {
            return Err(self.wrong("it doesn't have the columns of its table"));
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
        Flag => Value::Flag(match column.as_i64()? {
            0 => Some(false),
            1 => Some(true),
            _ => return None,
        }),
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
