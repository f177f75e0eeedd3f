//! Writes what an invoice is made of, row by row, many in one statement.

use crate::domain::Amount;
use crate::invoicing::{Correction, Coverage, Invoice};
use crate::rating::Named;
use crate::store::database::{Columns, Payload, RowWriter, Session, Sql, Type, values};
use crate::store::{Recalculation, StoreError};

pub(super) async fn put_lines(session: &mut Session, id: i64, invoice: &Invoice) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO invoice_line
             (invoice_id, position, foundation, organization_guid, organization_name, space_guid, space_name, kind,
              app_guid, app_name, service_instance_guid, service_instance_name, service_offering_guid,
              service_offering_name, service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at,
              meter, quantity, unit_size, price, amount, rate, used, part, granularity, list_price, discount, days,
              basis_row)
         SELECT $1, position, foundation, organization_guid, organization_name, space_guid, space_name, kind,
                app_guid, app_name, service_instance_guid, service_instance_name, service_offering_guid,
                service_offering_name, service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at,
                meter, quantity, unit_size, price, amount, rate, used, part, granularity, list_price, discount, days,
                basis_row
         FROM {rows} AS new",
    );
    const COLUMNS: Columns = &[
        ("position", Type::Integer),
        ("foundation", Type::Text),
        ("organization_guid", Type::Text),
        ("organization_name", Type::Text),
        ("space_guid", Type::Text),
        ("space_name", Type::Text),
        ("kind", Type::Text),
        ("app_guid", Type::Text),
        ("app_name", Type::Text),
        ("service_instance_guid", Type::Text),
        ("service_instance_name", Type::Text),
        ("service_offering_guid", Type::Text),
        ("service_offering_name", Type::Text),
        ("service_plan_guid", Type::Text),
        ("service_plan_name", Type::Text),
        ("buildpack", Type::Text),
        ("estimated", Type::Flag),
        ("started_at", Type::Time),
        ("ended_at", Type::Time),
        ("meter", Type::Text),
        ("quantity", Type::Integer),
        ("unit_size", Type::Integer),
        ("price", Type::Price),
        ("amount", Type::Amount),
        ("rate", Type::Text),
        ("used", Type::Integer),
        ("part", Type::Text),
        ("granularity", Type::Text),
        ("list_price", Type::Price),
        ("discount", Type::Amount),
        ("days", Type::Text),
        ("basis_row", Type::Integer),
    ];
    let mut payload = session.payload(COLUMNS);
    for (position, line) in (1..).zip(&invoice.lines) {
        let key = &line.key;
        let mut row = payload.row().integer(position).text(Some(&key.foundation));
        let (app, instance) = (key.app.as_ref(), key.service_instance.as_ref());
        let (offering, plan) = (key.service_offering.as_ref(), key.service_plan.as_ref());
        for named in [Some(&key.organization), Some(&key.space)] {
            row = put_named(row, named);
        }
        row = row.text(Some(key.kind.name()));
        for named in [app, instance, offering, plan] {
            row = put_named(row, named);
        }
        row.text(key.buildpack.as_deref())
            .flag(key.estimated)
            .time(line.span.from)
            .time(line.span.to)
            .text(Some(line.meter.name()))
            .integer(line.quantity)
            .integer(line.unit_size)
            .price(line.charge.as_ref().map(|charge| charge.price))
            .amount(line.charge.as_ref().map(|charge| charge.amount), invoice.currency)
            .text(line.charge.as_ref().map(|charge| charge.rate.as_str()))
            .integer((line.used != line.quantity).then_some(line.used))
            .text(Some(&line.part.to_string()))
            .text(line.granularity.as_deref())
            .price(line.charge.as_ref().and_then(|charge| charge.list_price))
            .amount((line.discount != Amount::default()).then_some(line.discount), invoice.currency)
            .text(days_text(&line.days).as_deref())
            .integer(i64::try_from(line.row).unwrap_or_default());
    }
    session.run_of(PUT, values![id], payload).await?;
    Ok(())
}

fn days_text(days: &[i64]) -> Option<String> {
    (!days.is_empty()).then(|| serde_json::to_string(days).expect("numbers are plain values"))
}

pub(super) async fn put_adjustments(session: &mut Session, id: i64, invoice: &Invoice) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO invoice_adjustment (invoice_id, position, adjustment, name, basis, percent, amount)
         SELECT $1, position, adjustment, name, basis, percent, amount FROM {rows} AS new",
    );
    const COLUMNS: Columns = &[
        ("position", Type::Integer),
        ("adjustment", Type::Text),
        ("name", Type::Text),
        ("basis", Type::Amount),
        ("percent", Type::Price),
        ("amount", Type::Amount),
    ];
    let mut payload = session.payload(COLUMNS);
    for (position, adjustment) in (1..).zip(&invoice.adjustments) {
        payload
            .row()
            .integer(position)
            .text(Some(adjustment.adjustment.name()))
            .text(Some(&adjustment.name))
            .amount(adjustment.basis, invoice.currency)
            .price(adjustment.percent)
            .amount(Some(adjustment.amount), invoice.currency);
    }
    session.run_of(PUT, values![id], payload).await?;
    Ok(())
}

