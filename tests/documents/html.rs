//! The page that people get: safe, self-contained, and as a browser shows and prints it.

use std::path::Path;

use cf_billing::documents::compose::compose;
use cf_billing::documents::html::render;
use cf_billing::documents::{Branding, Logo, LogoType, ToRender};
use cf_billing::invoicing::{CreditNote, DocumentRef, Invoice};

use super::view::{NUMBER, rekeyed};
use crate::support::sample;
use crate::support::tool::tool;

const HOSTILE: &str = "<script>alert('x')</script></style><b a=\"&amp;\u{202e}";

/// Every text from outside that an invoice has, replaced.
fn hostile() -> Invoice {
    let text = || HOSTILE.to_owned();
    let mut invoice = rekeyed(sample::with_correction(), |line, key| {
        for named in
            [&mut key.organization, &mut key.space].into_iter().chain(&mut key.app).chain(&mut key.service_instance)
        {
            named.name = Some(format!("{HOSTILE}{line}"));
        }
        for named in key.service_offering.iter_mut().chain(&mut key.service_plan) {
            named.name = Some(text());
        }
        (key.buildpack, key.foundation) = (Some(text()), text());
    });
    invoice.account = text();
    let particulars = &mut invoice.particulars;
    for party in [&mut particulars.seller, &mut particulars.buyer] {
        party.name = text();
        party.address_lines = vec![text()];
        for field in [
            &mut party.postal_code,
            &mut party.city,
            &mut party.region,
            &mut party.country,
            &mut party.vat_id,
            &mut party.tax_number,
            &mut party.registration,
            &mut party.contact,
            &mut party.email,
            &mut party.phone,
        ] {
            *field = Some(text());
        }
    }
    let payment = &mut particulars.payment;
    for field in [&mut payment.terms, &mut payment.iban, &mut payment.bic, &mut payment.bank] {
        *field = Some(text());
    }
    for field in [&mut particulars.purchase_order, &mut particulars.cost_centre, &mut particulars.buyer_reference] {
        *field = Some(text());
    }
    invoice.adjustments[0].name = text();
    let correction = &mut invoice.corrections[0];
    (correction.number, correction.what, correction.key) = (text(), text(), None);
    let tax = invoice.tax.as_mut().unwrap();
    (tax.name, tax.exemption_reason) = (text(), Some(text()));
    invoice.accepted = vec![text()];
    invoice
}

fn page<'a>(document: impl Into<DocumentRef<'a>>, number: Option<&str>, look: &Branding) -> String {
    let document = document.into();
    let issue = number.map(|number| sample::issue(number, document));
    let subject =
        ToRender { document, issue: issue.as_ref(), in_review: false, drafted_at: sample::drafted_at(), look };
    render(&compose(&subject).unwrap(), look)
}

#[test]
fn no_name_becomes_markup() {
    let look = Branding { colour: Some("red;}</style>".to_owned()), logo: None };
    let page = page(&hostile(), Some(HOSTILE), &look);
    for wrong in ["<script", "alert('x')<", "</style><b", "<b a", "\u{202e}", "red;"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.matches("&lt;script&gt;").count() > 80);
    let note = self::page(&CreditNote { reason: HOSTILE.to_owned(), ..sample::credit_note() }, Some(NUMBER), &look);
    assert!(note.contains("&lt;script&gt;") && !note.contains("<script"));
}

#[test]
fn a_page_is_self_contained_and_has_the_sellers_look() {
    let bytes = b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec();
    let logo = Logo { bytes, media_type: LogoType::Svg };
    let look = Branding { colour: Some("#7a0c2e".to_owned()), logo: Some(logo) };
    let page = page(&sample::standard(), Some(NUMBER), &look);
    assert!(page.contains("--accent: #7a0c2e;"));
    let uri = "src=\"data:image/svg+xml;base64,PHN2ZyB4bWxucz0naHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmcnLz4=\"";
    assert!(page.contains(uri) && page.contains("alt=\"Beispiel Plattform GmbH\""));
    assert!(
        page.contains("<html lang=\"de\">") && page.contains("scope=\"col\"") && page.contains("scope=\"rowgroup\"")
    );
    for outside in ["href", "url(", "@import", "<script", "http://", "https://"] {
        let found = page.matches(outside).count();
        // The name of a namespace isn't an address.
        assert_eq!(found, usize::from(outside == "http://"), "{outside}");
    }
}

