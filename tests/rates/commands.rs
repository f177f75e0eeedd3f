//! Cards as a provider meets them: `rates check|show|diff|what-if|schema`, and what a daemon makes of an edit.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::background::{Background, configure, eventually, signal, simulate, text};
use crate::support::month;
use crate::support::program::{Program, path};
use crate::support::schema;

const PAGE: &str = include_str!("../../docs/rate-cards.md");

/// The card in docs/rate-cards.md.
fn documented_card() -> String {
    let card = PAGE.split("<!-- card -->\n").nth(1).unwrap().split("<!-- end of card -->").next().unwrap();
    card.lines().map(|line| format!("{}\n", line.trim_start_matches("    "))).collect()
}

fn write(program: &Program, name: &str, text: &str) {
    let file = program.folder.path().join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// A month in which two orgs use what the card in docs/rate-cards.md names: 100 h of 1 GiB of each buildpack, a day of staging,
/// services.
fn used(program: &Program) {
    month::import_into(
        program,
        "eu1",
        "00:00 j STARTED 1024x1 app=java bp=java_buildpack org=acme
         00:00 g STARTED 1024x1 app=go bp=go_buildpack org=o2
         00:00 f STARTED 1024x2 app=files bp=staticfile_buildpack org=o2
         00:00 db CREATED plan=P org=o2
         10:00 go STAGING_STARTED org=o2
         10:10 go STAGING_STOPPED org=o2 bp=go_buildpack
         10d00:00 j STOPPED app=java org=acme
         10d00:00 g STOPPED app=go org=o2
         10d00:00 f STOPPED app=files org=o2",
        "30d00:00",
    );
}

#[test]
fn the_documented_card_is_good_and_five_mistakes_in_it_are_found_at_once() {
    let program = Program::without_database();
    let card = documented_card();
    write(&program, "my-card.toml", &card);
    let good = program.succeed(&["rates", "check", "my-card.toml"]);
    assert_eq!(good.stdout, "my card: 10 rates, 1 allowance in EUR, good\n");
    let mistakes = [
        ("memory_gib_hour = \"0.0060\"", "memory_gb_hour = \"0.0060\""),
        ("month = \"25\"", "month = 25"),
        ("multiplier = \"0.9\"", "multiplier = \"0.9\"\nfrom = 2026-13-01"),
        ("org = \"eu1/acme\"", "org = \"acme\""),
        ("meter = \"memory_gib_hour\"", "meter = \"cpu\""),
    ];
    let mut wrong = card;
    for (right, mistake) in mistakes {
        assert!(wrong.contains(right), "{right}");
        // The last one: `memory_gib_hour` alone is in many places.
        wrong = wrong.replacen(right, mistake, 1);
    }
    write(&program, "my-card.toml", &wrong.replace("from = 2026-13-01", "from = \"soon\""));
    let found = program.run(&["rates", "check", "my-card.toml"]);
    assert_eq!((found.code, &*found.stdout), (Some(2), ""));
    insta::assert_snapshot!(found.stderr, @r#"
    there is no ledger to compare with, so names aren't checked
    error: my-card.toml:15:1: unknown key `memory_gb_hour` in `process`
    hint: did you mean `memory_gib_hour`?
    error: my-card.toml:22:7: `org`: `acme` is not valid
    hint: write FOUNDATION/ORG, with the org's name or guid
    error: my-card.toml:24:8: `from`: `soon` is not a valid date or time
    hint: write a date (2026-10-01, midnight in UTC) or a time with its offset (2026-10-15T13:37:00+02:00)
    error: my-card.toml:36:9: `month` is the number 25, not a quoted decimal
    hint: quote it, so that it stays exact: month = "25"
    error: my-card.toml:49:9: `meter`: `cpu` is not valid
    hint: use `instance_hour`, `memory_gib_hour`, `disk_gib_hour`, `month` or `per_staging`
    "#);
    let listed = program.run(&["rates", "check", "my-card.toml", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed[0]["severity"], "error");
    assert_eq!(
        listed.as_array().unwrap().iter().filter(|problem| problem["line"].is_u64()).count(),
        listed.as_array().unwrap().len()
    );
}

#[test]
fn what_if_tells_what_the_last_month_would_have_cost() {
    let program = Program::new();
    used(&program);
    write(&program, "my-card.toml", &documented_card());
    write(
        &program,
        "old.toml",
        "name = \"old\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"0.01\"\n[[staging]]\nmemory_gib_hour = \"0.01\"\n[[service]]\ninstance_hour = \"0.01\"\n",
    );
    let what_if = ["rates", "what-if", "--card", "my-card.toml", "--rates", "old.toml", "--period", "2026-10"];
    let told = program.succeed(&what_if);
    // From the 10th on, old: everything at a cent an hour. New: acme 240 h of Java, of which 100 are free, at 0.0125 ×
    // 1.25 × 0.9 = 0.0140625: 1.97; o2 240 h of go and 480 h of files share 100 free, 206.667 h at 0.0125 are 2.58 and
    // 413.333 h at 0.006 are 2.48; the service 528 h at 0.05.
    insta::assert_snapshot!(told.stdout, @r"
     account      old     new   difference   percent 
    ─────────────────────────────────────────────────
     eu1/o2     12.48   31.46        18.98    +152.1 
     eu1/acme    2.40    1.97        -0.43     -17.9 
    ─────────────────────────────────────────────────

     org          old     new   difference   percent 
    ─────────────────────────────────────────────────
     eu1/o2     12.48   31.46        18.98    +152.1 
     eu1/acme    2.40    1.97        -0.43     -17.9 
    ─────────────────────────────────────────────────

     buildpack               old     new   difference   percent 
    ────────────────────────────────────────────────────────────
     none                   5.28   26.40        21.12    +400.0 
     staticfile_buildpack   4.80    2.48        -2.32     -48.3 
     java_buildpack         2.40    1.97        -0.43     -17.9 
     go_buildpack           2.40    2.58         0.18      +7.5 
    ────────────────────────────────────────────────────────────

     kind       old     new   difference   percent 
    ───────────────────────────────────────────────
     service   5.28   26.40        21.12    +400.0 
     process   9.60    7.03        -2.57     -26.8 
     staging   0.00    0.00         0.00         - 
    ───────────────────────────────────────────────

    2026-10 net: 14.88 EUR with the old card, 33.43 with the new one, 18.55 (+124.7 %)
    Nothing was written.
    ");
    insta::assert_snapshot!(told.stderr, @r"
    warning: old.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    ");
    let json = program.json(&what_if);
    let sum = |by: &str, key: &str| -> i64 {
        let cents = |row: &Value| row[key].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        json["by"][by].as_array().unwrap().iter().map(cents).sum()
    };
    for key in ["old", "new", "difference"] {
        let total = json[key].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        for by in ["account", "org", "buildpack", "kind"] {
            assert_eq!(sum(by, key), total, "{by} {key}");
        }
    }
    // By the same code as invoices.
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "my-card.toml"]);
    let nets: Vec<&str> = drafts.as_array().unwrap().iter().map(|draft| draft["net"].as_str().unwrap()).collect();
    let accounts = json["by"]["account"].as_array().unwrap();
    let mut news: Vec<&str> = accounts.iter().map(|row| row["new"].as_str().unwrap()).collect();
    let mut sorted = nets.clone();
    news.sort_unstable();
    sorted.sort_unstable();
    assert_eq!(news, sorted);
}

#[test]
fn what_if_writes_nothing() {
    let program = Program::new();
    used(&program);
    write(&program, "my-card.toml", &documented_card());
    let dump = || {
        let file = program.folder.path().join("book.jsonl");
        let _ = std::fs::remove_file(&file);
        program.succeed(&["ledger", "export", "--out", path(&file)]);
        std::fs::read(&file).unwrap()
    };
    let before = dump();
    program.succeed(&["rates", "what-if", "--card", "my-card.toml", "--rates", "my-card.toml", "--period", "2026-10"]);
    assert_eq!(dump(), before);
}

#[test]
fn show_tells_what_is_in_force_and_where_it_comes_from() {
    let program = Program::without_database();
    let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates/full.toml");
    let at = |at: &str| -> Vec<Value> {
        let shown = program.json(&["rates", "show", "--at", at, "--card", path(&card)]);
        shown["in_force"].as_array().unwrap().clone()
    };
    let price = |shown: &[Value], what: &str, key: &str| -> Value {
        let found = shown.iter().find(|row| row["what"] == what && row["key"] == key && row["whom"] == "everyone");
        json!([found.unwrap()["value"], found.unwrap()["steps"]])
    };
    let (before, after) = (at("2026-10-15T11:36:59Z"), at("2026-10-15T11:37:00Z"));
    assert_eq!(price(&before, "process", "memory_gib_hour"), json!(["0.0125", ""]));
    assert_eq!(price(&after, "process", "memory_gib_hour"), json!(["0.012", ""]));
    let line = |shown: &[Value]| shown.iter().find(|row| row["what"] == "process").unwrap()["place"].clone();
    let derived = price(&after, "process, buildpack java_buildpack", "memory_gib_hour");
    assert_eq!(derived, json!(["0.015", format!("0.012 × 1.25 ({})", line(&after).as_str().unwrap())]));
    let table = program.succeed(&["rates", "show", "--at", "2026-10-01", "--card", path(&card)]).stdout;
    assert!(table.starts_with("full at 2026-10-01T00:00:00Z: prices in EUR, amounts rounded half_up\n"), "{table}");
    for what in ["allowance of process", "discount", "minimum", "commitment", "tax", "graduated: 0.21 up to 1000"] {
        assert!(table.contains(what), "{what}\n{table}");
    }
    assert_eq!(at("2025-12-31T23:59:59Z"), Vec::<Value>::new(), "before anything is in force");
}

#[test]
fn diff_tells_what_changes_for_whom_and_from_when() {
    let program = Program::without_database();
    let head = "name = \"x\"\ncurrency = \"EUR\"\n";
    write(
        &program,
        "a.toml",
        &format!(
            "{head}[[process]]\nmemory_gib_hour = \"0.01\"\n[[task]]\nfree = true\n[[process]]\nfrom = 2026-06-01\nmemory_gib_hour = \"0.02\"\n"
        ),
    );
    write(
        &program,
        "b.toml",
        &format!(
            "{head}rounding = \"up\"\n[[process]]\nmemory_gib_hour = \"0.01\"\n[[process]]\nfrom = 2026-06-01\nmemory_gib_hour = \"0.02\"\n\
             [[process]]\nfrom = 2027-01-01\nmemory_gib_hour = \"0.03\"\n[[process]]\norg = \"eu1/acme\"\nfrom = 2027-01-01\nto = 2027-02-01\nmultiplier = \"0.5\"\n\
             [[tax]]\nfrom = 2027-01-01\npercent = \"19\"\n"
        ),
    );
    let told = program.succeed(&["rates", "diff", "a.toml", "b.toml"]);
    insta::assert_snapshot!(told.stdout, @r"
     from                   to                     what      whom           key                before        after   place     
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     always                 -                      card      everyone       rounding          half_up           up             
     always                 -                      task      everyone       free                 true            -   a.toml:5  
     2027-01-01T00:00:00Z   -                      process   everyone       memory_gib_hour      0.02         0.03   b.toml:9  
     2027-01-01T00:00:00Z   2027-02-01T00:00:00Z   process   org eu1/acme   multiplier              -          0.5   b.toml:12 
     2027-01-01T00:00:00Z   -                      tax       everyone       percent                 -   VAT 19 (S)   b.toml:17 
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    ");
    assert_eq!(program.succeed(&["rates", "diff", "a.toml", "a.toml"]).stdout, "nothing changes\n");
    let changes = program.json(&["rates", "diff", "a.toml", "b.toml"]);
    assert_eq!(changes.as_array().unwrap().len(), 5);
}

#[test]
fn names_are_compared_with_the_ledger() {
    let program = Program::new();
    used(&program);
    let card = "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"0.01\"\n[[process]]\nbuildpack = \"java_buildpak\"\nmultiplier = \"2\"\n\
                [[process]]\nbuildpack = \"go_buildpack\"\nmultiplier = \"2\"\n[[process]]\nbuildpack_pattern = \"https://*\"\nmultiplier = \"2\"\n\
                [[process]]\nbuildpack_pattern = \"go*\"\nmultiplier = \"2\"\n[[process]]\norg = \"eu1/acme\"\nmultiplier = \"2\"\n[[process]]\norg = \"eu1/acmee\"\nmultiplier = \"2\"\n\
                [[process]]\naccount = \"eu1/o2\"\nmultiplier = \"2\"\n[[service]]\nplan_guid = \"P\"\nfree = true\n[[service]]\nplan_guid = \"Q\"\nfree = true\n";
    write(&program, "card.toml", card);
    let checked = program.succeed(&["rates", "check", "card.toml"]);
    assert_eq!(checked.stdout, "x: 10 rates in EUR, usable, with 7 warning(s)\n");
    insta::assert_snapshot!(checked.stderr, @r"
    warning: card.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    warning: card.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    warning: card.toml:5:1: the ledger has seen no buildpack `java_buildpak`
    hint: did you mean `java_buildpack`?
    warning: card.toml:11:1: the ledger has seen no buildpack like `https://*`
    hint: that is fine if it will exist later; until then it has no effect
    warning: card.toml:20:1: the ledger has seen no org `eu1/acmee`
    hint: did you mean `eu1/acme`?
    warning: card.toml:26:1: no `service` rate is for everything; usage that none of them covers will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    warning: card.toml:29:1: the ledger has seen no plan `Q`
    hint: did you mean `P`?
    ");
}

/// A price change in the middle of a minute that no month begins with.
#[test]
fn a_price_change_splits_a_running_interval_on_the_invoice() {
    let program = Program::new();
    month::import(&program, "10:00 p STARTED 1024x1 app=shop", "30d00:00");
    let card = "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"0.01\"\n[[process]]\nfrom = 2026-10-15T13:37:00+02:00\nmemory_gib_hour = \"0.02\"\n";
    write(&program, "card.toml", card);
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    let shown = program.json(&["invoices", "show", &drafts[0]["id"].to_string()]);
    let lines: Vec<Value> = (shown["lines"].as_array().unwrap().iter())
        .map(|line| json!([line["from"], line["to"], line["quantity"], line["price"], line["amount"]]))
        .collect();
    // From the 10th, 10:00, to the 15th, 11:37: 121 h 37 min; then to the end of the month: 396 h 23 min.
    assert_eq!(
        lines,
        [
            json!(["2026-10-01T00:00:00Z", "2026-10-15T11:37:00Z", (121 * 3600 + 37 * 60) * 1024, "0.01", "1.22"]),
            json!(["2026-10-15T11:37:00Z", "2026-11-01T00:00:00Z", (396 * 3600 + 23 * 60) * 1024, "0.02", "7.93"]),
        ]
    );
}

/// Allowances, discounts, minimums and tax are on the invoice, in every form it is shown in, and stay once it is final.
#[test]
fn everything_a_card_says_is_on_the_invoice() {
    let program = Program::new();
    used(&program);
    let card = format!(
        "{}[[discount]]\nname = \"launch\"\npercent = \"10\"\n[[minimum]]\nname = \"minimum charge\"\namount = \"50\"\n[[tax]]\npercent = \"19\"\n",
        documented_card()
    );
    write(&program, "card.toml", &card);
    let account = ["--period", "2026-10", "--rates", "card.toml", "--account", "eu1/o2"];
    let drafts = program.json(&[&["invoices", "draft"], &account[..]].concat());
    let id = drafts[0]["id"].to_string();
    let draft = program.json(&["invoices", "show", &id]);
    let finals = program.json(&[&["invoices", "finalize"], &account[..]].concat());
    let number = finals[0]["number"].as_str().unwrap().to_owned();
    let shown = program.json(&["invoices", "show", &number]);
    for key in ["lines", "adjustments", "net", "tax", "gross"] {
        assert_eq!(shown[key], draft[key], "{key}");
    }
    assert!(program.succeed(&["ledger", "verify"]).stdout.contains("CF"), "the chain has it");
    let table = program.succeed(&["invoices", "show", &number]).stdout;
    // Issued today.
    let table: Vec<&str> = table.lines().filter(|line| !line.starts_with("Issued ")).collect();
    insta::assert_snapshot!(table.join("\n"), @r"
    Invoice CF-000001
    For      - (eu1/o2)
    Period   2026-10 in UTC: 2026-10-01T00:00:00Z to 2026-11-01T00:00:00Z
     line   space     for                                                         from   quantity   unit                price   amount 
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        1   s1-name   process files (staticfile_buildpack), first 100 GiB-hours            66.667   GiB-hours memory        0     0.00 
        2   s1-name   process files (staticfile_buildpack)                                413.333   GiB-hours memory    0.006     2.48 
        3   s1-name   process go (go_buildpack), first 100 GiB-hours                       33.333   GiB-hours memory        0     0.00 
        4   s1-name   process go (go_buildpack)                                           206.667   GiB-hours memory   0.0125     2.58 
        5   s1-name   service db (offering P)                                             528.000   instance-hours       0.05    26.40 
        6   s1-name   staging go (go_buildpack)                                             0.167   GiB-hours memory   0.0125     0.00 
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    Lines    31.46 EUR
    launch, 10 % of 31.46: -3.15
    minimum charge, filled up from 28.31: 21.69
    Net      50.00 EUR
    VAT 19 % (S)  9.50 EUR
    To pay   59.50 EUR
    ");
    let csv = program.succeed(&["invoices", "show", &number, "--format", "csv"]).stdout;
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let column = rows.headers().unwrap().iter().position(|name| name == "amount").unwrap();
    let cents = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
    let sum: i64 = rows.records().map(|row| cents(&row.unwrap()[column])).sum();
    assert_eq!(sum, cents(shown["net"].as_str().unwrap()), "the rows add up to the net");
}

#[test]
fn an_edit_of_what_is_invoiced_is_refused() {
    let program = Program::new();
    used(&program);
    let card = "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"0.01\"\n[[staging]]\nfree = true\n[[service]]\nfree = true\n";
    write(&program, "card.toml", card);
    let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml", "--account", "eu1/o2"];
    program.succeed(&finalize);
    let draft = ["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"];
    // Another price for October.
    write(&program, "card.toml", &card.replace("0.01", "0.02"));
    let refused = program.run(&draft);
    assert_eq!((refused.code, &*refused.stdout), (Some(2), ""));
    insta::assert_snapshot!(refused.stderr, @r"
    warning: card.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    error: card.toml:3:1: `memory_gib_hour` of process would be 0.02 instead of 0.01 in 2026-10, invoiced as CF-000001
    hint: leave the block as it was, and add one with `from = 2026-11-01T00:00:00Z` or later; correct wrong invoices by credit notes
    ");
    for command in
        [&["invoices", "finalize", "--period", "2026-11", "--rates", "card.toml"][..], &["rates", "check", "card.toml"]]
    {
        let also = program.run(command);
        assert_eq!(also.code, Some(2), "{command:?}");
        assert!(
            also.stderr.contains("`memory_gib_hour` of process would be 0.02 instead of 0.01 in 2026-10"),
            "{}",
            also.stderr
        );
    }
    write(
        &program,
        "cf-billing.toml",
        &format!("[database]\nurl = \"{}\"\n[billing]\nrates = \"card.toml\"\n", program.database()),
    );
    let preflight = program.run(&["check", "--config", "cf-billing.toml"]);
    assert_eq!(preflight.code, Some(1));
    assert!(preflight.stdout.contains("would be 0.02 instead of 0.01 in 2026-10"), "{}", preflight.stdout);
    // The ways out: a block with a later date, or for someone who has no invoice yet.
    write(&program, "card.toml", &format!("{card}[[process]]\nfrom = 2026-11-01\nmemory_gib_hour = \"0.02\"\n"));
    program.succeed(&draft);
    write(&program, "card.toml", &format!("{card}[[process]]\norg = \"eu1/acme\"\nmemory_gib_hour = \"0.02\"\n"));
    program.succeed(&draft);
    // … but not for someone who has.
    write(&program, "card.toml", &format!("{card}[[process]]\norg = \"eu1/o2\"\nmemory_gib_hour = \"0.02\"\n"));
    let refused = program.run(&draft);
    assert!(
        refused.stderr.contains("for org eu1/o2 would be 0.02 instead of nothing in 2026-10"),
        "{}",
        refused.stderr
    );
    // A second before November is October.
    write(
        &program,
        "card.toml",
        &format!("{card}[[process]]\nfrom = 2026-10-31T23:59:59Z\nmemory_gib_hour = \"0.02\"\n"),
    );
    assert_eq!(program.run(&draft).code, Some(2));
}

#[test]
fn a_folder_of_files_is_a_card_and_kept_whole() {
    let program = Program::new();
    used(&program);
    let file = |from: &str, price: &str| {
        format!(
            "name = \"x\"\ncurrency = \"EUR\"\n{from}[[process]]\nmemory_gib_hour = \"{price}\"\n[[staging]]\nfree = true\n[[service]]\nfree = true\n"
        )
    };
    write(&program, "card/2026.toml", &file("", "0.01"));
    write(&program, "card/notes.txt", "not a card");
    let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", "card", "--account", "eu1/o2"];
    let finals = program.json(&finalize);
    write(&program, "card/2027.toml", &file("from = 2027-01-01\n", "0.02"));
    program.succeed(&["invoices", "draft", "--period", "2026-10", "--rates", "card"]);
    // What is kept of several files can be read again: another price for October is still found.
    write(&program, "card/2027.toml", &file("from = 2026-10-20\n", "0.02"));
    let refused = program.run(&["invoices", "draft", "--period", "2026-10", "--rates", "card"]);
    assert!(refused.stderr.contains("card/2027.toml:4"), "{}", refused.stderr);
    assert_eq!(finals[0]["status"], "final");
    write(&program, "card/2027.toml", "name = 3\n");
    let wrong = program.run(&["rates", "check", "card"]);
    assert!(wrong.stderr.contains("card/2027.toml:1:8: `name` is not text"), "{}", wrong.stderr);
}

/// Both ways to have a card read again, and a card that is refused.
#[test]
fn a_daemon_reads_its_card_again_whole_or_not_at_all() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    let card = |price: &str| {
        format!(
            "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = {price}\n[[process]]\nfrom = 2099-01-01\nmemory_gib_hour = \"9\"\n"
        )
    };
    write(&program, "card.toml", &card("\"0.01\""));
    configure(&program, &api, "[billing]\nrates = \"card.toml\"\n");
    let daemon = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    let url = daemon.url();
    let metric = |name: &str| -> Option<String> {
        let metrics = text(&format!("{url}/metrics"));
        let line = metrics.lines().find(|line| line.starts_with(&format!("cf_billing_{name}")))?;
        Some(line.rsplit(' ').next()?.to_owned())
    };
    let version = || {
        let metrics = text(&format!("{url}/metrics"));
        metrics.lines().find(|line| line.starts_with("cf_billing_rate_card_info{")).map(str::to_owned)
    };
    let first = eventually(|| daemon.log(), version);
    assert_eq!(metric("rate_card_last_reload_successful").as_deref(), Some("1"));
    assert_eq!(metric("rate_card_next_effective_timestamp_seconds").as_deref(), Some("4070908800"));
    // A change of the file is seen by itself.
    write(&program, "card.toml", &card("\"0.02\""));
    let second = eventually(|| daemon.log(), || version().filter(|version| *version != first));
    // A card with an error is refused, and the one before stays.
    write(&program, "card.toml", &card("0.03"));
    signal(&daemon.child, "HUP");
    eventually(|| daemon.log(), || (metric("rate_card_last_reload_successful")? == "0").then_some(()));
    daemon.says("`memory_gib_hour` is the number 0.03, not a quoted decimal");
    assert_eq!(version(), Some(second));
    // Mended.
    write(&program, "card.toml", &card("\"0.03\""));
    signal(&daemon.child, "HUP");
    eventually(|| daemon.log(), || (metric("rate_card_last_reload_successful")? == "1").then_some(()));
    let (code, _, log) = daemon.end("TERM");
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn the_schema_is_made_from_the_code_and_the_example_cards_keep_to_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let schema = schema::kept(&["rates", "schema"], &folder.join("rate-card.schema.json"));
    let mut cards = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("#:schema ./rate-card.schema.json\n"), "{}", file.display());
            assert_eq!(schema::errors(&schema, &text), Vec::<String>::new(), "{}", file.display());
            cards += 1;
        }
    }
    assert_eq!(cards, 4);
    assert_eq!(schema::errors(&schema, &documented_card()), Vec::<String>::new());
    let head = "name = \"x\"\ncurrency = \"EUR\"\n";
    for wrong in [
        "[[process]]\nmemory_gb_hour = \"1\"\n",
        "[[process]]\nmemory_gib_hour = 0.5\n",
        "[[process]]\nmemory_gib_hour = \"-1\"\n",
        "[[process]]\nfree = false\n",
        "[[process]]\nmemory_gib_hour = { price = \"1\" }\n",
        "[[staging]]\nminimum_seconds = 0\nper_staging = \"1\"\n",
        "[[process]]\ngranularity = { round = \"up\" }\nmemory_gib_hour = \"1\"\n",
        "[[allowance]]\nkind = \"process\"\nmeter = \"memory_gib_hour\"\n",
        "[[service]]\nmemory_gib_hour = \"1\"\n",
        "rounding = \"sideways\"\n",
        "prices = 1\n",
    ] {
        assert_ne!(schema::errors(&schema, &format!("{head}{wrong}")), Vec::<String>::new(), "{wrong}");
    }
    assert_ne!(schema::errors(&schema, "name = \"x\"\n"), Vec::<String>::new());
}

/// A final invoice of a commitment alone is an invoice: what is given to its account later pays for itself.
#[test]
fn nothing_is_billed_to_nobody_beside_a_commitment() {
    let program = Program::new();
    used(&program);
    let card = "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"1\"\n[[staging]]\nfree = true\n[[task]]\nfree = true\n[[service]]\nfree = true\n\
                [[commitment]]\naccount = \"big\"\namount = \"200\"\n";
    write(&program, "card.toml", card);
    let configure = |organization: &str| {
        write(
            &program,
            "accounts.toml",
            &format!("[[account]]\nid = \"big\"\nname = \"Big\"\norganizations = [\"eu1/{organization}\"]\n"),
        );
        write(
            &program,
            "cf-billing.toml",
            &format!(
                "[database]\nurl = \"{}\"\n[billing]\nrates = \"card.toml\"\naccounts = \"accounts.toml\"\n",
                program.database()
            ),
        );
    };
    configure("idle");
    let command = |name: &str, account: &[&str]| {
        program.json(&[&["--config", "cf-billing.toml", "invoices", name, "--period", "2026-10"], account].concat())
    };
    let drafts = command("draft", &[]);
    let nets: Vec<(&str, &str)> = (drafts.as_array().unwrap().iter())
        .map(|draft| (draft["account"].as_str().unwrap(), draft["net"].as_str().unwrap()))
        .collect();
    assert_eq!(nets, [("big", "200.00"), ("eu1/acme", "240.00"), ("eu1/o2", "720.00")]);
    command("finalize", &["--account", "big"]);
    configure("acme");
    let drafts = command("draft", &[]);
    let accounts: Vec<&str> =
        drafts.as_array().unwrap().iter().map(|draft| draft["account"].as_str().unwrap()).collect();
    assert_eq!(accounts, ["eu1/acme", "eu1/o2"], "acme pays for itself in a month that is invoiced");
}

/// A minimum for everyone is for everyone who used something that has a price or lacks one.
#[test]
fn a_minimum_makes_no_invoice_of_nothing() {
    let program = Program::new();
    month::import_into(
        &program,
        "eu1",
        "00:00 p STARTED 512x0 app=a org=none\n 00:00 q STARTED 512x1 app=b org=some\n 00:00 u CREATED user-provided org=brought",
        "30d00:00",
    );
    write(
        &program,
        "card.toml",
        "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"0\"\n[[service]]\norg = \"eu1/else\"\nuser_provided = true\ninstance_hour = \"1\"\n[[minimum]]\namount = \"5\"\n",
    );
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    let nets: Vec<&Value> =
        drafts.as_array().unwrap().iter().flat_map(|draft| [&draft["account"], &draft["net"]]).collect();
    assert_eq!(nets, ["eu1/some", "5.00"]);
}

/// Editors keep locks and backups beside what they edit; and what is half written isn't a card yet.
#[test]
fn what_lies_beside_a_cards_files_is_no_card() {
    let program = Program::without_database();
    write(&program, "card/a.toml", &documented_card());
    std::os::unix::fs::symlink("nobody@nowhere", program.folder.path().join("card/.#a.toml")).unwrap();
    write(&program, "card/.hidden.toml", "not = a card");
    std::fs::create_dir(program.folder.path().join("card/folder.toml")).unwrap();
    assert!(program.succeed(&["rates", "check", "card"]).stdout.ends_with("good\n"));
}

/// Many agreements make no card slow, and no false alarms.
#[test]
fn many_agreements_are_no_trouble() {
    let program = Program::without_database();
    let mut card = documented_card();
    for number in 0..200 {
        card += &format!(
            "[[process]]\norg = \"eu1/org-{number}\"\nmultiplier = \"0.95\"\nsurcharge = {{ memory_gib_hour = \"0.000{number}\" }}\n"
        );
        card += &format!(
            "[[process]]\nbuildpack_pattern = \"https://git.example.org/team-{number:03}/*\"\nmultiplier = \"0.95\"\n"
        );
    }
    write(&program, "card.toml", &card);
    let checked = program.succeed(&["rates", "check", "card.toml"]);
    assert_eq!(checked.stdout, "my card: 410 rates, 1 allowance in EUR, good\n");
}

/// Another card, where an edit is meant: some of its changes, how many more, and the way out.
#[test]
fn another_card_in_place_of_the_one_in_use_is_told_in_few_words() {
    let program = Program::new();
    used(&program);
    write(&program, "card.toml", &documented_card());
    program.succeed(&["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml", "--account", "eu1/o2"]);
    let other = documented_card().replace("0.0125", "0.02").replace("0.0060", "0.01").replace("\"0.05\"", "\"0.06\"");
    write(
        &program,
        "other.toml",
        &other.replace("minimum_seconds = 60", "minimum_seconds = 61").replace("\"100\"", "\"99\""),
    );
    let checked = program.run(&["rates", "check", "other.toml"]);
    assert_eq!(checked.code, Some(2));
    insta::assert_snapshot!(checked.stderr, @r"
    warning: other.toml:17:1: the ledger has seen no buildpack like `https://*`
    hint: that is fine if it will exist later; until then it has no effect
    warning: other.toml:32:1: the ledger has seen no offering `postgres`
    hint: that is fine if it will exist later; until then it has no effect
    warning: other.toml:37:1: the ledger has seen no offering `postgres`
    hint: that is fine if it will exist later; until then it has no effect
    error: other.toml:45:1: `amount` of allowance of process memory_gib_hour would be 99 per org instead of 100 per org in 2026-10, invoiced as CF-000001
    hint: leave the block as it was, and add one with `from = 2026-11-01T00:00:00Z` or later; correct wrong invoices by credit notes
    error: other.toml:6:1: `memory_gib_hour` of process would be 0.02 instead of 0.0125 in 2026-10, invoiced as CF-000001
    hint: leave the block as it was, and add one with `from = 2026-11-01T00:00:00Z` or later; correct wrong invoices by credit notes
    error: other.toml:13:1: `memory_gib_hour` of process, buildpack staticfile_buildpack would be 0.01 instead of 0.006 in 2026-10, invoiced as CF-000001
    hint: leave the block as it was, and add one with `from = 2026-11-01T00:00:00Z` or later; correct wrong invoices by credit notes
    error: other.toml:42:1: `instance_hour` of service would be 0.06 instead of 0.05 in 2026-10, invoiced as CF-000001
    hint: leave the block as it was, and add one with `from = 2026-11-01T00:00:00Z` or later; correct wrong invoices by credit notes
    error: other.toml:25:1: `memory_gib_hour` of staging would be 0.02 instead of 0.0125 in 2026-10, invoiced as CF-000001
    hint: leave the block as it was, and add one with `from = 2026-11-01T00:00:00Z` or later; correct wrong invoices by credit notes
    error: 1 more change(s) to what is already invoiced
    hint: keep the card in use as it is, and put the new prices in a second file with a later `from`: the files of a folder are one card. `rates diff` shows every change
    ");
    let all = program.run(&["rates", "check", "other.toml", "--format", "json"]);
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    assert_eq!(all.as_array().unwrap().iter().filter(|problem| problem["severity"] == "error").count(), 6);
    // A file beside it, from November on, is the way out.
    write(&program, "both/1.toml", &documented_card());
    write(&program, "both/2.toml", &other.replace("from = 2026-01-01", "from = 2026-11-01"));
    program.succeed(&["invoices", "draft", "--period", "2026-10", "--rates", "both"]);
}
