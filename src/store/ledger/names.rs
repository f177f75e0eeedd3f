//! Names as facts: each with its time and its place in the stream, so that the same events give the same names, in whatever
//! order they arrive. Owns which of two names is the newer; never what it is the name of.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use crate::domain::text::hexadecimal;
use crate::domain::{Guid, Place, ResourceKey, Timestamp};

/// What a name belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NameOf {
    Organization(Guid),
    Space(Guid),
    App(Guid),
    ServicePlan(Guid),
    ServiceOffering(Guid),
    /// A task or service instance.
    Resource(ResourceKey),
}

/// When something was told, and where in its stream. What was told later is right; of one second, what stands later.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    /// `None`: before names had times, and so before everything that has one.
    pub at: Option<Timestamp>,
    /// The default beside the streams, where nothing stands before anything.
    pub place: Place,
}

impl Told {
    /// By an event that stands there.
    #[must_use]
    pub const fn by_event(at: Timestamp, place: Place) -> Self {
        Self { at: Some(at), place }
    }

    /// By a list or a snapshot, as it was at that time.
    #[must_use]
    pub fn beside(at: Timestamp) -> Self {
        Self { at: Some(at), place: Place::default() }
    }

    /// The place as text that sorts as places do; `None` beside the streams.
    pub(in crate::store) fn place_text(&self) -> Option<String> {
        let Place { ordinal, .. } = &self.place;
        (self.place != Place::default()).then(|| format!("{ordinal:016x}{}", hexadecimal(self.place.fraction())))
    }

    /// From what is stored; `None` if the place isn't as [`Told::place_text`] writes it.
    pub(in crate::store) fn from_parts(at: Option<Timestamp>, place: Option<&str>) -> Option<Self> {
        let Some(text) = place else { return Some(Self { at, place: Place::default() }) };
        let byte = |digits: &str, at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let (ordinal, fraction) = text.split_at_checked(16)?;
        let fraction = (0..fraction.len()).step_by(2).map(|at| byte(fraction, at)).collect::<Option<_>>()?;
        Some(Self { at, place: Place::from_parts(u64::from_str_radix(ordinal, 16).ok()?, fraction) })
    }
}

/// A value (a name, a guid), and when it was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Newest<T> {
    pub told: Told,
    pub value: T,
}

/// The newest names seen, and which offering a plan is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub names: HashMap<NameOf, Newest<String>>,
    /// Offering by plan.
    pub offerings: HashMap<Guid, Newest<Guid>>,
    /// The guid of each buildpack, by name.
    pub buildpacks: HashMap<Arc<str>, Newest<Guid>>,
    /// Guid and name of the broker, by offering.
    pub brokers: HashMap<Guid, Newest<(Guid, Option<String>)>>,
}

impl Names {
    /// Notes a name, unless a newer one is noted. Events of both streams name spaces, and their places can't be compared:
    /// of one second, the greater name is taken, so that all runs agree.
    pub fn note(&mut self, of: NameOf, name: String, told: Told) {
        let told = if matches!(of, NameOf::Space(_)) { Told { place: Place::default(), ..told } } else { told };
        keep_newest(&mut self.names, of, Newest { told, value: name });
    }

    /// Notes which offering a plan is of.
    pub fn note_offering(&mut self, plan: Guid, offering: Guid, told: Told) {
        keep_newest(&mut self.offerings, plan, Newest { told, value: offering });
    }

    /// Notes the guid of the buildpack of that name.
    pub fn note_buildpack(&mut self, name: Arc<str>, guid: Guid, told: Told) {
        keep_newest(&mut self.buildpacks, name, Newest { told, value: guid });
    }

    /// Notes which broker an offering is of. What names it counts before what only has its guid.
    pub fn note_broker(&mut self, offering: Guid, broker: (Guid, Option<String>), told: Told) {
        let told = if broker.1.is_some() { told } else { Told::default() };
        keep_newest(&mut self.brokers, offering, Newest { told, value: broker });
    }

    /// Notes all of others, each unless a newer one is noted.
    pub fn add(&mut self, others: Self) {
        for (of, newest) in others.names {
            keep_newest(&mut self.names, of, newest);
        }
        for (plan, newest) in others.offerings {
            keep_newest(&mut self.offerings, plan, newest);
        }
        for (name, newest) in others.buildpacks {
            keep_newest(&mut self.buildpacks, name, newest);
        }
        for (offering, newest) in others.brokers {
            keep_newest(&mut self.brokers, offering, newest);
        }
    }

