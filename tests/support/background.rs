//! Programs in the background, and what they are asked over HTTP.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cf_billing::cloud_controller::transport::{Exchange, Http, TransportError};
use cf_billing::simulator::ADMIN;
use http::{Request, Response};
use tokio::runtime::Runtime;

use super::program::Program;

pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `found` finds something; prints `log` and fails after the deadline.
#[track_caller]
pub fn eventually<T>(log: impl Fn() -> String, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came\n{}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A program in the background, its stderr in a file.
pub struct Background {
    pub child: Child,
    log: PathBuf,
}

impl Background {
    pub fn start(program: &Program, name: &str, arguments: &[&str]) -> Self {
        Self::spawn(program, name, &mut program.command(arguments))
    }

    pub fn spawn(program: &Program, name: &str, command: &mut Command) -> Self {
        Self::spawn_in(program.folder.path(), name, command)
    }

    /// With its log in that folder.
    pub fn spawn_in(folder: &Path, name: &str, command: &mut Command) -> Self {
        let log = folder.join(name);
        let file = std::fs::File::create(&log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    #[track_caller]
    pub fn says(&self, text: &str) {
        eventually(|| self.log(), || self.log().contains(text).then_some(()));
    }

    /// The first URL in its log.
    #[track_caller]
    pub fn url(&self) -> String {
        eventually(|| self.log(), || self.url_now())
    }

    /// The same, if it is there by now.
    pub fn url_now(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("http://127.0.0.1:"))?;
        // A line that isn't whole yet may end within the port.
        log.contains(&format!("{line}\n")).then_some(())?;
        let url = &line[line.find("http://127.0.0.1:")?..];
        let end = url
            .char_indices()
            .skip("http://".len())
            .find(|(_, letter)| !letter.is_ascii_digit() && !".:".contains(*letter));
        Some(url[..end.map_or(url.len(), |(at, _)| at)].to_owned())
    }

    /// Sends a signal; gives the exit code, how long it took, and all it said.
    pub fn end(mut self, name: &str) -> (Option<i32>, Duration, String) {
        let began = Instant::now();
        signal(&self.child, name);
        let status = self.child.wait().unwrap();
        let log = self.log();
        (status.code(), began.elapsed(), log)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A simulated foundation, and where it is.
pub fn simulate(program: &Program, more: &[&str]) -> (Background, String) {
    let arguments = [&["simulate", "--listen", "127.0.0.1:0", "--processes", "12"], more].concat();
    let simulated = Background::start(program, "simulate.log", &arguments);
    let api = simulated.url();
    assert!(simulated.log().contains("not a Cloud Controller"));
    (simulated, api)
}

/// Writes a configuration for one foundation named `sim`, served on any free port.
pub fn configure(program: &Program, api: &str, more: &str) {
    let text = format!(
        "{more}\n[http]\nlisten = \"127.0.0.1:0\"\n[collection]\npoll_interval = \"50ms\"\n[[foundation]]\nname = \"sim\"\n\
         api = \"{api}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n",
        ADMIN.0, ADMIN.1
    );
    std::fs::write(program.folder.path().join("cf-billing.toml"), text).unwrap();
}

/// The daemon, and where it serves.
pub fn run(program: &Program) -> (Background, String) {
    let daemon = Background::start(program, "run.log", &["run", "--config", "cf-billing.toml"]);
    let url = daemon.url();
    (daemon, url)
}

/// What a URL answers, if it does in time.
pub fn get_within(url: &str, limit: Duration) -> Option<Response<Bytes>> {
    Runtime::new().unwrap().block_on(async { tokio::time::timeout(limit, asked(url)).await }).ok()?.ok()
}

/// What a URL answers.
pub fn get(url: &str) -> Response<Bytes> {
    Runtime::new().unwrap().block_on(asked(url)).unwrap()
}

async fn asked(url: &str) -> Result<Response<Bytes>, TransportError> {
    let http = Http::new(None).unwrap();
    http.exchange(Request::builder().uri(url).body(Bytes::new()).unwrap()).await
}

/// The text of what a URL answers.
pub fn text(url: &str) -> String {
    String::from_utf8(get(url).body().to_vec()).unwrap()
}
