//! Documents of invoices: as people and machines read them, checked by other people's validators.

mod chart;
mod data;
pub mod einvoice;
mod focus;
pub mod focus_files;
mod html;
mod pdf;
pub mod view;
mod views;
