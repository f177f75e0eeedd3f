//! The columns of FOCUS 1.2 that we fill, then our own: names, types, which may be null.
//! Owns the shape of a row; never what is in it.

use std::sync::Arc;

use super::exact::Exact;
use crate::domain::Timestamp;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Decimals behind the point, at most.
    Decimal(u32),
    Integer,
    Boolean,
    Time,
}

/// Digits of a quantity behind its point. Quotients are rounded to them, and costs are of what is printed.
pub const QUANTITY: u32 = 12;
/// Those of a cost: a price's and a quantity's.
const COST: Kind = Kind::Decimal(QUANTITY + crate::domain::Price::DECIMALS);
const NUMBER: Kind = Kind::Decimal(QUANTITY);

macro_rules! columns {
    ($($column:ident $name:literal $kind:expr, $nulls:ident;)*) => {
        /// A column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Column { $($column),* }

        impl Column {
            /// All, in the order of the file.
            pub const ALL: &[Self] = &[$(Self::$column),*];

            /// As the header has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$column => $name),* }
            }

            /// What it holds.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$column => $kind),* }
            }

            /// Whether it may hold nothing.
            #[must_use]
            pub const fn is_nullable(self) -> bool {
                match self { $(Self::$column => columns!($nulls)),* }
            }
        }
    };
    (nulls) => { true };
    (never) => { false };
}