    /// Nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.offerings.is_empty() && self.buildpacks.is_empty() && self.brokers.is_empty()
    }

    /// What is newer than `others` have it, or lacking there; and of how much of it the value differs, too.
    #[must_use]
    pub fn newer_than(&self, others: &Self) -> (Self, usize) {
        let mut differ = 0;
        let newer = Self {
            names: newer(&self.names, &others.names, &mut differ),
            offerings: newer(&self.offerings, &others.offerings, &mut differ),
            buildpacks: newer(&self.buildpacks, &others.buildpacks, &mut differ),
            brokers: newer(&self.brokers, &others.brokers, &mut differ),
        };
        (newer, differ)
    }

    /// What isn't named in `others` at all.
    #[must_use]
    pub fn lacking_in(mut self, others: &Self) -> Self {
        self.names.retain(|of, _| !others.names.contains_key(of));
        self.offerings.retain(|plan, _| !others.offerings.contains_key(plan));
        self.buildpacks.retain(|name, _| !others.buildpacks.contains_key(name));
        self.brokers.retain(|offering, _| !others.brokers.contains_key(offering));
        self
    }
}

fn keep_newest<K: Eq + Hash, V: Ord>(noted: &mut HashMap<K, Newest<V>>, of: K, newest: Newest<V>) {
    match noted.entry(of) {
        Entry::Vacant(entry) => {
            entry.insert(newest);
        }
        Entry::Occupied(mut entry) if newest > *entry.get() => {
            entry.insert(newest);
        }
        Entry::Occupied(_) => {}
    }
}

fn newer<K: Clone + Eq + Hash, V: Clone + Ord>(
    ours: &HashMap<K, Newest<V>>,
    others: &HashMap<K, Newest<V>>,
    differ: &mut usize,
) -> HashMap<K, Newest<V>> {
    let mut newer = HashMap::new();
    for (of, newest) in ours {
        let other = others.get(of);
        if other.is_none_or(|other| newest > other) {
            *differ += usize::from(other.is_none_or(|other| newest.value != other.value));
            newer.insert(of.clone(), newest.clone());
        }
    }
    newer
}

#[cfg(test)]
mod tests {
    use super::{NameOf, Names, Told};
    use crate::domain::{Guid, Place, Timestamp};

    fn told(at: i64, place: Place) -> Told {
        Told::by_event(Timestamp::from_unix(at), place)
    }

    #[test]
    fn a_place_as_text_sorts_as_the_place_does_and_reads_back() {
        let first = Place::at(9);
        let between = first.before(&Place::at(10));
        let places = [
            Place::default(),
            first.clone(),
            between.clone(),
            between.before(&Place::at(10)),
            Place::at(10),
            Place::at(256),
        ];
        for pair in places.windows(2) {
            let [one, two] = [&pair[0], &pair[1]].map(|place| told(0, place.clone()).place_text());
            assert!(one < two, "{pair:?}");
        }
        for place in places {
            let told = told(7, place);
            assert_eq!(Told::from_parts(told.at, told.place_text().as_deref()), Some(told));
        }
        // What isn't a place is told, and not taken for none.
        for text in ["", "00", "000000000000000g", "00000000000000010", "0000000000000001zz"] {
            assert_eq!(Told::from_parts(None, Some(text)), None, "{text}");
        }
    }

    #[test]
    fn the_later_name_wins_in_any_order_and_of_one_second_the_one_that_stands_later() {
        let app = || NameOf::App(Guid::new("a"));
        let (old, new) = (("z", told(1, Place::at(5))), ("y", told(2, Place::at(4))));
        let (before, after) = (("z", told(1, Place::at(1))), ("y", told(1, Place::at(2))));
        for (lose, win) in [(&old, &new), (&before, &after)] {
            for order in [[lose, win], [win, lose]] {
                let mut names = Names::default();
                for (name, told) in order {
                    names.note(app(), (*name).to_owned(), told.clone());
                }
                assert_eq!(names.names[&app()].value, win.0, "{order:?}");
            }
        }
        // Both streams name spaces: their places say nothing of each other.
        let space = || NameOf::Space(Guid::new("s"));
        for order in [[&before, &after], [&after, &before]] {
            let mut names = Names::default();
            for (name, told) in order {
                names.note(space(), (*name).to_owned(), told.clone());
            }
            assert_eq!(names.names[&space()].value, "z");
        }
    }
}
