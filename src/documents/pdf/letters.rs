//! Which characters can be printed, and what stands for those that can't.
//! Owns that a view has only characters that the fonts have; never lets an amount change.

use serde_json::Value;

use super::world::has_glyph;
use crate::documents::view::{View, ViewRow};

/// Stands for a character that the fonts lack, such as an emoji or a Chinese one. PDF/A forbids text without glyphs.
const MISSING: char = '□';

/// The view as `letter.typ` reads it, with printable characters only.
///
/// # Errors
/// The number or an amount has a character that the fonts lack.
pub fn printable(view: &View) -> Result<Value, String> {
    for (place, text) in exact(view) {
        if let Some(letter) = text.chars().find(|&letter| printed(letter) != Some(letter)) {
            return Err(format!(
                "{place} is `{}`, and the fonts of PDFs lack `{}`\nhint: use another character, or export html",
                text.escape_debug(),
                letter.escape_unicode()
            ));
        }
    }
    let mut value = serde_json::to_value(view).map_err(|error| error.to_string())?;
    replace(&mut value);
    Ok(value)
}

/// What must be printed as it is, and where it stands: the number, and what stands in columns of numbers.
fn exact(view: &View) -> impl Iterator<Item = (&'static str, &str)> {
    let tables = std::iter::once(&view.summary).chain(view.annex.iter().map(|section| &section.table));
    let cells = tables.flat_map(|table| {
        let numbers = |row: &'_ ViewRow| row.cells.len() == table.columns.len();
        table.rows.iter().filter(move |row| numbers(row)).flat_map(|row| {
            let cells = row.cells.iter().zip(&table.columns);
            cells.filter(|(_, column)| column.right).map(|(cell, _)| ("a number in a table", cell.as_str()))
        })
    });
    let totals = view.totals.iter().map(|total| ("a total", total.amount.as_str()));
    std::iter::once(("the document's number", view.number.as_str())).chain(totals).chain(cells)
}

fn replace(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.chars().any(|letter| printed(letter) != Some(letter)) {
                *text = text.chars().filter_map(printed).collect();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(replace),
        Value::Object(fields) => fields.values_mut().for_each(replace),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is printed for a character; `None`: nothing.
fn printed(letter: char) -> Option<char> {
    match letter {
        ' ' | '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        _ if is_invisible(letter) => None,
        // Inter draws signs of its own there, which mean nothing to anyone else.
        '\u{e000}'..='\u{f8ff}' => Some(MISSING),
        _ if !letter.is_control() && has_glyph(letter) => Some(letter),
        _ => Some(MISSING),
    }
}

/// Shapes other characters and has no glyph: soft hyphens, joiners, variation selectors, tags. Marks of direction are
/// among them; without, a name can't turn round the amount that stands after it.
const fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_character() {
        let print = |text: &str| text.chars().filter_map(printed).collect::<String>();
        for text in ["ACME Deutschland GmbH", "Ærøskøbing Łódź Ελλάδα Київ", "1 234,56 €", "1\u{202f}234,56\u{a0}₴"]
        {
            assert_eq!(print(text), text);
        }
        for (text, expected) in [
            ("東京 Ltd", "□□ Ltd"),
            ("🚀 launch", "□ launch"),
            ("👩\u{200d}💻", "□□"),
            ("a\tb\nc", "a b c"),
            ("a\u{7}b\0", "a□b□"),
            ("abc\u{202e}00,1", "abc00,1"),
            ("e\u{301}", "e\u{301}"),
            ("\u{e000}", "□"),
        ] {
            assert_eq!(print(text), expected, "{text:?}");
        }
        assert!(has_glyph(MISSING));
    }
}
