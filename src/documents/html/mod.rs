//! A document as one web page that needs nothing else: for the screen, a phone and a printer.
//! Owns its markup and style; never says anything that isn't in the view.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::compose::colour;
use super::view::{Column, RowKind, Section, Total, View, ViewFact, ViewRow, ViewTable};
use super::{Branding, Logo, LogoType};

const STYLE: &str = include_str!("style.css");

/// Nothing may be loaded or run, whatever is in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// Renders a page: everything is in it, nothing runs in it.
#[must_use]
pub fn render(view: &View, look: &Branding) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(view.language) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="date" content=(view.date);
                title { (view.title) " " (view.number) }
                style { (PreEscaped(STYLE)) (PreEscaped(own_style(view))) }
            }
            body {
                @if let Some(watermark) = &view.watermark {
                    div.watermark aria-hidden="true" { (watermark) }
                }
                main {
                    article.sheet.letter {
                        (head(view, look))
                        h1 { (view.title) " " span.number { (view.number) } }
                        @for paragraph in &view.introduction { p { (paragraph) } }
                        @if !view.summary.rows.is_empty() { (table(&view.summary, "summary")) }
                        (totals(&view.totals))
                        @if !view.notes.is_empty() {
                            div.notes { @for note in &view.notes { p { (note) } } }
                        }
                        @if !view.payment.is_empty() { dl.payment { (facts(&view.payment)) } }
                        (foot(&view.footer))
                    }
                    (enclosure(view))
                }
            }
        }
    };
    page.into_string()
}

/// What of the style depends on the document: colour, and the words on printed pages.
fn own_style(view: &View) -> String {
    let (before, rest) = view.page_label.split_once("{page}").unwrap_or((&view.page_label, ""));
    let (between, after) = rest.split_once("{pages}").unwrap_or((rest, ""));
    let pages =
        format!("{} counter(page) {} counter(pages) {}", style_text(before), style_text(between), style_text(after));
    let name = style_text(&format!("{} {}", view.title, view.number));
    let colour = colour(Some(&view.colour));
    format!(
        ":root {{ --accent: {colour}; }}\n@page {{ @bottom-left {{ content: {name}; }} @bottom-right {{ content: {pages}; }} }}\n"
    )
}

/// A text within a style, whatever is in it.
fn style_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        if letter.is_alphanumeric() || " -_.,/".contains(letter) {
            quoted.push(letter);
        } else {
            write!(quoted, "\\{:x} ", u32::from(letter)).expect("writing to a String never fails");
        }
    }
    quoted.push('"');
    quoted
}

fn data_uri(logo: &Logo) -> String {
    let media_type = match logo.media_type {
        LogoType::Png => "image/png",
        LogoType::Jpeg => "image/jpeg",
        LogoType::Svg => "image/svg+xml",
    };
    format!("data:{media_type};base64,{}", STANDARD.encode(&logo.bytes))
}

fn head(view: &View, look: &Branding) -> Markup {
    let seller = view.footer.first().and_then(|column| column.first());
    html! {
        header {
            div.brand {
                @if let Some(logo) = &look.logo {
                    img src=(data_uri(logo)) alt=(seller.map_or("", String::as_str));
                } @else if let Some(seller) = seller {
                    span { (seller) }
                }
            }
            div.letterhead {
                div.address {
                    @if !view.sender.is_empty() { div.sender { (view.sender) } }
                    address { @for line in &view.recipient { div { (line) } } }
                }
                dl.facts { (facts(&view.facts)) }
            }
        }
    }
}

fn foot(columns: &[Vec<String>]) -> Markup {
    html! {
        @if !columns.is_empty() {
            footer {
                @for column in columns {
                    div { @for line in column { div { (line) } } }
                }
            }
        }
    }
}

/// What comes with the letter, on sheets of its own.
fn enclosure(view: &View) -> Markup {
    html! {
        @if view.chart.is_some() || !view.annex.is_empty() {
            div.sheet.enclosure {
                @if let Some(chart) = &view.chart {
                    section.chart {
                        h2 { (chart.title) }
                        div.scroll { (PreEscaped(&chart.svg)) }
                    }
                }
                @if !view.annex.is_empty() {
                    section.annex {
                        h2 { (view.annex_title) }
                        @for one in &view.annex { (section(one)) }
                    }
                }
            }
        }
    }
}

