//! `cf-billing invoices credit`: credit notes, and the difference between what a closed period costs and was invoiced.

use std::path::PathBuf;

use chrono::NaiveDate;

use super::super::Failure;
use super::super::card::read_card;
use super::super::output::{Format, note};
use super::hold::reason;
use super::{go_on_above, list, money, tell_begun};
use crate::billing_run::{BillingRun, Card, CorrectionRequest, CreditOutcome, card_of};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::{Amount, Currency};
use crate::invoicing::{Credit as Part, Status};
use crate::store::{Store, StoredInvoice};

/// Correct a final invoice by a credit note: for all of it, for a line, or for the difference to what it costs now
///
/// A credit note is final at once, with a number of its own; the invoice stays as it is. If a period costs more than was
/// invoiced, the rest goes on the account's next invoice.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cf-billing invoices credit CF-000001 --whole --reason \"the month is waived\"
  cf-billing invoices credit CF-000001 --line 3 --reason \"the app was shut down by our mistake\"
  cf-billing invoices credit CF-000001 --line 3 --amount 12.50 --reason \"goodwill\"
  cf-billing invoices credit CF-000001 --reissue --reason \"wrong buyer address\"
  cf-billing invoices credit CF-000001 --difference --reason \"late usage events\"
  cf-billing invoices credit CF-000001 --difference --rates fixed.toml --reason \"price of java_buildpack was wrong\"")]
pub(super) struct Credit {
    /// The invoice's number
    invoice: String,
    /// Why; printed on the credit note
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Give back all that is left of it
    #[arg(long, conflicts_with_all = ["line", "difference", "reissue"])]
    whole: bool,
    /// Give back this line, from 1; may be named several times
    #[arg(long, value_name = "N")]
    line: Vec<usize>,
    /// Give back this much of the line, without tax, instead of all that is left of it
    #[arg(long, value_name = "AMOUNT", requires = "line")]
    amount: Option<String>,
    /// Give back the difference between what was invoiced and what the period costs now
    #[arg(long, conflicts_with_all = ["line", "reissue"])]
    difference: bool,
    /// Compare by this rate card: a corrected version of the one that was used
    #[arg(long, value_name = "FILE", requires = "difference")]
    rates: Option<PathBuf>,
    /// Give all of it back, and invoice the month again
    #[arg(long, conflicts_with = "line")]
    reissue: bool,
    /// The date on the credit note, instead of today's: not before its invoice's or the newest of the series, and after
    /// today only to equal one of them
    #[arg(long, value_name = "YYYY-MM-DD")]
    issue_date: Option<NaiveDate>,
    /// The last number of the series that was used anywhere, where the database may lack some after a failover: goes on above it,
    /// and records what is missing up to it as issued elsewhere
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    above: Option<i64>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Credit {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let why = reason(&self.reason)?.to_owned();
        if self.amount.is_some() && self.line.len() != 1 {
            return Err(Failure::usage("--amount needs exactly one --line\nhint: make one credit note per amount"));
        }
        if !self.whole && !self.reissue && !self.difference && self.line.is_empty() {
            return Err(Failure::usage(
                "nothing to give back was named\nhint: use --line N, --whole, --difference, or --reissue to invoice the month again",
            ));
        }
        let stored = final_invoice(store, &self.invoice).await?;
        let what = if self.difference {
            let given = self.rates.clone().map(|rates| read_card(Some(rates), configuration)).transpose()?;
            CorrectionRequest::Difference(given.map(Box::new))
        } else if self.reissue {
            CorrectionRequest::Credit(Part::Anew)
        } else if self.whole {
            CorrectionRequest::Credit(Part::Whole)
        } else {
            let currency = stored.document.currency;
            let amount = self.amount.as_deref().map(|text| parse_amount(text, currency)).transpose()?;
            CorrectionRequest::Credit(Part::Lines(self.line.iter().map(|line| (*line, amount)).collect()))
        };
        // The configured card is for what is drafted; credit notes rest on the invoice's own.
        let card = match &what {
            CorrectionRequest::Difference(Some(card)) => Card::clone(card),
            _ => card_of(store, &stored, configuration).await?,
        };
        let mut run = BillingRun::new(configuration, store, &Clock::System, &card)?;
        run.issue_date = self.issue_date;
        go_on_above(store, &run.credit_note_series, self.above).await?;
        tell_begun(store, &run.credit_note_series).await?;
        let outcome = run.credit(&stored, what, &why).await?;
        let shown = match outcome {
            CreditOutcome::Note(number) => store.invoice(&number).await?,
            CreditOutcome::Charged(net) => {
                let (net, currency) = (money(net, stored.document.currency), stored.document.currency);
                note(&format!(
                    "{} costs {net} {currency} more than was invoiced: `invoices draft` puts that on the account's next invoice",
                    self.invoice
                ));
                None
            }
            CreditOutcome::Same => {
                note(&format!("{} costs the same with that card; from now on it is compared with it", self.invoice));
                None
            }
        };
        let shown: Vec<StoredInvoice> = shown.into_iter().collect();
        if shown.is_empty() && self.format == Format::Table { Ok(()) } else { list(&shown, self.format) }
    }
}

async fn final_invoice(store: &Store, reference: &str) -> Result<StoredInvoice, Failure> {
    let found = store.invoice(reference).await?;
    let hint = "`cf-billing invoices list --status final` shows numbers";
    found
        // An id that happens to be another invoice's number would give back somebody else's money.
        .filter(|stored| stored.status == Status::Final && stored.number.as_deref() == Some(reference))
        .ok_or_else(|| Failure::failed(format!("there is no final invoice `{reference}`\nhint: {hint}")))
}

/// An amount as people write it: `12.50`.
fn parse_amount(text: &str, currency: Currency) -> Result<Amount, Failure> {
    let wrong =
        |why: String| Failure::usage(format!("--amount `{text}`: {why}\nhint: write it as 12.50, without currency"));
    let plain = text.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    let parsed = rust_decimal::Decimal::from_str_exact(text).ok().filter(|_| plain);
    let decimal = parsed.ok_or_else(|| wrong("it is not a decimal number".to_owned()))?.normalize();
    if decimal.scale() > currency.digits() {
        return Err(wrong(format!("{currency} has {} decimals", currency.digits())));
    }
    let smallest = decimal.mantissa().checked_mul(10_i128.pow(currency.digits() - decimal.scale()));
    let smallest = smallest.and_then(|smallest| i64::try_from(smallest).ok()).filter(|smallest| *smallest > 0);
    smallest.map(Amount).ok_or_else(|| wrong("it must be more than 0, and not too large".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse_amount;
    use crate::domain::{Amount, Currency};

    #[test]
    fn amounts_are_plain_and_as_fine_as_their_currency() {
        let cents = |text: &str, code: &str| parse_amount(text, Currency::from_code(code).unwrap()).ok();
        for (text, code, expected) in [
            ("12.50", "EUR", Some(1250)),
            ("12.5", "EUR", Some(1250)),
            ("12", "EUR", Some(1200)),
            ("0.01", "EUR", Some(1)),
            ("0.001", "EUR", None),
            ("0.001", "KWD", Some(1)),
            ("0.5", "JPY", None),
            ("5.0", "JPY", Some(5)),
            ("0", "EUR", None),
            ("-1", "EUR", None),
            ("1,50", "EUR", None),
            ("92233720368547758.07", "EUR", Some(i64::MAX)),
            ("92233720368547758.08", "EUR", None),
        ] {
            assert_eq!(cents(text, code), expected.map(Amount), "{text} {code}");
        }
    }
}
