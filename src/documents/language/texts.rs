//! Every text of a document as a field: a language that lacks one doesn't compile.
//! Owns which texts there are; never their words.

use crate::domain::Kind;
use crate::invoicing::{CorrectionCause, GroupBy};
use crate::rate_card::{Granularity, Meter};

/// What is counted, by how many.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    pub one: &'static str,
    pub many: &'static str,
}

/// A word for each kind of usage.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    pub process: &'static str,
    pub service: &'static str,
    pub staging: &'static str,
    pub task: &'static str,
}

impl Kinds {
    /// That of one kind.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Process => self.process,
            Kind::Service => self.service,
            Kind::Staging => self.staging,
            Kind::Task => self.task,
        }
    }
}

/// A word for each way to group lines.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    pub organization: &'static str,
    pub space: &'static str,
    pub app: &'static str,
    pub buildpack: &'static str,
    pub kind: &'static str,
}

impl Groups {
    /// That of one way.
    #[must_use]
    pub const fn of(&self, by: GroupBy) -> &'static str {
        match by {
            GroupBy::Organization => self.organization,
            GroupBy::Space => self.space,
            GroupBy::App => self.app,
            GroupBy::Buildpack => self.buildpack,
            GroupBy::Kind => self.kind,
        }
    }
}

/// A unit for each meter.
#[derive(Clone, Copy, Debug)]
pub struct Units {
    pub instance_hour: Counted,
    pub memory_gib_hour: Counted,
    pub disk_gib_hour: Counted,
    pub month: Counted,
    pub staging: Counted,
}

impl Units {
    /// That of one meter.
    #[must_use]
    pub const fn of(&self, meter: Meter) -> Counted {
        match meter {
            Meter::InstanceHour => self.instance_hour,
            Meter::MemoryGibHour => self.memory_gib_hour,
            Meter::DiskGibHour => self.disk_gib_hour,
            Meter::Month => self.month,
            Meter::Staging => self.staging,
        }
    }
}

/// A reason for each cause of a correction.
#[derive(Clone, Copy, Debug)]
pub struct Causes {
    pub credited: &'static str,
    pub usage: &'static str,
    pub rate: &'static str,
    pub shared: &'static str,
    pub adjustment: &'static str,
}

impl Causes {
    /// That of one cause.
    #[must_use]
    pub const fn of(&self, cause: CorrectionCause) -> &'static str {
        match cause {
            CorrectionCause::Credited => self.credited,
            CorrectionCause::Usage => self.usage,
            CorrectionCause::Rate => self.rate,
            CorrectionCause::Shared => self.shared,
            CorrectionCause::Adjustment => self.adjustment,
        }
    }
}

/// How lengths are rounded; each as a phrase within a sentence.
#[derive(Clone, Copy, Debug)]
pub struct Roundings {
    pub interval_up_to_minutes: &'static str,
    pub interval_up_to_hours: &'static str,
    pub interval_to_minutes: &'static str,
    pub interval_to_hours: &'static str,
    pub day_up_to_minutes: &'static str,
    pub day_up_to_hours: &'static str,
    pub day_to_minutes: &'static str,
    pub day_to_hours: &'static str,
}

impl Roundings {
    /// That of one rule; `None`: nothing is rounded.
    #[must_use]
    pub const fn of(&self, granularity: Granularity) -> Option<&'static str> {
        let hours = match granularity.seconds {
            1 => return None,
            3600 => true,
            _ => false,
        };
        Some(match (granularity.per_day, granularity.up, hours) {
            (false, true, false) => self.interval_up_to_minutes,
            (false, true, true) => self.interval_up_to_hours,
            (false, false, false) => self.interval_to_minutes,
            (false, false, true) => self.interval_to_hours,
            (true, true, false) => self.day_up_to_minutes,
            (true, true, true) => self.day_up_to_hours,
            (true, false, false) => self.day_to_minutes,
            (true, false, true) => self.day_to_hours,
        })
    }

    /// That of the rule in the words in which an invoice keeps it; `None`: nothing is rounded, or we don't know it.
    #[must_use]
    pub fn in_words(&self, kept: &str) -> Option<&'static str> {
        [60, 3600].into_iter().find_map(|seconds| {
            let mut rules = [(false, false), (false, true), (true, false), (true, true)].into_iter();
            rules.find_map(|(up, per_day)| {
                let granularity = Granularity { seconds, up, per_day };
                (granularity.to_string() == kept).then(|| self.of(granularity)).flatten()
            })
        })
    }
}

/// Why no tax is charged, for each of EN 16931's categories that charges none.
#[derive(Clone, Copy, Debug)]
pub struct Untaxed {
    pub reverse_charge: &'static str,
    pub intra_community: &'static str,
    pub export: &'static str,
    pub outside: &'static str,
    pub exempt: &'static str,
    pub zero_rated: &'static str,
}

impl Untaxed {
    /// That of one category; `None`: it charges tax.
    #[must_use]
    pub fn of(&self, category: &str) -> Option<&'static str> {
        match category {
            "AE" => Some(self.reverse_charge),
            "K" => Some(self.intra_community),
            "G" => Some(self.export),
            "O" => Some(self.outside),
            "E" => Some(self.exempt),
            "Z" => Some(self.zero_rated),
            _ => None,
        }
    }
}

