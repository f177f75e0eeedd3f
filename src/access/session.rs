//! A session of pages: who signed in in it, and until when each of them counts. No token is in it.

use serde::{Deserialize, Serialize};

use super::{Person, Role};
use crate::domain::Timestamp;

/// Somebody as whom a session signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// A `[[token]]`, by SHA-256 of its secret: one that was replaced counts no longer.
    Token { name: String, digest: [u8; 32] },
    /// Whom an issuer vouched for.
    Person {
        person: Person,
        role: Role,
        /// By which people know them, as the issuer said: for pages alone, since it may be another's tomorrow.
        shown: Option<String>,
        /// What its issuer was trusted with then ([`Issuer::trust`](super::Issuer::trust)): it counts as long as that is so.
        trust: String,
        /// When the token that gave the role ended; a tenant's roles are read again and again, and have no end of their own.
        ends_at: Option<Timestamp>,
    },
}

impl Identity {
    /// Whether it counts at a time.
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> bool {
        !matches!(self, Self::Person { ends_at: Some(ends_at), .. } if *ends_at <= now)
    }

    /// Whether both are the same token or person.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token { name, .. }, Self::Token { name: other, .. }) => name == other,
            (Self::Person { person, .. }, Self::Person { person: other, .. }) => person == other,
            _ => false,
        }
    }

    /// As pages show it: `manager (eu1)`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Person { person, shown: Some(shown), .. } => format!("{shown} ({})", person.issuer),
            _ => self.name(),
        }
    }

    /// The token's name, or `ISSUER/SUBJECT`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Token { name, .. } => name.clone(),
            Self::Person { person, .. } => person.to_string(),
        }
    }
}

/// So many can be in one session.
const MOST: usize = 8;

/// A browser that signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSession {
    pub identities: Vec<Identity>,
    /// When it was last used, to the minute or so.
    pub seen_at: Timestamp,
    /// When it ends, used or not.
    pub ends_at: Timestamp,
}

impl WebSession {
    /// Whether it goes on at a time, if a session that isn't used for so many seconds has ended.
    #[must_use]
    pub fn goes_on(&self, now: Timestamp, idle_seconds: i64) -> bool {
        now < self.ends_at && now.seconds_since(self.seen_at) < idle_seconds
    }

    /// What it is once somebody signs in, too, or instead: one that would last for so many seconds. It ends no later for those who
    /// don't sign in again.
    #[must_use]
    pub fn with(before: Option<Self>, signed_in: Identity, now: Timestamp, longest_seconds: i64) -> Self {
        let (others, ends_at) = before.map_or((Vec::new(), now.plus(longest_seconds)), |before| {
            let others = before.identities.into_iter().filter(|one| one.counts(now) && !one.is_same(&signed_in));
            (others.collect(), before.ends_at)
        });
        let later = now.plus(longest_seconds);
        let ends_at = if others.is_empty() { later } else { ends_at.min(later) };
        let mut identities = others;
        identities.push(signed_in);
        let too_many = identities.len().saturating_sub(MOST);
        identities.drain(..too_many);
        Self { identities, seen_at: now, ends_at }
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, MOST, WebSession};
    use crate::access::{Person, Role};
    use crate::domain::Timestamp;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(1_800_000_000).plus(seconds)
    }

    fn person(subject: &str, ends_at: Option<i64>) -> Identity {
        let person = Person { issuer: "eu1".to_owned(), subject: subject.to_owned(), is_client: false };
        let role = if ends_at.is_some() { Role::Sre } else { Role::Tenant };
        Identity::Person { person, role, shown: None, trust: String::new(), ends_at: ends_at.map(at) }
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_in_any_case() {
        let session = WebSession::with(None, person("ada", None), at(0), 3600);
        for (now, goes_on) in [(0, true), (599, true), (600, false)] {
            assert_eq!(session.goes_on(at(now), 600), goes_on, "{now}");
        }
        let used = WebSession { seen_at: at(3500), ..session };
        assert!(used.goes_on(at(3599), 600) && !used.goes_on(at(3600), 600));
    }

    #[test]
    fn a_role_ends_with_its_token() {
        let sre = person("ada", Some(60));
        assert!(sre.counts(at(59)) && !sre.counts(at(60)) && person("ada", None).counts(at(1 << 40)));
    }

    #[test]
    fn who_signs_in_too_makes_nobody_else_s_session_longer() {
        let first = WebSession::with(None, person("ada", None), at(0), 3600);
        let both = WebSession::with(Some(first.clone()), person("bob", None), at(1800), 3600);
        assert_eq!((both.identities.len(), both.ends_at), (2, at(3600)));
        // The same person again: it begins anew.
        let again = WebSession::with(Some(first), person("ada", None), at(1800), 3600);
        assert_eq!((again.identities.len(), again.ends_at), (1, at(5400)));
        // One whose role has ended isn't kept.
        let sre = WebSession::with(None, person("ada", Some(60)), at(0), 3600);
        let after = WebSession::with(Some(sre), person("bob", None), at(60), 3600);
        assert_eq!(after.identities, [person("bob", None)]);
    }

    #[test]
    fn so_many_are_in_one_session() {
        let mut session = None;
        for number in 0..=MOST {
            session = Some(WebSession::with(session, person(&number.to_string(), None), at(0), 3600));
            assert_eq!(session.as_ref().unwrap().identities.len(), MOST.min(number + 1));
        }
        assert_eq!(session.unwrap().identities[0], person("1", None));
    }
}
