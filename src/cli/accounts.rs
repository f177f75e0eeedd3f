//! `cf-billing accounts`: who pays, checked and listed.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{self, Format, note, numbers, print, words};
use super::rates::ledger;
use super::{Failure, Global};
use crate::accounts::{self, Account, Owned, Target, check_against};
use crate::api::{self, Tabular};
use crate::billing_run::{BillingError, Card, Sender, accounts_of};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::documents::Lacking;
use crate::domain::period::date_or_time;
use crate::domain::text::visible;
use crate::domain::{Month, Timestamp};
use crate::invoicing::AccountTax;
use crate::keyed::{self, Problem, Severity};
use crate::store::Store;

/// Check and list accounts: who pays for which organizations and spaces, and when
#[derive(Debug, clap::Args)]
pub struct Accounts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Check),
    List(List),
    Schema(Schema),
}

/// Check an accounts file: every problem at once, with line and hint
///
/// Compares it with the rate card, if one is configured, and with the ledger, if there is a database: who is in no
/// account, which names don't exist, what two accounts own. The exit code is 1 if there are errors; warnings don't count.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing accounts check deploy/accounts.toml")]
struct Check {
    /// The file; the configured one if left out
    file: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// List accounts: what each owns when, and its terms
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing accounts list --format json")]
struct List {
    /// The file; the configured one if left out
    file: Option<PathBuf>,
    /// Only this account, by its id
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Print the JSON Schema of accounts files, for TOML editors
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing accounts schema > deploy/accounts.schema.json")]
struct Schema {}

impl Accounts {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self.command {
            Command::Check(check) => check.run(global).await,
            Command::List(list) => list.run(global),
            Command::Schema(_) => output::json(&accounts::schema()),
        }
    }
}

/// The file given, or the configured one.
fn accounts_file(given: Option<PathBuf>, configuration: &Configuration) -> Result<PathBuf, Failure> {
    given
        .or_else(|| configuration.billing.accounts.clone())
        .ok_or_else(|| Failure::usage("no accounts file is given\nhint: set [billing] accounts, or give the file"))
}

/// Accounts, or what is wrong with them.
type Read = Result<accounts::Accounts, Vec<Problem>>;

fn read(file: &Path, configuration: &Configuration) -> Result<Read, Failure> {
    match accounts_of(file, configuration.billing.time_zone) {
        Ok(accounts) => Ok(Ok(accounts)),
        Err(BillingError::Accounts(problems)) => Ok(Err(problems)),
        Err(unread) => Err(Failure::usage(unread)),
    }
}

/// The accounts of a file, if they can be read, and everything that is or may be wrong with them: with a rate card also
/// by that, with a ledger also by what it has seen.
pub async fn looked_at(
    file: &Path,
    configuration: &Configuration,
    store: Option<&Store>,
) -> Result<(Option<accounts::Accounts>, Vec<Problem>), Failure> {
    let accounts = match read(file, configuration)? {
        Ok(accounts) => accounts,
        Err(problems) => return Ok((None, problems)),
    };
    let zone = configuration.billing.time_zone;
    let mut problems = accounts.unfit();
    problems.extend(accounts.warnings());
    // What is wrong with the card is told by `rates check`.
    if let Some(Ok(card)) = configuration.billing.rates.as_deref().map(|rates| Card::read(rates, zone)) {
        problems.extend(accounts.check_card(&card.rates));
        problems.extend(e_invoice_lacks(&accounts, configuration, &card).0);
    }
    if let Some(store) = store {
        let seen = store.seen_by_accounts().await?;
        problems.extend(check_against(&accounts, &seen));
    }
    keyed::sort(&mut problems);
    Ok((Some(accounts), problems))
}

/// What e-invoices would lack: of accounts beside what they lack themselves ([`Account::lacks_for_e_invoice`]), and of the
/// seller, where an account lacks nothing: it is to get some. Nothing where no seller is configured.
pub fn e_invoice_lacks(
    accounts: &accounts::Accounts,
    configuration: &Configuration,
    card: &Card,
) -> (Vec<Problem>, Vec<Lacking>) {
    let (mut of_accounts, mut of_seller) = (Vec::new(), Vec::new());
    let seller = &configuration.billing.seller;
    if seller.party.name.is_empty() {
        return (of_accounts, of_seller);
    }
    let zone = configuration.billing.time_zone;
    let month = Month::of(Clock::System.now(), zone);
    let sender = Sender::new(&configuration.billing);
    for account in accounts.all() {
        // What is wrong with amounts is told by the card's own check, and codes are told as errors.
        let Ok(lacks) = sender.lacks_for_e_invoices(account, &card.rates, month, zone) else { continue };
        let known = account.lacks_for_e_invoice();
        for lacking in lacks {
            let key = lacking.hint.split('`').nth(1).unwrap_or_default();
            let is_of_seller = lacking.hint.ends_with("in `[billing]`");
            let is_unfit = |problem: &Problem| problem.message.starts_with(&format!("`{key}`"));
            let lacks_key = |lack: &&str| lack.split(" or ").any(|lack| lack == key);
            if is_of_seller {
                if known.is_empty() && !seller.unfit.iter().any(is_unfit) && !of_seller.contains(&lacking) {
                    of_seller.push(lacking);
                }
            } else if !account.is_unfit(key) && !known.iter().any(lacks_key) {
                let what = format!("an e-invoice of account `{}` needs {}", account.id, lacking.what);
                of_accounts.push(accounts.warning_of(account, what, lacking.hint));
            }
        }
    }
    (of_accounts, of_seller)
}

/// Organizations in no account that are told one by one in a table; JSON and CSV have them all.
const MOST_OF_NOBODY: usize = 20;

impl Check {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let file = accounts_file(self.file, &configuration)?;
        let store = ledger(&configuration).await?;
        if store.is_none() {
            note("there is no ledger to compare with, so names aren't checked");
        }
        let looked = looked_at(&file, &configuration, store.as_ref()).await;
        if let Some(store) = store {
            store.close().await;
        }
        let (accounts, problems) = looked?;
        let (errors, warnings): (Vec<_>, Vec<_>) =
            problems.iter().partition(|problem| problem.severity == Severity::Error);
        match self.format {
            Format::Table => {
                let (in_file, of_nobody): (Vec<_>, Vec<_>) =
                    warnings.iter().copied().partition(|warning| warning.origin.line().is_some());
                for warning in in_file.iter().chain(of_nobody.iter().take(MOST_OF_NOBODY)) {
                    note(&format!("warning: {warning}"));
                }
                if of_nobody.len() > MOST_OF_NOBODY {
                    let more = of_nobody.len() - MOST_OF_NOBODY;
                    note(&format!("warning: {more} more are in no account\nhint: --format json lists them all"));
                }
                if let (Some(accounts), true) = (&accounts, errors.is_empty()) {
                    print(&good(&file, accounts, warnings.len()))?;
                }
            }
            Format::Json => output::json(&problems.iter().map(problem_json).collect::<Vec<_>>())?,
            Format::Csv => output::csv(&PROBLEM_HEADER, problems.iter().map(problem_cells))?,
        }
        if errors.is_empty() {
            return Ok(());
        }
        // What is printed as data isn't said again.
        let problems = match self.format {
            Format::Table => errors.iter().map(ToString::to_string).collect(),
            Format::Json | Format::Csv => vec![format!("the accounts have {} error(s)", errors.len())],
        };
        Err(Failure { code: 1, problems })
    }
}

