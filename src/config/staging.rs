//! `[staging]`: what is assumed of stagings.

use super::{MOST_MIB, TEN_YEARS};
use crate::keyed::{Key, Keyed, Takes, key};

/// `[staging]`
#[derive(Clone, Copy, Debug)]
pub struct Staging {
    pub cap_seconds: i64,
    pub lost_after_seconds: i64,
    pub disk_mib: u32,
}

pub(super) fn keys() -> Vec<Key> {
    let duration = Takes::Seconds { min: 0, max: TEN_YEARS };
    vec![
        key("cap", duration, "How long a staging counts at most when its ending is lost").or("15m"),
        key("lost_after", duration, "An ending later than this after its start doesn't count").or("30m"),
        key("disk_mib", Takes::Whole { min: 0, max: MOST_MIB }, "Disk of a staging if its build can't be read, in MiB")
            .or("6144"),
    ]
}

impl Staging {
    pub(super) fn read(section: &Keyed<'_>) -> Option<Self> {
        let (cap, lost_after) = (section.seconds("cap"), section.seconds("lost_after"));
        let disk_mib = section.whole("disk_mib");
        Some(Self { cap_seconds: cap?, lost_after_seconds: lost_after?, disk_mib: disk_mib? })
    }
}
