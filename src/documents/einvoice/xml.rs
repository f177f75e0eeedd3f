//! XML, written in order and indented; and text as XML can carry it.
//! Owns escaping and what characters are left out; never knows what an element means.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// XML being written.
pub(super) struct Xml(Writer<Vec<u8>>);

impl Xml {
    /// A document with one root element that declares `namespaces`.
    pub(super) fn document(
        root: &str,
        namespaces: &[(&str, &str)],
        inner: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<Vec<u8>> {
        let mut xml = Self(Writer::new_with_indent(Vec::new(), b' ', 2));
        xml.0.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        xml.element(root, namespaces, inner)?;
        let mut bytes = xml.0.into_inner();
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inner: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.0.write_event(Event::Start(start))?;
        inner(self)?;
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    /// An element with elements in it.
    pub(super) fn group(&mut self, name: &str, inner: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.element(name, &[], inner)
    }

    /// An element with text in it.
    pub(super) fn text(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.text_with(name, &[], value)
    }

    /// An element with attributes, and text in it.
    pub(super) fn text_with(&mut self, name: &str, attributes: &[(&str, &str)], value: &str) -> io::Result<()> {
        self.element(name, attributes, |xml| xml.0.write_event(Event::Text(BytesText::new(value))))
    }

    /// An element with text in it, if there is a text.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.text(name, value))
    }
}

/// One line of text; `None` if nothing of it can be seen. Control characters, which XML can't carry, are spaces.
pub(super) fn line(text: &str) -> Option<String> {
    let plain = |letter: char| if letter.is_control() || is_no_character(letter) { ' ' } else { letter };
    let text: String = text.chars().map(plain).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The same of text with several lines.
pub(super) fn lines(text: &str) -> Option<String> {
    let lines: Vec<String> = text.lines().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// XML 1.0 excludes these two beside control characters.
const fn is_no_character(letter: char) -> bool {
    matches!(letter, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::{Xml, line, lines};

    #[test]
    fn what_xml_cannot_carry_is_left_out() {
        for (text, kept) in [
            ("ACME & <Sons>", Some("ACME & <Sons>")),
            ("  ACME \t GmbH\r\n", Some("ACME GmbH")),
            ("AC\u{0}ME", Some("AC ME")),
            ("A\u{1f}B\u{7f}C\u{9f}D", Some("A B C D")),
            ("A\u{fffd}B\u{fffe}C\u{ffff}D\u{10fffd}", Some("A\u{fffd}B C D\u{10fffd}")),
            (" \u{0} \n", None),
            ("", None),
        ] {
            assert_eq!(line(text).as_deref(), kept, "{text:?}");
        }
        assert_eq!(lines("one\r\n\n  two\u{b} ").as_deref(), Some("one\ntwo"));
        assert_eq!(lines("\n \n"), None);
    }

    #[test]
    fn text_and_attributes_are_escaped() {
        let made = Xml::document("a:x", &[("xmlns:a", "urn:a")], |xml| {
            xml.text_with("y", &[("z", "\"<&")], "<&>")?;
            xml.optional("no", None)
        });
        let wanted = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a:x xmlns:a=\"urn:a\">\n  \
                      <y z=\"&quot;&lt;&amp;\">&lt;&amp;&gt;</y>\n</a:x>\n";
        assert_eq!(String::from_utf8(made.unwrap()).unwrap(), wanted);
    }
}
