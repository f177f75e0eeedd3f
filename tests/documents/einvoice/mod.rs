//! E-invoices, checked by other people's schemas, Schematron and business rules.

mod cases;
mod lacking;
mod random;
mod says;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use cf_billing::documents::{Branding, ToRender, einvoice};
use cf_billing::domain::Amount;
use cf_billing::invoicing::{Common, Document, DocumentKind, DocumentRef};
use en16931::profiles;
use en16931_formats::{Policy, Recommendation};

use crate::support::sample;
use crate::support::tool::python;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/einvoice/validate.py");

/// UBL and CII of a document.
fn made<'a>(document: impl Into<DocumentRef<'a>>) -> [String; 2] {
    let document = document.into();
    let issue = sample::issue("CF-000042", document);
    let look = Branding::default();
    let subject =
        ToRender { document, issue: Some(&issue), in_review: false, drafted_at: sample::drafted_at(), look: &look };
    [einvoice::ubl(&subject), einvoice::cii(&subject)]
        .map(|result| String::from_utf8(result.unwrap_or_else(|error| panic!("{error}\n{document:#?}"))).unwrap())
}

/// What schema and Schematron find in documents, a line each: `name xsd`, `name BR-CO-15`, `name warning BR-…`. Each
/// document must be looked at.
pub fn validated(documents: &BTreeMap<String, String>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in documents {
        std::fs::write(folder.path().join(format!("{name}.xml")), text).unwrap();
    }
    let output = Command::new(python()).arg(SCRIPT).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = Vec::new();
    let mut fired = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let [file, kind, what, message @ ..] = &line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let name = file.trim_end_matches(".xml").to_owned();
        match *kind {
            "fired" => {
                fired.insert(name, what.parse::<usize>().unwrap());
            }
            "fatal" => found.push(format!("{name} {what} {}", message.concat())),
            kind => found.push(format!("{name} {kind} {what} {}", message.concat())),
        }
    }
    let looked_at: Vec<&String> = fired.iter().filter(|(_, number)| **number > 50).map(|(name, _)| name).collect();
    assert_eq!(looked_at, documents.keys().collect::<Vec<_>>(), "rules that looked at something: {fired:?}");
    found
}

/// Reads both syntaxes with somebody else's reader: nothing in them is unknown to it, its rules (EN 16931's, and
/// Peppol's for UBL) find nothing, both say the same, and the totals are the book's.
fn second_opinion(name: &str, invoice: &Document, [ubl, cii]: &[String; 2]) -> Vec<String> {
    let mut found = Vec::new();
    for text in [ubl, cii] {
        let received = en16931_formats::receive(text.as_bytes(), &Policy::default());
        let report = &received.report_declared;
        let findings = report.semantic.report.as_ref().map_or(0, |report| report.findings().len());
        let profile = received.declared.as_ref().and_then(profiles::Declaration::profile).map(|profile| profile.id);
        let wanted = if text == ubl { profiles::PEPPOL_BIS_3.id } else { profiles::EN16931.id };
        if received.recommendation != Recommendation::Accept || findings > 0 || profile != Some(wanted) {
            found.push(format!("{name}: {received}"));
        }
    }
    let [of_ubl, of_cii] = [ubl, cii].map(|text| en16931_formats::read(text.as_bytes()).unwrap());
    found.extend(of_ubl.entries.iter().chain(&of_cii.entries).map(|entry| format!("{name}: {entry:?}")));
    let (mut of_ubl, mut of_cii) = (of_ubl.invoice, of_cii.invoice);
    let sign = if invoice.kind() == DocumentKind::CreditNote { -1 } else { 1 };
    let major = |amount: Amount| Amount(sign * amount.0).in_major_units(invoice.currency);
    let tax = invoice.tax.as_ref().unwrap().amount;
    let totals = &of_ubl.totals;
    let read = [totals.taxable_total.into_decimal(), totals.due.into_decimal()];
    let wanted = [major(invoice.net), major(invoice.gross().unwrap())];
    if read != wanted || of_ubl.vat_breakdown[0].tax_amount.into_decimal() != major(tax) {
        found.push(format!("{name}: {read:?} are the totals, and the book's are {wanted:?}, with tax {tax:?}"));
    }
    // CII has one of them only.
    of_ubl.preceding_invoices.truncate(1);
    // Only UBL is Peppol's.
    for read in [&mut of_ubl, &mut of_cii] {
        (read.specification_id, read.business_process) = (None, None);
    }
    if of_ubl != of_cii {
        let (one, other) = (format!("{of_ubl:#?}"), format!("{of_cii:#?}"));
        let differ = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        found.push(format!("{name}: UBL and CII differ: {differ:?}"));
    }
    found
}

/// Everything there is to check of valid invoices, each with both syntaxes.
fn check(invoices: &[(String, Document)]) {
    let mut documents = BTreeMap::new();
    let mut found = Vec::new();
    for (name, invoice) in invoices {
        let both = made(invoice);
        found.extend(second_opinion(name, invoice, &both));
        let [ubl, cii] = both;
        documents.insert(format!("{name}-ubl"), ubl);
        documents.insert(format!("{name}-cii"), cii);
    }
    assert_eq!(documents.len(), invoices.len() * 2, "each has a name of its own");
    found.extend(validated(&documents));
    let shown = found.iter().fold(String::new(), |mut shown, finding| {
        let _ = writeln!(shown, "{finding}");
        shown
    });
    assert!(found.is_empty(), "{shown}");
}

#[test]
fn samples_are_valid() {
    check(&cases::all());
}

