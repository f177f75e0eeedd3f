//! `check`: which release of Cloud Controller it is, and the oldest that has everything.

use super::{Checked, Verdict};

/// The first V3 API in which `run` finds every query: `created_ats` and `updated_ats` with a relation (August 2020).
const OLDEST: (u32, u32) = (3, 89);

/// Tells the V3 API's version beside the oldest one.
pub(super) fn check(checked: &mut Checked, foundation: &str, version: Option<&str>) {
    let oldest = format!("cf-billing works with {}.{}.0 and later", OLDEST.0, OLDEST.1);
    let Some(version) = version else {
        let told = format!("it doesn't say the version of its V3 API; {oldest}");
        return checked.say(Verdict::Warn, Some(foundation), "release", told);
    };
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let known = parts.next().flatten().zip(parts.next().flatten());
    if known.is_some_and(|known| known >= OLDEST) {
        return checked.say(Verdict::Ok, Some(foundation), "release", format!("V3 API {version}; {oldest}"));
    }
    let told = format!("V3 API {version}; {oldest}\nhint: upgrade Cloud Controller, or see the lines below");
    checked.say(Verdict::Warn, Some(foundation), "release", told);
}
