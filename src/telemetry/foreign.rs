//! Answers that are neither Cloud Controller's nor UAA's own, in the few words that metrics use.

/// What stands in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignAnswer {
    /// A router that knows no such route at the moment.
    UnknownRoute,
    /// A refusal in somebody else's words.
    Refusal,
    Redirect,
    /// A success that isn't the JSON it should be.
    NotJson,
}

impl ForeignAnswer {
    pub const ALL: [Self; 4] = [Self::UnknownRoute, Self::Refusal, Self::Redirect, Self::NotJson];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownRoute => "unknown_route",
            Self::Refusal => "refusal",
            Self::Redirect => "redirect",
            Self::NotJson => "not_json",
        }
    }
}
