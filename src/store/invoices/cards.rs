//! Rate cards that invoices were made with: kept for good, with what they were used for.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Kind, Month, Span, Timestamp};
use crate::store::database::{Session, Sql, values};
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
            let kind = row.text(1)?;
            used.entry(row.integer(0)?).or_default().insert(UsedFor {
                kind: Kind::from_name(kind).ok_or_else(|| unexpected("invoice_line.kind", kind))?,
                foundation: row.text(2)?.to_owned(),
                organization: row.text(3)?.to_owned(),
                organization_name: row.owned(4)?,
                buildpack: row.owned(5)?,
                plan: row.owned(6)?,
                plan_name: row.owned(7)?,
                offering_name: row.owned(8)?,
            });
        }
        let mut cards: Vec<UsedCard> = Vec::new();
        for row in session.all(INVOICES, Vec::new()).await? {
            let month = row.text(4)?;
            let month: Month = month.parse().map_err(|_| unexpected("invoice.month", month))?;
            let invoice = UsedBy {
                number: row.owned(9)?.unwrap_or_default(),
                account: row.text(8)?.to_owned(),
                used: used.remove(&row.integer(10)?).unwrap_or_default(),
                compared_by: row.text(11)?.to_owned(),
            };
            match cards.last_mut() {
                Some(last) if last.month == month && last.card.hash == row.text(0)? => last.invoices.push(invoice),
                _ => cards.push(UsedCard {
                    card: StoredCard {
                        hash: row.text(0)?.to_owned(),
                        name: row.text(1)?.to_owned(),
                        currency: row.text(2)?.to_owned(),
                        text: row.text(3)?.to_owned(),
                    },
                    month,
                    period: Span { from: row.time(5)?, to: row.time(6)? },
                    time_zone: row.text(7)?.to_owned(),
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
    const PUT: Sql = Sql::new(
        "INSERT INTO rate_card (hash, name, currency, body, first_used) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    );
    session.run(PUT, values![&card.hash, &card.name, &card.currency, &card.text, at]).await?;
    Ok(())
}

fn unexpected(place: &'static str, value: &str) -> StoreError {
    StoreError::Unexpected { place, value: value.to_owned() }
}
