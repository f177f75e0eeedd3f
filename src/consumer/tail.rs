//! A stream read from its checkpoint to its end: one page, one transaction, the next page fetched meanwhile.
//! Owns the rule that a healthy answer holds the checkpoint.

use super::collector::{CollectError, Collector, unless_stopped};
use super::page::PageReport;
use super::reading::{RawEvent, Reading};
use crate::clock::Stopwatch;
use crate::cloud_controller::{After, Dated, ErrorKind, EventPage};
use crate::domain::{EventId, Guid, Place, Stream, Timestamp};
use crate::store::{InputKind, Onboarding};

impl Collector {
    /// Reads what is new in `stream`, to its end; gives the time of the answer that held the end.
    pub(super) async fn read(&mut self, stream: Stream, onboarding: &Onboarding) -> Result<Timestamp, CollectError> {
        let (reading, page) = self.begin_reading(stream, onboarding).await?;
        self.reporter.metrics.checkpoint_lost(stream, false);
        self.read_on(reading, page).await
    }

    /// Takes a page and all that follow, to the stream's end.
    pub(super) async fn read_on(
        &mut self,
        mut reading: Reading,
        mut page: Dated<EventPage>,
    ) -> Result<Timestamp, CollectError> {
        let stream = reading.stream();
        loop {
            let read = page.value.events.len();
            let next = page.value.last_guid().filter(|_| page.value.full).map(After::Event);
            let placed = reading.place(&self.store, &self.head, page.value.events).await?;
            let Some(next) = next else {
                let mut placed = placed;
                placed.extend(reading.finish());
                self.append(&reading, read, placed).await?;
                // A clock of theirs that is ahead of ours must not make us know the future.
                return Ok(page.date.min(self.clock.now()));
            };
            // The page is committed whatever becomes of the next one.
            let (client, stop) = (self.client.clone(), self.stopping());
            let fetch = unless_stopped(&stop, client.events(stream, &next));
            let (fetched, appended) = tokio::join!(fetch, self.append(&reading, read, placed));
            appended?;
            page = fetched?;
        }
    }

    /// The first page, found to hold the checkpoint, and where in the stream it begins.
    async fn begin_reading(
        &self,
        stream: Stream,
        onboarding: &Onboarding,
    ) -> Result<(Reading, Dated<EventPage>), CollectError> {
        let head = self.head.stream(stream);
        let Some(checkpoint) = head.checkpoint.clone() else {
            return self.begin_at_snapshot(stream, onboarding).await;
        };
        let mut elsewhere = false;
        if let Some(predecessor) = &head.predecessor {
            match self.ask(self.client.events(stream, &After::Event(predecessor.guid.clone()))).await {
                Ok(page) => {
                    if page.value.events.iter().any(|(_, decoded)| decoded.event.id() == checkpoint) {
                        return Ok((self.reading_after(stream, predecessor).await?, page));
                    }
                    elsewhere = true;
                }
                Err(CollectError::Api(error)) if error.kind == ErrorKind::AfterGuidUnknown => {}
                Err(error) => return Err(error),
            }
        }
        // Without a predecessor before it: the checkpoint is asked for by itself, and read on from.
        if !self.is_readable(stream, Some(&checkpoint)).await? {
            return Err(CollectError::CheckpointLost { stream, checkpoint });
        }
        if elsewhere {
            // The predecessor's guid is another event's now, or very many came late between the two.
            tracing::warn!(foundation = %self.head.name, %stream, "the predecessor isn't before the checkpoint");
        }
        let page = self.ask(self.client.events(stream, &After::Event(checkpoint.guid.clone()))).await?;
        Ok((self.reading_after(stream, &checkpoint).await?, page))
    }

    /// Onboarding reads from the sweep window before the snapshot's checkpoint on.
    async fn begin_at_snapshot(
        &self,
        stream: Stream,
        onboarding: &Onboarding,
    ) -> Result<(Reading, Dated<EventPage>), CollectError> {
        let checkpoint = onboarding.snapshot(stream).and_then(|snapshot| snapshot.checkpoint.clone());
        if let Some(checkpoint) = &checkpoint
            && !self.is_readable(stream, Some(checkpoint)).await?
        {
            return Err(CollectError::CheckpointLost { stream, checkpoint: checkpoint.clone() });
        }
        let after = self.first_read(stream, onboarding);
        let page = self.ask(self.client.events(stream, &after)).await?;
        Ok((Reading::from_start(&self.head, stream), page))
    }

    /// What the first read of a stream asks for.
    pub(super) fn first_read(&self, stream: Stream, onboarding: &Onboarding) -> After {
        let checkpoint = onboarding.snapshot(stream).and_then(|snapshot| snapshot.checkpoint.as_ref());
        checkpoint.map_or(After::Nothing, |checkpoint| {
            After::Time(checkpoint.created_at.plus(-self.plan.sweep_window_seconds))
        })
    }

    async fn reading_after(&self, stream: Stream, event: &EventId) -> Result<Reading, CollectError> {
        let kind = InputKind::Event(stream);
        let places = self.store.find_archived(&self.head, kind, std::slice::from_ref(event)).await?;
        Ok(match places.into_iter().next().flatten() {
            Some(place) => Reading::after(&self.head, stream, place),
            None => Reading::from_start(&self.head, stream),
        })
    }

    /// Commits those of `read` events that are new, with the checkpoint behind the last of them.
    async fn append(
        &mut self,
        reading: &Reading,
        read: usize,
        placed: Vec<(Place, RawEvent)>,
    ) -> Result<(), CollectError> {
        let stream = reading.stream();
        self.reporter.metrics.duplicates(stream, read.saturating_sub(placed.len()));
        if placed.is_empty() {
            return Ok(());
        }
        let watch = Stopwatch::start();
        let mut page = self.page();
        let head = match stream {
            Stream::App => &mut page.app,
            Stream::Service => &mut page.service,
        };
        // What was found late stands before the checkpoint; a record without a guid can't be asked after.
        let appended = placed.iter().filter(|(place, (_, decoded))| place.fraction().is_empty() && decoded.has_guid());
        for (_, (_, decoded)) in appended {
            head.predecessor = head.checkpoint.replace(decoded.event.id());
        }
        self.caught.events += placed.len();
        page.inputs = reading.inputs(placed);
        let report = self.commit(Some(stream), page).await?;
        self.reporter.metrics.page(stream, watch.elapsed());
        self.say(stream, &report);
        Ok(())
    }

    fn say(&self, stream: Stream, report: &PageReport) {
        tracing::debug!(
            foundation = %self.head.name, %stream, events = report.inputs, entries = report.entries,
            anomalies = report.anomalies, late = report.late, "a page"
        );
    }
}

impl EventPage {
    /// The event after which to read on.
    fn last_guid(&self) -> Option<Guid> {
        let named = self.events.iter().rev().find(|(_, decoded)| decoded.has_guid());
        named.map(|(_, decoded)| decoded.event.guid.clone())
    }
}
