//! `check`: the database, opened if it is there; it isn't made, nor brought up to date.

use super::{Checked, Verdict};
use crate::cli::Global;
use crate::cli::run::not_in_a_container;
use crate::config::Configuration;
use crate::store::{Found, Store, StoreError};

/// Gives the database if it can be used as it is.
pub(super) async fn check(checked: &mut Checked, configuration: &Configuration) -> Option<Store> {
    if let Err(failure) = not_in_a_container(configuration) {
        checked.say(Verdict::Fail, None, "database", failure.problems.join("\n"));
        return None;
    }
    // Only what names a pooler counts here; what else is wrong is told by what comes next.
    if let Err(error @ StoreError::Pooled { .. }) = Global::look_for_pooler(configuration).await {
        checked.say(Verdict::Fail, None, "database", error);
        return None;
    }
    if Store::is_unverified(configuration.database.url.expose()) {
        let told = "the certificate of the database's server isn't verified: who is on the way could stand in for it\n\
                    hint: add sslmode=verify-full to the URL, and sslrootcert=FILE if its authority isn't known here";
        checked.say(Verdict::Warn, None, "database", told);
    }
    match Global::inspect(configuration).await {
        Ok(Found::Nothing { location }) => {
            checked.say(Verdict::Ok, None, "database", format!("{location}: `run` will make it"));
            None
        }
        Ok(Found::Schema { location, found, known, lacks }) if found < known => {
            let told = format!("{location}: schema {found}; `run` will update it to {known}: {}", lacks.join(", "));
            checked.say(Verdict::Warn, None, "database", told);
            None
        }
        Ok(Found::Schema { location, found, .. }) => match Global::open(configuration).await {
            Ok(store) => {
                checked.say(Verdict::Ok, None, "database", format!("{location}: schema {found}"));
                if let Err(error) = store.can_mark() {
                    checked.say(Verdict::Fail, None, "marks", error);
                }
                Some(store)
            }
            Err(error) => {
                checked.say(Verdict::Fail, None, "database", error.problems.join("\n"));
                None
            }
        },
        Err(error) => {
            checked.say(Verdict::Fail, None, "database", error);
            None
        }
    }
}
