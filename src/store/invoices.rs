//! Invoices: drafts replaced as often as wanted, finals numbered and written once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::cards::put_card;
use super::database::{Columns, Dialect, Row, RowWriter, Session, Sql, Type, Value, values};
use super::gaps::read_gaps;
use super::{Finalized, InvoiceFilter, Invoiced, Series, Store, StoreError, StoredCard, StoredGap, StoredInvoice};
use crate::domain::text::hexadecimal;
use crate::domain::{Amount, Currency, Guid, Kind, Month, Span, Timestamp};
use crate::invoicing::{Adjustment, AdjustmentType, Charge, Invoice, InvoiceLine, Status, TaxLine};
use crate::rate_card::Meter;
use crate::rating::{LineKey, Named, Part};

/// The columns of an invoice, under the conditions given.
macro_rules! select_invoice {
    ($where:literal) => {
        Sql::new(concat!(
            "SELECT id, status, number, account, account_name, seller, month, period_start, period_end, time_zone,
                    currency, net, estimated, rate_card_hash, rated_through, drafted_at, finalized_at, accepted,
                    tax_name, tax_category, tax_percent, tax,
                    (SELECT count(*) FROM invoice_line WHERE invoice_id = invoice.id AND price IS NULL)
                        AS unpriced_lines
             FROM invoice
             ",
            $where
        ))
    };
}

