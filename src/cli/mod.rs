//! The command line: one file per subcommand. Data on stdout, everything else on stderr.

mod accounts;
mod anomalies;
mod audit;
mod card;
mod check;
mod clocks;
mod completions;
mod configuration;
mod cost;
mod demo;
mod forecast;
mod foundations;
mod gaps;
mod help;
mod import;
mod invoices;
mod ledger;
mod lists;
mod man;
mod output;
mod probe;
mod progress;
mod rates;
mod reconcile;
mod records;
mod run;
mod scratch;
mod simulate;
mod snapshots;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::billing_run::hash_of;
use crate::config::{self, Configuration};
use crate::keyed::Problem;
use crate::store::marks::Marks;
use crate::store::{Found, Making, PostgresOptions, Store, StoreError};

/// What went wrong, for people, and the exit code.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    /// Each may end in a line `hint: …`.
    problems: Vec<String>,
}

impl Failure {
    /// The command failed: exit code 1.
    pub fn failed(problem: impl std::fmt::Display) -> Self {
        Self { code: 1, problems: vec![problem.to_string()] }
    }

    /// It was called or configured wrongly: exit code 2.
    pub fn usage(problem: impl std::fmt::Display) -> Self {
        Self { code: 2, problems: vec![problem.to_string()] }
    }
}

