//! PgBouncer before a PostgreSQL server.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::background::Background;
use super::cluster::server_owner;
use super::database::server;

/// It listens on a socket in a folder of its own.
pub struct Pooler {
    // First: it ends before its folder is gone.
    running: Option<Background>,
    folder: tempfile::TempDir,
    log: tempfile::TempDir,
}

impl Pooler {
    /// Before the server of all tests, with that way of pooling.
    pub fn before_server(pooling: &str) -> Self {
        let server = server();
        let host = server.split_once("host=").unwrap().1.split('&').next().unwrap();
        Self::before(Path::new(host), 5432, pooling)
    }

    /// Before the server with that socket.
    pub fn before(host: &Path, port: u16, pooling: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let settings = format!(
            "[databases]\n* = host={} port={port}\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {path}\nauth_type = trust\n\
             auth_file = {path}/users\npool_mode = {pooling}\nserver_login_retry = 1\n",
            host.display()
        );
        std::fs::write(folder.path().join("users"), "\"postgres\" \"\"\n").unwrap();
        std::fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        // It refuses to run as root.
        for file in [folder.path().to_owned(), folder.path().join("users"), folder.path().join("pgbouncer.ini")] {
            chown(file, Some(server_owner()), None).unwrap();
        }
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut pooler = Self { running: None, folder, log: tempfile::tempdir().unwrap() };
        pooler.start();
        pooler
    }

    pub fn start(&mut self) {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={}", server_owner()), "--clear-groups", "pgbouncer"]);
        command.arg(self.folder.path().join("pgbouncer.ini"));
        let running = Background::spawn_in(self.log.path(), "pgbouncer.log", &mut command);
        running.says("process up");
        self.running = Some(running);
    }

    /// All its connections are gone.
    pub fn kill(&mut self) {
        self.running = None;
        let _ = std::fs::remove_file(self.socket());
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.6432")
    }

    /// The URL of a database through it.
    pub fn through(&self, url: &str) -> String {
        let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
        format!("postgres://postgres@localhost:6432/{name}?host={}", self.folder.path().display())
    }
}
