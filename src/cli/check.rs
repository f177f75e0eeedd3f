//! `cf-billing check`: everything that `run` needs, tried before it runs. Changes nothing.

use std::net::TcpListener;
use std::path::Path;

use serde::Serialize;

use super::accounts::looked_at;
use super::output::{self, Format, words};
use super::rates::past;
use super::run::member;
use super::{Failure, Global};
use crate::accounts::Severity;
use crate::billing_run::{Card, CardError, Sender};
use crate::clock::Clock;
use crate::cloud_controller::{After, ApiError, Client, ErrorKind};
use crate::config::{Configuration, Foundation};
use crate::consumer::choose_strategy;
use crate::domain::{Strategy, Stream};
use crate::store::{Found, OnboardingStage, Store};

/// Try everything that `run` needs: database, rate card, each foundation's address, client, scopes and snapshots
///
/// One line per thing: ok, warn or fail. Changes nothing, neither here nor there. Exits 1 if anything fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing check --config /etc/cf-billing/cf-billing.toml")]
pub struct Check {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Line {
    verdict: Verdict,
    /// The foundation, or nothing.
    of: Option<String>,
    what: &'static str,
    detail: String,
    hint: Option<String>,
}

/// Clocks further apart than this are worth a word.
const CLOCK_SKEW_SECONDS: i64 = 10;

struct Checked {
    lines: Vec<Line>,
}

impl Checked {
    fn say(&mut self, verdict: Verdict, of: Option<&str>, what: &'static str, told: impl std::fmt::Display) {
        let told = told.to_string();
        let (detail, hint) = match told.split_once("\nhint: ") {
            Some((detail, hint)) => (detail.to_owned(), Some(hint.to_owned())),
            None => (told, None),
        };
        self.lines.push(Line { verdict, of: of.map(str::to_owned), what, detail, hint });
    }
}

impl Check {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let mut checked = Checked { lines: Vec::new() };
        let file = global.config.as_deref().map_or_else(|| "none given".to_owned(), |file| file.display().to_string());
        let count = configuration.foundations.len();
        let verdict = if count == 0 { Verdict::Warn } else { Verdict::Ok };
        checked.say(verdict, None, "configuration", format!("{file}: {count} foundation(s)"));
        let store = database(&mut checked, &configuration).await;
        rate_card(&mut checked, configuration.billing.rates.as_deref(), &configuration, store.as_ref()).await;
        seller(&mut checked, &configuration);
        if let Some(file) = &configuration.billing.accounts {
            accounts(&mut checked, file, &configuration, store.as_ref()).await;
        }
        listen(&mut checked, &configuration);
        for foundation in &configuration.foundations {
            check_foundation(&mut checked, &configuration, foundation, store.as_ref()).await;
        }
        if let Some(store) = store {
            store.close().await;
        }
        self.print(&checked)?;
        match checked.lines.iter().filter(|line| line.verdict == Verdict::Fail).count() {
            0 => Ok(()),
            failed => Err(Failure::failed(format!("{failed} of {} checks failed", checked.lines.len()))),
        }
    }

    fn print(&self, checked: &Checked) -> Result<(), Failure> {
        let word = |verdict| match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        match self.format {
            Format::Json => output::json(&checked.lines),
            Format::Csv => output::csv(
                &["verdict", "of", "what", "detail", "hint"],
                checked.lines.iter().map(|line| {
                    let (of, hint) = (line.of.clone().unwrap_or_default(), line.hint.clone().unwrap_or_default());
                    vec![word(line.verdict).to_owned(), of, line.what.to_owned(), line.detail.clone(), hint]
                }),
            ),
            Format::Table => {
                let columns = [words(""), words("of"), words("what"), words("")];
                let rows = checked.lines.iter().map(|line| {
                    let hint = line.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                    vec![
                        word(line.verdict).to_owned(),
                        line.of.clone().unwrap_or_default(),
                        line.what.to_owned(),
                        format!("{}{hint}", line.detail),
                    ]
                });
                output::table(&columns, rows)
            }
        }
    }
}

