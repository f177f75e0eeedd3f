//! The first page's table: what was charged by group, then what was added or taken off as a whole.
//! Owns its rows; what they show comes to the net exactly.

use std::collections::BTreeMap;

use super::super::DocumentError;
use super::super::view::{Column, RowKind, ViewRow, ViewTable};
use super::groups::{Leaf, leaves};
use super::{Composer, overflow};
use crate::documents::names::printable;
use crate::domain::Amount;
use crate::invoicing::{Adjustment, AdjustmentType, GroupBy};
use crate::rate_card::Meter;
use crate::rating::Part;

/// Rows that the kinds of usage may make of it, where the account doesn't ask for them.
const MOST_ROWS_BY_KIND: usize = 60;

/// A group that isn't finished yet.
#[derive(Default)]
struct Open {
    rows: usize,
    amount: Amount,
}

impl Composer<'_> {
    pub(super) fn group_by(&self) -> Vec<GroupBy> {
        let mut levels: Vec<GroupBy> = Vec::new();
        for by in &self.document.particulars.group_by {
            if !levels.contains(by) {
                levels.push(*by);
            }
        }
        levels
    }

    pub(super) fn summary(&self) -> Result<ViewTable, DocumentError> {
        if self.is_credit_note() {
            return self.credits();
        }
        let (texts, document) = (self.locale.texts, self.document);
        let mut levels = self.group_by();
        let mut groups = leaves(document.lines(), &levels, texts);
        // Finer groups say it already.
        let says_kind = [GroupBy::App, GroupBy::Buildpack, GroupBy::Kind];
        if !levels.iter().any(|by| says_kind.contains(by)) {
            let by_kind: Vec<GroupBy> = levels.iter().copied().chain([GroupBy::Kind]).collect();
            let finer = leaves(document.lines(), &by_kind, texts);
            if levels.is_empty() || finer.len() <= MOST_ROWS_BY_KIND {
                (levels, groups) = (by_kind, finer);
            }
        }
        // The outermost groups are headings, if there are inner ones.
        let first = usize::from(levels.len() > 1);
        let mut columns: Vec<Column> = (levels[first..].iter())
            .map(|by| Column { title: texts.groups.of(*by).to_owned(), right: false })
            .collect();
        columns.push(Column { title: (texts.amount_in)(document.currency.code()), right: true });
        let mut rows = self.group_rows(&groups, &levels, first)?;
        let more = [self.allowances()?, self.adjustments()?, self.corrections()?].concat();
        if !more.is_empty() {
            let usage = self.sum(0..document.lines().len())?;
            rows.push(whole(RowKind::Subtotal, texts.usage_total.to_owned(), self.bare(usage)?, None));
            rows.extend(more);
        }
        for row in &mut rows {
            pad(&mut row.cells, columns.len());
        }
        Ok(ViewTable { columns, rows })
    }

    /// What the lines at some positions come to.
    pub(super) fn sum(&self, lines: impl IntoIterator<Item = usize>) -> Result<Amount, DocumentError> {
        let charges = lines.into_iter().filter_map(|line| self.document.lines()[line].charge.as_ref());
        let mut amounts = charges.map(|charge| charge.amount);
        amounts.try_fold(Amount::default(), Amount::plus).map_err(overflow)
    }

    fn group_rows(&self, groups: &[Leaf], levels: &[GroupBy], first: usize) -> Result<Vec<ViewRow>, DocumentError> {
        let texts = self.locale.texts;
        let mut rows = Vec::new();
        // Of each level but the innermost, the group that the current leaf is in.
        let mut open: Vec<Open> = levels.iter().skip(1).map(|_| Open::default()).collect();
        let mut opened_after = vec![None; open.len()];
        for (position, leaf) in groups.iter().enumerate() {
            let before = position.checked_sub(1).map(|before| leaf.common(&groups[before]));
            if first == 1 && before.unwrap_or(0) == 0 {
                let heading = leaf.heading(0, levels[0], texts);
                rows.push(ViewRow { kind: RowKind::Group, cells: vec![heading], remark: None });
            }
            for level in before.unwrap_or(0)..open.len() {
                (open[level], opened_after[level]) = (Open::default(), before);
            }
            let amount = self.sum(leaf.lines.iter().copied())?;
            let name =
                |level: usize| if level < before.unwrap_or(0) { String::new() } else { leaf.names[level].clone() };
            let mut cells: Vec<String> = (first..levels.len()).map(name).collect();
            if let (Some(innermost), Some(estimated)) = (cells.last_mut(), self.estimated_part(leaf)?) {
                *innermost = format!("{innermost} ({estimated})");
            }
            cells.push(self.bare(amount)?);
            rows.push(ViewRow { kind: RowKind::Line, cells, remark: None });
            for group in &mut open {
                group.rows += 1;
                group.amount = group.amount.plus(amount).map_err(overflow)?;
            }
            let after = groups.get(position + 1).map(|after| leaf.common(after));
            for level in (after.unwrap_or(0)..open.len()).rev() {
                // One that is alone in its group comes to the same as that.
                let has_sibling = [opened_after[level], after].into_iter().flatten().any(|common| common >= level);
                if open[level].rows > 1 && has_sibling {
                    let mut cells = vec![String::new(); level.saturating_sub(first)];
                    cells.push((texts.subtotal)(&leaf.names[level]));
                    cells.resize(levels.len() - first, String::new());
                    cells.push(self.bare(open[level].amount)?);
                    rows.push(ViewRow { kind: RowKind::Subtotal, cells, remark: None });
                }
            }
        }
        Ok(rows)
    }

    fn estimated_part(&self, leaf: &Leaf) -> Result<Option<String>, DocumentError> {
        let estimated = leaf.lines.iter().copied().filter(|line| self.document.lines()[*line].key.estimated);
        let amount = self.sum(estimated)?;
        if amount == Amount::default() {
            return Ok(None);
        }
        Ok(Some((self.locale.texts.estimated_part)(&self.money(amount)?)))
    }

    /// How much each allowance took. Its lines are free, so it adds nothing to the sum.
    fn allowances(&self) -> Result<Vec<ViewRow>, DocumentError> {
        let texts = self.locale.texts;
        let mut allowances: BTreeMap<(&str, Meter), (i64, Vec<usize>)> = BTreeMap::new();
        for (position, line) in self.document.lines().iter().enumerate() {
            if let Part::Allowance(name) = &line.part {
                let (quantity, lines) = allowances.entry((name, line.meter)).or_default();
                let sum = quantity.checked_add(line.quantity);
                *quantity = sum.ok_or_else(|| DocumentError::Failed("an allowance exceeds 2^63 - 1".to_owned()))?;
                lines.push(position);
            }
        }
        let row = |((name, meter), (quantity, lines)): ((&str, Meter), (i64, Vec<usize>))| {
            let unit_size = meter.unit_size(self.document.period);
            let free = self.locale.quantity_with_unit(meter, quantity, unit_size, self.document.currency);
            let amount = self.bare(self.sum(lines)?)?;
            let remark = (texts.allowance_remark)(&free);
            Ok(whole(RowKind::Adjustment, (texts.allowance)(&printable(name)), amount, Some(remark)))
        };
        allowances.into_iter().map(row).collect()
    }

    fn adjustments(&self) -> Result<Vec<ViewRow>, DocumentError> {
        self.document.adjustments().iter().map(|adjustment| self.adjustment(adjustment)).collect()
    }

    fn adjustment(&self, adjustment: &Adjustment) -> Result<ViewRow, DocumentError> {
        let (texts, name) = (self.locale.texts, printable(&adjustment.name));
        let basis = adjustment.basis.map(|basis| self.money(basis)).transpose()?;
        let (text, remark) = match adjustment.adjustment {
            AdjustmentType::Discount => {
                let percent = adjustment.percent.map(|percent| self.locale.percent(percent));
                let remark = percent.zip(basis).map(|(percent, basis)| (texts.discount_remark)(&percent, &basis));
                ((texts.discount)(&name), remark)
            }
            AdjustmentType::Commitment => ((texts.commitment)(&name), None),
            AdjustmentType::Covered => ((texts.covered)(&name), basis.map(|basis| (texts.covered_remark)(&basis))),
            AdjustmentType::Minimum => {
                let minimum = adjustment.basis.unwrap_or_default().plus(adjustment.amount).map_err(overflow)?;
                let minimum = self.money(minimum)?;
                ((texts.minimum)(&name), basis.map(|basis| (texts.minimum_remark)(&basis, &minimum)))
            }
        };
        Ok(whole(RowKind::Adjustment, text, self.bare(adjustment.amount)?, remark))
    }
}

/// A row that is of the whole: [`pad`] makes it as wide as its table.
pub(super) fn whole(kind: RowKind, text: String, amount: String, remark: Option<String>) -> ViewRow {
    ViewRow { kind, cells: vec![text, amount], remark }
}

/// Fills up to `columns` cells; the amount, if there is one, stays last.
pub(super) fn pad(cells: &mut Vec<String>, columns: usize) {
    let amount = if cells.len() > 1 { cells.pop() } else { None };
    cells.resize(columns - usize::from(amount.is_some()), String::new());
    cells.extend(amount);
}
