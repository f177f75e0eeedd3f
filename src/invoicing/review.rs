//! What keeps an invoice from being final, and what to say to have it final all the same.

use super::{Invoice, InvoiceLine};
use crate::domain::text::visible;
use crate::domain::{Amount, ClockNote, Currency, GapNote, Span, Timestamp, UndecodableNote};

/// What an invoice is looked at with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    pub now: Timestamp,
    /// After the period's end, before which nothing becomes final.
    pub grace_seconds: i64,
    /// So many times the net of the month before need looking at; `None`: none do.
    pub jump_factor: Option<u32>,
    /// Why somebody held it back.
    pub held: Option<String>,
}

/// What keeps an invoice from being final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Usage may still come.
    NotRatedThrough { end: Timestamp, rated_through: Option<Timestamp> },
    /// The time after the period in which it may still change isn't over.
    Grace { until: Timestamp },
    /// Somebody held it back.
    Held { reason: String },
    /// Its usage, or what that costs, exceeds what can be counted.
    Uncountable { why: String },
    /// One app or service is larger than any foundation: what, and how large.
    TooLarge { what: String },
    /// A code of the account is none, or something else that its documents need is wrong: where, what, and a hint.
    Unfit { problem: String },
    /// So many lines have no price; one of them.
    Unpriced { lines: usize, example: String },
    /// So much of it rests on assumed usage.
    Estimated { amount: Amount, currency: Currency },
    /// What it corrects was charged with another tax than it has.
    OtherTax,
    /// It is far more than the month before.
    Jump { net: Amount, previous: Amount, factor: u32, currency: Currency },
    /// What happened for a while can't be known, and was assumed.
    Gap(GapNote),
    /// Records can't be read: what they tell isn't billed.
    Undecodable(UndecodableNote),
    /// Times of events contradict the order of their stream; others were assumed.
    Clock(ClockNote),
}

impl Blocker {
    /// What to say to have `account`'s invoice final all the same; `None` if nothing helps but to mend it.
    #[must_use]
    pub fn acceptance(&self, account: &str) -> Option<String> {
        match self {
            Self::Gap(gap) if gap.settled_at.is_some() => Some(format!("gap:{}", gap.reference)),
            Self::Undecodable(note) => Some(note.reference()),
            Self::Clock(clock) => Some(format!("clock:{}", clock.reference)),
            Self::Unpriced { .. } => Some(format!("unpriced:{account}")),
            Self::Estimated { .. } => Some(format!("estimated:{account}")),
            Self::Jump { .. } => Some(format!("jump:{account}")),
            Self::OtherTax => Some(format!("tax:{account}")),
            Self::TooLarge { .. } => Some(format!("size:{account}")),
            Self::NotRatedThrough { .. }
            | Self::Grace { .. }
            | Self::Held { .. }
            | Self::Uncountable { .. }
            | Self::Unfit { .. }
            | Self::Gap(_) => None,
        }
    }

    /// Whether it passes by itself, with time.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::NotRatedThrough { .. } | Self::Grace { .. })
    }
}

