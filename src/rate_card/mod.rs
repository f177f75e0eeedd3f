//! The dated price list: from TOML text to a card, or to everything that is wrong with it.
//! Owns what a card may say and which rate is in force; never multiplies anything by a quantity.

mod block;
mod card;
mod check;
mod compare;
pub mod keys;
mod matcher;
mod meter;
mod parse;
mod schema;
mod terms;

pub use block::{Allowance, Discount, Floor, FloorKind, Off, Per, Rate, Tax, Validity};
pub use card::{InForce, RateCard};
pub use check::{SeenNames, SeenService};
pub(crate) use check::{check_against, names_of_several};
pub use compare::Change;
pub(crate) use compare::{changes, changes_within};
pub use matcher::{Label, Labels, Matcher, Pattern, Subject, What, Whom};
pub use meter::{Meter, units};
pub(crate) use parse::read;
pub use parse::{CardFile, parse};
pub(crate) use schema::schema;
pub(crate) use terms::shown_model;
pub use terms::{Charges, Granularity, Model, Terms, Tier};
