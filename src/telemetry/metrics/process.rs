//! What this process takes, as its system tells, and since when it runs.

use prometheus::IntGauge;
use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

use crate::clock::Clock;

const STARTED: &str = "process_start_time_seconds";

/// Alerts tell by the start time that a process was started again. The system tells it only where all of /proc is open,
/// which a hardened service's isn't: so it is the time at which this was made.
pub(super) struct Process {
    taken: ProcessCollector,
    started: Option<IntGauge>,
}

impl Process {
    pub fn new() -> Self {
        let started = IntGauge::new(STARTED, "Start time of the process, Unix time.").ok();
        if let Some(started) = &started {
            started.set(Clock::System.now().unix());
        }
        Self { taken: ProcessCollector::for_self(), started }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.taken.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.taken.collect();
        families.retain(|family| family.name() != STARTED);
        families.extend(self.started.iter().flat_map(Collector::collect));
        families
    }
}
