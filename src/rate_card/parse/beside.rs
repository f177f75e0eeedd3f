//! What stands beside rates: allowances, discounts, minimums, commitments, taxes.

use super::BlockReader;
use super::values::quantity;
use crate::domain::Kind;
use crate::domain::codes;
use crate::rate_card::keys::Block;
use crate::rate_card::{Allowance, Discount, Floor, FloorKind, Meter, Off, Per, Tax, Whom};

impl BlockReader<'_> {
    /// What it is called on the invoice; `None`: what is written isn't a name.
    fn name_or(&self, otherwise: impl FnOnce() -> String) -> Option<String> {
        if self.keyed.has("name") { self.keyed.text("name") } else { Some(otherwise()) }
    }

    pub(super) fn allowance(&self) -> Option<Allowance> {
        let keyed = &self.keyed;
        let validity = self.validity();
        let kind = keyed.word("kind").and_then(Kind::from_name);
        let meter = keyed.word("meter").and_then(Meter::from_name);
        if let (Some(kind), Some(meter)) = (kind, meter)
            && !Meter::of(kind).contains(&meter)
        {
            let meters: Vec<_> = Meter::of(kind).iter().map(|meter| meter.name()).collect();
            let hint = format!("it has {}", meters.join(", "));
            keyed.error("meter", format!("a {kind} has no `{meter}`"), hint);
            return None;
        }
        let unit = meter.map(Meter::constant_unit);
        if unit == Some(None) {
            keyed.error_here("an allowance of `month`", "months differ in length: use instance_hour");
            return None;
        }
        let quantity = quantity(keyed, "amount", unit.flatten().unwrap_or(1));
        let per = if keyed.word("per") == Some("org") { Per::Organization } else { Per::Account };
        let name = self
            .name_or(|| kind.zip(meter).map(|(kind, meter)| format!("{kind} {meter} allowance")).unwrap_or_default());
        let matcher = self.matcher(Block::Allowance);
        if let Some(kind) = kind {
            self.only_what_narrows(kind);
        }
        Some(Allowance {
            name: name?,
            kind: kind?,
            meter: meter?,
            matcher: matcher?,
            validity,
            quantity: quantity?,
            per,
            place: self.place(),
        })
    }

    /// Keys that narrow other kinds' usage mean nothing.
    fn only_what_narrows(&self, kind: Kind) {
        let of_kind = Block::Rate(kind).keys();
        let narrowing = ["buildpack", "buildpack_guid", "buildpack_pattern", "without_buildpack", "process_type"];
        let narrowing = narrowing.into_iter().chain(["plan_guid", "offering", "plan", "broker", "user_provided"]);
        for key in narrowing.filter(|name| !of_kind.iter().any(|key| key.name == *name)) {
            if self.keyed.has(key) {
                let message = format!("`{key}` doesn't apply to a {kind}");
                self.keyed.reader.error(self.keyed.key_at(key), message, "remove it, or give another kind");
            }
        }
    }

    pub(super) fn discount(&self) -> Option<Discount> {
        let keyed = &self.keyed;
        let validity = self.validity();
        let whom = self.whom();
        let kind = keyed.word("kind").and_then(Kind::from_name);
        let name = self.name_or(|| "discount".to_owned());
        let off = match (keyed.has("percent"), keyed.has("amount")) {
            (true, false) => self.percent().map(Off::Percent),
            (false, true) => {
                let narrowed = kind.is_some() || matches!(whom, Some(ref whom) if !is_for_accounts(whom));
                if narrowed {
                    let hint = "an amount is taken off the whole invoice: limit it by account only, or use percent";
                    keyed.error_here("the `discount` has an amount for a part of an invoice", hint);
                }
                self.amount("amount").map(Off::Amount).filter(|_| !narrowed)
            }
            _ => {
                let hint = "give either percent or amount";
                keyed.error_here("the `discount` doesn't say what it takes off", hint);
                None
            }
        };
        Some(Discount { name: name?, whom: whom?, kind, validity, off: off?, place: self.place() })
    }

    pub(super) fn floor(&self, floor: FloorKind) -> Option<Floor> {
        let validity = self.validity();
        let whom = self.whom();
        let name = self.name_or(|| floor.name().to_owned());
        let amount = self.amount("amount");
        Some(Floor { floor, name: name?, whom: whom?, validity, amount: amount?, place: self.place() })
    }

    pub(super) fn tax(&self) -> Option<Tax> {
        let keyed = &self.keyed;
        let validity = self.validity();
        let name = self.name_or(|| "VAT".to_owned());
        let category = if keyed.has("category") { keyed.word("category") } else { Some("S") };
        let (percent, category) = (keyed.decimal("percent")?, category?);
        if let Err(wrong) = codes::tax_percent(category, percent) {
            keyed.error("percent", format!("`percent`: {}", wrong.what), wrong.form);
            return None;
        }
        Some(Tax { validity, name: name?, category: category.to_owned(), percent, place: self.place() })
    }
}

/// Whether it means whole accounts.
fn is_for_accounts(whom: &Whom) -> bool {
    matches!(whom, Whom::Everyone | Whom::Account(_))
}
