//! Why a foundation isn't collected.

/// Why a foundation isn't collected until somebody decides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    #[error(
        "`{foundation}` was collected from {pinned}, but its `api` is now {configured}: nothing is read and nothing is ended\n\
         hint: set `api` back, or accept the new address with `cf-billing foundations adopt {foundation}`"
    )]
    ApiChanged { foundation: String, pinned: String, configured: String },
    #[error(
        "another foundation than `{foundation}` answers at {api}: neither its last event nor any of {asked} known organizations, spaces and resources is there; nothing is read and nothing is ended\n\
         hint: correct `api`, or bill this one in its place with `cf-billing foundations adopt {foundation}`"
    )]
    NotRecognised { foundation: String, api: String, asked: usize },
}

impl Held {
    /// The word for metrics, one of [`crate::telemetry::metrics::labels::HOLDS`].
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ApiChanged { .. } => "api_changed",
            Self::NotRecognised { .. } => "not_recognised",
        }
    }
}
