//! A stream read from its checkpoint to its end: one page, one transaction, the next page fetched meanwhile.
//! Owns the rule that a healthy answer holds the checkpoint.

use super::collector::{CollectError, Collector, unless_stopped};
use super::page::PageReport;
use super::reading::{RawEvent, Reading};
use super::recover::Checkpoint;
use crate::clock::Stopwatch;
use crate::cloud_controller::{After, Dated, ErrorKind, EventPage};
use crate::domain::{EventId, GapReason, Place, Strategy, Stream, Timestamp, UsageEvent};
use crate::store::{InputKind, Onboarding, OnboardingStage};

/// Cloud Controller keeps usage events for 31 days, unless it is told to keep them longer or shorter.
const RETENTION_SECONDS: i64 = 31 * 86_400;

impl Collector {
    /// Reads what is new in `stream`, to its end; gives the time of the answer that held the end.
    pub(super) async fn read(&mut self, stream: Stream, onboarding: &Onboarding) -> Result<Timestamp, CollectError> {
        let (reading, page) = self.begin_reading(stream, onboarding).await?;
        self.reporter.metrics.checkpoint_lost(stream, false);
        let until = self.read_on(reading, page).await?;
        if self.head.stream(stream).checkpoint.is_none() && !self.has_gap(stream) {
            self.hold_on_to_newest(stream, onboarding).await?;
        }
        Ok(until)
    }

    /// Nothing is new since the baseline: the event it came after is the checkpoint. Without one nothing would show that
    /// events were pruned unread.
    async fn hold_on_to_newest(&mut self, stream: Stream, onboarding: &Onboarding) -> Result<(), CollectError> {
        let newest = match onboarding.snapshot(stream) {
            Some(snapshot) => snapshot.checkpoint.clone(),
            None => self.ask(self.client.newest_event(stream)).await?.map(|decoded| decoded.event.id()),
        };
        if newest.is_some() {
            if onboarding.stage == OnboardingStage::Complete {
                self.make_sure().await?;
            }
            let mut page = self.page();
            page.stream_mut(stream).checkpoint = newest;
            self.commit(None, page).await?;
        }
        Ok(())
    }

    /// Takes a page and all that follow, to the stream's end.
    pub(super) async fn read_on(
        &mut self,
        reading: Reading,
        page: Dated<EventPage>,
    ) -> Result<Timestamp, CollectError> {
        self.read_on_noting(reading, page, &mut None).await
    }

    /// As [`Collector::read_on`]; notes the last event there was.
    pub(super) async fn read_on_noting(
        &mut self,
        mut reading: Reading,
        mut page: Dated<EventPage>,
        last: &mut Option<EventId>,
    ) -> Result<Timestamp, CollectError> {
        let stream = reading.stream();
        loop {
            let read = page.value.events.len();
            if let Some(beyond) = page.value.beyond {
                self.reporter.metrics.waiting(stream, beyond);
            }
            let last_here = page.value.last_id();
            let next = last_here.clone().filter(|_| page.value.full).map(|event| After::Event(event.guid));
            *last = last_here.or(last.take());
            let placed = reading.place(&self.store, &self.head, page.value.events).await?;
            let Some(next) = next else {
                let mut placed = placed;
                placed.extend(reading.finish());
                self.append(&reading, read, placed, page.date).await?;
                // A clock of theirs that is ahead of ours must not make us know the future.
                return Ok(page.date.min(self.clock.now()));
            };
            // The page is committed whatever becomes of the next one.
            let (client, stop) = (self.client.clone(), self.stopping());
            let fetch = unless_stopped(&stop, client.events(stream, &next));
            let (fetched, appended) = tokio::join!(fetch, self.append(&reading, read, placed, page.date));
            appended?;
            page = fetched?;
        }
    }

