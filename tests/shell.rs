//! Completions and man pages, as a real shell and a real man read them.

use std::process::Command;

use crate::support::program::{Program, path};
use crate::support::tool::tool;

/// Sources the completions in a bash and asks it what the words complete to; the last is the one at the cursor.
fn completed(script: &str, words: &[&str]) -> Vec<String> {
    let ask = format!(
        "{script}\nCOMP_WORDS=({}) COMP_CWORD={}\nspec=$(complete -p cf-billing) || exit 1\nset -- $spec\n\
         while [ $# -gt 1 ]; do [ \"$1\" = -F ] && function=$2; shift; done\n\
         \"$function\" cf-billing '{}' '{}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    // In a file: an argument may be no longer than 128 KiB.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ask).unwrap();
    let output = Command::new("bash").arg("--norc").arg(file.path()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    let program = Program::without_database();
    let script = program.succeed(&["completions", "bash"]).stdout;
    let complete = |words: &[&str]| completed(&script, words);
    assert_eq!(complete(&["cf-billing", "inv"]), ["invoices"]);
    assert_eq!(complete(&["cf-billing", "invoices", "ex"]), ["explain", "export"]);
    assert_eq!(complete(&["cf-billing", "invoices", "draft", "--per"]), ["--period"]);
    assert_eq!(complete(&["cf-billing", "usage", "--format", ""]), ["table", "json", "csv"]);
    assert_eq!(complete(&["cf-billing", "completions", "z"]), ["zsh"]);
}

#[test]
fn every_shell_has_completions() {
    let program = Program::without_database();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = program.succeed(&["completions", shell]).stdout;
        assert!(script.contains("cf-billing") && script.contains("what-if"), "{shell}\n{script}");
    }
    let other = program.run(&["completions", "csh"]);
    assert!(other.code == Some(2) && other.stderr.contains("possible values: bash"), "{}", other.stderr);
}

#[test]
fn man_reads_every_page_without_a_warning() {
    let program = Program::without_database();
    let folder = program.folder.path().join("man1");
    std::fs::create_dir(&folder).unwrap();
    program.succeed(&["man", "--out", path(&folder)]);
    let mut pages = 0;
    for page in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        let (good, said) = tool("groff", &["-man", "-ww", "-z", "-Kutf8", path(&page)], "");
        assert!(good && said.is_empty(), "{}: {said}", page.display());
        pages += 1;
    }
    assert!(pages > 40, "{pages}");
    // As people read them.
    let man = |name: &str| {
        let output = Command::new("man").args(["-l", path(&folder.join(name))]).env("MANWIDTH", "80").output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let page = man("cf-billing-invoices-draft.1");
    for wanted in
        ["OPTIONS] --period <YYYY-MM>", "cf-billing invoices draft --period 2026-10 --rates", "docs/invoices.md"]
    {
        assert!(page.contains(wanted), "{wanted} is missing in\n{page}");
    }
    let printed = program.succeed(&["man"]).stdout;
    assert_eq!(printed.trim_end(), std::fs::read_to_string(folder.join("cf-billing.1")).unwrap().trim_end());
}

#[test]
fn man_pages_need_a_folder_that_exists() {
    let program = Program::without_database();
    let refused = program.run(&["man", "--out", "nowhere"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("nowhere"), "{}", refused.stderr);
    assert!(refused.stderr.contains("\nhint: make the folder"), "{}", refused.stderr);
}
