//! README.md, walked as it is printed: every command in order, in one folder, against a simulated foundation.
//!
//! Builds take long: `tests/long readme` runs them, too, into the tests' target folder. Else the program that the tests
//! were built with stands in for what they would make, and what they name must be there.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cf_billing::simulator::ADMIN;

use crate::support::background::{Background, eventually, signal, simulate, text};
use crate::support::program::{Program, Run};

const README: &str = include_str!("../README.md");
const BINARY: &str = env!("CARGO_BIN_EXE_cf-billing");

/// The fenced blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let parts = page.split("```").collect::<Vec<_>>();
    parts.chunks(2).filter_map(|pair| pair.get(1)?.split_once('\n')).collect()
}

fn builds() -> bool {
    std::env::var_os("CF_BILLING_README_BUILDS").is_some()
}

/// Somebody who follows the page.
struct Walker {
    program: Program,
    /// What was exported so far, as it stands in the page.
    exports: String,
    daemon: Option<Background>,
}

impl Walker {
    fn new() -> Self {
        let program = Program::without_database();
        let folder = program.folder.path();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let link = |from: PathBuf, to: &str| symlink(from, folder.join(to)).unwrap();
        std::fs::create_dir(folder.join("bin")).unwrap();
        link(source.join("rates"), "rates");
        if builds() {
            for name in ["Cargo.toml", "Cargo.lock", "src", "migrations", "tests", "benches"] {
                link(source.join(name), name);
            }
            link(Path::new(BINARY).ancestors().nth(2).unwrap().to_owned(), "target");
        } else {
            std::fs::create_dir_all(folder.join("target/debug")).unwrap();
            link(BINARY.into(), "target/debug/cf-billing");
            link(BINARY.into(), "bin/cf-billing");
        }
        Self { program, exports: String::new(), daemon: None }
    }

    fn folder(&self) -> &Path {
        self.program.folder.path()
    }

    /// A line of the page, as a shell runs it: with a home and a port of its own, and less patience.
    fn shell(&self, line: &str) -> Command {
        let folder = self.folder();
        let home = std::env::var("HOME").unwrap_or_default();
        let tool = |name: &str, below: &str| std::env::var(name).unwrap_or_else(|_| format!("{home}/{below}"));
        let mut command = Command::new("bash");
        command.args(["-euc", &format!("{}{line}", self.exports)]).current_dir(folder).env_clear();
        command.env("PATH", format!("{}/bin:{}", folder.display(), std::env::var("PATH").unwrap()));
        command.env("HOME", folder).env("TMPDIR", folder).env("TZ", "Europe/Berlin");
        command.env("CF_BILLING__HTTP__LISTEN", "127.0.0.1:0");
        command.env("CF_BILLING__COLLECTION__POLL_INTERVAL", "50ms");
        command.env("CF_BILLING__BILLING__DRAFT_INTERVAL", "1s");
        if builds() {
            command.env("CARGO_INSTALL_ROOT", folder);
            command.env("CARGO_HOME", tool("CARGO_HOME", ".cargo")).env("RUSTUP_HOME", tool("RUSTUP_HOME", ".rustup"));
        }
        command
    }

    #[track_caller]
    fn succeed(&self, line: &str) -> Run {
        let run = Run::from(self.shell(line).output().unwrap());
        assert_eq!(run.code, Some(0), "{line}\n{}{}", run.stdout, run.stderr);
        run
    }

