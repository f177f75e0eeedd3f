//! `check`: what invoices are made with: rate card, seller, accounts.

use std::path::Path;

use super::{Checked, Verdict};
use crate::billing_run::{Card, CardError, Sender};
use crate::cli::accounts::{e_invoice_lacks, looked_at};
use crate::cli::rates::past;
use crate::config::Configuration;
use crate::keyed::Severity;
use crate::store::Store;

/// The rate card: read, and compared with what is invoiced.
pub(super) async fn rate_card(
    checked: &mut Checked,
    file: Option<&Path>,
    configuration: &Configuration,
    store: Option<&Store>,
) {
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

/// Who sends the invoices: what no invoice should go out without, whether codes are right, and whether documents can be
/// made with the logo.
pub(super) fn seller(checked: &mut Checked, configuration: &Configuration) {
    let sender = Sender::new(&configuration.billing);
    let unfit = sender.unfit();
    for problem in &unfit {
        checked.say(Verdict::Fail, None, "seller", problem);
    }
    let odd = &configuration.billing.seller.odd;
    for problem in odd {
        checked.say(Verdict::Warn, None, "seller", problem);
    }
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
    if !lacks.is_empty() {
        let told = format!("invoices lack what buyers need\nhint: set [billing] {}", lacks.join(", "));
        checked.say(Verdict::Warn, None, "seller", told);
    } else if unfit.is_empty() && odd.is_empty() {
        checked.say(Verdict::Ok, None, "seller", &seller.name);
    }
}

/// The accounts file: read, and compared with what is known.
pub(super) async fn accounts(checked: &mut Checked, file: &Path, configuration: &Configuration, store: Option<&Store>) {
    match looked_at(file, configuration, store).await {
        Ok((accounts, problems)) => {
            let card = configuration.billing.rates.as_deref();
            let card = card.map(|file| Card::read(file, configuration.billing.time_zone));
            if let (Some(accounts), Some(Ok(card))) = (&accounts, card) {
                for lacking in e_invoice_lacks(accounts, configuration, &card).1 {
                    checked.say(Verdict::Warn, None, "e-invoices", lacking);
                }
            }
            let warnings = problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
            for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
                checked.say(Verdict::Fail, None, "accounts", problem);
            }
            if warnings == problems.len()
                && let Some(accounts) = accounts
            {
                let told = format!("{}: {} account(s), {warnings} warning(s)", file.display(), accounts.count());
                let told = if warnings == 0 { told } else { format!("{told}\nhint: `accounts check` lists them") };
                checked.say(if warnings == 0 { Verdict::Ok } else { Verdict::Warn }, None, "accounts", told);
            }
        }
        Err(failure) => checked.say(Verdict::Fail, None, "accounts", failure.problems.join("\n")),
    }
}