impl Store {
    /// Writes drafts in the place of those that were there; gives those written. An account whose invoice for the
    /// period is final keeps it. If they are all there are of a month, its other drafts go.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_drafts(
        &self,
        card: &StoredCard,
        invoices: &[Invoice],
        all_of: Option<Month>,
        drafted_at: Timestamp,
    ) -> Result<Vec<StoredInvoice>, StoreError> {
        again!(self.try_put_drafts(card, invoices, all_of, drafted_at))
    }

    async fn try_put_drafts(
        &self,
        card: &StoredCard,
        invoices: &[Invoice],
        all_of: Option<Month>,
        drafted_at: Timestamp,
    ) -> Result<Vec<StoredInvoice>, StoreError> {
        let mut session = self.invoicing().await?;
        if let Some(month) = all_of {
            remove_drafts(&mut session, month, invoices).await?;
        }
        put_card(&mut session, card, drafted_at).await?;
        let mut stored = Vec::with_capacity(invoices.len());
        for invoice in invoices {
            if let Some(id) = put_draft(&mut session, invoice, drafted_at).await? {
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
        // Last, for a short time: while the lease's row is held it can't be renewed.
        self.check_lease(&mut session).await?;
        session.commit().await?;
        Ok(stored)
    }

    /// Makes an invoice final under the next number of its series, in one transaction: no gap and no repeat,
    /// wherever the process dies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finalize(
        &self,
        card: &StoredCard,
        invoice: &Invoice,
        series: &Series,
        at: Timestamp,
    ) -> Result<Finalized, StoreError> {
        again!(self.try_finalize(card, invoice, series, at))
    }

    async fn try_finalize(
        &self,
        card: &StoredCard,
        invoice: &Invoice,
        series: &Series,
        at: Timestamp,
    ) -> Result<Finalized, StoreError> {
        const NEXT: Sql = Sql::new(
            "INSERT INTO invoice_series (name, last_number) VALUES ($1, 1)
             ON CONFLICT (name) DO UPDATE SET last_number = invoice_series.last_number + 1
             RETURNING last_number",
        );
        const FINAL: Sql = Sql::new(
            "UPDATE invoice SET status = 'final', series = $2, series_number = $3, number = $4, finalized_at = $5,
                                accepted = $6, digest = $7
             WHERE id = $1",
        );
        const BEFORE: Sql = Sql::new("SELECT digest FROM invoice WHERE series = $1 AND series_number = $2");
        let mut session = self.invoicing().await?;
        put_card(&mut session, card, at).await?;
        let Some(id) = put_draft(&mut session, invoice, at).await? else { return Ok(Finalized::Before) };
        let series_number = session.one(NEXT, values![&series.name]).await?.integer(0)?;
        let number = series.number(series_number);
        let before = session.maybe(BEFORE, values![&series.name, series_number - 1]).await?;
        let before = before.map(|row| row.owned(0)).transpose()?.flatten();
        let digest = invoice_digest(before.as_deref(), &invoice.canonical(&number, at));
        let accepted = (!invoice.accepted.is_empty())
            .then(|| serde_json::to_string(&invoice.accepted).expect("texts are plain values"));
        session.run(FINAL, values![id, &series.name, series_number, &number, at, accepted, digest]).await?;
        self.check_lease(&mut session).await?;
        session.commit().await?;
        Ok(Finalized::Now(number))
    }

    /// Which organizations' usage of a month is on a final invoice.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoiced(&self, month: Month) -> Result<Vec<Invoiced>, StoreError> {
        const INVOICED: Sql = Sql::new(
            "SELECT DISTINCT line.foundation, line.organization_guid, invoice.account, invoice.account_name
             FROM invoice LEFT JOIN invoice_line AS line ON line.invoice_id = invoice.id
             WHERE invoice.status = 'final' AND invoice.month = $1",
        );
        let rows = self.database.read().await?.all(INVOICED, values![month.to_string()]).await?;
        let invoiced = |row: &Row| -> Result<Invoiced, StoreError> {
            Ok(Invoiced {
                organization: row.owned(0)?.zip(row.maybe_text(1)?.map(Guid::new)),
                account: row.text(2)?.to_owned(),
                account_name: row.owned(3)?,
            })
        };
        rows.iter().map(invoiced).collect()
    }

    /// A session in which no other process writes invoices: what it finds stays so until it commits.
    async fn invoicing(&self) -> Result<Session, StoreError> {
        const ALONE: Sql = Sql::new("LOCK TABLE invoice IN SHARE ROW EXCLUSIVE MODE");
        let mut session = self.database.write().await?;
        if session.dialect() == Dialect::Postgres {
            session.run(ALONE, Vec::new()).await?;
        }
        Ok(session)
    }

    /// Invoices without their lines, drafts with the gaps that touch them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoices(&self, filter: &InvoiceFilter) -> Result<Vec<StoredInvoice>, StoreError> {
        const LIST: Sql = select_invoice!(
            "WHERE ($1 IS NULL OR month = $1) AND ($2 IS NULL OR status = $2)
                 AND ($3 IS NULL OR account = $3 OR account_name = $3)
             ORDER BY period_start, account_name NULLS FIRST, account"
        );
        let values = values![
            filter.month.map(|month| month.to_string()),
            filter.status.map(Status::name),
            filter.account.as_deref()
        ];
        let mut session = self.database.read().await?;
        let invoices = session.all(LIST, values).await?.iter().map(read_invoice).collect::<Result<Vec<_>, _>>()?;
        with_gaps(&mut session, invoices).await
    }

    /// The invoice of that number or id, with its lines.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoice(&self, reference: &str) -> Result<Option<StoredInvoice>, StoreError> {
        const ONE: Sql = select_invoice!(
            "WHERE number = $1 OR CAST(id AS text) = $1
             ORDER BY coalesce(number = $1, false) DESC
             LIMIT 1"
        );
        const LINES: Sql = Sql::new(
            "SELECT foundation, organization_guid, organization_name, space_guid, space_name, kind, app_guid, app_name,
                    service_instance_guid, service_instance_name, service_offering_guid, service_offering_name,
                    service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at, meter, quantity,
                    unit_size, price, amount, rate, used, part, granularity
             FROM invoice_line
             WHERE invoice_id = $1
             ORDER BY position",
        );
        const ADJUSTMENTS: Sql = Sql::new(
            "SELECT adjustment, name, basis, percent, amount FROM invoice_adjustment WHERE invoice_id = $1
             ORDER BY position",
        );
        let mut session = self.database.read().await?;
        let Some(row) = session.maybe(ONE, values![reference]).await? else { return Ok(None) };
        let mut stored = read_invoice(&row)?;
        for row in session.all(LINES, values![stored.id]).await? {
            stored.invoice.lines.push(read_line(&row, stored.invoice.currency)?);
        }
        for row in session.all(ADJUSTMENTS, values![stored.id]).await? {
            stored.invoice.adjustments.push(read_adjustment(&row, stored.invoice.currency)?);
        }
        Ok(with_gaps(&mut session, vec![stored]).await?.pop())
    }
}

