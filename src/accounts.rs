//! Who pays: accounts and the organizations that are theirs, of one foundation or of several.
//! Owns the accounts file; never looks at usage.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_spanned::Spanned;

use crate::domain::Guid;
use crate::domain::text::position;

/// Accounts by the organizations that are theirs. An organization that is nobody's is an account of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    accounts: BTreeMap<String, Account>,
    /// Account by foundation and organization, the latter's guid or name.
    organizations: BTreeMap<(String, String), String>,
}

/// Who gets one invoice a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Names it in the book.
    pub id: String,
    pub name: String,
    /// Where its organizations are: its usage is complete when it is in all of them.
    pub foundations: Vec<String>,
}

/// Something wrong with an accounts file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}\nhint: {hint}")]
pub struct AccountsProblem {
    pub file: String,
    pub line: usize,
    pub what: String,
    pub hint: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    account: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    name: String,
    organizations: Vec<Spanned<String>>,
}

impl Accounts {
    /// Reads an accounts file's text; `file` names it in problems.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<AccountsProblem>> {
        let problem = |offset: usize, what: String, hint| AccountsProblem {
            file: file.to_owned(),
            line: position(text, offset).line,
            what,
            hint,
        };
        let read: File = toml::from_str(text).map_err(|error| {
            let hint = "write [[account]] with id, name and organizations = [\"FOUNDATION/ORGANIZATION\"]";
            vec![problem(error.span().map_or(0, |span| span.start), error.message().to_owned(), hint)]
        })?;
        let mut problems = Vec::new();
        let mut accounts = Self::default();
        for entry in read.account {
            let (id, at) = (entry.id.get_ref().clone(), entry.id.span().start);
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
            if id.is_empty() || !id.chars().all(is_plain) {
                let hint = "an id is of letters, digits, `-`, `_` and `.`";
                problems.push(problem(at, format!("`{id}` is not an id"), hint));
            }
            if entry.organizations.is_empty() {
                let hint = "write organizations = [\"FOUNDATION/ORGANIZATION\"]";
                problems.push(problem(at, format!("account `{id}` has no organizations"), hint));
            }
            let mut account = Account { id: id.clone(), name: entry.name, foundations: Vec::new() };
            for organization in entry.organizations {
                let (text, at) = (organization.get_ref(), organization.span().start);
                let Some((foundation, name)) = text.split_once('/').filter(|(_, name)| !name.is_empty()) else {
                    let hint = "write FOUNDATION/ORGANIZATION, with the organization's name or guid";
                    problems.push(problem(at, format!("`{text}` names no organization"), hint));
                    continue;
                };
                if !account.foundations.iter().any(|known| known == foundation) {
                    account.foundations.push(foundation.to_owned());
                }
                let key = (foundation.to_owned(), name.to_owned());
                if let Some(other) = accounts.organizations.insert(key, id.clone()) {
                    let hint = "an organization is one account's";
                    problems.push(problem(at, format!("`{text}` is account `{other}`'s already"), hint));
                }
            }
            if accounts.accounts.insert(id.clone(), account).is_some() {
                problems.push(problem(at, format!("there are two accounts `{id}`"), "give each an id of its own"));
            }
        }
        if problems.is_empty() { Ok(accounts) } else { Err(problems) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether each organization is an account of its own.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The account of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// Every account.
    pub fn all(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Whose an organization is: by its guid, else by its name.
    #[must_use]
    pub fn of(&self, foundation: &str, guid: &Guid, name: Option<&str>) -> Option<&Account> {
        let by = |text: &str| self.organizations.get(&(foundation.to_owned(), text.to_owned()));
        by(&guid.to_string()).or_else(|| name.and_then(by)).and_then(|id| self.accounts.get(id))
    }
}

#[cfg(test)]
mod tests {
    use super::Accounts;
    use crate::domain::Guid;

    #[test]
    fn organizations_of_several_foundations_are_one_accounts() {
        let text = "[[account]]\nid = \"acme\"\nname = \"ACME\"\norganizations = [\"eu1/acme\", \"us1/g-1\"]\n";
        let accounts = Accounts::parse("accounts.toml", text).unwrap();
        let of = |foundation, guid, name| accounts.of(foundation, &Guid::new(guid), name).map(|account| &*account.id);
        assert_eq!(of("eu1", "x", Some("acme")), Some("acme"));
        assert_eq!(of("us1", "g-1", Some("other")), Some("acme"));
        // The same name in another foundation is somebody else's.
        assert_eq!(of("us1", "x", Some("acme")), None);
        assert_eq!(of("eu1", "x", None), None);
        assert_eq!(accounts.of("eu1", &Guid::new("x"), Some("acme")).unwrap().foundations, ["eu1", "us1"]);
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = "[[account]]\nid = \"a b\"\nname = \"A\"\norganizations = [\"eu1/x\", \"y\", \"z/\"]\n\
                    [[account]]\nid = \"c\"\nname = \"C\"\norganizations = [\"eu1/x\"]\n\
                    [[account]]\nid = \"c\"\nname = \"C\"\norganizations = []\n";
        let problems = Accounts::parse("a.toml", text).unwrap_err();
        let told: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.line, problem.what)).collect();
        assert_eq!(
            told,
            [
                "2: `a b` is not an id",
                "4: `y` names no organization",
                "4: `z/` names no organization",
                "8: `eu1/x` is account `a b`'s already",
                "10: account `c` has no organizations",
                "10: there are two accounts `c`",
            ]
        );
        for (text, line) in [("[[account]]\nid = \"a\"\n", 1), ("[[account]]\nid = 1\n", 2), ("[[acount]]\n", 1)] {
            let problems = Accounts::parse("a.toml", text).unwrap_err();
            assert_eq!((problems.len(), problems[0].line), (1, line), "{problems:?}");
        }
    }
}
