//! Standalone billing for Cloud Foundry: see ARCHITECTURE.md for the map.
//!
//! Pure modules take values and return values: no clock, no I/O, no async, no floating point, no
//! logging. The shell may import them, never the other way round; a test keeps the table of imports.

// Pure.
#[deny(clippy::float_arithmetic)]
pub mod access;
#[deny(clippy::float_arithmetic)]
pub mod accounts;
#[deny(clippy::float_arithmetic)]
pub mod documents;
#[deny(clippy::float_arithmetic)]
pub mod domain;
#[deny(clippy::float_arithmetic)]
pub mod fold;
#[deny(clippy::float_arithmetic)]
pub mod invoicing;
#[deny(clippy::float_arithmetic)]
pub mod keyed;
#[deny(clippy::float_arithmetic)]
pub mod rate_card;
#[deny(clippy::float_arithmetic)]
pub mod rating;

// Shell.
pub mod api;
pub mod billing_run;
pub mod cli;
pub mod clock;
pub mod cloud_controller;
pub mod config;
pub mod consumer;
pub mod daemon;
pub mod http;
pub mod identity;
pub mod simulator;
pub mod store;
pub mod telemetry;
