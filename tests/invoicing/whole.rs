//! A month as finance has it: three accounts, one with an allowance and a discount, one with reverse charge, one whose
//! organization moved on the 12th and that gets a credit note. All documents are made, and other people's validators
//! find nothing in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{october_json, shown};
use crate::documents::{einvoice, focus_files};
use crate::support::customers::{self, CONFIGURATION, account};
use crate::support::month;
use crate::support::program::{Program, path};
use crate::support::tool::{python, tool};

const CARD: &str = r#"
name = "Platform 2026"
currency = "EUR"
[[process]]
memory_gib_hour = "0.0125"
disk_gib_hour = "0.0004"
[[process]]
buildpack = "java_buildpack"
multiplier = "1.25"
[[process]]
account = "acme"
buildpack = "go"
memory_gib_hour = "0.01"
[[staging]]
memory_gib_hour = "0.0125"
per_staging = "0.01"
[[task]]
memory_gib_hour = "0.0125"
[[service]]
month = "25"
[[allowance]]
name = "first 100 GiB-hours"
kind = "process"
meter = "memory_gib_hour"
amount = "100"
account = "acme"
[[discount]]
name = "partner discount"
percent = "5"
account = "acme"
[[tax]]
name = "VAT"
percent = "19"
"#;

const USAGE: &str = "
    00:00 shop STARTED 1024x2 app=a bp=java_buildpack
    00:10 api STARTED 512x3 app=b bp=go space=s2
    00:20 site STARTED 2048x1 app=c org=o2 space=s3
    00:30 core STARTED 4096x2 app=d bp=ruby org=o3 space=s4
    00:00 db CREATED plan=small
    00:00 cache CREATED plan=tiny org=o3 space=s4
    02:00 a STAGING_STARTED
    02:06 a STAGING_STOPPED bp=java_buildpack
    03:00 job TASK_STARTED 256x1 app=d org=o3 space=s4
    04:10 job TASK_STOPPED app=d org=o3 space=s4
    5d00:00 shop STARTED 1024x4 app=a bp=java_buildpack";

fn accounts() -> String {
    let acme = "legal_name = \"ACME Deutschland GmbH\"\nemail = \"rechnung@acme.example\"\nbuyer_reference = \"plattform\"\n\
                language = \"de\"\ngroup_by = [\"org\", \"buildpack\"]\norganizations = [\"f/o1\"]";
    let exemple = "legal_name = \"Exemple SARL\"\nbuyer_reference = \"plateforme\"\ntax_category = \"AE\"\n\
                   tax_exemption_reason = \"Autoliquidation\"\nlanguage = \"fr\"\norganizations = [\"f/o2\"]";
    let mover = "buyer_reference = \"moved\"\n[[account.owns]]\norganization = \"f/o3\"\nfrom = 2026-10-12";
    [
        account("acme", "ACME", "DE987654321", acme),
        account("exemple", "Exemple", "FR12345678901", exemple),
        account("mover", "Mover Ltd", "IE1234567T", mover),
    ]
    .concat()
}

const WITH: [&str; 2] = ["--config", "cf-billing.toml"];
const NUMBERS: [&str; 4] = ["CF-000001", "CF-000002", "CF-000003", "CN-000001"];

fn export(program: &Program, format: &str) -> PathBuf {
    let out = program.folder.path().join("out");
    let base = ["invoices", "export", "--period", "2026-10", "--format", format, "--out", path(&out)];
    program.succeed(&[&base[..], &WITH].concat());
    out
}

/// The e-invoice in a PDF.
fn attached(pdf: &Path) -> String {
    let script = "import sys, facturx\n\
                  name, xml = facturx.get_xml_from_pdf(open(sys.argv[1], 'rb').read(), check_xsd=False)\n\
                  sys.stdout.buffer.write(xml)";
    let (good, said) = tool(python(), &["-c", script, path(pdf)], "");
    assert!(good, "{said}");
    said[said.find("<?xml").unwrap()..].to_owned()
}

#[test]
fn a_month_of_three_accounts_is_filed() {
    let program = Program::with_all_documents();
    month::card(&program, CARD);
    month::import(&program, USAGE, "80d00:00");
    let configuration = format!("{CONFIGURATION}time_zone = \"Europe/Berlin\"\nseller_colour = \"#0b5d63\"\n");
    customers::write(&program, &configuration, &accounts());
    // The organization that moved was nobody's before: it pays that part itself.
    let drafts = october_json(&program, "draft", &WITH);
    let accounts: Vec<&str> = drafts.as_array().unwrap().iter().map(|one| one["account"].as_str().unwrap()).collect();
    assert_eq!(accounts, ["acme", "exemple", "f/o3", "mover"]);
    for account in ["acme", "exemple", "mover"] {
        october_json(&program, "finalize", &[&["--account", account][..], &WITH].concat());
    }
    let credit = ["invoices", "credit", "CF-000003", "--line", "1", "--reason", "The app ran on by our mistake"];
    program.succeed(&[&credit[..], &WITH].concat());
    let adjusted = shown(&program, "CF-000001");
    assert_eq!(adjusted["adjustments"][0]["name"], "partner discount");
    assert!(adjusted["lines"].as_array().unwrap().iter().any(|line| line["part"] == "allowance first 100 GiB-hours"));
    let reverse = shown(&program, "CF-000002");
    assert_eq!((&reverse["tax"]["category"], &reverse["net"]), (&"AE".into(), &reverse["gross"]));

    let endings = [
        ("html", ".html"),
        ("pdf", ".pdf"),
        ("facturx", "-facturx.pdf"),
        ("ubl", ".xml"),
        ("csv", ".csv"),
        ("json", ".json"),
    ];
    for (format, ending) in endings {
        let out = export(&program, format);
        for number in NUMBERS {
            assert!(out.join(format!("{number}{ending}")).metadata().unwrap().len() > 400, "{number} {format}");
        }
    }
    let out = program.folder.path().join("out");
    let mut documents: BTreeMap<String, String> = BTreeMap::new();
    for number in NUMBERS {
        let ubl = fs::read_to_string(out.join(format!("{number}.xml"))).unwrap();
        documents.insert(format!("{number}-ubl"), ubl);
        documents.insert(format!("{number}-cii"), attached(&out.join(format!("{number}-facturx.pdf"))));
    }
    assert_eq!(einvoice::validated(&documents), Vec::<String>::new());
    // One that doesn't add up is found.
    let wrong = documents["CF-000001-ubl"]
        .replace("<cbc:PayableAmount currencyID=\"EUR\">", "<cbc:PayableAmount currencyID=\"EUR\">9");
    let found = einvoice::validated(&BTreeMap::from([("wrong-ubl".to_owned(), wrong)]));
    assert!(found.iter().any(|one| one.contains("BR-CO-16")), "{found:?}");

    export(&program, "focus");
    focus_files::check(&out.join("focus-2026-10.csv"), "finals");
}
