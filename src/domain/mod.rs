//! The words of billing as types: values in, values out, no I/O and no clock.
//! Owns what each thing means and its units; never decides what a usage event does (that is `fold`).

pub mod agreement;
pub mod anomaly;
pub mod baseline;
pub mod bound;
pub mod codes;
pub mod endpoint;
pub mod footprint;
pub mod gap;
pub mod guid;
pub mod interval;
pub mod ledger_entry;
pub mod money;
pub mod observation;
pub mod period;
pub mod quantity;
pub mod resource;
pub mod row_observation;
pub mod settings;
pub mod share;
pub mod stream;
pub mod text;
pub mod time;
pub mod usage_event;

pub use agreement::{TOLERANCE_SECONDS, Verdict, judge};
pub use anomaly::{Anomaly, AnomalyKind};
pub use baseline::{Baseline, BaselineItem, Strategy};
pub use bound::{Bound, ClockNote};
pub use endpoint::Endpoint;
pub use footprint::{DiskSource, Footprint, Location, MemorySource};
pub use gap::{Gap, GapNote, GapReason, GapStage, UndecodableNote};
pub use guid::Guid;
pub use interval::Interval;
pub use ledger_entry::{Cause, EntryType, LedgerEntry};
pub use money::{Amount, AmountOverflow, Currency, Price, Rounding};
pub use observation::{BuildObservation, DiskObservation, FailedCreate, Finding, Settlement};
pub use period::{Month, Span};
pub use quantity::{InstanceSeconds, MibSeconds, Overflow, is_too_large};
pub use resource::{Kind, ResourceKey};
pub use row_observation::{RowList, RowObservation};
pub use settings::{RULES, Settings};
pub use share::share;
pub use stream::{Place, Stream};
pub use time::Timestamp;
pub use usage_event::{EventId, Fact, UsageEvent};
