//! Series begun before there is a database: an alert can't see what isn't there.

use super::duties::{DRAFTS, VERIFICATION};
use crate::config::Configuration;
use crate::store::{Lease, chain_of_foundation, chain_of_series};
use crate::telemetry::Metrics;

/// Begins the series of every foundation, duty and chain that is configured.
pub fn begin_series(configuration: &Configuration, metrics: &Metrics) {
    for foundation in &configuration.foundations {
        metrics.foundation(&foundation.name).state("starting");
        metrics.duty(&Lease::duty_of(&foundation.name));
        metrics.chain(&chain_of_foundation(&foundation.name));
    }
    let billing = &configuration.billing;
    if billing.rates.is_some() {
        metrics.duty(DRAFTS);
        metrics.job_every("draft", billing.draft_interval);
    }
    metrics.job_every("verify", configuration.database.verify_interval);
    metrics.duty(VERIFICATION);
    for series in [&billing.invoice_series, &billing.credit_note_series] {
        metrics.chain(&chain_of_series(series));
    }
}
