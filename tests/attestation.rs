//! What an auditor keeps elsewhere shows that nothing was rewritten, by whomever: also one who computes every hash anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::ledger::{book, tamper};
use crate::support::collected::{Collected, caught_up};
use crate::support::program::{Program, path};
use crate::support::tool::tool;

/// Keys made by OpenSSL, in the folder of a program.
struct Keys {
    private: PathBuf,
    public: PathBuf,
}

impl Keys {
    fn new(program: &Program, name: &str, algorithm: &[&str]) -> Self {
        let file = |ending: &str| program.folder.path().join(format!("{name}.{ending}"));
        let (private, public) = (file("key"), file("pub"));
        let made = [&["genpkey", "-algorithm"], algorithm, &["-out", path(&private)]].concat();
        for arguments in [&made[..], &["pkey", "-in", path(&private), "-pubout", "-out", path(&public)]] {
            let (good, said) = tool("openssl", arguments, "");
            assert!(good, "{said}");
        }
        Self { private, public }
    }
}

fn attest(collected: &Collected, keys: &Keys, name: &str) -> PathBuf {
    let out = collected.program().folder.path().join(name);
    let told = collected.program().succeed(&["ledger", "attest", "--key", path(&keys.private), "--out", path(&out)]);
    assert!(told.stderr.contains("3 chain(s) attested"), "{}", told.stderr);
    out
}

fn verify(program: &Program, attested: &Path, key: &Path) -> (Option<i32>, String) {
    let run = program.run(&["ledger", "verify", "--against", path(attested), "--public-key", path(key)]);
    (run.code, run.stderr)
}

#[test]
fn a_book_that_went_on_is_as_it_was_attested_and_openssl_checks_the_signature() {
    let mut collected = book(610);
    let keys = Keys::new(collected.program(), "attest", &["ed25519"]);
    let attested = attest(&collected, &keys, "attested.json");
    let signature = format!("{}.sig", attested.display());
    let check = ["pkeyutl", "-verify", "-pubin", "-inkey", path(&keys.public), "-rawin", "-in", path(&attested)];
    let (good, said) = tool("openssl", &[&check[..], &["-sigfile", &signature]].concat(), "");
    assert!(good && said.contains("Verified Successfully"), "{said}");

    let text: Value = serde_json::from_slice(&std::fs::read(&attested).unwrap()).unwrap();
    let verified = collected.program().json(&["ledger", "verify"]);
    assert_eq!(text["chains"][0]["chain"], "foundation/sim");
    assert_eq!(text["chains"][0]["through"], collected.head().last_sequence);
    assert_eq!(text["chains"][0]["digest"], verified[0]["last"]);
    assert_eq!(text["chains"][1]["digest"], verified[1]["last"]);

    for _ in 0..5 {
        collected.act(1800, 3);
        caught_up(collected.cycle());
    }
    let (code, said) = verify(collected.program(), &attested, &keys.public);
    assert_eq!(code, Some(0), "{said}");
    let input = text["chains"][0]["through"].as_u64().unwrap();
    assert!(said.contains(&format!("foundation/sim: its link at input {input} is as it was attested at ")), "{said}");
    assert!(said.contains("invoices/CF: its link at invoice "), "{said}");
    // Without a key it is compared all the same, and said that nobody's word is checked.
    let run = collected.program().succeed(&["ledger", "verify", "--against", path(&attested)]);
    assert!(run.stderr.contains("its signature isn't checked"), "{}", run.stderr);
}

#[test]
fn another_signature_a_changed_file_and_another_kind_of_key_are_refused() {
    let collected = book(616);
    let program = collected.program();
    let (keys, other) = (Keys::new(program, "attest", &["ed25519"]), Keys::new(program, "other", &["ed25519"]));
    let attested = attest(&collected, &keys, "attested.json");
    let (code, said) = verify(program, &attested, &other.public);
    assert!(code == Some(1) && said.contains("the signature isn't that of"), "{said}");
    let text = std::fs::read_to_string(&attested).unwrap();
    std::fs::write(&attested, text.replacen("cf-billing 0", "cf-billing 1", 1)).unwrap();
    let (code, said) = verify(program, &attested, &keys.public);
    assert!(code == Some(1) && said.contains("the signature isn't that of"), "{said}");
    let wrong = Keys::new(program, "rsa", &["rsa", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let (code, said) = verify(program, &attested, &wrong.public);
    assert!(code == Some(1) && said.contains("this isn't an Ed25519 public key"), "{said}");
    let out = program.folder.path().join("unwritten.json");
    let run = program.run(&["ledger", "attest", "--key", path(&wrong.private), "--out", path(&out)]);
    assert!(run.code == Some(1) && run.stderr.contains("this isn't an Ed25519 private key"), "{}", run.stderr);
    assert!(!out.exists());
    // What was written once isn't written over.
    let run = program.run(&["ledger", "attest", "--out", path(&attested)]);
    assert!(run.code == Some(1) && run.stderr.contains("attested.json: "), "{}", run.stderr);
}

/// Every hash of that book is right, and it tells something else.
#[test]
fn a_book_that_was_rewritten_as_a_whole_is_found() {
    let collected = book(612);
    let keys = Keys::new(collected.program(), "attest", &["ed25519"]);
    let attested = attest(&collected, &keys, "attested.json");
    let rewritten = book(613);
    rewritten.program().succeed(&["ledger", "verify"]);
    let (code, said) = verify(rewritten.program(), &attested, &keys.public);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("invoices/CF: its link at invoice") && said.contains("hint: either the database was"),
        "{said}"
    );
    assert!(said.contains("attested was") || said.contains("is gone"), "{said}");
}

/// A backup of before lacks what was attested after.
#[test]
fn an_older_book_lacks_what_was_attested() {
    let mut collected = book(614);
    let keys = Keys::new(collected.program(), "attest", &["ed25519"]);
    let folder = collected.program().folder.path().to_owned();
    let (exported, older) = (folder.join("book.jsonl.zst"), format!("sqlite://{}", folder.join("older.db").display()));
    collected.program().succeed(&["ledger", "export", "--out", path(&exported)]);
    collected.act(1800, 6);
    caught_up(collected.cycle());
    let attested = attest(&collected, &keys, "attested.json");
    let command = |arguments: &[&str]| {
        let mut command: Command = collected.program().command(arguments);
        let output = command.env("CF_BILLING__DATABASE__URL", &older).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = command(&["ledger", "import", path(&exported)]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = command(&["ledger", "verify", "--against", path(&attested), "--public-key", path(&keys.public)]);
    assert!(code == Some(1) && said.contains("is gone; it was attested at "), "{said}");
}

#[test]
fn nothing_is_attested_of_a_broken_chain() {
    let collected = book(615);
    let change = "UPDATE ledger_entry SET instances = instances + 1 WHERE number = 5";
    tamper(&collected, "ledger_entry", &["ledger_entry_stays"], change);
    let out = collected.program().folder.path().join("attested.json");
    let run = collected.program().run(&["ledger", "attest", "--out", path(&out)]);
    assert!(run.code == Some(1) && run.stderr.contains("nothing is attested of a broken chain"), "{}", run.stderr);
    assert!(!out.exists());
}

crate::on_postgres! {
    a_book_that_went_on_is_as_it_was_attested_and_openssl_checks_the_signature,
}