/// Adds to drafts the gaps in whose foundations they have lines.
async fn with_gaps(session: &mut Session, mut invoices: Vec<StoredInvoice>) -> Result<Vec<StoredInvoice>, StoreError> {
    const FOUNDATIONS: Sql = Sql::new(
        "SELECT DISTINCT invoice.id, line.foundation
         FROM invoice JOIN invoice_line AS line ON line.invoice_id = invoice.id
         WHERE invoice.status = 'draft' AND ($1 IS NULL OR invoice.id = $1)",
    );
    if !invoices.iter().any(|stored| stored.status == Status::Draft) {
        return Ok(invoices);
    }
    let gaps = read_gaps(session, None).await?;
    if gaps.is_empty() {
        return Ok(invoices);
    }
    let only = (invoices.len() == 1).then(|| invoices[0].id);
    let mut billed: HashMap<i64, Vec<String>> = HashMap::new();
    for row in session.all(FOUNDATIONS, values![only]).await? {
        billed.entry(row.integer(0)?).or_default().push(row.text(1)?.to_owned());
    }
    for stored in invoices.iter_mut().filter(|stored| stored.status == Status::Draft) {
        let foundations = billed.remove(&stored.id).unwrap_or_default();
        let touches = |gap: &&StoredGap| foundations.contains(&gap.foundation);
        let period = stored.invoice.period;
        stored.invoice.gaps = gaps.iter().filter(touches).filter_map(|gap| gap.note(period)).collect();
    }
    Ok(invoices)
}

/// What verifying the hash chain of a series of invoices came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSeries {
    pub name: String,
    /// In the chain.
    pub invoices: u64,
    /// Before it begins: they were made final by an earlier version.
    pub before: u64,
    /// The last digest, hexadecimal.
    pub digest: String,
    /// The first place that isn't as it was written.
    pub broken: Option<String>,
}

impl Store {
    /// Computes the hash chain of every series again from what is kept, and names the first break of each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify_invoices(&self) -> Result<Vec<VerifiedSeries>, StoreError> {
        const SERIES: Sql = Sql::new("SELECT name, last_number FROM invoice_series ORDER BY name");
        let rows = self.database.read().await?.all(SERIES, Vec::new()).await?;
        let mut verified = Vec::with_capacity(rows.len());
        for row in rows {
            verified.push(self.verify_series(row.text(0)?, row.integer(1)?).await?);
        }
        Ok(verified)
    }

    async fn verify_series(&self, name: &str, last_number: i64) -> Result<VerifiedSeries, StoreError> {
        const DIGEST: Sql = Sql::new("SELECT number, digest FROM invoice WHERE series = $1 AND series_number = $2");
        let (invoices, digest) = (0, String::new());
        let mut verified = VerifiedSeries { name: name.to_owned(), invoices, before: 0, digest, broken: None };
        for series_number in 1..=last_number {
            let row = self.database.read().await?.maybe(DIGEST, values![name, series_number]).await?;
            let Some(row) = row else {
                verified.broken = Some(format!("invoice {series_number} is missing"));
                return Ok(verified);
            };
            let (number, kept) = (row.text(0)?, row.owned(1)?);
            let Some(kept) = kept else {
                if verified.invoices > 0 {
                    verified.broken = Some(format!("invoice {number} has no digest"));
                    return Ok(verified);
                }
                verified.before += 1;
                continue;
            };
            let stored = self.invoice(number).await?;
            let again = stored.and_then(|stored| Some((stored.finalized_at?, stored.invoice)));
            let again = again.map(|(at, invoice)| {
                let before = (!verified.digest.is_empty()).then_some(verified.digest.as_str());
                invoice_digest(before, &invoice.canonical(number, at))
            });
            if again.as_deref() != Some(&kept) {
                verified.broken = Some(format!("invoice {number} isn't as it was made final"));
                return Ok(verified);
            }
            verified.invoices += 1;
            verified.digest = kept;
        }
        Ok(verified)
    }
}

