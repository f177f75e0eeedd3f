//! Documents of invoices: as people and machines read them, checked by other people's validators.

mod pdf;
mod views;
