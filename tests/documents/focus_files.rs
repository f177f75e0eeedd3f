//! FOCUS files, as other people's programs read them: what is in them, and the official validator finds nothing but
//! what focus-allowed.txt explains.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cf_billing::documents::focus::{Column, Writer};

use super::focus::{Document, drafts, finals};
use crate::support::tool::python;

fn write(documents: &[Document], mut writer: Writer<&mut Vec<u8>>) {
    for document in documents {
        document.with(|subject| writer.write(subject)).unwrap();
    }
    writer.finish().unwrap();
}

fn csv(documents: &[Document]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(documents, Writer::csv(&mut bytes).unwrap());
    bytes
}

fn parquet(documents: &[Document]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(documents, Writer::parquet(&mut bytes).unwrap());
    bytes
}

#[test]
fn both_files_hold_the_same_and_prices_times_quantities_are_costs() {
    // More than one group of rows.
    let documents: Vec<Document> = (0..11).flat_map(|round| finals(round * 10)).collect();
    let folder = tempfile::tempdir().unwrap();
    let paths = ["all.csv", "all.parquet"].map(|name| folder.path().join(name));
    std::fs::write(&paths[0], csv(&documents)).unwrap();
    std::fs::write(&paths[1], parquet(&documents)).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/focus-files.py");
    let output = Command::new(python()).arg(script).args(paths).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut lines = said.lines();
    let rows: usize = documents.iter().map(|document| document.rows().len()).sum();
    assert!(rows > 16_384, "{rows} rows are one group");
    assert_eq!(lines.next().unwrap(), format!("{rows} rows in 2 group(s)"));
    let mut expected: Vec<String> = (documents.iter())
        .map(|document| {
            let gross = document.gross().to_string();
            let gross = gross.trim_end_matches(".0");
            format!("{}: {gross} {gross}", document.issue.as_ref().unwrap().number)
        })
        .collect();
    expected.sort();
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

/// What of FOCUS's criteria is so with us; others are of what Cloud Foundry or a bill of ours doesn't have.
const CRITERIA: [&str; 14] = [
    "ACCOUNT_NAMING_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "COMMITMENT_DISCOUNT_SUPPORTED",
    "MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "REGION_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "TAGGING_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
];

/// Each rule and how it went: `passed`, `failure`, `error` or `skipped`.
fn validate(file: &Path) -> BTreeMap<String, String> {
    let report = file.with_extension("xml");
    // It writes a log of debugging for each run otherwise, into the folder it runs in.
    let logging = file.with_extension("logging.yaml");
    std::fs::write(&logging, "version: 1\ndisable_existing_loggers: true\n").unwrap();
    // It opens a file of its own relative to where it runs.
    let packages = Path::new(python()).parent().unwrap().parent().unwrap().join("lib");
    let packages = std::fs::read_dir(packages).unwrap().next().unwrap().unwrap().path().join("site-packages");
    let output = Command::new(python())
        .args(["-m", "focus_validator.main", "--validate-version", "1.2", "--block-download", "--data-file"])
        .arg(file)
        .args(["--applicability-criteria", &CRITERIA.join(","), "--output-type", "unittest", "--output-destination"])
        .arg(&report)
        .env("LOGGING_CONFIG", &logging)
        .current_dir(packages)
        .output()
        .unwrap();
    let text = std::fs::read_to_string(&report)
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&output.stderr)));
    let mut rules = BTreeMap::new();
    for case in text.split("<testcase name=\"").skip(1) {
        let rule = case.split([' ', '"']).next().unwrap().to_owned();
        let case = case.split("<testcase").next().unwrap();
        let outcome = ["failure", "error", "skipped"].into_iter().find(|outcome| case.contains(&format!("<{outcome}")));
        rules.insert(rule, outcome.unwrap_or("passed").to_owned());
    }
    rules
}

fn failed(rules: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let failed = rules.iter().filter(|(_, outcome)| matches!(&***outcome, "failure" | "error"));
    failed.map(|(rule, _)| &**rule).collect()
}

fn allowed(files: &str) -> BTreeSet<&'static str> {
    let text = include_str!("focus-allowed.txt");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let words = lines.map(|line| {
        let mut words = line.split_whitespace();
        let (rule, of) = (words.next().unwrap(), words.next().unwrap());
        assert!(words.count() > 3, "`{line}` gives no reason");
        (rule, of)
    });
    words.filter(|(_, of)| *of == "all" || *of == files).map(|(rule, _)| rule).collect()
}

