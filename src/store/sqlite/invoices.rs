//! Invoices: drafts replaced as often as wanted, finals numbered and written once.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::SqliteStore;
use crate::domain::{Amount, Currency, Guid, Kind, Month, Price, Span, Timestamp};
use crate::invoicing::{Charge, Invoice, InvoiceLine, Status};
use crate::rate_card::Meter;
use crate::rating::{LineKey, Named};
use crate::store::invoices::{InvoiceFilter, Series, StoredCard, StoredInvoice};
use crate::store::{Finalized, StoreError};

impl SqliteStore {
    pub async fn put_drafts(
        &self,
        card: &StoredCard,
        invoices: &[Invoice],
        all_of: Option<Month>,
        drafted_at: Timestamp,
    ) -> Result<Vec<StoredInvoice>, StoreError> {
        let mut transaction = self.begin().await?;
        if let Some(month) = all_of {
            remove_drafts(&mut transaction, month, invoices).await?;
        }
        put_card(&mut transaction, card, drafted_at).await?;
        let mut stored = Vec::with_capacity(invoices.len());
        for invoice in invoices {
            if let Some(id) = put_draft(&mut transaction, invoice, drafted_at).await? {
                stored.push(StoredInvoice {
                    id,
                    status: Status::Draft,
                    number: None,
                    drafted_at,
                    finalized_at: None,
                    unpriced_lines: invoice.lines.iter().filter(|line| line.charge.is_none()).count(),
                    invoice: invoice.clone(),
                });
            }
        }
        transaction.commit().await?;
        Ok(stored)
    }

    pub async fn finalize(
        &self,
        card: &StoredCard,
        invoice: &Invoice,
        series: &Series,
        at: Timestamp,
    ) -> Result<Finalized, StoreError> {
        const NEXT: &str = "
            INSERT INTO invoice_series (name, last_number) VALUES (?1, 1)
            ON CONFLICT (name) DO UPDATE SET last_number = last_number + 1
            RETURNING last_number";
        const FINAL: &str = "
            UPDATE invoice SET status = 'final', series = ?2, series_number = ?3, number = ?4, finalized_at = ?5
            WHERE id = ?1";
        let mut transaction = self.begin().await?;
        put_card(&mut transaction, card, at).await?;
        let Some(id) = put_draft(&mut transaction, invoice, at).await? else { return Ok(Finalized::Before) };
        let series_number: i64 = sqlx::query_scalar(NEXT).bind(&series.name).fetch_one(&mut *transaction).await?;
        let number = series.number(series_number);
        sqlx::query(FINAL)
            .bind(id)
            .bind(&series.name)
            .bind(series_number)
            .bind(&number)
            .bind(at.unix())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Finalized::Now(number))
    }

    pub async fn invoices(&self, filter: &InvoiceFilter) -> Result<Vec<StoredInvoice>, StoreError> {
        const LIST: &str = "
            SELECT id, status, number, account, account_name, seller, month, period_start, period_end, time_zone,
                   currency, net, estimated, rate_card_hash, rated_through, drafted_at, finalized_at,
                   (SELECT count(*) FROM invoice_line WHERE invoice_id = invoice.id AND price IS NULL) AS unpriced_lines
            FROM invoice
            WHERE (?1 IS NULL OR month = ?1) AND (?2 IS NULL OR status = ?2)
                AND (?3 IS NULL OR account = ?3 OR account_name = ?3)
            ORDER BY period_start, account_name, account";
        let rows = sqlx::query(LIST)
            .bind(filter.month.map(|month| month.to_string()))
            .bind(filter.status.map(Status::name))
            .bind(filter.account.as_deref())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read_invoice).collect()
    }

    pub async fn invoice(&self, reference: &str) -> Result<Option<StoredInvoice>, StoreError> {
        const ONE: &str = "
            SELECT id, status, number, account, account_name, seller, month, period_start, period_end, time_zone,
                   currency, net, estimated, rate_card_hash, rated_through, drafted_at, finalized_at,
                   (SELECT count(*) FROM invoice_line WHERE invoice_id = invoice.id AND price IS NULL) AS unpriced_lines
            FROM invoice
            WHERE number = ?1 OR CAST(id AS TEXT) = ?1
            ORDER BY number = ?1 DESC
            LIMIT 1";
        const LINES: &str = "
            SELECT foundation, organization_guid, organization_name, space_guid, space_name, kind, app_guid, app_name,
                   service_instance_guid, service_instance_name, service_offering_guid, service_offering_name,
                   service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at, meter, quantity,
                   unit_size, price, amount, rate
            FROM invoice_line
            WHERE invoice_id = ?1
            ORDER BY position";
        let mut transaction = self.readers.begin().await?;
        let Some(row) = sqlx::query(ONE).bind(reference).fetch_optional(&mut *transaction).await? else {
            return Ok(None);
        };
        let mut stored = read_invoice(&row)?;
        for row in sqlx::query(LINES).bind(stored.id).fetch_all(&mut *transaction).await? {
            stored.invoice.lines.push(read_line(&row)?);
        }
        Ok(Some(stored))
    }
}

