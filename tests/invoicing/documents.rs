//! Documents are made once: later exports give the same bytes, whatever changes meanwhile.

use std::fs;
use std::path::PathBuf;

use super::{october_json, shown};
use crate::support::customers::{self, CONFIGURATION, account, used_by_two};
use crate::support::database;
use crate::support::program::{Program, path};

fn accounts() -> String {
    let more = "legal_name = \"ACME Deutschland GmbH\"\nemail = \"accounts@acme.example\"\nbuyer_reference = \"platform\"\n\
                language = \"de\"\norganizations = [\"f/o1\"]";
    account("acme", "ACME", "DE987654321", more)
}

fn program() -> Program {
    let program = Program::with_all_documents();
    used_by_two(&program, CONFIGURATION, &accounts());
    program
}

const WITH: [&str; 2] = ["--config", "cf-billing.toml"];

fn export(program: &Program, what: &[&str], format: &str, folder: &str) -> PathBuf {
    let out = program.folder.path().join(folder);
    program.succeed(&[&["invoices", "export"][..], what, &["--format", format, "--out", path(&out)], &WITH].concat());
    out
}

#[test]
fn documents_of_final_invoices_are_made_once() {
    let program = program();
    october_json(&program, "finalize", &WITH);
    let formats = [
        ("html", "CF-000001.html"),
        ("pdf", "CF-000001.pdf"),
        ("csv", "CF-000001.csv"),
        ("json", "CF-000001.json"),
        ("ubl", "CF-000001.xml"),
        ("facturx", "CF-000001-facturx.pdf"),
    ];
    let account = shown(&program, "CF-000001")["account"].as_str().unwrap().to_owned();
    assert_eq!(account, "acme");
    let first: Vec<Vec<u8>> = formats
        .iter()
        .map(|(format, name)| fs::read(export(&program, &["CF-000001"], format, "first").join(name)).unwrap())
        .collect();
    assert_eq!(first[1], first[5], "a PDF with the e-invoice in it is Factur-X");
    // The seller moves, the customer changes its language: what was sent stays.
    let (moved, english) =
        (CONFIGURATION.replace("Musterstraße 12", "Neue Straße 1"), accounts().replace("\"de\"", "\"en\""));
    customers::write(&program, &moved, &english);
    for ((format, name), first) in formats.iter().zip(&first) {
        let again = fs::read(export(&program, &["CF-000001"], format, "again").join(name)).unwrap();
        assert!(again == *first, "{name} changed");
    }
    // Nor does the database let anybody change one, and verifying notices if somebody did.
    for statement in ["UPDATE invoice_document SET sha256 = 'x'", "DELETE FROM invoice_document"] {
        let error = database::execute(&program.database(), statement).unwrap_err().to_string();
        assert!(error.contains("a document"), "{statement}: {error}");
    }
    let remove = match database::kind() {
        database::Kind::Sqlite => "DROP TRIGGER document_stays",
        database::Kind::Postgres => "DROP TRIGGER document_stays ON invoice_document",
    };
    program.succeed(&["ledger", "verify"]);
    database::execute(&program.database(), remove).unwrap();
    let change = "UPDATE invoice_document SET body = sha256 WHERE format = 'html'";
    let change = if database::kind() == database::Kind::Postgres {
        change.replace("body = sha256", "body = convert_to(sha256, 'UTF8')")
    } else {
        change.replace("body = sha256", "body = CAST(sha256 AS BLOB)")
    };
    database::execute(&program.database(), &change).unwrap();
    let verified = program.run(&["ledger", "verify"]);
    assert!(
        verified.code == Some(1) && verified.stderr.contains("the html document of CF-000001 isn't as it was made"),
        "{}",
        verified.stderr
    );
}

#[test]
fn what_an_e_invoice_lacks_keeps_nothing_else_from_being_made() {
    let program = program();
    october_json(&program, "finalize", &WITH);
    // The second one's buyer has a name, and nothing else.
    assert_eq!(shown(&program, "CF-000002")["account"], "f/o2");
    export(&program, &["CF-000002"], "pdf", "out");
    for format in ["ubl", "facturx"] {
        let out = program.folder.path().join("out");
        let run = program
            .run(&[&["invoices", "export", "CF-000002", "--format", format, "--out", path(&out)][..], &WITH].concat());
        assert_eq!(run.code, Some(1));
        assert!(run.stderr.contains("an e-invoice needs") && run.stderr.contains("hint: "), "{}", run.stderr);
    }
    // Of several, those that can be written are.
    let out = program.folder.path().join("all");
    let run = program.run(
        &[&["invoices", "export", "--period", "2026-10", "--format", "ubl", "--out", path(&out)][..], &WITH].concat(),
    );
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(out.join("CF-000001.xml").exists() && !out.join("CF-000002.xml").exists());
}

