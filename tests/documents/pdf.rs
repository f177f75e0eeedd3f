//! PDFs as other people's tools read them: qpdf, poppler, pypdf and factur-x.
//!
//! What isn't proven here: no validator of PDF/A is to be had as a package, so conformance rests on typst's own checks
//! when it writes, and on the parts of the norm that `READ` looks at: metadata, fonts, colours, attachment.

use std::path::PathBuf;

use cf_billing::documents::pdf::render;
use cf_billing::documents::view::View;
use cf_billing::documents::{Branding, DocumentError, Logo, LogoType};
use serde_json::Value;

use super::views;
use crate::support::tool::{python, tool};

/// A Cross Industry Invoice as far as who reads the attachment looks at it.
const CII: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100" xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
  <rsm:ExchangedDocumentContext>
    <ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>urn:cen.eu:en16931:2017</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter>
  </rsm:ExchangedDocumentContext>
  <rsm:ExchangedDocument>
    <ram:ID>CF-000042</ram:ID><ram:TypeCode>380</ram:TypeCode><!-- /Type /Metadata endobj startxref -->
    <ram:IssueDateTime><udt:DateTimeString format="102">20261103</udt:DateTimeString></ram:IssueDateTime>
  </rsm:ExchangedDocument>
</rsm:CrossIndustryInvoice>
"#;

/// Reads a PDF with pypdf, the attachment with factur-x, and prints what it found.
const READ: &str = r#"
import base64, json, sys
import facturx, pypdf
from lxml import etree

path = sys.argv[1]
reader = pypdf.PdfReader(path, strict=True)
root = reader.root_object
xmp = etree.fromstring(root["/Metadata"].get_data())
properties = {}
for description in xmp.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"):
    for name, value in description.attrib.items():
        properties[name] = value
    for child in description:
        if len(child) == 0:
            properties[child.tag] = child.text
described = [node.text for node in xmp.iter("{http://www.aiim.org/pdfa/ns/schema#}namespaceURI")]
fonts = {}
for number in range(1, reader.trailer["/Size"]):
    thing = reader.get_object(number)
    if isinstance(thing, dict) and thing.get("/Type") == "/FontDescriptor":
        fonts[thing["/FontName"]] = any(key in thing for key in ("/FontFile", "/FontFile2", "/FontFile3"))
files = []
for reference in root.get("/AF", []):
    file = reference.get_object()
    stream = file["/EF"]["/F"].get_object()
    files.append([file["/F"], file.get("/UF"), file["/AFRelationship"], file.get("/Desc"), stream["/Subtype"]])
xml = facturx.get_xml_from_pdf(open(path, "rb").read(), check_xsd=False, check_schematron=False) if files else None
print(json.dumps({
    "pages": len(reader.pages),
    "size": [float(side) for side in reader.pages[0].mediabox[2:]],
    "text": [page.extract_text() for page in reader.pages],
    "properties": properties,
    "described": described,
    "fonts": fonts,
    "intents": [intent["/S"] for intent in root.get("/OutputIntents", [])],
    "profile": len(root["/OutputIntents"][0]["/DestOutputProfile"].get_data()),
    "language": root.get("/Lang"),
    "marked": bool(root.get("/MarkInfo", {}).get("/Marked")),
    "tagged": "/StructTreeRoot" in root,
    "encrypted": reader.is_encrypted,
    "id": "/ID" in reader.trailer,
    "packets": open(path, "rb").read().count(b"<?xpacket begin"),
    "information": {key: str(value) for key, value in reader.metadata.items()},
    "files": files,
    "outline": [item.title for item in reader.outline if not isinstance(item, list)],
    "xml": xml and [xml[0], base64.b64encode(xml[1]).decode(), facturx.get_level(etree.fromstring(xml[1]))],
}))
"#;

struct Read {
    folder: tempfile::TempDir,
    found: Value,
}

impl Read {
    fn path(&self) -> PathBuf {
        self.folder.path().join("document.pdf")
    }

