//! Lines of invoices in their table. A new column is a line in the declaration, and its field in the two functions below it.

use std::sync::Arc;

use crate::domain::Currency;
use crate::domain::{Amount, Guid, Kind, Price, Span, Timestamp};
use crate::invoicing::{Charge, InvoiceLine};
use crate::rate_card::Meter;
use crate::rating::{LineKey, LineUse, Named, Part};
use crate::store::StoreError;
use crate::store::database::{Json, Record, Row, Spelled, table, unexpected};

table! {
    /// What an invoice charges for.
    pub(in crate::store) struct LineRow: "invoice_line"[2] in "(SELECT currency FROM invoice WHERE invoice.id = invoice_line.invoice_id)" {
        /// Invoice it is of.
        invoice_id: i64,
        /// 1, 2, 3 …
        position: i64,
        /// Where the usage was.
        foundation: String,
        /// In Cloud Controller.
        organization_guid: Guid,
        /// As it was when drafted.
        organization_name: Option<String>,
        /// In Cloud Controller.
        space_guid: Guid,
        /// As it was when drafted.
        space_name: Option<String>,
        /// process, service, staging or task.
        kind: Spelled<Kind>,
        /// Null for services.
        app_guid: Option<Guid>,
        /// As it was when drafted.
        app_name: Option<String>,
        /// Null if it isn't a service.
        service_instance_guid: Option<Guid>,
        /// As it was when drafted.
        service_instance_name: Option<String>,
        /// Null if it isn't a service.
        service_offering_guid: Option<Guid>,
        /// As it was when drafted.
        service_offering_name: Option<String>,
        /// Null if it isn't a service.
        service_plan_guid: Option<Guid>,
        /// As it was when drafted.
        service_plan_name: Option<String>,
        /// Name, or the obfuscated URL of a custom one.
        buildpack: Option<String>,
        /// Whether the usage's length is assumed.
        estimated: bool,
        /// Begin of the part of the period the line is for.
        started_at: Timestamp,
        /// Its end.
        ended_at: Timestamp,
        /// What is measured: instance_hour, memory_gib_hour, disk_gib_hour …
        meter: Spelled<Meter>,
        /// Instance-seconds or MiB-seconds.
        quantity: i64,
        /// How much of the quantity one price is for.
        unit_size: i64,
        /// Per unit, in the currency's major unit; null: no rate is for it.
        price: Option<Price>,
        /// Quantity times price, rounded once, in the currency's major unit.
        amount: Option<Amount>,
        /// The rate in the card.
        rate: Option<String>,
        /// The quantity before lengths were rounded; null: the same.
        used: Option<i64>,
        /// What part of the usage it charges for: whole, allowance NAME, tier N or packages N.
        part: Part,
        /// How lengths were rounded; null: by the second.
        granularity: Option<String>,
        /// The price for everyone where another one was agreed on; null: the same, or there is none.
        list_price: Option<Price>,
        /// Its share of discounts and of what a commitment covers, zero or less; null: nothing.
        discount: Option<Amount>,
        /// JSON: what was used on each day of the period; null: not known.
        days: Option<Json<Vec<i64>>>,
        /// Lines of the same row charge for parts of the same usage.
        basis_row: Option<usize>,
    }
}

fn guid_of(named: Option<&Named>) -> Option<Guid> {
    named.map(|named| named.guid.clone())
}

fn name_of(named: Option<&Named>) -> Option<String> {
    named.and_then(|named| named.name.clone())
}

fn named(guid: Option<Guid>, name: Option<String>) -> Option<Named> {
    guid.map(|guid| Named { name, guid })
}

impl LineRow {
    /// A line of the invoice of that id; `position` from 1.
    pub(super) fn of(invoice_id: i64, position: i64, line: &InvoiceLine) -> Self {
        let (key, charge) = (&line.key, line.charge.as_ref());
        Self {
            invoice_id,
            position,
            foundation: key.foundation.clone(),
            organization_guid: key.organization.guid.clone(),
            organization_name: key.organization.name.clone(),
            space_guid: key.space.guid.clone(),
            space_name: key.space.name.clone(),
            kind: Spelled(key.kind),
            app_guid: guid_of(key.app.as_ref()),
            app_name: name_of(key.app.as_ref()),
            service_instance_guid: guid_of(key.service_instance.as_ref()),
            service_instance_name: name_of(key.service_instance.as_ref()),
            service_offering_guid: guid_of(key.service_offering.as_ref()),
            service_offering_name: name_of(key.service_offering.as_ref()),
            service_plan_guid: guid_of(key.service_plan.as_ref()),
            service_plan_name: name_of(key.service_plan.as_ref()),
            buildpack: key.buildpack.clone(),
            estimated: key.estimated,
            started_at: line.span.from,
            ended_at: line.span.to,
            meter: Spelled(line.meter),
            quantity: line.quantity,
            unit_size: line.unit_size,
            price: charge.map(|charge| charge.price),
            amount: charge.map(|charge| charge.amount),
            rate: charge.map(|charge| charge.rate.clone()),
            used: (line.used != line.quantity).then_some(line.used),
            part: line.part.clone(),
            granularity: line.granularity.clone(),
            list_price: charge.and_then(|charge| charge.list_price),
            discount: (line.discount != Amount::default()).then_some(line.discount),
            days: (!line.days.is_empty()).then(|| Json(line.days.clone())),
            basis_row: Some(line.row),
        }
    }

    /// The line of a row.
    pub(super) fn read_line(row: &Row, currency: Currency) -> Result<InvoiceLine, StoreError> {
        let row = Self::read_in(row, currency)?;
        let charge = match (row.price, row.amount, row.rate) {
            (Some(price), Some(amount), Some(rate)) => Some(Charge { price, amount, rate, list_price: row.list_price }),
            (None, None, None) => None,
            // One of them alone would be a charge for nothing, or nothing charged.
            (_, None, _) => return Err(unexpected("invoice_line.amount", "null")),
            (None, ..) => return Err(unexpected("invoice_line.price", "null")),
            (.., None) => return Err(unexpected("invoice_line.rate", "null")),
        };
        let line = LineUse {
            key: Arc::new(LineKey {
                foundation: row.foundation,
                organization: Named { guid: row.organization_guid, name: row.organization_name },
                space: Named { guid: row.space_guid, name: row.space_name },
                kind: row.kind.0,
                app: named(row.app_guid, row.app_name),
                service_instance: named(row.service_instance_guid, row.service_instance_name),
                service_offering: named(row.service_offering_guid, row.service_offering_name),
                service_plan: named(row.service_plan_guid, row.service_plan_name),
                buildpack: row.buildpack,
                estimated: row.estimated,
            }),
            meter: row.meter.0,
            quantity: row.quantity,
            used: row.used.unwrap_or(row.quantity),
            unit_size: row.unit_size,
            part: row.part,
            span: Span { from: row.started_at, to: row.ended_at },
            days: row.days.map_or_else(Vec::new, |days| days.0),
            // What earlier versions made has no rows of usage.
            row: row.basis_row.unwrap_or_default(),
        };
        Ok(InvoiceLine { line, granularity: row.granularity, charge, discount: row.discount.unwrap_or_default() })
    }
}
