//! What an account owns and when, and what two accounts own at once.

use std::collections::HashMap;

use super::super::{Account, Owned, Target};
use super::OfFile;
use crate::domain::period::date_or_time;
use crate::keyed::{At, Keyed};
use crate::rate_card::Validity;
use chrono_tz::Tz;

/// Whether a text may be a guid; a space can be named by it alone.
pub(in super::super) fn looks_like_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_foundation(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    !text.is_empty() && text.chars().all(is_plain)
}

/// What a text names, in which foundation.
fn target(kind: &str, text: &str) -> Option<(String, Target)> {
    if kind == "label" {
        let (foundation, label) = text.split_once(':')?;
        let (key, value) = label.split_once('=')?;
        let (foundation, key, value) = (foundation.trim(), key.trim().to_owned(), value.trim().to_owned());
        // A label may have no value.
        return (is_foundation(foundation) && !key.is_empty())
            .then(|| (foundation.to_owned(), Target::Label { key, value }));
    }
    let (foundation, rest) = text.split_once('/')?;
    let is_named = is_foundation(foundation) && !rest.is_empty();
    let target = if kind == "organization" {
        Target::Organization(rest.to_owned())
    } else {
        let parts = rest.split_once('/').is_some_and(|(one, two)| !one.is_empty() && !two.is_empty());
        (parts || looks_like_guid(rest)).then(|| Target::Space(rest.to_owned()))?
    };
    is_named.then(|| (foundation.to_owned(), target))
}

const fn form(kind: &str) -> &'static str {
    match kind.as_bytes() {
        b"organization" => "FOUNDATION/ORG, with the org's name or guid",
        b"space" => "FOUNDATION/ORG/SPACE, with names or guids, or FOUNDATION/SPACE-GUID",
        _ => "FOUNDATION: KEY = VALUE",
    }
}

/// Everything an account owns, in the order of the file.
pub(super) fn owned(keyed: &Keyed<'_>) -> Vec<Owned> {
    let mut owned = Vec::new();
    for (key, kind) in [("organizations", "organization"), ("spaces", "space"), ("labels", "label")] {
        for (text, at) in keyed.texts(key) {
            owned.extend(one(keyed, key, kind, &text, &at, Validity::default()));
        }
    }
    owned.extend(keyed.tables("owns").iter().filter_map(dated));
    owned.sort_by_key(|owned| owned.position);
    owned
}

fn one(keyed: &Keyed<'_>, key: &str, kind: &str, text: &str, at: &At, validity: Validity) -> Option<Owned> {
    let Some((foundation, target)) = target(kind, text) else {
        keyed.reader.error(at, format!("`{key}`: `{text}` is not valid"), format!("write {}", form(kind)));
        return None;
    };
    Some(Owned { foundation, target, validity, position: keyed.reader.position(at) })
}

fn dated(keyed: &Keyed<'_>) -> Option<Owned> {
    let (from, to) = (keyed.time("from"), keyed.time("to"));
    if let (Some(begins), Some(ends)) = (from, to)
        && ends <= begins
    {
        let shown = |at| date_or_time(at, keyed.zone);
        let what = format!("it ends at {}, not after it begins at {}", shown(ends), shown(begins));
        keyed.error("to", what, "`to` is the first instant at which it is no longer owned");
    }
    let mut given = ["organization", "space", "label"].into_iter().filter(|kind| keyed.has(kind));
    let (Some(kind), None) = (given.next(), given.next()) else {
        let hint = "give one of organization, space and label; of several, one [[account.owns]] each";
        keyed.error_here("the `account.owns` doesn't say what is owned", hint);
        return None;
    };
    one(keyed, kind, kind, &keyed.text(kind)?, keyed.at(kind), Validity { from, to })
}

impl OfFile<'_> {
    /// What is two accounts' at once, or one's twice.
    pub(super) fn overlaps(&self, accounts: &[Account]) {
        let mut all: Vec<(&Account, &Owned)> =
            accounts.iter().flat_map(|account| account.owns.iter().map(move |owned| (account, owned))).collect();
        all.sort_by_key(|(_, owned)| owned.position);
        let mut earlier: HashMap<(&str, &Target), Vec<(&Account, &Owned)>> = HashMap::new();
        for (account, owned) in all {
            let before = earlier.entry((&owned.foundation, &owned.target)).or_default();
            let other = before.iter().find(|(_, other)| overlap(other.validity, owned.validity));
            if let Some((of, other)) = other {
                let when = match (other.validity, owned.validity) {
                    (Validity { from: None, to: None }, _) => " already".to_owned(),
                    (validity, _) => format!(" already, {}", shown(validity, self.zone)),
                };
                let message = format!("`{owned}` is account `{}`'s{when} (line {})", of.id, other.position.line);
                self.error(owned.position, message, part(other, owned, of.id == account.id, self.zone));
            }
            before.push((account, owned));
        }
    }
}

/// Whether there is an instant at which both hold.
pub(in super::super) fn overlap(one: Validity, two: Validity) -> bool {
    let before = |one: Validity, two: Validity| matches!((one.to, two.from), (Some(to), Some(from)) if to <= from);
    !before(one, two) && !before(two, one)
}

/// A validity for people.
fn shown(validity: Validity, zone: Tz) -> String {
    let shown = |at| date_or_time(at, zone);
    match (validity.from, validity.to) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {} on", shown(from)),
        (None, Some(to)) => format!("until {}", shown(to)),
        (Some(from), Some(to)) => format!("from {} to {}", shown(from), shown(to)),
    }
}

/// How two that overlap can be parted.
fn part(one: &Owned, two: &Owned, same_account: bool, zone: Tz) -> String {
    let shown = |at| date_or_time(at, zone);
    let kind = one.target.kind();
    let undated = |owned: &Owned| owned.validity == Validity::default();
    if same_account {
        return "once is enough: remove one of them".to_owned();
    }
    match (undated(one), undated(two)) {
        (true, true) if matches!(one.target, Target::Label { .. }) => {
            "a label's value belongs to one account; if it moved, give both times in [[account.owns]]".to_owned()
        }
        (true, true) => {
            let article = if kind == "organization" { "an" } else { "a" };
            format!(
                "{article} {kind} belongs to one account at a time; if it moved, use [[account.owns]] with `to` and `from`"
            )
        }
        (false, false) => {
            let (first, second) = if one.validity.from <= two.validity.from { (one, two) } else { (two, one) };
            match second.validity.from.filter(|from| first.validity.from < Some(*from)) {
                Some(from) => format!("end the one on line {} with `to = {}`", first.position.line, shown(from)),
                None => "both begin at once: give one of them another `from`, or remove it".to_owned(),
            }
        }
        (one_undated, _) => {
            let (always, dated) = if one_undated { (one, two) } else { (two, one) };
            let edge = match (dated.validity.from, dated.validity.to) {
                (Some(from), _) => format!("`to = {}`", shown(from)),
                (None, Some(to)) => format!("`from = {}`", shown(to)),
                (None, None) => String::new(),
            };
            format!("the one on line {} always applies: write it as [[account.owns]] with {edge}", always.position.line)
        }
    }
}