    /// Runs a build, or sees that it could be run.
    fn build(&self, line: &str) {
        if builds() {
            self.succeed(line);
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(matches!(words[1], "build" | "install") && words.contains(&"--locked"), "{line}");
        let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let features = words.iter().skip_while(|word| **word != "--features").nth(1);
        for feature in features.iter().flat_map(|features| features.split(',')) {
            assert!(manifest.contains(&format!("\n{feature} = [")), "{line}: there is no feature {feature}");
        }
    }

    fn start(&self, name: &str, line: &str) -> Background {
        // The shell's place is taken, so that a signal reaches the program.
        Background::spawn(&self.program, name, &mut self.shell(&format!("exec {line}")))
    }

    fn line(&mut self, line: &str) {
        if let Some(exported) = line.strip_prefix("export ") {
            self.exports += &format!("export {exported}; ");
        } else if line.starts_with("cargo ") {
            self.build(line);
        } else if line.ends_with("cf-billing demo") {
            let mut demo =
                self.shell(&format!("exec {line} 2>&1")).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
            // However long a month takes on this machine.
            let mut said = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
            assert!(said.any(|line| line.contains("Ctrl-C")), "{:?}", demo.wait());
            signal(&demo, "INT");
            assert_eq!(demo.wait().unwrap().code(), Some(0));
        } else if line == "cf-billing run" {
            let daemon = self.start("run.log", line);
            let metrics = format!("{}/metrics", daemon.url());
            // "Once the page shows the foundation as live", and some seconds of usage are there.
            let drafted = || {
                let metrics = text(&metrics);
                let drafts =
                    metrics.lines().find_map(|line| line.strip_prefix("cf_billing_invoices{status=\"draft\"} "));
                drafts.filter(|drafts| *drafts != "0").map(|_| ())
            };
            eventually(|| daemon.log(), drafted);
            self.daemon = Some(daemon);
        } else if line.contains("--period 2026-10") {
            let run = Run::from(self.shell(line).output().unwrap());
            let finalizes = line.contains(" finalize ");
            let wanted = if finalizes { "nothing was used in 2026-10" } else { "there is no final invoice to export" };
            assert_eq!(run.code, Some(1), "{line}\n{}{}", run.stdout, run.stderr);
            assert!(run.stderr.contains(wanted), "{line}\n{}", run.stderr);
        } else {
            self.succeed(line);
        }
    }
}

#[test]
fn every_command_of_the_readme_runs_in_order() {
    let mut walker = Walker::new();
    let (_simulated, api) = simulate(&walker.program, &[]);
    let secret = walker.folder().join("eu1.secret");
    std::fs::write(&secret, format!("{}\n", ADMIN.1)).unwrap();
    let mut commands = 0;
    for (language, body) in blocks(README) {
        match language {
            "toml" => {
                // The page's foundation and client are made up; the simulated one stands in for them.
                let mut configuration = body.to_owned();
                for (from, to) in [
                    ("https://api.cf.example.org", api.as_str()),
                    ("client_id = \"cf-billing\"", &format!("client_id = \"{}\"", ADMIN.0)),
                    ("/etc/cf-billing/eu1.secret", secret.to_str().unwrap()),
                ] {
                    assert!(configuration.contains(from), "{from} is not in\n{body}");
                    configuration = configuration.replace(from, to);
                }
                std::fs::write(walker.folder().join("cf-billing.toml"), configuration).unwrap();
            }
            "sh" => {
                for line in body.lines() {
                    walker.line(line);
                    commands += 1;
                }
            }
            other => panic!("a block of {other}: only sh and toml are walked"),
        }
    }
    assert!(commands >= 12, "{commands} commands");
    let (code, _, log) = walker.daemon.take().expect("the page runs the daemon").end("INT");
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(README.matches("\n    ").count(), 0, "commands stand in fenced blocks, where they are run");
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    let kept = letters.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = |folder: &Path| -> Vec<PathBuf> {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|ending| ending == "md")).collect()
    };
    let mut wrong = Vec::new();
    let mut links = 0;
    for page in ["", "docs", "docs/runbooks"].map(|folder| pages(&root.join(folder))).concat() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.starts_with("http") {
                continue;
            }
            links += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let leads = if heading.is_empty() {
                file.exists()
            } else {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                text.lines().any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading)
            };
            if !leads {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty() && links > 30, "{links} links, wrong:\n{}", wrong.join("\n"));
}

/// Files and folders that ARCHITECTURE.md and the pages beside it name in backticks are there.
#[test]
fn paths_in_the_map_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_path = |word: &&str| {
        // Capitals stand for a name of one's own.
        let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-./".contains(letter);
        word.chars().all(letters)
            && !word.starts_with(['/', '.'])
            && (Path::new(word).extension().is_some_and(|ending| ending == "rs") || word.ends_with('/'))
    };
    let mut wrong = Vec::new();
    let mut paths = 0;
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/decisions.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        for path in text.split('`').skip(1).step_by(2).filter(is_path) {
            paths += 1;
            if !root.join(path).exists() && !root.join("src").join(path).exists() {
                wrong.push(format!("{page}: {path}"));
            }
        }
    }
    assert!(wrong.is_empty() && paths > 30, "{paths} paths, missing:\n{}", wrong.join("\n"));
}
