//! Plain CSV and JSON of documents: columns and keys that others rely on, amounts that add up.

use cf_billing::documents::focus::Writer;
use cf_billing::documents::{Branding, Format, Issue, ToRender, csv, json, make};
use cf_billing::domain::Amount;
use cf_billing::invoicing::{Document, DocumentRef};
use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::support::month;
use crate::support::program::Program;
use crate::support::sample;

const SCHEMA: &str = include_str!("../../docs/invoice.schema.json");

/// Documents by name: final ones, and a draft with usage that has no price.
fn documents() -> Vec<(&'static str, Document, Option<Issue>)> {
    let mut unpriced = sample::standard();
    let line = unpriced.lines.iter_mut().find(|line| line.discount == Amount::default()).unwrap();
    let charge = line.charge.take().unwrap();
    unpriced.net.0 -= charge.amount.0;
    let finals: [(&str, Document); 4] = [
        ("standard", sample::standard().into()),
        ("reverse charge", sample::reverse_charge().into()),
        ("with correction", sample::with_correction().into()),
        ("credit note", sample::credit_note().into()),
    ];
    let finals = finals.map(|(name, invoice)| {
        let issue = sample::issue("CF-000007", &invoice);
        (name, invoice, Some(issue))
    });
    finals.into_iter().chain([("draft", unpriced.into(), None)]).collect()
}

fn with<'a, T>(
    document: impl Into<DocumentRef<'a>>,
    issue: Option<&Issue>,
    made: impl FnOnce(&ToRender<'_>) -> T,
) -> T {
    let document = document.into();
    made(&ToRender { document, issue, in_review: false, drafted_at: sample::drafted_at(), look: &Branding::default() })
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    let schema = schema();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn assert_valid(validator: &Validator, document: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn every_document_is_as_the_schema_says() {
    let validator = validator();
    for (name, invoice, issue) in documents() {
        let document = with(&invoice, issue.as_ref(), json::document).unwrap();
        println!("{name}");
        assert_valid(&validator, &document);
    }
}

type Object = Map<String, Value>;

/// A document as often as one of its objects can be changed.
fn changed(value: &Value, change: fn(&Object) -> Vec<Object>) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Object(fields) => {
            all.extend(change(fields).into_iter().map(Value::Object));
            for (key, inner) in fields {
                for other in changed(inner, change) {
                    let mut fields = fields.clone();
                    fields.insert(key.clone(), other);
                    all.push(Value::Object(fields));
                }
            }
        }
        // One of a kind is enough.
        Value::Array(items) if !items.is_empty() => {
            for other in changed(&items[0], change) {
                let mut items = items.clone();
                items[0] = other;
                all.push(Value::Array(items));
            }
        }
        _ => {}
    }
    all
}

#[test]
fn the_schema_knows_every_key_and_no_other() {
    let validator = validator();
    for (name, invoice, issue) in documents() {
        let document = with(&invoice, issue.as_ref(), json::document).unwrap();
        let more = changed(&document, |fields| {
            let mut fields = fields.clone();
            fields.insert("unknown".to_owned(), Value::Null);
            vec![fields]
        });
        let fewer = changed(&document, |fields| {
            let without = |key: &String| {
                let mut fields = fields.clone();
                fields.remove(key);
                fields
            };
            fields.keys().map(without).collect()
        });
        assert!(more.len() > 10 && fewer.len() > 80, "{name}: {} {}", more.len(), fewer.len());
        for wrong in more.iter().chain(&fewer) {
            assert!(!validator.is_valid(wrong), "{name}: {wrong:#}");
        }
    }
    // Nothing that no document has, but what the database adds.
    let top = schema()["properties"].as_object().unwrap().clone();
    let (_, invoice, issue) = documents().remove(0);
    let document = with(&invoice, issue.as_ref(), json::document).unwrap();
    let more: Vec<&String> = top.keys().filter(|key| document.get(key).is_none()).collect();
    assert_eq!(more, ["accepted", "blockers", "difference", "finalized_at", "held", "id"]);
}

