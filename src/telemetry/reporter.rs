//! What is told of one foundation, on the board and in its metrics at once.

use super::{Board, FoundationMetrics, FoundationStatus, Metrics};
use crate::domain::{Progress, Stream, Timestamp};

/// See the module.
#[derive(Clone, Debug)]
pub struct Reporter {
    pub metrics: FoundationMetrics,
    board: Board,
    name: String,
}

impl Reporter {
    #[must_use]
    pub fn new(metrics: &Metrics, board: &Board, foundation: &str) -> Self {
        board.update(foundation, |_| ());
        Self { metrics: metrics.foundation(foundation), board: board.clone(), name: foundation.to_owned() }
    }

    /// To metrics and a board that nobody else sees.
    #[must_use]
    pub fn unseen(foundation: &str) -> Self {
        Self::new(&Metrics::new(), &Board::default(), foundation)
    }

    /// What is being done: one of [`super::metrics::labels::STATES`].
    pub fn state(&self, state: &'static str) {
        self.metrics.state(state);
        self.update(|status| status.state = state);
    }

    /// Another process collects it: what this one knew of it is old.
    pub fn stands_by(&self) {
        self.state("standby");
        self.progress(None, &Progress::default(), None);
        self.metrics.stands_by();
        self.update(|status| status.tell(None, Timestamp::MIN));
        self.board.note(&self.name, super::Health::stands_by);
    }

    /// A cycle begins.
    pub fn begins(&self) {
        self.board.note(&self.name, super::Health::begins);
    }

    /// The foundation answered, with what was asked for.
    pub fn answered(&self) {
        self.board.note(&self.name, super::Health::answered);
    }

    /// A cycle failed.
    pub fn failed(&self) {
        self.board.note(&self.name, super::Health::failed);
    }

    /// A cycle came to its end, or waits for what isn't a failure.
    pub fn went_well(&self) {
        self.board.note(&self.name, super::Health::went_well);
    }

    /// Something was committed.
    pub fn committed(&self) {
        self.board.note(&self.name, super::Health::committed);
    }

    /// How far it is collected now.
    pub fn progress(&self, epoch: Option<Timestamp>, progress: &Progress, rated_through: Option<Timestamp>) {
        let known_until = progress.known_until;
        let checkpoints =
            Stream::ALL.map(|stream| progress.stream(stream).checkpoint.as_ref().map(|event| event.created_at));
        self.metrics.progress(epoch, known_until, rated_through);
        for (stream, checkpoint) in Stream::ALL.into_iter().zip(checkpoints) {
            self.metrics.stream(stream, checkpoint, known_until);
        }
        self.update(|status| {
            status.billing_epoch = epoch;
            status.known_until = known_until;
            [status.app_checkpoint, status.service_checkpoint] = checkpoints;
        });
    }

    /// What it waits for, or what went wrong; `None` once that is over.
    pub fn tell(&self, detail: Option<String>, now: Timestamp) {
        self.update(|status| status.tell(detail, now));
    }

    /// Whether its task lives.
    pub fn alive(&self, alive: bool) {
        self.metrics.up(alive);
        self.update(|status| status.alive = alive);
    }

    fn update(&self, change: impl FnOnce(&mut FoundationStatus)) {
        self.board.update(&self.name, change);
    }
}
