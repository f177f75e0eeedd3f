//! Everything that knows how Cloud Controller and UAA speak.

mod bounds;
mod client;
mod error;
mod issuer;
mod token;
pub mod transport;
pub mod uaa;
mod wire;

pub use client::{
    After, Client, Credentials, Dated, Endpoints, EventPage, GUIDS_PER_REQUEST, Listed, RequestLimit, Requested,
};
pub use error::{Answerer, ApiError, ErrorKind};
pub use token::Token;
pub use wire::lists::{
    App, Build, Droplet, Job, OfApp, Organization, Process, ServiceInstance, ServiceOffering, ServicePlan, Space, Task,
};
pub use wire::row::UnreadableRow;
pub use wire::snapshot::{Chunk, NamedItem, Snapshot};
pub use wire::stats::{InstanceStats, ProcessStats};
pub use wire::usage_event::{Decoded, Names, decode};
