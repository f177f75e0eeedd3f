//! `cf-billing rates what-if`: what a period would have cost by another card. Writes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::card::{read_card, uncounted};
use super::super::output::{self, Format, note, numbers, print, words};
use super::super::{Failure, Global};
use crate::billing_run::{BillingRun, Card};
use crate::clock::Clock;
use crate::domain::{Amount, Currency, Month};
use crate::invoicing::{Draft, Invoice, InvoiceLine};
use crate::rating::Named;

/// Rate a month's real usage with another card: old, new and difference, the biggest changes first
///
/// Both are computed by the code that makes invoices, from one state of the ledger; nothing is written.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing rates what-if --card rates/2027.toml --period 2026-10 --by account,buildpack"
)]
pub struct WhatIf {
    /// The card to try, a file or a folder
    #[arg(long, value_name = "CARD")]
    card: PathBuf,
    /// The month, in the billing time zone
    #[arg(long, value_name = "YYYY-MM")]
    period: Month,
    /// The card to compare with; the configured one if left out
    #[arg(long, value_name = "CARD")]
    rates: Option<PathBuf>,
    /// Only this account: its id, foundation/organization-guid, or its name
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// A table for each of these
    #[arg(long, value_delimiter = ',', default_value = "account,org,buildpack,kind")]
    by: Vec<By>,
    /// At most this many rows in each table, the biggest changes first
    #[arg(long, value_name = "ROWS", default_value_t = 20)]
    top: usize,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Account,
    Org,
    Space,
    App,
    Buildpack,
    Kind,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Org => "org",
            Self::Space => "space",
            Self::App => "app",
            Self::Buildpack => "buildpack",
            Self::Kind => "kind",
        }
    }

    /// What a line is counted under.
    fn of(self, invoice: &Invoice, line: &InvoiceLine) -> String {
        let key = &line.key;
        match self {
            Self::Account => account(invoice),
            Self::Org => format!("{}/{}", key.foundation, key.organization.called()),
            Self::Space => format!("{}/{}/{}", key.foundation, key.organization.called(), key.space.called()),
            Self::App => {
                let of = key.app.as_ref().or(key.service_instance.as_ref());
                of.map_or_else(|| "-".to_owned(), Named::called)
            }
            Self::Buildpack => key.buildpack.clone().unwrap_or_else(|| "none".to_owned()),
            Self::Kind => key.kind.to_string(),
        }
    }
}

fn account(invoice: &Invoice) -> String {
    match &invoice.account_name {
        Some(name) => format!("{name} ({})", invoice.account),
        None => invoice.account.clone(),
    }
}

/// What no line carries: discounts, commitments and minimums.
const ADJUSTMENTS: &str = "(discounts, commitments, minimums)";

/// Old and new, by what they are counted under.
type Sums = BTreeMap<String, [Amount; 2]>;

/// A table: by what, and its rows.
type Compared = (By, Vec<(String, [Amount; 2])>);

