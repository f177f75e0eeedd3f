//! A checkpoint that can't be read any more: the gap is recorded, the stream read again from its first row, and the ledger
//! settled by what runs. Owns what a gap's ends are; what is assumed across it is the fold's business.

use super::collector::{CollectError, Collector};
use super::page::NewInput;
use super::reading::Reading;
use crate::cloud_controller::{After, Dated, ErrorKind, EventPage};
use crate::domain::{EventId, Gap, GapReason, GapStage, Place, Stream, Timestamp};
use crate::fold::Input;
use crate::store::{GapProgress, Onboarding, Settled, StoredGap};

/// Whether a checkpoint is still where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checkpoint {
    There,
    /// Its guid is unknown.
    Gone,
    /// Its guid is another event's.
    Another,
    /// Nothing can be read at all.
    Nothing,
}

impl Collector {
    /// Reads a stream to its end, over a gap where its checkpoint is lost; gives the time of the answer that held the end.
    pub(super) async fn read_over_gaps(
        &mut self,
        stream: Stream,
        onboarding: &Onboarding,
    ) -> Result<Timestamp, CollectError> {
        if self.is_to_be_read_again(stream) {
            self.make_sure().await?;
        } else {
            match self.read(stream, onboarding).await {
                Err(CollectError::CheckpointLost { stream, checkpoint, reason }) => {
                    // In another foundation it would be lost as well.
                    self.make_sure().await?;
                    tracing::error!(
                        foundation = %self.head.name, %stream, reason = reason.name(),
                        checkpoint = checkpoint.as_ref().map(|event| event.guid.to_string()),
                        "the checkpoint is lost: the stream is read again from its first event, then the ledger is settled by what runs"
                    );
                    self.reporter.metrics.checkpoint_lost(stream, true);
                    self.reporter.state("gap");
                    self.record_gap(stream, checkpoint, reason).await?;
                }
                read => return read,
            }
        }
        self.reporter.state("gap");
        let until = self.read_again(stream).await?;
        self.reporter.metrics.checkpoint_lost(stream, false);
        Ok(until)
    }

    /// Records the gap before anything behind it is read.
    async fn record_gap(
        &mut self,
        stream: Stream,
        checkpoint: Option<EventId>,
        reason: GapReason,
    ) -> Result<(), CollectError> {
        let page = self.ask(self.client.events(stream, &After::Nothing)).await?;
        let epoch = self.head.current_settings().billing_epoch;
        let from = self.head.known_until.or(epoch).unwrap_or(page.date);
        let times = page.value.events.iter().map(|(_, decoded)| decoded.event.created_at);
        let to = times.filter(|created_at| *created_at >= from).min();
        let gap = Gap {
            stream,
            reason,
            from,
            // A page that is full of older ones doesn't tell.
            to: to.or((!page.value.full).then_some(page.date)),
            checkpoint: checkpoint.map(|event| (event.guid, event.created_at)),
            found_at: self.clock.now(),
        };
        if let Some(to) = gap.to {
            self.reporter.metrics.gap(stream, to.seconds_since(from));
        }
        let mut page = self.page();
        page.inputs = vec![NewInput::own(self.end_of(stream), Input::Gap(gap))];
        self.commit(None, page).await?;
        self.load_gaps().await
    }

    /// The stream from its first row, folded over what is open; the checkpoint is then its last event.
    async fn read_again(&mut self, stream: Stream) -> Result<Timestamp, CollectError> {
        let (reading, first) = self.begin_again(stream).await?;
        let recorded = self.gaps.iter().rfind(|gap| gap.stream == stream && gap.stage == GapStage::Reading).cloned();
        if let Some(gap) = recorded.filter(|gap| is_lost_again(gap, &first.value)) {
            tracing::error!(
                foundation = %self.head.name, %stream, since = gap.to.map(|at| at.to_string()),
                "the events after the gap were purged before they were read: another gap is recorded"
            );
            self.record_gap(stream, gap.checkpoint, GapReason::Reseeded).await?;
        }
        let before = self.head.stream(stream).checkpoint.clone();
        let mut last = None;
        let until = self.read_on_noting(reading, first, &mut last).await?;
        let mut page = self.page();
        let head = page.stream_mut(stream);
        if head.checkpoint == before {
            // Nothing was new: it goes on from what is there, if anything is.
            head.predecessor = None;
            head.checkpoint = last;
        }
        let gap = self.gaps.iter().find(|gap| gap.stream == stream && gap.stage == GapStage::Reading);
        page.gap_progress = gap.map(|gap| GapProgress {
            number: gap.number,
            stage: GapStage::Settling,
            settled: Settled::default(),
            settled_at: None,
        });
        self.commit(None, page).await?;
        self.load_gaps().await?;
        Ok(until)
    }