/// Peppol's own rules are only in the second opinion.
#[test]
fn what_peppol_refuses_is_found() {
    let [ubl, _] = made(&sample::standard());
    for (from, to, rule) in [
        (">0.015625</cbc:Price", ">0.0157</cbc:Price", "PEPPOL-EN16931-R120"),
        (">4.45</cbc:Amount", ">4.48</cbc:Amount", "PEPPOL-EN16931-R040"),
        ("schemeID=\"0088\"", "schemeID=\"EM\"", "PEPPOL-EN16931-CL008"),
        (">4012345000009<", ">4012345000008<", "PEPPOL-COMMON-R040"),
    ] {
        assert!(ubl.contains(from), "{from}");
        let received = en16931_formats::receive(ubl.replacen(from, to, 1).as_bytes(), &Policy::default());
        assert!(received.reasons.concat().contains(rule), "{rule}: {received}");
    }
}

/// In Germany, where the buyer may be an authority, what XRechnung asks for also holds, but for its name.
#[test]
fn between_germans_the_rules_of_xrechnung_hold() {
    let policy = Policy { require: Some(&profiles::XRECHNUNG), ..Policy::default() };
    let is_german = |invoice: &Common| {
        let parties = [&invoice.particulars.seller, &invoice.particulars.buyer];
        parties.iter().all(|party| party.country.as_deref() == Some("DE"))
    };
    let german: Vec<(String, Document)> = cases::all().into_iter().filter(|(_, invoice)| is_german(invoice)).collect();
    assert!(german.len() > 20);
    let mut found = Vec::new();
    for (name, invoice) in german {
        let [ubl, _] = made(&invoice);
        let received = en16931_formats::receive(ubl.as_bytes(), &policy);
        let report = received.report_required.unwrap().semantic.report.unwrap();
        let rules = report.findings().iter().map(|finding| finding.rule.as_str().to_owned());
        found.extend(rules.map(|rule| format!("{name} {rule}")).filter(|found| !found.ends_with(" BR-DE-21")));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn what_is_broken_is_found() {
    let invoice = sample::standard();
    let [ubl, cii] = made(&invoice);
    let note = made(&sample::credit_note())[0].clone();
    let major = |amount: Amount| amount.in_major_units(invoice.currency).to_string();
    let gross = major(invoice.gross().unwrap());
    let net = major(invoice.net);
    // Document, what is broken, how, and which rules say so.
    let cases: [(&str, &str, String, String, &[&str]); 14] = [
        ("ubl", "payable", format!("{gross}</cbc:PayableAmount"), "1.00</cbc:PayableAmount".into(), &["BR-CO-16"]),
        ("ubl", "gross", format!("{gross}</cbc:TaxI"), "1.00</cbc:TaxI".into(), &["BR-CO-15", "BR-CO-16"]),
        ("ubl", "net", format!("{net}</cbc:TaxE"), "1.00</cbc:TaxE".into(), &["BR-CO-13", "BR-CO-15"]),
        ("ubl", "type", "<cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>".into(), String::new(), &["BR-04"]),
        ("ubl", "country", ">DE</cbc:Identi".into(), ">UK</cbc:Identi".into(), &["BR-CL-14"]),
        ("ubl", "unit", "\"HUR\"".into(), "\"HOURS\"".into(), &["BR-CL-23"]),
        (
            "ubl",
            "order",
            "<cbc:ID>CF-000042</cbc:ID>\n  <cbc:IssueDate>2026-11-03</cbc:IssueDate>".into(),
            "<cbc:IssueDate>2026-11-03</cbc:IssueDate>\n  <cbc:ID>CF-000042</cbc:ID>".into(),
            &["xsd"],
        ),
        ("note", "date", "<cbc:IssueDate>2026-11-03".into(), "<cbc:IssueDate>3.11.2026".into(), &["xsd"]),
        ("note", "type", "<cbc:CreditNoteTypeCode>381</cbc:CreditNoteTypeCode>".into(), String::new(), &["BR-04"]),
        ("cii", "gross", format!("{gross}</ram:GrandT"), "1.00</ram:GrandT".into(), &["BR-CO-15", "BR-CO-16"]),
        ("cii", "type", "<ram:TypeCode>380</ram:TypeCode>".into(), String::new(), &["BR-04", "FX-SCH-A-000020", "xsd"]),
        ("cii", "country", ">DE</ram:CountryID".into(), ">UK</ram:CountryID".into(), &["FX-SCH-A-000580"]),
        ("cii", "unit", "\"HUR\"".into(), "\"HOURS\"".into(), &["FX-SCH-A-000613"]),
        (
            "cii",
            "order",
            "<ram:ID>CF-000042</ram:ID>\n    <ram:TypeCode>380</ram:TypeCode>".into(),
            "<ram:TypeCode>380</ram:TypeCode>\n    <ram:ID>CF-000042</ram:ID>".into(),
            &["xsd"],
        ),
    ];
    let mut documents = BTreeMap::new();
    let mut wanted = BTreeMap::new();
    for (document, what, from, to, rules) in cases {
        let text = match document {
            "ubl" => &ubl,
            "note" => &note,
            _ => &cii,
        };
        assert!(text.contains(&from), "{document} has no {from}");
        let name = format!("{document}-{what}");
        documents.insert(name.clone(), text.replacen(&from, &to, 1));
        wanted.insert(name, rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>());
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in validated(&documents) {
        let [name, rule, ..] = &finding.split(' ').collect::<Vec<_>>()[..] else { panic!("{finding}") };
        let rules = found.entry((*name).to_owned()).or_default();
        if !rules.iter().any(|known| known == rule) {
            rules.push((*rule).to_owned());
        }
        rules.sort();
    }
    assert_eq!(found, wanted);
}
