//! Our clock and Cloud Controller's: how far apart they are, and what waits until somebody has looked at that.
//! Owns the limit; what is due is measured by Cloud Controller's clock, whose times everything collected has.

use super::collector::{CollectError, Collector};
use crate::domain::{Stream, Timestamp};

/// Clocks further apart than this, in seconds, decide no epoch: one of them is wrong, and everything would be billed by it.
pub const CLOCK_TOLERANCE_SECONDS: i64 = 300;

impl Collector {
    /// Refuses to set the epoch while the clocks differ, unless somebody decided: by an instant to bill from, or by word.
    pub(super) async fn refuse_skew(&self) -> Result<(), CollectError> {
        let decided = self.plan.billing_from.is_some() || self.head.clock_accepted_at.is_some();
        if decided || self.head.current_settings().billing_epoch.is_some() {
            return Ok(());
        }
        // Its answer has the time.
        self.ask(self.client.newest_event(Stream::App)).await?;
        let (ours, theirs) = (self.clock.now(), self.client.last_date());
        self.report_skew();
        if ours.seconds_since(theirs).abs() > CLOCK_TOLERANCE_SECONDS {
            return Err(CollectError::ClockSkew { foundation: self.head.name.clone(), ours, theirs });
        }
        Ok(())
    }

    /// The time by which it is told whether something is due: Cloud Controller's, as far as ours lets it be known.
    pub(super) fn measured(&self) -> Timestamp {
        self.client.present().min(self.clock.now())
    }

    /// Tells how far our clock is ahead of Cloud Controller's.
    pub(super) fn report_skew(&self) {
        self.reporter.metrics.clock_skew(self.clock.now().seconds_since(self.client.last_date()));
    }
}
