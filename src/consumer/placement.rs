//! Which of the events read are new, and where each stands in its stream.
//! Owns the rule; asks its caller what is archived, and does no I/O.

use std::collections::HashSet;

use crate::domain::{EventId, Place};

/// New events that may be held back, unplaced, while a re-read has not met an archived event again.
/// Past it they are taken for the continuation of the stream.
pub const HELD_BACK: usize = 5000;

/// Places the events of one read (an import file, a poll, a sweep) in the order they are read.
///
/// A new event at the end of the stream is appended. In a re-read, new events between two archived
/// ones that follow each other directly were missed before: they are placed between. Any other
/// new event continues the stream, because then the read does not repeat it closely (a redelivery, a
/// second file).
#[derive(Debug)]
pub struct Placement<T> {
    /// Place of the stream's last event.
    end: Place,
    /// Place of the last event met; before the first, the stream's beginning.
    cursor: Place,
    held: Vec<T>,
    seen: HashSet<EventId>,
    /// Neither was an archived event met yet, nor does the stream begin here.
    astray: bool,
    guessed: bool,
}

/// An archived event that follows held-back ones: its caller must say whether it directly follows the cursor.
#[derive(Debug, PartialEq, Eq)]
pub enum Met {
    /// Nothing was held back.
    Moved,
    /// Call [`Placement::resolve`] with the place that follows the cursor in the archive.
    Undecided,
}

impl<T> Placement<T> {
    /// Begins a read of a stream whose last event stands at `last_ordinal` (0: there is none).
    #[must_use]
    pub fn new(last_ordinal: u64) -> Self {
        let (end, cursor) = (Place::at(last_ordinal), Place::default());
        Self { end, cursor, held: Vec::new(), seen: HashSet::new(), astray: last_ordinal > 0, guessed: false }
    }

    /// Begins a read after the archived event at `cursor`.
    #[must_use]
    pub fn after(cursor: Place, last_ordinal: u64) -> Self {
        Self { cursor, astray: false, ..Self::new(last_ordinal) }
    }

    /// Where the read has got to.
    #[must_use]
    pub const fn cursor(&self) -> &Place {
        &self.cursor
    }

    /// True once if events were appended before the read had met anything archived: that they
    /// continue the stream is a guess, which their times must bear out.
    pub const fn take_guess(&mut self) -> bool {
        std::mem::replace(&mut self.guessed, false)
    }

    /// A new event. Gives what can be placed now.
    pub fn new_event(&mut self, id: EventId, event: T) -> Vec<(Place, T)> {
        if self.cursor == self.end {
            return vec![self.append(event)];
        }
        if self.seen.insert(id) {
            self.held.push(event);
        }
        if self.held.len() < HELD_BACK { Vec::new() } else { self.finish() }
    }

    /// Puts a new event directly behind the cursor, before `next`, which follows it; gives its place.
    pub fn put_here(&mut self, next: &Place) -> Place {
        self.cursor = self.cursor.before(next);
        self.cursor.clone()
    }

    /// An event that is archived, at `place`.
    pub fn archived_event(&mut self, place: Place) -> Met {
        self.astray = false;
        if place <= self.cursor {
            return Met::Moved; // delivered a second time
        }
        if self.held.is_empty() {
            self.cursor = place;
            return Met::Moved;
        }
        Met::Undecided
    }

    /// Places the events held back directly before the archived event at `place`, which
    /// [`Placement::archived_event`] left undecided; `previous` is the archive's place before that. For a read that is
    /// known to be in the stream's order, whatever is missing between.
    pub fn put_before(&mut self, place: Place, previous: Place) -> Vec<(Place, T)> {
        self.cursor = previous.max(std::mem::take(&mut self.cursor));
        self.put_held(place)
    }

    /// Decides on the events held back before the archived event at `place`, which
    /// [`Placement::archived_event`] left undecided; `next` is the place that follows the cursor.
    pub fn resolve(&mut self, place: Place, next: Option<&Place>) -> Vec<(Place, T)> {
        if next != Some(&place) {
            return Vec::new(); // it came again out of turn; what is held goes on waiting
        }
        self.put_held(place)
    }

