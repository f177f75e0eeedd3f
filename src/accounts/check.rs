//! What may be wrong with accounts that can be used: what e-invoices lack, times that nobody owns, another currency than
//! the rate card's. Owns these warnings; what makes a file unusable is the parser's.

use std::collections::BTreeMap;

use super::{Account, Accounts, Owned, Target};
use crate::domain::period::date_or_time;
use crate::keyed::{Problem, sort};
use crate::rate_card::RateCard;

/// Categories that need a reason in words or as a code (BR-E-10, BR-AE-10, BR-IC-10, BR-G-10, BR-O-10).
const EXEMPT: [&str; 5] = ["E", "AE", "K", "G", "O"];

impl Account {
    /// Whether the value of a key keeps its invoices from being final.
    #[must_use]
    pub fn is_unfit(&self, key: &str) -> bool {
        self.unfit.iter().any(|problem| problem.message.starts_with(&format!("`{key}`")))
    }

    /// The keys that an e-invoice (EN 16931, `XRechnung`, Peppol) needs and that the account doesn't have.
    #[must_use]
    pub fn lacks_for_e_invoice(&self) -> Vec<&'static str> {
        let buyer = &self.particulars.buyer;
        let category = self.tax.as_ref().map_or("", |tax| tax.category.as_str());
        let has_id = buyer.vat_id.is_some() || category == "AE" && buyer.registration.is_some();
        let has_reason = self.tax.as_ref().is_some_and(|tax| tax.exemption_reason.is_some());
        let needs = [
            ("address", !buyer.address_lines.is_empty()),
            ("postal_code", buyer.postal_code.is_some()),
            ("city", buyer.city.is_some()),
            ("country", buyer.country.is_some()),
            ("vat_id", has_id || !["AE", "K"].contains(&category)),
            ("electronic_address", buyer.electronic_address.is_some() || self.is_unfit("electronic_address")),
            (
                "buyer_reference or purchase_order",
                self.particulars.buyer_reference.is_some() || self.particulars.purchase_order.is_some(),
            ),
            ("tax_exemption_reason", has_reason || !EXEMPT.contains(&category)),
        ];
        needs.into_iter().filter(|(_, has)| !has).map(|(key, _)| key).collect()
    }
}

impl Accounts {
    /// What keeps accounts' invoices from being final, by line.
    #[must_use]
    pub fn unfit(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self.all().flat_map(|account| account.unfit.clone()).collect();
        sort(&mut problems);
        problems
    }

    /// What may be wrong in the file by itself, by line.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        for account in self.all() {
            if let Some((country, vat_id)) = account.particulars.buyer.foreign_vat_id() {
                let what = format!(
                    "account `{}` is in {country}, and its VAT id `{vat_id}` is of another country",
                    account.id
                );
                let hint = "that is fine if it is registered for VAT there";
                warnings.push(Problem::warning(self.origin(account.position_of("vat_id")), what, hint));
            }
            let lacks = account.lacks_for_e_invoice();
            if !lacks.is_empty() {
                let lacks: Vec<String> =
                    lacks.iter().map(|key| format!("`{}`", key.replace(" or ", "` or `"))).collect();
                let what = format!("account `{}` lacks what an e-invoice needs: {}", account.id, lacks.join(", "));
                let hint = "that is fine if it gets none: its invoices are made anyway";
                warnings.push(Problem::warning(self.origin(account.positions.account), what, hint));
            }
            let is_outside = account.tax.as_ref().is_some_and(|tax| tax.category == "O");
            if is_outside && account.particulars.buyer.vat_id.is_some() {
                let what = format!("account `{}` is outside of VAT but has a `vat_id`", account.id);
                let hint =
                    "an e-invoice of category O must not have one (BR-O-02): remove it, or give another category";
                warnings.push(Problem::warning(self.origin(account.position_of("vat_id")), what, hint));
            }
        }
        warnings.extend(self.gaps());
        sort(&mut warnings);
        warnings
    }

    /// A warning about an account as a whole.
    #[must_use]
    pub fn warning_of(&self, account: &Account, what: String, hint: String) -> Problem {
        Problem::warning(self.origin(account.positions.account), what, hint)
    }

    /// Times between two owners of the same.
    fn gaps(&self) -> Vec<Problem> {
        let mut all: BTreeMap<(&str, &Target), Vec<&Owned>> = BTreeMap::new();
        for owned in self.all().flat_map(|account| &account.owns) {
            all.entry((&owned.foundation, &owned.target)).or_default().push(owned);
        }
        let shown = |at| date_or_time(at, self.zone);
        let mut gaps = Vec::new();
        for owned in all.values_mut() {
            owned.sort_by_key(|owned| owned.validity.from);
            for pair in owned.windows(2) {
                let (one, two) = (pair[0], pair[1]);
                let (Some(to), Some(from)) = (one.validity.to, two.validity.from) else { continue };
                if to < from {
                    let what = format!(
                        "nobody owns `{two}` from {} (line {}) to {}",
                        shown(to),
                        one.position.line,
                        shown(from)
                    );
                    let hint = match two.target {
                        Target::Organization(_) => "it is an account by itself then; if that is wrong, close the gap",
                        Target::Space(_) => "it belongs to its org's account then; if that is wrong, close the gap",
                        Target::Label { .. } => "it has no effect then; if that is wrong, close the gap",
                    };
                    gaps.push(Problem::warning(self.origin(Some(two.position)), what, hint));
                }
            }
        }
        gaps
    }

    /// What is wrong between accounts and the rate card that they are billed by.
    #[must_use]
    pub fn check_card(&self, card: &RateCard) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(currency) = self.defaults.currency.filter(|currency| *currency != card.currency) {
            let message = format!("`defaults` has the currency {currency}, but the rate card is in {}", card.currency);
            let hint = format!("nothing is converted: write currency = \"{}\", or leave it out", card.currency);
            problems.push(Problem::error(self.origin(None), message, hint));
        }
        let has_standard = card.taxes.iter().any(|tax| tax.category == "S");
        for account in self.all() {
            let mut tell = |key: &str, message: String, hint: String| {
                problems.push(Problem::error(self.origin(account.position_of(key)), message, hint));
            };
            if let Some(currency) = account.currency.filter(|currency| *currency != card.currency) {
                tell(
                    "currency",
                    format!("account `{}` pays in {currency}, but the rate card is in {}", account.id, card.currency),
                    format!("nothing is converted: write currency = \"{}\", or bill it by another card", card.currency),
                );
            }
            let untold = account.tax.as_ref().is_some_and(|tax| tax.category == "S" && tax.percent.is_none());
            if untold && !has_standard {
                tell(
                    "tax_category",
                    format!(
                        "account `{}` has category S, but neither it nor the rate card gives a percentage",
                        account.id
                    ),
                    "write tax_percent = \"19\", or a [[tax]] with category = \"S\" in the card".to_owned(),
                );
            }
        }
        problems
    }
}
