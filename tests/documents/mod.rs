//! Documents of invoices: as people and machines read them, checked by other people's validators.

mod data;
mod focus;
mod focus_files;
mod einvoice;