impl WhatIf {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let old = read_card(self.rates.clone(), &configuration)?;
        let new = read_card(Some(self.card.clone()), &configuration)?;
        if old.rates.currency != new.rates.currency {
            return Err(Failure::usage(format!(
                "the cards are in {} and {}\nhint: compare cards of one currency; nothing is converted",
                old.rates.currency, new.rates.currency
            )));
        }
        let store = Global::open_existing(&configuration).await?;
        let run = BillingRun::new(&configuration, &store, &Clock::System, &old)?;
        let cards: [&Card; 2] = [&old, &new];
        let mut drafts = run.compute_with(&cards, self.period, self.account.as_deref()).await?;
        store.close().await;
        // What can't be counted by one of the cards can't be compared.
        let mut uncountable: BTreeMap<String, String> = BTreeMap::new();
        for Draft { invoice, notes } in drafts.iter().flatten() {
            let why = notes.uncountable.as_ref();
            uncountable.extend(why.map(|why| (invoice.account.clone(), format!("{}: {why}", invoice.account))));
        }
        for of_card in &mut drafts {
            of_card.retain(|draft| !uncountable.contains_key(&draft.invoice.account));
        }
        let invoices: Vec<Vec<Invoice>> =
            drafts.into_iter().map(|drafts| drafts.into_iter().map(|draft| draft.invoice).collect()).collect();
        let uncountable: Vec<String> = uncountable.into_values().collect();
        if invoices.iter().all(Vec::is_empty) {
            uncounted(uncountable)?;
            return Err(Failure::failed(format!(
                "nothing was used in {}{}\nhint: `cf-billing usage` shows what was used when; give an account by its id, its name, or `foundation/organization-guid`",
                self.period,
                self.account.as_ref().map_or_else(String::new, |account| format!(" by `{account}`"))
            )));
        }
        let unpriced_of = |invoices: &Vec<Invoice>| {
            invoices.iter().flat_map(|invoice| &invoice.lines).filter(|line| line.charge.is_none()).count()
        };
        let unpriced_lines = [unpriced_of(&invoices[0]), unpriced_of(&invoices[1])];
        for (card, invoices) in ["old", "new"].iter().zip(&invoices) {
            let unpriced = invoices.iter().flat_map(|invoice| &invoice.lines).filter(|line| line.charge.is_none());
            let count = unpriced.clone().count();
            if let Some(first) = unpriced.clone().next() {
                note(&format!("warning: with the {card} card {count} line(s) have no price, such as {}", first.what()));
            }
        }
        let currency = old.rates.currency;
        let total = Self::total(&invoices)?;
        let mut tables: Vec<Compared> = Vec::new();
        for by in &self.by {
            let mut rows: Vec<(String, [Amount; 2])> = compared(*by, &invoices)?.into_iter().collect();
            // The biggest movers first; of those that move alike, the biggest.
            rows.sort_by_key(|(name, [old, new])| {
                let moved = new.0.abs_diff(old.0);
                (std::cmp::Reverse(moved), std::cmp::Reverse(old.0.max(new.0)), name.clone())
            });
            tables.push((*by, rows));
        }
        match self.format {
            Format::Json => output::json(&self.json(&tables, total, unpriced_lines, currency))?,
            Format::Csv => {
                let rows = tables.iter().flat_map(|(by, rows)| {
                    rows.iter().map(|row| [vec![by.name().to_owned()], cells(row, currency)].concat())
                });
                output::csv(&["by", "name", "old", "new", "difference", "percent"], rows)?;
            }
            Format::Table => self.print(&tables, total, currency)?,
        }
        uncounted(uncountable)
    }

    fn total(invoices: &[Vec<Invoice>]) -> Result<[Amount; 2], Failure> {
        let sum = |invoices: &Vec<Invoice>| {
            let nets = invoices.iter().map(|invoice| invoice.net);
            nets.into_iter().try_fold(Amount::default(), Amount::plus).map_err(Failure::failed)
        };
        Ok([sum(&invoices[0])?, sum(&invoices[1])?])
    }

    fn json(
        &self,
        tables: &[Compared],
        total: [Amount; 2],
        [old_unpriced, new_unpriced]: [usize; 2],
        currency: Currency,
    ) -> Value {
        let row = |(name, amounts): &(String, [Amount; 2])| {
            let [old, new, difference] = money(*amounts, currency);
            json!({"name": name, "old": old, "new": new, "difference": difference})
        };
        let [old, new, difference] = money(total, currency);
        let mut by = serde_json::Map::new();
        for (key, rows) in tables {
            by.insert(key.name().to_owned(), rows.iter().map(row).collect());
        }
        json!({
            "period": self.period.to_string(),
            "currency": currency.code(),
            "old": old,
            "new": new,
            "difference": difference,
            "unpriced_lines": {"old": old_unpriced, "new": new_unpriced},
            "by": by,
        })
    }

    fn print(&self, tables: &[Compared], total: [Amount; 2], currency: Currency) -> Result<(), Failure> {
        for (by, rows) in tables {
            let columns = [words(by.name()), numbers("old"), numbers("new"), numbers("difference"), numbers("percent")];
            output::table(&columns, rows.iter().take(self.top).map(|row| cells(row, currency)))?;
            if rows.len() > self.top {
                print(&format!("and {} that move less", rows.len() - self.top))?;
            }
            print("")?;
        }
        let row = cells(&(String::new(), total), currency);
        print(&format!(
            "{} net: {} {currency} with the old card, {} with the new one, {} ({} %)",
            self.period, row[1], row[2], row[3], row[4]
        ))?;
        print("Nothing was written.")
    }
}

/// Every line's amount by both cards, and what is added to invoices or taken off them.
fn compared(by: By, invoices: &[Vec<Invoice>]) -> Result<Sums, Failure> {
    let mut compared = Sums::new();
    for (side, invoices) in invoices.iter().enumerate() {
        for invoice in invoices {
            let mut add = |name: String, amount: Amount| -> Result<(), Failure> {
                let sums = compared.entry(name).or_default();
                sums[side] = sums[side].plus(amount).map_err(Failure::failed)?;
                Ok(())
            };
            for line in &invoice.lines {
                let amount = line.charge.as_ref().map_or_else(Amount::default, |charge| charge.amount);
                add(by.of(invoice, line), amount)?;
            }
            for adjustment in &invoice.adjustments {
                let name = if by == By::Account { account(invoice) } else { ADJUSTMENTS.to_owned() };
                add(name, adjustment.amount)?;
            }
        }
    }
    Ok(compared)
}

/// Old, new and difference, in major units.
fn money([old, new]: [Amount; 2], currency: Currency) -> [String; 3] {
    let difference = Amount(new.0.saturating_sub(old.0));
    [old, new, difference].map(|amount| amount.in_major_units(currency).to_string())
}

fn cells((name, amounts): &(String, [Amount; 2]), currency: Currency) -> Vec<String> {
    let [old, new, difference] = money(*amounts, currency);
    let [from, to] = amounts.map(|amount| i128::from(amount.0));
    // In tenths of a percent.
    let percent = match from {
        0 => "-".to_owned(),
        from => {
            let tenths = crate::domain::Rounding::HalfUp.divide((to - from) * 1000, from.abs());
            format!("{}{}.{}", if tenths < 0 { "-" } else { "+" }, tenths.abs() / 10, tenths.abs() % 10)
        }
    };
    vec![name.clone(), old, new, difference, percent]
}
