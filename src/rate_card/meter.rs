//! What can be priced: meters, their units, and what each kind has of them.

use std::fmt;

use rust_decimal::Decimal;

use crate::domain::{Kind, Span};

/// What is multiplied by a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// One instance for one hour: unit 3 600 instance·s.
    InstanceHour,
    /// 1 GiB of memory for one hour: unit 3 686 400 MiB·s.
    MemoryGibHour,
    /// 1 GiB of disk for one hour: unit 3 686 400 MiB·s.
    DiskGibHour,
    /// One instance for a whole calendar month, by the second: the unit is that month's seconds.
    Month,
    /// One staging, however long.
    Staging,
}

impl Meter {
    pub const ALL: [Self; 5] = [Self::InstanceHour, Self::MemoryGibHour, Self::DiskGibHour, Self::Month, Self::Staging];

    /// The key in a card, and the word in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstanceHour => "instance_hour",
            Self::MemoryGibHour => "memory_gib_hour",
            Self::DiskGibHour => "disk_gib_hour",
            Self::Month => "month",
            Self::Staging => "per_staging",
        }
    }

    /// The meter of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| meter.name() == name)
    }

    /// How much of its quantity is one unit of its price, in a period of one calendar month.
    #[must_use]
    pub const fn unit_size(self, month: Span) -> i64 {
        match self {
            Self::Month => month.seconds(),
            Self::InstanceHour => 3600,
            Self::MemoryGibHour | Self::DiskGibHour => 1024 * 3600,
            Self::Staging => 1,
        }
    }

    /// How much of its quantity is one unit, where that is the same in every period.
    #[must_use]
    pub const fn constant_unit(self) -> Option<i64> {
        match self {
            Self::InstanceHour => Some(3600),
            Self::MemoryGibHour | Self::DiskGibHour => Some(1024 * 3600),
            Self::Staging => Some(1),
            Self::Month => None,
        }
    }

    /// The unit, for people.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::InstanceHour => "instance-hours",
            Self::MemoryGibHour => "GiB-hours memory",
            Self::DiskGibHour => "GiB-hours disk",
            Self::Month => "months",
            Self::Staging => "stagings",
        }
    }

    /// What can be priced of a kind. Service instances have no memory or disk of their own.
    #[must_use]
    pub const fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Service => &[Self::InstanceHour, Self::Month],
            Kind::Staging => &[Self::InstanceHour, Self::MemoryGibHour, Self::DiskGibHour, Self::Staging],
            Kind::Process | Kind::Task => &[Self::InstanceHour, Self::MemoryGibHour, Self::DiskGibHour],
        }
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A quantity in units of a meter, for people: 3 686 400 MiB·s are `1`.
#[must_use]
pub fn units(quantity: i64, unit_size: i64) -> Decimal {
    (Decimal::from(quantity) / Decimal::from(unit_size.max(1))).round_dp(6).normalize()
}
