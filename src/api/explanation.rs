//! An invoice explained, as programs read it: every cent, down to ledger entries and usage events.

use serde::Serialize;
use utoipa::ToSchema;

use crate::billing_run;
use crate::domain::{Amount, Guid, Timestamp};

/// An invoice explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Explanation {
    /// In the database; for staff alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<i64>,
    #[schema(required)]
    pub number: Option<String>,
    pub account: String,
    /// It is a draft, and its usage, rates or accounts have changed since it was made: it is explained as it is now.
    pub changed: bool,
    /// ISO 4217.
    pub currency: String,
    /// The card's name.
    #[schema(required)]
    pub rate_card: Option<String>,
    /// Of the card's text.
    pub rate_card_sha256: String,
    /// The lines that were asked for.
    pub lines: Vec<ExplainedLine>,
    /// From the lines to what is to be paid.
    pub steps: Vec<Step>,
}

/// A line explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExplainedLine {
    /// From 1.
    pub line: usize,
    pub what: String,
    pub foundation: String,
    /// What is measured: `instance_hour`, `memory_gib_hour` …
    pub meter: &'static str,
    /// Instance-seconds or MiB-seconds.
    pub quantity: i64,
    /// Null: no rate is for it.
    #[schema(required)]
    pub amount: Option<String>,
    /// Empty: made by an earlier version, which didn't keep that.
    pub uses: Vec<Use>,
    pub steps: Vec<Step>,
}

/// A stretch of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Use {
    /// Guid of the resource.
    #[schema(value_type = String)]
    pub resource: Guid,
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    pub seconds: i64,
    pub instances: i64,
    /// MiB an instance, or 1.
    pub size: i64,
    pub used: i64,
    pub charged: i64,
    /// Number of the ledger entry; null: it was still running.
    #[schema(required)]
    pub ledger_entry: Option<i64>,
    #[schema(required)]
    pub began: Option<Origin>,
    #[schema(required)]
    pub ended: Option<Origin>,
}

/// Something in the archive that began or ended a use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Origin {
    /// Its number in the foundation's archive.
    pub input: u64,
    /// `usage event`, `baseline item` …
    pub what: &'static str,
    /// Of the event.
    #[schema(required)]
    pub guid: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A step of a computation: what, how, and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Step {
    pub what: String,
    pub formula: String,
    pub result: String,
}

impl Explanation {
    /// For staff with the invoice's id.
    #[must_use]
    pub fn new(explained: &billing_run::Explained, is_staff: bool) -> Self {
        let (stored, document) = (&explained.stored, &explained.stored.document);
        let currency = document.currency;
        let money = |amount: Amount| amount.in_major_units(currency).to_string();
        let lines = explained.lines.iter().map(|explained| ExplainedLine {
            line: explained.position,
            what: explained.line.what(),
            foundation: explained.line.key.foundation.clone(),
            meter: explained.line.meter.name(),
            quantity: explained.line.quantity,
            amount: explained.line.charge.as_ref().map(|charge| money(charge.amount)),
            uses: explained.uses.iter().map(Use::from).collect(),
            steps: explained.steps.iter().map(Step::from).collect(),
        });
        Self {
            id: is_staff.then_some(stored.id),
            number: stored.number.clone(),
            account: document.account.clone(),
            changed: explained.changed,
            currency: currency.code().to_owned(),
            rate_card: explained.card.clone(),
            rate_card_sha256: document.rate_card.clone(),
            lines: lines.collect(),
            steps: explained.steps.iter().map(Step::from).collect(),
        }
    }
}

impl From<&billing_run::Use> for Use {
    fn from(one: &billing_run::Use) -> Self {
        Self {
            resource: one.resource.clone(),
            from: one.span.from,
            to: one.span.to,
            seconds: one.span.seconds(),
            instances: one.instances,
            size: one.size,
            used: one.used,
            charged: one.charged,
            ledger_entry: one.entry,
            began: one.began.as_ref().map(Origin::from),
            ended: one.ended.as_ref().map(Origin::from),
        }
    }
}

impl From<&billing_run::InputOrigin> for Origin {
    fn from(origin: &billing_run::InputOrigin) -> Self {
        Self { input: origin.sequence, what: origin.what, guid: origin.guid.clone(), at: origin.at }
    }
}

impl From<&billing_run::Step> for Step {
    fn from(step: &billing_run::Step) -> Self {
        Self { what: step.what.clone(), formula: step.formula.clone(), result: step.result.clone() }
    }
}
