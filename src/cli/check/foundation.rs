//! `check`: one foundation, as far as it answers: address, token, scope, streams of usage events, clock.

use super::{Checked, Verdict, onboarding};
use crate::cli::run::member;
use crate::clock::Clock;
use crate::cloud_controller::{After, ErrorKind};
use crate::config::{Configuration, Foundation};
use crate::domain::Stream;
use crate::store::Store;

/// Clocks further apart than this are worth a word.
const CLOCK_SKEW_SECONDS: i64 = 10;

/// Its address, token, scope, streams and clock; then how it is onboarded.
pub(super) async fn check(
    checked: &mut Checked,
    configuration: &Configuration,
    foundation: &Foundation,
    store: Option<&Store>,
) {
    let name = Some(foundation.name.as_str());
    let clock = Clock::System;
    let client = match member(configuration, foundation, &clock) {
        Ok(member) => member.client,
        Err(failure) => {
            for problem in failure.problems {
                checked.say(Verdict::Fail, name, "TLS", problem);
            }
            return;
        }
    };
    match client.endpoints().await {
        Err(error) => return checked.say(Verdict::Fail, name, "address", error),
        Ok(endpoints) => {
            let version = endpoints.version.map_or_else(String::new, |version| format!(", V3 API {version}"));
            checked.say(Verdict::Ok, name, "address", format!("{}{version}, UAA at {}", foundation.api, endpoints.uaa));
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
    let mut served = true;
    for stream in Stream::ALL {
        let what = if stream == Stream::App { "app events" } else { "service events" };
        match client.events(stream, &After::Nothing).await {
            Err(error) => {
                served = false;
                checked.say(Verdict::Fail, name, what, error);
            }
            Ok(page) => {
                let oldest = page.value.events.first().map(|(_, decoded)| decoded.event.created_at);
                let told = oldest.map_or_else(|| "none yet".to_owned(), |at| format!("kept since {at}"));
                checked.say(Verdict::Ok, name, what, told);
            }
        }
    }
    if served {
        let skew = clock.now().seconds_since(client.last_date());
        let verdict = if skew.abs() <= CLOCK_SKEW_SECONDS { Verdict::Ok } else { Verdict::Warn };
        checked.say(verdict, name, "clock", format!("ours is {skew} s ahead of Cloud Controller's"));
    }
    onboarding::check(checked, foundation, store, &client, &scopes).await;
}