#[test]
fn what_a_command_prints_is_as_the_schema_says() {
    let program = Program::new();
    let card = "[[process]]\nmemory_gib_hour = \"0.0125\"\n[[minimum]]\namount = \"5\"\n[[tax]]\npercent = \"19\"\n";
    month::card(&program, &format!("name = \"t\"\ncurrency = \"EUR\"\n{card}"));
    month::import(&program, "00:00 p STARTED 512x1 app=a bp=go\n 00:00 s CREATED plan=P", "30d00:00");
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    let id = drafts[0]["id"].to_string();
    let shown = program.json(&["invoices", "show", &id]);
    assert_valid(&validator(), &shown);
    assert_eq!(shown["blockers"].as_array().unwrap().len(), 1, "{shown:#}");
    // With prices it becomes final.
    let card = format!("name = \"t\"\ncurrency = \"EUR\"\n{card}[[service]]\nfree = true\n");
    month::card(&program, &card);
    let finals = program.json(&["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"]);
    let shown = program.json(&["invoices", "show", finals[0]["number"].as_str().unwrap()]);
    assert_valid(&validator(), &shown);
    assert_eq!((&shown["status"], &shown["gross"]), (&"final".into(), &"5.95".into()));
    assert!(shown["issued_on"].is_string() && shown["finalized_at"].is_string(), "{shown:#}");
}

