//! The ledger and what belongs to it: foundations and their streams, resources and open intervals, entries, guids and
//! names, anomalies, gaps, bounds, seals. Owns their rows; never decides what an event means.

pub(super) mod anomalies;
pub(super) mod bounds;
mod chain;
mod commit;
mod differences;
mod dimensions;
mod foundations;
pub(super) mod gaps;
mod identity;
mod labels;
mod load;
mod names;
mod onboarding;
mod pieces;
mod places;
mod retention;
mod rows;
mod seals;
mod seen;
mod streams;
pub(super) mod tables;
mod uaa;
mod usage;

pub use anomalies::{AnomalyFilter, StoredAnomaly};
pub use bounds::{ClockSpan, Stated, StoredBound};
pub use chain::{Verified, Verifying, chain_of_foundation};
pub use differences::StoredDifference;
pub use gaps::{GapProgress, Settled, StoredGap};
pub use identity::{Hold, KnownGuids, Pin};
pub use labels::LabelRows;
pub use names::{NameOf, Names, Newest, Told};
pub use pieces::Pieces;
pub use seals::Seal;

pub(super) use dimensions::Cache;
