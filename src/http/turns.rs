//! Turns: how many requests read the book at once, so that whoever asks much holds up neither others nor the collector.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Requests that read at once at most; the others wait for their turn. An explanation of a draft takes two connections.
const AT_ONCE: u32 = 4;
/// Of so many connections one is for requests: the others are the collector's, the duties' and the pages'.
const OF_CONNECTIONS: u32 = 4;
/// Requests of one caller that read or wait.
pub(super) const OF_A_CALLER: usize = 16;

/// So many callers are remembered before those who have no request are forgotten.
const CALLERS: usize = 1000;

/// Who reads, and who waits to.
#[derive(Clone, Debug)]
pub struct Turns {
    all: Arc<Semaphore>,
    /// Of those who have a request.
    by_caller: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
    /// Looks at a session: of it alone is known who asks.
    of_sessions: Arc<Semaphore>,
    /// Notes something of a session.
    of_notes: Arc<Semaphore>,
}

/// One of a caller's requests, until it is dropped: nothing is looked up for more than those.
#[derive(Debug)]
pub(super) struct OwnTurn {
    _permit: OwnedSemaphorePermit,
}

/// Leave to read, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _own: OwnTurn,
    _all: OwnedSemaphorePermit,
}

/// A caller has as many requests as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Turns {
    /// With a database of so many connections.
    #[must_use]
    pub fn new(connections: u32) -> Self {
        let at_once = (connections / OF_CONNECTIONS).clamp(1, AT_ONCE);
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits));
        let (all, of_sessions, of_notes) = (semaphore(at_once as usize), semaphore(1), semaphore(1));
        Self { all, by_caller: Arc::default(), of_sessions, of_notes }
    }

    /// Leave to note something of a session; `None`: something is being noted.
    pub(super) fn of_notes(&self) -> Option<OwnedSemaphorePermit> {
        self.of_notes.clone().try_acquire_owned().ok()
    }

    /// Waits until a session may be looked at.
    pub(super) async fn of_sessions(&self) -> Option<SemaphorePermit<'_>> {
        self.of_sessions.acquire().await.ok()
    }

    /// One more request of a caller.
    ///
    /// # Errors
    /// [`TooMany`], at once.
    pub(super) fn own(&self, caller: &str) -> Result<OwnTurn, TooMany> {
        let of_caller = {
            let mut by_caller = self.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
            let known = by_caller.get(caller).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                if by_caller.len() >= CALLERS {
                    by_caller.retain(|_, semaphore| semaphore.strong_count() > 0);
                }
                let made = Arc::new(Semaphore::new(OF_A_CALLER));
                by_caller.insert(caller.to_owned(), Arc::downgrade(&made));
                made
            })
        };
        of_caller.try_acquire_owned().map(|permit| OwnTurn { _permit: permit }).map_err(|_| TooMany)
    }

    /// Waits until it may read.
    ///
    /// # Errors
    /// [`TooMany`]: nobody may any more.
    pub(super) async fn turn(&self, own: OwnTurn) -> Result<Turn, TooMany> {
        let all = self.all.clone().acquire_owned().await.map_err(|_| TooMany)?;
        Ok(Turn { _own: own, _all: all })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::{OF_A_CALLER, Turns};

    #[test]
    fn a_caller_has_so_many_requests_and_so_many_are_read_at_once() {
        for (connections, at_once) in [(1, 1), (7, 1), (8, 2), (10, 2), (16, 4), (17, 4), (1000, 4)] {
            assert_eq!(Turns::new(connections).all.available_permits(), at_once, "{connections}");
        }
        let turns = Turns::new(10);
        let mut context = Context::from_waker(Waker::noop());
        let own = |caller| turns.own(caller).unwrap();
        let mut asked: Vec<_> = (0..OF_A_CALLER).map(|_| Box::pin(turns.turn(own("one")))).collect();
        let read: Vec<_> = asked.iter_mut().map(|one| one.as_mut().poll(&mut context)).collect();
        assert_eq!(read.iter().filter(|one| one.is_ready()).count(), 2);
        // One more of the same caller isn't waited for; another's is.
        assert!(turns.own("one").is_err());
        let mut others = pin!(turns.turn(own("two")));
        assert!(others.as_mut().poll(&mut context).is_pending());
        drop((read, asked));
        assert!(others.as_mut().poll(&mut context).map(|turn| turn.is_ok()).is_ready());
        assert!(pin!(turns.turn(own("one"))).poll(&mut context).map(|turn| turn.is_ok()).is_ready());
    }
}