/// All of them. What a function takes is already written as the language does.
#[derive(Clone, Copy, Debug)]
pub struct Texts {
    // Titles
    pub invoice: &'static str,
    pub draft_invoice: &'static str,
    pub credit_note: &'static str,
    pub draft_credit_note: &'static str,
    pub watermark: &'static str,
    /// With `{page}` and `{pages}`.
    pub page: &'static str,

    // Labels of facts
    pub invoice_number: &'static str,
    pub credit_note_number: &'static str,
    pub credited_invoice: &'static str,
    pub replaced_invoice: &'static str,
    pub issue_date: &'static str,
    pub due_date: &'static str,
    pub billing_period: &'static str,
    pub computed_at: &'static str,
    pub account: &'static str,
    pub purchase_order: &'static str,
    pub cost_centre: &'static str,
    pub buyer_reference: &'static str,
    pub your_vat_id: &'static str,
    pub our_vat_id: &'static str,
    pub vat: &'static str,
    pub vat_id: &'static str,
    pub tax_number: &'static str,
    /// Number, date.
    pub number_of_date: fn(&str, &str) -> String,

    // Introduction
    /// Month.
    pub introduction: fn(&str) -> String,
    /// Month.
    pub nothing_charged: fn(&str) -> String,
    /// Number, date, month.
    pub credit_introduction: fn(&str, &str, &str) -> String,
    pub credit_reason: fn(&str) -> String,
    pub draft_notice: &'static str,
    /// Up to when usage is known.
    pub complete_up_to: fn(&str) -> String,

    // Summary
    pub kinds: Kinds,
    pub groups: Groups,
    pub no_buildpack: &'static str,
    pub description: &'static str,
    /// Code of the currency.
    pub amount_in: fn(&str) -> String,
    pub subtotal: fn(&str) -> String,
    pub usage_total: &'static str,
    pub estimated_part: fn(&str) -> String,
    pub allowance: fn(&str) -> String,
    /// Quantity with its unit.
    pub allowance_remark: fn(&str) -> String,
    pub discount: fn(&str) -> String,
    /// Percent, basis.
    pub discount_remark: fn(&str, &str) -> String,
    pub commitment: fn(&str) -> String,
    pub covered: fn(&str) -> String,
    /// What usage comes to.
    pub covered_remark: fn(&str) -> String,
    pub minimum: fn(&str) -> String,
    /// What there was, what it is filled up to.
    pub minimum_remark: fn(&str, &str) -> String,

    // Corrections
    pub causes: Causes,
    /// Invoice, its line.
    pub correction_of_line: fn(&str, &str) -> String,
    /// Invoice.
    pub correction_of: fn(&str) -> String,
    /// How many, invoice.
    pub corrections_of: fn(&str, &str) -> String,
    pub corrections: &'static str,
    pub credits: &'static str,
    pub charged_before: &'static str,
    pub charged_now: &'static str,

    // Totals
    pub net: &'static str,
    pub net_credited: &'static str,
    /// Name, percent.
    pub tax: fn(&str, &str) -> String,
    pub total: &'static str,
    pub to_pay: &'static str,
    pub credited: &'static str,

    // Notes
    /// Amount, date.
    pub pay_by: fn(&str, &str) -> String,
    /// Days.
    pub pay_within: fn(&str) -> String,
    pub nothing_to_pay: &'static str,
    pub untaxed: Untaxed,
    pub estimated_note: fn(&str) -> String,
    /// Reference, from, until.
    pub gap: fn(&str, &str, &str) -> String,
    /// Reference, from.
    pub open_gap: fn(&str, &str) -> String,
    /// How many lines.
    pub unpriced: fn(usize) -> String,

    // Payment
    pub account_holder: &'static str,
    pub iban: &'static str,
    pub bic: &'static str,
    pub bank: &'static str,
    pub payment_reference: &'static str,

    // Chart
    /// Code of the currency.
    pub chart: fn(&str) -> String,
    pub others: &'static str,
    /// First and last day, total, dearest day, its cost.
    pub chart_description: fn(&str, &str, &str, &str, &str) -> String,

    // Annex
    pub annex: &'static str,
    pub charge: &'static str,
    pub quantity: &'static str,
    pub unit: &'static str,
    pub price_in: fn(&str) -> String,
    pub units: Units,
    pub line: fn(&str) -> String,
    /// App.
    pub staging_of: fn(&str) -> String,
    /// App.
    pub task_of: fn(&str) -> String,
    pub estimated: &'static str,
    pub tier: fn(usize) -> String,
    /// How many, size of each.
    pub packages: fn(&str, &str) -> String,
    pub free: fn(&str) -> String,
    pub list_price: fn(&str) -> String,
    pub roundings: Roundings,
    pub used: fn(&str) -> String,
    pub no_price: &'static str,
    pub organization_of: fn(&str) -> String,
    pub space_of: fn(&str) -> String,

    pub months: [&'static str; 12],
    pub short_months: [&'static str; 12],
}