fn invoice_digest(before: Option<&str>, canonical: &str) -> String {
    let hash = Sha256::new().chain_update(before.unwrap_or_default()).chain_update(canonical);
    hexadecimal(&hash.finalize())
}

/// Removes a month's drafts of accounts that now have no usage.
async fn remove_drafts(session: &mut Session, month: Month, kept: &[Invoice]) -> Result<(), StoreError> {
    const LINES: Sql = Sql::new(
        "DELETE FROM invoice_line WHERE invoice_id IN (
             SELECT id FROM invoice WHERE status = 'draft' AND month = $1
                 AND account NOT IN (SELECT account FROM {rows} AS kept))",
    );
    const DRAFTS: Sql = Sql::new(
        "DELETE FROM invoice WHERE status = 'draft' AND month = $1
             AND account NOT IN (SELECT account FROM {rows} AS kept)",
    );
    const ADJUSTMENTS: Sql = Sql::new(
        "DELETE FROM invoice_adjustment WHERE invoice_id IN (
             SELECT id FROM invoice WHERE status = 'draft' AND month = $1
                 AND account NOT IN (SELECT account FROM {rows} AS kept))",
    );
    for statement in [LINES, ADJUSTMENTS, DRAFTS] {
        let mut payload = session.payload(&[("account", Type::Text)]);
        for invoice in kept {
            payload.row().text(Some(&invoice.account));
        }
        session.run_of_all(statement, values![month.to_string()], payload).await?;
    }
    Ok(())
}

/// Two time zones begin a month at most this far apart.
const DAYS_APART_SECONDS: i64 = 2 * 86_400;

