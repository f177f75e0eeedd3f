//! `check`: one foundation, as far as it answers: address, token, scope, streams of usage events, clock.

use super::{Checked, Verdict, identity, lists, onboarding, release};
use crate::cli::run::{hold_to_uaa, member, plain_http};
use crate::clock::Clock;
use crate::cloud_controller::{After, ApiError, Client, Dated, ErrorKind, EventPage};
use crate::config::{Configuration, Foundation};
use crate::consumer::{CLOCK_TOLERANCE_SECONDS, CollectError};
use crate::domain::{self, Stream, TOLERANCE_SECONDS, Timestamp, judge};
use crate::store::Store;

/// Clocks further apart than this, in seconds, are worth a word.
const CLOCK_SKEW_SECONDS: i64 = 10;
/// Events since then are asked for by their time.
const RECENT_SECONDS: i64 = 3600;

/// Its address, token, scope, streams and clock; then how it is onboarded.
pub(super) async fn check(
    checked: &mut Checked,
    configuration: &Configuration,
    foundation: &Foundation,
    store: Option<&Store>,
) {
    let name = Some(foundation.name.as_str());
    let clock = Clock::System;
    let member = match member(configuration, foundation, &clock) {
        Ok(member) => member,
        Err(failure) => {
            for problem in failure.problems {
                checked.say(Verdict::Fail, name, "client", problem);
            }
            return;
        }
    };
    let client = member.client.clone();
    if identity::is_moved(checked, &member, store).await {
        return;
    }
    if let Err(error) = hold_to_uaa(&client, foundation, store).await {
        return checked.say(Verdict::Fail, name, "UAA", error);
    }
    match client.endpoints().await {
        Err(error) => return checked.say(Verdict::Fail, name, "address", error),
        Ok(endpoints) => {
            checked.say(Verdict::Ok, name, "address", format!("{}, UAA at {}", foundation.api, endpoints.uaa));
            if let Some(told) = plain_http(foundation, &endpoints.uaa) {
                checked.say(Verdict::Warn, name, "plain http", told);
            }
            release::check(checked, &foundation.name, endpoints.version.as_deref());
        }
    }
    let scopes = match client.token().await {
        Err(error) if error.kind == ErrorKind::MissingScope => {
            return checked.say(Verdict::Fail, name, "scope", error);
        }
        Err(error) => return checked.say(Verdict::Fail, name, "token", error),
        Ok(token) => {
            let told = format!("client `{}`, good until {}", foundation.client_id, token.expires_at);
            checked.say(Verdict::Ok, name, "token", told);
            token.scopes().to_vec()
        }
    };
    checked.say(Verdict::Ok, name, "scope", scopes.join(", "));
    identity::check(checked, &member, store).await;
    let mut served = true;
    for stream in Stream::ALL {
        let what = if stream == Stream::App { "app events" } else { "service events" };
        match stream_queries(&client, stream).await {
            Err(error) if error.kind == ErrorKind::NoRoute => {
                served = false;
                let told = format!(
                    "this API has no usage events, so cf-billing can't bill it: {}: {}\n\
                     hint: set `api` to a Cloud Controller of V3 API 3.89.0 or later",
                    error.request, error.detail
                );
                checked.say(Verdict::Fail, name, what, told);
            }
            Err(error) => {
                served = false;
                checked.say(Verdict::Fail, name, what, error);
            }
            Ok(stream) => {
                let told = stream.oldest.map_or_else(|| "none yet".to_owned(), |at| format!("kept since {at}"));
                checked.say(Verdict::Ok, name, what, told);
                if let Some(told) = stream.contradictions {
                    checked.say(Verdict::Warn, name, what, told);
                }
            }
        }
    }
    if served {
        clocks(checked, foundation, store, clock.now(), client.last_date()).await;
    }
    if served {
        lists::check(checked, &foundation.name, &client).await;
    }
    onboarding::check(checked, foundation, store, &client, &scopes).await;
}

/// What the reading of a stream showed.
struct Read {
    /// When its oldest event was created.
    oldest: Option<Timestamp>,
    /// Times of events that can't be, in words.
    contradictions: Option<String>,
}

/// Every way in which `run` reads a stream.
async fn stream_queries(client: &Client, stream: Stream) -> Result<Read, ApiError> {
    let page = client.events(stream, &After::Nothing).await?;
    let recent = client.events(stream, &After::Time(page.date.plus(-RECENT_SECONDS))).await?;
    let contradictions = contradictions(&page).or_else(|| contradictions(&recent));
    if let Some(newest) = client.newest_event(stream).await?
        && newest.has_guid()
    {
        let guid = newest.event.guid;
        client.events(stream, &After::Event(guid.clone())).await?;
        client.event(stream, &guid).await?;
    }
    let oldest = page.value.events.first().map(|(_, decoded)| decoded.event.created_at);
    Ok(Read { oldest, contradictions })
}

/// Says which times of events contradict the order of their stream, or the time of the answer.
fn contradictions(page: &Dated<EventPage>) -> Option<String> {
    let events: Vec<_> = page.value.events.iter().map(|(_, decoded)| &decoded.event).collect();
    let times: Vec<Timestamp> = events.iter().map(|event| event.created_at).collect();
    let verdicts = judge(&times, TOLERANCE_SECONDS, Some(page.date));
    let mut wrong = events.iter().zip(verdicts).filter(|(_, verdict)| *verdict != domain::Verdict::Agrees);
    let (first, _) = wrong.next()?;
    let (guid, at, date) = (&first.guid, first.created_at, page.date);
    Some(format!(
        "{} of {} events have impossible times, such as {guid}: {at}, read at {date}\n\
         hint: set the clock of that Cloud Controller machine; such events count at the times of their neighbours, and their invoices wait for acceptance; `cf-billing clocks` lists them",
        1 + wrong.count(),
        events.len()
    ))
}

/// How far the clocks are apart. Where that keeps the epoch from being set, both times, and what decides.
async fn clocks(
    checked: &mut Checked,
    foundation: &Foundation,
    store: Option<&Store>,
    ours: Timestamp,
    theirs: Timestamp,
) {
    let name = Some(foundation.name.as_str());
    let skew = ours.seconds_since(theirs);
    let heads = match store {
        Some(store) => store.foundations().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let head = heads.into_iter().find(|head| head.name == foundation.name);
    let decided = foundation.billing_from.is_some()
        || head.is_some_and(|head| head.clock_accepted_at.is_some() || head.current_settings().billing_epoch.is_some());
    if skew.abs() > CLOCK_TOLERANCE_SECONDS && !decided {
        let (foundation, ours, theirs) = (foundation.name.clone(), ours, theirs);
        return checked.say(Verdict::Fail, name, "clock", CollectError::ClockSkew { foundation, ours, theirs });
    }
    let verdict = if skew.abs() <= CLOCK_SKEW_SECONDS { Verdict::Ok } else { Verdict::Warn };
    let told = format!("ours is {skew} s ahead of Cloud Controller's: {ours}, theirs {theirs}");
    let told = if verdict == Verdict::Ok { format!("ours is {skew} s ahead of Cloud Controller's") } else { told };
    checked.say(verdict, name, "clock", told);
}
