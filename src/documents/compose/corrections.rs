//! What a document changes of earlier invoices: a row each, or a row for many with all of them in the annex.
//! Owns how a correction is told; never computes one.

use std::collections::BTreeMap;

use super::super::DocumentError;
use super::super::view::{Column, RowKind, Section, ViewRow, ViewTable};
use super::summary::whole;
use super::{Composer, overflow};
use crate::documents::names::{item, printable, variant};
use crate::domain::{Amount, Month};
use crate::invoicing::{Correction, CorrectionCause};

/// Corrections that the summary has a row for each of.
const MOST_ROWS: usize = 25;

impl Composer<'_> {
    /// The whole summary of a credit note.
    pub(super) fn credits(&self) -> Result<ViewTable, DocumentError> {
        let (texts, currency) = (self.locale.texts, self.document.currency);
        let columns = vec![
            Column { title: texts.description.to_owned(), right: false },
            Column { title: (texts.amount_in)(currency.code()), right: true },
        ];
        let mut rows = self.corrections()?;
        for row in &mut rows {
            row.kind = RowKind::Line;
        }
        Ok(ViewTable { columns, rows })
    }

    /// Rows of the summary.
    pub(super) fn corrections(&self) -> Result<Vec<ViewRow>, DocumentError> {
        let (texts, corrections) = (self.locale.texts, &self.document.corrections);
        if corrections.len() <= MOST_ROWS {
            return corrections.iter().map(|correction| self.correction(correction)).collect();
        }
        let mut alike: BTreeMap<(&str, Month, CorrectionCause), (i64, Amount)> = BTreeMap::new();
        for correction in corrections {
            let (count, amount) = alike.entry((&correction.number, correction.month, correction.cause)).or_default();
            *count += 1;
            *amount = amount.plus(correction.amount().map_err(overflow)?).map_err(overflow)?;
        }
        let rows = alike.into_iter().map(|((number, month, cause), (count, amount))| {
            let text = (texts.corrections_of)(&self.locale.number(count.into()), &printable(number));
            let remark = format!("{}, {}", self.locale.month(month), texts.causes.of(cause));
            Ok(whole(RowKind::Adjustment, text, self.bare(amount)?, Some(remark)))
        });
        rows.collect()
    }

    fn correction(&self, correction: &Correction) -> Result<ViewRow, DocumentError> {
        let amount = self.bare(correction.amount().map_err(overflow)?)?;
        let what = self.what(correction);
        let (text, remark) = if self.is_credit_note() {
            let line = correction.line.map(|line| (self.locale.texts.line)(&line.to_string()));
            let text = line.map_or_else(|| what.clone(), |line| format!("{line} · {what}"));
            (text, self.circumstances(correction, false))
        } else {
            (self.names_invoice(correction), [vec![what], self.circumstances(correction, true)].concat())
        };
        let remark = (!remark.is_empty()).then(|| remark.join(" · "));
        Ok(whole(RowKind::Adjustment, text, amount, remark))
    }

    /// The invoice that is corrected, and its line.
    fn names_invoice(&self, correction: &Correction) -> String {
        let (texts, number) = (self.locale.texts, printable(&correction.number));
        match correction.line {
            Some(line) => (texts.correction_of_line)(&number, &line.to_string()),
            None => (texts.correction_of)(&number),
        }
    }

    /// What a correction is for, and what of it is measured.
    fn what(&self, correction: &Correction) -> String {
        let Some(key) = &correction.key else { return printable(&correction.what) };
        let measured = correction.meter.map(|meter| self.locale.texts.units.of(meter).many);
        let item = item(key, self.locale.texts);
        measured.map_or_else(|| item.clone(), |measured| format!("{item}, {measured}"))
    }

    /// Buildpack or plan, month, time of use, cause.
    fn circumstances(&self, correction: &Correction, names_month: bool) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(correction.key.as_deref().and_then(variant));
        if names_month {
            all.push(self.locale.month(correction.month));
        }
        if correction.span != correction.month.span(self.zone) {
            all.push(self.locale.short_span(correction.span, self.zone));
        }
        if correction.cause != CorrectionCause::Credited {
            all.push(self.locale.texts.causes.of(correction.cause).to_owned());
        }
        all
    }

    /// All of them, with quantities and prices.
    pub(super) fn corrections_section(&self) -> Result<Option<Section>, DocumentError> {
        let (texts, document) = (self.locale.texts, self.document);
        if document.corrections.is_empty() {
            return Ok(None);
        }
        let code = document.currency.code();
        let number = |title: String| Column { title, right: true };
        let columns = vec![
            Column { title: texts.charge.to_owned(), right: false },
            number(texts.quantity.to_owned()),
            number((texts.price_in)(code)),
            number(texts.charged_before.to_owned()),
            number(texts.charged_now.to_owned()),
            number((texts.amount_in)(code)),
        ];
        let rows = document.corrections.iter().map(|correction| self.detailed(correction)).collect::<Result<_, _>>()?;
        let title = if self.is_credit_note() { texts.credits } else { texts.corrections }.to_owned();
        Ok(Some(Section { title, table: ViewTable { columns, rows } }))
    }

    fn detailed(&self, correction: &Correction) -> Result<ViewRow, DocumentError> {
        let (locale, document) = (self.locale, self.document);
        let mut remark = if self.is_credit_note() {
            correction.line.map(|line| (locale.texts.line)(&line.to_string())).into_iter().collect()
        } else {
            vec![self.names_invoice(correction)]
        };
        remark.extend(self.circumstances(correction, true));
        let quantity = if self.is_credit_note() { correction.quantity.saturating_neg() } else { correction.quantity };
        let unit_size =
            correction.meter.and_then(crate::rate_card::Meter::constant_unit).unwrap_or(correction.unit_size);
        let bare = |amount| locale.bare_amount(amount, document.currency);
        let is_counted = correction.meter.is_some() && quantity != 0;
        let quantity = is_counted.then(|| locale.quantity(quantity, unit_size, correction.price, document.currency));
        let price = correction.price.map(|price| locale.price(price, document.currency));
        let cells = vec![
            self.what(correction),
            quantity.unwrap_or_default(),
            price.unwrap_or_default(),
            bare(correction.before),
            bare(correction.after),
            self.bare(correction.amount().map_err(overflow)?)?,
        ];
        Ok(ViewRow { kind: RowKind::Line, cells, remark: Some(remark.join(" · ")) })
    }
}
