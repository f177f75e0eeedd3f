//! Bytes of documents: every sample in every format, and what is made anew of the invoices in the golden book.
//!
//! `RENDERER` is kept with each document. So bytes may change only together with it: first raise it, then record anew, and
//! say in the commit what changed. What a book holds already is never made again.

use std::fmt::Write;

use cf_billing::documents::{Branding, DocumentError, Format, RENDERER, ToRender, make};
use cf_billing::domain::text::hexadecimal;
use cf_billing::invoicing::Language;
use sha2::{Digest, Sha256};

use super::{book, check, folder, recording};
use crate::documents::view::{NUMBER, in_language, samples};
use crate::support::program::path;
use crate::support::sample;

const SAMPLES: &str = "documents.txt";
const OF_BOOK: &str = "documents-of-book.txt";

fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Compares hashes; they may be recorded only under another `RENDERER` than those that are there.
#[track_caller]
fn check_rendered(name: &str, hashes: &str) {
    let golden = std::fs::read_to_string(folder().join(name)).unwrap_or_default();
    let renderer = format!("RENDERER {RENDERER}\n");
    let found = format!("{renderer}{hashes}");
    let same_renderer = golden.starts_with(&renderer);
    // A sample, format or language more is no change.
    let changed = golden.lines().any(|line| !found.contains(line));
    assert!(
        !(same_renderer && changed),
        "bytes of documents changed while RENDERER is still {RENDERER}:\n{}\n\
         Undo that. If it is meant: raise RENDERER in src/documents/mod.rs, record with CF_BILLING_RECORD=1 (see \
         tests/golden/mod.rs), and say in the commit and in CHANGELOG.md what changed in documents. Documents that are \
         kept in books are never made again.",
        super::differences(&golden, &found)
    );
    assert!(
        same_renderer || golden.is_empty() || recording(),
        "RENDERER is {RENDERER}, and tests/data/golden/{name} is of another: record with CF_BILLING_RECORD=1"
    );
    check(name, &found);
}

#[test]
fn samples_keep_their_bytes() {
    let look = Branding::default();
    let mut hashes = String::new();
    for (name, invoice) in samples() {
        let own = invoice.particulars.language;
        for language in Language::ALL {
            let invoice = in_language(invoice.clone(), language);
            let issue = sample::issue(NUMBER, &invoice);
            let drafted_at = sample::drafted_at();
            for (of, issue) in [("final", Some(&issue)), ("draft", None)] {
                let subject = ToRender { document: invoice.by_ref(), issue, in_review: false, drafted_at, look: &look };
                for format in Format::ALL {
                    // Layout in PDF takes seconds: its words are those of HTML.
                    if matches!(format, Format::Pdf | Format::Facturx) && (language != own || issue.is_none()) {
                        continue;
                    }
                    let hash = match make(format, &subject) {
                        Ok(bytes) => sha256(&bytes),
                        Err(DocumentError::Lacking(_)) => "lacks what an e-invoice needs".to_owned(),
                        Err(error) => panic!("{name}: {error}"),
                    };
                    writeln!(hashes, "{name} {of} {} {} {hash}", language.code(), format.name()).unwrap();
                }
            }
        }
    }
    check_rendered(SAMPLES, &hashes);
}

/// Through the program, of rows of a database: as a user gets them.
#[test]
fn invoices_of_the_book_keep_their_bytes() {
    let program = book::open();
    let mut hashes = String::new();
    for format in ["json", "html", "csv", "ubl", "pdf", "focus"] {
        let out = program.folder.path().join(format);
        for period in ["2026-08", "2026-09", "2026-10"] {
            let out = out.join(period);
            // What can't be made is named, and the others are written.
            program.run(&["invoices", "export", "--period", period, "--format", format, "--out", path(&out)]);
            let mut files: Vec<_> = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            for file in files {
                let name = file.file_name().unwrap().to_str().unwrap().to_owned();
                writeln!(hashes, "{period} {format} {name} {}", sha256(&std::fs::read(&file).unwrap())).unwrap();
            }
        }
    }
    check_rendered(OF_BOOK, &hashes);
}
