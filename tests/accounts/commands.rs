//! The commands, end to end.

use serde_json::Value;

use crate::support::month;
use crate::support::program::Program;

const CARD: &str = "name = \"test\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"1\"\n\
    [[staging]]\nfree = true\n[[task]]\nfree = true\n[[service]]\nfree = true\n";

fn write(program: &Program, file: &str, text: &str) {
    std::fs::write(program.folder.path().join(file), text).unwrap();
}

/// A ledger: October of three organizations in two foundations, one of which was left in August.
fn used(program: &Program) {
    let script = "01:00 p STARTED 1024x1 bp=ruby space=live org=shop\n11:00 p STOPPED 1024x1 space=live org=shop\n\
                  02:00 q STARTED 1024x2 space=test org=shop\n03:00 q STOPPED 1024x2 space=test org=shop\n\
                  02:00 r STARTED 1024x2 space=s2 org=other\n03:00 r STOPPED 1024x2 space=s2 org=other";
    month::import_into(
        program,
        "us1",
        "-60d01:00 p STARTED 1024x1 org=gone\n-60d11:00 p STOPPED 1024x1 org=gone",
        "1d00:00",
    );
    month::import_into(program, "eu1", script, "20d00:00");
    write(program, "card.toml", CARD);
    let configuration =
        "[billing]\ntime_zone = \"Europe/Berlin\"\naccounts = \"accounts.toml\"\nrates = \"card.toml\"\n";
    write(program, "cf-billing.toml", configuration);
}

const WHOLE: &str = r#"
[[account]]
id = "acme"
name = "ACME"
address = ["1 Street"]
postal_code = "1"
city = "City"
country = "DE"
electronic_address = "EM:a@acme.example"
buyer_reference = "x"
organizations = ["eu1/shop", "eu1/other"]
"#;

#[test]
fn check_is_quiet_where_all_is_well() {
    let program = Program::new();
    used(&program);
    write(&program, "accounts.toml", WHOLE);
    let run = program.succeed(&["accounts", "check", "--config", "cf-billing.toml"]);
    assert_eq!((&*run.stdout, &*run.stderr), ("accounts.toml: 1 account(s), 2 entries, good\n", ""));
    let all = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    let line = all.as_array().unwrap().iter().find(|line| line["what"] == "accounts").unwrap();
    assert_eq!(
        (&line["verdict"], &line["detail"]),
        (&"ok".into(), &"accounts.toml: 1 account(s), 0 warning(s)".into())
    );
}