/// What a file has, in a line.
fn good(file: &Path, accounts: &accounts::Accounts, warnings: usize) -> String {
    let owned: usize = accounts.all().map(|account| account.owns.len()).sum();
    let verdict = if warnings == 0 { "good".to_owned() } else { format!("usable, with {warnings} warning(s)") };
    format!("{}: {} account(s), {owned} entries, {verdict}", file.display(), accounts.count())
}

const PROBLEM_HEADER: [&str; 5] = ["severity", "file", "line", "message", "hint"];

fn problem_json(problem: &Problem) -> Value {
    json!({
        "severity": problem.severity.name(),
        "file": problem.origin.file(),
        "line": problem.origin.line(),
        "message": problem.message,
        "hint": problem.hint,
    })
}

fn problem_cells(problem: &Problem) -> Vec<String> {
    vec![
        problem.severity.name().to_owned(),
        problem.origin.file().to_owned(),
        problem.origin.line().map(|line| line.to_string()).unwrap_or_default(),
        problem.message.clone(),
        problem.hint.clone().unwrap_or_default(),
    ]
}

impl List {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let file = accounts_file(self.file, &configuration)?;
        let accounts = read(&file, &configuration)?
            .map_err(|problems| Failure { code: 1, problems: problems.iter().map(ToString::to_string).collect() })?;
        let wanted = |account: &&Account| self.account.as_ref().is_none_or(|id| *id == account.id);
        let listed: Vec<&Account> = accounts.all().filter(wanted).collect();
        if let (Some(id), true) = (&self.account, listed.is_empty()) {
            let ids: Vec<&str> = accounts.all().map(|account| account.id.as_str()).collect();
            return Err(Failure::failed(format!("there is no account `{id}`\nhint: there are: {}", ids.join(", "))));
        }
        match self.format {
            Format::Json => output::json(&told(&listed)),
            Format::Csv => {
                let all = told(&listed);
                output::csv(api::AccountRow::HEADER, all.iter().flat_map(api::Account::rows).map(|row| row.cells()))
            }
            Format::Table if listed.is_empty() => {
                note("there are no accounts: each org is an account by itself");
                Ok(())
            }
            Format::Table => {
                let zone = configuration.billing.time_zone;
                let columns = [
                    words("account"),
                    words("name"),
                    words("owns"),
                    words("currency"),
                    words("tax"),
                    words("language"),
                    numbers("payment_days"),
                ];
                output::table_of_lines(
                    &columns,
                    listed.into_iter().map(|account| row(account, |time| date_or_time(time, zone))),
                )
            }
        }
    }
}

