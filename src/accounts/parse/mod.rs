//! Reads an accounts file; reports all problems at once, each with its line and a hint.
//! Owns what may stand in the file; never asks what there is in a foundation.

mod buyer;
mod owned;
mod values;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use chrono_tz::Tz;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{ACCOUNT, Key, TERMS};
use super::owners::Index;
use super::{Account, Accounts, AccountsProblem, Lines, Owned, Severity, Terms};
use crate::domain::text::did_you_mean;
use crate::invoicing::Particulars;

/// Days to pay, where nothing is said.
pub(super) const PAYMENT_DAYS: u32 = 30;

pub(super) use owned::{looks_like_guid, overlap};

type Value<'a> = Spanned<DeValue<'a>>;

impl Accounts {
    /// Reads an accounts file's text; `file` names it in problems, and dates are midnights in `zone`.
    ///
    /// # Errors
    /// Every problem there is, in the order of the text.
    pub fn parse(file: &str, text: &str, zone: Tz) -> Result<Self, Vec<AccountsProblem>> {
        let newlines = text.match_indices('\n').map(|(at, _)| at).collect();
        let mut parser =
            Parser { file, text, newlines, zone, problems: Vec::new(), unfit: Vec::new(), all_unfit: Vec::new() };
        let accounts = parser.file();
        let mut problems = parser.problems;
        match accounts {
            Some(accounts) if problems.is_empty() => Ok(accounts),
            _ => {
                problems.extend(parser.all_unfit);
                problems.sort_by_key(|problem| problem.line);
                Err(problems)
            }
        }
    }
}

/// Where the value of a key stands.
fn span_of(table: &DeTable<'_>, key: &str) -> Range<usize> {
    table.get(key).map_or(0..0, Spanned::span)
}

struct Parser<'a> {
    file: &'a str,
    text: &'a str,
    /// Where they stand: large files have many places to tell.
    newlines: Vec<usize>,
    zone: Tz,
    problems: Vec<AccountsProblem>,
    /// What keeps invoices of the account that is being read from being final.
    unfit: Vec<AccountsProblem>,
    /// Of all accounts.
    all_unfit: Vec<AccountsProblem>,
}

impl<'a> Parser<'a> {
    fn line(&self, span: &Range<usize>) -> usize {
        1 + self.newlines.partition_point(|newline| *newline < span.start)
    }

    fn problem(&self, span: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) -> AccountsProblem {
        let (line, file) = (Some(self.line(span)), self.file.to_owned());
        AccountsProblem { severity: Severity::Error, file, line, what: what.into(), hint: hint.into() }
    }

    fn error(&mut self, span: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) {
        let problem = self.problem(span, what, hint);
        self.problems.push(problem);
    }

    /// What only keeps the account's invoices from being final: no usage is lost for it, and no draft.
    fn unfit(&mut self, span: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) {
        let problem = self.problem(span, what, hint);
        self.unfit.push(problem);
    }

