//! `GET /v3/processes/:guid/stats`: what Diego really runs, whatever the app says.

use serde::Deserialize;

/// The instances of one process, as Diego tells them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProcessStats {
    pub resources: Vec<InstanceStats>,
}

/// One of them. What is wanted and isn't there is `DOWN`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct InstanceStats {
    pub state: String,
}

impl ProcessStats {
    /// Whether there is an instance.
    #[must_use]
    pub fn shows_an_instance(&self) -> bool {
        self.resources.iter().any(|instance| instance.state != "DOWN")
    }
}
