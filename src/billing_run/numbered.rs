//! Number and dates of what is final already.

use crate::documents::Issue;
use crate::domain::period::date_of;
use crate::invoicing::Dates;
use crate::store::StoredInvoice;

/// Number and dates of a final invoice; of earlier versions' the day on which it became final.
#[must_use]
pub fn issue_of(stored: &StoredInvoice) -> Option<Issue> {
    let number = stored.number.clone()?;
    let finalized =
        || stored.finalized_at.map(|at| Dates { issued_on: date_of(at, stored.document.time_zone), due_on: None });
    let Dates { issued_on, due_on } = stored.dates.or_else(finalized)?;
    Some(Issue { number, issued_on, due_on })
}
