//! Roles of people in one foundation, as read from its Cloud Controller: many people's in one request, each person's not
//! more often than need be, and never so often that the collector would be kept waiting.

use std::collections::{BTreeSet, VecDeque};
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
/// So many at most, whatever is allowed.
const MOST_REQUESTS: usize = 10_000;
/// A limit is asked for again after so long.
const LIMIT_SECONDS: i64 = 3600;
/// Nobody waits longer for roles.
const LONGEST: Duration = Duration::from_secs(5);
/// After a failure nobody tries again for so long.
const AFTER_FAILURE_SECONDS: i64 = 5;
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
    asking: AsyncMutex<Asking>,
    /// The UAA of the onboarding is held to.
    pinned: OnceLock<()>,
}

/// What whoever asks goes by.
#[derive(Debug)]
struct Asking {
    budget: Budget,
    /// When it was last asked which limit the foundation has.
    limit_asked_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Kept {
    of: LruCache<(String, bool), Read>,
    /// Whose roles somebody waits for.
    wanted: BTreeSet<(String, bool)>,
    /// When a request failed, and why: for a moment nobody tries again.
    failed: Option<(Timestamp, String)>,
}

#[derive(Clone, Debug)]
struct Read {
    roles: Vec<CloudRole>,
    /// It is a client's, and the guid a user's.
    is_a_user: bool,
    at: Timestamp,
}

/// Requests that may be sent: within any time of the limit's length no more than its part. Half of them whenever they are wanted,
/// the others evenly over that time, so that none are left for nobody.
#[derive(Clone, Debug)]
struct Budget {
    most: usize,
    /// In seconds.
    within: i64,
    /// When each was sent, the newest last.
    sent: VecDeque<Timestamp>,
}

impl Budget {
    fn new(limit: RequestLimit) -> Self {
        let mut budget = Self { most: 1, within: 1, sent: VecDeque::new() };
        budget.limit(limit);
        budget
    }

    /// Those that were sent count under another limit, too.
    fn limit(&mut self, limit: RequestLimit) {
        self.within = i64::try_from(limit.within.as_secs()).unwrap_or(i64::MAX).max(1);
        self.most = usize::try_from(limit.requests / ONE_IN).unwrap_or(usize::MAX).clamp(1, MOST_REQUESTS);
    }

    /// Whether one may be sent.
    fn allows(&mut self, now: Timestamp) -> bool {
        // What is from the future is of a clock that was set back.
        self.sent.retain(|at| (0..self.within).contains(&now.seconds_since(*at)));
        let at_once = self.most / 2;
        if self.sent.len() < at_once {
            return true;
        }
        let between = self.within / i64::try_from(self.most - at_once + 1).unwrap_or(i64::MAX).max(1);
        self.sent.len() < self.most && self.sent.back().is_none_or(|last| now.seconds_since(*last) >= between)
    }

