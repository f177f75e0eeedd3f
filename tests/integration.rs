//! All integration tests, one binary: a module per subject.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests may panic, print and wait"
)]
#![allow(
    clippy::doc_markdown,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::too_many_lines,
    reason = "tables are long"
)]

mod accounts;
mod api;
mod attestation;
mod bad_input;
mod between;
mod client;
mod clocks;
mod collector;
mod daemon;
mod dataset;
mod deploy;
mod documents;
mod editors;
mod fold;
mod front;
mod fuzz;
mod golden;
mod identity;
mod import_lists;
mod invoices;
mod invoicing;
mod kill;
mod ledger;
mod lists;
mod looks;
mod lost_again;
mod operation;
mod races;
mod rates;
mod readme;
mod recovery;
mod replicas;
mod reseeds;
mod retention;
mod scenarios;
mod schema;
mod secrets;
mod shared;
mod shell;
mod simulation;
mod simulator;
mod story;
mod support;
mod tenants_text;
mod transport;
mod tree;
mod two_brokers;
mod undecodable;
mod walk;
mod what_is_billed;
