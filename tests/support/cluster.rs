//! PostgreSQL clusters of a test's own: a primary, and a standby that takes over from it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::background::eventually;
use super::database::{self, server};
use super::disk::Disk;

/// A server with data of its own in a folder that it shares with others; it listens on a socket there.
pub struct Cluster {
    folder: PathBuf,
    owner: u32,
    pub port: u16,
    options: String,
    /// Where its data is, if it has a disk of its own. Last: it goes when the server is gone.
    disk: Option<Disk>,
}

/// A primary and its standby, in one folder.
pub struct Pair {
    pub primary: Cluster,
    pub standby: Cluster,
    // Last: it goes when both are gone.
    folder: tempfile::TempDir,
}

/// A folder for servers that run as `owner`.
pub fn folder(owner: u32) -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    std::os::unix::fs::chown(folder.path(), Some(owner), None).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), mode).unwrap();
    folder
}

impl Cluster {
    /// A new one, started.
    pub fn new(folder: &Path, owner: u32, port: u16, options: &str) -> Self {
        Self { folder: folder.to_owned(), owner, port, options: options.to_owned(), disk: None }.made()
    }

    /// A new one with a disk of so many MiB, started.
    fn on_disk(folder: &Path, owner: u32, port: u16, mebibytes: u32) -> Self {
        // It gives room back early.
        let options = "-c max_wal_size=64MB -c min_wal_size=32MB".to_owned();
        let cluster = Self { folder: folder.to_owned(), owner, port, options, disk: None };
        cluster.with_disk(Some(mebibytes)).made()
    }

    fn with_disk(mut self, mebibytes: Option<u32>) -> Self {
        if let Some(mebibytes) = mebibytes {
            std::fs::create_dir_all(self.data()).unwrap();
            self.disk = Some(Disk::at(&self.data(), mebibytes, &format!("mode=0700,uid={}", self.owner)));
        }
        self
    }

    fn made(self) -> Self {
        let cluster = self;
        let arguments = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
        cluster.tool("initdb", &[&["-D", cluster.data().to_str().unwrap()][..], &arguments].concat());
        cluster.start();
        cluster
    }

    /// A standby of another one, which has received everything so far.
    fn of(primary: &Self, port: u16, mebibytes: Option<u32>) -> Self {
        let (folder, options) = (primary.folder.clone(), primary.options.clone());
        let standby = Self { folder, owner: primary.owner, port, options, disk: None }.with_disk(mebibytes);
        standby.follow(primary);
        standby
    }

    /// Copies another one, whose standby it is from now on.
    fn follow(&self, primary: &Self) {
        let (host, from) = (primary.folder.to_str().unwrap(), primary.port.to_string());
        let data = self.data();
        let arguments = ["-h", host, "-p", &from, "-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync"];
        self.tool("pg_basebackup", &[&["-D", data.to_str().unwrap()][..], &arguments].concat());
        self.start();
    }

    fn data(&self) -> PathBuf {
        self.folder.join(format!("data-{}", self.port))
    }

    #[track_caller]
    fn tool(&self, name: &str, arguments: &[&str]) {
        let output = self.try_tool(name, arguments);
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{name}: {}{}{}", said(&output.stdout), said(&output.stderr), self.log());
    }

    fn try_tool(&self, name: &str, arguments: &[&str]) -> Output {
        let tools = tools();
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={}", self.owner), "--clear-groups"]).arg(tools.join(name)).args(arguments);
        command.env("HOME", &self.folder).env_remove("CF_BILLING_TEST_POSTGRES").current_dir(&self.folder);
        command.output().unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join(format!("log-{}", self.port))).unwrap_or_default()
    }

    /// Starts it. Nothing is synced: it needn't survive a crash of the machine.
    pub fn start(&self) {
        let options = format!(
            "-p {} -c unix_socket_directories='{}' -c listen_addresses='' -c fsync=off -c shared_buffers=32MB \
             -c max_connections=100 -c dynamic_shared_memory_type=mmap -c unix_socket_permissions=0777 {}",
            self.port,
            self.folder.display(),
            self.options
        );
        let (data, log) = (self.data(), self.folder.join(format!("log-{}", self.port)));
        let (data, log) = (data.to_str().unwrap(), log.to_str().unwrap());
        self.tool("pg_ctl", &["-D", data, "-l", log, "-w", "-o", &options, "start"]);
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sets a parameter for new connections.
    pub fn set(&self, setting: &str) {
        self.execute(&format!("ALTER SYSTEM SET {setting}"));
        self.execute("SELECT pg_reload_conf()");
    }

    /// Ends every connection to the book.
    pub fn end_connections(&self) {
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'book'");
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Its disk has no room left.
    pub fn fill(&self) {
        self.disk.as_ref().unwrap().fill();
    }

    /// Its disk has room again; if it ended meanwhile, it is started again.
    pub fn free(&self) {
        self.disk.as_ref().unwrap().free();
        // Its children end after it.
        let gone = |pid: &str| !Path::new(&format!("/proc/{pid}/stat")).exists();
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid"));
        if pid.ok().and_then(|pid| pid.lines().next().map(gone)).unwrap_or(true) {
            self.start();
        }
    }

    /// Kills all its processes at once, as when its machine dies.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let mut lines = pid.lines();
        let postmaster = lines.next().unwrap().to_owned();
        let memory = lines.nth(5).and_then(|line| line.split_whitespace().nth(1)).map(str::to_owned);
        let kill = |signal: &str, pids: &[String]| {
            Command::new("kill").arg(signal).args(pids).output().unwrap();
        };
        // It must not notice that its children die, and act on it.
        kill("-STOP", std::slice::from_ref(&postmaster));
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &postmaster]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        let mut all: Vec<String> = children.split_whitespace().map(str::to_owned).collect();
        all.push(postmaster.clone());
        kill("-KILL", &all);
        eventually(String::new, || (!Path::new(&format!("/proc/{postmaster}/stat")).exists()).then_some(()));
        if let Some(memory) = memory {
            let _ = Command::new("ipcrm").args(["-m", &memory]).output();
        }
        std::fs::remove_file(self.data().join("postmaster.pid")).unwrap();
        let _ = std::fs::remove_file(self.folder.join(format!(".s.PGSQL.{}.lock", self.port)));
    }

    fn promote(&self) {
        self.tool("pg_ctl", &["-D", self.data().to_str().unwrap(), "-w", "promote"]);
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}&port={}", self.folder.display(), self.port)
    }

    #[track_caller]
    pub fn execute(&self, statement: &str) {
        let done = database::execute(&self.url("postgres"), statement);
        done.unwrap_or_else(|error| panic!("{statement}: {error}\n{}", self.log()));
    }

    /// A number.
    #[track_caller]
    pub fn number(&self, database: &str, statement: &str) -> i64 {
        let url = self.url(database);
        database::run(|| async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let row = connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))).await.unwrap();
            connection.close().await.unwrap();
            row.get::<String, _>(0).parse().unwrap()
        })
    }
}

