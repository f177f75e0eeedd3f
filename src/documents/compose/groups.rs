//! Lines in groups, as the account prefers: by organization, space, app, buildpack or kind, one within the other.
//! Owns which lines belong together and in which order; never adds anything up.

use std::collections::{BTreeMap, BTreeSet};

use super::super::language::Texts;
use crate::documents::names::{name, plan, printable};
use crate::domain::Kind;
use crate::invoicing::{GroupBy, InvoiceLine};
use crate::rating::LineKey;

/// The group of a line at one level. Ordered as groups stand on a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// 0: what the level is named after. What isn't comes after it; kinds have an order.
    order: usize,
    text: String,
    /// Tells groups of the same name apart.
    id: String,
}

/// Lines of the same group at every level.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    keys: Vec<Key>,
    /// What its groups are called, the outermost first.
    pub names: Vec<String>,
    /// Whether it is what the level is named after.
    named: Vec<bool>,
    /// Positions of its lines.
    pub lines: Vec<usize>,
}

impl Leaf {
    /// How many levels, from the outermost, two have in common.
    pub(super) fn common(&self, other: &Self) -> usize {
        self.keys.iter().zip(&other.keys).take_while(|(one, two)| one == two).count()
    }

    /// A group's heading: `Organization acme`
    pub(super) fn heading(&self, level: usize, by: GroupBy, texts: &Texts) -> String {
        if self.named[level] {
            format!("{} {}", texts.groups.of(by), self.names[level])
        } else {
            self.names[level].clone()
        }
    }
}

/// All lines, grouped by `levels`, the outermost first.
pub(super) fn leaves(lines: &[InvoiceLine], levels: &[GroupBy], texts: &Texts) -> Vec<Leaf> {
    let mut grouped: BTreeMap<Vec<Key>, Vec<usize>> = BTreeMap::new();
    for (position, line) in lines.iter().enumerate() {
        let keys = levels.iter().map(|by| group(&line.key, *by, texts)).collect();
        grouped.entry(keys).or_default().push(position);
    }
    let mut ids: BTreeMap<(&[Key], &str), BTreeSet<&str>> = BTreeMap::new();
    for keys in grouped.keys() {
        for (level, key) in keys.iter().enumerate() {
            ids.entry((&keys[..level], &key.text)).or_default().insert(&key.id);
        }
    }
    let name = |keys: &[Key], level: usize| {
        let key = &keys[level];
        let is_ambiguous = ids.get(&(&keys[..level], key.text.as_str())).is_some_and(|ids| ids.len() > 1);
        if is_ambiguous && !key.id.is_empty() { format!("{} ({})", key.text, key.id) } else { key.text.clone() }
    };
    (grouped.iter())
        .map(|(keys, lines)| Leaf {
            keys: keys.clone(),
            names: (0..keys.len()).map(|level| name(keys, level)).collect(),
            named: keys.iter().map(|key| key.order == 0).collect(),
            lines: lines.clone(),
        })
        .collect()
}

fn group(key: &LineKey, by: GroupBy, texts: &Texts) -> Key {
    let named = |text: String, id: String| Key { order: 0, text, id };
    let other = |order: usize, text: String, id: String| Key { order, text, id };
    match by {
        GroupBy::Organization => {
            named(name(&key.organization), format!("{}/{}", key.foundation, key.organization.guid))
        }
        GroupBy::Space => named(name(&key.space), key.space.guid.to_string()),
        // What a service has instead of an app and a buildpack: its instance and its plan.
        GroupBy::App => match (&key.app, &key.service_instance) {
            (Some(app), _) => named(name(app), app.guid.to_string()),
            (None, Some(instance)) => other(1, name(instance), instance.guid.to_string()),
            (None, None) => other(2, texts.kinds.of(key.kind).to_owned(), String::new()),
        },
        GroupBy::Buildpack => match (&key.buildpack, key.kind) {
            (Some(buildpack), _) => named(printable(buildpack), buildpack.clone()),
            (None, Kind::Service) => {
                let plan = plan(key).unwrap_or_else(|| texts.kinds.service.to_owned());
                other(2, plan.clone(), plan)
            }
            (None, _) => other(1, texts.no_buildpack.to_owned(), String::new()),
        },
        GroupBy::Kind => other(1 + key.kind as usize, texts.kinds.of(key.kind).to_owned(), String::new()),
    }
}
