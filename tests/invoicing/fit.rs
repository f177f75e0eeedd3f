//! What the checks call good is made: codes, logos and files that people write are told before anything is final.

use std::fs;

use serde_json::Value;

use super::{configure, october, october_json};
use crate::support::customers::{CARD, CONFIGURATION, account, used_by_two};
use crate::support::program::Program;

/// Two accounts, one for each organization.
fn accounts() -> String {
    let of = |number: u8| {
        let more = format!("buyer_reference = \"ref-{number}\"\norganizations = [\"f/o{number}\"]");
        account(&format!("k{number}"), &format!("K{number}"), "DE987654321", &more)
    };
    [of(1), of(2)].concat()
}

fn write(program: &Program, file: &str, bytes: &[u8]) {
    fs::write(program.folder.path().join(file), bytes).unwrap();
}

fn program(configuration: &str, accounts: &str) -> Program {
    let program = Program::new();
    used_by_two(&program, configuration, accounts);
    program
}

const WITH: [&str; 2] = ["--config", "cf-billing.toml"];

fn finals(program: &Program) -> Vec<String> {
    let listed = program.json(&["invoices", "list", "--status", "final"]);
    listed.as_array().unwrap().iter().map(|one| one["account"].as_str().unwrap().to_owned()).collect()
}

/// The lines of `check` about one thing: verdict, and what is told.
fn checked(program: &Program, what: &str) -> Vec<(String, String)> {
    let output = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
    let lines: Value = serde_json::from_str(&output.stdout).unwrap();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let lines = lines.as_array().unwrap().iter().filter(|line| line["what"] == what);
    lines.map(|line| (text(line, "verdict"), format!("{} ({})", text(line, "detail"), text(line, "hint")))).collect()
}

#[test]
fn codes_of_the_seller_that_are_none_are_told_at_once_and_nothing_is_final() {
    let wrong = CONFIGURATION
        .replace("DE123456789\"\nseller_email", "USt-IdNr. DE12345\"\nseller_email")
        .replace("013000", "013001")
        .replace("COBADEFFXXX", "HELLO")
        .replace("9930:DE123456789", "9930:123456789");
    let program = program(&wrong, &accounts());
    let told = [
        "cf-billing.toml:10:17: `seller_vat_id`: `USt-IdNr. DE12345` is not a VAT id",
        "cf-billing.toml:14:29: `seller_electronic_address`: `123456789` is not an id of scheme 9930, the VAT ids of DE",
        "cf-billing.toml:15:15: `seller_iban`: `DE89370400440532013001` is not an IBAN",
        "cf-billing.toml:16:14: `seller_bic`: `HELLO` is not a BIC",
    ];
    let lines = checked(&program, "seller");
    assert_eq!(lines.len(), told.len(), "{lines:#?}");
    for ((verdict, line), told) in lines.iter().zip(told) {
        assert!(verdict == "fail" && line.starts_with(told), "{line}");
    }
    // Usage goes on being counted.
    assert_eq!(october_json(&program, "draft", &WITH).as_array().unwrap().len(), 2);
    let run = october(&program, "finalize", &WITH);
    assert_eq!(run.code, Some(1));
    let errors: Vec<&str> = run.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    assert_eq!(errors, told);
    assert!(run.stderr.contains("hint: write seller_electronic_address = \"9930:DE123456789\""), "{}", run.stderr);
    assert!(finals(&program).is_empty());
    configure(&program, CONFIGURATION);
    assert_eq!(checked(&program, "seller")[0].0, "ok");
    october_json(&program, "finalize", &WITH);
    assert_eq!(finals(&program), ["k1", "k2"]);
}

