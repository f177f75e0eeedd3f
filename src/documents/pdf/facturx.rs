//! Says in a PDF's metadata that it is a Factur-X invoice, which typst can't.
//! Owns that one change; never touches a page or the attached file, and never writes a file that it can't read back.
//!
//! The metadata stands uncompressed in one object and the objects are listed in one table of fixed-width rows, as
//! PDF/A demands and krilla writes. The object is replaced in its place and the rows after it are moved, so that the
//! file has one revision and one packet of metadata. Anything unexpected is an error.

use std::ops::Range;

/// What the e-invoice is called in the PDF; Factur-X knows no other name.
pub const FILE_NAME: &str = "factur-x.xml";

/// The PDF isn't as krilla writes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the PDF can't be marked as Factur-X: {0}")]
pub struct Unexpected(String);

fn unexpected<T>(what: impl Into<String>) -> Result<T, Unexpected> {
    Err(Unexpected(what.into()))
}

/// The same PDF with the four Factur-X properties, and their description, in its metadata.
///
/// # Errors
/// The PDF's objects or metadata aren't where they should be.
pub fn declare(pdf: &[u8]) -> Result<Vec<u8>, Unexpected> {
    let table = Table::read(pdf)?;
    let catalog = table.object(pdf, reference(&pdf[table.trailer.clone()], "/Root ")?)?;
    let stream = Stream::read(pdf, table.object(pdf, reference(&pdf[catalog], "/Metadata ")?)?)?;
    let metadata = with_properties(&pdf[stream.data.clone()])?;

    let length = metadata.len().to_string();
    let mut changed = Vec::with_capacity(pdf.len() + metadata.len());
    changed.extend_from_slice(&pdf[..stream.length.start]);
    changed.extend_from_slice(length.as_bytes());
    changed.extend_from_slice(&pdf[stream.length.end..stream.data.start]);
    changed.extend_from_slice(metadata.as_bytes());
    let moved = changed.len() - stream.data.end;
    changed.extend_from_slice(&pdf[stream.data.end..table.rows.start]);
    for row in pdf[table.rows.clone()].chunks_exact(ROW) {
        match offset_in(row)? {
            Some(offset) if offset >= stream.data.end => {
                changed.extend_from_slice(format!("{:010}", offset + moved).as_bytes());
                changed.extend_from_slice(&row[10..]);
            }
            _ => changed.extend_from_slice(row),
        }
    }
    changed.extend_from_slice(&pdf[table.trailer]);
    changed.extend_from_slice(format!("startxref\n{}\n%%EOF", table.start + moved).as_bytes());

    let readable = Table::read(&changed)?;
    for (number, row) in changed[readable.rows.clone()].chunks_exact(ROW).enumerate() {
        if offset_in(row)?.is_some() {
            readable.object(&changed, number)?;
        }
    }
    Ok(changed)
}

/// `nnnnnnnnnn ggggg n` and two bytes of line end.
const ROW: usize = 20;

/// Where objects are.
struct Table {
    /// Of `xref`.
    start: usize,
    rows: Range<usize>,
    /// From the table's end to `startxref`.
    trailer: Range<usize>,
}

impl Table {
    fn read(pdf: &[u8]) -> Result<Self, Unexpected> {
        let Some(pointer) = rfind(pdf, b"startxref\n") else { return unexpected("it doesn't say where its table is") };
        let end = &pdf[pointer + "startxref\n".len()..];
        let (start, rest) = number(end)?;
        if rest.trim_ascii() != b"%%EOF" {
            return unexpected("it goes on after its end");
        }
        let Some(head) = pdf.get(start..pointer).and_then(|table| table.strip_prefix(b"xref\n0 ")) else {
            return unexpected("it has no plain table of objects");
        };
        let (count, rest) = number(head)?;
        let Some(rest) = rest.strip_prefix(b"\n") else { return unexpected("its table begins oddly") };
        let first = pointer - rest.len();
        let last = count.checked_mul(ROW).and_then(|length| first.checked_add(length));
        match last {
            Some(last) if pdf.get(last..pointer).is_some_and(|rest| rest.starts_with(b"trailer")) => {
                let trailer = last..pointer;
                if find(&pdf[trailer.clone()], b"/Prev").is_some() {
                    return unexpected("it has been changed before");
                }
                Ok(Self { start, rows: first..last, trailer })
            }
            _ => unexpected("its table has another length than it says"),
        }
    }

