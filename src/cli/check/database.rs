//! `check`: the database, opened if it is there; it isn't made, nor brought up to date.

use super::{Checked, Verdict};
use crate::cli::Global;
use crate::cli::run::not_in_a_container;
use crate::config::Configuration;
use crate::store::{Found, Series, Standing, Store, StoreError};

/// That are indexed: a million take some 2 s on one core.
const ROWS_A_SECOND: u64 = 500_000;

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
            checked.say(
                Verdict::Ok,
                None,
                "database",
                format!("{location}: there is none; `ledger init` makes it, as does `run` without --no-create"),
            );
            None
        }
        Ok(Found::Schema { location, found: 0, .. }) => {
            let told =
                format!("{location}: it is empty; `ledger init` makes the book, as does `run` without --no-create");
            checked.say(Verdict::Ok, None, "database", told);
            None
        }
        Ok(Found::Schema { location, found, known, lacks, rows }) if found < known => {
            let told = format!(
                "{location}: schema {found}; `run` will update it to {known}: {}\n\
                 {}; an older cf-billing can't write to it any more, so back it up first",
                lacks.join(", "),
                updating(rows)
            );
            checked.say(Verdict::Warn, None, "database", told);
            None
        }
        Ok(Found::Schema { location, found, .. }) => match Global::open(configuration).await {
            Ok(store) => {
                checked.say(Verdict::Ok, None, "database", format!("{location}: schema {found}"));
                if store.is_shared() {
                    standing(checked, &store).await;
                    marks(checked, &store, configuration).await;
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

/// How long it takes to bring the schema up to date.
fn updating(rows: u64) -> String {
    match rows.div_ceil(ROWS_A_SECOND) {
        0 | 1 => "that takes a second or two".to_owned(),
        seconds => format!("that reads {rows} rows, which takes about {seconds} s; nobody else can write meanwhile"),
    }
}

/// Which server it is on, and what a failover would lose.
async fn standing(checked: &mut Checked, store: &Store) {
    let (verdict, told) = match store.standing().await {
        Ok(None) => return,
        Ok(Some(standing)) => promise(&standing),
        Err(error) => (Verdict::Fail, error.to_string()),
    };
    checked.say(verdict, None, "standbys", told);
}

fn promise(standing: &Standing) -> (Verdict, String) {
    const ISSUED: &str =
        "usage is collected again by itself; before numbers go on, `finalize` asks for the last one (--above N)";
    let Standing { host, rival, server, waits, standbys } = standing;
    if let Some(rival) = rival {
        let told = format!(
            "{host} is used, but {rival} accepts writes, too, and isn't the same server: the primary before a failover, perhaps\n\
             hint: stop it, and make it a standby; whatever still writes to it writes to another book"
        );
        return (Verdict::Fail, told);
    }
    let Some(server) = server else {
        let told = format!(
            "{host} doesn't tell its timeline, so a failover goes unnoticed\n\
             hint: let the user call pg_control_system() and pg_walfile_name(); if the service has none, `[billing] marks` must be a \
             folder that every host shares"
        );
        return (Verdict::Warn, told);
    };
    let at = format!("{host}, timeline {}", server.timeline);
    let Some(standbys) = standbys else {
        let told = if *waits { "commits wait for a synchronous one" } else { "none is synchronous" };
        let hint = "GRANT pg_monitor TO the user, so that `check` can say what a failover would lose";
        return (Verdict::Warn, format!("{at}: the standbys can't be seen; {told}\nhint: {hint}"));
    };
    let names = |synchronous: bool| {
        let of = standbys.iter().filter(|standby| standby.synchronous == synchronous);
        of.map(|standby| standby.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (synchronous, others) = (names(true), names(false));
    if *waits && synchronous.is_empty() {
        let hint = "start it; or, to go on without, empty synchronous_standby_names: then a failover can lose what was committed last";
        let told = format!("{at}: no synchronous standby is connected, so every commit waits for one\nhint: {hint}");
        (Verdict::Warn, told)
    } else if *waits {
        let more = if others.is_empty() {
            String::new()
        } else {
            format!("; a failover to {others}, which isn't synchronous, can lose the last seconds")
        };
        (Verdict::Ok, format!("{at}: a failover to {synchronous} loses nothing that was committed (synchronous){more}"))
    } else if others.is_empty() {
        (Verdict::Ok, format!("{at}: there is no standby"))
    } else {
        let told = format!(
            "{at}: a failover to {others} can lose the last seconds (asynchronous): {ISSUED}\n\
             hint: synchronous_standby_names makes a standby synchronous"
        );
        (Verdict::Warn, told)
    }
}

/// Whether what was issued is marked where this host looks.
async fn marks(checked: &mut Checked, store: &Store, configuration: &Configuration) {
    let Some(location) = store.marks_location() else {
        if let Err(error) = store.can_mark() {
            checked.say(Verdict::Fail, None, "marks", error);
        }
        return;
    };
    let mut behind = Vec::new();
    for name in [&configuration.billing.invoice_series, &configuration.billing.credit_note_series] {
        let series = Series { name: name.clone() };
        match store.series_state(&series).await {
            Ok(state) if state.issued < state.last_number => behind.push(series.number(state.last_number)),
            Ok(_) => {}
            Err(error) => return checked.say(Verdict::Fail, None, "marks", error),
        }
    }
    if behind.is_empty() {
        return checked.say(Verdict::Ok, None, "marks", location);
    }
    let told = format!(
        "{location} doesn't know {}: issued on another host, or before the URL of the database was changed\n\
         hint: set [billing] marks to one folder that every host shares, and move the marks there",
        behind.join(" and ")
    );
    checked.say(Verdict::Warn, None, "marks", told);
}

#[cfg(test)]
mod tests {
    use super::{ROWS_A_SECOND, updating};

    #[test]
    fn how_long_an_update_takes_follows_from_what_it_reads() {
        for (rows, told) in [
            (0, "that takes a second or two"),
            (ROWS_A_SECOND, "that takes a second or two"),
            (ROWS_A_SECOND + 1, "that reads 500001 rows, which takes about 2 s; nobody else can write meanwhile"),
            (30_000_000, "that reads 30000000 rows, which takes about 60 s; nobody else can write meanwhile"),
        ] {
            assert_eq!(updating(rows), told);
        }
    }
}
