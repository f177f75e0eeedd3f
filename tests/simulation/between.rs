//! Routers and proxies that answer in Cloud Controller's place for a while, whatever is asked: they may cost time, and must
//! decide nothing. Drawn from a source of their own, so that a seed's other faults stay as they are.

use bytes::Bytes;
use cf_billing::simulator::faults::{Fault, page, router_404};
use http::{Request, Response};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What they stand before.
const PATHS: [&str; 12] = [
    "/",
    "/oauth/token",
    "usage_events",
    "_usage/snapshots",
    "/v3/jobs",
    "/chunks",
    "/v3/apps",
    "/v3/processes",
    "/v3/droplets",
    "/v3/service_instances",
    "/v3/tasks",
    "/v3/spaces",
];

/// See the module.
pub struct Between {
    random: ChaCha8Rng,
    /// Where it stands now, with which answer, for so many requests that match.
    stands: Option<(&'static str, u32, u32)>,
}

impl Between {
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed ^ 0xbe73_ee21), stands: None }
    }

    /// Nothing stands between any more.
    pub fn heal(&mut self) {
        self.stands = None;
    }

    /// May begin, before a cycle: for a few requests, or for whole cycles.
    pub fn begin(&mut self) -> bool {
        if self.stands.is_some() || self.random.random_range(0..100) >= 12 {
            return false;
        }
        let path = PATHS[self.random.random_range(0..PATHS.len())];
        let many = if self.random.random_range(0..3) == 0 { 40 } else { 5 };
        self.stands = Some((path, self.random.random_range(0..9), self.random.random_range(1..=many)));
        true
    }

    /// What is answered instead, if something stands there.
    pub fn answer(&mut self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let (path, kind, left) = self.stands?;
        let asked = request.uri().path();
        let matches = if path == "/" { asked == "/" } else { asked.contains(path) };
        if !matches {
            return None;
        }
        self.stands = (left > 1).then_some((path, kind, left - 1));
        let spoilt = |fault: Fault| fault.spoil(request, Response::new(Bytes::from_static(b"{}")));
        Some(match kind {
            0..=2 => router_404(),
            3 => page(404, "<html><h1>404 Not Found</h1></html>"),
            4 => page(403, "<html><h1>403 Forbidden</h1></html>"),
            5 => page(410, "<html><h1>410 Gone</h1></html>"),
            6 => spoilt(Fault::LoginPage),
            7 => spoilt(Fault::OtherJson),
            _ => spoilt(Fault::RedirectHttps),
        })
    }
}
