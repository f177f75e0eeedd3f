//! The description of the API, and other people's programs that go by it.

use std::path::Path;
use std::process::Command;

use super::{Api, secret};
use crate::support::tool::python;

#[test]
fn the_description_is_the_one_that_is_checked_in() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let mut made = serde_json::to_string_pretty(&cf_billing::http::description()).unwrap();
    made.push('\n');
    if std::env::var_os("CF_BILLING_WRITE_DOCS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "docs/openapi.json isn't what the routes say; CF_BILLING_WRITE_DOCS=1 writes it");
}

/// Requests of all kinds, good and bad, made from the description: each answer is one that it allows, and none is a
/// failure of the daemon.
#[test]
fn schemathesis_finds_no_answer_that_is_not_described() {
    let api = Api::shared();
    let schemathesis = Path::new(python()).with_file_name("schemathesis");
    let run = Command::new(&schemathesis)
        .args(["run", &format!("{}/api/v1/openapi.json", api.url)])
        .args(["--header", &format!("Authorization: Bearer {}", secret("provider"))])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--seed", "1", "--no-color"])
        // That `from` isn't after `to`, and of which list a cursor is, can't be said in a schema.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .current_dir(api.program.folder.path())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", schemathesis.display()));
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{}", api.daemon.log());
    assert!(!api.daemon.log().contains("the API can't answer"), "{}", api.daemon.log());
}

/// A client that somebody else's generator makes of the description lists invoices and fetches one, and its PDF.
#[test]
fn a_generated_client_fetches_an_invoice_and_its_pdf() {
    let api = Api::shared();
    let folder = api.program.folder.path();
    let tools = Path::new(python()).parent().unwrap();
    let generator = tools.join("openapi-python-client");
    std::fs::write(folder.join("openapi.json"), api.ask(None, "/openapi.json").body()).unwrap();
    let made = Command::new(&generator)
        .args(["generate", "--path", "openapi.json", "--output-path", "client", "--meta", "none", "--fail-on-warning"])
        .env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()))
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", generator.display()));
    assert!(
        made.status.success(),
        "{}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
    let script = r#"
import sys
from client import AuthenticatedClient
from client.api.invoices import invoice, invoices, document
from client.models import DocumentFormat, InvoicesStatus
url, token = sys.argv[1:]
with AuthenticatedClient(base_url=url + "/api/v1", token=token, headers={"Accept": "application/json"}) as caller:
    page = invoices.sync(client=caller, status=InvoicesStatus.FINAL)
    number = next(one.number for one in page.items if one.account == "one" and one.document == "invoice")
    whole = invoice.sync(number, client=caller)
    pdf = document.sync_detailed(number, DocumentFormat.PDF, client=caller)
    print(number, whole.gross, len(whole.lines), pdf.content[:5])
"#;
    std::fs::write(folder.join("fetch.py"), script).unwrap();
    let run =
        Command::new(python()).args(["fetch.py", &api.url, secret("finance")]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    // 10 instance-hours at 1, and 19 % tax.
    assert_eq!(said, "CF-000001 11.90 1 b'%PDF-'\n");
}
