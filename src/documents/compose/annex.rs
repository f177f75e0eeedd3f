//! The annex: every line with its quantity, price and amount, one section for each outermost group.
//! Owns how a line is told; never leaves one out.

use std::collections::BTreeSet;

use super::super::DocumentError;
use super::super::view::{Column, RowKind, Section, ViewRow, ViewTable};
use super::Composer;
use super::groups::{Leaf, leaves};
use super::summary::{pad, whole};
use crate::documents::names::{item, name, printable, variant};
use crate::domain::Kind;
use crate::invoicing::{Charge, GroupBy, InvoiceLine};
use crate::rating::Part;

/// How an invoice keeps that no length was rounded.
const UNROUNDED: &str = "by the second";

/// What a line's group doesn't say already.
#[expect(clippy::struct_excessive_bools, reason = "each says of itself whether it is to be said")]
struct Unsaid {
    organization: bool,
    space: bool,
    buildpack: bool,
    foundation: bool,
}

impl Composer<'_> {
    pub(super) fn annex(&self) -> Result<Vec<Section>, DocumentError> {
        let (texts, document) = (self.locale.texts, self.document);
        let mut levels = self.group_by();
        if levels.is_empty() {
            levels.push(GroupBy::Kind);
        }
        let unsaid = self.unsaid(&levels);
        let groups = leaves(document.lines(), &levels, texts);
        let mut sections: Vec<Section> = Vec::new();
        for outer in groups.chunk_by(|one, two| one.common(two) > 0) {
            let mut rows = Vec::new();
            for leaf in outer {
                if levels.len() > 1 {
                    let inner = (1..levels.len()).map(|level| leaf.heading(level, levels[level], texts));
                    let heading = inner.collect::<Vec<_>>().join(" · ");
                    rows.push(ViewRow { kind: RowKind::Group, cells: vec![heading], remark: None });
                }
                for line in &leaf.lines {
                    rows.push(self.line(*line, &unsaid)?);
                }
            }
            rows.extend(self.section_total(outer)?);
            let columns = self.columns();
            for row in rows.iter_mut().filter(|row| row.cells.len() < columns.len()) {
                pad(&mut row.cells, columns.len());
            }
            let title = outer[0].heading(0, levels[0], texts);
            sections.push(Section { title, table: ViewTable { columns, rows } });
        }
        sections.extend(self.corrections_section()?);
        Ok(sections)
    }

    fn columns(&self) -> Vec<Column> {
        let (texts, code) = (self.locale.texts, self.document.currency.code());
        let column = |title: String, right| Column { title, right };
        vec![
            column(texts.charge.to_owned(), false),
            column(texts.quantity.to_owned(), true),
            column(texts.unit.to_owned(), false),
            column((texts.price_in)(code), true),
            column((texts.amount_in)(code), true),
        ]
    }

    fn section_total(&self, outer: &[Leaf]) -> Result<Option<ViewRow>, DocumentError> {
        let lines: Vec<usize> = outer.iter().flat_map(|leaf| leaf.lines.iter().copied()).collect();
        if lines.len() < 2 {
            return Ok(None);
        }
        let text = (self.locale.texts.subtotal)(&outer[0].names[0]);
        Ok(Some(whole(RowKind::Subtotal, text, self.bare(self.sum(lines)?)?, None)))
    }

    fn unsaid(&self, levels: &[GroupBy]) -> Unsaid {
        let several = |of: &dyn Fn(&InvoiceLine) -> String| {
            self.document.lines().iter().map(of).collect::<BTreeSet<String>>().len() > 1
        };
        Unsaid {
            organization: !levels.contains(&GroupBy::Organization)
                && several(&|line| line.key.organization.guid.to_string()),
            space: !levels.contains(&GroupBy::Space) && several(&|line| line.key.space.guid.to_string()),
            buildpack: !levels.contains(&GroupBy::Buildpack),
            foundation: several(&|line| line.key.foundation.clone()),
        }
    }

    fn line(&self, position: usize, unsaid: &Unsaid) -> Result<ViewRow, DocumentError> {
        let (locale, document) = (self.locale, self.document);
        let line = &document.lines()[position];
        let unit_size = line.meter.unit_size(document.period);
        let price = line.charge.as_ref().map(|charge| charge.price);
        let (shown_price, amount) = match &line.charge {
            Some(charge) => (locale.price(charge.price, document.currency), self.bare(charge.amount)?),
            None => (locale.texts.no_price.to_owned(), String::new()),
        };
        let cells = vec![
            item(&line.key, locale.texts),
            locale.quantity(line.quantity, unit_size, price, document.currency),
            locale.unit(line.meter, line.quantity, unit_size).to_owned(),
            shown_price,
            amount,
        ];
        let mut remark = vec![(locale.texts.line)(&locale.number((position + 1).into()))];
        remark.extend(self.whereabouts(line, unsaid));
        remark.extend(self.terms_of(line));
        let kind = if line.key.estimated { RowKind::Estimated } else { RowKind::Line };
        Ok(ViewRow { kind, cells, remark: Some(remark.join(" · ")) })
    }

    /// Which variant it is, and where and when it was used.
    fn whereabouts(&self, line: &InvoiceLine, unsaid: &Unsaid) -> Vec<String> {
        let (texts, key) = (self.locale.texts, &line.key);
        let mut all = Vec::new();
        all.extend(variant(key).filter(|_| unsaid.buildpack || key.kind == Kind::Service));
        all.extend(unsaid.organization.then(|| (texts.organization_of)(&name(&key.organization))));
        all.extend(unsaid.space.then(|| (texts.space_of)(&name(&key.space))));
        all.extend(unsaid.foundation.then(|| printable(&key.foundation)));
        if line.span != self.document.period {
            all.push(self.locale.short_span(line.span, self.zone));
        }
        all
    }

    /// What else decides its quantity and price.
    fn terms_of(&self, line: &InvoiceLine) -> Vec<String> {
        let (locale, texts, document) = (self.locale, self.locale.texts, self.document);
        let with_unit =
            |quantity, unit_size| locale.quantity_with_unit(line.meter, quantity, unit_size, document.currency);
        let unit_size = line.meter.unit_size(document.period);
        let mut all = Vec::new();
        all.extend(line.key.estimated.then(|| texts.estimated.to_owned()));
        match &line.part {
            Part::Whole => {}
            Part::Allowance(name) => all.push((texts.free)(&printable(name))),
            Part::Tier(tier) => all.push((texts.tier)(*tier)),
            // Its unit size is that of a package.
            Part::Packages(packages) => {
                let size = with_unit(line.unit_size, unit_size);
                all.push((texts.packages)(&locale.number((*packages).into()), &size));
            }
        }
        let list_price = line.charge.as_ref().and_then(|charge: &Charge| charge.list_price);
        all.extend(list_price.map(|price| (texts.list_price)(&locale.price_with_currency(price, document.currency))));
        if line.used != line.quantity {
            all.push((texts.used)(&with_unit(line.used, unit_size)));
        }
        let granularity = line.granularity.as_deref().filter(|kept| *kept != UNROUNDED);
        all.extend(
            granularity.map(|kept| texts.roundings.in_words(kept).map_or_else(|| printable(kept), str::to_owned)),
        );
        all
    }
}