    fn text(&self) -> String {
        let pages = self.found["text"].as_array().unwrap();
        pages.iter().map(|page| page.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// Extracted text without white space: readers of PDFs guess it.
    fn dense(&self) -> String {
        self.text().split_whitespace().collect()
    }

    fn property(&self, namespace: &str, name: &str) -> &str {
        self.found["properties"][format!("{{{namespace}}}{name}")].as_str().unwrap_or_default()
    }

    /// Of each page, how many in a thousand dots aren't white.
    fn ink(&self) -> Vec<usize> {
        let root = self.folder.path().join("page");
        let (made, said) =
            tool("pdftoppm", &["-r", "30", "-gray", self.path().to_str().unwrap(), root.to_str().unwrap()], "");
        assert!(made, "{said}");
        assert_eq!(said, "");
        let mut pages: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "pgm"))
            .collect();
        pages.sort();
        let dark = |path: &PathBuf| {
            let picture = std::fs::read(path).unwrap();
            picture.iter().filter(|&&dot| dot < 250).count() * 1000 / picture.len()
        };
        pages.iter().map(dark).collect()
    }
}

/// No text over another, none over the margins; but for `mark`, which lies below all.
fn assert_apart(path: &str, mark: Option<&str>) {
    let (made, said) = tool("pdftotext", &["-bbox", path, "-"], "");
    assert!(made, "{said}");
    for page in said.split("<page ").skip(1) {
        let mut words: Vec<([i64; 4], &str)> = Vec::new();
        for word in page.split("<word ").skip(1) {
            let (head, text) = word.split_once('>').unwrap();
            let text = text.split('<').next().unwrap();
            if mark.is_some_and(|mark| mark.contains(text)) {
                continue;
            }
            // In hundredths of a point.
            let sides: Vec<i64> = head
                .split('"')
                .skip(1)
                .step_by(2)
                .map(|side| side.replace('.', "").parse::<i64>().unwrap() / 10_000)
                .collect();
            let [left, top, right, bottom] = sides[..] else { panic!("{head}") };
            assert!(left > 7000 && right < 53_950 && top > 2800 && bottom < 82_000, "`{text}` is outside: {head}");
            for (other, said) in &words {
                let across = right.min(other[2]) - left.max(other[0]);
                let down = bottom.min(other[3]) - top.max(other[1]);
                assert!(across < 150 || down < 300, "`{text}` lies on `{said}`: {head}");
            }
            words.push(([left, top, right, bottom], text));
        }
        assert!(words.len() > 3);
    }
}

