//! What several subjects need: the shipped binary, fresh folders, scripts of events.

pub mod background;
pub mod book;
pub mod cluster;
pub mod collected;
pub mod customers;
pub mod database;
pub mod generated;
pub mod member;
pub mod month;
pub mod program;
pub mod prometheus;
pub mod proxy;
pub mod recorded;
pub mod sample;
pub mod schema;
pub mod script;
pub mod served;
pub mod tls;
pub mod tool;
