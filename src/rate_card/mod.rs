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
pub use check::{Seen, SeenService, check_against, names_of_several};
pub use compare::{Change, changes, changes_within, terms_values};
pub use matcher::{Label, Labels, Matcher, Pattern, Subject, What, Whom};
pub use meter::{Meter, units};
pub use parse::{CardFile, parse, read};
pub use schema::schema;
pub use terms::{Charges, Granularity, Model, Terms, Tier, shown_model};