/// Chromium, with a profile of its own.
fn chromium(folder: &Path, arguments: &[&str]) -> String {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let always = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
    let (good, said) = tool("chromium", &[&always[..], &[&profile], arguments].concat(), "");
    assert!(good, "{said}");
    said
}

/// Names of elements as they begin and end, but for those that never end and what `skipped` holds.
fn elements(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap();
        let tag = &rest[..end];
        rest = &rest[end..];
        let name: String = tag.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '/').collect();
        if ["", "meta", "img", "/"].contains(&name.as_str()) {
            continue;
        }
        found.push(name.trim_end_matches('/').to_owned());
        if tag.ends_with('/') {
            found.push(format!("/{}", name.trim_end_matches('/')));
        }
    }
    found
}

#[test]
fn a_browser_finds_nothing_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    let (standard, credit_note, hostile) = (sample::standard(), sample::credit_note(), hostile());
    let documents: [(&str, DocumentRef<'_>, Option<&str>, [&str; 2]); 4] = [
        ("standard", (&standard).into(), Some(NUMBER), ["<title>Rechnung CF-000123</title>", "100,57&nbsp;€"]),
        ("draft", (&standard).into(), None, ["<title>Rechnungsentwurf acme 2026-10</title>", "100,57&nbsp;€"]),
        ("credit", (&credit_note).into(), Some("CN-7"), ["<title>Rechnungskorrektur CN-7</title>", "13,19&nbsp;€"]),
        ("hostile", (&hostile).into(), Some(HOSTILE), ["&lt;script&gt;alert('x')&lt;/script&gt;", "€102.05"]),
    ];
    for (name, document, number, wanted) in documents {
        let file = folder.path().join(format!("{name}.html"));
        let ours = page(document, number, &Branding::default());
        std::fs::write(&file, &ours).unwrap();
        let found = chromium(folder.path(), &["--dump-dom", &format!("file://{}", file.display())]);
        let found = &found[found.find("<!DOCTYPE html>").unwrap()..];
        for wanted in wanted {
            assert!(found.contains(wanted), "{name}: {wanted} is not in\n{found}");
        }
        assert_eq!(elements(found), elements(&ours), "{name}");
    }
}

/// Whether a browser prints page numbers, repeats the head of a table, and keeps the letter on its first page.
#[test]
fn a_printed_page_is_numbered_and_its_tables_have_heads() {
    let folder = tempfile::tempdir().unwrap();
    let (file, pdf) = (folder.path().join("page.html"), folder.path().join("page.pdf"));
    std::fs::write(&file, page(&sample::standard(), Some(NUMBER), &Branding::default())).unwrap();
    let print = format!("--print-to-pdf={}", pdf.display());
    chromium(folder.path(), &["--no-pdf-header-footer", &print, &format!("file://{}", file.display())]);
    let (good, text) = tool("pdftotext", &["-layout", &pdf.display().to_string(), "-"], "");
    assert!(good, "{text}");
    let pages: Vec<&str> = text.split('\u{c}').filter(|page| !page.trim().is_empty()).collect();
    assert_eq!(pages.len(), 3, "{text}");
    for (number, page) in (1..).zip(&pages) {
        assert!(page.contains(&format!("Seite {number} von 3")) && page.contains("Rechnung CF-000123"), "{page}");
    }
    for wanted in ["100,57", "DE89 3704 0044 0532 0130 00", "Amtsgericht Charlottenburg"] {
        assert!(pages[0].contains(wanted), "{wanted} is not in\n{}", pages[0]);
    }
    assert!(pages[1..].iter().all(|page| page.contains("Einzelpreis in EUR")), "{text}");
}