    pub(super) async fn load_gaps(&mut self) -> Result<(), CollectError> {
        self.gaps = self.store.gaps(Some(&self.head.name)).await?;
        for stage in GapStage::ALL {
            self.reporter.metrics.gaps(stage, self.gaps.iter().filter(|gap| gap.stage == stage).count());
        }
        Ok(())
    }

    /// Gaps that are read over and not settled yet.
    pub(super) fn unsettled(&self) -> Vec<StoredGap> {
        self.gaps.iter().filter(|gap| gap.stage == GapStage::Settling).cloned().collect()
    }

    fn is_to_be_read_again(&self, stream: Stream) -> bool {
        self.gaps.iter().any(|gap| gap.stream == stream && gap.stage == GapStage::Reading)
    }

    /// Whether a stream was read again from its first row once: what came before is in no list.
    pub(super) fn has_gap(&self, stream: Stream) -> bool {
        self.gaps.iter().any(|gap| gap.stream == stream)
    }

    /// The end of a stream, where what is read beside it stands.
    pub(super) fn end_of(&self, stream: Stream) -> Place {
        Place::at(self.head.stream(stream).last_ordinal)
    }

    /// Whether the checkpoint is still the event it was. Only an answer that a token without scope could not get says
    /// that it is lost: such a token sees empty lists, and no event at all.
    pub(super) async fn look_for(&self, stream: Stream, checkpoint: &EventId) -> Result<Checkpoint, CollectError> {
        if let Some(event) = self.ask(self.client.event(stream, &checkpoint.guid)).await? {
            let same = event.event.created_at == checkpoint.created_at;
            return Ok(if same { Checkpoint::There } else { Checkpoint::Another });
        }
        match self.ask(self.client.events(stream, &After::Event(checkpoint.guid.clone()))).await {
            Err(CollectError::Api(error)) if error.kind == ErrorKind::AfterGuidUnknown => Ok(Checkpoint::Gone),
            Err(error) => Err(error),
            // It has come since, or nothing is shown to this client.
            Ok(page) => Ok(if page.value.events.is_empty() { Checkpoint::Nothing } else { Checkpoint::There }),
        }
    }

    /// The first read of a stream whose events before are lost.
    pub(super) async fn begin_again(&self, stream: Stream) -> Result<(Reading, Dated<EventPage>), CollectError> {
        let page = self.ask(self.client.events(stream, &After::Nothing)).await?;
        if page.value.events.is_empty() {
            self.refuse_hidden(stream).await?;
        }
        Ok((self.reading_again(stream).await?, page))
    }

    /// Whether an empty stream is hidden from this token. What has the scope is told that the lost checkpoint is unknown.
    async fn refuse_hidden(&self, stream: Stream) -> Result<(), CollectError> {
        let last = self.gaps.iter().rfind(|gap| gap.stream == stream);
        let Some(checkpoint) = last.and_then(|gap| gap.checkpoint.as_ref()) else { return Ok(()) };
        match self.look_for(stream, checkpoint).await? {
            Checkpoint::Nothing => Err(self.scope_lost(stream, checkpoint).await),
            Checkpoint::There | Checkpoint::Gone | Checkpoint::Another => Ok(()),
        }
    }

    /// A read of a stream from its first row, over what is archived of it.
    pub(super) async fn reading_again(&self, stream: Stream) -> Result<Reading, CollectError> {
        let first = self.store.first_created_at(&self.head, stream).await?;
        Ok(Reading::again(&self.head, stream, first))
    }
}

/// Whether a stream begins with a reseed that is newer than the one, or the first event, with which a gap ends.
fn is_lost_again(gap: &StoredGap, first: &EventPage) -> bool {
    let is_newer = |at: Timestamp| gap.to.is_some_and(|to| at > to);
    first.events.iter().any(|(_, decoded)| decoded.event.fact.is_reseeded() && is_newer(decoded.event.created_at))
}

impl EventPage {
    /// What names the last event that can be asked after.
    pub(super) fn last_id(&self) -> Option<EventId> {
        let named = self.events.iter().rev().find(|(_, decoded)| decoded.has_guid());
        named.map(|(_, decoded)| decoded.event.id())
    }
}
