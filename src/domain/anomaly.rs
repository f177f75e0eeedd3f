//! Odd input, with what was assumed.

use super::{ResourceKey, Timestamp};

/// What was odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnomalyKind {
    /// An event state this program doesn't know; no interval changed.
    UnknownState,
    /// A record without the members it needs; no interval changed.
    Undecodable,
    /// `created_at` lies before something already in effect for the resource; the later time was used.
    TimeRanBackwards,
    /// An ending of something that was never open; nothing changed.
    OrphanEnding,
    /// An ending of something that had ended already; nothing changed.
    DuplicateEnding,
    /// A beginning or change of something that can't begin again (it runs already, or has ended for good); nothing changed.
    IgnoredBeginning,
    /// The first sight of a resource says that it existed before; it counts from that event.
    StartUnknown,
    /// A repaired ending, whose true end is unknown, or a creation that failed: the run isn't billed.
    RunVoided,
    /// A staging without a usable ending; it counts to the cap or the app's next staging.
    StagingEndLost,
    /// A start of something the baseline holds as running: its stop was not seen; it counts from this start.
    MissedEnding,
    /// An event found behind others of its stream; its resource was refolded.
    LateEvent,
    /// An event found behind what was sealed before pruning; no interval changed.
    BeforeSeal,
    /// A reseed was the first to tell of a change that was lost with a gap; from the gap's beginning to the reseed the old
    /// footprint is assumed.
    ToldByReseed,
    /// What runs was looked at and differed from the ledger, which was settled accordingly.
    Settled,
    /// `created_at` contradicts the order of the stream: the nearest time that agrees was used.
    Clock,
    /// The buildpack of something that ran when the baseline was taken couldn't be known; what is likely was taken.
    BuildpackAssumed,
    /// Larger than any foundation: it is counted as far as numbers go, and its account's invoice waits for a decision.
    TooLarge,
}

impl AnomalyKind {
    pub const ALL: [Self; 17] = [
        Self::UnknownState,
        Self::Undecodable,
        Self::TimeRanBackwards,
        Self::OrphanEnding,
        Self::DuplicateEnding,
        Self::IgnoredBeginning,
        Self::StartUnknown,
        Self::RunVoided,
        Self::StagingEndLost,
        Self::MissedEnding,
        Self::LateEvent,
        Self::BeforeSeal,
        Self::ToldByReseed,
        Self::Settled,
        Self::Clock,
        Self::BuildpackAssumed,
        Self::TooLarge,
    ];

    /// The word used in tables and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownState => "unknown_state",
            Self::Undecodable => "undecodable",
            Self::TimeRanBackwards => "time_ran_backwards",
            Self::OrphanEnding => "orphan_ending",
            Self::DuplicateEnding => "duplicate_ending",
            Self::IgnoredBeginning => "ignored_beginning",
            Self::StartUnknown => "start_unknown",
            Self::RunVoided => "run_voided",
            Self::StagingEndLost => "staging_end_lost",
            Self::MissedEnding => "missed_ending",
            Self::LateEvent => "late_event",
            Self::BeforeSeal => "before_seal",
            Self::ToldByReseed => "told_by_reseed",
            Self::Settled => "settled",
            Self::Clock => "clock",
            Self::BuildpackAssumed => "buildpack_assumed",
            Self::TooLarge => "too_large",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One piece of odd input. Stored, counted and visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    pub kind: AnomalyKind,
    /// Sequence number of the input.
    pub sequence: u64,
    pub resource: Option<ResourceKey>,
    /// When it happened, as the input says.
    pub at: Timestamp,
    /// What was found, for a person.
    pub detail: String,
}
