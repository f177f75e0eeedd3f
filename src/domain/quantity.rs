//! Amounts of use: integers, so that sums never drift.

use serde::Serialize;

/// A sum or product too large for its type. An error, never a wrapped or clamped number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("quantity exceeds 2^63 - 1")]
pub struct Overflow;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);
    };
}

quantity!(
    /// Instances held over time, in instance·s: 2 instances for 1 h are 7 200.
    InstanceSeconds
);
quantity!(
    /// Memory or disk held over time, in MiB·s: 1 GiB for 1 h is 3 686 400.
    MibSeconds
);

/// Instances × seconds.
///
/// # Errors
/// [`Overflow`] past `i64`.
pub fn instance_seconds(instances: u32, seconds: i64) -> Result<InstanceSeconds, Overflow> {
    i64::from(instances).checked_mul(seconds).map(InstanceSeconds).ok_or(Overflow)
}

/// Instances × MiB per instance × seconds.
///
/// # Errors
/// [`Overflow`] past `i64`: some 270 years of 1 PiB.
pub fn mib_seconds(instances: u32, mib: u32, seconds: i64) -> Result<MibSeconds, Overflow> {
    (i64::from(instances).checked_mul(i64::from(mib)))
        .and_then(|mib| mib.checked_mul(seconds))
        .map(MibSeconds)
        .ok_or(Overflow)
}

/// More instances than any foundation runs.
const MOST_INSTANCES: i64 = 1_000_000;
/// More MiB of memory or disk than any foundation has: 1 EiB.
const MOST_MIB: i128 = 1 << 40;

/// Whether one resource of that size is larger than any foundation: somebody has to look at it.
#[must_use]
pub fn is_too_large(instances: i64, memory_mib: i64, disk_mib: i64) -> bool {
    instances > MOST_INSTANCES || i128::from(instances) * i128::from(memory_mib.max(disk_mib)) > MOST_MIB
}

#[cfg(test)]
mod tests {
    use super::{InstanceSeconds, MibSeconds, Overflow, instance_seconds, is_too_large, mib_seconds};

    #[test]
    fn products_are_exact_or_refused() {
        assert_eq!(instance_seconds(2, 3600), Ok(InstanceSeconds(7200)));
        assert_eq!(mib_seconds(1, 1024, 3600), Ok(MibSeconds(3_686_400)));
        assert_eq!(mib_seconds(1 << 31, 1 << 31, 1), Ok(MibSeconds(1 << 62)));
        assert_eq!(mib_seconds(1 << 31, 1 << 31, 2), Err(Overflow));
    }

    #[test]
    fn what_is_larger_than_any_foundation() {
        for (instances, memory, disk, too_large) in [
            (1_000_000, 1024, 1024, false),
            (1_000_001, 1, 1, true),
            (1024, 1 << 30, 0, false),
            (1024, (1 << 30) + 1, 0, true),
            (1024, 0, (1 << 30) + 1, true),
            (i64::MAX, i64::MAX, i64::MAX, true),
        ] {
            assert_eq!(is_too_large(instances, memory, disk), too_large, "{instances} x {memory} MiB, {disk} MiB");
        }
    }
}
