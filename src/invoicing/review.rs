//! What keeps an invoice from being final, and what to say to have it final all the same.

use chrono_tz::Tz;

use super::{Draft, DraftNotes, Invoice, InvoiceLine};
use crate::domain::period::local;
use crate::domain::text::visible;
use crate::domain::{Amount, ClockNote, Currency, GapNote, Timestamp, UndecodableNote};

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
    /// A code of the account isn't valid, or something else that its documents need is wrong: where, what, and a hint.
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
    /// What to say to have `account`'s invoice final all the same; `None` if it has to be fixed.
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

/// What a blocker says to people, with times as the clocks of the billing time zone show them.
struct Words {
    zone: Tz,
}

impl Words {
    fn at(&self, instant: Timestamp) -> String {
        local(instant, self.zone)
    }

    /// An instant, or from when to when.
    fn span(&self, from: Timestamp, to: Timestamp) -> String {
        if from == to { self.at(from) } else { format!("{} to {}", self.at(from), self.at(to)) }
    }

    fn gap(&self, gap: &GapNote) -> String {
        let GapNote { reference, stream, from, settled_at, assumed, .. } = gap;
        let lost = format!("{stream} usage events after {} are lost (gap {reference})", self.at(*from));
        match settled_at {
            Some(at) => format!(
                "{lost}: usage up to {} is assumed where they would tell it; {assumed} resource(s) were settled by what ran then",
                self.at(*at)
            ),
            None => format!("{lost}, and the ledger isn't settled yet"),
        }
    }

    fn of(&self, blocker: &Blocker) -> String {
        match blocker {
            Blocker::NotRatedThrough { end, rated_through: Some(through) } => {
                format!("usage is complete only up to {}; the period ends at {}", self.at(*through), self.at(*end))
            }
            Blocker::NotRatedThrough { end, rated_through: None } => {
                format!("no usage was read yet; the period ends at {}", self.at(*end))
            }
            Blocker::Grace { until } => format!("the grace time lasts until {}", self.at(*until)),
            Blocker::Held { reason } => format!("it is held: {reason}"),
            Blocker::Uncountable { why } => format!(
                "{why}\nhint: nothing of the account is charged until that is fixed; `cf-billing usage` shows what used so much; the other accounts are done"
            ),
            Blocker::TooLarge { what } => format!("larger than any foundation is {what}"),
            Blocker::Unfit { problem } => problem.clone(),
            Blocker::Unpriced { lines, example } => {
                format!("{lines} line(s) of usage have no price, such as {}", visible(example))
            }
            Blocker::Estimated { amount, currency } => {
                format!("{} {currency} of it rests on estimated usage", amount.in_major_units(*currency))
            }
            Blocker::OtherTax => "it corrects an invoice that had another tax".to_owned(),
            Blocker::Jump { net, previous, factor, currency } => {
                let (net, previous) = (net.in_major_units(*currency), previous.in_major_units(*currency));
                format!("{net} {currency} is more than {factor} times the {previous} of the month before")
            }
            Blocker::Gap(gap) => self.gap(gap),
            Blocker::Undecodable(note) => format!(
                "{} record(s) of {}, of {}, can't be read and aren't billed ({})",
                note.records,
                note.foundation,
                self.span(note.first, note.last),
                note.reference()
            ),
            Blocker::Clock(ClockNote { reference, events, stated, counted }) => format!(
                "{events} event(s) state {}, which contradicts the order of their stream (clock {reference}); they count at {}",
                self.span(stated.from, stated.to),
                self.span(counted.from, counted.to)
            ),
        }
    }
}

impl Blocker {
    /// What it says to people, with times as the clocks of `zone` show them.
    #[must_use]
    pub fn words(&self, zone: Tz) -> String {
        Words { zone }.of(self)
    }
}

impl Draft {
    /// Why it can't be final; empty if it can.
    #[must_use]
    pub fn blockers(&self, review: &Review) -> Vec<Blocker> {
        self.notes.blockers(&self.invoice, review)
    }

    /// Whether only a person's decision keeps it from being final, or nothing.
    #[must_use]
    pub fn is_ripe(&self, review: &Review) -> bool {
        !self.blockers(review).iter().any(Blocker::passes)
    }
}

impl DraftNotes {
    /// Why their invoice can't be final; empty if it can.
    #[must_use]
    pub fn blockers(&self, invoice: &Invoice, review: &Review) -> Vec<Blocker> {
        let mut blockers = Vec::new();
        if invoice.rated_through.is_none_or(|through| through < invoice.period.to) {
            blockers.push(Blocker::NotRatedThrough { end: invoice.period.to, rated_through: invoice.rated_through });
        }
        let until = invoice.period.to.plus(review.grace_seconds);
        if review.now < until {
            blockers.push(Blocker::Grace { until });
        }
        blockers.extend(self.uncountable.clone().map(|why| Blocker::Uncountable { why }));
        blockers.extend(self.too_large.clone().map(|what| Blocker::TooLarge { what }));
        blockers.extend(review.held.clone().map(|reason| Blocker::Held { reason }));
        blockers.extend(invoice.gaps.iter().cloned().map(Blocker::Gap));
        blockers.extend(self.undecodable.iter().cloned().map(Blocker::Undecodable));
        blockers.extend(self.clocks.iter().cloned().map(Blocker::Clock));
        let unpriced: Vec<&InvoiceLine> = invoice.lines.iter().filter(|line| line.charge.is_none()).collect();
        if let Some(first) = unpriced.first() {
            blockers.push(Blocker::Unpriced { lines: unpriced.len(), example: first.what() });
        }
        if invoice.estimated != Amount::default() {
            blockers.push(Blocker::Estimated { amount: invoice.estimated, currency: invoice.currency });
        }
        if self.taxed_otherwise {
            blockers.push(Blocker::OtherTax);
        }
        if let (Some(factor), Some(previous)) = (review.jump_factor, self.previous_net)
            && i128::from(invoice.net.0) > i128::from(previous.0) * i128::from(factor)
            && previous > Amount::default()
        {
            blockers.push(Blocker::Jump { net: invoice.net, previous, factor, currency: invoice.currency });
        }
        blockers
    }
}
