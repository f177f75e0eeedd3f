//! Access tokens of an OpenID provider that isn't a UAA: a certified one, in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

use super::{Api, text};
use crate::support::tool::python;

struct OpenIdProvider {
    process: Child,
    /// Its address, and tokens.
    said: Value,
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where it is installed with what it needs, once.
fn installed() -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one = INSTALLING.lock().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openid");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openid");
    let lock = std::fs::read(from.join("package-lock.json")).unwrap();
    if std::fs::read(to.join("node_modules/installed")).ok() != Some(lock.clone()) {
        std::fs::create_dir_all(&to).unwrap();
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
        let tools = Path::new(python()).parent().unwrap();
        let npm = Command::new(tools.join("npm"))
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()))
            .current_dir(&to)
            .output()
            .unwrap();
        assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
        std::fs::write(to.join("node_modules/installed"), lock).unwrap();
    }
    std::fs::copy(from.join("provider.mjs"), to.join("provider.mjs")).unwrap();
    to
}

impl OpenIdProvider {
    fn start() -> Self {
        let folder = installed();
        let node = Path::new(python()).with_file_name("node");
        let mut process = Command::new(node)
            .arg("provider.mjs")
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.starts_with('{')).expect("the provider says its address and tokens");
        Self { process, said: serde_json::from_str(&line).unwrap() }
    }

    fn token(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap()
    }
}

#[test]
fn staff_and_tenants_of_an_openid_provider_read_what_is_theirs() {
    let provider = OpenIdProvider::start();
    let issuer = format!(
        "[[issuer]]\nname = \"corporate\"\nissuer = \"{}\"\nfinance = \"billing:finance\"\nsre = \"billing:sre\"\n",
        provider.token("issuer")
    );
    let api = Api::naming(&issuer, "people = [\"corporate/person-1\"]");
    let status = |token: &str, path: &str| api.ask(Some(provider.token(token)), path).status().as_u16();
    for (token, gaps, invoices) in [
        ("finance", 200, 200),
        ("sre", 200, 403),
        ("es256", 200, 403),
        ("ps256", 200, 403),
        ("neither", 403, 200),
        ("person", 403, 200),
        ("other_audience", 401, 401),
        ("id_token", 401, 401),
        ("refresh_token", 401, 401),
    ] {
        assert_eq!(
            (status(token, "/gaps"), status(token, "/invoices")),
            (gaps, invoices),
            "{token}\n{}",
            api.daemon.log()
        );
    }
    // Somebody whom an account names, with the authorization code flow; and a program that nobody names.
    let listed = |token: &str| text(&api.ask(Some(provider.token(token)), "/invoices"));
    assert!(listed("person").contains("CF-000001") && !listed("person").contains("CF-000002"), "{}", listed("person"));
    assert_eq!(listed("neither"), r#"{"items":[],"next":null}"#);
    assert_eq!(status("person", "/invoices/CF-000001/documents/html"), 200);
    assert_eq!(status("person", "/invoices/CF-000002/documents/html"), 404);
    assert!(listed("finance").contains("CF-000002"));
    let log = api.daemon.log();
    assert!(log.contains("caller=corporate/person-1") && log.contains("caller=corporate/pipeline"), "{log}");
    assert!(!log.contains("eyJ"), "a token is in the log: {log}");
}