impl Failure {
    /// It was told to stop before it was done: exit code 130.
    pub fn interrupted(problem: impl std::fmt::Display) -> Self {
        Self { code: 130, problems: vec![problem.to_string()] }
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self { code: 2, problems: problems.iter().map(ToString::to_string).collect() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { code: if matches!(error, StoreError::UnknownUrl(_)) { 2 } else { 1 }, problems: vec![error.to_string()] }
    }
}

/// Standalone billing for Cloud Foundry: usage snapshots and events in, invoices out.
#[derive(Debug, Parser)]
#[command(name = "cf-billing", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options every command takes.
#[derive(Debug, clap::Args)]
struct Global {
    /// The configuration file. If none is given: /etc/cf-billing/cf-billing.toml, if that is there
    #[arg(long, global = true, value_name = "FILE", env = "CF_BILLING_CONFIG")]
    config: Option<PathBuf>,
    /// The database, instead of the configured one: `sqlite:///path/to/file.db` or `postgres://user@host/database`
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Accounts(accounts::Accounts),
    Anomalies(anomalies::Anomalies),
    Audit(audit::Audit),
    Check(check::Check),
    Config(configuration::Config),
    Demo(demo::Demo),
    Foundations(foundations::Foundations),
    Gaps(gaps::Gaps),
    Clocks(clocks::Clocks),
    Completions(completions::Completions),
    Import(import::Import),
    Invoices(invoices::Invoices),
    Ledger(ledger::Ledger),
    Man(man::Man),
    Probe(probe::Probe),
    Rates(rates::Rates),
    Reconcile(reconcile::Reconcile),
    Run(run::Run),
    Simulate(simulate::Simulate),
    Snapshots(snapshots::Snapshots),
    Usage(usage::Usage),
    Cost(cost::Cost),
    Forecast(forecast::Forecast),
}

/// The whole command line, for help, completions and tests.
#[must_use]
pub fn command() -> clap::Command {
    help::with_documentation(Cli::command())
}

/// Where a package puts the configuration.
const INSTALLED: &str = "/etc/cf-billing/cf-billing.toml";

/// How long threads may take to end once all is done.
const SHUTDOWN: Duration = Duration::from_millis(500);

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; everything else is wrong usage.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * 2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(cli));
            // A name that is still being looked up must not hold the process.
            runtime.shutdown_timeout(SHUTDOWN);
            result
        }
        Err(error) => Err(Failure::failed(format!("can't start: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for problem in &failure.problems {
                output::note(&format!("error: {problem}"));
            }
            ExitCode::from(failure.code)
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let global = cli.global;
    match cli.command {
        Command::Accounts(accounts) => accounts.run(&global).await,
        Command::Anomalies(anomalies) => anomalies.run(&global).await,
        Command::Audit(audit) => audit.run(&global).await,
        Command::Check(check) => Box::pin(check.run(&global)).await,
        Command::Config(config) => config.run(),
        Command::Demo(demo) => Box::pin(demo.run(&global)).await,
        Command::Foundations(foundations) => Box::pin(foundations.run(&global)).await,
        Command::Gaps(gaps) => gaps.run(&global).await,
        Command::Clocks(clocks) => clocks.run(&global).await,
        Command::Completions(completions) => completions.run(),
        Command::Import(import) => import.run(&global).await,
        Command::Invoices(invoices) => Box::pin(invoices.run(&global)).await,
        Command::Ledger(ledger) => ledger.run(&global).await,
        Command::Man(man) => man.run(),
        Command::Probe(probe) => probe.run(&global).await,
        Command::Rates(rates) => rates.run(&global).await,
        Command::Reconcile(reconcile) => Box::pin(reconcile.run(&global)).await,
        Command::Run(run) => run.run(&global).await,
        Command::Simulate(simulate) => simulate.run().await,
        Command::Snapshots(snapshots) => snapshots.run(&global).await,
        Command::Usage(usage) => usage.run(&global).await,
        Command::Cost(cost) => cost.run(&global).await,
        Command::Forecast(forecast) => forecast.run(&global).await,
    }
}

impl Global {
    /// The configuration file: the one that was given, or else the package's.
    fn file(&self) -> Option<PathBuf> {
        let installed = || Some(PathBuf::from(INSTALLED)).filter(|file| file.try_exists().unwrap_or(true));
        self.config.clone().or_else(installed)
    }

    fn configuration(&self) -> Result<Configuration, Failure> {
        let mut configuration = config::load(self.file().as_deref(), std::env::vars())?;
        if let Some(url) = &self.database {
            configuration.database.url = config::Secret::new(url.clone());
        }
        Ok(configuration)
    }

    /// Opens a database that must be there.
    async fn open_existing(configuration: &Configuration) -> Result<Store, Failure> {
        if let Found::Nothing { location } = Self::inspect(configuration).await? {
            return Err(Failure::failed(format!(
                "there is no database at {location}\nhint: set [database] url to the daemon's database, or give --database; `run` and `import` make one"
            )));
        }
        Self::open(configuration).await
    }

    /// Opens a database if it is there and as this program makes it.
    async fn open_if_current(configuration: &Configuration) -> Result<Option<Store>, Failure> {
        match Self::inspect(configuration).await? {
            Found::Schema { found, known, .. } if found == known => Ok(Some(Self::open(configuration).await?)),
            Found::Schema { .. } | Found::Nothing { .. } => Ok(None),
        }
    }

    async fn inspect(configuration: &Configuration) -> Result<Found, StoreError> {
        Store::inspect(configuration.database.url.expose(), &postgres_options(configuration)).await
    }

    async fn look_for_pooler(configuration: &Configuration) -> Result<(), StoreError> {
        Store::look_for_pooler(configuration.database.url.expose(), &postgres_options(configuration)).await
    }

    async fn open(configuration: &Configuration) -> Result<Store, Failure> {
        Ok(Self::try_open(configuration).await?)
    }

    async fn try_open(configuration: &Configuration) -> Result<Store, StoreError> {
        Self::try_open_making(configuration, Making::default()).await
    }

    async fn try_open_making(configuration: &Configuration, making: Making) -> Result<Store, StoreError> {
        let store =
            Store::open_making(configuration.database.url.expose(), &postgres_options(configuration), making).await?;
        Ok(match marks(configuration, &store) {
            Some(marks) => store.marked(marks),
            None if store.is_shared() => store.must_mark(),
            None => store,
        })
    }
}

/// Where it is marked what was issued, if that isn't beside the database.
fn marks(configuration: &Configuration, store: &Store) -> Option<Marks> {
    if let Some(folder) = &configuration.billing.marks {
        return Some(Marks::within(folder));
    }
    // An app's disk is lost at every restart.
    if std::env::var_os("VCAP_APPLICATION").is_some() {
        return None;
    }
    // A folder for each database: one host may work with several.
    let folder = || config::state_folder().map(|state| state.join("marks").join(&hash_of(&store.location())[..16]));
    if store.is_shared() { folder().map(|folder| Marks::within(&folder)) } else { None }
}

const fn postgres_options(configuration: &Configuration) -> PostgresOptions {
    let database = &configuration.database;
    PostgresOptions {
        connections: database.connections,
        acquire_timeout: database.acquire_timeout,
        statement_timeout: database.statement_timeout,
    }
}
