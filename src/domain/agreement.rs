//! Which times of one stream agree with its order, and by what the others are bounded.
//! Owns the rule; takes times in stream order and gives a verdict on each, whatever reads and pages they came in.

use super::Timestamp;

/// How far a time may lie before one that precedes it in its stream, in seconds: an event has the time at which its
/// transaction began, and jobs of Cloud Controller's may run for 4 hours in one.
pub const TOLERANCE_SECONDS: i64 = 6 * 3600;

/// What the stream's order says of one event's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stands.
    Agrees,
    /// It contradicts what agrees: it counts at this time instead.
    Bounded(Timestamp),
    /// Nothing after it tells yet, and it lies behind the time at which it was read: it counts at that time until then.
    Provisional(Timestamp),
}

/// Judges the times of a stretch of one stream, in stream order. Of times that contradict each other (an earlier one lies
/// more than `tolerance` seconds after a later one) the largest set that agrees stands; of several as large, the one
/// that holds the later events. What lies more than `tolerance` behind `read_at`, when the stretch was read, can't be.
///
/// What is too early counts from the agreeing time before it, what is too late from the one after it; where there is none
/// after it yet, from `read_at`.
#[must_use]
pub fn judge(times: &[Timestamp], tolerance: i64, read_at: Option<Timestamp>) -> Vec<Verdict> {
    let can_be = |time: &Timestamp| read_at.is_none_or(|read_at| *time <= read_at.plus(tolerance));
    let possible: Vec<Timestamp> = times.iter().copied().filter(can_be).collect();
    let mut chosen = largest_agreeing(&possible, tolerance).into_iter();
    let agrees: Vec<bool> = times.iter().map(|time| can_be(time) && chosen.next().unwrap_or(false)).collect();
    let mut verdicts = vec![Verdict::Agrees; times.len()];
    let mut before = None;
    let mut before_each = Vec::with_capacity(times.len());
    for (time, agrees) in times.iter().zip(&agrees) {
        before_each.push(before);
        if *agrees {
            before = Some(*time);
        }
    }
    let mut after = None;
    for at in (0..times.len()).rev() {
        if agrees[at] {
            after = Some(times[at]);
        } else {
            let (time, before) = (times[at], before_each[at]);
            let too_late = after.filter(|after| *after < time);
            let too_early = before.filter(|before| *before > time);
            verdicts[at] = match (too_early, too_late) {
                (Some(to), _) | (None, Some(to)) => Verdict::Bounded(to),
                // It lies behind the time at which it was read, and nothing after it tells.
                (None, None) => match read_at.filter(|read_at| *read_at < time) {
                    Some(read_at) => Verdict::Provisional(read_at),
                    None => Verdict::Agrees,
                },
            };
        }
    }
    verdicts
}

/// The largest set of times of which none lies more than `tolerance` after a later one of the stream.
fn largest_agreeing(times: &[Timestamp], tolerance: i64) -> Vec<bool> {
    let mut agrees = vec![true; times.len()];
    let mut least_after = vec![Timestamp::MAX; times.len() + 1];
    for at in (0..times.len()).rev() {
        least_after[at] = least_after[at + 1].min(times[at]);
    }
    // Where nothing before contradicts anything after, the two parts are judged by themselves.
    let (mut first, mut greatest) = (0, Timestamp::MIN);
    for at in 0..times.len() {
        greatest = greatest.max(times[at]);
        if greatest > least_after[at + 1].plus(tolerance) {
            continue;
        }
        if at > first {
            agrees[first..=at].copy_from_slice(&choose(&times[first..=at], tolerance));
        }
        (first, greatest) = (at + 1, Timestamp::MIN);
    }
    agrees
}

/// As [`largest_agreeing`]. Forwards it is counted, for each time that may be the greatest, how many can be had up to it;
/// backwards, undoing that step by step, what can be had at best is taken as late in the stream as it goes.
fn choose(times: &[Timestamp], tolerance: i64) -> Vec<bool> {
    let mut values: Vec<Timestamp> = times.to_vec();
    values.sort_unstable();
    values.dedup();
    let index = |time: Timestamp| values.partition_point(|value| *value < time);
    let beyond = |time: Timestamp| values.partition_point(|value| *value <= time.plus(tolerance));
    let mut counts = Counts::new(values.len());
    let mut undo = Vec::with_capacity(times.len());
    for time in times {
        let (at, end) = (index(*time), beyond(*time));
        let best = counts.greatest(at + 1).max(0) + 1;
        counts.add(at + 1, end, 1);
        undo.push((at, end, counts.replace(at, best)));
    }
    let mut taken = vec![false; times.len()];
    let (mut remaining, mut limit) = (counts.greatest(values.len()), values.len());
    for (position, (at, end, held)) in undo.into_iter().enumerate().rev() {
        counts.replace(at, held);
        counts.add(at + 1, end, -1);
        if at >= limit {
            continue;
        }
        let next = limit.min(end);
        if counts.greatest(next).max(0) + 1 == remaining {
            taken[position] = true;
            (remaining, limit) = (remaining - 1, next);
        }
    }
    taken
}

