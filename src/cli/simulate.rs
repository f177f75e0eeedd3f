//! `cf-billing simulate`: a simulated foundation behind HTTP, to try the daemon on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::output::note;
use super::run::stop_on_signal;
use crate::clock::Clock;
use crate::domain::{Kind, Timestamp};
use crate::simulator::api::{Client, User};
use crate::simulator::faults::Fault;
use crate::simulator::http::serve;
use crate::simulator::tables::List;
use crate::simulator::{ADMIN, Foundation};
use crate::store::files::beside;

/// Serve a simulated foundation's V3 API and UAA; it isn't a Cloud Controller
///
/// Its people have worked for a while before it starts, and go on in real time. Everything follows from the seed and is
/// kept in memory. The truth file holds what was really used since both usage snapshots were taken, from what people did
/// alone, in the format of `cf-billing usage --format json`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing simulate --listen 127.0.0.1:8181 --seed 1 --truth truth.json")]
pub struct Simulate {
    /// Address and port; loopback only, port 0 for any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Seed of what people do
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// About how many apps it begins with
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=5000))]
    processes: u32,
    /// What goes wrong: routers, proxies, clocks, older releases; may be given several times
    #[arg(long, value_name = "NAME", value_enum)]
    fault: Vec<Fault>,
    /// Who its tokens say issued them, for an `[[issuer]]`: `http://127.0.0.1:8181/oauth/token` where it listens there
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Where to write what was really used, every ten seconds and at the end
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

/// Between two writes of the truth, in seconds.
const WRITE_EVERY: u64 = 10;
/// Seconds in which somebody does one thing, on average.
const ACT_EVERY: u32 = 8;
/// Longest time that settling takes for each process, and to come to rest.
const SETTLING_SECONDS: i64 = 3600;

impl Simulate {
    pub async fn run(self) -> Result<(), Failure> {
        if !self.listen.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "--listen {}: not a loopback address\nhint: use 127.0.0.1:{}; the simulation's secrets are public",
                self.listen,
                self.listen.port()
            )));
        }
        let cannot = |error| {
            Failure::failed(format!("can't listen on {}: {error}\nhint: give a free port, or 0 for any", self.listen))
        };
        let listener = TcpListener::bind(self.listen).await.map_err(cannot)?;
        let base = format!("http://{}", listener.local_addr().map_err(cannot)?);
        let foundation = Arc::new(Mutex::new(self.foundation(&base)));
        note(&format!(
            "A simulated foundation (not a Cloud Controller) at {base}, seed {}; UAA client `{}`, secret `{}`",
            self.seed, ADMIN.0, ADMIN.1
        ));
        note(&format!(
            "Its UAA knows the users {}, with the password `{}`, for the client `cf` without a secret; browsers sign in for \
             the client `{WEB}`, with that secret",
            USERS.map(|(name, ..)| format!("`{name}`")).join(", "),
            ADMIN.1
        ));
        let stop = stop_on_signal()?;
        let answering = foundation.clone();
        let answer = move |request: &Request<Bytes>| -> Response<Bytes> {
            let mut foundation = answering.lock().unwrap_or_else(PoisonError::into_inner);
            let now = there(&foundation);
            foundation.advance(now);
            foundation.exchange(request)
        };
        let serving = async {
            let served = serve(listener, answer, stop.clone().cancelled_owned()).await;
            stop.cancel();
            served.map_err(cannot)
        };
        let living = async {
            let lived = self.live(&foundation, &stop).await;
            stop.cancel();
            lived
        };
        let (served, lived) = tokio::join!(serving, living);
        served.and(lived)
    }

    fn foundation(&self, base: &str) -> Foundation {
        let founded = Clock::System.now().plus(-SETTLING_SECONDS * (i64::from(self.processes) + 2));
        let mut foundation = Foundation::new(self.seed, founded);
        base.clone_into(&mut foundation.base);
        for fault in &self.fault {
            foundation.options.put(*fault);
        }
        foundation.tables.clock_error = foundation.options.machine_ahead;
        foundation.world.settle(&mut foundation.tables, self.processes as usize);
        let now = there(&foundation);
        foundation.advance(now);
        if let Some(issuer) = &self.issuer {
            foundation.uaa.issuer.clone_from(issuer);
        }
        with_users(&mut foundation);
        foundation
    }

    /// People do things, and the truth is written, until told to stop.
    async fn live(&self, foundation: &Mutex<Foundation>, stop: &CancellationToken) -> Result<(), Failure> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        for second in 1_u64.. {
            if !Clock::System.sleep_unless_stopped(Duration::from_secs(1), stop).await {
                break;
            }
            let acts = random.random_range(0..ACT_EVERY) == 0;
            let truth = {
                let mut foundation = foundation.lock().unwrap_or_else(PoisonError::into_inner);
                let now = there(&foundation);
                foundation.advance(now);
                foundation.act(u32::from(acts));
                (second % WRITE_EVERY == 0).then(|| truth(&foundation))
            };
            self.write(truth)?;
        }
        let last = truth(&foundation.lock().unwrap_or_else(PoisonError::into_inner));
        self.write(Some(last))
    }

    fn write(&self, truth: Option<Value>) -> Result<(), Failure> {
        let (Some(file), Some(truth)) = (&self.truth, truth) else { return Ok(()) };
        replace(file, &format!("{truth:#}\n")).map_err(|error| {
            Failure::failed(format!(
                "can't write `{}`: {error}\nhint: its folder must exist and be writable",
                file.display()
            ))
        })
    }
}