    /// Where an object is, from its number to `endobj`.
    fn object(&self, pdf: &[u8], number: usize) -> Result<Range<usize>, Unexpected> {
        let row = number.checked_mul(ROW).and_then(|at| pdf[self.rows.clone()].get(at..at + ROW));
        let Some(start) = row.map(offset_in).transpose()?.flatten() else {
            return unexpected(format!("object {number} isn't in its table"));
        };
        let body = pdf.get(start..self.start).unwrap_or_default();
        match find(body, b"endobj") {
            Some(length) if body.starts_with(format!("{number} 0 obj\n").as_bytes()) => Ok(start..start + length),
            _ => unexpected(format!("object {number} isn't where its table says")),
        }
    }
}

/// Of an object in use.
fn offset_in(row: &[u8]) -> Result<Option<usize>, Unexpected> {
    let (offset, rest) = number(row)?;
    match rest {
        [b' ', generation @ .., b' ', b'n', _, _] if generation == b"00000" => Ok(Some(offset)),
        [b' ', .., b' ', b'f', _, _] => Ok(None),
        _ => unexpected("a row of its table is odd"),
    }
}

/// An object that holds uncompressed bytes.
struct Stream {
    /// The digits of its length.
    length: Range<usize>,
    data: Range<usize>,
}

impl Stream {
    fn read(pdf: &[u8], object: Range<usize>) -> Result<Self, Unexpected> {
        let body = &pdf[object.clone()];
        let Some(head_end) = find(body, b"stream\n") else { return unexpected("its metadata are no stream") };
        let head = &body[..head_end];
        let (Some(key), None) = (find(head, b"/Length "), find(head, b"/Filter")) else {
            return unexpected("its metadata are compressed");
        };
        let digits = key + "/Length ".len();
        let (length, rest) = number(&head[digits..])?;
        if rest.trim_ascii_start().first().is_some_and(u8::is_ascii_digit) {
            return unexpected("the length of its metadata stands elsewhere");
        }
        let start = object.start + head_end + "stream\n".len();
        let data = start..start.saturating_add(length);
        match pdf.get(data.end..object.end) {
            Some(end) if end.trim_ascii() == b"endstream" => {
                let digits_end = object.start + head_end - rest.len();
                Ok(Self { length: object.start + digits..digits_end, data })
            }
            _ => unexpected("its metadata have another length than they say"),
        }
    }
}

/// What Factur-X asks for: each property, its value and what it means.
const PROPERTIES: [(&str, &str, &str); 4] = [
    ("DocumentFileName", FILE_NAME, "name of the embedded XML invoice file"),
    ("DocumentType", "INVOICE", "INVOICE"),
    ("Version", "1.0", "version of the Factur-X XML schema"),
    ("ConformanceLevel", "EN 16931", "conformance level of the embedded Factur-X data"),
];
const NAMESPACE: &str = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#";

fn with_properties(metadata: &[u8]) -> Result<String, Unexpected> {
    let Ok(text) = std::str::from_utf8(metadata) else { return unexpected("its metadata are no UTF-8") };
    // PDF/A knows few properties by itself; others are described, and krilla describes some already.
    let (Some((head, rest)), Some(_)) =
        (once(text, "<pdfaExtension:schemas><rdf:Bag>"), once(text, "</pdfaExtension:schemas>"))
    else {
        return unexpected("its metadata have no list of descriptions");
    };
    if text.contains(NAMESPACE) {
        return unexpected("its metadata have the properties already");
    }
    let Some((middle, tail)) = once(rest, "</rdf:RDF>") else { return unexpected("its metadata don't end") };
    let values = PROPERTIES.map(|(name, value, _)| format!("<fx:{name}>{value}</fx:{name}>")).concat();
    let described = PROPERTIES.map(|(name, _, meaning)| {
        format!(
            "<rdf:li rdf:parseType=\"Resource\"><pdfaProperty:name>{name}</pdfaProperty:name>\
             <pdfaProperty:valueType>Text</pdfaProperty:valueType>\
             <pdfaProperty:category>external</pdfaProperty:category>\
             <pdfaProperty:description>{meaning}</pdfaProperty:description></rdf:li>"
        )
    });
    Ok(format!(
        "{head}<pdfaExtension:schemas><rdf:Bag>\
         <rdf:li rdf:parseType=\"Resource\" xmlns:pdfaSchema=\"http://www.aiim.org/pdfa/ns/schema#\" \
         xmlns:pdfaProperty=\"http://www.aiim.org/pdfa/ns/property#\">\
         <pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>\
         <pdfaSchema:namespaceURI>{NAMESPACE}</pdfaSchema:namespaceURI>\
         <pdfaSchema:prefix>fx</pdfaSchema:prefix>\
         <pdfaSchema:property><rdf:Seq>{}</rdf:Seq></pdfaSchema:property></rdf:li>\
         {middle}<rdf:Description rdf:about=\"\" xmlns:fx=\"{NAMESPACE}\">{values}</rdf:Description></rdf:RDF>{tail}",
        described.concat()
    ))
}

