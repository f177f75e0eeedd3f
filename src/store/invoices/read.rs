//! Reads invoices back.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::line::LineRow;
use super::parts::{AdjustmentRow, CorrectionRow, CoverageRow};
use super::row::{Beside, FROM, InvoiceRow};
use serde_json::json;

use crate::access::{OfOrganization, OrganizationPayer, Theirs};
use crate::domain::{Amount, Currency, Guid, Month, Price, Span};
use crate::invoicing::{Correction, CorrectionCause, Corrections, Document, PastCorrection, Status};
use crate::rate_card::Meter;
use crate::rating::LineKey;
use crate::store::database::{Json, Record, Row, Session, Sql, record, text, unexpected, values};
use crate::store::ledger::anomalies::read_undecodable;
use crate::store::ledger::bounds::read_spans;
use crate::store::ledger::gaps::read_gaps;
use crate::store::{Before, InvoiceFilter, Invoiced, Store, StoreError, StoredGap, StoredInvoice};

/// An invoice's row with what other rows tell of it, under the conditions given.
macro_rules! select_invoice {
    ($where:literal) => {
        Sql::new(text!["SELECT ", InvoiceRow::LIST, ", ", Beside::LIST, FROM, $where])
    };
    // Where only final invoices of somebody are to be seen: `$1` is what is theirs as JSON, or null. Those of accounts that are
    // theirs; and those that charge organizations of accounts of which one of them sees all, in all that they charge or correct.
    (seen $where:literal) => {
        Sql::each(
            select_invoice!(
                seen "json_each($1, '$.accounts') AS theirs", "theirs.value",
                "json_each($1, '$.persons') AS person",
                "json_each($1, '$.payers') AS payer WHERE payer.value ->> 'person' = person.value AND payer.value", "payer.value",
                "payer.value ->> 'from' <= coverage.started_at AND payer.value ->> 'to' >= coverage.ended_at",
                "payer.value ->> 'from' <= correction.started_at AND payer.value ->> 'to' >= correction.ended_at",
                "json_extract(correction.subject, '$.foundation')", "json_extract(correction.subject, '$.organization.guid')", $where
            ),
            select_invoice!(
                seen "jsonb_array_elements_text($1::jsonb -> 'accounts') AS theirs", "theirs",
                "jsonb_array_elements($1::jsonb -> 'persons') AS person",
                "jsonb_array_elements($1::jsonb -> 'payers') AS payer WHERE payer -> 'person' = person AND payer", "payer",
                "to_timestamp((payer ->> 'from')::bigint) <= coverage.started_at
                 AND to_timestamp((payer ->> 'to')::bigint) >= coverage.ended_at",
                "to_timestamp((payer ->> 'from')::bigint) <= correction.started_at
                 AND to_timestamp((payer ->> 'to')::bigint) >= correction.ended_at",
                "correction.subject::jsonb ->> 'foundation'", "correction.subject::jsonb -> 'organization' ->> 'guid'", $where
            ),
        )
    };
    (seen $theirs:literal, $id:literal, $persons:literal, $payer_is:literal, $payer:literal, $then:literal, $corrected_then:literal,
     $foundation:literal, $organization:literal, $where:literal) => {
        text![
            "SELECT ",
            InvoiceRow::LIST,
            ", ",
            Beside::LIST,
            FROM,
            "WHERE ($1 IS NULL OR invoice.status = 'final' AND (invoice.account IN (SELECT ", $id, " FROM ", $theirs, ")
                 OR EXISTS (
                     SELECT 1 FROM ", $persons, "
                     WHERE EXISTS (SELECT 1 FROM ", $payer_is, " ->> 'account' = invoice.account)
                     AND EXISTS (SELECT 1 FROM invoice_coverage AS coverage WHERE ", CHARGED, ")
                     AND NOT EXISTS (
                         SELECT 1 FROM invoice_coverage AS coverage
                         WHERE ", CHARGED, " AND NOT EXISTS (
                             SELECT 1 FROM ", $payer_is, " ->> 'account' = invoice.account
                                 AND ", $payer, " ->> 'foundation' = coverage.foundation
                                 AND ", $payer, " ->> 'organization' = coverage.organization_guid AND ", $then, "))
                     AND NOT EXISTS (
                         SELECT 1 FROM invoice_correction AS correction
                         WHERE correction.invoice_id = invoice.id AND correction.subject IS NOT NULL AND NOT EXISTS (
                             SELECT 1 FROM ", $payer_is, " ->> 'account' = invoice.account
                                 AND ", $payer, " ->> 'foundation' = ", $foundation, "
                                 AND ", $payer, " ->> 'organization' = ", $organization, " AND ", $corrected_then, "))))) AND ",
            $where
        ]
    };
}

