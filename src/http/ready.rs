//! Whether all is well, for alerts and people; and whether pages can be served, for who sends people here.
//! Owns the verdict and its time: an answer comes within two seconds, whatever the database does.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use super::{Asker, Served};
use crate::domain::{FoundationHead, Timestamp};
use crate::telemetry::{FoundationStatus, Health};

/// How long the database may take to answer: what waits for us gives up after two seconds.
const ANSWER: Duration = Duration::from_millis(1500);

/// What is ready, and why not.
#[derive(Clone, Debug)]
pub struct Readiness {
    pub ready: bool,
    /// For people and programs.
    pub body: Value,
}

impl Readiness {
    /// Why it isn't ready, in a line.
    #[must_use]
    pub fn why_not(&self) -> Option<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let of_book = ["database", "writing"].iter().filter_map(|part| text(&self.body[part]));
        let of_foundations = self.body["foundations"].as_object().into_iter().flatten();
        let mut reasons = of_book
            .filter(|told| told != GOOD)
            .chain(of_foundations.filter_map(|(name, told)| Some(format!("{name}: {}", text(&told["reason"])?))));
        let reason = reasons.next().filter(|_| !self.ready)?;
        reason.lines().next().map(str::to_owned)
    }
}

const GOOD: &str = "good";

/// Looks whether the database answers and can be written, and whether every foundation is collected.
pub async fn readiness(served: &Served) -> Readiness {
    let book = read_book(served).await;
    let writing = served.book.store().err().or_else(|| served.board.not_written_for(served.not_ready_after));
    let now = served.clock.now();
    let mut ready = book.is_ok() && writing.is_none();
    let mut foundations = Map::new();
    for (name, status) in told(served, book.as_deref().unwrap_or_default()) {
        let health = served.board.health(&name);
        let reason = why_not(&status, health, served, now);
        ready &= reason.is_none();
        let mut told = serde_json::to_value(&status).unwrap_or_default();
        told["ready"] = reason.is_none().into();
        if let Some(reason) = reason {
            told["reason"] = reason.into();
        }
        foundations.insert(name, told);
    }
    let good = |reason: Option<String>| reason.unwrap_or_else(|| GOOD.to_owned());
    let body = json!({
        "ready": ready,
        "database": good(book.err()),
        "writing": good(writing),
        "foundations": foundations,
    });
    Readiness { ready, body }
}

/// Answers with the whole truth, or in a word: names and reasons are for those who operate it.
pub(super) async fn ready(State(served): State<Arc<Served>>, Extension(asker): Extension<Asker>) -> Response {
    let Readiness { ready, body } = readiness(&served).await;
    match asker {
        Asker::Ours => (status(ready), Json(body)).into_response(),
        Asker::Anybody => (status(ready), if ready { "ready\n" } else { "not ready\n" }).into_response(),
    }
}

/// Whether pages can be served: the database can be read, whatever becomes of collecting. Why not, to those who operate it.
pub(super) async fn serves(State(served): State<Arc<Served>>, Extension(asker): Extension<Asker>) -> Response {
    let told = match (read_book(&served).await, asker) {
        (Ok(_), _) => return "serving\n".into_response(),
        (Err(reason), Asker::Ours) => format!("{reason}\n"),
        (Err(_), Asker::Anybody) => "unavailable\n".to_owned(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, told).into_response()
}

const fn status(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// The foundations as they are in the book, or why it can't be read.
pub(super) async fn read_book(served: &Served) -> Result<Vec<FoundationHead>, String> {
    let store = served.book.store()?;
    match tokio::time::timeout(ANSWER, store.foundations()).await {
        Ok(Ok(heads)) => Ok(heads),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            let told = || format!("the database has not answered for {} ms", ANSWER.as_millis());
            Err(store.why_away().unwrap_or_else(told))
        }
    }
}

/// What is told of every foundation: by this process, and of what another collects by the book.
pub(super) fn told(served: &Served, heads: &[FoundationHead]) -> Vec<(String, FoundationStatus)> {
    let mut foundations: Vec<_> = served.board.foundations().into_iter().collect();
    for (name, status) in &mut foundations {
        let head = heads.iter().find(|head| head.name == *name);
        if status.state == STANDBY && head.is_none() {
            // While the book can't be read: as it was last seen.
            status.known_until = served.board.health(name).known_until();
        }
        if let Some(head) = head.filter(|_| status.state == STANDBY) {
            status.known_until = head.known_until;
            status.billing_epoch = head.current_settings().billing_epoch;
            status.app_checkpoint = head.app.checkpoint.as_ref().map(|event| event.created_at);
            status.service_checkpoint = head.service.checkpoint.as_ref().map(|event| event.created_at);
            served.board.looked_up(name, head.known_until);
        }
    }
    foundations
}

/// Another process has it.
const STANDBY: &str = "standby";

fn why_not(status: &FoundationStatus, health: Health, served: &Served, now: Timestamp) -> Option<String> {
    let detail = || status.detail.clone().unwrap_or_else(|| "the log says why".to_owned());
    if !status.alive {
        return Some(format!("its task ended: {}", detail()));
    }
    if health.has_failed_for(served.not_ready_after) {
        return Some(format!("collecting fails: {}", detail()));
    }
    if let Some(silent) = health.is_silent_for(served.not_ready_after) {
        return Some(format!("nothing has come from it for {} s, neither an answer nor an error", silent.as_secs()));
    }
    let known = status.known_until.filter(|_| status.state == STANDBY)?;
    // Whoever has it polls, and commits how far it is known each time.
    let patience = served.not_ready_after + served.poll_interval * 2;
    let seconds = now.seconds_since(known);
    let fresh = u64::try_from(seconds).map_or(true, |seconds| Duration::from_secs(seconds) <= patience);
    (!fresh && !health.moved_within(patience))
        .then(|| format!("another process collects it; usage is known only until {known}"))
}
