//! What a month costs as its drafts and final invoices stand, added up from their lines in the database.

use super::read::seen;
use crate::access::Theirs;
use crate::domain::{Amount, Currency, Kind, Month};
use crate::rate_card::Meter;
use crate::store::database::{Row, Session, Spelled, Sql, Value, unexpected, values};
use crate::store::{Store, StoreError, UsageKeyed};

/// What cost can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CostKey {
    Account,
    Foundation,
    Kind,
    Organization,
    Space,
    App,
    ServiceInstance,
    Buildpack,
    ServicePlan,
    Meter,
}

/// Which cost is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostQuery {
    pub month: Month,
    /// Grouped by these; by nothing if empty.
    pub by: Vec<CostKey>,
    /// Only this account, by its id.
    pub account: Option<String>,
}

/// Of what some cost is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CostPart {
    /// Lines, with their share of discounts.
    Usage,
    /// Minimums, commitments and discounts, as far as no line has a share of them.
    Adjustments,
    /// What corrects earlier months, or this one since; and what is left of documents that were given back to be made anew.
    Corrections,
}

impl CostPart {
    /// The word in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Adjustments => "adjustments",
            Self::Corrections => "corrections",
        }
    }
}

/// One group's cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRow {
    /// Guid (or word) and name per key asked for, in the order asked; `None`: it has none, or isn't of usage.
    pub keys: Vec<Option<UsageKeyed>>,
    pub part: CostPart,
    pub currency: Currency,
    pub amount: Amount,
    /// Of the amount, what rests on estimated usage.
    pub estimated: Amount,
    /// Lines that no rate is for: they are in no amount.
    pub unpriced_lines: u64,
}

/// How each database reads the lists of `$1`, which is what is somebody's, as JSON.
macro_rules! sqlite_theirs {
    ($of:ident) => {
        $of!(
            "SELECT theirs.value FROM json_each($1, '$.accounts') AS theirs",
            "json_each($1, '$.payers') AS payer",
            "json_each($1, '$.sums') AS payer",
            "payer.value",
            "payer.value ->> 'from' <= invoice_line.started_at AND payer.value ->> 'to' >= invoice_line.ended_at",
            "json_each($1, '$.spaces') AS space",
            "space.value"
        )
    };
}

macro_rules! postgres_theirs {
    ($of:ident) => {
        $of!(
            "SELECT theirs FROM jsonb_array_elements_text($1::jsonb -> 'accounts') AS theirs",
            "jsonb_array_elements($1::jsonb -> 'payers') AS payer",
            "jsonb_array_elements($1::jsonb -> 'sums') AS payer",
            "payer",
            "to_timestamp((payer ->> 'from')::bigint) <= invoice_line.started_at
             AND to_timestamp((payer ->> 'to')::bigint) >= invoice_line.ended_at",
            "jsonb_array_elements($1::jsonb -> 'spaces') AS space",
            "space"
        )
    };
}

