//! What things are called on a document: names where they are known, guids where they aren't.
//! Owns what of a foreign text may be printed; never shortens a name.

use super::language::Texts;
use crate::domain::Kind;
use crate::rating::{LineKey, Named};

/// Text from outside, in one line and as it will be read: without control characters, nor those that turn the
/// direction of what follows.
pub(super) fn printable(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    // XML and PDF know no way to write these.
    let is_none = |letter: char| matches!(letter, '\u{fffe}' | '\u{ffff}');
    let kept = text.chars().filter(|letter| !turns(*letter) && !is_none(*letter));
    let plain: String = kept.map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    plain.trim().to_owned()
}

/// The name, or the guid if there is none.
pub(super) fn name(named: &Named) -> String {
    let known = named.name.as_deref().map(printable).filter(|name| !name.is_empty());
    known.unwrap_or_else(|| printable(&named.guid.to_string()))
}

/// A service's offering and plan: `postgres small`; `None` if neither is known.
pub(super) fn plan(key: &LineKey) -> Option<String> {
    let parts = key.service_offering.iter().chain(&key.service_plan).map(name).collect::<Vec<_>>();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// What a line is for, without its buildpack or plan: `shop`, `shop, staging`, `orders-db`.
pub(super) fn item(key: &LineKey, texts: &Texts) -> String {
    if let Some(instance) = &key.service_instance {
        return name(instance);
    }
    let app = key.app.as_ref().map_or_else(|| texts.kinds.of(key.kind).to_owned(), name);
    match key.kind {
        Kind::Process | Kind::Service => app,
        Kind::Staging => (texts.staging_of)(&app),
        Kind::Task => (texts.task_of)(&app),
    }
}

/// Buildpack, or offering and plan.
pub(super) fn variant(key: &LineKey) -> Option<String> {
    plan(key).or_else(|| key.buildpack.as_deref().map(printable))
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_that_misleads_is_printed() {
        for (text, printed) in [
            ("shop", "shop"),
            (" <b>&amp; ", "<b>&amp;"),
            ("one\ntwo\tthree", "one two three"),
            ("invoice\u{202e}001", "invoice001"),
            ("\u{0}\u{ffff}x\u{85}", "x"),
            ("Zoë ☂ 店", "Zoë ☂ 店"),
        ] {
            assert_eq!(printable(text), printed);
        }
    }
}
