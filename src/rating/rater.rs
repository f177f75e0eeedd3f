//! Adds up one account's usage of one period, resource by resource: what was used, at which terms, rounded to what
//! the rate says. Memory grows with lines, never with intervals.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;

use super::applied::{Applied, LineUse, Parts};
use super::shares::Sum;
use super::trace::{add_by_day, note, overlap};
use super::{Contribution, LineKey, Piece, Quantities, Rated, RatingError, UnpricedLine, UsageKey};
use crate::domain::period::{date_of, days, start_of_day};
use crate::domain::{Kind, Overflow, Span, Timestamp, share};
use crate::rate_card::{Granularity, Meter, RateCard, Terms};

/// See the module.
#[derive(Debug)]
pub struct Rater<'a> {
    card: &'a RateCard,
    account: String,
    period: Span,
    zone: Tz,
    /// See [`super::RULES`].
    rules: u32,
    cuts: Vec<Span>,
    days: Vec<Span>,
    applied: Vec<Applied>,
    /// What applies in each cut; `None`: unpriced.
    known: HashMap<Arc<UsageKey>, Arc<[Option<usize>]>>,
    parts: Parts,
    unpriced: BTreeMap<Arc<LineKey>, UnpricedLine>,
    /// What was added last, if that is to be told.
    trace: Option<Vec<Contribution>>,
}

/// The period, cut at those of `edges` that lie within it.
fn cuts(period: Span, edges: &[Timestamp]) -> Vec<Span> {
    let within = edges.iter().copied().filter(|edge| period.from < *edge && *edge < period.to);
    let mut at: Vec<Timestamp> = within.chain([period.from, period.to]).collect();
    at.sort_unstable();
    at.dedup();
    at.windows(2).map(|pair| Span { from: pair[0], to: pair[1] }).collect()
}

/// A piece as long as its length is rounded in the same way.
#[derive(Clone)]
struct Stretch<'p> {
    piece: &'p Piece,
    terms: AppliedTerms,
    granularity: Option<Granularity>,
    span: Span,
    /// What its staging lacks to its minimum, in seconds.
    lacking: i64,
}

/// Line, terms, and instances, memory and disk: what is charged alike.
type Alike = (Arc<LineKey>, Option<usize>, [i64; 3]);

/// What applies to some usage in each cut; `None`: unpriced.
type AppliedTerms = Arc<[Option<usize>]>;

impl<'a> Rater<'a> {
    /// For what `account` used in `period`, a calendar month of `zone`, by the rules of that number ([`super::RULES`]).
    #[must_use]
    pub fn new(card: &'a RateCard, account: &str, period: Span, zone: Tz, rules: u32) -> Self {
        Self {
            card,
            account: account.to_owned(),
            period,
            zone,
            rules,
            cuts: cuts(period, &card.edges()),
            days: days(period, zone),
            applied: Vec::new(),
            known: HashMap::new(),
            parts: BTreeMap::new(),
            unpriced: BTreeMap::new(),
            trace: None,
        }
    }