fn facts(facts: &[ViewFact]) -> Markup {
    html! {
        @for fact in facts {
            div { dt { (fact.label) } dd { (fact.value) } }
        }
    }
}

fn totals(totals: &[Total]) -> Markup {
    html! {
        table.totals {
            tbody {
                @for total in totals {
                    tr.strong[total.strong] {
                        th scope="row" { (total.label) }
                        td.right { (total.amount) }
                    }
                }
            }
        }
    }
}

fn section(section: &Section) -> Markup {
    html! {
        section {
            h3 { (section.title) }
            (table(&section.table, "lines"))
        }
    }
}

fn table(table: &ViewTable, class: &str) -> Markup {
    // A group's heading heads its rows alone.
    let mut bodies: Vec<&[ViewRow]> = Vec::new();
    let mut rest = &table.rows[..];
    while !rest.is_empty() {
        let next = rest.iter().skip(1).position(|row| row.kind == RowKind::Group).map_or(rest.len(), |next| next + 1);
        let (body, after) = rest.split_at(next);
        bodies.push(body);
        rest = after;
    }
    html! {
        table class=(class) {
            thead {
                tr {
                    @for column in &table.columns {
                        th.right[column.right] scope="col" { (column.title) }
                    }
                }
            }
            @for body in bodies {
                tbody { @for one in body { (row(one, &table.columns)) } }
            }
        }
    }
}

const fn class_of(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Group => "group",
        RowKind::Line => "line",
        RowKind::Estimated => "line estimated",
        RowKind::Subtotal => "subtotal",
        RowKind::Adjustment => "adjustment",
    }
}

/// A cell: its position, how many columns it takes, and what it says.
struct Cell<'a> {
    column: usize,
    columns: usize,
    text: &'a str,
}

/// Rows of a whole group take the room of empty cells behind their text.
fn cells(row: &ViewRow) -> Vec<Cell<'_>> {
    let spans = matches!(row.kind, RowKind::Group | RowKind::Subtotal | RowKind::Adjustment);
    let mut cells: Vec<Cell<'_>> = Vec::new();
    for (column, text) in row.cells.iter().enumerate() {
        match cells.last_mut() {
            Some(last) if spans && text.is_empty() && !last.text.is_empty() => last.columns += 1,
            _ => cells.push(Cell { column, columns: 1, text }),
        }
    }
    cells
}

fn row(row: &ViewRow, columns: &[Column]) -> Markup {
    let first = row.cells.iter().position(|cell| !cell.is_empty()).unwrap_or_default();
    let scope = if row.kind == RowKind::Group { "rowgroup" } else { "row" };
    let is_right = |cell: &Cell<'_>| cell.columns == 1 && columns.get(cell.column).is_some_and(|column| column.right);
    let span = |cell: &Cell<'_>| (cell.columns > 1).then_some(cell.columns);
    let title =
        |cell: &Cell<'_>| columns.get(cell.column).filter(|_| cell.columns == 1).map(|column| column.title.as_str());
    html! {
        tr class=(class_of(row.kind)) {
            @for cell in cells(row) {
                @if cell.column == first {
                    th scope=(scope) colspan=[span(&cell)] {
                        (cell.text)
                        @if let Some(remark) = &row.remark { div.remark { (remark) } }
                    }
                } @else {
                    td.right[is_right(&cell)] colspan=[span(&cell)] data-title=[title(&cell)] { (cell.text) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::style_text;

    #[test]
    fn no_text_ends_the_style() {
        for (text, quoted) in [
            ("Invoice CF-000001", "\"Invoice CF-000001\""),
            ("a\"b\\c\n", "\"a\\22 b\\5c c\\a \""),
            ("</style>", "\"\\3c /style\\3e \""),
        ] {
            assert_eq!(style_text(text), quoted);
        }
    }
}
