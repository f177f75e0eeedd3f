//! What a month costs, as programs read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::row::or_empty;
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
    pub const ALL: [Self; 10] = [
        Self::Account,
        Self::Foundation,
        Self::Kind,
        Self::Org,
        Self::Space,
        Self::App,
        Self::Service,
        Self::Buildpack,
        Self::Plan,
        Self::Meter,
    ];

    /// The word that asks for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Foundation => "foundation",
            Self::Kind => "kind",
            Self::Org => "org",
            Self::Space => "space",
            Self::App => "app",
            Self::Service => "service",
            Self::Buildpack => "buildpack",
            Self::Plan => "plan",
            Self::Meter => "meter",
        }
    }

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

    /// The key in a row, and that of its name; none where the key is a name itself.
    #[must_use]
    pub const fn keys(self) -> (&'static str, Option<&'static str>) {
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostRow {
    /// `usage`; `adjustments`: minimums, commitments and discounts, as far as no line has a share of them; `corrections`: what
    /// corrects months that are final.
    pub part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub foundation: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub org_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub org_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub space_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub space_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub app_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub app_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service_instance_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service_instance_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub buildpack: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service_plan_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service_plan_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub meter: Option<Option<String>>,
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
        let mut made = Self {
            part: row.part.name(),
            currency: row.currency.code().to_owned(),
            amount: money(row.amount),
            estimated: money(row.estimated),
            unpriced_lines: row.unpriced_lines,
            ..Self::default()
        };
        for (by, keyed) in by.iter().zip(&row.keys) {
            let value = Some(keyed.as_ref().map(|keyed| keyed.value.clone()));
            let name = Some(keyed.as_ref().and_then(|keyed| keyed.name.clone()));
            match by {
                CostBy::Account => (made.account, made.account_name) = (value, name),
                CostBy::Foundation => made.foundation = value,
                CostBy::Kind => made.kind = value,
                CostBy::Org => (made.org_guid, made.org_name) = (value, name),
                CostBy::Space => (made.space_guid, made.space_name) = (value, name),
                CostBy::App => (made.app_guid, made.app_name) = (value, name),
                CostBy::Service => (made.service_instance_guid, made.service_instance_name) = (value, name),
                CostBy::Buildpack => made.buildpack = value,
                CostBy::Plan => (made.service_plan_guid, made.service_plan_name) = (value, name),
                CostBy::Meter => made.meter = value,
            }
        }
        made
    }

    /// The columns of rows with those keys.
    #[must_use]
    pub fn header(by: &[CostBy]) -> Vec<&'static str> {
        let keys = by.iter().flat_map(|by| std::iter::once(by.keys().0).chain(by.keys().1));
        std::iter::once("part").chain(keys).chain(SUMS).collect()
    }

    /// The cells of these columns.
    #[must_use]
    pub fn cells(&self, by: &[CostBy]) -> Vec<String> {
        let text = |value: &Option<Option<String>>| or_empty(value.clone().flatten());
        let mut cells = vec![self.part.to_owned()];
        for by in by {
            let (value, name) = match by {
                CostBy::Account => (&self.account, Some(&self.account_name)),
                CostBy::Foundation => (&self.foundation, None),
                CostBy::Kind => (&self.kind, None),
                CostBy::Org => (&self.org_guid, Some(&self.org_name)),
                CostBy::Space => (&self.space_guid, Some(&self.space_name)),
                CostBy::App => (&self.app_guid, Some(&self.app_name)),
                CostBy::Service => (&self.service_instance_guid, Some(&self.service_instance_name)),
                CostBy::Buildpack => (&self.buildpack, None),
                CostBy::Plan => (&self.service_plan_guid, Some(&self.service_plan_name)),
                CostBy::Meter => (&self.meter, None),
            };
            cells.push(text(value));
            cells.extend(name.map(text));
        }
        cells.extend([
            self.currency.clone(),
            self.amount.clone(),
            self.estimated.clone(),
            self.unpriced_lines.to_string(),
        ]);
        cells
    }
}