/// Users: names, what they are in Cloud Controller, and what UAA's groups grant them.
const USERS: [(&str, Option<&str>, &str); 4] = [
    ("manager", Some("organization_manager"), "cf_billing.read"),
    ("developer", Some("space_developer"), "cf_billing.read"),
    ("sre", None, "cf_billing.sre"),
    ("provider", None, "cf_billing.provider"),
];

/// The client for which people sign in with a browser.
const WEB: &str = "billing-web";

/// With users who have a role over the first organization, or over its first space.
fn with_users(foundation: &mut Foundation) {
    let web = Client { id: WEB.to_owned(), secret: ADMIN.1.to_owned(), authorities: Vec::new() };
    foundation.uaa.clients.push(web);
    let organization = foundation.tables.rows(List::Organizations).first().and_then(|row| row["guid"].as_str());
    let organization = organization.unwrap_or_default().to_owned();
    let is_of =
        |space: &&Value| space.pointer("/relationships/organization/data/guid") == Some(&organization.as_str().into());
    let space = foundation.tables.rows(List::Spaces).iter().find(is_of).and_then(|row| row["guid"].as_str());
    let space = space.unwrap_or_default().to_owned();
    for (number, (name, role, scope)) in USERS.into_iter().enumerate() {
        let guid = format!("00000000-0000-4000-8000-{:012}", number + 1);
        let scopes = ["openid", "cloud_controller.read", scope].map(str::to_owned).to_vec();
        let (name, password) = (name.to_owned(), ADMIN.1.to_owned());
        foundation.uaa.users.push(User { guid: guid.clone(), name, password, scopes });
        if let Some(role) = role {
            let over = if role.starts_with("space") { &space } else { &organization };
            foundation.grant(&guid, role, over);
        }
    }
}

/// What time it is there.
fn there(foundation: &Foundation) -> Timestamp {
    Clock::System.now().plus(foundation.options.clock_ahead)
}

/// A reader finds the old text or the new one, never a part.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let name = beside(file, ".new");
    std::fs::write(&name, text)?;
    std::fs::rename(&name, file)
}

/// What was used since the account began; `usage` is empty until then.
fn truth(foundation: &Foundation) -> Value {
    let now = foundation.now();
    let truth = &foundation.world.truth;
    let rows: Vec<Value> = (truth.sums(Timestamp::MIN, Timestamp::MAX, now).into_iter())
        .map(|((_, key), used)| {
            let of_app = key.kind != Kind::Service;
            json!({
                "kind": key.kind.name(),
                "org_guid": key.organization,
                "space_guid": key.space,
                "app_guid": of_app.then_some(&key.owner),
                "service_instance_guid": (!of_app).then_some(&key.owner),
                "buildpack": key.buildpack,
                "service_plan_guid": key.plan,
                "instance_seconds": used.instance_seconds,
                "memory_mib_seconds": used.memory_mib_seconds,
                "disk_mib_seconds": used.disk_mib_seconds,
            })
        })
        .collect();
    json!({"from": truth.epoch(), "to": now, "usage": rows})
}