/// Renders it, has qpdf check it, and reads it back; what any of our PDFs must be is asserted.
fn read(view: &View, look: &Branding, e_invoice: Option<&str>) -> Read {
    let pdf = render(view, look, e_invoice.map(str::as_bytes)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("document.pdf");
    std::fs::write(&path, &pdf).unwrap();
    // A folder to keep them in, to be looked at.
    if let Ok(kept) = std::env::var("KEEP_PDF") {
        let name = std::thread::current().name().unwrap_or("pdf").rsplit("::").next().unwrap().to_owned();
        std::fs::write(PathBuf::from(kept).join(name + ".pdf"), &pdf).unwrap();
    }

    let (clean, said) = tool("qpdf", &["--check", path.to_str().unwrap()], "");
    assert!(clean, "{said}");
    assert!(said.contains("No syntax or stream encoding errors found"), "{said}");

    assert_apart(path.to_str().unwrap(), view.watermark.as_deref());

    let (ran, said) = tool(python(), &["-c", READ, path.to_str().unwrap()], "");
    assert!(ran, "{said}");
    let json = said.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{said}"));
    let read = Read { folder, found: serde_json::from_str(json).unwrap() };

    let pdfa = "http://www.aiim.org/pdfa/ns/id/";
    assert_eq!((read.property(pdfa, "part"), read.property(pdfa, "conformance")), ("3", "B"));
    let found = &read.found;
    assert_eq!(found["intents"], serde_json::json!(["/GTS_PDFA1"]));
    assert!(found["profile"].as_u64().unwrap() > 100);
    assert_eq!(found["language"], view.language);
    assert_eq!([&found["marked"], &found["tagged"], &found["id"]], [true, true, true]);
    assert_eq!(found["encrypted"], false);
    assert_eq!(found["packets"], 1);
    assert_eq!(found["information"]["/Title"], format!("{} {}", view.title, view.number));
    let fonts = found["fonts"].as_object().unwrap();
    assert!(!fonts.is_empty());
    for (font, embedded) in fonts {
        assert!(font.contains("+Inter"), "{font} is none of ours");
        assert_eq!(embedded, true, "{font}");
    }
    for (page, text) in found["text"].as_array().unwrap().iter().enumerate() {
        let label = view.page_label.replace("{page}", &(page + 1).to_string());
        let label = label.replace("{pages}", &found["pages"].to_string());
        assert!(text.as_str().unwrap().contains(&label), "page {} lacks `{label}`", page + 1);
    }
    read
}

/// Everything that the view says, but for the chart.
fn said(view: &View) -> Vec<String> {
    let mut all = vec![view.title.clone(), view.number.clone(), view.sender.clone(), view.annex_title.clone()];
    all.extend(view.recipient.iter().chain(&view.introduction).chain(&view.notes).cloned());
    all.extend(view.facts.iter().chain(&view.payment).flat_map(|fact| [fact.label.clone(), fact.value.clone()]));
    all.extend(view.totals.iter().flat_map(|total| [total.label.clone(), total.amount.clone()]));
    all.extend(view.footer.iter().flatten().cloned());
    for table in std::iter::once(&view.summary).chain(view.annex.iter().map(|section| &section.table)) {
        all.extend(table.columns.iter().map(|column| column.title.clone()));
        for row in &table.rows {
            all.extend(row.cells.iter().cloned().chain(row.remark.clone()));
        }
    }
    all.extend(view.annex.iter().map(|section| section.title.clone()));
    if view.annex.is_empty() {
        all.retain(|text| text != &view.annex_title);
    }
    all
}

fn assert_says_all(read: &Read, view: &View) {
    let dense = read.dense();
    for text in said(view) {
        let wanted: String = text.split_whitespace().collect();
        assert!(dense.contains(&wanted), "`{text}` isn't in\n{}", read.text());
    }
}

fn assert_printed(read: &Read, pages: usize) {
    let ink = read.ink();
    assert_eq!(ink.len(), pages);
    assert!(ink.iter().all(|ink| (8..400).contains(ink)), "{ink:?}");
}

#[test]
fn a_german_invoice_says_all_on_two_pages() {
    let view = views::german();
    let read = read(&view, &Branding::default(), None);
    assert_says_all(&read, &view);
    assert_eq!(read.found["pages"], 2);
    assert_printed(&read, 2);
    assert_eq!(read.found["size"], serde_json::json!([595.2756, 841.8898]));
    assert_eq!(read.found["information"]["/Author"], "Beispiel Plattform GmbH");
    assert!(read.found["information"]["/CreationDate"].as_str().unwrap().starts_with("D:20261103"));
    assert_eq!(read.found["files"], serde_json::json!([]));
    assert_eq!(read.found["outline"][0], "Rechnung CF-000042");
    // The chart's labels are text, too.
    assert!(read.text().contains("java_buildpack"));
}

#[test]
fn three_hundred_rows_run_over_pages_with_headings_on_each() {
    let view = views::many_rows(300);
    let read = read(&view, &Branding::default(), None);
    assert_says_all(&read, &view);
    let pages = read.found["text"].as_array().unwrap();
    assert!((8..30).contains(&pages.len()), "{}", pages.len());
    assert_printed(&read, pages.len());
    for page in &pages[1..] {
        assert!(page.as_str().unwrap().contains("Buildpack"), "a page without headings:\n{page}");
    }
}

#[test]
fn a_draft_is_marked_on_each_page() {
    let view = views::draft();
    let read = read(&view, &Branding::default(), None);
    assert_says_all(&read, &view);
    for page in read.found["text"].as_array().unwrap() {
        assert!(page.as_str().unwrap().contains("PROJET"), "{page}");
    }
}

#[test]
fn a_credit_note_is_one_page() {
    let view = views::credit_note();
    let read = read(&view, &Branding::default(), None);
    assert_says_all(&read, &view);
    assert_eq!(read.found["pages"], 1);
    assert_printed(&read, 1);
}

#[test]
fn long_names_break_and_are_read_back_whole() {
    let view = views::long_names();
    let read = read(&view, &Branding::default(), None);
    assert_says_all(&read, &view);
}

#[test]
fn an_e_invoice_is_attached_and_declared() {
    let view = views::german();
    let read = read(&view, &Branding::default(), Some(CII));
    assert_says_all(&read, &view);
    let fx = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#";
    for (name, value) in [
        ("DocumentType", "INVOICE"),
        ("DocumentFileName", "factur-x.xml"),
        ("Version", "1.0"),
        ("ConformanceLevel", "EN 16931"),
    ] {
        assert_eq!(read.property(fx, name), value);
    }
    assert!(read.found["described"].as_array().unwrap().iter().any(|namespace| namespace == fx));
    assert_eq!(
        read.found["files"],
        serde_json::json!([[
            "factur-x.xml",
            "factur-x.xml",
            "/Alternative",
            "Invoice data, Factur-X (Cross Industry Invoice, EN 16931)",
            "/text/xml"
        ]])
    );
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, CII);
    assert_eq!(read.found["xml"], serde_json::json!(["factur-x.xml", encoded, "en16931"]));
    // Readers that rebuild the file find nothing to mend.
    let rebuilt = read.folder.path().join("rebuilt.pdf");
    let (clean, said) = tool("qpdf", &[read.path().to_str().unwrap(), rebuilt.to_str().unwrap()], "");
    assert!(clean && said.is_empty(), "{said}");
}