    /// The first page, found to hold the checkpoint, and where in the stream it begins.
    async fn begin_reading(
        &mut self,
        stream: Stream,
        onboarding: &Onboarding,
    ) -> Result<(Reading, Dated<EventPage>), CollectError> {
        let Some(checkpoint) = self.head.stream(stream).checkpoint.clone() else {
            let (reading, page) = self.begin_without_checkpoint(stream, onboarding).await?;
            // Nothing in the stream itself says whose its events are. While onboarding, each cycle has made sure.
            if !page.value.events.is_empty() && onboarding.stage == OnboardingStage::Complete {
                self.make_sure().await?;
            }
            return Ok((reading, page));
        };
        let mut elsewhere = false;
        if let Some(predecessor) = &self.head.stream(stream).predecessor {
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
        self.refuse_lost(stream, &checkpoint).await?;
        if elsewhere {
            // The predecessor's guid is another event's now, or very many came late between the two.
            tracing::warn!(foundation = %self.head.name, %stream, "the predecessor isn't before the checkpoint");
        }
        let page = self.ask(self.client.events(stream, &After::Event(checkpoint.guid.clone()))).await?;
        Ok((self.reading_after(stream, &checkpoint).await?, page))
    }

    /// Says how a checkpoint is lost, if it is.
    async fn refuse_lost(&self, stream: Stream, checkpoint: &EventId) -> Result<(), CollectError> {
        let lost = |reason| CollectError::CheckpointLost { stream, checkpoint: Some(checkpoint.clone()), reason };
        match self.look_for(stream, checkpoint).await? {
            Checkpoint::There => Ok(()),
            Checkpoint::Gone => Err(lost(GapReason::CheckpointGone)),
            Checkpoint::Another => Err(lost(GapReason::Reseeded)),
            Checkpoint::Nothing => Err(self.scope_lost(stream, checkpoint).await),
        }
    }

    /// Says that nothing is shown to this token.
    pub(super) async fn scope_lost(&self, stream: Stream, checkpoint: &EventId) -> CollectError {
        // Perhaps a new one has it again; if not, that says so.
        self.client.forget_token().await;
        CollectError::ScopeLost { stream, checkpoint: checkpoint.clone() }
    }

    /// Onboarding reads from the sweep window before the baseline on; after a gap there is nothing but what there is.
    async fn begin_without_checkpoint(
        &self,
        stream: Stream,
        onboarding: &Onboarding,
    ) -> Result<(Reading, Dated<EventPage>), CollectError> {
        if self.has_gap(stream) {
            return self.begin_again(stream).await;
        }
        if let Some(checkpoint) = onboarding.snapshot(stream).and_then(|snapshot| snapshot.checkpoint.as_ref()) {
            self.refuse_lost(stream, checkpoint).await?;
        }
        let after = self.first_read(stream, onboarding);
        let page = self.ask(self.client.events(stream, &after)).await?;
        let lists = (onboarding.strategy == Strategy::LiveLists).then_some(onboarding.begun_at);
        if self.head.known_until.or(lists).is_some_and(|known| page.date.seconds_since(known) > RETENTION_SECONDS) {
            // There was no event to hold on to, and what was the first may have been pruned.
            return Err(CollectError::CheckpointLost { stream, checkpoint: None, reason: GapReason::CheckpointGone });
        }
        // What was reseeded since the baseline stands where what happened since was purged.
        let epoch = self.head.current_settings().billing_epoch.filter(|_| onboarding.strategy != Strategy::KeptRecords);
        let reseeded = |event: &UsageEvent| event.fact.is_reseeded() && epoch.is_some_and(|at| event.created_at > at);
        if page.value.events.iter().any(|(_, decoded)| reseeded(&decoded.event)) {
            return Err(CollectError::CheckpointLost { stream, checkpoint: None, reason: GapReason::Reseeded });
        }
        Ok((Reading::in_order(&self.head, stream), page))
    }

    /// What the first read of a stream asks for.
    pub(super) fn first_read(&self, stream: Stream, onboarding: &Onboarding) -> After {
        let since = match onboarding.strategy {
            Strategy::Snapshot => {
                let checkpoint = onboarding.snapshot(stream).and_then(|snapshot| snapshot.checkpoint.as_ref());
                checkpoint.map(|checkpoint| checkpoint.created_at)
            }
            Strategy::LiveLists => Some(onboarding.begun_at),
            Strategy::KeptRecords => None,
        };
        since.map_or(After::Nothing, |since| After::Time(since.plus(-self.plan.sweep_window_seconds)))
    }

    async fn reading_after(&self, stream: Stream, event: &EventId) -> Result<Reading, CollectError> {
        let kind = InputKind::Event(stream);
        let places = self.store.find_archived(&self.head, kind, std::slice::from_ref(event)).await?;
        Ok(match places.into_iter().next().flatten() {
            Some(place) => Reading::after(&self.head, stream, place),
            None => Reading::in_order(&self.head, stream),
        })
    }

    /// Commits those of `read` events that are new, with the checkpoint behind the last of them.
    async fn append(
        &mut self,
        reading: &Reading,
        read: usize,
        placed: Vec<(Place, RawEvent)>,
        date: Timestamp,
    ) -> Result<(), CollectError> {
        let stream = reading.stream();
        self.reporter.metrics.duplicates(stream, read.saturating_sub(placed.len()));
        if placed.is_empty() {
            return Ok(());
        }
        let watch = Stopwatch::start();
        let mut page = self.page();
        page.read_at = date;
        let head = page.stream_mut(stream);
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
