//! What a month costs, as programs read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::keys::{GroupBy, Keys, columns};
use crate::store::{self, CostKey};

/// What cost can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum CostBy {
    Account,
    Foundation,
    Kind,
    Org,
    Space,
    App,
    Service,
    Buildpack,
    Plan,
    Meter,
}

impl CostBy {
    #[must_use]
    pub const fn group(self) -> CostKey {
        match self {
            Self::Account => CostKey::Account,
            Self::Foundation => CostKey::Foundation,
            Self::Kind => CostKey::Kind,
            Self::Org => CostKey::Organization,
            Self::Space => CostKey::Space,
            Self::App => CostKey::App,
            Self::Service => CostKey::ServiceInstance,
            Self::Buildpack => CostKey::Buildpack,
            Self::Plan => CostKey::ServicePlan,
            Self::Meter => CostKey::Meter,
        }
    }
}

impl GroupBy for CostBy {
    fn keys(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Account => ("account", Some("account_name")),
            Self::Foundation => ("foundation", None),
            Self::Kind => ("kind", None),
            Self::Org => ("org_guid", Some("org_name")),
            Self::Space => ("space_guid", Some("space_name")),
            Self::App => ("app_guid", Some("app_name")),
            Self::Service => ("service_instance_guid", Some("service_instance_name")),
            Self::Buildpack => ("buildpack", None),
            Self::Plan => ("service_plan_guid", Some("service_plan_name")),
            Self::Meter => ("meter", None),
        }
    }
}

/// One group's cost. A key that wasn't asked for isn't there; null: it has none, or the row isn't of usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostRow {
    /// `usage`; `adjustments`: minimums, commitments and discounts, as far as no line has a share of them; `corrections`: what
    /// corrects months that are final.
    pub part: &'static str,
    #[serde(flatten)]
    #[schema(ignore)]
    pub keys: Keys,
    /// ISO 4217.
    pub currency: String,
    /// Net, as a decimal number in the currency's major unit; discounts are taken off.
    pub amount: String,
    /// Of the amount, what rests on estimated usage.
    pub estimated: String,
    /// Lines that no rate is for: they are in no amount.
    pub unpriced_lines: u64,
}

/// Columns of sums.
pub const SUMS: [&str; 4] = ["currency", "amount", "estimated", "unpriced_lines"];

impl CostRow {
    /// A row, by the keys that were asked for in that order.
    #[must_use]
    pub fn new(row: &store::CostRow, by: &[CostBy]) -> Self {
        let money = |amount: crate::domain::Amount| amount.in_major_units(row.currency).to_string();
        Self {
            part: row.part.name(),
            keys: Keys::new(by, &row.keys, true),
            currency: row.currency.code().to_owned(),
            amount: money(row.amount),
            estimated: money(row.estimated),
            unpriced_lines: row.unpriced_lines,
        }
    }

    /// The columns of rows with those keys.
    #[must_use]
    pub fn header(by: &[CostBy]) -> Vec<&'static str> {
        std::iter::once("part").chain(columns(by, true)).chain(SUMS).collect()
    }

    /// The cells of its columns.
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        let sums =
            [self.currency.clone(), self.amount.clone(), self.estimated.clone(), self.unpriced_lines.to_string()];
        std::iter::once(self.part.to_owned()).chain(self.keys.cells()).chain(sums).collect()
    }
}
