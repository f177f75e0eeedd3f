//! Reads invoices back.

use std::collections::HashMap;
use std::sync::Arc;

use crate::store::database::{Row, Session, Sql, values};
use crate::store::ledger::anomalies::read_undecodable;
use crate::store::ledger::bounds::read_spans;
use crate::store::ledger::gaps::read_gaps;
use crate::store::{InvoiceFilter, Invoiced, Store, StoreError, StoredGap, StoredInvoice};
use chrono::NaiveDate;

use crate::domain::{Amount, Currency, Guid, Kind, Month, Party, Span};
use crate::invoicing::{
    Adjustment, AdjustmentType, Charge, Corrected, Correction, CorrectionCause, Corrections, Coverage, Dates,
    DocumentKind, Invoice, InvoiceLine, Particulars, PastCorrection, PlaceLabels, Status, TaxLine,
};
use crate::rate_card::Meter;
use crate::rating::{LineKey, Named, Part};

/// The columns of an invoice, under the conditions given.
macro_rules! select_invoice {
    ($where:literal) => {
        Sql::new(concat!(
            "SELECT invoice.id, invoice.kind, CASE WHEN invoice.in_review THEN 'in_review' ELSE invoice.status END AS status,
                    invoice.number, invoice.account, invoice.account_name, invoice.seller, invoice.month,
                    invoice.period_start, invoice.period_end, invoice.time_zone, invoice.currency, invoice.net,
                    invoice.estimated, invoice.rate_card_hash, invoice.rated_through, invoice.drafted_at,
                    invoice.finalized_at, invoice.accepted, invoice.tax_name, invoice.tax_category, invoice.tax_percent,
                    invoice.tax, invoice.issued_on, invoice.due_on, invoice.corrects, invoice.reason, invoice.reopens,
                    invoice.replaces, invoice.particulars, invoice.tax_exemption, invoice.previous_net, invoice.rules,
                    invoice.uncountable,
                    corrected.issued_on AS corrected_on, corrected.finalized_at AS corrected_at,
                    replaced.number AS replaced, replaced.issued_on AS replaced_on, replaced.finalized_at AS replaced_at,
                    held.reason AS held,
                    pending.net AS difference,
                    (SELECT count(*) FROM invoice_line WHERE invoice_id = invoice.id AND price IS NULL)
                        AS unpriced_lines
             FROM invoice
             LEFT JOIN invoice AS corrected ON corrected.number = invoice.corrects
             LEFT JOIN invoice AS replaced ON replaced.id = invoice.replaces AND invoice.replaces > 0
             LEFT JOIN invoice_hold AS held
                 ON held.account = invoice.account AND held.month = invoice.month AND held.released_at IS NULL
                     AND invoice.status = 'draft'
             LEFT JOIN invoice_recalculation AS pending ON pending.invoice_id = invoice.id
             ",
            $where
        ))
    };
}

