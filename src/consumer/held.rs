//! Why a foundation isn't collected.

/// Why a foundation isn't collected until somebody decides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    #[error(
        "`{foundation}` was collected from {pinned}, and its `api` is {configured} now: nothing is read, nothing is ended\n\
         hint: set `api` back; or, if it is to be collected from there, `cf-billing foundations adopt {foundation}`"
    )]
    ApiChanged { foundation: String, pinned: String, configured: String },
    #[error(
        "{api} answers for another foundation than `{foundation}`: neither its last event nor any of {asked} known organizations, spaces and resources is there; nothing is read, nothing is ended\n\
         hint: set `api` right; or, if this one is to take its place, `cf-billing foundations adopt {foundation}`"
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