columns! {
    AvailabilityZone "AvailabilityZone" Kind::Text, nulls;
    BilledCost "BilledCost" NUMBER, never;
    BillingAccountId "BillingAccountId" Kind::Text, never;
    BillingAccountName "BillingAccountName" Kind::Text, nulls;
    BillingAccountType "BillingAccountType" Kind::Text, never;
    BillingCurrency "BillingCurrency" Kind::Text, never;
    BillingPeriodEnd "BillingPeriodEnd" Kind::Time, never;
    BillingPeriodStart "BillingPeriodStart" Kind::Time, never;
    ChargeCategory "ChargeCategory" Kind::Text, never;
    ChargeClass "ChargeClass" Kind::Text, nulls;
    ChargeDescription "ChargeDescription" Kind::Text, never;
    ChargeFrequency "ChargeFrequency" Kind::Text, never;
    ChargePeriodEnd "ChargePeriodEnd" Kind::Time, never;
    ChargePeriodStart "ChargePeriodStart" Kind::Time, never;
    CommitmentDiscountCategory "CommitmentDiscountCategory" Kind::Text, nulls;
    CommitmentDiscountId "CommitmentDiscountId" Kind::Text, nulls;
    CommitmentDiscountName "CommitmentDiscountName" Kind::Text, nulls;
    CommitmentDiscountQuantity "CommitmentDiscountQuantity" NUMBER, nulls;
    CommitmentDiscountStatus "CommitmentDiscountStatus" Kind::Text, nulls;
    CommitmentDiscountType "CommitmentDiscountType" Kind::Text, nulls;
    CommitmentDiscountUnit "CommitmentDiscountUnit" Kind::Text, nulls;
    ConsumedQuantity "ConsumedQuantity" NUMBER, nulls;
    ConsumedUnit "ConsumedUnit" Kind::Text, nulls;
    ContractedCost "ContractedCost" COST, never;
    ContractedUnitPrice "ContractedUnitPrice" NUMBER, nulls;
    EffectiveCost "EffectiveCost" NUMBER, never;
    InvoiceId "InvoiceId" Kind::Text, nulls;
    InvoiceIssuerName "InvoiceIssuerName" Kind::Text, never;
    ListCost "ListCost" COST, never;
    ListUnitPrice "ListUnitPrice" NUMBER, nulls;
    PricingCategory "PricingCategory" Kind::Text, nulls;
    PricingCurrency "PricingCurrency" Kind::Text, never;
    PricingCurrencyContractedUnitPrice "PricingCurrencyContractedUnitPrice" NUMBER, nulls;
    PricingCurrencyEffectiveCost "PricingCurrencyEffectiveCost" NUMBER, never;
    PricingCurrencyListUnitPrice "PricingCurrencyListUnitPrice" NUMBER, nulls;
    PricingQuantity "PricingQuantity" NUMBER, nulls;
    PricingUnit "PricingUnit" Kind::Text, nulls;
    ProviderName "ProviderName" Kind::Text, never;
    PublisherName "PublisherName" Kind::Text, never;
    RegionId "RegionId" Kind::Text, nulls;
    RegionName "RegionName" Kind::Text, nulls;
    ResourceId "ResourceId" Kind::Text, nulls;
    ResourceName "ResourceName" Kind::Text, nulls;
    ResourceType "ResourceType" Kind::Text, nulls;
    ServiceCategory "ServiceCategory" Kind::Text, never;
    ServiceName "ServiceName" Kind::Text, never;
    ServiceSubcategory "ServiceSubcategory" Kind::Text, never;
    SkuId "SkuId" Kind::Text, nulls;
    SkuMeter "SkuMeter" Kind::Text, nulls;
    SkuPriceDetails "SkuPriceDetails" Kind::Text, nulls;
    SkuPriceId "SkuPriceId" Kind::Text, nulls;
    SubAccountId "SubAccountId" Kind::Text, nulls;
    SubAccountName "SubAccountName" Kind::Text, nulls;
    SubAccountType "SubAccountType" Kind::Text, nulls;
    Tags "Tags" Kind::Text, nulls;
    Adjustment "x_Adjustment" Kind::Text, nulls;
    CorrectedInvoiceId "x_CorrectedInvoiceId" Kind::Text, nulls;
    CorrectedLine "x_CorrectedLine" Kind::Integer, nulls;
    CorrectionCause "x_CorrectionCause" Kind::Text, nulls;
    CostCentre "x_CostCentre" Kind::Text, nulls;
    DiscountAmount "x_DiscountAmount" NUMBER, nulls;
    DiscountNames "x_DiscountNames" Kind::Text, nulls;
    DocumentKind "x_DocumentKind" Kind::Text, never;
    DocumentStatus "x_DocumentStatus" Kind::Text, never;
    Estimated "x_Estimated" Kind::Boolean, never;
    Granularity "x_Granularity" Kind::Text, nulls;
    InvoiceLine "x_InvoiceLine" Kind::Integer, nulls;
    PurchaseOrder "x_PurchaseOrder" Kind::Text, nulls;
    Rate "x_Rate" Kind::Text, nulls;
    RateCard "x_RateCardSha256" Kind::Text, nulls;
    TaxCategory "x_TaxCategory" Kind::Text, nulls;
    TaxName "x_TaxName" Kind::Text, nulls;
    TaxPercent "x_TaxPercent" NUMBER, nulls;
    Unpriced "x_Unpriced" Kind::Boolean, never;
}

/// What stands in one column of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    #[default]
    Null,
    Text(Arc<str>),
    Decimal(Exact),
    Integer(i64),
    Boolean(bool),
    Time(Timestamp),
}

impl From<&str> for Cell {
    /// Empty text is none.
    fn from(text: &str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(text.into()) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Exact> for Cell {
    fn from(number: Exact) -> Self {
        Self::Decimal(number)
    }
}

impl From<Timestamp> for Cell {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row: a cell for each column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Vec<Cell>);

impl Row {
    pub(super) fn empty() -> Self {
        Self(vec![Cell::Null; Column::ALL.len()])
    }

    /// What stands in a column.
    #[must_use]
    pub fn get(&self, column: Column) -> &Cell {
        &self.0[column as usize]
    }

    pub(super) fn set(&mut self, column: Column, cell: impl Into<Cell>) {
        self.0[column as usize] = cell.into();
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.0
    }

    pub(super) fn into_cells(self) -> Vec<Cell> {
        self.0
    }
}