/// The database, opened if it is there; it isn't made, nor brought up to date.
async fn database(checked: &mut Checked, configuration: &Configuration) -> Option<Store> {
    match Global::inspect(configuration).await {
        Ok(Found::Nothing { location }) => {
            checked.say(Verdict::Ok, None, "database", format!("{location}: will be made"));
            None
        }
        Ok(Found::Schema { location, found, known, lacks }) if found < known => {
            let told = format!("{location}: schema {found}; `run` will bring it to {known}: {}", lacks.join(", "));
            checked.say(Verdict::Warn, None, "database", told);
            None
        }
        Ok(Found::Schema { location, found, .. }) => match Global::open(configuration).await {
            Ok(store) => {
                checked.say(Verdict::Ok, None, "database", format!("{location}: schema {found}"));
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

async fn rate_card(checked: &mut Checked, file: Option<&Path>, configuration: &Configuration, store: Option<&Store>) {
    let Some(file) = file else {
        let told = "none is configured, so no invoice can be drafted\nhint: set [billing] rates";
        return checked.say(Verdict::Warn, None, "rate card", told);
    };
    let read = async {
        let card = Card::read(file, configuration.billing.time_zone)?;
        if let Some(store) = store {
            card.keeps_what_is_invoiced(store).await?;
        }
        Ok(card)
    };
    match read.await {
        Ok(card) => {
            let (rates, warnings) = (&card.rates, card.warnings.len());
            let verdict = if warnings == 0 { Verdict::Ok } else { Verdict::Warn };
            let told =
                format!("{}: {} rates in {}, {warnings} warning(s)", file.display(), rates.rates.len(), rates.currency);
            checked.say(verdict, None, "rate card", told);
        }
        Err(CardError::Wrong(problems)) => {
            for problem in problems {
                checked.say(Verdict::Fail, None, "rate card", problem);
            }
        }
        Err(CardError::Past(problems)) => {
            for told in past(&problems) {
                checked.say(Verdict::Fail, None, "rate card", told);
            }
        }
        Err(error) => checked.say(Verdict::Fail, None, "rate card", error),
    }
}

/// Who sends the invoices: what no invoice should go out without, and its logo.
fn seller(checked: &mut Checked, configuration: &Configuration) {
    let sender = match Sender::new(&configuration.billing.seller) {
        Ok(sender) => sender,
        Err(error) => return checked.say(Verdict::Fail, None, "seller", error),
    };
    let seller = &sender.party;
    let required = [
        ("seller", !seller.name.is_empty()),
        ("seller_address", !seller.address_lines.is_empty()),
        ("seller_postal_code", seller.postal_code.is_some()),
        ("seller_city", seller.city.is_some()),
        ("seller_country", seller.country.is_some()),
        ("seller_vat_id (or seller_tax_number)", seller.vat_id.is_some() || seller.tax_number.is_some()),
        ("seller_iban", sender.payment.iban.is_some()),
    ];
    let lacks: Vec<&str> = required.iter().filter(|(_, there)| !there).map(|(key, _)| *key).collect();
    if lacks.is_empty() {
        return checked.say(Verdict::Ok, None, "seller", &seller.name);
    }
    let told = format!("the invoices lack what buyers need\nhint: set [billing] {}", lacks.join(", "));
    checked.say(Verdict::Warn, None, "seller", told);
}

async fn accounts(checked: &mut Checked, file: &Path, configuration: &Configuration, store: Option<&Store>) {
    match looked_at(file, configuration, store).await {
        Ok((accounts, problems)) => {
            let warnings = problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
            for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
                checked.say(Verdict::Fail, None, "accounts", problem);
            }
            if warnings == problems.len()
                && let Some(accounts) = accounts
            {
                let told = format!("{}: {} account(s), {warnings} warning(s)", file.display(), accounts.len());
                let told = if warnings == 0 { told } else { format!("{told}\nhint: `accounts check` tells them") };
                checked.say(if warnings == 0 { Verdict::Ok } else { Verdict::Warn }, None, "accounts", told);
            }
        }
        Err(failure) => checked.say(Verdict::Fail, None, "accounts", failure.problems.join("\n")),
    }
}

fn listen(checked: &mut Checked, configuration: &Configuration) {
    let address = configuration.http_listen;
    match TcpListener::bind(address) {
        Ok(_) => checked.say(Verdict::Ok, None, "listen", format!("{address} is free")),
        Err(error) => {
            let told = format!("{address}: {error}\nhint: fine if it is the daemon that runs; else set [http] listen");
            checked.say(Verdict::Warn, None, "listen", told);
        }
    }
}

async fn check_foundation(
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
    if onboarding(checked, foundation, store).await {
        return;
    }
    match choose_strategy(&client, foundation.onboarding).await {
        Err(error) => checked.say(Verdict::Fail, name, "baseline", error),
        Ok((strategy, reason)) => {
            let from = match strategy {
                Strategy::Snapshot => "from usage snapshots",
                Strategy::KeptRecords => "from the records that the streams keep",
                Strategy::LiveLists => "from the lists of processes, apps, tasks and service instances",
            };
            checked.say(Verdict::Ok, name, "baseline", format!("{from} ({}): {reason}", strategy.name()));
            if strategy == Strategy::Snapshot {
                snapshots(checked, foundation, &client, &scopes).await;
            }
        }
    }
}

/// Says how far the onboarding has got; gives whether there is nothing to be said of its baseline any more.
async fn onboarding(checked: &mut Checked, foundation: &Foundation, store: Option<&Store>) -> bool {
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
        (false, true) => (Verdict::Ok, "can't be requested; the newest complete ones will be taken"),
        (false, false) => (
            Verdict::Warn,
            "can't be requested, and there are no complete ones of both streams\n\
             hint: have somebody with cloud_controller.admin run `cf-billing snapshots request`, or give the client that authority",
        ),
    };
    checked.say(verdict, name, "snapshots", told);
}
