//! Codes that people copy from papers: countries, VAT ids, bank accounts, addresses. One rule each, for seller and buyers alike.
//! Owns what is a code, and what was meant instead; never says whose it is, nor whether it was given out.

mod address;
mod bank;
mod country;
mod currency;
mod tax;
mod vat_id;

pub(crate) use address::{electronic_address, email, is_scheme, scheme_and_id};
pub(crate) use bank::{bic, iban};
pub(crate) use country::{country, is_country};
pub(crate) use currency::currency;
pub(crate) use tax::{TAX_CATEGORIES, tax_percent};
pub(crate) use vat_id::{vat_id, vat_id_is_of};

/// A kind of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// ISO 3166-1.
    Country,
    /// ISO 4217.
    Currency,
    /// With its country's letters.
    VatId,
    Email,
    /// `SCHEME:ID` of the EAS list.
    ElectronicAddress,
    /// ISO 13616.
    Iban,
    /// ISO 9362.
    Bic,
}

impl Code {
    /// What it is, for people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Country => "ISO 3166-1 code",
            Self::Currency => "ISO 4217 code",
            Self::VatId => "VAT id",
            Self::Email => "email address",
            Self::ElectronicAddress => "`SCHEME:ID`",
            Self::Iban => "IBAN",
            Self::Bic => "BIC",
        }
    }

    /// One, as an example.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Country => "DE",
            Self::Currency => "EUR",
            Self::VatId => "DE123456789",
            Self::Email => "accounts@acme.example",
            Self::ElectronicAddress => "EM:accounts@acme.example",
            Self::Iban => "DE89370400440532013000",
            Self::Bic => "COBADEFFXXX",
        }
    }

    /// As it is kept: papers show an IBAN in groups of four.
    #[must_use]
    pub fn plain(self, text: &str) -> String {
        if self == Self::Iban { text.replace(' ', "") } else { text.to_owned() }
    }

    /// Checks a code.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn check(self, text: &str) -> Result<(), Wrong> {
        match self {
            Self::Country => country(text),
            Self::Currency => currency(text).map(|_| ()),
            Self::VatId => vat_id(text),
            Self::Email => email(text),
            Self::ElectronicAddress => scheme_and_id(text).map(|_| ()),
            Self::Iban => iban(text),
            Self::Bic => bic(text),
        }
    }
}

/// What is wrong with a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// With the code in backticks.
    pub what: String,
    /// The code that was meant, if that can be told.
    pub meant: Option<String>,
    /// How such codes look.
    pub form: String,
}

impl Wrong {
    /// What is wrong, and how it should look.
    #[must_use]
    pub fn new(what: impl Into<String>, form: impl Into<String>) -> Self {
        Self { what: what.into(), meant: None, form: form.into() }
    }

    /// As this, with the code that was meant.
    #[must_use]
    pub fn meaning(self, meant: Option<String>) -> Self {
        Self { meant, ..self }
    }

    /// What to do about it, where it is the value of `key`.
    #[must_use]
    pub fn hint(&self, key: &str) -> String {
        self.meant.as_ref().map_or_else(|| self.form.clone(), |meant| format!("write {key} = \"{meant}\""))
    }
}

/// Whether a text has a form: `#` a digit, `@` a capital letter, `?` either, anything else itself.
fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(letter, of)| match of {
            b'#' => letter.is_ascii_digit(),
            b'@' => letter.is_ascii_uppercase(),
            b'?' => letter.is_ascii_digit() || letter.is_ascii_uppercase(),
            other => letter == other,
        })
}

/// What a number in digits and letters leaves when it is divided by 97, letters being 10 to 35 (ISO 7064); `None` if
/// anything else is in it.
fn mod_97(letters: impl Iterator<Item = char>) -> Option<u32> {
    let mut rest = 0;
    for letter in letters {
        let digit = letter.to_digit(36)?;
        rest = (rest * if digit > 9 { 100 } else { 10 } + digit) % 97;
    }
    Some(rest)
}