fn put_named<'row>(row: RowWriter<'row>, named: Option<&Named>) -> RowWriter<'row> {
    row.text(named.map(|named| named.guid.to_string()).as_deref()).text(named.and_then(|named| named.name.as_deref()))
}

pub(super) async fn put_corrections(session: &mut Session, id: i64, invoice: &Invoice) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO invoice_correction
             (invoice_id, position, number, line, month, started_at, ended_at, what, subject, meter, quantity, unit_size,
              price, amount_before, amount_after, cause, rate_card_hash)
         SELECT $1, position, number, line, month, started_at, ended_at, what, subject, meter, quantity, unit_size,
                price, amount_before, amount_after, cause, rate_card_hash
         FROM {rows} AS new",
    );
    const COLUMNS: Columns = &[
        ("position", Type::Integer),
        ("number", Type::Text),
        ("line", Type::Integer),
        ("month", Type::Text),
        ("started_at", Type::Time),
        ("ended_at", Type::Time),
        ("what", Type::Text),
        ("subject", Type::Text),
        ("meter", Type::Text),
        ("quantity", Type::Integer),
        ("unit_size", Type::Integer),
        ("price", Type::Price),
        ("amount_before", Type::Amount),
        ("amount_after", Type::Amount),
        ("cause", Type::Text),
        ("rate_card_hash", Type::Text),
    ];
    let mut payload = session.payload(COLUMNS);
    for (position, correction) in (1..).zip(&invoice.corrections) {
        let subject = correction.key.as_ref().map(|key| serde_json::to_string(&**key).expect("keys are plain values"));
        payload
            .row()
            .integer(position)
            .text(Some(&correction.number))
            .integer(correction.line.and_then(|line| i64::try_from(line).ok()))
            .text(Some(&correction.month.to_string()))
            .time(correction.span.from)
            .time(correction.span.to)
            .text(Some(&correction.what))
            .text(subject.as_deref())
            .text(correction.meter.map(crate::rate_card::Meter::name))
            .integer(correction.quantity)
            .integer(correction.unit_size)
            .price(correction.price)
            .amount(Some(correction.before), invoice.currency)
            .amount(Some(correction.after), invoice.currency)
            .text(Some(correction.cause.name()))
            .text(Some(&correction.rate_card));
    }
    session.run_of(PUT, values![id], payload).await?;
    Ok(())
}

/// What an invoice covers, as rows.
pub(super) fn coverage_rows(session: &Session, coverage: &[Coverage]) -> Payload {
    const COLUMNS: Columns = &[
        ("foundation", Type::Text),
        ("organization_guid", Type::Text),
        ("space_guid", Type::Text),
        ("started_at", Type::Time),
        ("ended_at", Type::Time),
        ("labels", Type::Text),
    ];
    let mut payload = session.payload(COLUMNS);
    for one in coverage {
        let labels = one.labels.as_ref().map(|labels| serde_json::to_string(labels).expect("labels are plain values"));
        payload
            .row()
            .text(Some(&one.foundation))
            .text(Some(&one.organization.to_string()))
            .text(Some(&one.space.to_string()))
            .time(one.span.from)
            .time(one.span.to)
            .text(labels.as_deref());
    }
    payload
}

pub(super) async fn put_coverage(session: &mut Session, id: i64, coverage: &[Coverage]) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO invoice_coverage
             (invoice_id, foundation, organization_guid, space_guid, started_at, ended_at, labels)
         SELECT $1, foundation, organization_guid, space_guid, started_at, ended_at, labels FROM {rows} AS new",
    );
    let payload = coverage_rows(session, coverage);
    session.run_of(PUT, values![id], payload).await?;
    Ok(())
}

/// Removes everything that a draft is made of but its own row.
pub(super) async fn remove_parts(session: &mut Session, id: i64) -> Result<(), StoreError> {
    const LINES: Sql = Sql::new("DELETE FROM invoice_line WHERE invoice_id = $1");
    const ADJUSTMENTS: Sql = Sql::new("DELETE FROM invoice_adjustment WHERE invoice_id = $1");
    const CORRECTIONS: Sql = Sql::new("DELETE FROM invoice_correction WHERE invoice_id = $1");
    const COVERAGE: Sql = Sql::new("DELETE FROM invoice_coverage WHERE invoice_id = $1");
    for statement in [LINES, ADJUSTMENTS, CORRECTIONS, COVERAGE] {
        session.run(statement, values![id]).await?;
    }
    Ok(())
}

/// Corrections as text, as they are kept before they are on a document.
pub(super) fn corrections_text(recalculation: &Recalculation) -> String {
    let corrections: Vec<serde_json::Value> = recalculation.corrections.iter().map(correction_json).collect();
    serde_json::Value::Array(corrections).to_string()
}

fn correction_json(correction: &Correction) -> serde_json::Value {
    serde_json::json!({
        "number": correction.number,
        "line": correction.line,
        "month": correction.month.to_string(),
        "from": correction.span.from,
        "to": correction.span.to,
        "what": correction.what,
        "subject": correction.key.as_deref(),
        "meter": correction.meter.map(crate::rate_card::Meter::name),
        "quantity": correction.quantity,
        "unit_size": correction.unit_size,
        "price": correction.price,
        "before": correction.before.0,
        "after": correction.after.0,
        "cause": correction.cause.name(),
        "rate_card": correction.rate_card,
    })
}
