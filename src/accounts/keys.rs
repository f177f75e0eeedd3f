//! Every key that an accounts file may have, with its meaning: what the parser knows and the documentation lists.
//! Owns the names; reads nothing.

use std::fmt::Write;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Text of one line that isn't empty.
    Text,
    /// Text that may have several lines.
    LongText,
    /// So many texts at most, at least one.
    Lines(usize),
    /// A whole number from `min` to `max`.
    Whole {
        min: i64,
        max: i64,
    },
    /// A quoted decimal that isn't negative.
    Decimal,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Some of these, each once.
    Choices(&'static [&'static str]),
    /// A TOML date or time, or the same as text.
    Time,
    /// ISO 3166-1.
    Country,
    /// ISO 4217.
    Currency,
    /// With its country's letters.
    VatId,
    Email,
    /// `SCHEME:ID`
    ElectronicAddress,
    /// `FOUNDATION/ORG`
    Organization,
    /// `FOUNDATION/ORG/SPACE` or `FOUNDATION/SPACE-GUID`
    Space,
    /// `FOUNDATION: KEY = VALUE`
    Label,
    /// A list of such.
    Organizations,
    Spaces,
    Labels,
}

impl Takes {
    fn told(self) -> String {
        let words = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Text => "text".to_owned(),
            Self::LongText => "text, also of several lines".to_owned(),
            Self::Lines(most) => format!("list of 1 to {most} texts"),
            Self::Whole { min, max } => format!("whole number, {min} to {max}"),
            Self::Decimal => "quoted decimal".to_owned(),
            Self::Choice(choices) => words(choices),
            Self::Choices(choices) => format!("list of {}", words(choices)),
            Self::Time => "date or time".to_owned(),
            Self::Country => "ISO 3166-1 code".to_owned(),
            Self::Currency => "ISO 4217 code".to_owned(),
            Self::VatId => "VAT id".to_owned(),
            Self::Email => "email address".to_owned(),
            Self::ElectronicAddress => "`SCHEME:ID`".to_owned(),
            Self::Organization => "`FOUNDATION/ORG`".to_owned(),
            Self::Space => "`FOUNDATION/ORG/SPACE` or `FOUNDATION/SPACE-GUID`".to_owned(),
            Self::Label => "`FOUNDATION: KEY = VALUE`".to_owned(),
            Self::Organizations | Self::Spaces | Self::Labels => {
                let of = match self {
                    Self::Organizations => Self::Organization,
                    Self::Spaces => Self::Space,
                    _ => Self::Label,
                };
                format!("list of {}", of.told())
            }
        }
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub takes: Takes,
    /// What holds if it is left out, in words; empty: nothing.
    pub default: &'static str,
    pub about: &'static str,
}

const fn key(name: &'static str, takes: Takes, default: &'static str, about: &'static str) -> Key {
    Key { name, takes, default, about }
}

/// The tables of a file: how they are written, what they are, and their keys.
pub const TABLES: [(&str, &str, &[&[Key]]); 3] = [
    ("[[account]]", "One per account", &[WHO, BUYER, REFERENCES, TERMS, OWNED]),
    ("[[account.owns]]", "Beneath its account: what is its own for a time, or always", &[OWNS]),
    (
        "[defaults]",
        "What holds for accounts that don't say it themselves, and for organizations that are in no account",
        &[TERMS],
    ),
];

/// The keys of an account, but for `owns`.
pub(super) const ACCOUNT: [&[Key]; 5] = [WHO, BUYER, REFERENCES, TERMS, OWNED];

const WHO: &[Key] = &[
    key(
        "id",
        Takes::Text,
        "required",
        "Names it in the book, in rate cards and in commands: letters, digits, `-`, `_`, `.`; not to be changed once it has invoices",
    ),
    key("name", Takes::Text, "required", "As people call it"),
];

