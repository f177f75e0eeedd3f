//! Roles of people in one foundation, as read from its Cloud Controller: many people's in one request, each person's not
//! more often than need be, and never so often that the collector would be kept waiting.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::Mutex as AsyncMutex;

use crate::access::{CloudRole, Person, Reach};
use crate::clock::Clock;
use crate::cloud_controller::{ApiError, Client, GUIDS_PER_REQUEST, RequestLimit};
use crate::domain::Timestamp;
use crate::store::{Store, StoreError};

/// A role counts so long after it was read, however long Cloud Controller can't be asked.
const COUNTS_SECONDS: i64 = 15 * 60;
/// Of the requests that the foundation allows to one client, one in so many is for roles.
const ONE_IN: u64 = 10;
/// What Cloud Controller allows by default, where it doesn't say.
const DEFAULT_LIMIT: RequestLimit = RequestLimit { requests: 2000, within: Duration::from_hours(1) };
/// People whose roles are kept.
const KEPT: NonZeroUsize = NonZeroUsize::new(10_000).expect("it isn't zero");

/// Why somebody's roles aren't known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoRoles {
    /// A client whose id is a user's guid, whose roles it would have.
    IsAUser,
    /// Cloud Controller can't be asked, and why.
    Away(String),
    /// It was asked as often as may be.
    TooOften,
}

#[derive(Debug)]
pub(super) struct FoundationRoles {
    foundation: String,
    client: Client,
    clock: Clock,
    /// How old roles may be before they are read again, in seconds.
    every: i64,
    kept: Mutex<Kept>,
    /// Held by whoever asks: the others' guids go with the next request.
    asking: AsyncMutex<Option<Budget>>,
    /// The UAA of the onboarding is held to.
    pinned: OnceLock<()>,
}

#[derive(Debug)]
struct Kept {
    of: LruCache<(String, bool), Read>,
    /// Whose roles somebody waits for.
    wanted: BTreeSet<(String, bool)>,
    /// Of whom nothing could be read when they were asked about last: whoever waits for them doesn't ask again.
    failed: HashMap<(String, bool), NoRoles>,
}

#[derive(Clone, Debug)]
struct Read {
    roles: Vec<CloudRole>,
    /// It is a client's, and the guid a user's.
    is_a_user: bool,
    at: Timestamp,
}

/// Requests that may be sent: as many as are left, and more with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Budget {
    most: u64,
    /// In which so many more may be sent.
    within: i64,
    left: u64,
    counted_at: Timestamp,
}

impl Budget {
    fn new(limit: RequestLimit, now: Timestamp) -> Self {
        let most = (limit.requests / ONE_IN).max(1);
        let within = i64::try_from(limit.within.as_secs()).unwrap_or(i64::MAX).max(1);
        Self { most, within, left: most, counted_at: now }
    }

    /// Takes some, if there are so many.
    fn take(&mut self, requests: u64, now: Timestamp) -> bool {
        let passed = now.seconds_since(self.counted_at).clamp(0, self.within);
        let more = u64::try_from(passed).unwrap_or(0) * self.most / u64::try_from(self.within).unwrap_or(1);
        if more > 0 || now < self.counted_at {
            self.left = (self.left + more).min(self.most);
            self.counted_at = now;
        }
        let enough = self.left >= requests;
        if enough {
            self.left -= requests;
        }
        enough
    }
}

impl FoundationRoles {
    pub fn new(foundation: &str, client: Client, clock: Clock, every: Duration) -> Self {
        Self {
            foundation: foundation.to_owned(),
            client,
            clock,
            every: i64::try_from(every.as_secs()).unwrap_or(COUNTS_SECONDS).min(COUNTS_SECONDS),
            kept: Mutex::new(Kept { of: LruCache::new(KEPT), wanted: BTreeSet::new(), failed: HashMap::new() }),
            asking: AsyncMutex::new(None),
            pinned: OnceLock::new(),
        }
    }

    /// What a person's roles open.
    pub async fn reach(
        &self,
        person: &Person,
        whole_to_billing_managers: bool,
        store: &Store,
    ) -> Result<Reach, NoRoles> {
        let whose = (person.subject.clone(), person.is_client);
        let read = match self.read_within(&whose, self.every) {
            Some(read) => read,
            None => self.read(&whose, store).await?,
        };
        if read.is_a_user {
            return Err(NoRoles::IsAUser);
        }
        Ok(Reach::new(&self.foundation, &read.roles, whole_to_billing_managers))
    }