#[test]
fn check_compares_with_ledger_and_card() {
    let program = Program::new();
    used(&program);
    let text = WHOLE.replace(
        "organizations = [\"eu1/shop\", \"eu1/other\"]",
        "organizations = [\"eu1/shpo\", \"eu2/x\"]\nspaces = [\"eu1/shop/live\", \"eu1/shop/tset\"]\nlabels = [\"eu1: a = b\"]",
    );
    write(&program, "accounts.toml", &text);
    let run = program.run(&["accounts", "check", "--config", "cf-billing.toml"]);
    assert_eq!((run.code, &*run.stdout), (Some(1), ""));
    insta::allow_duplicates! {
        insta::assert_snapshot!(run.stderr, @r#"
        warning: accounts.toml:11:30: the ledger has seen no foundation `eu2`
        hint: did you mean `eu1`?
        warning: accounts.toml:13:11: the ledger has seen no label or annotation `eu1: a = b`
        hint: that is fine if it will exist later; until then it has no effect
        warning: accounts.toml: org `eu1/other` is in no account: it is an account by itself, `eu1/other`
        hint: [[account]]
        id = "other"
        name = "other"
        organizations = ["eu1/other"]
        warning: accounts.toml: space `eu1/shop/test-name` is in no account
        hint: its org is an account by itself then; if that is wrong, give it to one with [[account.owns]]
        error: accounts.toml:11:18: neither usage nor Cloud Controller's lists know an org `eu1/shpo`
        hint: did you mean `eu1/shop`?
        error: accounts.toml:12:28: neither usage nor Cloud Controller's lists know a space `eu1/shop/tset`
        hint: did you mean `eu1/shop/test`?
        "#);
    }
    // What is to be pasted can be.
    let block = run.stderr.split("hint: [[account]]").nth(1).unwrap();
    let block: Vec<&str> = block.lines().take_while(|line| !line.starts_with("warning")).collect();
    write(
        &program,
        "accounts.toml",
        &format!("{WHOLE}\n[[account]]{}\n", block.join("\n")).replace(", \"eu1/other\"", ""),
    );
    let pasted = program.succeed(&["accounts", "check", "--config", "cf-billing.toml"]);
    assert!(!pasted.stderr.contains("in no account"), "{}", pasted.stderr);
    let listed = program.json(&["accounts", "check", "--config", "cf-billing.toml"]);
    assert_eq!(listed[0]["severity"], "warning");
    let all = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    let line = all.as_array().unwrap().iter().find(|line| line["what"] == "accounts").unwrap();
    assert_eq!((&line["verdict"], &line["hint"]), (&"warn".into(), &"`accounts check` lists them".into()));
}

#[test]
fn check_exits_1_on_errors() {
    let program = Program::new();
    used(&program);
    let check = |text: &str, more: &[&str]| {
        write(&program, "accounts.toml", text);
        program.run(&[&["accounts", "check", "--config", "cf-billing.toml"], more].concat())
    };
    let wrong = check(&WHOLE.replace("\"DE\"", "\"Germany\""), &[]);
    assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""));
    insta::allow_duplicates! {
        insta::assert_snapshot!(wrong.stderr, @"
        error: accounts.toml:8:11: `country`: `Germany` is not a country's code
        hint: use the two letters of ISO 3166-1, such as DE
        ");
    }
    let currency = check(&format!("{WHOLE}currency = \"CHF\"\n"), &[]);
    assert_eq!((currency.code, &*currency.stdout), (Some(1), ""));
    insta::allow_duplicates! {
        insta::assert_snapshot!(currency.stderr, @r#"
        error: accounts.toml:12:1: account `acme` pays in CHF, but the rate card is in EUR
        hint: nothing is converted: write currency = "EUR", or bill it by another card
        "#);
    }
    let csv = check(&WHOLE.replace("\"DE\"", "\"Germany\""), &["--format", "csv"]);
    assert_eq!((csv.code, &*csv.stderr), (Some(1), "error: the accounts have 1 error(s)\n"));
    insta::allow_duplicates! {
        insta::assert_snapshot!(csv.stdout, @r#"
        severity,file,line,message,hint
        error,accounts.toml,8,`country`: `Germany` is not a country's code,"use the two letters of ISO 3166-1, such as DE"
        "#);
    }
    let all = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    let line = all.as_array().unwrap().iter().find(|line| line["what"] == "accounts").unwrap();
    assert_eq!((&line["verdict"], line["hint"].is_string()), (&"fail".into(), true));
    // Drafts are made, and none of them becomes final.
    let october = |command| program.run(&["invoices", command, "--period", "2026-10", "--config", "cf-billing.toml"]);
    assert_eq!(october("draft").code, Some(0));
    let run = october("finalize");
    assert!(run.code == Some(1) && run.stderr.contains("accounts.toml:8:11: `country`"), "{}", run.stderr);
    // A file that can't be read whole says nothing of who pays.
    write(&program, "accounts.toml", &WHOLE.replace("city", "citty"));
    let draft = october("draft");
    assert!(draft.code == Some(1) && draft.stderr.contains("unknown key `citty`"), "{}", draft.stderr);
    for (arguments, told) in [
        (
            &["accounts", "check"][..],
            "error: no accounts file is given\nhint: set [billing] accounts, or give the file\n",
        ),
        (&["accounts", "list"], "error: no accounts file is given\nhint: set [billing] accounts, or give the file\n"),
        (&["accounts", "check", "none.toml"], "error: can't read the accounts `none.toml`: "),
    ] {
        let run = program.run(arguments);
        assert!(run.code == Some(2) && run.stderr.starts_with(told), "{arguments:?} {:?} {}", run.code, run.stderr);
    }
}

/// A name is mistyped, or of what is gone; a guid may be of what was just made.
#[test]
fn check_takes_a_name_that_nothing_has_for_an_error_and_a_guid_for_a_warning() {
    let program = Program::new();
    used(&program);
    let (guid, other) = ("0b35e9e2-1784-4881-9c4e-0deb1d51458c", "0b35e9e2-1784-4881-9c4e-0deb1d51458d");
    for (owned, severity) in [
        ("organizations = [\"eu1/shop\"]".to_owned(), None),
        ("organizations = [\"us1/gone\"]".to_owned(), None),
        ("spaces = [\"eu1/shop/test\"]".to_owned(), None),
        ("organizations = [\"us1/shop\"]".to_owned(), Some("error")),
        ("organizations = [\"eu1/Shop\"]".to_owned(), Some("error")),
        ("spaces = [\"eu1/shop/unknown\"]".to_owned(), Some("error")),
        ("spaces = [\"eu1/unknown/test\"]".to_owned(), Some("error")),
        (format!("spaces = [\"eu1/unknown/{guid}\"]"), Some("error")),
        (format!("organizations = [\"eu1/{guid}\"]"), Some("warning")),
        (format!("spaces = [\"eu1/{guid}\"]"), Some("warning")),
        (format!("spaces = [\"eu1/shop/{guid}\"]"), Some("warning")),
        (format!("spaces = [\"eu1/{other}/{guid}\"]"), Some("warning")),
        // A name of another org's space: what it means can't be told yet.
        ("spaces = [\"eu1/other/live\"]".to_owned(), Some("warning")),
        ("organizations = [\"eu9/shop\"]".to_owned(), Some("warning")),
        ("labels = [\"eu1: a = b\"]".to_owned(), Some("warning")),
    ] {
        let text = WHOLE.replace("organizations = [\"eu1/shop\", \"eu1/other\"]", &owned);
        write(&program, "accounts.toml", &text);
        let run = program.run(&["accounts", "check", "--config", "cf-billing.toml", "--format", "json"]);
        let problems: Value = serde_json::from_str(&run.stdout).unwrap();
        // Of others it is told that they are in no account.
        let told = problems.as_array().unwrap().iter().find(|problem| problem["line"] == 11);
        assert_eq!(told.map(|problem| problem["severity"].as_str().unwrap()), severity, "{owned}");
        assert_eq!(run.code, Some(i32::from(severity == Some("error"))), "{owned}");
    }
}

/// What one is by guid and the other by name, who is nobody's for a time, and spaces beside their org.
#[test]
fn check_tells_who_is_contested_and_who_is_left_out() {
    let program = Program::new();
    let guid = "0b35e9e2-1784-4881-9c4e-0deb1d51458c";
    let script = format!(
        "01:00 p STARTED 1024x1 space=live org=shop\n05:00 p STOPPED 1024x1 space=live org=shop\n\
         01:00 q STARTED 1024x1 space=test org=shop\n05:00 q STOPPED 1024x1 space=test org=shop\n\
         01:00 r STARTED 1024x1 space=s org={guid}\n05:00 r STOPPED 1024x1 space=s org={guid}"
    );
    month::import_into(&program, "eu1", &script, "20d00:00");
    let names = format!("UPDATE organization SET name = 'named' WHERE guid = '{guid}'");
    crate::support::database::execute(&program.database(), &names).unwrap();
    let account = |id: &str, owns: &str| format!("[[account]]\nid = \"{id}\"\nname = \"{id}\"\n{owns}\n");
    let text = [
        account("a", &format!("organizations = [\"eu1/{guid}\"]\nspaces = [\"eu1/shop/live\"]")),
        account("b", "organizations = [\"eu1/named\"]"),
        account("c", "[[account.owns]]\nspace = \"eu1/shop/test\"\nfrom = 2026-10-12\nto = 2026-10-13"),
    ];
    write(&program, "accounts.toml", &text.concat());
    let told = program.json(&["accounts", "check", "accounts.toml"]);
    let told: Vec<&str> = (told.as_array().unwrap().iter())
        .map(|problem| problem["message"].as_str().unwrap())
        .filter(|message| !message.contains("e-invoice"))
        .collect();
    insta::allow_duplicates! {
        insta::assert_snapshot!(told.join("\n"), @r"
        org `eu1/named` is account `a`'s by its guid (line 4), and `b`'s by its name
        space `eu1/shop/test-name` is in no account until 2026-10-12
        space `eu1/shop/test-name` is in no account from 2026-10-13 on
        ");
    }
}

#[test]
fn list_shows_what_is_whose_when() {
    let program = Program::without_database();
    let example = std::fs::read_to_string("deploy/accounts.toml").unwrap();
    write(&program, "accounts.toml", &example);
    write(&program, "cf-billing.toml", "[billing]\ntime_zone = \"Europe/Berlin\"\naccounts = \"accounts.toml\"\n");
    let list = |more: &[&str]| program.succeed(&[&["accounts", "list", "--config", "cf-billing.toml"], more].concat());
    insta::assert_snapshot!(list(&[]).stdout, @r"
     account    name            owns                                                     currency     tax      language   payment_days 
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     acme       ACME            org eu1/acme                                             EUR          S 19 %   de                   30 
                                org us1/acme-prod                                                                                      
                                label eu1: billing-account = acme                                                                      
                                org eu1/shop, from 2026-10-12                                                                          
     exemple    Exemple         space eu1/shop/incubator                                 the card's   AE       fr                   45 
                                org eu1/shop, until 2026-10-12                                                                         
                                space eu1/acme/handover, from 2026-11-01 to 2027-01-01                                                 
                                label eu1: cost-centre = 0815, from 2027-01-01                                                         
     platform   Platform team   org eu1/system                                           the card's   O        en                   30 
    ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    ");
    insta::assert_snapshot!(list(&["--format", "csv"]).stdout, @r"
    account,name,owns,what,from,to,currency,tax,language,payment_days
    acme,ACME,organization,eu1/acme,,,EUR,S 19 %,de,30
    acme,ACME,organization,us1/acme-prod,,,EUR,S 19 %,de,30
    acme,ACME,label,eu1: billing-account = acme,,,EUR,S 19 %,de,30
    acme,ACME,organization,eu1/shop,2026-10-11T22:00:00Z,,EUR,S 19 %,de,30
    exemple,Exemple,space,eu1/shop/incubator,,,,AE,fr,45
    exemple,Exemple,organization,eu1/shop,,2026-10-11T22:00:00Z,,AE,fr,45
    exemple,Exemple,space,eu1/acme/handover,2026-10-31T23:00:00Z,2026-12-31T23:00:00Z,,AE,fr,45
    exemple,Exemple,label,eu1: cost-centre = 0815,2026-12-31T23:00:00Z,,,AE,fr,45
    platform,Platform team,organization,eu1/system,,,,O,en,30
    ");
    insta::assert_snapshot!(list(&["--account", "exemple", "--format", "json"]).stdout, @r#"
    [
      {
        "account": "exemple",
        "name": "Exemple",
        "foundations": [
          "eu1"
        ],
        "owns": [
          {
            "foundation": "eu1",
            "space": "eu1/shop/incubator",
            "from": null,
            "to": null,
            "line": 61
          },
          {
            "foundation": "eu1",
            "organization": "eu1/shop",
            "from": null,
            "to": "2026-10-11T22:00:00Z",
            "line": 64
          },
          {
            "foundation": "eu1",
            "space": "eu1/acme/handover",
            "from": "2026-10-31T23:00:00Z",
            "to": "2026-12-31T23:00:00Z",
            "line": 68
          },
          {
            "foundation": "eu1",
            "label": "eu1: cost-centre = 0815",
            "from": "2026-12-31T23:00:00Z",
            "to": null,
            "line": 73
          }
        ],
        "buyer": {
          "legal_name": "Exemple SARL",
          "address": [
            "12 rue de l'Exemple"
          ],
          "postal_code": "75001",
          "city": "Paris",
          "region": null,
          "country": "FR",
          "vat_id": "FR12345678901",
          "tax_number": "123 456 789",
          "registration": null,
          "contact": null,
          "email": null,
          "phone": null,
          "electronic_address": "9957:FR12345678901"
        },
        "purchase_order": "2026-0815",
        "cost_centre": null,
        "buyer_reference": null,
        "currency": null,
        "payment_days": 45,
        "payment_terms": null,
        "tax": {
          "category": "AE",
          "percent": null,
          "exemption_reason": "Reverse charge"
        },
        "language": "fr",
        "group_by": [
          "org",
          "space"
        ],
        "lacks_for_e_invoice": []
      }
    ]
    "#);
    let unknown = program.run(&["accounts", "list", "accounts.toml", "--account", "acm"]);
    assert_eq!(unknown.code, Some(1));
    assert_eq!(unknown.stderr, "error: there is no account `acm`\nhint: there are: acme, exemple, platform\n");
}

crate::on_postgres! {
    check_is_quiet_where_all_is_well,
    check_compares_with_ledger_and_card,
    check_exits_1_on_errors,
    check_tells_who_is_contested_and_who_is_left_out,
}
