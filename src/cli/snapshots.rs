//! `cf-billing snapshots`: a foundation's usage snapshots, for people.

use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{self, Format, note, numbers, words};
use super::run::{hold_to_uaa, member};
use super::{Failure, Global};
use crate::clock::Clock;
use crate::cloud_controller::{Client, Requested, Snapshot};
use crate::domain::{Guid, Stream};

/// List, request and show a foundation's usage snapshots
#[derive(Debug, clap::Args)]
pub struct Snapshots {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Request(Request),
    Show(Show),
}

/// Which foundation.
#[derive(Debug, clap::Args)]
struct Of {
    /// The foundation; may be left out if only one is configured
    #[arg(long, value_name = "NAME")]
    foundation: Option<String>,
}

/// List the snapshots that Cloud Controller has
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing snapshots list --foundation eu1")]
struct List {
    #[command(flatten)]
    of: Of,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Request a snapshot of apps and one of services; needs `cloud_controller.admin`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing snapshots request --foundation eu1")]
struct Request {
    #[command(flatten)]
    of: Of,
    /// Only this stream: app or service
    #[arg(long, value_name = "STREAM", value_parser = stream)]
    stream: Option<Stream>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Show one snapshot
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing snapshots show 395dfa9b-8934-49c2-8d02-7b42fb0d07fb")]
struct Show {
    /// Its guid
    guid: String,
    #[command(flatten)]
    of: Of,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

fn stream(word: &str) -> Result<Stream, String> {
    let known = Stream::ALL.into_iter().find(|stream| stream.name() == word);
    known.ok_or_else(|| "app or service".to_owned())
}

impl Of {
    async fn client(&self, global: &Global) -> Result<Client, Failure> {
        let configuration = global.configuration()?;
        let names: Vec<&str> = configuration.foundations.iter().map(|foundation| foundation.name.as_str()).collect();
        let found = match (&self.foundation, &configuration.foundations[..]) {
            (Some(name), all) => all.iter().find(|foundation| foundation.name == *name),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let foundation = found.ok_or_else(|| match (&self.foundation, names.is_empty()) {
            (_, true) => Failure::usage(
                "no foundation is configured\nhint: add a [[foundation]] with name, api, client_id and client_secret_file",
            ),
            (Some(name), false) => Failure::usage(format!(
                "no foundation `{name}` is configured\nhint: foundations are: {}",
                names.join(", ")
            )),
            (None, false) => {
                Failure::usage(format!("--foundation is missing\nhint: foundations are: {}", names.join(", ")))
            }
        })?;
        let client = member(&configuration, foundation, &Clock::System)?.client;
        // Where `run` has made its book already, secrets go no other way than its own.
        if let Some(store) = Global::open_if_current(&configuration).await? {
            hold_to_uaa(&client, foundation, Some(&store)).await?;
            store.close().await;
        }
        Ok(client)
    }
}

impl Snapshots {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self.command {
            Command::List(list) => {
                let client = list.of.client(global).await?;
                let mut rows = Vec::new();
                for stream in Stream::ALL {
                    let snapshots = client.snapshots(stream).await.map_err(Failure::failed)?;
                    rows.extend(snapshots.into_iter().map(|snapshot| (stream, snapshot)));
                }
                print(&rows, list.format)
            }
            Command::Request(request) => request.run(global).await,
            Command::Show(show) => {
                let client = show.of.client(global).await?;
                let guid = Guid::new(&show.guid);
                for stream in Stream::ALL {
                    if let Some(snapshot) = client.snapshot(stream, &guid).await.map_err(Failure::failed)? {
                        return print(&[(stream, snapshot)], show.format);
                    }
                }
                Err(Failure::failed(format!(
                    "there is no usage snapshot {guid}\nhint: `cf-billing snapshots list` shows all snapshots"
                )))
            }
        }
    }
}

impl Request {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let client = self.of.client(global).await?;
        let mut rows = Vec::new();
        let mut problems = Vec::new();
        for stream in Stream::ALL.into_iter().filter(|stream| self.stream.is_none_or(|only| only == *stream)) {
            match client.request_snapshot(stream).await.map_err(Failure::failed)? {
                Requested::Snapshot(guid) => {
                    note(&format!("{stream} snapshot {guid} is being made"));
                    let snapshot = client.snapshot(stream, &guid).await.map_err(Failure::failed)?;
                    rows.extend(snapshot.map(|snapshot| (stream, snapshot)));
                }
                Requested::InProgress => problems.push(format!(
                    "another {stream} snapshot is in progress, or was never finished\nhint: `cf-billing snapshots list` shows it"
                )),
                Requested::NotAllowed => problems.push(format!(
                    "the client may not request {stream} snapshots\nhint: requesting needs the authority cloud_controller.admin"
                )),
            }
        }
        print(&rows, self.format)?;
        if problems.is_empty() { Ok(()) } else { Err(Failure { code: 1, problems }) }
    }
}

fn print(rows: &[(Stream, Snapshot)], format: Format) -> Result<(), Failure> {
    const HEADER: [&str; 9] = [
        "stream",
        "guid",
        "created_at",
        "completed_at",
        "checkpoint_created_at",
        "instances",
        "services",
        "orgs",
        "chunks",
    ];
    let cells = |(stream, snapshot): &(Stream, Snapshot)| {
        let summary = snapshot.summary;
        let time = |at: Option<crate::domain::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        vec![
            stream.to_string(),
            snapshot.guid.to_string(),
            snapshot.created_at.to_string(),
            time(snapshot.completed_at),
            time(snapshot.checkpoint_event_created_at),
            summary.instance_count.to_string(),
            summary.service_instance_count.to_string(),
            summary.organization_count.to_string(),
            summary.chunk_count.to_string(),
        ]
    };
    match format {
        Format::Table => {
            let columns = HEADER.map(|name| {
                if matches!(name, "instances" | "services" | "orgs" | "chunks") { numbers(name) } else { words(name) }
            });
            output::table(&columns, rows.iter().map(cells))
        }
        Format::Csv => output::csv(&HEADER, rows.iter().map(cells)),
        Format::Json => {
            output::json(&rows.iter().map(|(stream, snapshot)| as_json(*stream, snapshot)).collect::<Vec<_>>())
        }
    }
}

fn as_json(stream: Stream, snapshot: &Snapshot) -> Value {
    let summary = snapshot.summary;
    json!({
        "stream": stream.name(),
        "guid": snapshot.guid,
        "created_at": snapshot.created_at,
        "completed_at": snapshot.completed_at,
        "checkpoint_event_guid": snapshot.checkpoint_event_guid,
        "checkpoint_event_created_at": snapshot.checkpoint_event_created_at,
        "instance_count": summary.instance_count,
        "app_count": summary.app_count,
        "service_instance_count": summary.service_instance_count,
        "organization_count": summary.organization_count,
        "space_count": summary.space_count,
        "chunk_count": summary.chunk_count,
    })
}