/// What an invoice charges, and what those charge that it corrects.
const CHARGED: &str = "(coverage.invoice_id = invoice.id OR coverage.invoice_id IN (
    SELECT corrected.id
    FROM invoice_correction AS correction JOIN invoice AS corrected ON corrected.number = correction.number
    WHERE correction.invoice_id = invoice.id))";

/// The first value of statements that say what is seen: what is somebody's, as JSON; `None`: everything.
pub(super) fn seen(of: Option<&Theirs>) -> Option<String> {
    let of = of?;
    let payers = |how: OfOrganization| -> Vec<serde_json::Value> {
        let of_kind = of.payers.iter().filter(|payer| payer.seen == how);
        let one = |payer: &OrganizationPayer| {
            json!({
                "account": payer.account, "foundation": payer.foundation, "organization": payer.organization,
                "from": payer.span.from.unix(), "to": payer.span.to.unix(), "person": payer.person,
            })
        };
        of_kind.map(one).collect()
    };
    let spaces = of
        .reach
        .iter()
        .flat_map(|reach| reach.spaces.iter().map(|space| json!({"foundation": reach.foundation, "space": space})));
    let persons: BTreeSet<usize> = of.payers.iter().map(|payer| payer.person).collect();
    let value = json!({
        "accounts": of.accounts, "payers": payers(OfOrganization::Whole), "sums": payers(OfOrganization::Sum),
        "spaces": spaces.collect::<Vec<_>>(), "persons": persons,
    });
    Some(value.to_string())
}

/// An invoice by its number, or by its id where everything is seen.
const ONE: Sql = select_invoice!(
    seen "(invoice.number = $2 OR $1 IS NULL AND invoice.id = $3)
     ORDER BY coalesce(invoice.number = $2, false) DESC
     LIMIT 1"
);

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
            let organization = row.get::<Option<Guid>>("invoice_coverage.organization_guid")?;
            let span =
                match (row.maybe_time("invoice_coverage.started_at")?, row.maybe_time("invoice_coverage.ended_at")?) {
                    (Some(from), Some(to)) => Span { from, to },
                    _ => Span { from: row.time("invoice.period_start")?, to: row.time("invoice.period_end")? },
                };
            Ok(Invoiced {
                account: row.string("invoice.account")?,
                account_name: row.maybe_string("invoice.account_name")?,
                organization: row.maybe_string("invoice_coverage.foundation")?.zip(organization),
                space: row.get("invoice_coverage.space_guid")?,
                span,
                labels: row.get::<Option<Json<_>>>("invoice_coverage.labels")?.map(|labels| labels.0),
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
             SELECT account, organization_guid AS guid, organization_name AS name FROM line
             UNION SELECT account, space_guid, space_name FROM line
             UNION SELECT account, service_plan_guid, service_plan_name FROM line WHERE service_plan_guid IS NOT NULL
             UNION SELECT account, service_offering_guid, service_offering_name FROM line
                   WHERE service_offering_guid IS NOT NULL",
        );
        let rows = self.database.read().await?.all(NAMES, values![month.to_string()]).await?;
        rows.iter()
            .map(|row| Ok((row.string("invoice.account")?, row.get("guid")?, row.maybe_string("name")?)))
            .collect()
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
        let invoices =
            session.all(LIST, values).await?.iter().map(InvoiceRow::read_invoice).collect::<Result<Vec<_>, _>>()?;
        with_doubts(&mut session, invoices).await
    }

    /// Invoices without their lines, drafts with the gaps that touch them: those made last first, at most `most`, of those
    /// made before `before`. Of some accounts only, where they are given, and then only final ones.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoices_before(
        &self,
        filter: &InvoiceFilter,
        of: Option<&Theirs>,
        before: Option<Before<'_>>,
        most: usize,
    ) -> Result<Vec<StoredInvoice>, StoreError> {
        const PAGE: Sql = select_invoice!(
            seen "($2 IS NULL OR invoice.month = $2)
                 AND ($3 IS NULL OR CASE WHEN invoice.in_review THEN 'in_review' ELSE invoice.status END = $3)
                 AND ($4 IS NULL OR invoice.account = $4) AND ($5 IS NULL OR invoice.id < $5)
             ORDER BY invoice.id DESC
             LIMIT $6"
        );
        let mut session = self.database.read().await?;
        let before = match before {
            None => None,
            Some(Before::Id(id)) => Some(id),
            Some(Before::Number(number)) => match session.maybe(ONE, values![seen(of), number, None::<i64>]).await? {
                Some(row) => Some(row.integer("invoice.id")?),
                // Nothing of theirs was made before what isn't theirs.
                None => return Ok(Vec::new()),
            },
        };
        let values = values![
            seen(of),
            filter.month.map(|month| month.to_string()),
            filter.status.map(Status::name),
            filter.account.as_deref(),
            before,
            most as u64
        ];
        let invoices =
            session.all(PAGE, values).await?.iter().map(InvoiceRow::read_invoice).collect::<Result<Vec<_>, _>>()?;
        with_doubts(&mut session, invoices).await
    }

    /// The invoice or credit note of that number or id, with its lines.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoice(&self, reference: &str) -> Result<Option<StoredInvoice>, StoreError> {
        self.invoice_of(reference, None).await
    }

    /// As [`Store::invoice`], of some accounts only, where they are given, and then only a final one. One that isn't theirs
    /// is asked for as one that doesn't exist.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoice_of(&self, reference: &str, of: Option<&Theirs>) -> Result<Option<StoredInvoice>, StoreError> {
        // As `list` shows it, and no other way of writing the same.
        let id = reference.parse::<i64>().ok().filter(|id| id.to_string() == reference);
        let mut session = self.database.read().await?;
        let Some(row) = session.maybe(ONE, values![seen(of), reference, id]).await? else { return Ok(None) };
        let mut stored = InvoiceRow::read_invoice(&row)?;
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
        rows.iter().map(InvoiceRow::read_invoice).collect()
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
        standing_correction!("correction")
    };
    ($correction:literal) => {
        concat!(
            "document.status = 'final'
             AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = document.number AND note.reopens)
             AND (document.corrects IS NULL OR document.corrects = ",
            $correction,
            ".number
                  OR NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = document.corrects AND note.reopens))"
        )
    };
}