/// A count by greatest time, as a tree: ranges are added to, and the greatest of a prefix is asked for, in a few steps.
struct Counts {
    leaves: usize,
    /// The greatest below each node, without what is added above it.
    greatest: Vec<i64>,
    added: Vec<i64>,
}

/// So little that nothing added to it counts.
const NEVER: i64 = i64::MIN / 2;

impl Counts {
    fn new(values: usize) -> Self {
        let leaves = values.next_power_of_two();
        Self { leaves, greatest: vec![NEVER; 2 * leaves], added: vec![0; 2 * leaves] }
    }

    fn add(&mut self, from: usize, to: usize, number: i64) {
        if from < to {
            self.add_below(1, 0, self.leaves, from, to, number);
        }
    }

    fn add_below(&mut self, node: usize, first: usize, end: usize, from: usize, to: usize, number: i64) {
        if to <= first || end <= from {
            return;
        }
        if from <= first && end <= to {
            self.greatest[node] += number;
            self.added[node] += number;
            return;
        }
        let middle = usize::midpoint(first, end);
        self.add_below(2 * node, first, middle, from, to, number);
        self.add_below(2 * node + 1, middle, end, from, to, number);
        self.greatest[node] = self.greatest[2 * node].max(self.greatest[2 * node + 1]) + self.added[node];
    }

    /// The greatest of the first `end`.
    fn greatest(&self, end: usize) -> i64 {
        let (mut node, mut first, mut last) = (1, 0, self.leaves);
        let (mut greatest, mut added) = (NEVER, 0);
        while last - first > 1 {
            added += self.added[node];
            let middle = usize::midpoint(first, last);
            if end >= middle {
                greatest = greatest.max(self.greatest[2 * node] + added);
                (node, first) = (2 * node + 1, middle);
            } else {
                (node, last) = (2 * node, middle);
            }
        }
        if end > first { greatest.max(self.greatest[node] + added) } else { greatest }
    }

