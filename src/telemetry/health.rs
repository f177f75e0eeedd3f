//! How long something has been failing, by a clock that nobody sets: what readiness is judged by.

use std::time::Duration;

use crate::clock::Stopwatch;
use crate::domain::Timestamp;

/// After a failure this old, what was committed since shows that it is over, though the cycle goes on. Longer than the
/// longest wait between two tries, so that one that fails each time isn't taken for it.
const OVER: Duration = Duration::from_mins(2);

/// Of one foundation's collection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Health {
    /// Since the first failure after which nothing went well.
    failing: Option<Stopwatch>,
    failed_last: Option<Stopwatch>,
    committed: Option<Stopwatch>,
    /// Since a cycle began that hasn't ended yet.
    begun: Option<Stopwatch>,
    answered: Option<Stopwatch>,
    /// No cycle has ended since another process collected it.
    taken_over: bool,
    /// On a standby: the book's known until as last looked up, and since when it hasn't moved; unknown at the first look.
    known: Option<(Option<Timestamp>, Option<Stopwatch>)>,
}

impl Health {
    /// Another process collects it from now on.
    pub const fn stands_by(&mut self) {
        self.went_well();
        self.taken_over = true;
    }

    /// A cycle begins. After it was taken over, nothing has been collected since the book last moved.
    pub fn begins(&mut self) {
        let moved = self.known.and_then(|(_, moved)| moved).filter(|_| self.taken_over);
        self.begun = moved.or_else(|| Some(Stopwatch::start()));
    }

    /// A cycle failed. Nothing was collected since the last answer of it, or since it began.
    pub fn failed(&mut self) {
        let now = Stopwatch::start();
        self.failing = self.failing.or_else(|| self.moved()).or(Some(now));
        (self.failed_last, self.begun, self.taken_over) = (Some(now), None, false);
    }

    /// A cycle came to its end, or waits for what isn't a failure.
    pub const fn went_well(&mut self) {
        (self.failing, self.failed_last, self.begun, self.taken_over) = (None, None, None, false);
    }

    /// The foundation answered, with what was asked for.
    pub fn answered(&mut self) {
        self.answered = Some(Stopwatch::start());
    }

    /// Something was committed.
    pub fn committed(&mut self) {
        self.committed = Some(Stopwatch::start());
    }

    /// What the book says that another process collects.
    pub fn looked_up(&mut self, known_until: Option<Timestamp>) {
        let moved = match self.known {
            None => None,
            Some((before, since)) if before == known_until => since,
            Some(_) => Some(Stopwatch::start()),
        };
        self.known = Some((known_until, moved));
    }

    /// Until when the book was known when it was last looked up.
    #[must_use]
    pub fn known_until(&self) -> Option<Timestamp> {
        self.known.and_then(|(known, _)| known)
    }

    /// Whether it has failed for at least `limit`.
    #[must_use]
    pub fn has_failed_for(&self, limit: Duration) -> bool {
        let [failing, last, committed] =
            [self.failing, self.failed_last, self.committed].map(|watch| watch.map(Stopwatch::elapsed));
        has_failed(failing, last, committed, limit)
    }

    /// For how long a cycle has gone on in which nothing comes, neither an answer nor an error, if for at least `limit`.
    #[must_use]
    pub fn is_silent_for(&self, limit: Duration) -> Option<Duration> {
        self.moved().map(Stopwatch::elapsed).filter(|silent| *silent >= limit)
    }

    /// When something last went on in the cycle that goes on now.
    fn moved(&self) -> Option<Stopwatch> {
        self.begun?;
        [self.begun, self.committed, self.answered].into_iter().flatten().min_by_key(|watch| watch.elapsed())
    }

    /// Whether the book's known until moved within `limit`, while this process looked.
    #[must_use]
    pub fn moved_within(&self, limit: Duration) -> bool {
        self.known.and_then(|(_, moved)| moved).is_some_and(|moved| moved.elapsed() < limit)
    }
}

/// `failing`, `last` and `committed`: how long ago the first and the last failure and the last commit were.
fn has_failed(failing: Option<Duration>, last: Option<Duration>, committed: Option<Duration>, limit: Duration) -> bool {
    let Some(failing) = failing else { return false };
    let over = last.is_some_and(|last| last > limit.max(OVER) && committed.is_some_and(|committed| committed < last));
    failing >= limit && !over
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Health, has_failed};

    #[test]
    fn silence_counts_from_the_last_answer_of_a_cycle_that_goes_on() {
        let mut health = Health::default();
        assert_eq!(health.is_silent_for(Duration::ZERO), None);
        health.answered();
        assert_eq!(health.is_silent_for(Duration::ZERO), None, "nothing goes on");
        health.begins();
        assert!(health.is_silent_for(Duration::ZERO).is_some());
        assert_eq!(health.is_silent_for(Duration::from_mins(1)), None);
        health.failed();
        assert_eq!(health.is_silent_for(Duration::ZERO), None, "it is told as a failure");
        assert!(health.has_failed_for(Duration::ZERO));
        health.begins();
        health.went_well();
        assert_eq!(health.is_silent_for(Duration::ZERO), None);
    }

    #[test]
    fn failing_counts_from_its_first_time_until_something_went_well() {
        let limit = Duration::from_mins(1);
        // First and last failure, and last commit, so many seconds ago.
        for (failing, last, committed, wanted) in [
            (None, None, None, false),
            (None, None, Some(1), false),
            (Some(59), Some(1), None, false),
            (Some(60), Some(1), None, true),
            (Some(60), Some(60), None, true),
            // One stream is read, the other fails each time.
            (Some(300), Some(1), Some(5), true),
            (Some(300), Some(60), Some(5), true),
            (Some(300), Some(120), Some(5), true),
            // It catches up.
            (Some(300), Some(121), Some(5), false),
            (Some(300), Some(121), Some(122), true),
            (Some(300), Some(121), None, true),
        ] {
            let ago = |seconds: Option<u64>| seconds.map(Duration::from_secs);
            let found = has_failed(ago(failing), ago(last), ago(committed), limit);
            assert_eq!(found, wanted, "{failing:?} {last:?} {committed:?}");
        }
    }
}