pub(super) use standing_correction;

record! {
    /// The document that a correction is on.
    struct OnDocument {
        document: String = "document.number",
        about: Option<String> = "document.corrects",
        reopens: bool = "document.reopens",
        currency: Currency = "document.currency",
    }
}

/// Corrections with their documents, under the conditions given.
macro_rules! select_corrections {
    ($where:expr) => {
        Sql::new(text![
            "SELECT ",
            OnDocument::LIST,
            ", ",
            CorrectionRow::LIST,
            " FROM invoice_correction JOIN invoice AS document ON document.id = invoice_correction.invoice_id WHERE ",
            $where,
            " ORDER BY document.finalized_at, document.id, invoice_correction.position"
        ])
    };
}

/// See [`Store::corrections_of`].
pub(super) async fn corrections_of(session: &mut Session, number: &str) -> Result<Vec<PastCorrection>, StoreError> {
    const OF: Sql =
        select_corrections!(concat!("invoice_correction.number = $1 AND ", standing_correction!("invoice_correction")));
    read_past(&session.all(OF, values![number]).await?)
}

/// See [`Store::corrections`].
pub(super) async fn corrections(session: &mut Session, number: &str) -> Result<Corrections, StoreError> {
    const CARRIED: Sql =
        select_corrections!("document.corrects = $1 AND invoice_correction.number <> $1 AND document.status = 'final'");
    const REOPENED: Sql = Sql::new(
        "SELECT DISTINCT carried.number
         FROM invoice JOIN invoice_correction AS carried ON carried.invoice_id = invoice.id
         WHERE invoice.number = $1
             AND EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = carried.number AND note.reopens)",
    );
    let own = corrections_of(session, number).await?;
    let carried = read_past(&session.all(CARRIED, values![number]).await?)?;
    let reopened = session.all(REOPENED, values![number]).await?;
    let reopened = reopened.iter().map(|row| row.string("invoice_correction.number")).collect::<Result<_, _>>()?;
    Ok(Corrections { own, carried, reopened })
}

fn read_past(rows: &[Row]) -> Result<Vec<PastCorrection>, StoreError> {
    let read = |row: &Row| {
        let OnDocument { document, about, reopens, currency } = OnDocument::read(row)?;
        Ok(PastCorrection { document, about, reopens, correction: CorrectionRow::read_correction(row, currency)? })
    };
    rows.iter().map(read).collect()
}

