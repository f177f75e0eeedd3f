//! What the fold makes of events: the scenarios of Cloud Controller, tables of edges, and laws.

mod arrival;
mod gaps;
mod properties;
mod scenarios;
mod tables;