/// Splits at something that must be there once.
fn once<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(mark).filter(|(_, rest)| !rest.contains(mark))
}

/// The object that a dictionary's key, which must be there once, points to.
fn reference(dictionary: &[u8], key: &str) -> Result<usize, Unexpected> {
    let at = find(dictionary, key.as_bytes());
    let rest = at.map(|at| &dictionary[at + key.len()..]).filter(|rest| find(rest, key.as_bytes()).is_none());
    let Some(rest) = rest else { return unexpected(format!("it has no single `{}`", key.trim())) };
    match number(rest)? {
        (object, rest) if rest.starts_with(b" 0 R") => Ok(object),
        _ => unexpected(format!("its `{}` is no reference", key.trim())),
    }
}

/// The number that bytes begin with, and what follows it.
fn number(bytes: &[u8]) -> Result<(usize, &[u8]), Unexpected> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&bytes[..digits]).ok().and_then(|digits| digits.parse().ok());
    value.map(|value| (value, &bytes[digits..])).ok_or_else(|| Unexpected("a number is missing".to_owned()))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

fn rfind(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).rposition(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = "<?xpacket begin=''?><rdf:RDF><rdf:Description><pdfaExtension:schemas><rdf:Bag>\
        <rdf:li/></rdf:Bag></pdfaExtension:schemas></rdf:Description></rdf:RDF><?xpacket end='r'?>";

    /// A PDF as krilla orders one: pages, then metadata, then the catalog.
    fn pdf(metadata: &str) -> String {
        let objects = [
            "1 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n\n".to_owned(),
            format!(
                "2 0 obj\n<<\n  /Length {}\n  /Type /Metadata\n  /Subtype /XML\n>>\nstream\n{metadata}\nendstream\n\
                 endobj\n\n",
                metadata.len()
            ),
            "3 0 obj\n<< /Type /Catalog /Pages 1 0 R /Metadata 2 0 R >>\nendobj\n\n".to_owned(),
        ];
        let (mut file, mut rows) = ("%PDF-1.7\n\n".to_owned(), "0000000000 65535 f\r\n".to_owned());
        for object in objects {
            rows = format!("{rows}{:010} 00000 n\r\n", file.len());
            file += &object;
        }
        let start = file.len();
        file + "xref\n0 4\n" + &rows + &format!("trailer\n<< /Size 4 /Root 3 0 R >>\nstartxref\n{start}\n%%EOF")
    }

    #[test]
    fn metadata_grow_and_the_table_follows() {
        let text = String::from_utf8(declare(pdf(METADATA).as_bytes()).unwrap()).unwrap();
        let start = text.find("<?xpacket begin").unwrap();
        let length = text.find("\nendstream").unwrap() - start;
        assert_eq!(text, pdf(&text[start..start + length]));
        assert_eq!(text.matches("<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>").count(), 1);
    }

    #[test]
    fn any_other_layout_is_refused() {
        let whole = pdf(METADATA);
        for (from, to) in [
            ("startxref\n", "startxref\n1"),
            ("xref\n0 4", "xref\n0 5"),
            ("xref\n0 4", "xref\n1 4"),
            ("/Size 4", "/Size 4 /Prev 9"),
            ("/Root 3", "/Root 1"),
            ("/Root 3", "/Root 9"),
            ("/Root 3 0 R", "/Boot 3 0 R"),
            ("/Metadata 2", "/Metadata 1"),
            ("/Metadata 2 0 R", "/Metadata 2 0 R /Metadata 2 0 R"),
            ("/Type /Metadata", "/Filter /FlateDecode"),
            ("/Length ", "/Length 1"),
            ("3 0 obj", "4 0 obj"),
            ("%%EOF", "%%EOF\n1 0 obj"),
            ("00000 n", "00001 n"),
            ("<pdfaExtension:schemas>", "<pdfaExtension:others>"),
            ("</rdf:RDF>", "</rdf:RDF></rdf:RDF>"),
            ("</rdf:RDF>", ""),
        ] {
            let changed = whole.replace(from, to);
            assert_ne!(changed, whole, "{from}");
            assert!(declare(changed.as_bytes()).is_err(), "{from:?} -> {to:?}");
        }
        assert!(declare(&declare(whole.as_bytes()).unwrap()).is_err());
        for end in 0..whole.len() {
            assert!(declare(&whole.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