/// Rows of a CSV file, by column.
fn rows(text: &str) -> Vec<Object> {
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = |row: ::csv::StringRecord| header.iter().map(str::to_owned).zip(row.iter().map(Value::from)).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn cents(value: &Value) -> i64 {
    let text = value.as_str().unwrap();
    if text.is_empty() { 0 } else { text.replace('.', "").parse().unwrap() }
}

#[test]
fn rows_of_a_file_come_to_its_total() {
    for (name, invoice, issue) in documents() {
        let text = with(&invoice, issue.as_ref(), csv::file).unwrap();
        let rows = rows(&text);
        let (total, others) = rows.split_last().unwrap();
        assert_eq!((&total["kind"], &total["amount"]), (&"total".into(), &"".into()), "{name}");
        assert_eq!(cents(&total["total"]), invoice.gross().unwrap().0, "{name}");
        assert_eq!(others.iter().map(|row| cents(&row["amount"])).sum::<i64>(), invoice.gross().unwrap().0, "{name}");
        assert!(others.iter().all(|row| row["total"] == ""), "{name}");
        let net = others.iter().filter(|row| row["kind"] != "tax");
        assert_eq!(net.map(|row| cents(&row["amount"])).sum::<i64>(), invoice.net.0, "{name}");
        let number = issue.map_or("draft".to_owned(), |issue| issue.number);
        assert!(rows.iter().all(|row| row["invoice"] == *number), "{name}");
    }
}

/// New columns come last: scripts count on the place of these.
#[test]
fn columns_stay_where_they_are() {
    insta::assert_snapshot!(csv::HEADER.join(","), @r#"
    invoice,foundation,organization_guid,organization,space_guid,space,kind,app_guid,app,service_instance_guid,service_instance,service_offering,service_plan,buildpack,estimated,from,to,meter,quantity,unit_size,price,amount,part,used,granularity,document,issued_on,due_on,currency,list_price,discount,what,corrected_invoice,corrected_line,cause,before,after,tax_category,tax_percent,total,line
    "#);
}

#[test]
fn a_file_has_a_row_for_everything() {
    let (_, invoice, issue) = documents().remove(2);
    let text = with(&invoice, issue.as_ref(), csv::file).unwrap();
    let shown: Vec<String> = (rows(&text).iter())
        .map(|row| {
            let filled = row.iter().filter(|(_, value)| **value != *"").map(|(name, value)| {
                let value = value.as_str().unwrap();
                format!("{name}={value}")
            });
            filled.collect::<Vec<_>>().join(" ")
        })
        .collect();
    let interesting = [&shown[..2], &shown[shown.len() - 4..]].concat();
    insta::assert_snapshot!(interesting.join("\n"), @r#"
    amount=0.00 app=api app_guid=api-guid buildpack=go_buildpack currency=EUR discount=0.00 document=invoice due_on=2026-12-03 estimated=false foundation=eu1 from=2026-09-30T22:00:00Z invoice=CF-000007 issued_on=2026-11-03 kind=process line=1 list_price=0 meter=memory_gib_hour organization=acme organization_guid=acme-guid part=allowance first 100 GiB-hours price=0 quantity=117853135 space=live space_guid=live-guid to=2026-10-31T23:00:00Z unit_size=3686400 used=117853135 what=process api (go_buildpack)
    amount=9.92 app=api app_guid=api-guid buildpack=go_buildpack currency=EUR discount=-0.50 document=invoice due_on=2026-12-03 estimated=false foundation=eu1 from=2026-09-30T22:00:00Z invoice=CF-000007 issued_on=2026-11-03 kind=process line=2 list_price=0.0125 meter=memory_gib_hour organization=acme organization_guid=acme-guid part=whole price=0.01 quantity=3656098865 space=live space_guid=live-guid to=2026-10-31T23:00:00Z unit_size=3686400 used=3656098865 what=process api (go_buildpack)
    amount=-4.45 currency=EUR document=invoice due_on=2026-12-03 from=2026-09-30T22:00:00Z invoice=CF-000007 issued_on=2026-11-03 kind=discount part=partner discount to=2026-10-31T23:00:00Z
    after=11.25 amount=1.25 app=api app_guid=api-guid before=10.00 buildpack=go_buildpack cause=usage corrected_invoice=CF-000001 corrected_line=3 currency=EUR document=invoice due_on=2026-12-03 estimated=false foundation=eu1 from=2026-08-31T22:00:00Z invoice=CF-000007 issued_on=2026-11-03 kind=correction meter=memory_gib_hour organization=acme organization_guid=acme-guid price=0 quantity=368640000 space=live space_guid=live-guid to=2026-09-30T22:00:00Z unit_size=3686400 what=process api (go_buildpack)
    amount=16.29 currency=EUR document=invoice due_on=2026-12-03 from=2026-09-30T22:00:00Z invoice=CF-000007 issued_on=2026-11-03 kind=tax part=VAT tax_category=S tax_percent=19 to=2026-10-31T23:00:00Z
    currency=EUR document=invoice due_on=2026-12-03 invoice=CF-000007 issued_on=2026-11-03 kind=total total=102.05
    "#);
}

/// What was accepted, and why a month was held, is between the provider's people.
#[test]
fn no_document_has_the_providers_own_notes() {
    let look = Branding::default();
    let made = |document: &Document, issue: Option<&Issue>| {
        let subject = ToRender {
            document: document.by_ref(),
            issue,
            in_review: false,
            drafted_at: sample::drafted_at(),
            look: &look,
        };
        let mut documents: Vec<Vec<u8>> =
            Format::ALL.into_iter().filter_map(|format| make(format, &subject).ok()).collect();
        assert!(documents.len() > 3, "{}", documents.len());
        let mut focus = Vec::new();
        let mut writer = Writer::csv(&mut focus).unwrap();
        writer.write(&subject).unwrap();
        writer.finish().unwrap();
        documents.push(focus);
        documents
    };
    for (name, invoice, issue) in documents() {
        let Document::Invoice(mut noted) = invoice.clone() else { continue };
        noted.accepted = vec![
            "2 line(s) of usage have no price".to_owned(),
            "app events can't be read (gap eu1/8)".to_owned(),
            "usage is disputed".to_owned(),
        ];
        assert!(made(&noted.into(), issue.as_ref()) == made(&invoice, issue.as_ref()), "{name}");
    }
}

/// From the command line to the files, with what the book keeps beside them.
#[test]
fn what_was_accepted_and_held_is_in_the_book_alone() {
    let program = Program::with_all_documents();
    month::card(
        &program,
        "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[staging]]\nfree = true\n[[task]]\nfree = true\n",
    );
    month::import(&program, "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED\n00:00 s CREATED plan=db\n", "80d00:00");
    let october = |command: &str, more: &[&str]| {
        program.succeed(&[&["invoices", command, "--period", "2026-10", "--account", "f/o1"], more].concat())
    };
    program.succeed(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    october("hold", &["--reason", "Querulant"]);
    program.succeed(&["invoices", "export", "--period", "2026-10", "--drafts", "--format", "json", "--out", "drafts"]);
    october("release", &["--reason", "Querulant too"]);
    october("finalize", &["--rates", "card.toml", "--accept", "unpriced:f/o1"]);
    for format in ["pdf", "html", "csv", "json", "focus"] {
        program.succeed(&["invoices", "export", "--period", "2026-10", "--format", format, "--out", "out"]);
    }
    for folder in ["drafts", "out"] {
        let files: Vec<_> = std::fs::read_dir(program.folder.path().join(folder)).unwrap().collect();
        assert!(!files.is_empty());
        for file in files {
            let path = file.unwrap().path();
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).to_lowercase();
            for own in ["accept", "querulant", "\"held\"", "blockers", "have no price, such as"] {
                assert!(!text.contains(own), "{}: {own}", path.display());
            }
        }
    }
    let shown = program.json(&["invoices", "show", "CF-000001"]);
    assert!(shown["accepted"][0].as_str().unwrap().contains("have no price"), "{shown:#}");
}
