//! Documents of invoices: as people and machines read them, checked by other people's validators.

mod chart;
mod html;
mod view;