#[test]
fn same_values_same_bytes() {
    for (view, e_invoice) in [(views::german(), Some(CII.as_bytes())), (views::draft(), None)] {
        let look = Branding { colour: None, logo: Some(png()) };
        let first = render(&view, &look, e_invoice).unwrap();
        render(&views::credit_note(), &Branding::default(), None).unwrap();
        assert!(first == render(&view, &look, e_invoice).unwrap());
    }
    let mut other = views::credit_note();
    let first = render(&other, &Branding::default(), None).unwrap();
    other.date = "2026-11-04".to_owned();
    assert!(first != render(&other, &Branding::default(), None).unwrap());
}

#[test]
fn documents_made_at_once_dont_mix() {
    let alone = render(&views::credit_note(), &Branding::default(), None).unwrap();
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            for _ in 0..3 {
                render(&views::draft(), &Branding::default(), Some(CII.as_bytes())).unwrap();
            }
        });
        for _ in 0..3 {
            assert!(alone == render(&views::credit_note(), &Branding::default(), None).unwrap());
        }
        others.join().unwrap();
    });
}

#[test]
fn what_fonts_lack_is_shown_as_lacking() {
    let mut view = views::credit_note();
    view.recipient =
        vec!["株式会社サンプル".to_owned(), "🚀 Launch\u{202e}".to_owned(), "Ελλάδα, Київ, Łódź".to_owned()];
    view.title = "Rechnung 🧾".to_owned();
    view.number.clone_from(&views::german().number);
    let pdf = render(&view, &Branding::default(), Some(CII.as_bytes())).unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
    view.title = "Rechnung □".to_owned();
    let read = read(&view, &Branding::default(), None);
    for text in ["□□□□□□□□", "□ Launch", "Ελλάδα, Київ, Łódź"] {
        assert!(read.text().contains(text), "{text}\n{}", read.text());
    }
}

#[test]
fn a_chart_with_odd_letters_is_printed() {
    let mut view = views::german();
    let chart = view.chart.as_mut().unwrap();
    chart.svg = chart.svg.replace("go_buildpack", "🐹 東京");
    assert!(read(&view, &Branding::default(), None).text().contains("□ □□"));
}

fn failure(view: &View, look: &Branding) -> String {
    match render(view, look, None) {
        Err(error @ DocumentError::Failed(_)) => error.to_string(),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("was made"),
    }
}