impl Cluster {
    fn stop(&self) {
        let data = self.data();
        if data.join("postmaster.pid").exists() {
            self.try_tool("pg_ctl", &["-D", data.to_str().unwrap(), "-m", "immediate", "-w", "stop"]);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Pair {
    pub fn new(owner: u32) -> Self {
        let folder = folder(owner);
        let primary = Cluster::new(folder.path(), owner, 1, "");
        let standby = Cluster::of(&primary, 2, None);
        Self { primary, standby, folder }.streaming()
    }

    /// Each with a disk of its own, of so many MiB.
    pub fn on_disks(owner: u32, mebibytes: u32) -> Self {
        let folder = folder(owner);
        let primary = Cluster::on_disk(folder.path(), owner, 1, mebibytes);
        let standby = Cluster::of(&primary, 2, Some(mebibytes));
        Self { primary, standby, folder }.streaming()
    }

    fn streaming(self) -> Self {
        self.until("SELECT count(*)::text FROM pg_stat_replication WHERE state = 'streaming'", 1);
        self
    }

    /// After the standby took over: makes the former primary, which is gone, its standby.
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.primary, &mut self.standby);
        let former = &self.standby;
        former.stop();
        for entry in std::fs::read_dir(former.data()).unwrap() {
            let path = entry.unwrap().path();
            let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            removed.unwrap();
        }
        former.follow(&self.primary);
        self.until("SELECT count(*)::text FROM pg_stat_replication WHERE state = 'streaming'", 1);
    }

    /// The URL of both.
    pub fn url(&self, user: &str, database: &str) -> String {
        let folder = self.folder.path().display();
        format!(
            "postgres://{user}@localhost/{database}?host={folder},{folder}&port=1,2&target_session_attrs=read-write"
        )
    }

    pub fn host(&self, cluster: &Cluster) -> String {
        format!("{}:{}", self.folder.path().display(), cluster.port)
    }

    /// From now on a commit is confirmed once the standby has it.
    pub fn synchronous(&self) {
        self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.primary.execute("SELECT pg_reload_conf()");
        self.until("SELECT count(*)::text FROM pg_stat_replication WHERE sync_state = 'sync'", 1);
    }

    /// What the servers said last.
    pub fn logs(&self) -> String {
        let last = |cluster: &Cluster| {
            let log = cluster.log();
            let lines: Vec<&str> = log.lines().collect();
            format!("{}: {}", cluster.port, lines[lines.len().saturating_sub(40)..].join("\n"))
        };
        format!("{}\n---\n{}", last(&self.primary), last(&self.standby))
    }

    /// The standby takes over, and waits for no standby of its own.
    pub fn promote(&self) {
        self.standby.promote();
        self.standby.execute("ALTER SYSTEM RESET synchronous_standby_names");
        self.standby.execute("SELECT pg_reload_conf()");
    }

    /// The standby has what is committed by now, and receives nothing any more.
    pub fn cut_off(&self) {
        let at = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::text";
        let written = self.primary.number("postgres", at);
        let replayed = "SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::text";
        eventually(String::new, || (self.standby.number("postgres", replayed) >= written).then_some(()));
        self.standby.execute("ALTER SYSTEM SET primary_conninfo = ''");
        self.standby.execute("SELECT pg_reload_conf()");
        self.until("SELECT count(*)::text FROM pg_stat_replication", 0);
    }

    fn until(&self, statement: &str, number: i64) {
        let found = || (self.primary.number("postgres", statement) == number).then_some(());
        eventually(|| self.standby.log(), found);
    }
}

/// Who the server runs as: may read and write what is theirs.
pub fn server_owner() -> u32 {
    use std::os::unix::fs::MetadataExt;
    let server = server();
    let folder = server.split_once("host=").map(|(_, rest)| rest.split('&').next().unwrap().to_owned()).unwrap();
    std::fs::metadata(folder).unwrap().uid()
}

/// Where the server's programs are.
fn tools() -> PathBuf {
    let newest = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path());
        versions.filter(|path| path.join("bin/initdb").exists()).max().unwrap().join("bin")
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find_map(|folder| folder.join("initdb").canonicalize().ok());
    // What is found there may be a link to one of the programs alone.
    found.map_or_else(newest, |file| file.parent().unwrap().to_owned())
}