const BUYER: &[Key] = &[
    key("legal_name", Takes::Text, "`name`", "The buyer on documents (BT-44)"),
    key("address", Takes::Lines(3), "", "Street and what comes with it (BT-50, BT-51, BT-163)"),
    key("postal_code", Takes::Text, "", "BT-53"),
    key("city", Takes::Text, "", "BT-52"),
    key("region", Takes::Text, "", "State or province (BT-54)"),
    key("country", Takes::Country, "", "Two letters, such as `DE` (BT-55)"),
    key("vat_id", Takes::VatId, "", "Without spaces, such as `DE123456789` (BT-48)"),
    key("tax_number", Takes::Text, "", "The tax office's own number, where there is no VAT id"),
    key("registration", Takes::Text, "", "In a register of companies, such as `HRB 12345` (BT-47)"),
    key("contact", Takes::Text, "", "A person or department (BT-56)"),
    key("email", Takes::Email, "", "BT-58"),
    key("phone", Takes::Text, "", "BT-57"),
    key(
        "electronic_address",
        Takes::ElectronicAddress,
        "",
        "Where e-invoices go (BT-49): a scheme of the EAS list and the id in it, such as `0088:4012345000009`, `9930:DE123456789`, `0204:991-01234-44` or `EM:accounts@acme.example`",
    ),
];

const REFERENCES: &[Key] = &[
    key("purchase_order", Takes::Text, "", "BT-13"),
    key("cost_centre", Takes::Text, "", "The buyer's accounting reference (BT-19)"),
    key("buyer_reference", Takes::Text, "", "What the buyer wants to find again (BT-10), such as a Leitweg-ID"),
];

/// What `[defaults]` may have, too.
pub(super) const TERMS: &[Key] = &[
    key(
        "currency",
        Takes::Currency,
        "the rate card's",
        "Must be the rate card's, which is checked: nothing is converted",
    ),
    key("payment_days", Takes::Whole { min: 0, max: 365 }, "30", "From the issue date to the due date (BT-9)"),
    key("payment_terms", Takes::LongText, "", "In words, beside the due date (BT-20)"),
    key(
        "tax_category",
        Takes::Choice(&["S", "Z", "E", "AE", "K", "G", "O"]),
        "the rate card's `[[tax]]`",
        "Category of EN 16931: S standard, Z zero rated, E exempt, AE reverse charge, K within the EU, G export, O outside; S if only `tax_percent` is given",
    ),
    key("tax_percent", Takes::Decimal, "the rate card's with S, else 0", "Such as `\"19\"`"),
    key(
        "tax_exemption_reason",
        Takes::Text,
        "",
        "Why there is no tax (BT-120), such as `Reverse charge`; with E, AE, K, G and O",
    ),
    key("language", Takes::Choice(&["en", "de", "fr"]), "`en`", "Of its documents"),
    key(
        "group_by",
        Takes::Choices(&["org", "space", "app", "buildpack", "kind"]),
        "`[\"org\", \"space\"]`",
        "What its lines are grouped by, the outermost first; `[]`: nothing",
    ),
];

const OWNED: &[Key] = &[
    key("organizations", Takes::Organizations, "", "Orgs that always were and always will be its own"),
    key("spaces", Takes::Spaces, "", "Spaces that always are, whosever their org is"),
    key("labels", Takes::Labels, "", "Orgs and spaces with this label or annotation"),
];

pub(super) const OWNS: &[Key] = &[
    key("organization", Takes::Organization, "", "One of these three: what it owns"),
    key("space", Takes::Space, "", ""),
    key("label", Takes::Label, "", ""),
    key("from", Takes::Time, "always was", "From here: a date is midnight in the billing time zone"),
    key("to", Takes::Time, "for ever", "Until before here"),
];

/// For documents: a table of keys.
#[must_use]
pub fn key_table(keys: &[&[Key]]) -> String {
    let mut text = "| key | takes | left out | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for key in keys.iter().copied().flatten() {
        writeln!(text, "| `{}` | {} | {} | {} |", key.name, key.takes.told(), key.default, key.about)
            .expect("writing to a String never fails");
    }
    text
}