#[test]
fn an_amount_is_printed_exactly_or_not_at_all() {
    let mut view = views::credit_note();
    view.totals[1].amount = "١٢٣ EUR".to_owned();
    insta::assert_snapshot!(failure(&view, &Branding::default()), @r"
    can't make the document: a total is `١٢٣ EUR`, and the fonts of PDFs lack `\u{661}`
    hint: use another character, or export html
    ");
    let mut view = views::credit_note();
    view.summary.rows[0].cells[2] = "12\u{200b}3".to_owned();
    assert!(failure(&view, &Branding::default()).contains("a number in a table"));
    let mut view = views::credit_note();
    view.number = "CF-一".to_owned();
    assert!(failure(&view, &Branding::default()).contains("number"));
}

/// Two by one dots, red and clear.
fn png() -> Logo {
    let encoded = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAYAAAD0In+KAAAAD0lEQVR4nGP4z8AARAwMAAz8Af9c/RSVAAAAAElFTkSuQmCC";
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
    Logo { bytes, media_type: LogoType::Png }
}

fn svg(text: &str) -> Logo {
    Logo { bytes: text.as_bytes().to_vec(), media_type: LogoType::Svg }
}

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 260 60"><rect width="60" height="60" rx="12" fill="#1f5f8b"/><path d="M15 42 L30 16 L45 42 Z" fill="#fff"/><text x="74" y="40" font-family="Helvetica" font-size="28" font-weight="600" fill="#1f5f8b">Beispiel</text></svg>"##;

#[test]
fn a_logo_stands_at_the_top() {
    let flat = svg(&LOGO.replace("0 0 260 60", "0 0 2600 6"));
    for (logo, seen) in [(png(), ""), (flat, ""), (svg(LOGO), "Beispiel")] {
        let view = views::german();
        let read = read(&view, &Branding { colour: None, logo: Some(logo) }, Some(CII));
        assert!(read.text().contains(seen));
        assert_printed(&read, 2);
    }
}

#[test]
fn a_logo_that_is_no_picture_is_named() {
    let bytes =
        |bytes: &[u8], media_type| Branding { colour: None, logo: Some(Logo { bytes: bytes.to_vec(), media_type }) };
    let view = views::credit_note();
    let cases = [
        bytes(b"", LogoType::Png),
        bytes(b"GIF89a", LogoType::Png),
        bytes(&png().bytes[..40], LogoType::Png),
        bytes(&png().bytes, LogoType::Jpeg),
        bytes(b"<svg", LogoType::Svg),
        Branding { colour: None, logo: Some(svg(&LOGO.replace("<path", "<image href=\"/etc/passwd\"/><path"))) },
        Branding {
            colour: None,
            logo: Some(svg(&LOGO.replace("<path", "<image href=\"https://a.example/b.png\"/><path"))),
        },
    ];
    for look in &cases {
        let problem = failure(&view, look);
        assert!(problem.contains("the logo can't be printed: ") && problem.contains("\nhint: "), "{problem}");
    }
    insta::assert_snapshot!(failure(&view, &cases[1]), @r"
    can't make the document: the logo can't be printed: failed to decode image (Format error decoding Png: Invalid PNG signature.)
    hint: give a PNG or JPEG picture of 8 bits a channel in RGB or grey, or an SVG that links to nothing
    ");
}

#[test]
fn defects_of_a_view_are_errors() {
    for (colour, date) in [("blue", "2026-11-03"), ("#1f5f8b", "2026-02-30"), ("#1f5f8b", "soon")] {
        let view = View { colour: colour.to_owned(), date: date.to_owned(), ..views::credit_note() };
        assert!(failure(&view, &Branding::default()).starts_with("can't make the document: "));
    }
}

#[test]
fn text_is_never_code() {
    let mut view = views::credit_note();
    view.introduction = vec!["#panic() $x$ *a* _b_ <c> @d \\ // e -> 2x4 ~ \"q\"".to_owned()];
    let read = read(&view, &Branding::default(), None);
    assert_says_all(&read, &view);
}

/// Half a minute: unoptimised, typst takes 13 ms a row.
#[test]
fn thousands_of_rows_are_laid_out() {
    let view = views::many_rows(2000);
    let read = read(&view, &Branding::default(), Some(CII));
    let dense = read.dense();
    for row in view.annex.iter().flat_map(|section| &section.table.rows) {
        let wanted: String = row.cells[1].split_whitespace().collect();
        assert!(dense.contains(&wanted), "{wanted}");
    }
}

/// In a process of its own, as other tests need memory, too. Typst keeps some 9 MB of each such document if it isn't told
/// not to.
#[test]
fn documents_leave_no_memory_behind() {
    const ALONE: &str = "CF_BILLING_TEST_ALONE";
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap()
    };
    if std::env::var_os(ALONE).is_some() {
        let after = |rounds: std::ops::Range<usize>| {
            for round in rounds {
                // Another each time: what is the same is kept once.
                let view = View { number: format!("CF-{round:06}"), ..views::many_rows(20 + round) };
                render(&view, &Branding::default(), Some(CII.as_bytes())).unwrap();
            }
            resident()
        };
        println!("grew by {} kB", -after(0..4) + after(4..16));
        return;
    }
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "documents::pdf::documents_leave_no_memory_behind", "--nocapture"];
    let output = std::process::Command::new(program).args(arguments).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let grown = said.split_once("grew by ").unwrap_or_else(|| panic!("{said}")).1.split_once(" kB").unwrap().0;
    assert!(grown.parse::<i64>().unwrap() < 30_000, "{grown} kB");
}
