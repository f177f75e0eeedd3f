//! Rate cards that invoices were made with: kept for good, with what they were used for.

use std::collections::{BTreeMap, BTreeSet};

use super::tables::CardRow;
use crate::domain::{Month, Span, Timestamp};
use crate::store::database::{Row, Session, Spelled, Sql, text};
use crate::store::{Store, StoreError, StoredCard, UsedBy, UsedCard, UsedFor};

/// The card that `invoice` is to be compared by: the one it is pinned to, else the newest that a correction of it rests
/// on, but those by decision, else its own.
macro_rules! card_to_compare_by {
    () => {
        "coalesce((SELECT pending.rate_card_hash FROM invoice_recalculation AS pending
                   WHERE pending.invoice_id = invoice.id AND pending.pinned),
                  (SELECT correction.rate_card_hash
                   FROM invoice_correction AS correction JOIN invoice AS document
                       ON document.id = correction.invoice_id
                   WHERE correction.number = invoice.number AND document.status = 'final'
                       AND correction.cause <> 'credited'
                   ORDER BY document.finalized_at DESC, document.id DESC
                   LIMIT 1),
                  invoice.rate_card_hash)"
    };
}

pub(in crate::store) use card_to_compare_by;

impl Store {
    /// The rate cards that final invoices were made with, month by month, and by which they are compared since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn used_cards(&self) -> Result<Vec<UsedCard>, StoreError> {
        const INVOICES: Sql = Sql::new(concat!(
            "SELECT card.hash, card.name, card.currency, card.body, invoice.month, invoice.period_start,
                    invoice.period_end, invoice.time_zone, invoice.account, invoice.number, invoice.id, ",
            card_to_compare_by!(),
            " AS compared_by
             FROM invoice JOIN rate_card AS card ON card.hash = invoice.rate_card_hash
             WHERE invoice.status = 'final' AND invoice.kind = 'invoice'
                 AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
             ORDER BY invoice.month, card.hash, invoice.number",
        ));
        const LINES: Sql = Sql::new(
            "SELECT DISTINCT line.invoice_id, line.kind, line.foundation, line.organization_guid,
                    line.organization_name, line.buildpack, line.service_plan_guid, line.service_plan_name,
                    line.service_offering_name
             FROM invoice JOIN invoice_line AS line ON line.invoice_id = invoice.id
             WHERE invoice.status = 'final'",
        );
        let mut session = self.database.read().await?;
        let mut used: BTreeMap<i64, BTreeSet<UsedFor>> = BTreeMap::new();
        for row in session.all(LINES, Vec::new()).await? {
            let Spelled(kind) = row.get("invoice_line.kind")?;
            used.entry(row.integer("invoice_line.invoice_id")?).or_default().insert(UsedFor {
                kind,
                foundation: row.string("invoice_line.foundation")?,
                organization: row.string("invoice_line.organization_guid")?,
                organization_name: row.maybe_string("invoice_line.organization_name")?,
                buildpack: row.maybe_string("invoice_line.buildpack")?,
                plan: row.maybe_string("invoice_line.service_plan_guid")?,
                plan_name: row.maybe_string("invoice_line.service_plan_name")?,
                offering_name: row.maybe_string("invoice_line.service_offering_name")?,
            });
        }
        let mut cards: Vec<UsedCard> = Vec::new();
        for row in session.all(INVOICES, Vec::new()).await? {
            let month: Month = row.get("invoice.month")?;
            let invoice = UsedBy {
                number: row.string("invoice.number")?,
                account: row.string("invoice.account")?,
                used: used.remove(&row.integer("invoice.id")?).unwrap_or_default(),
                compared_by: row.string("compared_by")?,
            };
            match cards.last_mut() {
                Some(last) if last.month == month && last.card.hash == row.text("rate_card.hash")? => {
                    last.invoices.push(invoice);
                }
                _ => cards.push(UsedCard {
                    card: read_card(&row)?,
                    month,
                    period: Span { from: row.time("invoice.period_start")?, to: row.time("invoice.period_end")? },
                    time_zone: row.zone("invoice.time_zone")?,
                    invoices: vec![invoice],
                }),
            }
        }
        Ok(cards)
    }
}

/// Keeps a card's text, if it isn't kept already.
pub(in crate::store) async fn put_card(
    session: &mut Session,
    card: &StoredCard,
    at: Timestamp,
) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(text![CardRow::ADD_ONE, " ON CONFLICT DO NOTHING"]);
    let StoredCard { hash, name, currency, text } = card.clone();
    session.add(PUT, &CardRow { hash, name, currency, body: text, first_used: at }).await?;
    Ok(())
}

/// The card of a row that has all its columns.
pub(super) fn read_card(row: &Row) -> Result<StoredCard, StoreError> {
    Ok(StoredCard {
        hash: row.string("rate_card.hash")?,
        name: row.string("rate_card.name")?,
        currency: row.string("rate_card.currency")?,
        text: row.string("rate_card.body")?,
    })
}
