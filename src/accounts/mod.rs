//! Who pays: accounts with all that their documents need, and the organizations and spaces that are theirs over time.
//! Owns the accounts file; never looks at usage, and never computes an amount.

mod against;
mod check;
pub mod keys;
mod owners;
mod parse;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono_tz::Tz;

use crate::domain::text::Position;
use crate::domain::{Currency, Party};
use crate::invoicing::{AccountTax, Particulars, Payment};
use crate::keyed::{FilePosition, Origin, Problem};
use crate::rate_card::Validity;
use crate::rating::Named;

pub use against::{SeenPlace, SeenPlaces, check_against};
pub use owners::Whereabouts;
pub(crate) use schema::schema;

use owners::Index;

/// Accounts and what is theirs. An organization that is nobody's is an account of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Names it in problems.
    file: String,
    /// In which its dates are.
    zone: Tz,
    accounts: BTreeMap<String, Account>,
    index: Index,
    /// What holds for accounts of organizations that are nobody's.
    defaults: Terms,
}

/// Who gets one invoice a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Names it in the book.
    pub id: String,
    /// As people call it.
    pub name: String,
    /// Who sees what is its own: `ISSUER/SUB`.
    pub people: BTreeSet<String>,
    /// Where what it owns is: its usage is complete when it is in all of them.
    pub foundations: Vec<String>,
    /// What its documents say of the buyer and the terms. The seller and the bank account aren't its own, and empty.
    pub particulars: Particulars,
    /// `None`: the rate card's.
    pub tax: Option<AccountTax>,
    /// `None`: the rate card's. Any other than the rate card's is wrong.
    pub currency: Option<Currency>,
    /// In the order of the file.
    pub owns: Vec<Owned>,
    /// What keeps its invoices from being final, such as a VAT id that is none.
    pub unfit: Vec<Problem>,
    /// Where the account and its keys stand; nowhere, if it is an organization that is its own account.
    positions: Positions,
}

/// Something that is an account's, for a time or always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub foundation: String,
    pub target: Target,
    pub validity: Validity,
    /// Where it stands in the file.
    pub position: Position,
}

/// What can be owned, in a foundation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// By name or guid.
    Organization(String),
    /// By `ORG/SPACE`, each a name or guid, or by guid alone.
    Space(String),
    /// Organizations and spaces that have this label or annotation.
    Label { key: String, value: String },
}

impl Target {
    /// The word in an accounts file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Organization(_) => "organization",
            Self::Space(_) => "space",
            Self::Label { .. } => "label",
        }
    }
}

/// As it is written in an accounts file.
impl fmt::Display for Owned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Organization(place) | Target::Space(place) => write!(formatter, "{}/{place}", self.foundation),
            Target::Label { key, value } => write!(formatter, "{}: {key} = {value}", self.foundation),
        }
    }
}

/// Where an account and its keys stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Positions {
    account: Option<Position>,
    keys: BTreeMap<String, Position>,
}

/// What accounts may have from `[defaults]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Terms {
    currency: Option<Currency>,
    tax: Option<AccountTax>,
    /// But for the parties and references, which are each account's.
    particulars: Particulars,
}

impl Default for Terms {
    fn default() -> Self {
        let payment = Payment { days: keys::PAYMENT_DAYS, ..Payment::default() };
        Self { currency: None, tax: None, particulars: Particulars { payment, ..Particulars::default() } }
    }
}

/// No accounts: each organization is its own.
impl Default for Accounts {
    fn default() -> Self {
        Self {
            file: String::new(),
            zone: Tz::UTC,
            accounts: BTreeMap::new(),
            index: Index::default(),
            defaults: Terms::default(),
        }
    }
}

impl Accounts {
    /// Of something in the file, or of the file as a whole.
    fn origin(&self, position: Option<Position>) -> Origin {
        match position {
            Some(position) => Origin::At(FilePosition::new(&self.file, position)),
            None => Origin::File(self.file.clone()),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.accounts.len()
    }

    /// The account of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// Every account, by id.
    pub fn all(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The account of its own that an organization is while it is nobody's: `foundation/guid`, on the default terms.
    #[must_use]
    pub fn own(&self, foundation: &str, organization: &Named) -> Account {
        let name = organization.called();
        let buyer = Party { name: name.clone(), ..Party::default() };
        Account {
            id: format!("{foundation}/{}", organization.guid),
            name,
            people: BTreeSet::new(),
            foundations: vec![foundation.to_owned()],
            particulars: Particulars { buyer, ..self.defaults.particulars.clone() },
            tax: self.defaults.tax.clone(),
            currency: self.defaults.currency,
            owns: Vec::new(),
            unfit: Vec::new(),
            positions: Positions::default(),
        }
    }
}

impl Account {
    /// Where one of its keys stands, or else the account.
    fn position_of(&self, key: &str) -> Option<Position> {
        self.positions.keys.get(key).copied().or(self.positions.account)
    }
}