    fn file(&mut self) -> Option<Accounts> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.error(&span, error.message(), "TOML: [[account]], then key = \"value\", a line each");
        }
        if !self.problems.is_empty() {
            // What follows would be guessed from half a file.
            return None;
        }
        let table = table.into_inner();
        for (key, _) in &table {
            let (name, known) = (key.get_ref().as_ref(), ["account", "defaults"]);
            if !known.contains(&name) {
                let near = did_you_mean(name, known.into_iter());
                self.error(
                    &key.span(),
                    format!("unknown key `{name}`"),
                    near.unwrap_or_else(|| "an accounts file has [[account]] and [defaults]".to_owned()),
                );
            }
        }
        let defaults = match table.get("defaults").map(|value| (value, value.get_ref())) {
            None => Terms::default(),
            Some((_, DeValue::Table(table))) => {
                self.unknown_keys(table, &[TERMS], &[], "`defaults`");
                self.terms(table, &Terms::default())
            }
            Some((value, _)) => {
                self.error(&value.span(), "`defaults` is not a table", "write [defaults]");
                Terms::default()
            }
        };
        let accounts = match table.get("account").map(|value| (value, value.get_ref())) {
            None => Vec::new(),
            Some((_, DeValue::Array(items))) => items.iter().filter_map(|item| self.account(item, &defaults)).collect(),
            Some((value, _)) => {
                self.error(&value.span(), "`account` is not a list", "write [[account]]");
                Vec::new()
            }
        };
        self.twice(&accounts);
        self.overlaps(&accounts);
        let accounts: BTreeMap<String, Account> =
            accounts.into_iter().map(|account| (account.id.clone(), account)).collect();
        Some(Accounts { file: self.file.to_owned(), zone: self.zone, index: Index::new(&accounts), accounts, defaults })
    }

    fn unknown_keys(&mut self, table: &DeTable<'a>, keys: &[&[Key]], more: &[&str], of: &str) {
        let known: Vec<&str> = keys.iter().copied().flatten().map(|key| key.name).chain(more.iter().copied()).collect();
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let near = did_you_mean(name, known.iter().copied());
                let hint = near.unwrap_or_else(|| format!("{of} has: {}", known.join(", ")));
                self.error(&key.span(), format!("unknown key `{name}` in {of}"), hint);
            }
        }
    }

    fn account(&mut self, item: &Value<'a>, defaults: &Terms) -> Option<Account> {
        let DeValue::Table(table) = item.get_ref() else {
            self.error(&item.span(), "`account` is not a list of tables", "write [[account]]");
            return None;
        };
        self.unknown_keys(table, &ACCOUNT, &["owns"], "`account`");
        let id = self.id(table, item);
        let name = self.required(table, item, "name", "ACME");
        let name = name.and_then(|value| self.text_of("name", value)).unwrap_or_default();
        let buyer = self.buyer(table, &name);
        let mut unfit = std::mem::take(&mut self.unfit);
        unfit.sort_by_key(|problem| problem.line);
        self.all_unfit.extend(unfit.iter().cloned());
        let terms = self.terms(table, defaults);
        let (purchase_order, cost_centre) = (self.text(table, "purchase_order"), self.text(table, "cost_centre"));
        let buyer_reference = self.text(table, "buyer_reference");
        let told = self.problems.len();
        let owns = self.owned(table);
        let id = id?;
        if owns.is_empty() && self.problems.len() == told {
            let hint = "write organizations = [\"FOUNDATION/ORG\"], spaces, labels or [[account.owns]]";
            self.error(&item.span(), format!("account `{id}` owns nothing"), hint);
        }
        let mut foundations: Vec<String> = Vec::new();
        for Owned { foundation, .. } in &owns {
            if !foundations.contains(foundation) {
                foundations.push(foundation.clone());
            }
        }
        let keys = table.iter().map(|(key, _)| (key.get_ref().to_string(), self.line(&key.span())));
        let lines = Lines { account: Some(self.line(&item.span())), keys: keys.collect() };
        Some(Account {
            id,
            name,
            foundations,
            particulars: Particulars { buyer, purchase_order, cost_centre, buyer_reference, ..terms.particulars },
            tax: terms.tax,
            currency: terms.currency,
            owns,
            unfit,
            lines,
        })
    }

    fn id(&mut self, table: &DeTable<'a>, item: &Value<'a>) -> Option<String> {
        let value = self.required(table, item, "id", "acme")?;
        let id = self.text_of("id", value)?;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if !id.chars().all(is_plain) {
            self.error(&value.span(), format!("`{id}` is not an id"), "an id is of letters, digits, `-`, `_` and `.`");
        }
        Some(id)
    }

    fn required<'table>(
        &mut self,
        table: &'table DeTable<'a>,
        whole: &Value<'a>,
        key: &str,
        example: &str,
    ) -> Option<&'table Value<'a>> {
        let value = table.get(key);
        if value.is_none() {
            self.error(&whole.span(), format!("`{key}` is missing"), format!("write {key} = \"{example}\""));
        }
        value
    }

    /// Ids that several accounts have.
    fn twice(&mut self, accounts: &[Account]) {
        let mut lines: HashMap<&str, usize> = HashMap::new();
        for account in accounts {
            let line = account.line_of("id").unwrap_or_default();
            if let Some(first) = lines.insert(&account.id, line) {
                self.problems.push(AccountsProblem {
                    severity: Severity::Error,
                    file: self.file.to_owned(),
                    line: Some(line),
                    what: format!("there are two accounts `{}`; the first is on line {first}", account.id),
                    hint: "give each an id of its own".to_owned(),
                });
            }
        }
    }
}
