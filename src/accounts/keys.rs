//! Every key that an accounts file may have, with its meaning: what the parser knows and the documentation lists.
//! Owns the names; reads nothing.

use crate::domain::codes::{Code, TAX_CATEGORIES};
use crate::invoicing::{GroupBy, Language};
use crate::keyed::{Described, Key, Takes, key};

/// Days to pay, where nothing is said.
pub(super) const PAYMENT_DAYS: u32 = 30;

/// Every table of keys, for documentation.
#[must_use]
pub fn tables() -> Vec<Described> {
    let described = |heading: &str, about, keys| Described { heading: heading.to_owned(), about, keys };
    vec![
        described("`[[account]]`", "One per account", account()),
        described("`[[account.owns]]`", "Below its account: what it owns for a time, or always", owns()),
        described("`[defaults]`", DEFAULTS, defaults()),
    ]
}

const DEFAULTS: &str = "Defaults for accounts, and for organizations in no account";

/// The keys of a file.
pub(super) fn file() -> Vec<Key> {
    vec![key("account", Takes::Tables(account), "One per account"), key("defaults", Takes::Table(defaults), DEFAULTS)]
}

/// The keys of an account.
fn account() -> Vec<Key> {
    [WHO, BUYER, REFERENCES, TERMS, OWNED].concat()
}

/// What `[defaults]` may have.
fn defaults() -> Vec<Key> {
    TERMS.to_vec()
}

fn owns() -> Vec<Key> {
    OWNS.to_vec()
}

const WHO: &[Key] = &[
    key(
        "id",
        Takes::Line,
        "Names it in the book, in rate cards and in commands: letters, digits, `-`, `_`, `.`; not to be changed once it has invoices",
    )
    .required(),
    key("name", Takes::Line, "As people call it").required(),
    key(
        "people",
        Takes::Forms(PERSON),
        "Who sees its final invoices and what it costs: the name of an `[[issuer]]` of the configuration, and the `sub` that it knows somebody by: of a UAA the user's guid, of its clients `client/` and their id; never an e-mail address, which may become another's",
    ),
];

const BUYER: &[Key] = &[
    key("legal_name", Takes::Line, "The buyer on documents (BT-44)").means("`name`"),
    key("address", Takes::Lines(3), "Street and house (BT-50, BT-51, BT-163)"),
    key("postal_code", Takes::Line, "BT-53"),
    key("city", Takes::Line, "BT-52"),
    key("region", Takes::Line, "State or province (BT-54)"),
    key("country", Takes::Code(Code::Country), "Two letters, such as `DE` (BT-55)"),
    key("vat_id", Takes::Code(Code::VatId), "Without spaces, such as `DE123456789` (BT-48)"),
    key("tax_number", Takes::Line, "The number at the tax office, if there is no VAT id"),
    key("registration", Takes::Line, "In a register of companies, such as `HRB 12345` (BT-47)"),
    key("contact", Takes::Line, "A person or department (BT-56)"),
    key("email", Takes::Code(Code::Email), "BT-58"),
    key("phone", Takes::Line, "BT-57"),
    key(
        "electronic_address",
        Takes::Code(Code::ElectronicAddress),
        "Where e-invoices go (BT-49): a scheme of the EAS list and the id in it, such as `0088:4012345000009`, `9930:DE123456789`, `0204:991-01234-44` or `EM:accounts@acme.example`",
    ),
];

const REFERENCES: &[Key] = &[
    key("purchase_order", Takes::Line, "BT-13"),
    key("cost_centre", Takes::Line, "The buyer's accounting reference (BT-19)"),
    key("buyer_reference", Takes::Line, "The buyer's own reference (BT-10), such as a Leitweg-ID"),
];

const LANGUAGES: [&str; 3] = [Language::English.code(), Language::German.code(), Language::French.code()];
const GROUPS: [&str; 5] = [
    GroupBy::Organization.name(),
    GroupBy::Space.name(),
    GroupBy::App.name(),
    GroupBy::Buildpack.name(),
    GroupBy::Kind.name(),
];

/// What `[defaults]` may have, too.
const TERMS: &[Key] = &[
    key(
        "currency",
        Takes::Code(Code::Currency),
        "Must be the rate card's, which is checked: nothing is converted",
    )
    .means("the rate card's"),
    key("payment_days", Takes::Whole { min: 0, max: 365 }, "From the issue date to the due date (BT-9)").means("30"),
    key("payment_terms", Takes::LongText, "In words, beside the due date (BT-20)"),
    key(
        "tax_category",
        Takes::Choice(&TAX_CATEGORIES),
        "Category of EN 16931: S standard, Z zero rated, E exempt, AE reverse charge, K within the EU, G export, O outside; S if only `tax_percent` is given",
    )
    .means("the rate card's `[[tax]]`"),
    key("tax_percent", Takes::Decimal, "Such as `\"19\"`").means("the rate card's with S, else 0"),
    key(
        "tax_exemption_reason",
        Takes::Line,
        "Why there is no tax (BT-120), such as `Reverse charge`; with E, AE, K, G and O",
    ),
    key("language", Takes::Choice(&LANGUAGES), "Of its documents").means("`en`"),
    key(
        "group_by",
        Takes::Choices(&GROUPS),
        "How its lines are grouped, outermost first; `[]`: not at all",
    )
    .means("`[\"org\", \"space\"]`"),
];

const PERSON: &str = "`ISSUER/SUB`";
const ORGANIZATION: &str = "`FOUNDATION/ORG`";
const SPACE: &str = "`FOUNDATION/ORG/SPACE` or `FOUNDATION/SPACE-GUID`";
const LABEL: &str = "`FOUNDATION: KEY = VALUE`";

const OWNED: &[Key] = &[
    key("organizations", Takes::Forms(ORGANIZATION), "Orgs that it always owns"),
    key("spaces", Takes::Forms(SPACE), "Spaces that it always owns, even if another account owns their org"),
    key("labels", Takes::Forms(LABEL), "It owns the orgs and spaces with this label or annotation"),
    key("owns", Takes::Tables(owns), "What it owns for a time, or always"),
];

const OWNS: &[Key] = &[
    key("organization", Takes::Form(ORGANIZATION), "One of these three: what it owns"),
    key("space", Takes::Form(SPACE), ""),
    key("label", Takes::Form(LABEL), ""),
    key("from", Takes::Time, "From here: a date is midnight in the billing time zone").means("always was"),
    key("to", Takes::Time, "Until before here").means("for ever"),
];
