//! Labels of metrics, each with the values that its series have from the start.

use super::family::Label;
use crate::domain::{AnomalyKind, Endpoint, EntryType, Fact, GapStage, Kind, Strategy, Stream};
use crate::telemetry::ForeignAnswer;

/// What a foundation's collection is doing.
pub const STATES: [&str; 10] =
    ["standby", "starting", "snapshots", "baseline", "replay", "complement", "live", "gap", "held", "failed"];

/// Why a foundation isn't collected until somebody decides.
pub const HOLDS: [&str; 2] = ["api_changed", "not_recognised"];

/// Work that is done at intervals.
pub const JOBS: [&str; 2] = ["draft", "verify"];

/// Servers of a foundation that show a certificate.
pub const SERVERS: [&str; 2] = ["api", "uaa"];

/// What a connection to the database is doing.
pub const CONNECTIONS: [&str; 2] = ["in_use", "idle"];

/// Why a cycle failed.
pub const FAILURES: [&str; 8] =
    ["api", "store", "superseded", "checkpoint_lost", "scope_lost", "clock_skew", "held", "refused"];

/// How what runs can differ from the ledger.
pub const DIRECTIONS: [&str; 3] = ["not_in_ledger", "only_in_ledger", "different"];

/// How the ledger can be settled by what runs.
pub const REPAIRS: [&str; 3] = ["ended", "begun", "changed"];

// Given by whoever has one: series begin with it.
pub(super) const FOUNDATION: Label = Label::given("foundation");
pub(super) const DUTY: Label = Label::given("duty");
pub(super) const CHAIN: Label = Label::given("chain");

// One of a few.
pub(super) const ANOMALY: Label = Label::one_of("reason", || AnomalyKind::ALL.map(AnomalyKind::name).to_vec());
pub(super) const ANSWER: Label = Label::one_of("answer", || ForeignAnswer::ALL.map(ForeignAnswer::name).to_vec());
pub(super) const ACTION: Label = Label::one_of("action", || REPAIRS.to_vec());
pub(super) const CONNECTION: Label = Label::one_of("state", || CONNECTIONS.to_vec());
pub(super) const DIFFERENCE: Label = Label::one_of("direction", || vec!["more", "less"]);
pub(super) const DRIFT: Label = Label::one_of("direction", || DIRECTIONS.to_vec());
pub(super) const ENDPOINT: Label = Label::one_of("endpoint", || Endpoint::ALL.map(Endpoint::name).to_vec());
pub(super) const ENTRY_TYPE: Label = Label::one_of("type", || EntryType::ALL.map(EntryType::name).to_vec());
pub(super) const EVENT_STATE: Label = Label::one_of("state", || Fact::STATES.to_vec());
pub(super) const FAILURE: Label = Label::one_of("reason", || FAILURES.to_vec());
pub(super) const HOLD: Label = Label::one_of("reason", || HOLDS.to_vec());
pub(super) const JOB: Label = Label::one_of("task", || JOBS.to_vec());
pub(super) const KIND: Label = Label::one_of("kind", || Kind::ALL.map(Kind::name).to_vec());
pub(super) const SERVER: Label = Label::one_of("server", || SERVERS.to_vec());
pub(super) const STAGE: Label = Label::one_of("stage", || GapStage::ALL.map(GapStage::name).to_vec());
pub(super) const STATE: Label = Label::one_of("state", || STATES.to_vec());
pub(super) const STATUS: Label = Label::one_of("status", || vec!["draft", "in_review", "final"]);
pub(super) const STRATEGY: Label = Label::one_of("strategy", || Strategy::ALL.map(Strategy::name).to_vec());
pub(super) const STREAM: Label = Label::one_of("stream", || Stream::ALL.map(Stream::name).to_vec());
/// Of others there is a series once there is such an answer.
pub(super) const OUTCOME: Label =
    Label::one_of("outcome", || vec!["success", "timeout", "unreachable", "server_error"]);

// Anything: series begin when there is something to tell.
pub(super) const CARD_NAME: Label = Label::open("name");
pub(super) const CODE: Label = Label::open("code");
pub(super) const CURRENCY: Label = Label::open("currency");
pub(super) const DOCUMENT: Label = Label::open("document");
pub(super) const METHOD: Label = Label::open("method");
pub(super) const ROUTE: Label = Label::open("route");
pub(super) const RUST_VERSION: Label = Label::open("rust_version");
pub(super) const VERSION: Label = Label::open("version");