    /// Sets one; gives what it was.
    fn replace(&mut self, at: usize, number: i64) -> i64 {
        let mut node = 1;
        let (mut first, mut last, mut added) = (0, self.leaves, 0);
        while last - first > 1 {
            added += self.added[node];
            let middle = usize::midpoint(first, last);
            if at < middle {
                (node, last) = (2 * node, middle);
            } else {
                (node, first) = (2 * node + 1, middle);
            }
        }
        let held = self.greatest[node] + added;
        self.greatest[node] = number - added;
        while node > 1 {
            node /= 2;
            self.greatest[node] = self.greatest[2 * node].max(self.greatest[2 * node + 1]) + self.added[node];
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{TOLERANCE_SECONDS, Verdict, judge, largest_agreeing};
    use crate::domain::Timestamp;

    const HOUR: i64 = 3600;
    const NOW: i64 = 1_790_000_000;

    fn times(seconds: &[i64]) -> Vec<Timestamp> {
        seconds.iter().map(|seconds| Timestamp::from_unix(*seconds)).collect()
    }

    /// Of all subsets, straight from the words of the rule.
    fn oracle(times: &[i64], tolerance: i64) -> Vec<bool> {
        let mut best: (u32, Vec<bool>) = (0, vec![false; times.len()]);
        for subset in 0_u32..1 << times.len() {
            let has = |at: usize| subset & (1 << at) != 0;
            let contradicts = |one: usize, two: usize| has(one) && has(two) && times[one] - times[two] > tolerance;
            if (0..times.len()).any(|two| (0..two).any(|one| contradicts(one, two))) {
                continue;
            }
            // The later in the stream are the higher digits: as a number the greater subset has them.
            let chosen: Vec<bool> = (0..times.len()).map(has).collect();
            let is_later = chosen.iter().rev().gt(best.1.iter().rev());
            if subset.count_ones() > best.0 || subset.count_ones() == best.0 && is_later {
                best = (subset.count_ones(), chosen);
            }
        }
        best.1
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

        #[test]
        fn what_stands_is_the_largest_set_that_agrees_and_of_several_the_later(
            seconds in prop::collection::vec(0..40_i64, 0..11), tolerance in 0..12_i64,
        ) {
            prop_assert_eq!(largest_agreeing(&times(&seconds), tolerance), oracle(&seconds, tolerance));
        }

        #[test]
        fn every_bounded_time_agrees_with_all_that_stand(
            seconds in prop::collection::vec(0..60_i64, 0..40), tolerance in 0..12_i64, read_at in prop::option::of(0..60_i64),
        ) {
            let stated = times(&seconds);
            let verdicts = judge(&stated, tolerance, read_at.map(Timestamp::from_unix));
            let effective: Vec<i64> = stated.iter().zip(&verdicts).map(|(stated, verdict)| match verdict {
                Verdict::Agrees => stated.unix(),
                Verdict::Bounded(to) | Verdict::Provisional(to) => to.unix(),
            }).collect();
            for (two, later) in effective.iter().enumerate() {
                let by_reading = |at: usize| matches!(verdicts[at], Verdict::Provisional(_));
                let stands = |at: usize| verdicts[at] == Verdict::Agrees;
                let judged = |one: &usize| (stands(*one) || stands(two)) && !by_reading(*one) && !by_reading(two);
                for one in (0..two).filter(judged) {
                    prop_assert!(effective[one] - later <= tolerance, "{:?} {:?}", stated, verdicts);
                }
            }
        }
    }

    /// Seconds apart from now in stream order, and what each is taken for.
    fn check(stated: &[i64], read_at: Option<i64>, expected: &[i64]) {
        let stated: Vec<i64> = stated.iter().map(|seconds| NOW + seconds).collect();
        let verdicts = judge(&times(&stated), TOLERANCE_SECONDS, read_at.map(|at| Timestamp::from_unix(NOW + at)));
        let effective = stated.iter().zip(verdicts).map(|(stated, verdict)| match verdict {
            Verdict::Agrees => stated - NOW,
            Verdict::Bounded(to) | Verdict::Provisional(to) => to.unix() - NOW,
        });
        assert_eq!(effective.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn one_of_1970_counts_from_the_event_before_it() {
        check(&[0, 60, -NOW, 120], None, &[0, 60, 60, 120]);
        check(&[0, 60, -NOW], None, &[0, 60, 60]);
    }

    #[test]
    fn one_of_2036_counts_from_the_event_after_it() {
        check(&[0, 60, 300_000_000, 120, 180], None, &[0, 60, 120, 120, 180]);
        // As soon as one event contradicts it: of two sets as large, the later stands.
        check(&[300_000_000, 120], None, &[120, 120]);
    }

    #[test]
    fn running_back_by_the_tolerance_is_no_contradiction_and_a_second_more_is() {
        check(&[0, TOLERANCE_SECONDS, 0, 1], None, &[0, TOLERANCE_SECONDS, 0, 1]);
        check(&[1, TOLERANCE_SECONDS + 1, 0, 1], None, &[1, 0, 0, 1]);
    }

    #[test]
    fn eight_hours_ahead_for_a_day_are_found_out_when_the_right_ones_outnumber_them() {
        let ahead: Vec<i64> = (0..24).map(|hour| (hour + 8) * HOUR).collect();
        let right = |count: i64| (24..24 + count).map(|hour| hour * HOUR).collect::<Vec<_>>();
        // Only the last hours of those that are ahead contradict what follows.
        let stream = [vec![-HOUR], ahead.clone(), right(30)].concat();
        let stated: Vec<i64> = stream.iter().map(|seconds| NOW + seconds).collect();
        let verdicts = judge(&times(&stated), TOLERANCE_SECONDS, None);
        let first_right = Timestamp::from_unix(NOW + 24 * HOUR);
        let bounded: Vec<usize> = (0..stream.len()).filter(|at| verdicts[*at] != Verdict::Agrees).collect();
        assert_eq!(bounded, [24], "the one of 31 h lies more than 6 h after that of 24 h");
        assert_eq!(verdicts[24], Verdict::Bounded(first_right));
    }

    #[test]
    fn a_quiet_stream_is_no_outlier() {
        check(&[0, 60, 50 * 86_400, 50 * 86_400 + 60], None, &[0, 60, 50 * 86_400, 50 * 86_400 + 60]);
    }

    #[test]
    fn the_newest_is_bounded_by_when_it_was_read_more_than_the_tolerance_before() {
        check(&[0, 8 * HOUR], Some(60), &[0, 60]);
        check(&[0, 6 * HOUR + 60], Some(60), &[0, 6 * HOUR + 60]);
        check(&[0, 6 * HOUR + 61], Some(60), &[0, 60]);
        // A later one that agrees with it speaks for it.
        check(&[0, 8 * HOUR, 8 * HOUR + 60], Some(8 * HOUR + 90), &[0, 8 * HOUR, 8 * HOUR + 60]);
    }

    #[test]
    fn many_events_are_judged_in_little_time() {
        let stated: Vec<i64> = (0..60_000).map(|at| if at == 5 { 10 * NOW } else { NOW + at * 7 }).collect();
        let verdicts = judge(&times(&stated), TOLERANCE_SECONDS, None);
        assert_eq!(verdicts.iter().filter(|verdict| **verdict != Verdict::Agrees).count(), 1);
    }
}