impl Store {
    /// Whose usage of a month is on a final invoice that wasn't given back to be made anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoiced(&self, month: Month) -> Result<Vec<Invoiced>, StoreError> {
        const INVOICED: Sql = Sql::new(
            "SELECT invoice.account, invoice.account_name, covered.foundation, covered.organization_guid,
                    covered.space_guid, covered.started_at, covered.ended_at, invoice.period_start, invoice.period_end,
                    covered.labels
             FROM invoice LEFT JOIN invoice_coverage AS covered ON covered.invoice_id = invoice.id
             WHERE invoice.status = 'final' AND invoice.kind = 'invoice' AND invoice.month = $1
                 AND invoice.issued_on IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
             UNION ALL
             SELECT DISTINCT invoice.account, invoice.account_name, line.foundation, line.organization_guid, NULL,
                    invoice.period_start, invoice.period_end, invoice.period_start, invoice.period_end, NULL
             FROM invoice LEFT JOIN invoice_line AS line ON line.invoice_id = invoice.id
             WHERE invoice.status = 'final' AND invoice.kind = 'invoice' AND invoice.month = $1
                 AND invoice.issued_on IS NULL
                 AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)",
        );
        let rows = self.database.read().await?.all(INVOICED, values![month.to_string()]).await?;
        let invoiced = |row: &Row| -> Result<Invoiced, StoreError> {
            let organization = row.owned(2)?.zip(row.maybe_text(3)?.map(Guid::new));
            let span = match (row.maybe_time(5)?, row.maybe_time(6)?) {
                (Some(from), Some(to)) => Span { from, to },
                _ => Span { from: row.time(7)?, to: row.time(8)? },
            };
            Ok(Invoiced {
                account: row.text(0)?.to_owned(),
                account_name: row.owned(1)?,
                organization,
                space: row.maybe_text(4)?.map(Guid::new),
                span,
                labels: read_labels(row.maybe_text(9)?)?,
            })
        };
        rows.iter().map(invoiced).collect()
    }

    /// The names by which a month's final invoices were made, of organizations, spaces, plans and offerings: account, guid and
    /// name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoiced_names(&self, month: Month) -> Result<Vec<(String, Guid, Option<String>)>, StoreError> {
        const NAMES: Sql = Sql::new(
            "WITH line AS (
                 SELECT invoice.account, line.*
                 FROM invoice JOIN invoice_line AS line ON line.invoice_id = invoice.id
                 WHERE invoice.status = 'final' AND invoice.kind = 'invoice' AND invoice.month = $1
                     AND NOT EXISTS (SELECT 1 FROM invoice AS note
                                     WHERE note.corrects = invoice.number AND note.reopens)
             )
             SELECT account, organization_guid, organization_name FROM line
             UNION SELECT account, space_guid, space_name FROM line
             UNION SELECT account, service_plan_guid, service_plan_name FROM line WHERE service_plan_guid IS NOT NULL
             UNION SELECT account, service_offering_guid, service_offering_name FROM line
                   WHERE service_offering_guid IS NOT NULL",
        );
        let rows = self.database.read().await?.all(NAMES, values![month.to_string()]).await?;
        rows.iter().map(|row| Ok((row.text(0)?.to_owned(), Guid::new(row.text(1)?), row.owned(2)?))).collect()
    }

    /// Invoices without their lines, drafts with the gaps that touch them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoices(&self, filter: &InvoiceFilter) -> Result<Vec<StoredInvoice>, StoreError> {
        const LIST: Sql = select_invoice!(
            "WHERE ($1 IS NULL OR invoice.month = $1)
                 AND ($2 IS NULL OR CASE WHEN invoice.in_review THEN 'in_review' ELSE invoice.status END = $2)
                 AND ($3 IS NULL OR invoice.account = $3)
             ORDER BY invoice.period_start, invoice.account_name NULLS FIRST, invoice.account, invoice.id"
        );
        let values = values![
            filter.month.map(|month| month.to_string()),
            filter.status.map(Status::name),
            filter.account.as_deref()
        ];
        let mut session = self.database.read().await?;
        let invoices = session.all(LIST, values).await?.iter().map(read_invoice).collect::<Result<Vec<_>, _>>()?;
        with_doubts(&mut session, invoices).await
    }

    /// The invoice or credit note of that number or id, with its lines.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoice(&self, reference: &str) -> Result<Option<StoredInvoice>, StoreError> {
        const ONE: Sql = select_invoice!(
            "WHERE invoice.number = $1 OR invoice.id = $2
             ORDER BY coalesce(invoice.number = $1, false) DESC
             LIMIT 1"
        );
        // As `list` shows it, and no other way of writing the same.
        let id = reference.parse::<i64>().ok().filter(|id| id.to_string() == reference);
        let mut session = self.database.read().await?;
        let Some(row) = session.maybe(ONE, values![reference, id]).await? else { return Ok(None) };
        let mut stored = read_invoice(&row)?;
        read_parts(&mut session, &mut stored).await?;
        Ok(with_doubts(&mut session, vec![stored]).await?.pop())
    }

    /// The credit notes about an invoice, the oldest first, without their lines.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn credit_notes_of(&self, number: &str) -> Result<Vec<StoredInvoice>, StoreError> {
        const NOTES: Sql = select_invoice!("WHERE invoice.corrects = $1 ORDER BY invoice.finalized_at, invoice.id");
        let rows = self.database.read().await?.all(NOTES, values![number]).await?;
        rows.iter().map(read_invoice).collect()
    }

    /// What final invoices and credit notes corrected of an invoice, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn corrections_of(&self, number: &str) -> Result<Vec<PastCorrection>, StoreError> {
        let mut session = self.database.read().await?;
        corrections_of(&mut session, number).await
    }

    /// What was corrected of an invoice, and of what it carries of others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn corrections(&self, number: &str) -> Result<Corrections, StoreError> {
        let mut session = self.database.read().await?;
        corrections(&mut session, number).await
    }
}

