//! Simulated foundations behind HTTP whose time a test moves, and what a book says of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cf_billing::domain::ledger_entry::net;
use cf_billing::domain::{Interval, Timestamp};
use cf_billing::simulator::Foundation;
use cf_billing::simulator::http::serve;
use cf_billing::store::{OnboardingStage, Store};
use http::{Request, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the simulated foundation saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub requests: usize,
    /// The last answer was a page with new events.
    pub page: bool,
}

/// A foundation served over HTTP, in which time stands still unless a test moves it.
pub struct Served {
    pub foundation: Arc<Mutex<Foundation>>,
    pub seen: watch::Receiver<Seen>,
    pub api: String,
}

impl Served {
    pub async fn new(mut foundation: Foundation) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        foundation.base.clone_from(&api);
        let foundation = Arc::new(Mutex::new(foundation));
        let (sender, seen) = watch::channel(Seen::default());
        let answering = foundation.clone();
        let answer = move |request: &Request<Bytes>| -> Response<Bytes> {
            // Counted as it arrives; what was answered, once it is.
            sender.send_modify(|seen| *seen = Seen { requests: seen.requests + 1, page: false });
            let answer = answering.lock().unwrap().exchange(request);
            if request.uri().path().ends_with("_usage_events") {
                let body: Value = serde_json::from_slice(answer.body()).unwrap();
                let rows = body["resources"].as_array().map_or(0, Vec::len);
                sender.send_modify(|seen| seen.page = rows > 1);
            }
            answer
        };
        tokio::spawn(serve(listener, answer, std::future::pending()));
        Self { foundation, seen, api }
    }
}

/// A foundation that grows takes more time and memory: every list of it is read. This one stays as large as it is.
pub fn keep_size(foundation: &mut Foundation) {
    const MOST: usize = 60;
    let Foundation { world, tables, .. } = foundation;
    let apps: Vec<String> = world.apps.keys().skip(MOST).cloned().collect();
    let services: Vec<String> = world.services.keys().skip(MOST).cloned().collect();
    for app in apps {
        world.delete_app(tables, &app);
    }
    for service in services {
        world.delete_service(tables, &service);
    }
}

/// What is in the book, read while nobody writes.
pub struct Book {
    pub onboarded: bool,
    /// Everything up to here is collected, and observed.
    pub complete_until: Option<Timestamp>,
    pub net: BTreeSet<String>,
}

impl Book {
    pub async fn read(store: &Store, name: &str) -> Self {
        let head = store.foundation(name).await.unwrap();
        let onboarding = store.onboarding(&head).await.unwrap();
        let billed = net(store.ledger_entries(&head, 0, usize::MAX).await.unwrap());
        let open = store.open_resources(&head).await.unwrap();
        let open = open.iter().filter_map(|loaded| {
            let resource = &loaded.resource;
            let piece = &resource.run.as_ref()?.piece;
            let (app, kind) = (&resource.app, &resource.process_type);
            Some(format!("{:?} of {app:?} {kind:?} {} open {:?}", resource.key, piece.started_at, piece.footprint))
        });
        Self {
            onboarded: onboarding.is_some_and(|onboarding| onboarding.stage == OnboardingStage::Complete),
            complete_until: complete_until(store, name).await,
            net: billed.iter().map(|entry| Net(&entry.interval).to_string()).chain(open).collect(),
        }
    }
}

pub async fn complete_until(store: &Store, name: &str) -> Option<Timestamp> {
    let head = store.foundation(name).await.unwrap();
    let observed = store.to_observe(&head, 1).await.unwrap().is_empty();
    head.known_until.filter(|_| observed)
}

/// An interval without the numbers of the inputs that made it.
struct Net<'a>(&'a Interval);

impl fmt::Display for Net<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interval { resource, started_at, ended_at, footprint, estimated, .. } = self.0;
        write!(formatter, "{resource:?} {started_at} {ended_at} {footprint:?} {estimated}")
    }
}
