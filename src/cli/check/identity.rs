//! `check`: whether what answers is the foundation that the book knows.

use tokio_util::sync::CancellationToken;

use super::{Checked, Verdict};
use crate::clock::Clock;
use crate::consumer::{Collector, Evidence};
use crate::daemon::Member;
use crate::store::{Store, StoreError};
use crate::telemetry::Reporter;

/// A collector that only looks, if the book has anything of the foundation.
async fn looking(member: &Member, store: Option<&Store>) -> Result<Option<Collector>, StoreError> {
    let Some(store) = store else { return Ok(None) };
    let foundation = &member.plan.foundation;
    let heads = store.foundations().await?;
    if !heads.iter().any(|head| head.name == *foundation && head.collected && head.last_sequence > 0) {
        return Ok(None);
    }
    let (reporter, stop) = (Reporter::unseen(foundation), CancellationToken::new());
    let Member { plan, client } = member.clone();
    Collector::new(store.clone(), client, Clock::System, plan, stop, reporter).await.map(Some)
}

/// Says if the foundation is configured elsewhere than where it was collected from: before anything is sent there.
pub(super) async fn is_moved(checked: &mut Checked, member: &Member, store: Option<&Store>) -> bool {
    let name = Some(member.plan.foundation.as_str());
    let held = async {
        match looking(member, store).await? {
            Some(collector) => collector.is_moved().await,
            None => Ok(None),
        }
    };
    match held.await {
        Ok(None) => false,
        Ok(Some(held)) => {
            checked.say(Verdict::Fail, name, "identity", held);
            true
        }
        Err(error) => {
            checked.say(Verdict::Fail, name, "identity", error);
            true
        }
    }
}

/// Says whether it is the one, if the book has anything of it; `run` would hold it otherwise.
pub(super) async fn check(checked: &mut Checked, member: &Member, store: Option<&Store>) {
    let name = Some(member.plan.foundation.as_str());
    let judged = async {
        match looking(member, store).await? {
            Some(collector) => collector.judge().await.map(Some),
            None => Ok(None),
        }
    };
    let judged = match judged.await {
        Ok(None) => return,
        Ok(Some(judged)) => Ok(judged),
        Err(error) => Err(error),
    };
    match judged {
        Err(error) => checked.say(Verdict::Fail, name, "identity", error),
        Ok(judged) => match (judged.held, judged.evidence) {
            (Some(held), _) => checked.say(Verdict::Fail, name, "identity", held),
            (None, Some(Evidence::Missing(_))) => {
                checked.say(Verdict::Warn, name, "identity", "another foundation was adopted in its place");
            }
            (None, Some(Evidence::Guids(what))) => {
                let told = format!("the foundation in the book, recognised by its {what}; its last events are gone");
                checked.say(Verdict::Warn, name, "identity", told);
            }
            (None, _) => checked.say(Verdict::Ok, name, "identity", "the foundation in the book"),
        },
    }
}
