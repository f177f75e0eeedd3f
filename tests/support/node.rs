//! Programs of ours that run in Node, with packages of npm: `tests/node/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::tool::python;

/// Where they are installed with what they need, once.
fn installed() -> PathBuf {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one = INSTALLING.lock().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
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
    for program in ["provider.mjs", "browser.mjs"] {
        std::fs::copy(from.join(program), to.join(program)).unwrap();
    }
    to
}

/// One of the programs, to be run.
pub fn node(program: &str) -> Command {
    let folder = installed();
    let mut command = Command::new(Path::new(python()).with_file_name("node"));
    command.arg(program).current_dir(folder);
    command
}
