//! What the running month comes to if what runs now goes on until its end.

use std::collections::BTreeSet;

use cf_billing::access::{CloudRole, OfOrganization, OrganizationPayer, Reach, Theirs};
use cf_billing::api::{CostBy, CostRow, ForecastRow, forecast_rows};
use cf_billing::billing_run::{Forecast, forecast};
use cf_billing::clock::Clock;
use cf_billing::config::Configuration;
use cf_billing::domain::{Month, Span, Timestamp};
use cf_billing::store::{CostQuery, Store};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::on_postgres;
use crate::support::month;
use crate::support::program::Program;

on_postgres!(what_runs_goes_on_until_the_end_of_the_month, a_forecast_shows_somebody_what_cost_does);

const CARD: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[task]]\ninstance_hour = \"1\"\n\
     [[service]]\ninstance_hour = \"1\"\n[[staging]]\nfree = true\n";

struct Book {
    runtime: Runtime,
    store: Store,
    configuration: Configuration,
}

/// Known until 15 October, 00:00: an app that began on the 10th, two instances on the 12th, a task on the 11th and a service
/// instance on the 14th go on; one app ran for ten hours.
fn book() -> (Book, Program) {
    let program = Program::new();
    month::card(&program, CARD);
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a org=o1 space=s1\n2d00:00 q STARTED 512x2 app=b org=o1 space=s2\n\
         3d00:00 r STARTED 512x1 app=c org=o2 space=s3\n3d10:00 r STOPPED\n1d00:00 t TASK_STARTED 64x1 app=a org=o1 space=s1\n\
         4d00:00 s CREATED org=o2 space=s3",
        "5d00:00",
    );
    let text = "[billing]\nrates = \"card.toml\"\naccounts = \"accounts.toml\"\n";
    let file = program.folder.path().join("cf-billing.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(
        program.folder.path().join("accounts.toml"),
        "[[account]]\nid = \"one\"\nname = \"One\"\norganizations = [\"f/o1\"]\n[[account]]\nid = \"two\"\nname = \"Two\"\n\
         organizations = [\"f/o2\"]\nspaces = [\"f/o1/s2\"]\n",
    )
    .unwrap();
    let runtime = Runtime::new().unwrap();
    let url = ("CF_BILLING__DATABASE__URL".to_owned(), program.database());
    let configuration = cf_billing::config::load(Some(&file), [url]).unwrap();
    let store = runtime.block_on(Store::open(&program.database())).unwrap();
    (Book { runtime, store, configuration }, program)
}

impl Book {
    fn forecast(&self, day: &str) -> Forecast {
        let clock = Clock::manual(Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap());
        self.runtime.block_on(forecast(&self.configuration, &self.store, &clock)).unwrap()
    }

    fn cost(&self, month: Month, by: &[CostBy], of: Option<&Theirs>) -> Vec<cf_billing::store::CostRow> {
        let query = CostQuery { month, by: by.iter().map(|by| by.group()).collect(), account: None };
        self.runtime.block_on(self.store.cost(&query, of)).unwrap()
    }

    fn rows(&self, forecast: &Forecast, by: &[CostBy], of: Option<&Theirs>) -> Vec<ForecastRow> {
        let last_month = self.cost(forecast.month.previous(), by, of);
        forecast_rows(forecast, last_month, by, None, of).unwrap()
    }
}

fn told(rows: &[ForecastRow]) -> Vec<String> {
    rows.iter().map(|row| row.cells().join(" ")).collect()
}

#[test]
fn what_runs_goes_on_until_the_end_of_the_month() {
    let (book, program) = book();
    let october = book.forecast("2026-10-15");
    // Until the end of October 22 days from the 10th on, 20 from the 12th on for two instances, 18 from the 14th on; the task ends.
    assert_eq!(
        told(&book.rows(&october, &[CostBy::Space, CostBy::Kind], None)),
        [
            "usage s1 s1-name process EUR 0.00 120.00 528.00",
            "usage s1 s1-name task EUR 0.00 96.00 96.00",
            "usage s2 s2-name process EUR 0.00 144.00 960.00",
            "usage s3 s3-name process EUR 0.00 10.00 10.00",
            "usage s3 s3-name service EUR 0.00 24.00 432.00",
        ]
    );
    assert_eq!(
        told(&book.rows(&october, &[CostBy::Account], None)),
        ["usage one One EUR 0.00 216.00 624.00", "usage two Two EUR 0.00 178.00 1402.00"]
    );
    // A month later: nothing is known of November yet, but what runs then if nobody stops it. October as it is drafted is beside it.
    let of = ["invoices", "draft", "--period", "2026-10", "--config", "cf-billing.toml"];
    program.succeed(&of);
    let november = book.forecast("2026-11-10");
    assert_eq!(
        told(&book.rows(&november, &[CostBy::Account], None)),
        ["usage one One EUR 216.00 0.00 720.00", "usage two Two EUR 178.00 0.00 2160.00"]
    );
    // Nothing of it was kept.
    let drafts = program.json(&["invoices", "list"]);
    let nets: Vec<&Value> = drafts.as_array().unwrap().iter().map(|draft| &draft["net"]).collect();
    assert_eq!(nets.len(), 2, "{drafts}");
}

