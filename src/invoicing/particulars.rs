//! Who sends an invoice to whom, on what terms and in which language: frozen with it when it becomes final.

use serde::{Deserialize, Serialize};

use crate::domain::Party;

/// How and until when to pay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Payment {
    /// Days from the issue date to the due date.
    pub days: u32,
    /// Terms in words, beside the due date.
    pub terms: Option<String>,
    pub iban: Option<String>,
    pub bic: Option<String>,
    /// Name of the bank.
    pub bank: Option<String>,
}

/// In which documents are written, with its way of writing numbers and dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "de")]
    German,
    #[serde(rename = "fr")]
    French,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::French];

    /// ISO 639-1.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
        }
    }

    /// The language of that code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }
}

/// What an account wants its lines grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GroupBy {
    #[serde(rename = "org")]
    Organization,
    #[serde(rename = "space")]
    Space,
    #[serde(rename = "app")]
    App,
    #[serde(rename = "buildpack")]
    Buildpack,
    #[serde(rename = "kind")]
    Kind,
}

impl GroupBy {
    pub const ALL: [Self; 5] = [Self::Organization, Self::Space, Self::App, Self::Buildpack, Self::Kind];

    /// The word in an accounts file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "org",
            Self::Space => "space",
            Self::App => "app",
            Self::Buildpack => "buildpack",
            Self::Kind => "kind",
        }
    }

    /// What that word means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}

/// Everything an invoice says of seller, buyer and terms.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Particulars {
    pub seller: Party,
    pub buyer: Party,
    pub payment: Payment,
    /// BT-13.
    pub purchase_order: Option<String>,
    /// The buyer's (BT-19).
    pub cost_centre: Option<String>,
    /// The buyer's own reference (BT-10), such as a Leitweg-ID.
    pub buyer_reference: Option<String>,
    pub language: Language,
    /// The outermost first.
    pub group_by: Vec<GroupBy>,
}

impl Default for Particulars {
    fn default() -> Self {
        Self {
            seller: Party::default(),
            buyer: Party::default(),
            payment: Payment::default(),
            purchase_order: None,
            cost_centre: None,
            buyer_reference: None,
            language: Language::English,
            group_by: vec![GroupBy::Organization, GroupBy::Space],
        }
    }
}
