//! Rate cards from disk, with the hash that invoices name them by; and what an edit may not change.

use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::text::hexadecimal;
use crate::rate_card::{CardFile, Change, Problem, RateCard, Severity, Whom, parse, same_within};
use crate::store::{Store, StoreError, StoredCard, UsedCard};

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
    #[error("the rate card has {} problem(s): {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Wrong(Vec<Problem>),
    /// What it changes that is invoiced already, a line each.
    #[error(
        "the rate card changes what is invoiced already: {}\nhint: leave the old blocks as they were, and add new ones with a later `from`; what was invoiced wrongly is corrected by a credit note",
        .0.join("; ")
    )]
    Past(Vec<String>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Begins each file's text where a card is of several. TOML takes it for a comment.
const SEPARATOR: &str = "#: file ";

/// The text of a card, as it is on disk: of one file as it stands, of several one after the other.
///
/// # Errors
/// [`CardError::Read`].
pub fn read_text(path: &Path) -> Result<String, CardError> {
    let failed = |path: &Path, reason: String, hint| CardError::Read { file: path.display().to_string(), reason, hint };
    let one = |path: &Path| -> Result<String, CardError> {
        let bytes = std::fs::read(path).map_err(|error| {
            failed(path, error.to_string(), "set [billing] rates to a TOML file or a folder of them, or give one")
        })?;
        String::from_utf8(bytes).map_err(|_| failed(path, "it is not UTF-8 text".to_owned(), "save the file as UTF-8"))
    };
    if !path.is_dir() {
        return one(path);
    }
    let unread = |error: std::io::Error| failed(path, error.to_string(), "is it readable?");
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unread)? {
        let file = entry.map_err(unread)?.path();
        if file.extension().is_some_and(|ending| ending == "toml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(failed(path, "it has no .toml file".to_owned(), "put the card's files there"));
    }
    let mut text = String::new();
    for file in files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for part in [SEPARATOR, &name, "\n", &one(&file)?, "\n"] {
            text.push_str(part);
        }
    }
    Ok(text)
}

/// The files of a card's text; `path` names them.
fn files_of(path: &str, text: &str) -> Vec<CardFile> {
    if !text.starts_with(SEPARATOR) {
        return vec![CardFile { name: path.to_owned(), text: text.to_owned() }];
    }
    let mut files: Vec<CardFile> = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix(SEPARATOR) {
            Some(name) => {
                let name = format!("{}/{}", path.trim_end_matches('/'), name.trim_end());
                files.push(CardFile { name, text: String::new() });
            }
            None => files.last_mut().into_iter().for_each(|file| file.text.push_str(line)),
        }
    }
    files
}

impl Card {
    /// Reads a card from a file, or from a folder's `.toml` files; dates in it are midnights in `zone`.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn read(path: &Path, zone: Tz) -> Result<Self, CardError> {
        Self::parse(&path.display().to_string(), read_text(path)?, zone).map_err(CardError::Wrong)
    }

    /// From its text; `name` is for problems.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn parse(name: &str, text: String, zone: Tz) -> Result<Self, Vec<Problem>> {
        let (rates, problems) = parse(&files_of(name, &text), zone);
        let Some(rates) = rates else { return Err(problems) };
        let stored = StoredCard {
            hash: hash_of(&text),
            name: rates.name.clone(),
            currency: rates.currency.code().to_owned(),
            text,
        };
        let warnings = problems.into_iter().filter(|problem| problem.severity == Severity::Warning).collect();
        Ok(Self { rates, stored, warnings })
    }

    /// Refuses a card that changes a price at an instant that is invoiced already, for someone who was.
    ///
    /// # Errors
    /// [`CardError::Past`], [`CardError::Store`].
    pub async fn keeps_what_is_invoiced(&self, store: &Store) -> Result<(), CardError> {
        let mut changes: Vec<String> = Vec::new();
        for used in store.used_cards().await? {
            if used.card.hash == self.stored.hash {
                continue;
            }
            let zone: Tz = used.time_zone.parse().unwrap_or(Tz::UTC);
            let Ok(before) = Self::parse(&used.card.name, used.card.text.clone(), zone) else {
                tracing::warn!("the rate card of {} ({}) can't be read any more", used.number, used.card.hash);
                continue;
            };
            let concerns = |whom: &Whom| concerns(&used, whom);
            for change in same_within(&before.rates, &self.rates, used.period, concerns) {
                changes.push(describe(&used, &change));
            }
        }
        if changes.is_empty() { Ok(()) } else { Err(CardError::Past(changes)) }
    }
}

/// SHA-256 of a card's text, hexadecimal.
#[must_use]
pub fn hash_of(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

/// Whether someone who was invoiced is meant.
fn concerns(used: &UsedCard, whom: &Whom) -> bool {
    match whom {
        Whom::Everyone | Whom::OrganizationLabel(_) | Whom::SpaceLabel(_) => true,
        Whom::Account(account) => used.accounts.contains(account),
        Whom::Organization { foundation, organization } => used
            .organizations
            .iter()
            .any(|(of, guid, name)| of == foundation && (guid == organization || name.as_ref() == Some(organization))),
    }
}

fn describe(used: &UsedCard, change: &Change) -> String {
    let place = change.place.as_ref().map_or_else(|| "the card".to_owned(), ToString::to_string);
    let whom = if change.whom == Whom::Everyone { String::new() } else { format!(" for {}", change.whom) };
    let (before, after) = (change.before.as_deref().unwrap_or("nothing"), change.after.as_deref().unwrap_or("nothing"));
    let more = if used.invoices > 1 { format!(" and {} more", used.invoices - 1) } else { String::new() };
    format!(
        "{place}: `{}` of {}{whom} would be {after} instead of {before} in {}, which is invoiced ({}{more})",
        change.key, change.subject, used.month, used.number
    )
}