    /// So many were sent.
    fn count(&mut self, requests: u64, now: Timestamp) {
        self.sent.extend((0..requests).map(|_| now));
    }
}

impl FoundationRoles {
    pub fn new(foundation: &str, client: Client, clock: Clock, every: Duration) -> Self {
        Self {
            foundation: foundation.to_owned(),
            client,
            clock,
            every: i64::try_from(every.as_secs()).unwrap_or(COUNTS_SECONDS).min(COUNTS_SECONDS),
            kept: Mutex::new(Kept { of: LruCache::new(KEPT), wanted: BTreeSet::new(), failed: None }),
            asking: AsyncMutex::new(Asking { budget: Budget::new(DEFAULT_LIMIT), limit_asked_at: None }),
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

    /// Reads somebody's roles, and those of whoever waits, too; what was read before, for a while, where that can't be.
    async fn read(&self, whose: &(String, bool), store: &Store) -> Result<Read, NoRoles> {
        let read = tokio::time::timeout(LONGEST, self.read_now(whose, store)).await.unwrap_or_else(|_| {
            let why = format!("there was no answer within {} s", LONGEST.as_secs());
            self.has_failed(&why);
            Err(NoRoles::Away(why))
        });
        read.or_else(|no| self.read_within(whose, COUNTS_SECONDS).ok_or(no))
    }

    async fn read_now(&self, whose: &(String, bool), store: &Store) -> Result<Read, NoRoles> {
        self.kept().wanted.insert(whose.clone());
        let mut asking = self.asking.lock().await;
        if let Some(read) = self.read_within(whose, self.every) {
            return Ok(read);
        }
        let now = self.clock.now();
        if let Some((at, why)) = &self.kept().failed
            && (0..AFTER_FAILURE_SECONDS).contains(&now.seconds_since(*at))
        {
            return Err(NoRoles::Away(why.clone()));
        }
        if !asking.budget.allows(now) {
            return Err(NoRoles::TooOften);
        }
        let wanted = {
            let mut kept = self.kept();
            let others = std::mem::take(&mut kept.wanted).into_iter().filter(|other| other != whose);
            let (now, later) = others.enumerate().partition::<Vec<_>, _>(|(at, _)| at + 1 < GUIDS_PER_REQUEST);
            kept.wanted = later.into_iter().map(|(_, other)| other).collect();
            now.into_iter().map(|(_, other)| other).chain([whose.clone()]).collect::<BTreeSet<_>>()
        };
        // Also those of a request that is given up count.
        let mut counted =
            Counted { client: &self.client, before: self.client.requests_sent(), asking: &mut asking, now };
        self.learn_limit(&mut counted).await;
        if let Err(why) = self.ask(&wanted, store).await {
            self.has_failed(&why);
            return Err(NoRoles::Away(why));
        }
        drop(counted);
        self.read_within(whose, COUNTS_SECONDS).ok_or_else(|| NoRoles::Away("the answer has no such user".to_owned()))
    }

    /// For a moment nobody tries again.
    fn has_failed(&self, why: &str) {
        tracing::warn!(foundation = self.foundation, "roles can't be read: {why}");
        self.kept().failed = Some((self.clock.now(), why.to_owned()));
    }

    /// Which limit the foundation has, if that wasn't asked for long: it may be changed.
    async fn learn_limit(&self, counted: &mut Counted<'_>) {
        let asked_at = counted.asking.limit_asked_at;
        if asked_at.is_some_and(|at| (0..LIMIT_SECONDS).contains(&counted.now.seconds_since(at))) {
            return;
        }
        counted.asking.limit_asked_at = Some(counted.now);
        if let Ok(limit) = self.client.request_limit().await {
            counted.asking.budget.limit(limit.unwrap_or(DEFAULT_LIMIT));
        }
    }

    async fn ask(&self, wanted: &BTreeSet<(String, bool)>, store: &Store) -> Result<(), String> {
        self.pin(store).await.map_err(|error| error.to_string())?;
        let clients: BTreeSet<String> =
            wanted.iter().filter(|(_, is_client)| *is_client).map(|(guid, _)| guid.clone()).collect();
        let guids: BTreeSet<String> = wanted.iter().map(|(guid, _)| guid.clone()).collect();
        // Roles count from when they were asked for.
        let at = self.clock.now();
        let away = |error: ApiError| error.to_string();
        let roles = self.client.roles(&guids).await.map_err(away)?;
        let users =
            if clients.is_empty() { BTreeSet::new() } else { self.client.users_among(&clients).await.map_err(away)? };
        let mut kept = self.kept();
        for (guid, is_client) in wanted {
            let roles = roles.get(guid).cloned().unwrap_or_default();
            let is_a_user = *is_client && users.contains(guid);
            kept.of.put((guid.clone(), *is_client), Read { roles, is_a_user, at });
        }
        kept.failed = None;
        Ok(())
    }

    /// Holds to the UAA that the foundation was onboarded with, if it was.
    async fn pin(&self, store: &Store) -> Result<(), StoreError> {
        if self.pinned.get().is_some() {
            return Ok(());
        }
        let heads = store.foundations().await?;
        let Some(head) = heads.iter().find(|head| head.name == self.foundation) else { return Ok(()) };
        if let Some(uaa) = store.uaa(head).await? {
            self.client.pin_uaa(uaa);
            let _ = self.pinned.set(());
        }
        Ok(())
    }
}

/// Counts the requests that are sent while it is there.
struct Counted<'a> {
    client: &'a Client,
    before: u64,
    asking: &'a mut Asking,
    now: Timestamp,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let sent = self.client.requests_sent().saturating_sub(self.before);
        self.asking.budget.count(sent, self.now);
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
        // Sends whatever is allowed, each second.
        let sent = |requests, seconds: i64| -> Vec<i64> {
            let mut budget = Budget::new(limit(requests));
            let mut sent = Vec::new();
            for second in 0..seconds {
                while budget.allows(at(second)) {
                    budget.count(1, at(second));
                    sent.push(second);
                }
            }
            sent
        };
        assert_eq!(sent(100, 3600), [0, 0, 0, 0, 0, 600, 1200, 1800, 2400, 3000]);
        for (requests, most) in [(1, 1), (19, 1), (20, 2), (50, 5), (2000, 200)] {
            let sent = sent(requests, 3 * 3600);
            let in_any_hour = |from: i64| sent.iter().filter(|one| (from..from + 3600).contains(*one)).count();
            let busiest = (0..2 * 3600).map(in_any_hour).max();
            assert!(busiest <= Some(most) && sent.len() >= most * 2, "{requests}: {busiest:?}, {} in all", sent.len());
        }
        // What a request took beyond the first counts, whatever the limit is by then.
        let mut budget = Budget::new(limit(100));
        budget.count(9, at(0));
        assert!(!budget.allows(at(599)) && budget.allows(at(600)));
        budget.limit(limit(50));
        assert!(!budget.allows(at(3599)));
    }
}