#[test]
fn exports_go_on_where_they_stopped_and_drafts_are_rendered_anew() {
    let program = program();
    let nothing = program
        .run(&[&["invoices", "export", "--period", "2026-10", "--format", "html", "--out", "out"][..], &WITH].concat());
    assert!(
        nothing.code == Some(1) && nothing.stderr.contains("there is no final invoice to export"),
        "{}",
        nothing.stderr
    );
    let drafts = october_json(&program, "draft", &WITH);
    let id = drafts[0]["id"].to_string();
    let out = export(&program, &["--period", "2026-10", "--drafts"], "html", "drafts");
    assert!(out.join(format!("draft-{id}.html")).exists());
    october_json(&program, "finalize", &WITH);
    let out = export(&program, &["--period", "2026-10"], "html", "out");
    let kept = fs::metadata(out.join("CF-000001.html")).unwrap().modified().unwrap();
    fs::remove_file(out.join("CF-000002.html")).unwrap();
    let run = program.succeed(
        &[&["invoices", "export", "--period", "2026-10", "--format", "html", "--out", path(&out)][..], &WITH].concat(),
    );
    assert!(run.stderr.contains("1 document(s) written") && run.stderr.contains("1 already existed"), "{}", run.stderr);
    assert_eq!(fs::metadata(out.join("CF-000001.html")).unwrap().modified().unwrap(), kept);
    let out = export(&program, &["--account", "ACME"], "csv", "acme");
    assert_eq!(fs::read_dir(out).unwrap().count(), 1);
    let neither = program.run(&[&["invoices", "export", "--format", "html", "--out", "x"][..], &WITH].concat());
    assert_eq!(neither.code, Some(2), "{}", neither.stderr);
    for format in ["focus", "focus-parquet"] {
        let out = export(&program, &["--period", "2026-10"], format, "focus");
        assert!(fs::read_dir(out).unwrap().count() > 0);
    }
}

/// A folder of exports outlives a book: another one begins with the same numbers.
#[test]
fn an_export_never_keeps_another_invoices_file_under_a_number() {
    let program = program();
    october_json(&program, "finalize", &WITH);
    let run = |what: &[&str]| {
        program.run(&[&["invoices", "export", "--format", "html", "--out", "out"][..], what, &WITH].concat())
    };
    assert_eq!(run(&["CF-000002"]).code, Some(0));
    let out = program.folder.path().join("out");
    let other = fs::read(out.join("CF-000002.html")).unwrap();
    fs::rename(out.join("CF-000002.html"), out.join("CF-000001.html")).unwrap();
    let all = ["--period", "2026-10"];
    let refused = run(&all);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    for told in [
        "1 document(s) written to out\n",
        "`out/CF-000001.html` exists and differs from the document of CF-000001: ",
        "it is the html document of CF-000002\nhint: nothing was overwritten",
    ] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    assert_eq!(fs::read(out.join("CF-000001.html")).unwrap(), other, "it is left as it is");
    // A single byte, or none.
    for bytes in [[&other[..], b" "].concat(), Vec::new()] {
        fs::write(out.join("CF-000001.html"), bytes).unwrap();
        let refused = run(&all);
        assert!(
            refused.code == Some(1) && refused.stderr.contains("no invoice of this book has it"),
            "{}",
            refused.stderr
        );
    }
    fs::remove_file(out.join("CF-000001.html")).unwrap();
    let whole = run(&all);
    assert!(whole.code == Some(0) && whole.stderr.contains("1 document(s) written"), "{}", whole.stderr);
    assert!(run(&all).stderr.contains("0 document(s) written to out; 2 already existed"));
}

#[test]
fn focus_exports_of_accounts_never_overwrite_one_another() {
    let program = program();
    october_json(&program, "finalize", &WITH);
    let month = ["--period", "2026-10"];
    let mut files = Vec::new();
    // By id, and by a name that stands for one.
    for account in ["acme", "ACME", "f/o2"] {
        for format in ["focus", "focus-parquet"] {
            export(&program, &[&month[..], &["--account", account]].concat(), format, "focus");
        }
        export(&program, &["--account", account], "focus", "focus");
    }
    export(&program, &month, "focus", "focus");
    export(&program, &["CF-000001"], "focus", "focus");
    for entry in fs::read_dir(program.folder.path().join("focus")).unwrap() {
        files.push(entry.unwrap().file_name().into_string().unwrap());
    }
    files.sort();
    let of = |what: &str| files.iter().filter(|file| file.contains(what)).count();
    assert_eq!(files.len(), 8, "{files:?}");
    assert_eq!((of("2026-10_acme."), of("2026-10_f-o2_"), of("all_acme."), of("all_f-o2_")), (2, 2, 1, 1), "{files:?}");
    let acme = fs::read_to_string(program.folder.path().join("focus/focus-2026-10_acme.csv")).unwrap();
    assert!(acme.contains("acme") && !acme.contains("f/o2"), "{acme}");
}

#[test]
fn credit_notes_are_documents_too() {
    let program = program();
    october_json(&program, "finalize", &WITH);
    program.succeed(
        &[
            &["invoices", "credit", "CF-000001", "--line", "1", "--amount", "2", "--reason", "Ausfall am 12. Oktober"]
                [..],
            &WITH,
        ]
        .concat(),
    );
    let html = fs::read_to_string(export(&program, &["CN-000001"], "html", "out").join("CN-000001.html")).unwrap();
    for told in ["CN-000001", "CF-000001", "Ausfall am 12. Oktober", "2,00", "2,38"] {
        assert!(html.contains(told), "{told}");
    }
    let xml = fs::read_to_string(export(&program, &["CN-000001"], "ubl", "out").join("CN-000001.xml")).unwrap();
    assert!(xml.contains("<CreditNote") && xml.contains("CF-000001"), "{xml}");
}

crate::on_postgres! {
    documents_of_final_invoices_are_made_once,
    credit_notes_are_documents_too,
}