/// Corrections that stand, of `correction` on `document`: what was on an invoice given back to be made anew doesn't, and
/// neither does what its credit notes say of what it carried.
macro_rules! standing_correction {
    () => {
        "document.status = 'final'
         AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = document.number AND note.reopens)
         AND (document.corrects IS NULL OR document.corrects = correction.number
              OR NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = document.corrects AND note.reopens))"
    };
}

pub(super) use standing_correction;

/// Corrections with their documents, under the conditions given.
macro_rules! select_corrections {
    ($where:expr) => {
        Sql::new(concat!(
            "SELECT document.number AS document, document.corrects AS about, document.reopens, document.currency,
                    correction.number, correction.line, correction.month, correction.started_at, correction.ended_at,
                    correction.what, correction.subject, correction.meter, correction.quantity, correction.unit_size,
                    correction.price, correction.amount_before, correction.amount_after, correction.cause,
                    correction.rate_card_hash
             FROM invoice_correction AS correction JOIN invoice AS document ON document.id = correction.invoice_id
             WHERE ",
            $where,
            " ORDER BY document.finalized_at, document.id, correction.position"
        ))
    };
}

/// See [`Store::corrections_of`].
pub(super) async fn corrections_of(session: &mut Session, number: &str) -> Result<Vec<PastCorrection>, StoreError> {
    const OF: Sql = select_corrections!(concat!("correction.number = $1 AND ", standing_correction!()));
    read_past(&session.all(OF, values![number]).await?)
}

/// See [`Store::corrections`].
pub(super) async fn corrections(session: &mut Session, number: &str) -> Result<Corrections, StoreError> {
    const CARRIED: Sql =
        select_corrections!("document.corrects = $1 AND correction.number <> $1 AND document.status = 'final'");
    const REOPENED: Sql = Sql::new(
        "SELECT DISTINCT carried.number
         FROM invoice JOIN invoice_correction AS carried ON carried.invoice_id = invoice.id
         WHERE invoice.number = $1
             AND EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = carried.number AND note.reopens)",
    );
    let own = corrections_of(session, number).await?;
    let carried = read_past(&session.all(CARRIED, values![number]).await?)?;
    let reopened = session.all(REOPENED, values![number]).await?;
    let reopened = reopened.iter().map(|row| Ok(row.text(0)?.to_owned())).collect::<Result<_, StoreError>>()?;
    Ok(Corrections { own, carried, reopened })
}

fn read_past(rows: &[Row]) -> Result<Vec<PastCorrection>, StoreError> {
    let read = |row: &Row| {
        let code = row.text("currency")?;
        let currency = Currency::from_code(code).ok_or_else(|| unexpected("invoice.currency", code))?;
        Ok(PastCorrection {
            document: row.text("document")?.to_owned(),
            about: row.owned("about")?,
            reopens: row.flag("reopens")?,
            correction: read_correction(row, currency)?,
        })
    };
    rows.iter().map(read).collect()
}

