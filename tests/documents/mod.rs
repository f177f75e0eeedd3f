//! Documents of invoices: as people and machines read them, checked by other people's validators.

mod data;
mod einvoice;
mod focus;
mod focus_files;
mod pdf;
mod views;