/// An instant, or from when to when.
fn when(span: Span) -> String {
    if span.from == span.to { format!("{}", span.from) } else { format!("{} to {}", span.from, span.to) }
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotRatedThrough { end, rated_through: Some(through) } => {
                write!(formatter, "usage is complete only up to {through}, the period ends at {end}")
            }
            Self::NotRatedThrough { end, rated_through: None } => {
                write!(formatter, "no usage was read yet, the period ends at {end}")
            }
            Self::Grace { until } => write!(formatter, "the grace time after the period lasts until {until}"),
            Self::Held { reason } => write!(formatter, "it is held: {reason}"),
            Self::Uncountable { why } => write!(
                formatter,
                "{why}\nhint: nothing of the account is charged until that is mended; `cf-billing usage` tells what used so much, and the other accounts are done"
            ),
            Self::TooLarge { what } => write!(formatter, "larger than any foundation is {what}"),
            Self::Unfit { problem } => formatter.write_str(problem),
            Self::Unpriced { lines, example } => {
                write!(formatter, "{lines} line(s) of usage have no price, such as {}", visible(example))
            }
            Self::Estimated { amount, currency } => {
                let amount = amount.in_major_units(*currency);
                write!(formatter, "{amount} {currency} of it rests on estimated usage")
            }
            Self::OtherTax => {
                formatter.write_str("what it corrects was charged with another tax than this invoice has")
            }
            Self::Jump { net, previous, factor, currency } => {
                let (net, previous) = (net.in_major_units(*currency), previous.in_major_units(*currency));
                write!(formatter, "{net} {currency} are more than {factor} times the {previous} of the month before")
            }
            Self::Gap(GapNote { reference, stream, from, settled_at: Some(at), assumed, .. }) => write!(
                formatter,
                "{stream} events after {from} can't be read any more (gap {reference}): until {at} use is assumed where they would tell, {assumed} resource(s) were settled by what then ran"
            ),
            Self::Gap(GapNote { reference, stream, from, settled_at: None, .. }) => {
                write!(
                    formatter,
                    "{stream} events after {from} can't be read any more (gap {reference}), and the ledger isn't settled yet"
                )
            }
            Self::Undecodable(note) => {
                let UndecodableNote { foundation, records, first, last } = note;
                let when = if first == last { format!("of {first}") } else { format!("of {first} to {last}") };
                let reference = note.reference();
                write!(
                    formatter,
                    "{records} record(s) of {foundation}, {when}, can't be read, and what they tell isn't billed ({reference})"
                )
            }
            Self::Clock(ClockNote { reference, events, stated, counted }) => write!(
                formatter,
                "{events} event(s) say {}, which the order of the stream contradicts (clock {reference}): they count {}",
                when(*stated),
                when(*counted)
            ),
        }
    }
}

impl Invoice {
    /// Why it can't be final; empty if it can.
    #[must_use]
    pub fn blockers(&self, review: &Review) -> Vec<Blocker> {
        let mut blockers = Vec::new();
        if self.rated_through.is_none_or(|through| through < self.period.to) {
            blockers.push(Blocker::NotRatedThrough { end: self.period.to, rated_through: self.rated_through });
        }
        let until = self.period.to.plus(review.grace_seconds);
        if review.now < until {
            blockers.push(Blocker::Grace { until });
        }
        blockers.extend(self.uncountable.clone().map(|why| Blocker::Uncountable { why }));
        blockers.extend(self.too_large.clone().map(|what| Blocker::TooLarge { what }));
        blockers.extend(review.held.clone().map(|reason| Blocker::Held { reason }));
        blockers.extend(self.gaps.iter().cloned().map(Blocker::Gap));
        blockers.extend(self.undecodable.iter().cloned().map(Blocker::Undecodable));
        blockers.extend(self.clocks.iter().cloned().map(Blocker::Clock));
        let unpriced: Vec<&InvoiceLine> = self.lines.iter().filter(|line| line.charge.is_none()).collect();
        if let Some(first) = unpriced.first() {
            blockers.push(Blocker::Unpriced { lines: unpriced.len(), example: first.what() });
        }
        if self.estimated != Amount::default() {
            blockers.push(Blocker::Estimated { amount: self.estimated, currency: self.currency });
        }
        if self.taxed_otherwise {
            blockers.push(Blocker::OtherTax);
        }
        if let (Some(factor), Some(previous)) = (review.jump_factor, self.previous_net)
            && i128::from(self.net.0) > i128::from(previous.0) * i128::from(factor)
            && previous > Amount::default()
        {
            blockers.push(Blocker::Jump { net: self.net, previous, factor, currency: self.currency });
        }
        blockers
    }

    /// Whether only a person's decision keeps it from being final, or nothing.
    #[must_use]
    pub fn is_ripe(&self, review: &Review) -> bool {
        !self.blockers(review).iter().any(Blocker::passes)
    }
}
