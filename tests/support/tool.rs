//! Other people's programs that read what we make; `tests/run` installs them.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs a tool with `input`; gives whether it succeeded and what it said.
pub fn tool(name: &str, arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}; tests/run installs it"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
