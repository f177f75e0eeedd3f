//! What e-invoices say, as a reader of theirs would put it down.

use cf_billing::invoicing::{Invoice, Language};
use en16931_formats::read;

use super::cases::{of_card, with_category};
use super::made;
use crate::support::sample;

/// Each line: quantity, unit, price, base, amount, name and description.
fn lines(invoice: &Invoice) -> Vec<String> {
    let read = read(made(invoice)[0].as_bytes()).unwrap().invoice;
    let show = |line: &en16931::InvoiceLine| {
        let base = line.price.base_quantity.map(|base| format!(" per {base}")).unwrap_or_default();
        format!(
            "{} {} × {}{base} = {} {} ({})",
            line.quantity,
            line.unit.as_ref().unwrap(),
            line.price.net_price,
            line.net_amount,
            line.item.name.as_deref().unwrap_or_default(),
            line.item.description.as_deref().unwrap_or_default()
        )
    };
    read.lines.iter().map(show).collect()
}
