//! Rate cards from disk, with the hash that invoices name them by; and what an edit may not change.

use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::text::{NotText, hexadecimal, marked_text_of};
use crate::domain::{Month, Span, Timestamp};
use crate::keyed::{FilePosition, Problem, Severity};
use crate::rate_card::{self, CardFile, Change, RateCard, What, Whom, changes_within, parse};
use crate::store::{Store, StoreError, StoredCard, UsedBy, UsedFor};

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
    /// What it changes that is invoiced already.
    #[error("the rate card would change what is already invoiced: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Past(Vec<Problem>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Begins each file's text where a card is of several. TOML takes it for a comment.
const SEPARATOR: &str = "#: cf-billing file of a card: ";

/// What to do about a file that can't be read; `otherwise`, unless it is that the service's user may not.
pub(super) fn unread_hint(error: &std::io::Error, otherwise: &'static str) -> &'static str {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        "the service's user must be able to read it: chgrp cf-billing, mode 0640"
    } else {
        otherwise
    }
}

/// The text of a card, as it is on disk: of one file as it stands, of several one after the other.
///
/// # Errors
/// [`CardError::Read`].
pub fn read_text(path: &Path) -> Result<String, CardError> {
    let failed = |path: &Path, reason: String, hint| CardError::Read { file: path.display().to_string(), reason, hint };
    let one = |path: &Path| -> Result<String, CardError> {
        let bytes = std::fs::read(path).map_err(|error| {
            let hint = unread_hint(&error, "set [billing] rates to a TOML file or a folder of them, or give one");
            failed(path, error.to_string(), hint)
        })?;
        marked_text_of(bytes).map_err(|error| failed(path, error.to_string(), NotText::HINT))
    };
    if !path.is_dir() {
        return one(path);
    }
    let unread = |error: std::io::Error| failed(path, error.to_string(), "is it readable?");
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unread)? {
        let file = entry.map_err(unread)?.path();
        // Editors keep locks and backups beside what they edit.
        let is_hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && file.is_file() && file.extension().is_some_and(|ending| ending == "toml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(failed(path, "it holds no .toml file".to_owned(), "put the card's files there"));
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

    /// What a text says, as far as it can be understood, and everything that is wrong with it.
    #[must_use]
    pub fn look(name: &str, text: &str, zone: Tz) -> (Option<RateCard>, Vec<Problem>) {
        rate_card::read(&files_of(name, text), zone)
    }

    /// Refuses a card that changes a price at an instant that is invoiced already, for someone who was.
    ///
    /// # Errors
    /// [`CardError::Past`], [`CardError::Store`].
    pub async fn keeps_what_is_invoiced(&self, store: &Store) -> Result<(), CardError> {
        // The same change in several months is one problem.
        let mut changes: Vec<(Change, Vec<Touched>)> = Vec::new();
        for used in store.used_cards().await? {
            if used.card.hash == self.stored.hash {
                continue;
            }
            let Ok(before) = Self::parse("the card in use", used.card.text.clone(), used.time_zone) else {
                let (month, hash) = (used.month, &used.card.hash);
                tracing::warn!("can't read the rate card of {month} ({hash}) any longer");
                continue;
            };
            let changed = changes_within(&before.rates, &self.rates, used.period);
            // What is compared by a mended card since may be priced as that has it, too.
            let mut mended: Vec<String> = Vec::new();
            for hash in used.invoices.iter().map(|invoice| &invoice.compared_by) {
                if *hash != used.card.hash
                    && !mended.contains(hash)
                    && self.prices_as(store, hash, used.time_zone, used.period).await?
                {
                    mended.push(hash.clone());
                }
            }
            for change in changed {
                let concerned =
                    |invoice: &&UsedBy| concerns(invoice, &change) && !mended.contains(&invoice.compared_by);
                let invoices = used.invoices.iter().filter(concerned);
                let numbers: Vec<String> = invoices.map(|invoice| invoice.number.clone()).collect();
                if numbers.is_empty() || same_tax(&before.rates, &self.rates, &change, used.period) {
                    continue;
                }
                let touched = Touched { month: used.month, end: used.period.to, numbers };
                match changes.iter_mut().find(|(known, _)| is_same(known, &change)) {
                    Some((_, touches)) => touches.push(touched),
                    None => changes.push((change, vec![touched])),
                }
            }
        }
        let place = self.rates.rates.first().map_or_else(FilePosition::nowhere, |rate| rate.place.clone());
        let problems: Vec<Problem> =
            changes.iter().map(|(change, touched)| describe(change, touched, &place)).collect();
        if problems.is_empty() { Ok(()) } else { Err(CardError::Past(problems)) }
    }
}

impl Card {
    /// Whether a kept card says the same within a period.
    async fn prices_as(&self, store: &Store, hash: &str, zone: Tz, period: Span) -> Result<bool, CardError> {
        if self.stored.hash == hash {
            return Ok(true);
        }
        let Some(kept) = store.card(hash).await? else { return Ok(false) };
        let kept = Self::parse("a card in use", kept.text, zone);
        Ok(kept.is_ok_and(|kept| changes_within(&kept.rates, &self.rates, period).is_empty()))
    }
}

/// A month in which a change would count, and the invoices that it would be of.
struct Touched {
    month: Month,
    end: Timestamp,
    numbers: Vec<String>,
}

/// Whether two changes say the same, whatever they are within.
fn is_same(one: &Change, two: &Change) -> bool {
    let of = |change: &Change| (change.subject.clone(), change.matcher.clone(), change.key.clone());
    of(one) == of(two) && (&one.before, &one.after) == (&two.before, &two.after)
}

/// A tax counts as it is at a month's end, whatever it was before.
fn same_tax(before: &RateCard, after: &RateCard, change: &Change, period: Span) -> bool {
    let of = |card: &RateCard| card.tax_of(period).map(|tax| (tax.name.clone(), tax.category.clone(), tax.percent));
    change.subject == "tax" && of(before) == of(after)
}

/// SHA-256 of a card's text, hexadecimal.
#[must_use]
pub fn hash_of(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

/// Whether something on an invoice is meant. What a line doesn't tell (labels, process types, guids of buildpacks)
/// counts as meant.
fn concerns(invoice: &UsedBy, change: &Change) -> bool {
    let of_account = match &change.matcher.whom {
        Whom::Everyone | Whom::OrganizationLabel(_) | Whom::SpaceLabel(_) => true,
        Whom::Account(account) => invoice.account == *account,
        Whom::Organization { foundation, organization } => invoice.used.iter().any(|used| {
            used.foundation == *foundation
                && (used.organization == *organization || used.organization_name.as_ref() == Some(organization))
        }),
    };
    let Some(kind) = change.kind else { return of_account };
    let is_meant = |used: &UsedFor| {
        let of_plan = |what: &What| match what {
            What::PlanGuid(guid) => used.plan.as_deref() == Some(&guid.to_string()),
            What::PlanName { offering, plan } | What::PlanOf { offering, plan, .. } => {
                used.offering_name.as_ref() == Some(offering) && used.plan_name.as_ref() == Some(plan)
            }
            What::Broker(_) => used.plan.is_some(),
            What::Offering(offering) | What::OfferingOf { offering, .. } => {
                used.offering_name.as_ref() == Some(offering)
            }
            What::UserProvided => used.plan.is_none(),
            _ => true,
        };
        let of_buildpack = match &change.matcher.what {
            What::WithoutBuildpack => used.buildpack.is_none(),
            What::BuildpackPattern(pattern) => used.buildpack.as_ref().is_some_and(|name| pattern.matches(name)),
            What::Buildpack(name) => used.buildpack.as_ref() == Some(name),
            What::BuildpackGuid(_) => used.buildpack.is_some(),
            what => of_plan(what),
        };
        used.kind == kind && of_buildpack
    };
    of_account && invoice.used.iter().any(is_meant)
}

fn describe(change: &Change, touched: &[Touched], place: &FilePosition) -> Problem {
    let whom = &change.matcher.whom;
    let whom = if *whom == Whom::Everyone { String::new() } else { format!(" for {whom}") };
    let nothing = || "nothing".to_owned();
    let before = change.before.clone().unwrap_or_else(nothing);
    let after = change.after.clone().unwrap_or_else(nothing);
    let months: Vec<String> = touched.iter().map(|touched| touched.month.to_string()).collect();
    let numbers: Vec<&String> = touched.iter().flat_map(|touched| &touched.numbers).collect();
    let more = if numbers.len() > 1 { format!(" and {} more", numbers.len() - 1) } else { String::new() };
    let message = format!(
        "`{}` of {}{whom} would be {after} instead of {before} in {}, invoiced as {}{more}",
        change.key,
        change.subject,
        months.join(", "),
        numbers.first().map_or("", |number| number.as_str())
    );
    let end = touched.iter().map(|touched| touched.end).max().unwrap_or(Timestamp::MAX);
    let hint = if change.subject == "card" {
        format!(
            "the `{}` of a card that invoices were made with can't change: begin another database for another one",
            change.key
        )
    } else if change.before.is_none() {
        format!("give the new block `from = {end}` or later")
    } else {
        format!(
            "leave the block as it was, and add one with `from = {end}` or later; correct wrong invoices by credit notes"
        )
    };
    let in_card = change.place.as_ref().filter(|_| change.after.is_some()).unwrap_or(place);
    Problem::at(in_card, Severity::Error, message, hint)
}
