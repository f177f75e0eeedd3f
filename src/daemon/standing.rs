//! The same answer in Cloud Controller's place, cycle after cycle: somebody has to mend what stands between.
//! Owns when that is said; decides nothing of what is collected.

use crate::cloud_controller::ApiError;
use crate::consumer::way_on;
use crate::domain::{Strategy, Timestamp};
use crate::telemetry::{ForeignAnswer, Reporter};

/// What restarts of API servers and routers explain lasts no longer, in seconds.
const PASSES_SECONDS: i64 = 600;

/// What was answered last, and since when.
#[derive(Debug, Default)]
pub(super) struct Standing {
    last: Option<Answered>,
}

#[derive(Debug)]
struct Answered {
    endpoint: &'static str,
    answer: ForeignAnswer,
    path: String,
    since: Timestamp,
}

impl Standing {
    /// Notes a failed cycle; gives what there is to be told of it, for people.
    pub fn failed(
        &mut self,
        error: &ApiError,
        configured: Option<Strategy>,
        now: Timestamp,
        reporter: &Reporter,
    ) -> String {
        let Some(answer) = error.foreign() else {
            self.over(reporter);
            return error.to_string();
        };
        let (endpoint, path) = (error.endpoint(), error.path());
        let since = match &self.last {
            Some(last) if last.answer == answer && last.path == path => last.since,
            _ => {
                self.over(reporter);
                now
            }
        };
        self.last = Some(Answered { endpoint, answer, path, since });
        reporter.metrics.foreign(endpoint, answer, Some(since));
        let seconds = now.seconds_since(since);
        if seconds < PASSES_SECONDS {
            return error.to_string();
        }
        let told = format!("the same answer for {} minutes: {error}", seconds / 60);
        match way_on(error, configured) {
            Some(way) => format!("{told}; {way}"),
            None => told,
        }
    }

    /// They answer themselves again, or it is another failure.
    pub fn over(&mut self, reporter: &Reporter) {
        if let Some(last) = self.last.take() {
            reporter.metrics.foreign(last.endpoint, last.answer, None);
        }
    }
}
