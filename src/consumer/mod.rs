//! From what was read to what is stored: place, number, fold, commit.
//! Owns the order of things within one page; never decides what an event means.

mod baseline;
mod bounds;
mod collector;
mod compare;
mod held;
mod identity;
mod import;
mod inventory;
mod lists;
mod observe;
mod onboard;
mod page;
mod placement;
mod reading;
mod rebuild;
mod reconcile;
mod recover;
mod skew;
mod strategy;
mod sweep;
mod tail;
mod unreadable;

pub use collector::{Caught, CollectError, Collector, Cycle, Plan};
pub use compare::{Class, Difference, Look, Repair};
pub use held::Held;
pub use identity::{Evidence, Judged};
pub use import::{ImportError, ImportReport, Importer};
pub use page::{NewInput, Page, PageReport, commit, recall};
pub use reading::RawEvent;
pub use rebuild::{RebuildError, Rebuilt, rebuild, same_ledger};
pub use skew::CLOCK_TOLERANCE_SECONDS;
pub use strategy::{choose_strategy, way_on};
