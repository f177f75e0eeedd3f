//! What is told of usage beside its sums: how much on which day, and what each piece adds.
//! Owns contributions as they come; never decides a quantity.

use super::{Contribution, Piece};
use crate::domain::Span;

/// Adds a quantity, the same each second of `span`, to the days on which it was used.
pub(super) fn add_by_day(totals: &mut [i64], days: &[Span], span: Span, quantity: i64) {
    let first = days.partition_point(|day| day.to <= span.from).min(days.len().saturating_sub(1));
    let seconds = span.seconds();
    if seconds <= 0 {
        totals.iter_mut().skip(first).take(1).for_each(|total| *total += quantity);
        return;
    }
    let each = quantity / seconds;
    for (total, day) in totals.iter_mut().zip(days).skip(first).take_while(|(_, day)| day.from < span.to) {
        *total += each * overlap(*day, span);
    }
}

/// Adds to what is told of a piece and a row.
pub(super) fn note(trace: &mut Vec<Contribution>, row: usize, piece: &Piece, size: i64, used: i64, charged: i64) {
    let same = |noted: &&mut Contribution| {
        (noted.row, noted.source, noted.span) == (row, piece.source, piece.span) && noted.resource == piece.resource
    };
    if let Some(noted) = trace.iter_mut().rev().take(MOST_ROWS_OF_A_PIECE).find(same) {
        noted.used += used;
        noted.charged += charged;
        return;
    }
    trace.push(Contribution {
        row,
        resource: piece.resource.clone(),
        source: piece.source,
        span: piece.span,
        instances: piece.instances,
        size,
        used,
        charged,
    });
}

/// A piece has a row for each meter and each cut.
const MOST_ROWS_OF_A_PIECE: usize = 64;

/// Seconds that two spans share.
pub(super) fn overlap(one: Span, two: Span) -> i64 {
    one.to.min(two.to).seconds_since(one.from.max(two.from)).max(0)
}