/// Writes a draft in the place of the one that was there. `None`: the account's invoice is final.
async fn put_draft(session: &mut Session, invoice: &Invoice, at: Timestamp) -> Result<Option<i64>, StoreError> {
    // Under another time zone the same month begins and ends at other instants.
    const OVERLAPPING: Sql = Sql::new(
        "SELECT id, status, period_start FROM invoice
         WHERE account = $1 AND period_start < $3 AND period_end > $2",
    );
    const REMOVE_LINES: Sql = Sql::new("DELETE FROM invoice_line WHERE invoice_id = $1");
    const REMOVE_ADJUSTMENTS: Sql = Sql::new("DELETE FROM invoice_adjustment WHERE invoice_id = $1");
    const REMOVE: Sql = Sql::new("DELETE FROM invoice WHERE id = $1");
    const ADD: Sql = Sql::new(
        "INSERT INTO invoice
             (status, account, account_name, seller, month, period_start, period_end, time_zone, currency, net,
              estimated, rate_card_hash, rated_through, drafted_at, tax_name, tax_category, tax_percent, tax)
         VALUES ('draft', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         RETURNING id",
    );
    const CHANGE: Sql = Sql::new(
        "UPDATE invoice SET
             account = $1, account_name = $2, seller = $3, month = $4, period_start = $5, period_end = $6,
             time_zone = $7, currency = $8, net = $9, estimated = $10, rate_card_hash = $11, rated_through = $12,
             drafted_at = $13, tax_name = $14, tax_category = $15, tax_percent = $16, tax = $17
         WHERE id = $18
         RETURNING id",
    );
    let mut same = None;
    for row in session.all(OVERLAPPING, values![&invoice.account, invoice.period.from, invoice.period.to]).await? {
        // What neighbours share at their edge under another time zone is a day at most: not the same month.
        let start = row.time(2)?;
        if start.seconds_since(invoice.period.from).abs() > DAYS_APART_SECONDS {
            continue;
        }
        if row.text(1)? == Status::Final.name() {
            return Ok(None);
        }
        let id = row.integer(0)?;
        session.run(REMOVE_LINES, values![id]).await?;
        session.run(REMOVE_ADJUSTMENTS, values![id]).await?;
        if start == invoice.period.from {
            same = Some(id);
        } else {
            session.run(REMOVE, values![id]).await?;
        }
    }
    refuse_twice(session, invoice).await?;
    let mut values = values![
        &invoice.account,
        &invoice.account_name,
        &invoice.seller,
        invoice.month.to_string(),
        invoice.period.from,
        invoice.period.to,
        &invoice.time_zone,
        invoice.currency.code(),
        (invoice.net, invoice.currency),
        (invoice.estimated, invoice.currency),
        &invoice.rate_card,
        invoice.rated_through,
        at,
        invoice.tax.as_ref().map(|tax| tax.name.as_str()),
        invoice.tax.as_ref().map(|tax| tax.category.as_str()),
        invoice.tax.as_ref().map(|tax| tax.percent),
        (invoice.tax.as_ref().map(|tax| tax.amount), invoice.currency),
    ];
    values.extend(same.map(Value::from));
    let id = session.one(if same.is_some() { CHANGE } else { ADD }, values).await?.integer(0)?;
    put_lines(session, id, invoice).await?;
    put_adjustments(session, id, invoice).await?;
    Ok(Some(id))
}

/// Refuses usage that a final invoice of another account charged for: its organization changed accounts.
async fn refuse_twice(session: &mut Session, invoice: &Invoice) -> Result<(), StoreError> {
    const ELSEWHERE: Sql = Sql::new(
        "SELECT invoice.number, invoice.account, line.organization_guid
         FROM {rows} AS ours
         JOIN invoice_line AS line
             ON line.foundation = ours.foundation AND line.organization_guid = ours.organization_guid
         JOIN invoice ON invoice.id = line.invoice_id
         WHERE invoice.status = 'final' AND invoice.month = $1 AND invoice.account <> $2
         LIMIT 1",
    );
    let mut payload = session.payload(&[("foundation", Type::Text), ("organization_guid", Type::Text)]);
    let organizations: BTreeSet<(&str, String)> =
        invoice.lines.iter().map(|line| (&*line.key.foundation, line.key.organization.guid.to_string())).collect();
    for (foundation, organization) in organizations {
        payload.row().text(Some(foundation)).text(Some(&organization));
    }
    let month = invoice.month.to_string();
    match session.all_of(ELSEWHERE, values![&month, &invoice.account], payload).await?.first() {
        None => Ok(()),
        Some(row) => Err(StoreError::InvoicedElsewhere {
            organization: row.text(2)?.to_owned(),
            month,
            number: row.owned(0)?.unwrap_or_default(),
            account: row.text(1)?.to_owned(),
        }),
    }
}

async fn put_lines(session: &mut Session, id: i64, invoice: &Invoice) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO invoice_line
             (invoice_id, position, foundation, organization_guid, organization_name, space_guid, space_name, kind,
              app_guid, app_name, service_instance_guid, service_instance_name, service_offering_guid,
              service_offering_name, service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at,
              meter, quantity, unit_size, price, amount, rate, used, part, granularity)
         SELECT $1, position, foundation, organization_guid, organization_name, space_guid, space_name, kind,
                app_guid, app_name, service_instance_guid, service_instance_name, service_offering_guid,
                service_offering_name, service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at,
                meter, quantity, unit_size, price, amount, rate, used, part, granularity
         FROM {rows} AS new",
    );
    const COLUMNS: Columns = &[
        ("position", Type::Integer),
        ("foundation", Type::Text),
        ("organization_guid", Type::Text),
        ("organization_name", Type::Text),
        ("space_guid", Type::Text),
        ("space_name", Type::Text),
        ("kind", Type::Text),
        ("app_guid", Type::Text),
        ("app_name", Type::Text),
        ("service_instance_guid", Type::Text),
        ("service_instance_name", Type::Text),
        ("service_offering_guid", Type::Text),
        ("service_offering_name", Type::Text),
        ("service_plan_guid", Type::Text),
        ("service_plan_name", Type::Text),
        ("buildpack", Type::Text),
        ("estimated", Type::Flag),
        ("started_at", Type::Time),
        ("ended_at", Type::Time),
        ("meter", Type::Text),
        ("quantity", Type::Integer),
        ("unit_size", Type::Integer),
        ("price", Type::Price),
        ("amount", Type::Amount),
        ("rate", Type::Text),
        ("used", Type::Integer),
        ("part", Type::Text),
        ("granularity", Type::Text),
    ];
    let mut payload = session.payload(COLUMNS);
    for (position, line) in (1..).zip(&invoice.lines) {
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
            .flag(key.estimated)
            .time(line.span.from)
            .time(line.span.to)
            .text(Some(line.meter.name()))
            .integer(line.quantity)
            .integer(line.unit_size)
            .price(line.charge.as_ref().map(|charge| charge.price))
            .amount(line.charge.as_ref().map(|charge| charge.amount), invoice.currency)
            .text(line.charge.as_ref().map(|charge| charge.rate.as_str()))
            .integer((line.used != line.quantity).then_some(line.used))
            .text(Some(&line.part.to_string()))
            .text(line.granularity.as_deref());
    }
    session.run_of(PUT, values![id], payload).await?;
    Ok(())
}