async fn read_parts(session: &mut Session, stored: &mut StoredInvoice) -> Result<(), StoreError> {
    const LINES: Sql =
        Sql::new(text!["SELECT ", LineRow::LIST, " FROM invoice_line WHERE invoice_id = $1 ORDER BY position"]);
    const ADJUSTMENTS: Sql = Sql::new(text![
        "SELECT ",
        AdjustmentRow::LIST,
        " FROM invoice_adjustment WHERE invoice_id = $1 ORDER BY position"
    ]);
    const CORRECTIONS: Sql = Sql::new(text![
        "SELECT ",
        CorrectionRow::LIST,
        " FROM invoice_correction WHERE invoice_id = $1 ORDER BY position"
    ]);
    const COVERAGE: Sql = Sql::new(text![
        "SELECT ",
        CoverageRow::LIST,
        " FROM invoice_coverage WHERE invoice_id = $1
         ORDER BY foundation, organization_guid, space_guid, started_at"
    ]);
    let (id, currency) = (stored.id, stored.document.currency);
    for row in session.all(CORRECTIONS, values![id]).await? {
        stored.document.corrections.push(CorrectionRow::read_correction(&row, currency)?);
    }
    let Document::Invoice(invoice) = &mut stored.document else { return Ok(()) };
    for row in session.all(LINES, values![id]).await? {
        invoice.lines.push(LineRow::read_line(&row, currency)?);
    }
    for row in session.all(ADJUSTMENTS, values![id]).await? {
        invoice.adjustments.push(AdjustmentRow::read_adjustment(&row, currency)?);
    }
    for row in session.all(COVERAGE, values![id]).await? {
        invoice.coverage.push(CoverageRow::read_coverage(&row)?);
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
        billed.entry(row.integer("invoice.id")?).or_default().push(row.string("invoice_line.foundation")?);
    }
    for stored in invoices.iter_mut().filter(|stored| stored.status != Status::Final) {
        let foundations = billed.remove(&stored.id).unwrap_or_default();
        let touches = |gap: &&StoredGap| foundations.contains(&gap.foundation);
        let period = stored.document.period;
        if let Document::Invoice(invoice) = &mut stored.document {
            invoice.gaps = gaps.iter().filter(touches).filter_map(|gap| gap.note(period)).collect();
        }
        let mut notes = undecodable.notes(period);
        notes.retain(|note| foundations.contains(&note.foundation));
        stored.notes.undecodable = notes;
        let clocks = clocks.iter().filter(|clock| foundations.contains(&clock.foundation));
        stored.notes.clocks = clocks.filter_map(|clock| clock.note(period)).collect();
    }
    Ok(invoices)
}

/// Corrections as they are kept in a difference.
pub(super) fn corrections_from_text(text: &str) -> Result<Vec<Correction>, StoreError> {
    let wrong = || unexpected("invoice_recalculation.body", text);
    let all: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    let one = |value: &serde_json::Value| -> Option<Correction> {
        let text = |name: &str| value[name].as_str();
        let time = |name: &str| crate::domain::Timestamp::parse(text(name)?).ok();
        // What is null isn't there; what is there must be known.
        let maybe = |name: &str| (!value[name].is_null()).then(|| value[name].clone());
        let key = maybe("subject").map(serde_json::from_value::<LineKey>).transpose().ok()?;
        let line = maybe("line").map(serde_json::from_value::<usize>).transpose().ok()?;
        let meter = maybe("meter").map(|name| name.as_str().and_then(Meter::from_name).ok_or(())).transpose().ok()?;
        let price = maybe("price").map(serde_json::from_value::<Price>).transpose().ok()?;
        Some(Correction {
            number: text("number")?.to_owned(),
            line,
            month: text("month")?.parse().ok()?,
            span: Span { from: time("from")?, to: time("to")? },
            what: text("what")?.to_owned(),
            key: key.map(Arc::new),
            meter,
            quantity: value["quantity"].as_i64()?,
            unit_size: value["unit_size"].as_i64()?,
            price,
            before: Amount(value["before"].as_i64()?),
            after: Amount(value["after"].as_i64()?),
            cause: CorrectionCause::from_name(text("cause")?)?,
            rate_card: text("rate_card")?.to_owned(),
        })
    };
    all.iter().map(|value| one(value).ok_or_else(wrong)).collect()
}
