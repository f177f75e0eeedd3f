//! Which account somebody means: an id always wins over a name, and a name that two accounts have is never guessed.

use std::collections::BTreeSet;

use super::{BillingError, BillingRun};
use crate::accounts::{Account, Accounts};
use crate::domain::Month;
use crate::store::Store;

/// What somebody said, and whom it can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// The account of that id.
    Id(String),
    /// No account's id: the ids of those known by that name so far. Usage may tell of more.
    Name { name: String, ids: BTreeSet<String> },
}

impl Meant {
    /// Of an id or a name: what the accounts file says, and the book; of one month if one is given.
    ///
    /// # Errors
    /// [`BillingError`].
    pub async fn find(
        store: &Store,
        accounts: &Accounts,
        reference: &str,
        month: Option<Month>,
    ) -> Result<Self, BillingError> {
        if accounts.get(reference).is_some() || store.has_account(reference).await? {
            return Ok(Self::Id(reference.to_owned()));
        }
        let mut ids = store.accounts_called(reference, month).await?;
        ids.extend(accounts.all().filter(|account| account.name == reference).map(|account| account.id.clone()));
        Ok(Self::Name { name: reference.to_owned(), ids })
    }

    /// The one account's id; `None`: nobody is known by that.
    ///
    /// # Errors
    /// [`BillingError::SeveralAccounts`].
    pub fn one(&self) -> Result<Option<&str>, BillingError> {
        match self {
            Self::Id(id) => Ok(Some(id)),
            Self::Name { name, ids } if ids.len() > 1 => {
                Err(BillingError::SeveralAccounts { name: name.clone(), ids: ids.iter().cloned().collect() })
            }
            Self::Name { ids, .. } => Ok(ids.first().map(String::as_str)),
        }
    }

    /// Whether it can be that account.
    pub(super) fn may_be(&self, account: &Account) -> bool {
        self.may_be_called(&account.id, Some(&account.name))
    }

    pub(super) fn may_be_called(&self, id: &str, name: Option<&str>) -> bool {
        match self {
            Self::Id(meant) => meant == id,
            Self::Name { name: meant, ids } => meant == id || name == Some(meant) || ids.contains(id),
        }
    }

    /// After usage told whom else it can be: only one may be left.
    ///
    /// # Errors
    /// [`BillingError::SeveralAccounts`].
    pub(super) fn among<'a>(&self, found: impl Iterator<Item = &'a String>) -> Result<Option<String>, BillingError> {
        let Self::Name { name, ids } = self else { return Ok(self.one()?.map(str::to_owned)) };
        let mut ids = ids.clone();
        for id in found {
            if id == name {
                return Ok(Some(id.clone()));
            }
            ids.insert(id.clone());
        }
        let all = Self::Name { name: name.clone(), ids };
        Ok(all.one()?.map(str::to_owned))
    }
}

impl BillingRun<'_> {
    pub(super) async fn meant(&self, account: Option<&str>, month: Month) -> Result<Option<Meant>, BillingError> {
        match account {
            None => Ok(None),
            Some(account) => Ok(Some(Meant::find(self.store, &self.accounts, account, Some(month)).await?)),
        }
    }
}
