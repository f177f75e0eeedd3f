//! Streams and their events, as columns name them.

use crate::domain::{EventId, Guid, Stream};
use crate::store::StoreError;
use crate::store::database::Row;

/// The stream that a column names.
pub(in crate::store) fn stream_in(row: &Row, column: usize) -> Result<Stream, StoreError> {
    Ok(if row.text(column)? == Stream::App.name() { Stream::App } else { Stream::Service })
}

/// An event named by two columns: its guid and when it was created.
pub(in crate::store) fn event_id(row: &Row, first: usize) -> Result<Option<EventId>, StoreError> {
    let (guid, created_at) = (row.maybe_text(first)?, row.maybe_time(first + 1)?);
    Ok(guid.zip(created_at).map(|(guid, created_at)| EventId { guid: Guid::new(guid), created_at }))
}
