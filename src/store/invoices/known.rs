//! What invoices tell of accounts and months: who is called what, what an invoice covers, where months end.

use std::collections::{BTreeSet, HashMap};

use crate::domain::{Month, Span};
use crate::invoicing::{Coverage, Invoice};
use crate::store::database::{Row, Session, Sql, values};
use crate::store::{Store, StoreError};

impl Store {
    /// Whether there is any invoice of the account of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_account(&self, id: &str) -> Result<bool, StoreError> {
        const ANY: Sql = Sql::new("SELECT 1 FROM invoice WHERE account = $1 LIMIT 1");
        Ok(self.database.read().await?.maybe(ANY, values![id]).await?.is_some())
    }

    /// The ids of the accounts that an invoice calls so; of one month if one is given.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accounts_called(&self, name: &str, month: Option<Month>) -> Result<BTreeSet<String>, StoreError> {
        const CALLED: Sql =
            Sql::new("SELECT DISTINCT account FROM invoice WHERE account_name = $1 AND ($2 IS NULL OR month = $2)");
        let month = month.map(|month| month.to_string());
        let rows = self.database.read().await?.all(CALLED, values![name, month]).await?;
        rows.iter().map(|row| row.string("invoice.account")).collect()
    }

    /// What a month's invoices and drafts cover, by their id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn coverage_of(&self, month: Month) -> Result<HashMap<i64, Vec<Coverage>>, StoreError> {
        const COVERAGE: Sql = Sql::new(
            "SELECT covered.invoice_id, covered.foundation, covered.organization_guid, covered.space_guid,
                    covered.started_at, covered.ended_at
             FROM invoice JOIN invoice_coverage AS covered ON covered.invoice_id = invoice.id
             WHERE invoice.month = $1",
        );
        let rows = self.database.read().await?.all(COVERAGE, values![month.to_string()]).await?;
        let mut coverage: HashMap<i64, Vec<Coverage>> = HashMap::new();
        for row in rows {
            coverage.entry(row.integer("invoice_coverage.invoice_id")?).or_default().push(Coverage {
                foundation: row.string("invoice_coverage.foundation")?,
                organization: row.get("invoice_coverage.organization_guid")?,
                space: row.get("invoice_coverage.space_guid")?,
                span: Span {
                    from: row.time("invoice_coverage.started_at")?,
                    to: row.time("invoice_coverage.ended_at")?,
                },
                labels: None,
            });
        }
        Ok(coverage)
    }
}

/// Refuses a month that doesn't begin where the one before ends, or end where the next one begins, as both are invoiced:
/// the hours between would be on two invoices, or on none.
pub(super) async fn refuse_other_edges(session: &mut Session, invoice: &Invoice) -> Result<(), StoreError> {
    // Under one time zone months always fit.
    const OTHERS: Sql = Sql::new(
        "SELECT month, period_start, period_end, time_zone, min(number) AS number FROM invoice
         WHERE status = 'final' AND kind = 'invoice' AND month IN ($1, $2, $3) AND time_zone <> $4
             AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
         GROUP BY month, period_start, period_end, time_zone
         ORDER BY period_start, period_end, time_zone",
    );
    // Who changed the zone before this was refused has decided about this month's edges already.
    const DECIDED: Sql = Sql::new(
        "SELECT 1 FROM invoice
         WHERE status = 'final' AND kind = 'invoice' AND month = $1 AND period_start = $2 AND period_end = $3
             AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
         LIMIT 1",
    );
    let (month, period) = (invoice.month, invoice.period);
    let (before, after) = (month.previous().to_string(), month.next().to_string());
    let months = values![&before, month.to_string(), &after, invoice.time_zone.name()];
    let fits = |row: &Row| -> Result<bool, StoreError> {
        let of = Span { from: row.time("invoice.period_start")?, to: row.time("invoice.period_end")? };
        Ok(match row.text("invoice.month")? {
            of_month if of_month == before => of.to == period.from,
            of_month if of_month == after => of.from == period.to,
            _ => of == period,
        })
    };
    for row in session.all(OTHERS, months).await? {
        if fits(&row)? {
            continue;
        }
        if session.maybe(DECIDED, values![month.to_string(), period.from, period.to]).await?.is_some() {
            return Ok(());
        }
        return Err(StoreError::OtherEdges {
            month: month.to_string(),
            zone: invoice.time_zone.name().to_owned(),
            number: row.string("invoice.number")?,
            of: row.string("invoice.month")?,
            other: row.string("invoice.time_zone")?,
        });
    }
    Ok(())
}
