//! `check`: each issuer, as far as it answers.

use super::{Checked, Verdict};
use crate::cli::run::identities;
use crate::clock::Clock;
use crate::config::Configuration;

/// Its keys; and what it vouches for.
pub(super) async fn check(checked: &mut Checked, configuration: &Configuration) {
    if configuration.issuers.is_empty() {
        return;
    }
    let identities = match identities(configuration, &Clock::System) {
        Ok(identities) => identities,
        Err(failure) => {
            for problem in failure.problems {
                checked.say(Verdict::Fail, None, "issuers", problem);
            }
            return;
        }
    };
    for trusted in &configuration.issuers {
        let issuer = &trusted.issuer;
        match identities.try_issuer(&issuer.name).await {
            Ok(keys) => {
                let grants: Vec<String> =
                    issuer.grants.iter().map(|(role, scope)| format!("`{scope}` is {role}")).collect();
                let speaks_for: Vec<&str> = issuer.foundations.iter().map(String::as_str).collect();
                let told = [
                    format!("{}, {keys} key(s)", issuer.issuer),
                    if speaks_for.is_empty() {
                        "for no foundation".to_owned()
                    } else {
                        format!("for {}", speaks_for.join(", "))
                    },
                    if grants.is_empty() { "grants no role".to_owned() } else { grants.join(", ") },
                ];
                checked.say(Verdict::Ok, Some(&issuer.name), "issuer", told.join("; "));
            }
            Err(why) => {
                let hint = "is `issuer` right, and does its provider answer from here?";
                checked.say(Verdict::Fail, Some(&issuer.name), "issuer", format!("{why}\nhint: {hint}"));
            }
        }
    }
}
