//! The languages of documents: every word that they show, and how each writes numbers and dates.
//! Owns wording and formats; never decides what a document says.

mod countries;
mod dates;
mod english;
mod french;
mod german;
mod numbers;
mod texts;

use crate::invoicing::Language;

pub use countries::country_name;
pub use texts::{Counted, Texts};

/// A language with its words and its way of writing numbers and dates.
#[derive(Clone, Copy, Debug)]
pub struct Locale {
    language: Language,
    pub texts: &'static Texts,
}

impl Locale {
    /// Of a language.
    #[must_use]
    pub const fn of(language: Language) -> Self {
        let texts = match language {
            Language::English => &english::TEXTS,
            Language::German => &german::TEXTS,
            Language::French => &french::TEXTS,
        };
        Self { language, texts }
    }

    /// Which it is.
    #[must_use]
    pub const fn language(self) -> Language {
        self.language
    }
}