    /// What was read of somebody not longer ago than that.
    fn read_within(&self, whose: &(String, bool), seconds: i64) -> Option<Read> {
        let now = self.clock.now();
        let mut kept = self.kept();
        kept.of.get(whose).filter(|read| (0..seconds).contains(&now.seconds_since(read.at))).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads somebody's roles, and those of whoever waits, too.
    async fn read(&self, whose: &(String, bool), store: &Store) -> Result<Read, NoRoles> {
        {
            let mut kept = self.kept();
            kept.wanted.insert(whose.clone());
            kept.failed.remove(whose);
        }
        let mut budget = self.asking.lock().await;
        if let Some(read) = self.read_within(whose, self.every) {
            return Ok(read);
        }
        let failed = self.kept().failed.get(whose).cloned();
        let asked = match failed {
            Some(no) => Err(no),
            None => self.read_all_wanted(whose, &mut budget, store).await,
        };
        drop(budget);
        // What was read before counts for a while.
        let read = self.read_within(whose, COUNTS_SECONDS);
        let unknown = || asked.err().unwrap_or_else(|| NoRoles::Away("the answer has no such user".to_owned()));
        read.ok_or_else(unknown)
    }

    /// Asks about somebody and whoever else is wanted, as many as fit into a request.
    async fn read_all_wanted(
        &self,
        whose: &(String, bool),
        budget: &mut Option<Budget>,
        store: &Store,
    ) -> Result<(), NoRoles> {
        let wanted = {
            let mut kept = self.kept();
            let others = std::mem::take(&mut kept.wanted).into_iter().filter(|other| other != whose);
            let (now, later) = others.enumerate().partition::<Vec<_>, _>(|(at, _)| at + 1 < GUIDS_PER_REQUEST);
            kept.wanted = later.into_iter().map(|(_, other)| other).collect();
            now.into_iter().map(|(_, other)| other).chain([whose.clone()]).collect::<BTreeSet<_>>()
        };
        let asked = self.ask(&wanted, budget, store).await;
        if let Err(no) = &asked {
            if let NoRoles::Away(why) = no {
                tracing::warn!(foundation = self.foundation, "roles can't be read: {why}");
            }
            let mut kept = self.kept();
            // Of those who gave up waiting there is no end otherwise.
            if kept.failed.len() > KEPT.get() {
                kept.failed.clear();
            }
            kept.failed.extend(wanted.into_iter().map(|whose| (whose, no.clone())));
        }
        asked
    }

    async fn ask(
        &self,
        wanted: &BTreeSet<(String, bool)>,
        budget: &mut Option<Budget>,
        store: &Store,
    ) -> Result<(), NoRoles> {
        let away = |error: ApiError| NoRoles::Away(error.to_string());
        self.pin(store).await?;
        let budget = if let Some(budget) = budget {
            budget
        } else {
            let limit = self.client.request_limit().await.map_err(away)?;
            budget.insert(Budget::new(limit.unwrap_or(DEFAULT_LIMIT), self.clock.now()))
        };
        let clients: BTreeSet<String> =
            wanted.iter().filter(|(_, is_client)| *is_client).map(|(guid, _)| guid.clone()).collect();
        let requests = if clients.is_empty() { 1 } else { 2 };
        if !budget.take(requests, self.clock.now()) {
            return Err(NoRoles::TooOften);
        }
        let guids: BTreeSet<String> = wanted.iter().map(|(guid, _)| guid.clone()).collect();
        // Roles count from when they were asked for.
        let at = self.clock.now();
        let roles = self.client.roles(&guids).await.map_err(away)?;
        let users =
            if clients.is_empty() { BTreeSet::new() } else { self.client.users_among(&clients).await.map_err(away)? };
        let mut kept = self.kept();
        for (guid, is_client) in wanted {
            let roles = roles.get(guid).cloned().unwrap_or_default();
            let is_a_user = *is_client && users.contains(guid);
            kept.of.put((guid.clone(), *is_client), Read { roles, is_a_user, at });
        }
        Ok(())
    }

    /// Holds to the UAA that the foundation was onboarded with, if it was.
    async fn pin(&self, store: &Store) -> Result<(), NoRoles> {
        if self.pinned.get().is_some() {
            return Ok(());
        }
        let away = |error: StoreError| NoRoles::Away(error.to_string());
        let heads = store.foundations().await.map_err(away)?;
        let Some(head) = heads.iter().find(|head| head.name == self.foundation) else { return Ok(()) };
        if let Some(uaa) = store.uaa(head).await.map_err(away)? {
            self.client.pin_uaa(uaa);
            let _ = self.pinned.set(());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Budget;
    use crate::cloud_controller::RequestLimit;
    use crate::domain::Timestamp;

    #[test]
    fn a_tenth_of_what_is_allowed_is_for_roles() {
        let at = |seconds: i64| Timestamp::from_unix(1_000_000 + seconds);
        let limit = |requests| RequestLimit { requests, within: Duration::from_hours(1) };
        let mut budget = Budget::new(limit(100), at(0));
        assert!((0..10).all(|_| budget.take(1, at(0))));
        assert!(!budget.take(1, at(0)) && !budget.take(1, at(359)) && budget.take(1, at(360)));
        assert!(!budget.take(2, at(720)) && budget.take(2, at(1080)));
        // Never more than an hour's, whatever the clock says.
        let mut budget = Budget::new(limit(100), at(0));
        assert!(!budget.take(11, at(100_000)) && budget.take(10, at(100_000)));
        assert!(!budget.take(1, at(0)) && !budget.take(1, at(359)) && budget.take(1, at(360)));
        // One at least.
        let mut budget = Budget::new(limit(1), at(0));
        assert!(budget.take(1, at(0)) && !budget.take(1, at(3599)) && budget.take(1, at(3600)));
    }
}