async fn put_adjustments(session: &mut Session, id: i64, invoice: &Invoice) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO invoice_adjustment (invoice_id, position, adjustment, name, basis, percent, amount)
         SELECT $1, position, adjustment, name, basis, percent, amount FROM {rows} AS new",
    );
    const COLUMNS: Columns = &[
        ("position", Type::Integer),
        ("adjustment", Type::Text),
        ("name", Type::Text),
        ("basis", Type::Amount),
        ("percent", Type::Price),
        ("amount", Type::Amount),
    ];
    let mut payload = session.payload(COLUMNS);
    for (position, adjustment) in (1..).zip(&invoice.adjustments) {
        payload
            .row()
            .integer(position)
            .text(Some(adjustment.adjustment.name()))
            .text(Some(&adjustment.name))
            .amount(adjustment.basis, invoice.currency)
            .price(adjustment.percent)
            .amount(Some(adjustment.amount), invoice.currency);
    }
    session.run_of(PUT, values![id], payload).await?;
    Ok(())
}

fn put_named<'row>(row: RowWriter<'row>, named: Option<&Named>) -> RowWriter<'row> {
    row.text(named.map(|named| named.guid.to_string()).as_deref()).text(named.and_then(|named| named.name.as_deref()))
}

fn unexpected(place: &'static str, value: &str) -> StoreError {
    StoreError::Unexpected { place, value: value.to_owned() }
}

