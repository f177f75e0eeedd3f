//! `cf-billing probe`: asks the daemon on this machine how it is, for health checks that have no other tool.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::output::{self, note};
use super::{Failure, Global};
use crate::cloud_controller::transport::{Exchange, Http, Limits};

/// Ask the daemon on this machine whether it serves pages
///
/// It is asked at `[http] listen`. The exit code is 0 if it does, else 1. For health checks of containers: an image may have no
/// other program.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing probe --what ready")]
pub struct Probe {
    /// alive: the process answers. serving: pages can be served. ready: all is well; for people and alerts, since a restart mends none of it
    #[arg(long, value_enum, default_value = "serving")]
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Alive,
    Serving,
    Ready,
}

impl What {
    const fn path(self) -> &'static str {
        match self {
            Self::Alive => "/healthz",
            Self::Serving => "/servez",
            Self::Ready => "/readyz",
        }
    }
}

/// Whoever probes waits no longer.
const ANSWER: Duration = Duration::from_millis(2500);

impl Probe {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let listen = global.configuration()?.http.listen;
        if listen.port() == 0 {
            return Err(Failure::usage(
                "`[http] listen` has port 0, so nobody knows where the daemon serves\nhint: configure a port",
            ));
        }
        let url = format!("http://{listen}{}", self.what.path());
        let http = Http::with_limits(None, Limits { silence: ANSWER, whole: ANSWER }).map_err(Failure::failed)?;
        let request = Request::get(&url).body(Bytes::new()).map_err(Failure::failed)?;
        let answer = http.exchange(request).await.map_err(|error| {
            Failure::failed(format!("{url}: {error}\nhint: is the daemon running, with this configuration?"))
        })?;
        let told = String::from_utf8_lossy(answer.body()).trim_end().to_owned();
        if answer.status() == StatusCode::OK {
            return output::print(&told);
        }
        note(&told);
        Err(Failure::failed(format!("{url}: {}", answer.status())))
    }
}
