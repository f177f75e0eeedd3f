//! Events as columns name them.

use crate::domain::{EventId, Guid, Timestamp};
use crate::store::StoreError;
use crate::store::database::Row;

/// An event named by two columns: its guid and when it was created.
pub(in crate::store) fn event_id(
    row: &Row,
    [guid, created_at]: [&'static str; 2],
) -> Result<Option<EventId>, StoreError> {
    let (guid, created_at) = (row.get::<Option<Guid>>(guid)?, row.get::<Option<Timestamp>>(created_at)?);
    Ok(guid.zip(created_at).map(|(guid, created_at)| EventId { guid, created_at }))
}
