//! The shipped binary, run as its users run it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::database::{Kind, OwnDatabase, kind};

/// A fresh folder with a database in it, and the binary that works on it.
pub struct Program {
    pub folder: tempfile::TempDir,
    /// `None`: a file in the folder.
    server: Option<OwnDatabase>,
    /// In place of either.
    url: Option<String>,
    /// What is made of invoices that become final.
    documents: &'static str,
}

impl Program {
    pub fn new() -> Self {
        // Memory where there is some: commits are synced, and a test's database needn't survive a crash of the machine.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let server = (kind() == Kind::Postgres).then(OwnDatabase::new);
        Self { folder: folder.unwrap(), server, url: None, documents: "html,json" }
    }

    /// With all documents made as invoices become final.
    pub fn with_all_documents() -> Self {
        Self { documents: "html,pdf,csv,json,ubl", ..Self::new() }
    }

    /// With a database that has no schema yet.
    pub fn unprepared() -> Self {
        let mut program = Self::without_database();
        program.server = (kind() == Kind::Postgres).then(OwnDatabase::empty);
        program
    }

    /// A folder alone, for programs on the database of another.
    pub fn without_database() -> Self {
        super::database::with(Kind::Sqlite, Self::new)
    }

    /// On the database at a URL.
    pub fn at(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::without_database() }
    }

    pub fn database(&self) -> String {
        match (&self.url, &self.server) {
            (Some(url), _) => url.clone(),
            (None, Some(server)) => server.url(),
            (None, None) => format!("sqlite://{}", self.folder.path().join("book.db").display()),
        }
    }

    /// The binary with `arguments`, in its folder, with nothing else from the environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cf-billing"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("CF_BILLING__DATABASE__URL", self.database()).env("HOME", self.folder.path());
        // PDFs take most of the time, and are wanted where they are looked at.
        command.env("CF_BILLING__BILLING__DOCUMENTS", self.documents);
        command.stdin(Stdio::null());
        command
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }

    /// Runs it and gives what it printed; panics with everything it said if it failed.
    #[track_caller]
    pub fn succeed(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "cf-billing {}\n{}{}", arguments.join(" "), run.stdout, run.stderr);
        run
    }

    /// Its JSON output.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--format", "json"]].concat();
        serde_json::from_str(&self.succeed(&arguments).stdout).unwrap()
    }
}

/// What one run of the binary said.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A path as an argument.
pub fn path(path: &Path) -> &str {
    OsStr::new(path).to_str().expect("test paths are UTF-8")
}