fn read_invoice(row: &Row) -> Result<StoredInvoice, StoreError> {
    let (status, month, currency) = (row.text("status")?, row.text("month")?, row.text("currency")?);
    let currency = Currency::from_code(currency).ok_or_else(|| unexpected("invoice.currency", currency))?;
    let amount = |column: &'static str| -> Result<Amount, StoreError> {
        row.amount(column, currency)?.ok_or_else(|| unexpected("invoice", "null"))
    };
    Ok(StoredInvoice {
        id: row.integer("id")?,
        status: Status::from_name(status).ok_or_else(|| unexpected("invoice.status", status))?,
        number: row.owned("number")?,
        drafted_at: row.time("drafted_at")?,
        finalized_at: row.maybe_time("finalized_at")?,
        unpriced_lines: usize::try_from(row.integer("unpriced_lines")?).unwrap_or_default(),
        invoice: Invoice {
            kind: crate::invoicing::DocumentKind::Invoice,
            account: row.text("account")?.to_owned(),
            account_name: row.owned("account_name")?,
            seller: row.owned("seller")?,
            month: month.parse::<Month>().map_err(|_| unexpected("invoice.month", month))?,
            period: Span { from: row.time("period_start")?, to: row.time("period_end")? },
            time_zone: row.text("time_zone")?.to_owned(),
            currency,
            lines: Vec::new(),
            adjustments: Vec::new(),
            corrections: Vec::new(),
            corrects: None,
            reason: None,
            particulars: crate::invoicing::Particulars::default(),
            net: amount("net")?,
            tax: match (row.owned("tax_name")?, row.price("tax_percent")?, row.amount("tax", currency)?) {
                (Some(name), Some(percent), Some(amount)) => Some(TaxLine {
                    name,
                    category: row.owned("tax_category")?.unwrap_or_default(),
                    percent,
                    amount,
                    exemption_reason: None,
                }),
                _ => None,
            },
            estimated: amount("estimated")?,
            rate_card: row.text("rate_card_hash")?.to_owned(),
            rated_through: row.maybe_time("rated_through")?,
            gaps: Vec::new(),
            accepted: match row.maybe_text("accepted")? {
                Some(text) => serde_json::from_str(text).map_err(|_| unexpected("invoice.accepted", text))?,
                None => Vec::new(),
            },
        },
    })
}

fn read_adjustment(row: &Row, currency: Currency) -> Result<Adjustment, StoreError> {
    let adjustment = row.text("adjustment")?;
    Ok(Adjustment {
        adjustment: AdjustmentType::from_name(adjustment)
            .ok_or_else(|| unexpected("invoice_adjustment.adjustment", adjustment))?,
        name: row.text("name")?.to_owned(),
        basis: row.amount("basis", currency)?,
        percent: row.price("percent")?,
        amount: row.amount("amount", currency)?.ok_or_else(|| unexpected("invoice_adjustment.amount", "null"))?,
    })
}

fn read_line(row: &Row, currency: Currency) -> Result<InvoiceLine, StoreError> {
    let named = |guid: &'static str, name: &'static str| -> Result<Option<Named>, StoreError> {
        let name = row.owned(name)?;
        Ok(row.maybe_text(guid)?.map(|guid| Named { name, guid: Guid::new(guid) }))
    };
    let (kind, meter) = (row.text("kind")?, row.text("meter")?);
    let charge = match (row.price("price")?, row.amount("amount", currency)?) {
        (Some(price), Some(amount)) => {
            Some(Charge { price, amount, rate: row.owned("rate")?.unwrap_or_default(), list_price: None })
        }
        _ => None,
    };
    let missing = || unexpected("invoice_line", "null");
    let (quantity, part) = (row.integer("quantity")?, row.text("part")?);
    Ok(InvoiceLine {
        key: Arc::new(LineKey {
            foundation: row.text("foundation")?.to_owned(),
            organization: named("organization_guid", "organization_name")?.ok_or_else(missing)?,
            space: named("space_guid", "space_name")?.ok_or_else(missing)?,
            kind: Kind::from_name(kind).ok_or_else(|| unexpected("invoice_line.kind", kind))?,
            app: named("app_guid", "app_name")?,
            service_instance: named("service_instance_guid", "service_instance_name")?,
            service_offering: named("service_offering_guid", "service_offering_name")?,
            service_plan: named("service_plan_guid", "service_plan_name")?,
            buildpack: row.owned("buildpack")?,
            estimated: row.flag("estimated")?,
        }),
        meter: Meter::from_name(meter).ok_or_else(|| unexpected("invoice_line.meter", meter))?,
        quantity,
        used: row.maybe_integer("used")?.unwrap_or(quantity),
        unit_size: row.integer("unit_size")?,
        part: Part::from_text(part).ok_or_else(|| unexpected("invoice_line.part", part))?,
        granularity: row.owned("granularity")?,
        charge,
        span: Span { from: row.time("started_at")?, to: row.time("ended_at")? },
        days: Vec::new(),
        discount: Amount::default(),
        row: 0,
    })
}