    /// Puts what is held back between the cursor and the archived event at `place`, and moves there.
    fn put_held(&mut self, place: Place) -> Vec<(Place, T)> {
        let mut placed = Vec::with_capacity(self.held.len());
        for event in self.held.drain(..) {
            self.cursor = self.cursor.before(&place);
            placed.push((self.cursor.clone(), event));
        }
        self.seen.clear();
        self.cursor = place;
        placed
    }

    /// Ends the read, or gives up waiting: what is held back continues the stream.
    pub fn finish(&mut self) -> Vec<(Place, T)> {
        self.seen.clear();
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|event| self.append(event)).collect()
    }

    fn append(&mut self, event: T) -> (Place, T) {
        self.guessed |= std::mem::replace(&mut self.astray, false);
        self.end = Place::at(self.end.ordinal + 1);
        self.cursor = self.end.clone();
        (self.end.clone(), event)
    }
}

#[cfg(test)]
mod tests {
    use super::{HELD_BACK, Met, Placement};
    use crate::domain::{EventId, Guid, Place, Timestamp};

    /// Reads `read` (one letter an event) over an archive of `archived`, in order; gives the stream that results.
    fn stream_after(archived: &str, read: &str) -> String {
        let mut stream: Vec<(Place, char)> =
            archived.chars().zip(1..).map(|(event, at)| (Place::at(at), event)).collect();
        let mut placement = Placement::new(archived.len() as u64);
        let id = |event: char| EventId { guid: Guid::new(&event.to_string()), created_at: Timestamp::MIN };
        for event in read.chars() {
            let known = stream.iter().find(|(_, known)| *known == event).map(|(place, _)| place.clone());
            let placed = match known {
                None => placement.new_event(id(event), event),
                Some(place) => match placement.archived_event(place.clone()) {
                    Met::Moved => Vec::new(),
                    Met::Undecided => {
                        let next =
                            stream.iter().map(|(place, _)| place).filter(|place| *place > placement.cursor()).min();
                        let next = next.cloned();
                        placement.resolve(place, next.as_ref())
                    }
                },
            };
            stream.extend(placed);
        }
        stream.extend(placement.finish());
        stream.sort();
        stream.into_iter().map(|(_, event)| event).collect()
    }

    #[test]
    fn reading_gives_the_streams_order() {
        for (archived, read, wanted) in [
            ("", "ABC", "ABC"),
            ("ABC", "ABC", "ABC"),
            ("ABC", "ABCDE", "ABCDE"),
            ("ABC", "CDE", "ABCDE"),
            // a second file that doesn't overlap
            ("ABC", "DEF", "ABCDEF"),
            // delivered twice
            ("", "ABAC", "ABC"),
            ("ABCD", "ABCADE", "ABCDE"),
            // a second file that begins with, or soon has, a redelivery from the first
            ("ABCD", "CEF", "ABCDEF"),
            ("ABCD", "EFCG", "ABCDEFG"),
            ("ABCD", "EFEG", "ABCDEFG"),
            // found late
            ("BC", "ABC", "ABC"),
            ("AC", "ABC", "ABC"),
            ("ACD", "ABCD", "ABCD"),
            ("AE", "ABCDE", "ABCDE"),
            ("ACE", "ABCDEF", "ABCDEF"),
            ("CD", "ABCDEF", "ABCDEF"),
            // found late, with redeliveries between
            ("ABD", "ABACD", "ABCD"),
        ] {
            assert_eq!(stream_after(archived, read), wanted, "{archived} then {read}");
        }
    }

    #[test]
    fn holding_back_is_bounded() {
        let mut placement = Placement::new(2);
        let id = |at: usize| EventId { guid: Guid::new(&at.to_string()), created_at: Timestamp::MIN };
        for at in 1..HELD_BACK {
            assert!(placement.new_event(id(at), at).is_empty());
        }
        let placed = placement.new_event(id(HELD_BACK), HELD_BACK);
        assert_eq!(placed.len(), HELD_BACK);
        assert_eq!(placed[0].0, Place::at(3));
        assert_eq!(placement.new_event(id(HELD_BACK + 1), 0), [(Place::at(3 + HELD_BACK as u64), 0)]);
    }
}