/// What somebody sees of the forecast so far is what they see of the cost once that is drafted, whatever they may see.
#[test]
fn a_forecast_shows_somebody_what_cost_does() {
    let (book, program) = book();
    program.succeed(&["invoices", "draft", "--period", "2026-10", "--config", "cf-billing.toml"]);
    let october = book.forecast("2026-10-15");
    let always = Span { from: Timestamp::from_unix(0), to: Timestamp::from_unix(253_402_300_799) };
    let payer = |account: &str, organization: &str, seen| OrganizationPayer {
        account: account.to_owned(),
        foundation: "f".to_owned(),
        organization: organization.to_owned(),
        span: always,
        seen,
        person: 0,
    };
    let (whole, sum) = (OfOrganization::Whole, OfOrganization::Sum);
    let until = |day: &str| Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap();
    let ended = Span { to: until("2026-10-01"), ..always };
    let space = |guid: &str| CloudRole::OfSpace(guid.to_owned());
    let theirs = |accounts: &[&str], roles: &[CloudRole], payers: Vec<OrganizationPayer>| Theirs {
        accounts: accounts.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>(),
        reach: vec![Reach::new("f", roles, true)],
        payers,
    };
    let all = [
        theirs(&[], &[], vec![]),
        theirs(&["one"], &[], vec![]),
        theirs(&["one", "two"], &[], vec![]),
        theirs(&[], &[space("s1")], vec![]),
        theirs(&[], &[space("s2"), space("s3")], vec![]),
        theirs(&[], &[], vec![payer("one", "o1", whole)]),
        theirs(&[], &[], vec![payer("one", "o1", sum)]),
        theirs(&[], &[], vec![payer("two", "o1", whole)]),
        theirs(&[], &[], vec![payer("one", "o2", whole)]),
        theirs(&[], &[], vec![payer("one", "o1", sum), payer("two", "o2", whole)]),
        theirs(&[], &[], vec![OrganizationPayer { span: ended, ..payer("one", "o1", whole) }]),
        // An account that an organization was of for a part of the month: what isn't all of that time is seen by nobody.
        theirs(
            &[],
            &[],
            vec![OrganizationPayer { span: Span { to: until("2026-10-12"), ..always }, ..payer("one", "o1", whole) }],
        ),
        theirs(
            &[],
            &[],
            vec![OrganizationPayer { span: Span { to: until("2026-11-01"), ..always }, ..payer("one", "o1", whole) }],
        ),
        theirs(&["two"], &[space("s1")], vec![payer("one", "o1", sum), payer("two", "o2", sum)]),
    ];
    let groups: [&[CostBy]; 4] = [
        &[],
        &[CostBy::Account],
        &[CostBy::Org, CostBy::Space, CostBy::App],
        &[
            CostBy::Account,
            CostBy::Foundation,
            CostBy::Kind,
            CostBy::Org,
            CostBy::Service,
            CostBy::Plan,
            CostBy::Buildpack,
            CostBy::Meter,
        ],
    ];
    let mut seen = 0;
    for of in all.iter().map(Some).chain([None]) {
        for by in groups {
            let so_far: BTreeSet<Vec<String>> = (book.rows(&october, by, of).iter())
                .map(|row| {
                    let mut cells = row.cells();
                    cells.retain(|cell| !cell.is_empty());
                    cells.truncate(cells.len() - 1);
                    cells.remove(cells.len() - 2);
                    cells
                })
                .collect();
            let cost: BTreeSet<Vec<String>> = (book.cost(october.month, by, of).iter())
                .map(|row| {
                    let row = CostRow::new(row, by);
                    let mut cells = row.cells();
                    cells.retain(|cell| !cell.is_empty());
                    cells.truncate(cells.len() - 2);
                    cells
                })
                .collect();
            assert_eq!(so_far, cost, "{of:?} by {by:?}");
            seen += cost.len();
        }
    }
    assert!(seen > 50, "{seen} rows");
}