/// The documents of a month, whether they stand (not what was given back to be made anew, nor its credit notes), and whether
/// all of them is seen. Those of which not all is seen can't be asked for by their account.
macro_rules! documents {
    ($accounts:literal) => {
        concat!(
            "document AS (
                 SELECT invoice.id, invoice.account, invoice.account_name, invoice.currency, invoice.net,
                        NOT EXISTS (SELECT 1 FROM invoice AS note
                                    WHERE note.reopens AND note.status = 'final'
                                        AND note.corrects = coalesce(invoice.corrects, invoice.number)) AS stands,
                        ($1 IS NULL OR invoice.account IN (",
            $accounts,
            ")) AS is_whole
                 FROM invoice
                 WHERE invoice.month = $2
                     AND ($3 IS NULL OR invoice.account = $3 AND ($1 IS NULL OR invoice.account IN (",
            $accounts,
            ")))
             )"
        )
    };
}

/// Whether a line is of an organization, and charged to an account that it is of for all of the line's time, by a list of those.
macro_rules! is_paid_by {
    ($list:literal, $payer:literal, $then:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM ",
            $list,
            " WHERE ",
            $payer,
            " ->> 'account' = invoice_line.account AND ",
            $payer,
            " ->> 'foundation' = invoice_line.foundation AND ",
            $payer,
            " ->> 'organization' = invoice_line.organization_guid AND ",
            $then,
            ")"
        )
    };
}

/// Lines of what is seen; where only a sum is, without what it is a sum of.
macro_rules! usage {
    ($accounts:literal, $payers:literal, $sums:literal, $payer:literal, $then:literal, $spaces:literal, $space:literal) => {
        concat!(
            "WITH ",
            documents!($accounts),
            ",
             month_line AS (
                 SELECT line.*, document.account, document.account_name, document.currency, document.is_whole
                 FROM document JOIN invoice_line AS line ON line.invoice_id = document.id
                 WHERE document.stands
             ),
             seen_line AS (
                 SELECT invoice_line.*,
                        (invoice_line.is_whole
                         OR EXISTS (SELECT 1 FROM ",
            $spaces,
            " WHERE ",
            $space,
            " ->> 'foundation' = invoice_line.foundation AND ",
            $space,
            " ->> 'space' = invoice_line.space_guid)
                         OR ",
            is_paid_by!($payers, $payer, $then),
            ") AS in_detail,
                        ",
            is_paid_by!($sums, $payer, $then),
            " AS in_sum
                 FROM month_line AS invoice_line
             )
             SELECT line.currency,
                    CASE WHEN $4 AND line.is_whole THEN line.account END AS account,
                    max(CASE WHEN line.is_whole THEN line.account_name END) AS account_name,
                    CASE WHEN $5 THEN line.foundation END AS foundation,
                    CASE WHEN $6 AND line.in_detail THEN line.kind END AS kind,
                    CASE WHEN $7 THEN line.organization_guid END AS organization_guid,
                    max(line.organization_name) AS organization_name,
                    CASE WHEN $8 AND line.in_detail THEN line.space_guid END AS space_guid,
                    max(CASE WHEN line.in_detail THEN line.space_name END) AS space_name,
                    CASE WHEN $9 AND line.in_detail THEN line.app_guid END AS app_guid,
                    max(CASE WHEN line.in_detail THEN line.app_name END) AS app_name,
                    CASE WHEN $10 AND line.in_detail THEN line.service_instance_guid END AS service_instance_guid,
                    max(CASE WHEN line.in_detail THEN line.service_instance_name END) AS service_instance_name,
                    CASE WHEN $11 AND line.in_detail THEN line.buildpack END AS buildpack,
                    CASE WHEN $12 AND line.in_detail THEN line.service_plan_guid END AS service_plan_guid,
                    max(CASE WHEN line.in_detail THEN line.service_plan_name END) AS service_plan_name,
                    CASE WHEN $13 AND line.in_detail THEN line.meter END AS meter,
                    sum(coalesce(line.amount, 0) + coalesce(line.discount, 0)) AS amount,
                    sum(CASE WHEN line.estimated THEN coalesce(line.amount, 0) + coalesce(line.discount, 0) ELSE 0 END)
                        AS estimated,
                    sum(CASE WHEN line.amount IS NULL THEN 1 ELSE 0 END) AS unpriced_lines
             FROM seen_line AS line
             WHERE line.in_detail OR line.in_sum
             GROUP BY line.currency, 2, 4, 5, 6, 8, 10, 12, 14, 15, 17"
        )
    };
}

/// What is on no line, of documents that are seen whole.
macro_rules! beside {
    ($accounts:literal, $payers:literal, $sums:literal, $payer:literal, $then:literal, $spaces:literal, $space:literal) => {
        concat!(
            "WITH ",
            documents!($accounts),
            ",
             corrected AS (
                 SELECT correction.invoice_id, sum(correction.amount_after - correction.amount_before) AS amount
                 FROM invoice_correction AS correction JOIN document ON document.id = correction.invoice_id
                 GROUP BY correction.invoice_id
             ),
             used AS (
                 SELECT line.invoice_id, sum(coalesce(line.amount, 0) + coalesce(line.discount, 0)) AS amount
                 FROM invoice_line AS line JOIN document ON document.id = line.invoice_id
                 GROUP BY line.invoice_id
             )
             SELECT document.currency, CASE WHEN $4 THEN document.account END AS account,
                    max(document.account_name) AS account_name,
                    sum(CASE WHEN document.stands THEN coalesce(corrected.amount, 0) ELSE document.net END)
                        AS corrections,
                    sum(CASE WHEN document.stands
                             THEN document.net - coalesce(corrected.amount, 0) - coalesce(used.amount, 0)
                             ELSE 0 END) AS adjustments
             FROM document
             LEFT JOIN corrected ON corrected.invoice_id = document.id
             LEFT JOIN used ON used.invoice_id = document.id
             WHERE document.is_whole
             GROUP BY document.currency, 2"
        )
    };
}

const USAGE: Sql = Sql::each(sqlite_theirs!(usage), postgres_theirs!(usage));
const BESIDE: Sql = Sql::each(sqlite_theirs!(beside), postgres_theirs!(beside));

impl Store {
    /// What a month costs, grouped: the rows add up to the nets of its drafts, final invoices and credit notes, by account if
    /// that is asked for. Of what is somebody's only, where that is given: then what is on no line only of accounts that are theirs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cost(&self, query: &CostQuery, of: Option<&Theirs>) -> Result<Vec<CostRow>, StoreError> {
        let by = |key| query.by.contains(&key);
        let mut session = self.database.read().await?;
        let asked = || values![seen(of), query.month.to_string(), query.account.as_deref(), by(CostKey::Account)];
        let mut values = asked();
        values.extend(values![
            by(CostKey::Foundation),
            by(CostKey::Kind),
            by(CostKey::Organization),
            by(CostKey::Space),
            by(CostKey::App),
            by(CostKey::ServiceInstance),
            by(CostKey::Buildpack),
            by(CostKey::ServicePlan),
            by(CostKey::Meter),
        ]);
        let used = session.all(USAGE, values).await?;
        let mut rows = used.iter().map(|row| usage_row(row, &query.by)).collect::<Result<Vec<_>, _>>()?;
        rows.extend(beside(&mut session, query, asked()).await?);
        rows.sort_by(|one, other| {
            (one.part, &one.keys, one.currency.code()).cmp(&(other.part, &other.keys, other.currency.code()))
        });
        Ok(rows)
    }
}

/// What is on no line.
async fn beside(session: &mut Session, query: &CostQuery, values: Vec<Value>) -> Result<Vec<CostRow>, StoreError> {
    let mut rows = Vec::new();
    for row in session.all(BESIDE, values).await? {
        let currency = row.get::<Currency>("invoice.currency")?;
        for (part, column) in [(CostPart::Adjustments, "adjustments"), (CostPart::Corrections, "corrections")] {
            let amount = sum(&row, column, currency)?;
            if amount == Amount::default() {
                continue;
            }
            let key = |key: &CostKey| match key {
                CostKey::Account => read_key(&row, *key),
                _ => Ok(None),
            };
            rows.push(CostRow {
                keys: query.by.iter().map(key).collect::<Result<_, _>>()?,
                part,
                currency,
                amount,
                estimated: Amount::default(),
                unpriced_lines: 0,
            });
        }
    }
    Ok(rows)
}

fn sum(row: &Row, column: &'static str, currency: Currency) -> Result<Amount, StoreError> {
    // On SQLite a sum that is too large is an error of its own.
    row.maybe_amount(column, currency)?.ok_or_else(|| unexpected(column, "null"))
}

fn usage_row(row: &Row, by: &[CostKey]) -> Result<CostRow, StoreError> {
    let currency = row.get::<Currency>("invoice.currency")?;
    Ok(CostRow {
        keys: by.iter().map(|key| read_key(row, *key)).collect::<Result<_, _>>()?,
        part: CostPart::Usage,
        currency,
        amount: sum(row, "amount", currency)?,
        estimated: sum(row, "estimated", currency)?,
        unpriced_lines: row.number("unpriced_lines")?,
    })
}

fn read_key(row: &Row, key: CostKey) -> Result<Option<UsageKeyed>, StoreError> {
    let (value, name) = match key {
        CostKey::Account => ("account", Some("account_name")),
        CostKey::Foundation => ("foundation", None),
        CostKey::Organization => ("organization_guid", Some("organization_name")),
        CostKey::Space => ("space_guid", Some("space_name")),
        CostKey::App => ("app_guid", Some("app_name")),
        CostKey::ServiceInstance => ("service_instance_guid", Some("service_instance_name")),
        CostKey::ServicePlan => ("service_plan_guid", Some("service_plan_name")),
        CostKey::Buildpack => ("buildpack", None),
        CostKey::Kind => {
            let kind = row.get::<Option<Spelled<Kind>>>("kind")?;
            return Ok(kind.map(|kind| UsageKeyed { value: kind.0.name().to_owned(), name: None }));
        }
        CostKey::Meter => {
            let meter = row.get::<Option<Spelled<Meter>>>("meter")?;
            return Ok(meter.map(|meter| UsageKeyed { value: meter.0.name().to_owned(), name: None }));
        }
    };
    let value = row.maybe_string(value)?;
    let name = name.map(|name| row.maybe_string(name)).transpose()?.flatten();
    Ok(value.map(|value| UsageKeyed { value, name }))
}
