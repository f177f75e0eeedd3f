//! The columns of FOCUS 1.2 that we fill, then our own: names, types, which may be null.
//! Owns the shape of a row; never what is in it.

use std::sync::Arc;

use super::exact::Exact;
use crate::domain::Timestamp;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
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
const COST: ColumnType = ColumnType::Decimal(QUANTITY + crate::domain::Price::DECIMALS);
const NUMBER: ColumnType = ColumnType::Decimal(QUANTITY);

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
            pub const fn kind(self) -> ColumnType {
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
    AvailabilityZone "AvailabilityZone" ColumnType::Text, nulls;
    BilledCost "BilledCost" NUMBER, never;
    BillingAccountId "BillingAccountId" ColumnType::Text, never;
    BillingAccountName "BillingAccountName" ColumnType::Text, nulls;
    BillingAccountType "BillingAccountType" ColumnType::Text, never;
    BillingCurrency "BillingCurrency" ColumnType::Text, never;
    BillingPeriodEnd "BillingPeriodEnd" ColumnType::Time, never;
    BillingPeriodStart "BillingPeriodStart" ColumnType::Time, never;
    ChargeCategory "ChargeCategory" ColumnType::Text, never;
    ChargeClass "ChargeClass" ColumnType::Text, nulls;
    ChargeDescription "ChargeDescription" ColumnType::Text, never;
    ChargeFrequency "ChargeFrequency" ColumnType::Text, never;
    ChargePeriodEnd "ChargePeriodEnd" ColumnType::Time, never;
    ChargePeriodStart "ChargePeriodStart" ColumnType::Time, never;
    CommitmentDiscountCategory "CommitmentDiscountCategory" ColumnType::Text, nulls;
    CommitmentDiscountId "CommitmentDiscountId" ColumnType::Text, nulls;
    CommitmentDiscountName "CommitmentDiscountName" ColumnType::Text, nulls;
    CommitmentDiscountQuantity "CommitmentDiscountQuantity" NUMBER, nulls;
    CommitmentDiscountStatus "CommitmentDiscountStatus" ColumnType::Text, nulls;
    CommitmentDiscountType "CommitmentDiscountType" ColumnType::Text, nulls;
    CommitmentDiscountUnit "CommitmentDiscountUnit" ColumnType::Text, nulls;
    ConsumedQuantity "ConsumedQuantity" NUMBER, nulls;
    ConsumedUnit "ConsumedUnit" ColumnType::Text, nulls;
    ContractedCost "ContractedCost" COST, never;
    ContractedUnitPrice "ContractedUnitPrice" NUMBER, nulls;
    EffectiveCost "EffectiveCost" NUMBER, never;
    InvoiceId "InvoiceId" ColumnType::Text, nulls;
    InvoiceIssuerName "InvoiceIssuerName" ColumnType::Text, never;
    ListCost "ListCost" COST, never;
    ListUnitPrice "ListUnitPrice" NUMBER, nulls;
    PricingCategory "PricingCategory" ColumnType::Text, nulls;
    PricingCurrency "PricingCurrency" ColumnType::Text, never;
    PricingCurrencyContractedUnitPrice "PricingCurrencyContractedUnitPrice" NUMBER, nulls;
    PricingCurrencyEffectiveCost "PricingCurrencyEffectiveCost" NUMBER, never;
    PricingCurrencyListUnitPrice "PricingCurrencyListUnitPrice" NUMBER, nulls;
    PricingQuantity "PricingQuantity" NUMBER, nulls;
    PricingUnit "PricingUnit" ColumnType::Text, nulls;
    ProviderName "ProviderName" ColumnType::Text, never;
    PublisherName "PublisherName" ColumnType::Text, never;
    RegionId "RegionId" ColumnType::Text, nulls;
    RegionName "RegionName" ColumnType::Text, nulls;
    ResourceId "ResourceId" ColumnType::Text, nulls;
    ResourceName "ResourceName" ColumnType::Text, nulls;
    ResourceType "ResourceType" ColumnType::Text, nulls;
    ServiceCategory "ServiceCategory" ColumnType::Text, never;
    ServiceName "ServiceName" ColumnType::Text, never;
    ServiceSubcategory "ServiceSubcategory" ColumnType::Text, never;
    SkuId "SkuId" ColumnType::Text, nulls;
    SkuMeter "SkuMeter" ColumnType::Text, nulls;
    SkuPriceDetails "SkuPriceDetails" ColumnType::Text, nulls;
    SkuPriceId "SkuPriceId" ColumnType::Text, nulls;
    SubAccountId "SubAccountId" ColumnType::Text, nulls;
    SubAccountName "SubAccountName" ColumnType::Text, nulls;
    SubAccountType "SubAccountType" ColumnType::Text, nulls;
    Tags "Tags" ColumnType::Text, nulls;
    Adjustment "x_Adjustment" ColumnType::Text, nulls;
    CorrectedInvoiceId "x_CorrectedInvoiceId" ColumnType::Text, nulls;
    CorrectedLine "x_CorrectedLine" ColumnType::Integer, nulls;
    CorrectionCause "x_CorrectionCause" ColumnType::Text, nulls;
    CostCentre "x_CostCentre" ColumnType::Text, nulls;
    DiscountAmount "x_DiscountAmount" NUMBER, nulls;
    DiscountNames "x_DiscountNames" ColumnType::Text, nulls;
    DocumentKind "x_DocumentKind" ColumnType::Text, never;
    DocumentStatus "x_DocumentStatus" ColumnType::Text, never;
    Estimated "x_Estimated" ColumnType::Boolean, never;
    Granularity "x_Granularity" ColumnType::Text, nulls;
    InvoiceLine "x_InvoiceLine" ColumnType::Integer, nulls;
    PurchaseOrder "x_PurchaseOrder" ColumnType::Text, nulls;
    Rate "x_Rate" ColumnType::Text, nulls;
    RateCard "x_RateCardSha256" ColumnType::Text, nulls;
    TaxCategory "x_TaxCategory" ColumnType::Text, nulls;
    TaxName "x_TaxName" ColumnType::Text, nulls;
    TaxPercent "x_TaxPercent" NUMBER, nulls;
    Unpriced "x_Unpriced" ColumnType::Boolean, never;
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
pub struct FocusRow(Vec<Cell>);

impl FocusRow {
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