/// A skipped rule is one that wasn't looked at: how many there are is known, and docs/focus.md tells it.
pub fn check(file: &Path, of: &str) {
    let rules = validate(file);
    assert_eq!(failed(&rules), allowed(of), "{}", file.display());
    let count = |outcome: &str| rules.values().filter(|one| *one == outcome).count();
    let (all, passed, skipped) = (rules.len(), count("passed"), count("skipped"));
    let told = format!("of {all} rules {passed}\npass, {skipped} can't be looked at");
    assert!(include_str!("../../docs/focus.md").contains(&told), "{told}");
}

#[test]
fn every_column_of_our_own_is_explained() {
    let text = include_str!("../../docs/focus.md");
    for column in Column::ALL {
        let name = column.name();
        assert!(!name.starts_with("x_") || text.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_official_validator_finds_nothing_in_csv() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("finals.csv");
    std::fs::write(&file, csv(&finals(0))).unwrap();
    check(&file, "finals");
}

#[test]
fn the_official_validator_finds_nothing_in_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("finals.parquet");
    std::fs::write(&file, parquet(&finals(0))).unwrap();
    check(&file, "finals");
}

#[test]
fn the_official_validator_finds_nothing_in_drafts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drafts.parquet");
    std::fs::write(&file, parquet(&drafts())).unwrap();
    check(&file, "drafts");
}

/// A file of which some cells are others: column and value by row of a category, counted from 0.
fn broken(name: &str, without: &str, cells: &[(&str, usize, &str, &str)]) -> BTreeSet<String> {
    let text = csv(&finals(0));
    let mut reader = ::csv::Reader::from_reader(&*text);
    let header = reader.headers().unwrap().clone();
    let at = |column: &str| header.iter().position(|name| name == column).unwrap();
    let mut rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    for (category, number, column, value) in cells {
        let mut rows = rows.iter_mut().filter(|row| row[at("ChargeCategory")] == *category);
        (*value).clone_into(&mut rows.nth(*number).unwrap()[at(column)]);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    let mut writer = ::csv::Writer::from_path(&file).unwrap();
    for row in std::iter::once(header.iter().map(str::to_owned).collect()).chain(rows) {
        let kept = row.iter().zip(&header).filter(|(_, column)| *column != without).map(|(cell, _)| cell);
        writer.write_record(kept).unwrap();
    }
    writer.flush().unwrap();
    let rules = validate(&file);
    let allowed = allowed("finals");
    failed(&rules).into_iter().filter(|rule| !allowed.contains(rule)).map(str::to_owned).collect()
}

#[test]
fn the_official_validator_finds_a_missing_column() {
    let found = broken("missing.csv", "BilledCost", &[]);
    assert!(found.contains("CostAndUsage-D-006-M"), "{found:?}");
    assert!(found.iter().all(|rule| rule.starts_with("BilledCost") || rule == "CostAndUsage-D-006-M"), "{found:?}");
}

#[test]
fn the_official_validator_finds_wrong_cells() {
    let found = broken(
        "wrong.csv",
        "",
        &[
            ("Usage", 0, "BillingCurrency", "Euro"),
            ("Usage", 1, "SkuId", "another"),
            ("Usage", 2, "PricingUnit", ""),
            ("Usage", 3, "EffectiveCost", ""),
            ("Usage", 4, "Tags", "cf:space=live"),
            ("Usage", 5, "ListUnitPrice", "-1.0"),
            ("Usage", 6, "ServiceSubcategory", "Virtual Machines"),
            ("Tax", 0, "PricingQuantity", "1.0"),
            ("Tax", 0, "SkuId", "tax"),
            ("Purchase", 0, "ChargeFrequency", "Usage-Based"),
            ("Purchase", 0, "EffectiveCost", "30.0"),
        ],
    );
    for rule in [
        "BillingCurrency-C-003-M",
        "SkuPriceId-C-008-M",
        "PricingUnit-C-006-C",
        "EffectiveCost-C-003-M",
        "Tags-C-001-M",
        "ListUnitPrice-C-008-M",
        "ServiceName-C-008-C",
        "PricingQuantity-C-004-C",
        "SkuId-C-004-C",
        "ChargeFrequency-C-004-C",
        "EffectiveCost-C-005-C",
    ] {
        assert!(found.contains(rule), "{rule} isn't in {found:?}");
    }
}