async fn read_parts(session: &mut Session, stored: &mut StoredInvoice) -> Result<(), StoreError> {
    const LINES: Sql = Sql::new(
        "SELECT foundation, organization_guid, organization_name, space_guid, space_name, kind, app_guid, app_name,
                service_instance_guid, service_instance_name, service_offering_guid, service_offering_name,
                service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at, meter, quantity,
                unit_size, price, amount, rate, used, part, granularity, list_price, discount, days, basis_row
         FROM invoice_line
         WHERE invoice_id = $1
         ORDER BY position",
    );
    const ADJUSTMENTS: Sql = Sql::new(
        "SELECT adjustment, name, basis, percent, amount FROM invoice_adjustment WHERE invoice_id = $1
         ORDER BY position",
    );
    const CORRECTIONS: Sql = Sql::new(
        "SELECT number, line, month, started_at, ended_at, what, subject, meter, quantity, unit_size, price,
                amount_before, amount_after, cause, rate_card_hash
         FROM invoice_correction WHERE invoice_id = $1
         ORDER BY position",
    );
    const COVERAGE: Sql = Sql::new(
        "SELECT foundation, organization_guid, space_guid, started_at, ended_at, labels
         FROM invoice_coverage WHERE invoice_id = $1
         ORDER BY foundation, organization_guid, space_guid, started_at",
    );
    let currency = stored.invoice.currency;
    for row in session.all(LINES, values![stored.id]).await? {
        stored.invoice.lines.push(read_line(&row, currency)?);
    }
    for row in session.all(ADJUSTMENTS, values![stored.id]).await? {
        stored.invoice.adjustments.push(read_adjustment(&row, currency)?);
    }
    for row in session.all(CORRECTIONS, values![stored.id]).await? {
        stored.invoice.corrections.push(read_correction(&row, currency)?);
    }
    for row in session.all(COVERAGE, values![stored.id]).await? {
        stored.invoice.coverage.push(Coverage {
            foundation: row.text(0)?.to_owned(),
            organization: Guid::new(row.text(1)?),
            space: Guid::new(row.text(2)?),
            span: Span { from: row.time(3)?, to: row.time(4)? },
            labels: read_labels(row.maybe_text(5)?)?,
        });
    }
    Ok(())
}

/// Adds to drafts the gaps, the records that can't be read and the times that aren't trusted, in whose foundations they
/// have lines.
async fn with_doubts(
    session: &mut Session,
    mut invoices: Vec<StoredInvoice>,
) -> Result<Vec<StoredInvoice>, StoreError> {
    const FOUNDATIONS: Sql = Sql::new(
        "SELECT DISTINCT invoice.id, line.foundation
         FROM invoice JOIN invoice_line AS line ON line.invoice_id = invoice.id
         WHERE invoice.status = 'draft' AND ($1 IS NULL OR invoice.id = $1)",
    );
    if !invoices.iter().any(|stored| stored.status != Status::Final) {
        return Ok(invoices);
    }
    let gaps = read_gaps(session, None).await?;
    let undecodable = read_undecodable(session).await?;
    let clocks = read_spans(session, None).await?;
    if gaps.is_empty() && undecodable.is_empty() && clocks.is_empty() {
        return Ok(invoices);
    }
    let only = (invoices.len() == 1).then(|| invoices[0].id);
    let mut billed: HashMap<i64, Vec<String>> = HashMap::new();
    for row in session.all(FOUNDATIONS, values![only]).await? {
        billed.entry(row.integer(0)?).or_default().push(row.text(1)?.to_owned());
    }
    for stored in invoices.iter_mut().filter(|stored| stored.status != Status::Final) {
        let foundations = billed.remove(&stored.id).unwrap_or_default();
        let touches = |gap: &&StoredGap| foundations.contains(&gap.foundation);
        let period = stored.invoice.period;
        stored.invoice.gaps = gaps.iter().filter(touches).filter_map(|gap| gap.note(period)).collect();
        let mut notes = undecodable.notes(period);
        notes.retain(|note| foundations.contains(&note.foundation));
        stored.invoice.undecodable = notes;
        let clocks = clocks.iter().filter(|clock| foundations.contains(&clock.foundation));
        stored.invoice.clocks = clocks.filter_map(|clock| clock.note(period)).collect();
    }
    Ok(invoices)
}

pub(super) fn unexpected(place: &'static str, value: &str) -> StoreError {
    StoreError::Unexpected { place, value: value.to_owned() }
}

fn read_date(row: &Row, column: &'static str) -> Result<Option<NaiveDate>, StoreError> {
    let parse = |text: &str| text.parse::<NaiveDate>().map_err(|_| unexpected("a date", text));
    row.maybe_text(column)?.map(parse).transpose()
}

