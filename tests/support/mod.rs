//! What several subjects need: the shipped binary, fresh folders, scripts of events.

pub mod background;
pub mod book;
pub mod clock;
pub mod cluster;
pub mod collected;
pub mod customers;
pub mod database;
pub mod disk;
pub mod generated;
pub mod member;
pub mod month;
pub mod node;
pub mod pooler;
pub mod program;
pub mod prometheus;
pub mod proxy;
pub mod recorded;
pub mod replica;
pub mod sample;
pub mod schema;
pub mod script;
pub mod served;
pub mod tls;
pub mod tool;
