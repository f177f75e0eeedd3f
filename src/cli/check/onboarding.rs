//! `check`: how far a foundation is onboarded, or how its baseline would be taken.

use super::{Checked, Verdict};
use crate::cloud_controller::{ApiError, Client};
use crate::config::Foundation;
use crate::consumer::{choose_strategy, way_on};
use crate::domain::{Strategy, Stream};
use crate::store::{OnboardingStage, Store};

/// How far the onboarding has got; where no baseline is taken yet, which way it would be.
pub(super) async fn check(
    checked: &mut Checked,
    foundation: &Foundation,
    store: Option<&Store>,
    client: &Client,
    scopes: &[String],
) {
    let name = Some(foundation.name.as_str());
    if progress(checked, foundation, store).await {
        return;
    }
    match choose_strategy(client, foundation.onboarding).await {
        Err(error) => match way_on(&error, foundation.onboarding) {
            Some(way) => checked.say(Verdict::Fail, name, "baseline", format!("{error}; {way}")),
            None => checked.say(Verdict::Fail, name, "baseline", error),
        },
        Ok((strategy, reason)) => {
            let from = match strategy {
                Strategy::Snapshot => "from usage snapshots",
                Strategy::KeptRecords => "from the records that Cloud Controller keeps in the streams",
                Strategy::LiveLists => "from the lists of processes, apps, tasks and service instances",
            };
            checked.say(Verdict::Ok, name, "baseline", format!("{from} ({}): {reason}", strategy.name()));
            if strategy == Strategy::Snapshot {
                snapshots(checked, foundation, client, scopes).await;
            }
        }
    }
}

/// Says how far the onboarding has got; gives whether there is nothing to be said of its baseline any more.
async fn progress(checked: &mut Checked, foundation: &Foundation, store: Option<&Store>) -> bool {
    let name = Some(foundation.name.as_str());
    let heads = match store {
        Some(store) => store.foundations().await,
        None => Ok(Vec::new()),
    };
    let head = match heads {
        Ok(heads) => heads.into_iter().find(|head| head.name == foundation.name),
        Err(error) => {
            checked.say(Verdict::Fail, name, "onboarding", error);
            return false;
        }
    };
    let (Some(store), Some(head)) = (store, head) else {
        checked.say(Verdict::Ok, name, "onboarding", "not begun; `run` will take a baseline");
        return false;
    };
    match store.onboarding(&head).await {
        Ok(Some(onboarding)) => {
            let known = head.known_until.map_or_else(String::new, |known| format!(", known until {known}"));
            let reason = onboarding.reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let (stage, strategy) = (onboarding.stage.name(), onboarding.strategy.name());
            checked.say(Verdict::Ok, name, "onboarding", format!("{stage}{known}; baseline by {strategy}{reason}"));
            onboarding.stage > OnboardingStage::Baseline
        }
        Ok(None) if head.last_sequence > 0 => {
            let told = "it was imported, so `run` will refuse to collect it\nhint: configure it under another name";
            checked.say(Verdict::Fail, name, "onboarding", told);
            true
        }
        Ok(None) => {
            checked.say(Verdict::Ok, name, "onboarding", "not begun; `run` will take a baseline");
            false
        }
        Err(error) => {
            checked.say(Verdict::Fail, name, "onboarding", error);
            false
        }
    }
}

async fn snapshots(checked: &mut Checked, foundation: &Foundation, client: &Client, scopes: &[String]) {
    let name = Some(foundation.name.as_str());
    let may_request = scopes.iter().any(|scope| scope == "cloud_controller.admin");
    let lists: Result<Vec<_>, ApiError> =
        async { Ok(vec![client.snapshots(Stream::App).await?, client.snapshots(Stream::Service).await?]) }.await;
    let lists = match lists {
        Ok(lists) => lists,
        Err(error) => return checked.say(Verdict::Fail, name, "snapshots", error),
    };
    let complete = lists.iter().all(|list| list.iter().any(|snapshot| snapshot.completed_at.is_some()));
    let (verdict, told) = match (may_request, complete) {
        (true, _) => (Verdict::Ok, "can be requested"),
        (false, true) => (Verdict::Ok, "the client can't request any; the newest complete ones will be used"),
        (false, false) => (
            Verdict::Warn,
            "the client can't request any, and there are no complete ones of both streams\n\
             hint: have an administrator (cloud_controller.admin) run `cf-billing snapshots request`, or give the client that authority",
        ),
    };
    checked.say(verdict, name, "snapshots", told);
}
