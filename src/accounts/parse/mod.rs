//! Reads an accounts file; reports all problems at once, each with its place and a hint.
//! Owns what may stand in the file; never asks what there is in a foundation.

mod buyer;
mod owned;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono_tz::Tz;

use super::owners::Index;
use super::{Account, Accounts, Owned, Positions, Terms, keys};
use crate::domain::text::Position;
use crate::invoicing::Particulars;
use crate::keyed::{FilePosition, Keyed, Origin, Problem, Reader, party, sort};

pub(super) use owned::{looks_like_guid, overlap};

impl Accounts {
    /// Reads an accounts file's text; `file` names it in problems, and dates are midnights in `zone`.
    ///
    /// # Errors
    /// Every problem there is, in the order of the text.
    pub fn parse(file: &str, text: &str, zone: Tz) -> Result<Self, Vec<Problem>> {
        let reader = Reader::new(file, text);
        let mut unfit = Vec::new();
        let accounts = read(&reader, file, zone, &mut unfit);
        let mut problems = reader.take_problems();
        match accounts {
            Some(accounts) if problems.is_empty() => Ok(accounts),
            _ => {
                problems.extend(unfit);
                sort(&mut problems);
                Err(problems)
            }
        }
    }
}

/// What a file says; `None`: it isn't TOML. What keeps invoices from being final goes to `unfit`, too.
fn read(reader: &Reader<'_>, file: &str, zone: Tz, unfit: &mut Vec<Problem>) -> Option<Accounts> {
    let table = reader.document("[[account]]")?;
    let document = Keyed::new(reader, &table, keys::file(), "", zone);
    let defaults = document
        .sub_table("defaults")
        .map_or_else(Terms::default, |defaults| buyer::terms(&defaults, &Terms::default()));
    let accounts: Vec<Account> =
        document.tables("account").iter().filter_map(|keyed| account(keyed, &defaults, unfit)).collect();
    let of_file = OfFile { reader, file, zone };
    of_file.twice(&accounts);
    of_file.overlaps(&accounts);
    let accounts: BTreeMap<String, Account> =
        accounts.into_iter().map(|account| (account.id.clone(), account)).collect();
    Some(Accounts { file: file.to_owned(), zone, index: Index::new(&accounts), accounts, defaults })
}

/// An account, also if some of it is wrong: what is wrong between it and others is to be found at the same time.
fn account(keyed: &Keyed<'_>, defaults: &Terms, all_unfit: &mut Vec<Problem>) -> Option<Account> {
    let id = keyed.text("id");
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if let Some(id) = id.as_ref().filter(|id| !id.chars().all(is_plain)) {
        keyed.error("id", format!("`{id}` is not an id"), "an id is of letters, digits, `-`, `_` and `.`");
    }
    let name = keyed.text("name").unwrap_or_default();
    let buyer = party(keyed, "", keyed.text("legal_name").unwrap_or_else(|| name.clone()));
    let unfit = keyed.reader.take_unfit();
    all_unfit.extend(unfit.iter().cloned());
    let terms = buyer::terms(keyed, defaults);
    let (purchase_order, cost_centre) = (keyed.text("purchase_order"), keyed.text("cost_centre"));
    let buyer_reference = keyed.text("buyer_reference");
    let people = people(keyed);
    let told = keyed.reader.count();
    let owns = owned::owned(keyed);
    let id = id?;
    if owns.is_empty() && keyed.reader.count() == told {
        let hint = "write organizations = [\"FOUNDATION/ORG\"], spaces, labels or [[account.owns]]";
        keyed.error_here(format!("account `{id}` owns nothing"), hint);
    }
    let mut foundations: Vec<String> = Vec::new();
    for Owned { foundation, .. } in &owns {
        if !foundations.contains(foundation) {
            foundations.push(foundation.clone());
        }
    }
    let positions = Positions {
        account: Some(keyed.reader.position(&keyed.table.at)),
        keys: (keyed.table.entries.iter())
            .map(|entry| (entry.name.clone(), keyed.reader.position(&entry.at)))
            .collect(),
    };
    Some(Account {
        id,
        name,
        people,
        foundations,
        particulars: Particulars { buyer, purchase_order, cost_centre, buyer_reference, ..terms.particulars },
        tax: terms.tax,
        currency: terms.currency,
        owns,
        unfit,
        positions,
    })
}

/// Who sees what is an account's.
fn people(keyed: &Keyed<'_>) -> BTreeSet<String> {
    let mut people = BTreeSet::new();
    for (person, at) in keyed.texts("people") {
        let parts = person.split_once('/').filter(|(issuer, subject)| !issuer.is_empty() && !subject.is_empty());
        if parts.is_none() {
            let hint = "write ISSUER/SUB: the name of an [[issuer]], and whom it means by `sub`";
            keyed.reader.error(&at, format!("`{person}` is nobody that an issuer knows"), hint);
        } else if !people.insert(person.clone()) {
            keyed.reader.error(&at, format!("`people` has `{person}` twice"), "once is enough: remove one");
        }
    }
    people
}

/// What is wrong between accounts.
struct OfFile<'r> {
    reader: &'r Reader<'r>,
    file: &'r str,
    zone: Tz,
}

impl OfFile<'_> {
    fn error(&self, position: Position, message: String, hint: String) {
        self.reader.add(Problem::error(Origin::At(FilePosition::new(self.file, position)), message, hint));
    }

    /// Ids that several accounts have.
    fn twice(&self, accounts: &[Account]) {
        let mut firsts: HashMap<&str, &Account> = HashMap::new();
        for account in accounts {
            let Some(position) = account.position_of("id") else { continue };
            if let Some(first) = firsts.insert(&account.id, account) {
                let line = first.position_of("id").map_or(0, |position| position.line);
                let message = format!("there are two accounts `{}`; the first is on line {line}", account.id);
                self.error(position, message, "give each its own id".to_owned());
            }
        }
    }
}
