//! The same answer in Cloud Controller's place, cycle after cycle: somebody has to mend what stands between.
//! Owns when that is said; decides nothing of what is collected.

use crate::cloud_controller::ApiError;
use crate::consumer::way_on;
use crate::domain::{Endpoint, Strategy, Timestamp};
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
    endpoint: Endpoint,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud_controller::{Answerer, ErrorKind};

    fn error(path: &str, kind: ErrorKind) -> ApiError {
        let request = format!("GET https://api.example.org{path}?per_page=5000");
        ApiError { kind, request, detail: "404 Not Found, which isn't its own".to_owned(), request_id: None }
    }

    fn router() -> ErrorKind {
        ErrorKind::Foreign { status: 404, answerer: Answerer::Router }
    }

    const WAY: &str = "onboarding = \"live_lists\"";
    const SNAPSHOTS: &str = "/v3/app_usage/snapshots";

    #[test]
    fn after_ten_minutes_of_the_same_answer_path_answer_and_way_on_are_told() {
        let (mut standing, reporter) = (Standing::default(), Reporter::unseen("eu1"));
        let at = |seconds: i64| Timestamp::from_unix(1_790_000_000 + seconds);
        let mut told = |seconds: i64, path: &str, kind: ErrorKind, configured: Option<Strategy>| {
            standing.failed(&error(path, kind), configured, at(seconds), &reporter)
        };
        assert!(!told(0, SNAPSHOTS, router(), None).contains(WAY));
        let below = told(599, SNAPSHOTS, router(), None);
        assert!(!below.contains(WAY) && !below.contains("minutes"), "{below}");
        let above = told(600, SNAPSHOTS, router(), None);
        for word in ["the same answer for 10 minutes", SNAPSHOTS, "404 Not Found", WAY] {
            assert!(above.contains(word), "{word}: {above}");
        }
        // Where a way is configured, or it isn't about the way, none is named.
        assert!(!told(601, SNAPSHOTS, router(), Some(Strategy::Snapshot)).contains(WAY));
        // Another answer, or another path, begins anew.
        assert!(!told(602, SNAPSHOTS, ErrorKind::InvalidBody, None).contains("minutes"));
        assert!(!told(1201, SNAPSHOTS, ErrorKind::InvalidBody, None).contains("minutes"));
        assert!(told(1202, SNAPSHOTS, ErrorKind::InvalidBody, None).contains("10 minutes"));
        assert!(!told(1203, "/v3/apps", ErrorKind::InvalidBody, None).contains("minutes"));
        let lists = told(1803, "/v3/apps", ErrorKind::InvalidBody, None);
        assert!(lists.contains("10 minutes") && !lists.contains(WAY), "{lists}");
        // Cloud Controller's own refusals are no such thing.
        assert!(!told(1804, "/v3/apps", ErrorKind::Forbidden, None).contains("minutes"));
        assert!(!told(9999, "/v3/apps", ErrorKind::Forbidden, None).contains("minutes"));
    }

    #[test]
    fn the_metric_stands_as_long_as_the_answer() {
        let metrics = crate::telemetry::Metrics::new();
        let reporter = Reporter::new(&metrics, &crate::telemetry::Board::default(), "eu1");
        let line = |value: &str| {
            let of = "cf_billing_cc_foreign_answer_since_timestamp_seconds{answer=\"unknown_route\",endpoint=\"app_usage_snapshots\",foundation=\"eu1\"}";
            metrics.render().lines().any(|line| line == format!("{of} {value}"))
        };
        let mut standing = Standing::default();
        assert!(line("0"));
        for seconds in [1_790_000_000, 1_790_000_060] {
            standing.failed(&error(SNAPSHOTS, router()), None, Timestamp::from_unix(seconds), &reporter);
            assert!(line("1790000000"));
        }
        standing.over(&reporter);
        assert!(line("0"));
    }
}
