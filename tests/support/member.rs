//! What a collector is told of a foundation: how to collect it, and who asks it.

use cf_billing::cloud_controller::Credentials;
use cf_billing::config::Secret;
use cf_billing::consumer::Plan;
use cf_billing::domain::Settings;

/// As configured where nothing is said.
pub fn plan(foundation: &str) -> Plan {
    Plan {
        foundation: foundation.to_owned(),
        settings: Settings::default(),
        onboarding: None,
        billing_from: None,
        sweep_window_seconds: 3600,
        sweep_interval_seconds: 600,
        snapshot_patience_seconds: 600,
        observe_interval_seconds: 300,
        reconcile_interval_seconds: 21_600,
        keep_events_seconds: None,
    }
}

pub fn credentials(api: &str, (id, secret): (&str, &str)) -> Credentials {
    Credentials {
        api: api.parse().unwrap(),
        uaa: None,
        client_id: id.to_owned(),
        client_secret: Secret::new(secret.to_owned()),
    }
}
