//! What the service manager is told: readiness, and signs of life that no database and no foundation keeps back.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::plant::Plant;
use crate::support::background::signal;
use crate::support::database::{self, Kind};
use crate::support::program::Program;
use crate::support::proxy::{Network, Proxy};

/// The socket of a service manager, as systemd has one.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// Of that plant's daemon, which isn't started yet.
    fn of(plant: &mut Plant) -> Self {
        let path = plant.program.folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        plant.set("NOTIFY_SOCKET", path.to_str().unwrap());
        // It is killed after a second without a sign of life.
        plant.set("WATCHDOG_USEC", "1000000");
        Self { socket }
    }

    /// The next thing it is told within that time.
    fn told(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    #[track_caller]
    fn until(&self, wanted: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.told(Duration::from_secs(1)).is_none_or(|told| !told.contains(wanted)) {
            assert!(Instant::now() < deadline, "never told: {wanted}");
        }
    }

    /// For that long there is a sign of life in each second.
    #[track_caller]
    fn lives_for(&self, long: Duration) {
        let end = Instant::now() + long;
        while Instant::now() < end {
            let told = self.told(Duration::from_secs(1));
            assert!(told.is_some(), "no sign of life for a second");
        }
    }
}

#[test]
fn it_is_ready_once_it_serves_and_lives_while_its_database_is_away_or_silent() {
    let runtime = Runtime::new().unwrap();
    let proxy = Proxy::new(&runtime);
    let program = database::with(Kind::Postgres, Program::new);
    let database = proxy.through(&program.database());
    let mut plant = Plant::new(program, database, 41);
    plant.set("CF_BILLING__DATABASE__STATEMENT_TIMEOUT", "2s");
    let manager = Manager::of(&mut plant);
    proxy.set(Network::Cut);
    plant.start(&[]);
    manager.until("READY=1");
    manager.until("STATUS=waiting for the database");
    manager.lives_for(Duration::from_secs(3));
    proxy.set(Network::Whole);
    manager.until("STATUS=collecting sim");
    plant.onboarded();
    for network in [Network::Silent, Network::Cut] {
        proxy.set(network);
        if network == Network::Silent {
            manager.until("STATUS=not ready: ");
        }
        manager.lives_for(Duration::from_secs(4));
    }
    proxy.set(Network::Whole);
    plant.until_ready();
    manager.until("STATUS=collecting sim");
    assert_eq!(plant.end("TERM").0, Some(0));
    manager.until("STOPPING=1");
}

/// A supervisor that hangs is one that says nothing: whoever waits for it restarts it.
#[test]
fn a_supervisor_that_hangs_gives_no_sign_of_life() {
    let program = Program::new();
    let database = program.database();
    let mut plant = Plant::new(program, database, 42);
    let manager = Manager::of(&mut plant);
    plant.start(&[]);
    manager.until("WATCHDOG=1");
    let child = &plant.daemon.as_ref().unwrap().child;
    signal(child, "STOP");
    // What was sent before.
    while manager.told(Duration::from_millis(300)).is_some() {}
    assert_eq!(manager.told(Duration::from_secs(2)), None);
    signal(child, "CONT");
    manager.until("WATCHDOG=1");
}