    /// From now on [`Rater::take_trace`] tells what each piece added.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Some(Vec::new());
        self
    }

    /// What was added since it was last asked for.
    pub fn take_trace(&mut self) -> Vec<Contribution> {
        self.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Adds everything that the account used of one resource in the period.
    ///
    /// # Errors
    /// [`RatingError`].
    pub fn add(&mut self, pieces: &[Piece]) -> Result<(), RatingError> {
        let mut sorted: Vec<&Piece> = pieces.iter().collect();
        sorted.sort_by_key(|piece| (piece.span.from, piece.span.to));
        let mut interval: Vec<Stretch<'_>> = Vec::new();
        let mut daily: Vec<Stretch<'_>> = Vec::new();
        for piece in sorted {
            let terms = self.terms(&piece.key)?;
            if piece.key.line.kind == Kind::Staging {
                self.fee(piece, &terms)?;
            }
            self.note_used(piece, &terms)?;
            for stretch in self.stretches(piece, &terms) {
                match stretch.granularity {
                    None => self.by_the_second(&stretch)?,
                    Some(granularity) if granularity.per_day => daily.push(stretch),
                    Some(_) => {
                        if !interval.last().is_some_and(|last| self.goes_on(last, &stretch)) {
                            self.by_the_interval(&std::mem::take(&mut interval))?;
                        }
                        interval.push(stretch);
                    }
                }
            }
        }
        self.by_the_interval(&interval)?;
        self.by_the_day(&daily)
    }

    /// Everything added, with allowances and price models applied to its totals.
    ///
    /// # Errors
    /// [`RatingError`].
    pub fn finish(self) -> Result<Rated, RatingError> {
        let sum = Sum { card: self.card, period: self.period, applied: &self.applied };
        let lines = sum.lines(&self.parts)?;
        Ok(Rated { lines, unpriced: self.unpriced.into_values().collect() })
    }

    /// The cut in which an instant lies; the last one for what lies behind.
    fn cut_at(&self, at: Timestamp) -> usize {
        self.cuts.partition_point(|cut| cut.to <= at).min(self.cuts.len() - 1)
    }

    /// What applies to some usage in each cut.
    fn terms(&mut self, key: &Arc<UsageKey>) -> Result<Arc<[Option<usize>]>, RatingError> {
        if let Some(known) = self.known.get(key) {
            return Ok(known.clone());
        }
        let subject = key.subject(&self.account);
        let mut terms = Vec::with_capacity(self.cuts.len());
        for cut in &self.cuts {
            let Some(charges) = self.card.charges_at(subject, cut.from)? else {
                terms.push(None);
                continue;
            };
            let meters = charges.prices.iter().map(|(meter, _)| *meter);
            let allowances = meters
                .filter_map(|meter| Some((meter, self.card.allowance_at(subject, meter, cut.from)?)))
                .filter(|_| !charges.free)
                .collect();
            let discounts = self.card.discounts_at(subject, cut.from).into();
            let rate = shown(self.card, &charges.chain).into();
            let everyones = self.card.list_charges_at(subject, cut.from)?.map(|list| list.prices).unwrap_or_default();
            let list = everyones.into_iter().filter(|price| !charges.prices.contains(price)).collect();
            let applied = Applied { charges, allowances, discounts, rate, list };
            let position = self.applied.iter().position(|known| known.charges_alike(&applied)).unwrap_or_else(|| {
                self.applied.push(applied);
                self.applied.len() - 1
            });
            terms.push(Some(position));
        }
        let terms: Arc<[Option<usize>]> = terms.into();
        self.known.insert(key.clone(), terms.clone());
        Ok(terms)
    }

    fn granularity(&self, applied: Option<usize>) -> Option<Granularity> {
        applied.and_then(|applied| self.applied[applied].charges.granularity)
    }

    /// A piece, cut where it begins to be rounded in another way; changes of price alone don't cut it.
    fn stretches<'p>(&self, piece: &'p Piece, terms: &AppliedTerms) -> Vec<Stretch<'p>> {
        let mut stretches: Vec<Stretch<'p>> = Vec::new();
        let (first, last) = (self.cut_at(piece.span.from), self.cut_at(piece.span.to.plus(-1).max(piece.span.from)));
        for position in first..=last {
            let granularity = self.granularity(terms[position]);
            let to = if position == last { piece.span.to } else { self.cuts[position].to };
            match stretches.last_mut() {
                Some(stretch) if stretch.granularity == granularity => stretch.span.to = to,
                begun => {
                    let from = begun.map_or(piece.span.from, |stretch| stretch.span.to);
                    let span = Span { from, to };
                    stretches.push(Stretch { piece, terms: terms.clone(), granularity, span, lacking: 0 });
                }
            }
        }
        if let Some(stretch) = stretches.last_mut() {
            stretch.lacking = self.lacking(stretch);
        }
        stretches
    }

    /// Whether what is rounded as one interval goes on: without a break, as the same that was bought, at the same
    /// quantities as far as they are priced from there on. Each staging is one by itself.
    fn goes_on(&self, last: &Stretch<'_>, next: &Stretch<'_>) -> bool {
        let applied = next.terms[self.cut_at(next.span.from)];
        let prices = applied.map(|applied| &self.applied[applied].charges.prices);
        let is_priced = |meter| prices.is_some_and(|prices| prices.iter().any(|(priced, _)| *priced == meter));
        let same_staging = next.piece.key.line.kind != Kind::Staging || last.piece.whole == next.piece.whole;
        let (one, two) = (last.piece, next.piece);
        last.span.to == next.span.from
            && last.granularity == next.granularity
            && same_staging
            && (self.rules < 2 || self.is_same_purchase(last, next))
            && one.instances == two.instances
            && (one.memory_mib == two.memory_mib || !is_priced(Meter::MemoryGibHour))
            && (one.disk_mib == two.disk_mib || !is_priced(Meter::DiskGibHour))
    }

    /// Whether what begins is the same that was bought before: of the same plan, and charged by the rate by which the other
    /// would have been from there on. That the rate itself has another price from there on changes nothing; names and
    /// places change something only where another rate is for them.
    fn is_same_purchase(&self, last: &Stretch<'_>, next: &Stretch<'_>) -> bool {
        let cut = self.cut_at(next.span.from);
        let charges = |stretch: &Stretch<'_>| stretch.terms[cut].map(|applied| &self.applied[applied].charges);
        let plan = |stretch: &Stretch<'_>| stretch.piece.key.line.service_plan.as_ref().map(|plan| plan.guid.clone());
        plan(last) == plan(next) && charges(last) == charges(next)
    }

    /// What a staging that ends here lacks to its minimum, in seconds, after it was rounded by itself.
    fn lacking(&self, stretch: &Stretch<'_>) -> i64 {
        let Stretch { piece, terms, granularity, span, .. } = stretch;
        if piece.key.line.kind != Kind::Staging || piece.open || piece.span.to != piece.whole.to {
            return 0;
        }
        let applied = terms[self.cut_at(span.to.plus(-1).max(span.from))];
        let minimum = applied.and_then(|applied| self.applied[applied].charges.minimum_seconds).unwrap_or(0);
        let before = span.from.seconds_since(piece.whole.from);
        // A day is rounded as a whole, after that.
        let rounded = match granularity {
            Some(granularity) if !granularity.per_day => granularity.round(span.seconds()),
            _ => span.seconds(),
        };
        (minimum - before - rounded).max(0)
    }

    /// Notes what was really used, and what has no price.
    fn note_used(&mut self, piece: &Piece, terms: &AppliedTerms) -> Result<(), RatingError> {
        for position in self.cut_at(piece.span.from)..self.cuts.len() {
            let cut = self.cuts[position];
            let seconds = overlap(cut, piece.span);
            if seconds == 0 {
                break;
            }
            match terms[position] {
                Some(applied) => {
                    let span = cut.within(piece.span);
                    self.charge(piece, terms, applied, seconds, Some(span))?;
                }
                None => self.unpriced(piece, cut, seconds)?,
            }
        }
        Ok(())
    }

    fn by_the_second(&mut self, stretch: &Stretch<'_>) -> Result<(), RatingError> {
        self.charge_span(stretch, stretch.span)
    }

    /// Charges a stretch for a span that may reach beyond it, cut at the edges of rates, and what it lacks to its
    /// minimum.
    fn charge_span(&mut self, stretch: &Stretch<'_>, span: Span) -> Result<(), RatingError> {
        let Stretch { piece, terms, lacking, .. } = stretch;
        let mut applied = None;
        let mut from = span.from;
        while from < span.to {
            let position = self.cut_at(from);
            // What is rounded up beyond the period belongs to it all the same.
            let last = position + 1 == self.cuts.len();
            let to = if last { span.to } else { span.to.min(self.cuts[position].to) };
            // … and beyond the end of all rates has the last one: only what was really used can be unpriced.
            applied = terms[position].or(applied.filter(|_| from >= stretch.span.to));
            if let Some(applied) = applied {
                self.charge(piece, terms, applied, to.seconds_since(from), None)?;
            }
            from = to;
        }
        let last = applied.or(terms[self.cut_at(stretch.span.to.plus(-1).max(stretch.span.from))]);
        match last {
            Some(applied) if *lacking > 0 => self.charge(piece, terms, applied, *lacking, None),
            _ => Ok(()),
        }
    }

    /// Rounds a whole interval; the edges of rates split it after that.
    fn by_the_interval(&mut self, interval: &[Stretch<'_>]) -> Result<(), RatingError> {
        let (Some(first), Some(last)) = (interval.first(), interval.last()) else { return Ok(()) };
        let Some(granularity) = first.granularity else { return Ok(()) };
        let seconds = last.span.to.seconds_since(first.span.from);
        let end = first.span.from.plus(granularity.round(seconds));
        for (position, stretch) in interval.iter().enumerate() {
            let is_last = position + 1 == interval.len();
            let to = if is_last { end } else { stretch.span.to.min(end) };
            self.charge_span(stretch, Span { from: stretch.span.from, to })?;
        }
        Ok(())
    }

    /// Rounds what a resource used on each day as a whole, shared out over its stretches by their seconds.
    fn by_the_day(&mut self, daily: &[Stretch<'_>]) -> Result<(), RatingError> {
        let Some(first) = daily.first() else { return Ok(()) };
        let end = daily.iter().map(|stretch| stretch.span.to).max().unwrap_or(first.span.to);
        let mut granularities: Vec<Granularity> = Vec::new();
        for granularity in daily.iter().filter_map(|stretch| stretch.granularity) {
            if !granularities.contains(&granularity) {
                granularities.push(granularity);
            }
        }
        let mut date = date_of(first.span.from, self.zone);
        while let Some(day) = self.day(date).filter(|day| day.from <= end) {
            for granularity in &granularities {
                self.one_day(daily, *granularity, day)?;
            }
            let Some(next) = date.checked_add_days(Days::new(1)) else { return Ok(()) };
            date = next;
        }
        Ok(())
    }

    fn day(&self, date: NaiveDate) -> Option<Span> {
        let from = start_of_day(date, self.zone)?;
        let to = start_of_day(date.checked_add_days(Days::new(1))?, self.zone)?;
        Some(Span { from, to })
    }

    fn one_day(&mut self, daily: &[Stretch<'_>], granularity: Granularity, day: Span) -> Result<(), RatingError> {
        // What is charged alike is one part, in however many pieces it came.
        let mut parts: BTreeMap<Alike, (&Stretch<'_>, i64)> = BTreeMap::new();
        for stretch in daily.iter().filter(|stretch| stretch.granularity == Some(granularity)) {
            let (piece, span) = (stretch.piece, stretch.span);
            for position in 0..self.cuts.len() {
                let within = day.within(span);
                let seconds = overlap(within, self.cuts[position]);
                // What a staging lacks to its minimum is of the day on which it ends.
                let at_end = span.to.plus(-1).max(span.from);
                let ends = day.from <= at_end && at_end < day.to && self.cut_at(at_end) == position;
                let seconds = if ends { seconds + stretch.lacking } else { seconds };
                if seconds > 0 {
                    let size = [piece.instances, piece.memory_mib, piece.disk_mib];
                    let key = (piece.key.line.clone(), stretch.terms[position], size);
                    parts.entry(key).or_insert((stretch, 0)).1 += seconds;
                }
            }
        }
        let seconds: Vec<i64> = parts.values().map(|(_, seconds)| *seconds).collect();
        let rounded = share(granularity.round(seconds.iter().sum()), &seconds)?;
        for (((_, applied, _), (stretch, _)), seconds) in parts.into_iter().zip(rounded) {
            if let Some(applied) = applied {
                self.charge(stretch.piece, &stretch.terms, applied, seconds, None)?;
            }
        }
        Ok(())
    }

    /// The fee of a staging, where it begins: where it is cut, by the month's edges or because it changes hands, it is
    /// charged once.
    fn fee(&mut self, piece: &Piece, terms: &AppliedTerms) -> Result<(), RatingError> {
        if piece.span.from != piece.whole.from {
            return Ok(());
        }
        let applied = terms[self.cut_at(piece.whole.from)];
        let is_priced =
            |applied: &usize| self.applied[*applied].charges.prices.iter().any(|(meter, _)| *meter == Meter::Staging);
        if let Some(applied) = applied.filter(is_priced) {
            let begins = Span { from: piece.span.from, to: piece.span.from };
            self.add_to(piece, terms, applied, Meter::Staging, 1, Some(begins))?;
            self.add_to(piece, terms, applied, Meter::Staging, 1, None)?;
        }
        Ok(())
    }

    /// Adds seconds of a piece to every quantity that is priced: as used in a span, or as charged.
    fn charge(
        &mut self,
        piece: &Piece,
        terms: &AppliedTerms,
        applied: usize,
        seconds: i64,
        used: Option<Span>,
    ) -> Result<(), RatingError> {
        let charges = &self.applied[applied].charges;
        // What is free is shown too, by its instance-hours.
        let meters: Vec<Meter> = if charges.free && charges.prices.is_empty() {
            vec![Meter::InstanceHour]
        } else {
            charges.prices.iter().map(|(meter, _)| *meter).filter(|meter| *meter != Meter::Staging).collect()
        };
        for meter in meters {
            let quantity = product(&[seconds, piece.instances, size(piece, meter)])?;
            if quantity != 0 {
                self.add_to(piece, terms, applied, meter, quantity, used)?;
            }
        }
        Ok(())
    }

    fn add_to(
        &mut self,
        piece: &Piece,
        terms: &AppliedTerms,
        applied: usize,
        meter: Meter,
        quantity: i64,
        used: Option<Span>,
    ) -> Result<(), Overflow> {
        let mut within =
            self.cuts.iter().zip(&**terms).filter(|(_, known)| **known == Some(applied)).map(|(cut, _)| cut);
        let from = within.next().map_or(piece.span.from, |cut| cut.from);
        let to = within.next_back().map_or_else(|| self.cuts[self.cut_at(from)].to, |cut| cut.to);
        let key = (piece.key.line.clone(), applied, meter);
        let row = self.parts.len();
        let part = self.parts.entry(key).or_insert_with(|| LineUse {
            quantity: 0,
            used: 0,
            span: Span { from, to },
            days: vec![0; self.days.len()],
            row,
        });
        // Of several process types, each may have had it at another time.
        part.span = part.span.hull(Span { from, to });
        let total = if used.is_some() { &mut part.used } else { &mut part.quantity };
        *total = total.checked_add(quantity).ok_or(Overflow)?;
        if let Some(span) = used {
            // No day has more than the whole.
            add_by_day(&mut part.days, &self.days, span, quantity);
        }
        if let Some(trace) = &mut self.trace {
            let (used, charged) = if used.is_some() { (quantity, 0) } else { (0, quantity) };
            note(trace, part.row, piece, size(piece, meter), used, charged);
        }
        Ok(())
    }

    fn unpriced(&mut self, piece: &Piece, cut: Span, seconds: i64) -> Result<(), Overflow> {
        let used = Quantities {
            instance_seconds: product(&[seconds, piece.instances])?,
            memory_mib_seconds: product(&[seconds, piece.instances, piece.memory_mib])?,
            disk_mib_seconds: product(&[seconds, piece.instances, piece.disk_mib])?,
        };
        // What users bring themselves is free unless a rate is for it.
        if used == Quantities::default() || piece.key.user_provided {
            return Ok(());
        }
        let line = self.unpriced.entry(piece.key.line.clone()).or_insert_with(|| UnpricedLine {
            key: piece.key.line.clone(),
            quantities: Quantities::default(),
            span: cut,
        });
        let add = |total: &mut i64, more: i64| total.checked_add(more).map(|sum| *total = sum).ok_or(Overflow);
        add(&mut line.quantities.instance_seconds, used.instance_seconds)?;
        add(&mut line.quantities.memory_mib_seconds, used.memory_mib_seconds)?;
        add(&mut line.quantities.disk_mib_seconds, used.disk_mib_seconds)?;
        line.span = line.span.hull(cut);
        Ok(())
    }
}

fn product(factors: &[i64]) -> Result<i64, Overflow> {
    factors.iter().try_fold(1_i64, |product, factor| product.checked_mul(*factor)).ok_or(Overflow)
}

/// What a meter counts of one instance in one second.
const fn size(piece: &Piece, meter: Meter) -> i64 {
    match meter {
        Meter::MemoryGibHour => piece.memory_mib,
        Meter::DiskGibHour => piece.disk_mib,
        Meter::InstanceHour | Meter::Month | Meter::Staging => 1,
    }
}

/// A chain of rates, for people: what applies, and what it derives from.
fn shown(card: &RateCard, chain: &[usize]) -> String {
    let mut text = String::new();
    for (step, position) in chain.iter().enumerate() {
        let rate = &card.rates[*position];
        if step > 0 {
            text.push_str(" of ");
        }
        text.push_str(&rate.to_string());
        if let Terms::Derived { multiplier, surcharges } = &rate.terms {
            if *multiplier != crate::domain::Price::ONE {
                let _ = write!(text, ", × {multiplier}");
            }
            for (meter, price) in surcharges {
                let _ = write!(text, ", + {price} {meter}");
            }
        }
    }
    text
}
