//! Faults of operation: the daemon recovers alone once they are over, nothing is lost, and meanwhile it says so.

mod alarms;
mod backups;
mod databases;
mod failover;
mod faults;
mod files;
mod load;
mod long;
mod places;
mod plant;
mod readiness;
mod server;
mod service;
mod soak;
mod twins;
mod upgrades;
mod watch;