fn read_invoice(row: &Row) -> Result<StoredInvoice, StoreError> {
    let (status, month, currency) = (row.text("status")?, row.text("month")?, row.text("currency")?);
    let currency = Currency::from_code(currency).ok_or_else(|| unexpected("invoice.currency", currency))?;
    let amount = |column: &'static str| -> Result<Amount, StoreError> {
        row.amount(column, currency)?.ok_or_else(|| unexpected("invoice", "null"))
    };
    let kind = row.text("kind")?;
    let status = Status::from_name(status).ok_or_else(|| unexpected("invoice.status", status))?;
    let due_on = read_date(row, "due_on")?;
    let (account_name, seller): (Option<String>, Option<String>) = (row.owned("account_name")?, row.owned("seller")?);
    let particulars = match row.maybe_text("particulars")? {
        Some(text) => serde_json::from_str(text).map_err(|_| unexpected("invoice.particulars", text))?,
        None => known_of(account_name.as_deref(), seller.as_deref()),
    };
    Ok(StoredInvoice {
        id: row.integer("id")?,
        status,
        number: row.owned("number")?,
        drafted_at: row.time("drafted_at")?,
        finalized_at: row.maybe_time("finalized_at")?,
        dates: read_date(row, "issued_on")?.map(|issued_on| Dates { issued_on, due_on }),
        held: row.owned("held")?,
        difference: row.amount("difference", currency)?,
        unpriced_lines: usize::try_from(row.integer("unpriced_lines")?).unwrap_or_default(),
        invoice: Invoice {
            kind: DocumentKind::from_name(kind).ok_or_else(|| unexpected("invoice.kind", kind))?,
            account: row.text("account")?.to_owned(),
            account_name,
            seller,
            month: month.parse::<Month>().map_err(|_| unexpected("invoice.month", month))?,
            period: Span { from: row.time("period_start")?, to: row.time("period_end")? },
            time_zone: row.text("time_zone")?.to_owned(),
            currency,
            lines: Vec::new(),
            adjustments: Vec::new(),
            corrections: Vec::new(),
            corrects: read_named(row, ["corrects", "corrected_on", "corrected_at"])?,
            reason: row.owned("reason")?,
            particulars,
            net: amount("net")?,
            tax: read_tax(row, currency)?,
            estimated: amount("estimated")?,
            rate_card: row.text("rate_card_hash")?.to_owned(),
            rated_through: row.maybe_time("rated_through")?,
            gaps: Vec::new(),
            undecodable: Vec::new(),
            clocks: Vec::new(),
            accepted: match row.maybe_text("accepted")? {
                Some(text) => serde_json::from_str(text).map_err(|_| unexpected("invoice.accepted", text))?,
                None => Vec::new(),
            },
            coverage: Vec::new(),
            previous_net: row.amount("previous_net", currency)?,
            in_review: status == Status::Review,
            replaces: row.integer("replaces")?,
            replaced: read_named(row, ["replaced", "replaced_on", "replaced_at"])?,
            reopens: row.flag("reopens")?,
            taxed_otherwise: false,
            rules: u32::try_from(row.integer("rules")?).unwrap_or_default(),
            uncountable: row.owned("uncountable")?,
            too_large: None,
        },
    })
}

fn read_labels(text: Option<&str>) -> Result<Option<PlaceLabels>, StoreError> {
    let read = |text: &str| serde_json::from_str(text).map_err(|_| unexpected("invoice_coverage.labels", text));
    text.map(read).transpose()
}

/// All that earlier versions kept of seller and buyer.
fn known_of(account_name: Option<&str>, seller: Option<&str>) -> Particulars {
    let party = |name: Option<&str>| Party { name: name.unwrap_or_default().to_owned(), ..Party::default() };
    Particulars { seller: party(seller), buyer: party(account_name), ..Particulars::default() }
}

