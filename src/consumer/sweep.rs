//! The events behind the checkpoint, read again: a transaction that was long under way may show its event late, with
//! a lower id than those that were read. Owns how far back is read; what is found goes to its place in the stream.

use std::collections::HashMap;

use super::collector::{CollectError, Collector};
use super::reading::Reading;
use crate::cloud_controller::{After, ErrorKind, decode};
use crate::domain::{EventId, Place, Strategy, Stream, Timestamp};
use crate::store::{InputKind, Onboarding};

/// Archived inputs looked at in one go, on the way back to where a sweep begins.
const STEP: u64 = 512;
/// Once a day a sweep is a long one.
const LONG_INTERVAL_SECONDS: i64 = 86_400;
/// A long sweep goes back this far behind the long sweep before it, in seconds.
const LONG_WINDOW_SECONDS: i64 = 86_400;

impl Collector {
    /// Reads what is behind both checkpoints again, if it is time to: since the last sweep, and a window more.
    pub(super) async fn sweep(&mut self, onboarding: &Onboarding) -> Result<(), CollectError> {
        let now = self.measured();
        let last = self.head.swept_until;
        if last.is_some_and(|last| now.seconds_since(last) < self.plan.sweep_interval_seconds) {
            return Ok(());
        }
        let known = self.head.known_until.unwrap_or(now);
        // The first sweep goes back to where reading began.
        let begun = match onboarding.strategy {
            Strategy::KeptRecords => onboarding.begun_at,
            Strategy::Snapshot | Strategy::LiveLists => {
                onboarding.begun_at.min(self.head.current_settings().billing_epoch.unwrap_or(known))
            }
        };
        let mut from = last.unwrap_or(begun).min(known).plus(-self.plan.sweep_window_seconds);
        // What was under way for less than a day is found by the first long sweep after it is done.
        let last_long = self.head.swept_long_at;
        let long = last_long.is_none_or(|at| now.seconds_since(at) >= LONG_INTERVAL_SECONDS);
        let mut margin = self.plan.sweep_window_seconds;
        if let Some(last_long) = last_long.filter(|_| long) {
            from = from.min(last_long.plus(-LONG_WINDOW_SECONDS));
            margin = LONG_WINDOW_SECONDS;
        }
        let mut until = now;
        for stream in Stream::ALL {
            until = until.min(self.sweep_stream(stream, from, margin, onboarding).await?);
        }
        let mut page = self.page();
        if long {
            page.swept_long_at = page.swept_long_at.max(Some(until));
        }
        page.swept_until = page.swept_until.max(Some(until));
        self.commit(None, page).await?;
        self.reporter.metrics.swept();
        Ok(())
    }

    async fn sweep_stream(
        &mut self,
        stream: Stream,
        from: Timestamp,
        margin: i64,
        onboarding: &Onboarding,
    ) -> Result<Timestamp, CollectError> {
        let (reading, after) = match self.last_before(stream, from, margin).await? {
            Some((event, place)) => (Reading::after(&self.head, stream, place), After::Event(event.guid)),
            // Everything that is archived is younger: as onboarding began.
            None if self.has_gap(stream) => (self.reading_again(stream).await?, After::Nothing),
            None => (Reading::in_order(&self.head, stream), self.first_read(stream, onboarding)),
        };
        match self.ask(self.client.events(stream, &after)).await {
            Ok(page) => self.read_on(reading, page).await,
            Err(CollectError::Api(error)) if error.kind == ErrorKind::AfterGuidUnknown => {
                self.make_sure().await?;
                // Pruned, or on the other side of a gap; whether the checkpoint is lost is for the poll to find.
                let page = self.ask(self.client.events(stream, &After::Time(from))).await?;
                self.read_on(Reading::in_order(&self.head, stream), page).await
            }
            Err(error) => Err(error),
        }
    }

    /// The last archived event of a stream in whose order only what was created before `at` comes before it; `None` if
    /// there is none. An event of a long transaction stands among younger ones: one of up to `margin` seconds isn't taken
    /// for the place where `at` was.
    async fn last_before(
        &self,
        stream: Stream,
        at: Timestamp,
        margin: i64,
    ) -> Result<Option<(EventId, Place)>, CollectError> {
        // A time that isn't trusted says nothing of where `at` was.
        let last = self.head.stream(stream).last_ordinal;
        let bounds = self.store.bounds(&self.head, stream, 0, last).await?;
        let counts_at: HashMap<Place, Timestamp> =
            bounds.into_iter().filter_map(|held| Some((held.place, held.bound.counts_at?))).collect();
        let mut end = self.head.last_sequence + 1;
        let mut older: Vec<(EventId, Place)> = Vec::new();
        let mut youngest_order: Option<Place> = None;
        'archive: while end > 1 {
            let first = end.saturating_sub(STEP).max(1);
            let length = usize::try_from(end - first).unwrap_or(usize::MAX);
            let inputs = self.store.archived(&self.head, first, length).await?;
            for input in inputs.into_iter().rev() {
                let stands = input.kind == InputKind::Event(stream) && input.place.fraction().is_empty();
                if !stands {
                    continue;
                }
                let created_at = counts_at.get(&input.place).copied().unwrap_or(input.created_at);
                if created_at >= at {
                    youngest_order = Some(youngest_order.map_or(input.place.clone(), |place| place.min(input.place)));
                    continue;
                }
                let decoded = decode(stream, &input.body);
                if decoded.has_guid() {
                    older.push((decoded.event.id(), input.place));
                }
                if created_at < at.plus(-margin) {
                    break 'archive;
                }
            }
            end = first;
        }
        let before = |place: &Place| youngest_order.as_ref().is_none_or(|young| place < young);
        Ok(older.into_iter().filter(|(_, place)| before(place)).max_by(|(_, one), (_, other)| one.cmp(other)))
    }
}