/// Removes a month's drafts of accounts that now have no usage.
async fn remove_drafts(connection: &mut SqliteConnection, month: Month, kept: &[Invoice]) -> Result<(), StoreError> {
    const LINES: &str = "
        DELETE FROM invoice_line WHERE invoice_id IN (
            SELECT id FROM invoice WHERE status = 'draft' AND month = ?1
                AND account NOT IN (SELECT value FROM json_each(?2)))";
    const DRAFTS: &str = "
        DELETE FROM invoice WHERE status = 'draft' AND month = ?1
            AND account NOT IN (SELECT value FROM json_each(?2))";
    let kept: Vec<&str> = kept.iter().map(|invoice| invoice.account.as_str()).collect();
    let kept = serde_json::Value::from(kept).to_string();
    for statement in [LINES, DRAFTS] {
        sqlx::query(statement).bind(month.to_string()).bind(&kept).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn put_card(connection: &mut SqliteConnection, card: &StoredCard, at: Timestamp) -> Result<(), StoreError> {
    const PUT: &str = "
        INSERT INTO rate_card (hash, name, currency, body, first_used) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING";
    let put = sqlx::query(PUT).bind(&card.hash).bind(&card.name).bind(&card.currency).bind(&card.text).bind(at.unix());
    put.execute(connection).await?;
    Ok(())
}

/// Two time zones begin a month at most this far apart.
const DAYS_APART_SECONDS: i64 = 2 * 86_400;

/// Writes a draft in the place of the one that was there. `None`: the account's invoice is final.
async fn put_draft(
    connection: &mut SqliteConnection,
    invoice: &Invoice,
    at: Timestamp,
) -> Result<Option<i64>, StoreError> {
    // Under another time zone the same month begins and ends at other instants.
    const OVERLAPPING: &str = "
        SELECT id, status, period_start FROM invoice
        WHERE account = ?1 AND period_start < ?3 AND period_end > ?2";
    const REMOVE_LINES: &str = "DELETE FROM invoice_line WHERE invoice_id = ?1";
    const REMOVE: &str = "DELETE FROM invoice WHERE id = ?1";
    const ADD: &str = "
        INSERT INTO invoice
            (id, status, account, account_name, seller, month, period_start, period_end, time_zone, currency, net,
             estimated, rate_card_hash, rated_through, drafted_at)
        VALUES (?1, 'draft', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
        RETURNING id";
    let before = sqlx::query(OVERLAPPING)
        .bind(&invoice.account)
        .bind(invoice.period.from.unix())
        .bind(invoice.period.to.unix())
        .fetch_all(&mut *connection)
        .await?;
    let mut same = None;
    let mut drafts = Vec::new();
    for row in before {
        // What neighbours share at their edge under another time zone is a day at most: not the same month.
        let start: i64 = row.try_get(2)?;
        if (start - invoice.period.from.unix()).abs() > DAYS_APART_SECONDS {
            continue;
        }
        if row.try_get::<String, _>(1)? == Status::Final.name() {
            return Ok(None);
        }
        let id: i64 = row.try_get(0)?;
        if start == invoice.period.from.unix() {
            same = Some(id);
        }
        drafts.push(id);
    }
    for id in drafts {
        sqlx::query(REMOVE_LINES).bind(id).execute(&mut *connection).await?;
        sqlx::query(REMOVE).bind(id).execute(&mut *connection).await?;
    }
    let id: i64 = sqlx::query_scalar(ADD)
        .bind(same)
        .bind(&invoice.account)
        .bind(&invoice.account_name)
        .bind(&invoice.seller)
        .bind(invoice.month.to_string())
        .bind(invoice.period.from.unix())
        .bind(invoice.period.to.unix())
        .bind(&invoice.time_zone)
        .bind(invoice.currency.code())
        .bind(invoice.net.0)
        .bind(invoice.estimated.0)
        .bind(&invoice.rate_card)
        .bind(invoice.rated_through.map(Timestamp::unix))
        .bind(at.unix())
        .fetch_one(&mut *connection)
        .await?;
    put_lines(connection, id, &invoice.lines).await?;
    Ok(Some(id))
}

async fn put_lines(connection: &mut SqliteConnection, id: i64, lines: &[InvoiceLine]) -> Result<(), StoreError> {
    const PUT: &str = "
        INSERT INTO invoice_line
            (invoice_id, position, foundation, organization_guid, organization_name, space_guid, space_name, kind,
             app_guid, app_name, service_instance_guid, service_instance_name, service_offering_guid,
             service_offering_name, service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at,
             meter, quantity, unit_size, price, amount, rate)
        SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
               value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20,
               value ->> 21, value ->> 22, value ->> 23, value ->> 24
        FROM json_each(?2)";
    let mut payload = super::payload::Payload::default();
    for (position, line) in (1..).zip(lines) {
        let key = &line.key;
        let mut row = payload.row().integer(position).text(Some(&key.foundation));
        let (app, instance) = (key.app.as_ref(), key.service_instance.as_ref());
        let (offering, plan) = (key.service_offering.as_ref(), key.service_plan.as_ref());
        for named in [Some(&key.organization), Some(&key.space)] {
            row = put_named(row, named);
        }
        row = row.text(Some(key.kind.name()));
        for named in [app, instance, offering, plan] {
            row = put_named(row, named);
        }
        row.text(key.buildpack.as_deref())
            .integer(i64::from(key.estimated))
            .integer(line.span.from.unix())
            .integer(line.span.to.unix())
            .text(Some(line.meter.name()))
            .integer(line.quantity)
            .integer(line.unit_size)
            .text(line.charge.as_ref().map(|charge| charge.price.to_string()).as_deref())
            .integer(line.charge.as_ref().map(|charge| charge.amount.0))
            .text(line.charge.as_ref().map(|charge| charge.rate.as_str()));
    }
    if !payload.is_empty() {
        sqlx::query(PUT).bind(id).bind(payload.finish()).execute(connection).await?;
    }
    Ok(())
}

fn put_named<'row>(row: super::payload::RowWriter<'row>, named: Option<&Named>) -> super::payload::RowWriter<'row> {
    row.text(named.map(|named| named.guid.to_string()).as_deref()).text(named.and_then(|named| named.name.as_deref()))
}

fn unexpected(place: &'static str, value: impl Into<String>) -> StoreError {
    StoreError::Unexpected { place, value: value.into() }
}

fn read_invoice(row: &SqliteRow) -> Result<StoredInvoice, StoreError> {
    let time = |column: &str| -> Result<Timestamp, StoreError> { Ok(Timestamp::from_unix(row.try_get(column)?)) };
    let maybe_time = |column: &str| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_unix))
    };
    let status: String = row.try_get("status")?;
    let month: String = row.try_get("month")?;
    let currency: String = row.try_get("currency")?;
    Ok(StoredInvoice {
        id: row.try_get("id")?,
        status: Status::from_name(&status).ok_or_else(|| unexpected("invoice.status", status))?,
        number: row.try_get("number")?,
        drafted_at: time("drafted_at")?,
        finalized_at: maybe_time("finalized_at")?,
        unpriced_lines: usize::try_from(row.try_get::<i64, _>("unpriced_lines")?).unwrap_or_default(),
        invoice: Invoice {
            account: row.try_get("account")?,
            account_name: row.try_get("account_name")?,
            seller: row.try_get("seller")?,
            month: month.parse::<Month>().map_err(|_| unexpected("invoice.month", month))?,
            period: Span { from: time("period_start")?, to: time("period_end")? },
            time_zone: row.try_get("time_zone")?,
            currency: Currency::from_code(&currency).ok_or_else(|| unexpected("invoice.currency", currency))?,
            lines: Vec::new(),
            net: Amount(row.try_get("net")?),
            estimated: Amount(row.try_get("estimated")?),
            rate_card: row.try_get("rate_card_hash")?,
            rated_through: maybe_time("rated_through")?,
        },
    })
}