/// As programs read them.
fn told(accounts: &[&Account]) -> Vec<api::Account> {
    accounts.iter().map(|account| api::Account::new(account, true)).collect()
}

/// A tax in a word or two.
fn tax(tax: Option<&AccountTax>) -> String {
    tax.map_or_else(|| "the card's".to_owned(), |tax| api::Tax::from(tax).in_words())
}

fn currency(account: &Account) -> String {
    account.currency.map_or_else(|| "the card's".to_owned(), |currency| currency.to_string())
}

fn row(account: &Account, time: impl Fn(Timestamp) -> String) -> Vec<String> {
    let when = |owned: &Owned| match (owned.validity.from, owned.validity.to) {
        (None, None) => String::new(),
        (Some(from), None) => format!(", from {}", time(from)),
        (None, Some(to)) => format!(", until {}", time(to)),
        (Some(from), Some(to)) => format!(", from {} to {}", time(from), time(to)),
    };
    let owns = account.owns.iter().map(|owned| {
        let kind = if let Target::Organization(_) = owned.target { "org" } else { owned.target.kind() };
        format!("{kind} {}{}", visible(&owned.to_string()), when(owned))
    });
    vec![
        visible(&account.id).into_owned(),
        visible(&account.name).into_owned(),
        owns.collect::<Vec<_>>().join("\n"),
        currency(account),
        tax(account.tax.as_ref()),
        account.particulars.language.code().to_owned(),
        account.particulars.payment.days.to_string(),
    ]
}
