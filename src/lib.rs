pub mod cli;
pub mod clock;
pub mod cloud_controller;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod fold;
pub mod store;