/// Another invoice that this one names: the columns of its number, its date, and when it became final.
fn read_named(row: &Row, [number, on, at]: [&'static str; 3]) -> Result<Option<Corrected>, StoreError> {
    let Some(number) = row.owned(number)? else { return Ok(None) };
    let at = row.maybe_time(at)?;
    let of_earlier = at.map(|at| crate::domain::period::date_of(at, chrono_tz::Tz::UTC));
    let issued_on = read_date(row, on)?.or(of_earlier).unwrap_or_default();
    Ok(Some(Corrected { number, issued_on }))
}

fn read_tax(row: &Row, currency: Currency) -> Result<Option<TaxLine>, StoreError> {
    Ok(match (row.owned("tax_name")?, row.price("tax_percent")?, row.amount("tax", currency)?) {
        (Some(name), Some(percent), Some(amount)) => Some(TaxLine {
            name,
            category: row.owned("tax_category")?.unwrap_or_default(),
            percent,
            amount,
            exemption_reason: row.owned("tax_exemption")?,
        }),
        _ => None,
    })
}

fn read_correction(row: &Row, currency: Currency) -> Result<Correction, StoreError> {
    let (month, cause) = (row.text("month")?, row.text("cause")?);
    let amount = |column: &'static str| -> Result<Amount, StoreError> {
        row.amount(column, currency)?.ok_or_else(|| unexpected("invoice_correction", "null"))
    };
    let meter = row.maybe_text("meter")?;
    Ok(Correction {
        number: row.text("number")?.to_owned(),
        line: row.maybe_integer("line")?.and_then(|line| usize::try_from(line).ok()),
        month: month.parse::<Month>().map_err(|_| unexpected("invoice_correction.month", month))?,
        span: Span { from: row.time("started_at")?, to: row.time("ended_at")? },
        what: row.text("what")?.to_owned(),
        key: match row.maybe_text("subject")? {
            Some(text) => {
                let key: LineKey =
                    serde_json::from_str(text).map_err(|_| unexpected("invoice_correction.subject", text))?;
                Some(Arc::new(key))
            }
            None => None,
        },
        meter: match meter {
            Some(name) => Some(Meter::from_name(name).ok_or_else(|| unexpected("invoice_correction.meter", name))?),
            None => None,
        },
        quantity: row.integer("quantity")?,
        unit_size: row.integer("unit_size")?,
        price: row.price("price")?,
        before: amount("amount_before")?,
        after: amount("amount_after")?,
        cause: CorrectionCause::from_name(cause).ok_or_else(|| unexpected("invoice_correction.cause", cause))?,
        rate_card: row.text("rate_card_hash")?.to_owned(),
    })
}

/// Corrections as they are kept in a difference.
pub(super) fn corrections_from_text(text: &str) -> Result<Vec<Correction>, StoreError> {
    let wrong = || unexpected("invoice_recalculation.body", text);
    let all: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    let one = |value: &serde_json::Value| -> Option<Correction> {
        let text = |name: &str| value[name].as_str();
        let time = |name: &str| crate::domain::Timestamp::parse(text(name)?).ok();
        let key = if value["subject"].is_null() {
            None
        } else {
            Some(Arc::new(serde_json::from_value::<LineKey>(value["subject"].clone()).ok()?))
        };
        Some(Correction {
            number: text("number")?.to_owned(),
            line: value["line"].as_u64().and_then(|line| usize::try_from(line).ok()),
            month: text("month")?.parse().ok()?,
            span: Span { from: time("from")?, to: time("to")? },
            what: text("what")?.to_owned(),
            key,
            meter: text("meter").and_then(Meter::from_name),
            quantity: value["quantity"].as_i64()?,
            unit_size: value["unit_size"].as_i64()?,
            price: text("price").and_then(|price| price.parse().ok()),
            before: Amount(value["before"].as_i64()?),
            after: Amount(value["after"].as_i64()?),
            cause: CorrectionCause::from_name(text("cause")?)?,
            rate_card: text("rate_card")?.to_owned(),
        })
    };
    all.iter().map(|value| one(value).ok_or_else(wrong)).collect()
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
        (Some(price), Some(amount)) => Some(Charge {
            price,
            amount,
            rate: row.owned("rate")?.unwrap_or_default(),
            list_price: row.price("list_price")?,
        }),
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
        days: match row.maybe_text("days")? {
            Some(text) => serde_json::from_str(text).map_err(|_| unexpected("invoice_line.days", text))?,
            None => Vec::new(),
        },
        discount: row.amount("discount", currency)?.unwrap_or_default(),
        row: usize::try_from(row.maybe_integer("basis_row")?.unwrap_or_default()).unwrap_or_default(),
    })
}
