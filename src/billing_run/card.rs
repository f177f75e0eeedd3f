//! Rate cards from disk, with the hash that invoices name them by.

use std::path::Path;

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::text::hexadecimal;
use crate::rate_card::{Problem, RateCard, Severity, parse};
use crate::store::StoredCard;

/// A card and its text.
#[derive(Clone, Debug)]
pub struct Card {
    pub rates: RateCard,
    pub stored: StoredCard,
    /// What is odd about it, but doesn't keep it from use.
    pub warnings: Vec<Problem>,
}

/// Why a card can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    #[error("can't read the rate card `{file}`: {reason}\nhint: {hint}")]
    Read { file: String, reason: String, hint: &'static str },
    /// Everything that is wrong with it.
    #[error("the rate card has {} problem(s)", .0.len())]
    Wrong(Vec<Problem>),
}

impl Card {
    /// Reads a card; dates in it are midnights in `zone`.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn read(file: &Path, zone: Tz) -> Result<Self, CardError> {
        let name = file.display().to_string();
        let failed = |reason: String, hint| CardError::Read { file: name.clone(), reason, hint };
        let bytes = std::fs::read(file)
            .map_err(|error| failed(error.to_string(), "set [billing] rates to a TOML file, or give the file"))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| failed("it is not UTF-8 text".to_owned(), "save the file as UTF-8"))?;
        Self::parse(&name, text, zone).map_err(CardError::Wrong)
    }

    /// From its text; `name` is for problems.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn parse(name: &str, text: String, zone: Tz) -> Result<Self, Vec<Problem>> {
        let (rates, problems) = parse(name, &text, zone);
        let Some(rates) = rates else { return Err(problems) };
        let hash = hexadecimal(&Sha256::digest(text.as_bytes()));
        let stored = StoredCard { hash, name: rates.name.clone(), currency: rates.currency.code().to_owned(), text };
        let warnings = problems.into_iter().filter(|problem| problem.severity == Severity::Warning).collect();
        Ok(Self { rates, stored, warnings })
    }
}