#[test]
fn codes_of_an_account_that_are_none_keep_its_invoices_alone_from_being_final() {
    let wrong = accounts()
        .replacen("country = \"DE\"", "country = \"GR\"", 1)
        .replacen("9930:DE987654321", "9933:GR123456789", 1)
        .replacen("DE987654321", "GR123456789", 1);
    let program = program(CONFIGURATION, &wrong);
    let told = [
        "accounts.toml:8:22: `electronic_address`: `GR123456789` is not an id of scheme 9933, the VAT ids of EL",
        "accounts.toml:9:10: `vat_id`: `GR123456789` is not a VAT id",
    ];
    let run = program.run(&["accounts", "check", "--config", "cf-billing.toml"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(
        run.stderr,
        format!(
            "error: {}\nhint: write electronic_address = \"9933:EL123456789\"\nerror: {}\nhint: write vat_id = \"EL123456789\"\n",
            told[0], told[1]
        )
    );
    let lines = checked(&program, "accounts");
    assert!(lines.len() == 2 && lines.iter().all(|(verdict, _)| verdict == "fail"), "{lines:#?}");
    assert_eq!(october_json(&program, "draft", &WITH).as_array().unwrap().len(), 2);
    let run = october(&program, "finalize", &WITH);
    assert_eq!(run.code, Some(1));
    let errors: Vec<&str> = run.stderr.lines().filter_map(|line| line.strip_prefix("error: K1: ")).collect();
    assert_eq!(errors, told);
    assert_eq!(finals(&program), ["k2"]);
    write(&program, "accounts.toml", wrong.replace("GR123456789", "EL123456789").as_bytes());
    program.succeed(&["accounts", "check", "--config", "cf-billing.toml"]);
    october_json(&program, "finalize", &WITH);
    assert_eq!(finals(&program), ["k1", "k2"]);
}

#[test]
fn a_vat_id_of_another_country_is_lawful_and_warned_of() {
    let swiss = accounts().replacen("country = \"DE\"", "country = \"CH\"", 1);
    let program = program(&CONFIGURATION.replace("seller_country = \"DE\"", "seller_country = \"AT\""), &swiss);
    let run = program.succeed(&["accounts", "check", "--config", "cf-billing.toml"]);
    insta::assert_snapshot!(run.stderr, @r"
    warning: accounts.toml:9:1: account `k1` is in CH, and its VAT id `DE987654321` is of another country
    hint: that is fine if it is registered for VAT there
    ");
    let lines = checked(&program, "seller");
    assert!(lines[0].0 == "warn" && lines[0].1.contains("is in AT, and its VAT id `DE123456789`"), "{lines:#?}");
    october_json(&program, "finalize", &WITH);
    assert_eq!(finals(&program).len(), 2);
}

/// Where both are in Germany, Peppol wants more of them.
#[test]
fn what_a_country_wants_of_e_invoices_is_told_by_the_checks() {
    let program = program(
        &CONFIGURATION.replace("seller_phone = \"+49 30 1234567\"\n", ""),
        &accounts().replace("buyer_reference = \"ref-1\"", "purchase_order = \"PO-1\""),
    );
    let run = program.succeed(&["accounts", "check", "--config", "cf-billing.toml"]);
    insta::assert_snapshot!(run.stderr, @r"
    warning: accounts.toml:1:1: an e-invoice of account `k1` needs the buyer's reference, as Peppol has it in Germany
    hint: set `buyer_reference` of account `k1` in the accounts file
    ");
    let lines = checked(&program, "e-invoices");
    let told = "an e-invoice needs the seller's phone, as Peppol has it in Germany (set `seller_phone` in `[billing]`)";
    assert_eq!(lines, [("warn".to_owned(), told.to_owned())]);
}

const SVG: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60"><image href="https://a.example/b.png"/><rect width="60" height="60" fill="#1f5f8b"/></svg>"##;

#[test]
fn a_logo_that_no_document_can_show_is_told_before_anything_is_final() {
    let program = program(&format!("{CONFIGURATION}seller_logo = \"logo\"\n"), &accounts());
    let png = b"\x89PNG\r\n\x1a\nand no picture".as_slice();
    for (logo, told) in [
        (&include_bytes!("../data/cmyk.jpg")[..], "CMYK"),
        (png, "the logo can't be printed"),
        (SVG.as_bytes(), "it links to `https://a.example/b.png`"),
        (b"GIF89a", "neither PNG nor JPEG nor SVG"),
    ] {
        write(&program, "logo", logo);
        let lines = checked(&program, "seller");
        assert!(lines.len() == 1 && lines[0].0 == "fail" && lines[0].1.contains(told), "{lines:#?}");
        assert_eq!(october_json(&program, "draft", &WITH).as_array().unwrap().len(), 2, "{told}");
        let run = october(&program, "finalize", &WITH);
        assert!(run.code == Some(1) && run.stderr.contains(told), "{}", run.stderr);
        assert!(finals(&program).is_empty());
    }
    write(&program, "logo", SVG.replace("<image href=\"https://a.example/b.png\"/>", "").as_bytes());
    assert_eq!(checked(&program, "seller")[0].0, "ok");
    october_json(&program, "finalize", &WITH);
    assert_eq!(finals(&program), ["k1", "k2"]);
}

/// As editors on Windows save files: with a byte order mark and CRLF. UTF-16 is refused by name.
#[test]
fn files_that_people_write_may_have_a_byte_order_mark() {
    let marked = |text: &str| [b"\xef\xbb\xbf".as_slice(), text.replace('\n', "\r\n").as_bytes()].concat();
    let utf16 = |text: &str| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let unpriced = CARD.replace("[[process]]\ninstance_hour", "[[process]]\norg = \"f/o2\"\ninstance_hour");
    let accept = "unpriced:k1\n";
    let accounts = accounts();
    for file in ["cf-billing.toml", "accounts.toml", "card.toml", "accept.txt"] {
        let program = program(CONFIGURATION, &accounts);
        let texts = [
            ("cf-billing.toml", CONFIGURATION),
            ("accounts.toml", &accounts),
            ("card.toml", &unpriced),
            ("accept.txt", accept),
        ];
        for (name, text) in texts {
            write(&program, name, &marked(text));
        }
        let text = texts.into_iter().find(|(name, _)| *name == file).unwrap().1;
        write(&program, file, &utf16(text));
        let finalize = ["--config", "cf-billing.toml", "--accept-from", "accept.txt"];
        let run = october(&program, "finalize", &finalize);
        assert_eq!(run.code, Some(if file == "accounts.toml" { 1 } else { 2 }), "{file}: {}", run.stderr);
        assert!(run.stderr.contains(file) && run.stderr.contains("it is UTF-16 text"), "{file}: {}", run.stderr);
        assert!(run.stderr.contains("hint: save the file as UTF-8"), "{file}: {}", run.stderr);
        write(&program, file, &marked(text));
        october_json(&program, "finalize", &finalize);
        assert_eq!(finals(&program), ["k1", "k2"], "{file}");
    }
}

crate::on_postgres! {
    codes_of_an_account_that_are_none_keep_its_invoices_alone_from_being_final,
    codes_of_the_seller_that_are_none_are_told_at_once_and_nothing_is_final,
}
