//! Where an invoice stands in its life.

/// Where an invoice stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Made anew whenever it is asked for.
    Draft,
    /// Period, grace time and last sweep are over: to be looked at, and made final.
    Review,
    /// Numbered; never changes again.
    Final,
}

impl Status {
    pub const ALL: [Self; 3] = [Self::Draft, Self::Review, Self::Final];

    /// The word used in tables and commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Review => "in_review",
            Self::Final => "final",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}