fn read_line(row: &SqliteRow) -> Result<InvoiceLine, StoreError> {
    let named = |guid: &str, name: &str| -> Result<Option<Named>, StoreError> {
        let guid: Option<String> = row.try_get(guid)?;
        let name: Option<String> = row.try_get(name)?;
        Ok(guid.map(|guid| Named { name, guid: Guid::new(&guid) }))
    };
    let kind: String = row.try_get("kind")?;
    let meter: String = row.try_get("meter")?;
    let charge = match (row.try_get::<Option<String>, _>("price")?, row.try_get::<Option<i64>, _>("amount")?) {
        (Some(price), Some(amount)) => Some(Charge {
            price: price.parse::<Price>().map_err(|_| unexpected("invoice_line.price", price))?,
            amount: Amount(amount),
            rate: row.try_get::<Option<String>, _>("rate")?.unwrap_or_default(),
        }),
        _ => None,
    };
    let missing = || unexpected("invoice_line", "null");
    Ok(InvoiceLine {
        key: LineKey {
            foundation: row.try_get("foundation")?,
            organization: named("organization_guid", "organization_name")?.ok_or_else(missing)?,
            space: named("space_guid", "space_name")?.ok_or_else(missing)?,
            kind: Kind::from_name(&kind).ok_or_else(|| unexpected("invoice_line.kind", kind))?,
            app: named("app_guid", "app_name")?,
            service_instance: named("service_instance_guid", "service_instance_name")?,
            service_offering: named("service_offering_guid", "service_offering_name")?,
            service_plan: named("service_plan_guid", "service_plan_name")?,
            buildpack: row.try_get("buildpack")?,
            estimated: row.try_get("estimated")?,
        },
        meter: Meter::from_name(&meter).ok_or_else(|| unexpected("invoice_line.meter", meter))?,
        quantity: row.try_get("quantity")?,
        unit_size: row.try_get("unit_size")?,
        charge,
        span: Span {
            from: Timestamp::from_unix(row.try_get("started_at")?),
            to: Timestamp::from_unix(row.try_get("ended_at")?),
        },
    })
}
