//! One account's usage of one month, written down in words, and the invoice it comes to, in words.

use std::fmt::Write;
use std::sync::Arc;

use cf_billing::domain::{Guid, Kind, Month, Span, Timestamp};
use cf_billing::invoicing::{Header, Invoice, Particulars, invoice};
use cf_billing::rate_card::{CardFile, Labels, Meter, RateCard, parse, units};
use cf_billing::rating::{LineKey, Named, Part, Piece, RULES, Rater, Source, UsageKey};
use chrono_tz::Tz;

/// Reads a card of one file, with name and currency unless it has them.
pub fn card(text: &str, zone: Tz) -> RateCard {
    let head = if text.contains("currency =") { "name = \"t\"\n" } else { "name = \"t\"\ncurrency = \"EUR\"\n" };
    let file = CardFile { name: "card.toml".to_owned(), text: format!("{head}{text}") };
    let (card, problems) = parse(&[file], zone);
    card.unwrap_or_else(|| panic!("{text}\n{problems:?}"))
}

/// A month and its zone: `2026-10 Europe/Berlin`.
pub fn period(month: &str) -> (Month, Tz, Span) {
    let (month, zone) = month.split_once(' ').unwrap_or((month, "UTC"));
    let (month, zone): (Month, Tz) = (month.parse().unwrap(), zone.parse().unwrap());
    (month, zone, month.span(zone))
}

fn named(name: &str) -> Named {
    Named { guid: Guid::new(&format!("{name}-guid")), name: Some(name.to_owned()) }
}

/// `15`, `15T13`, `15T13:37` or `15T13:37:00` of the month in UTC, or a whole RFC 3339 time.
fn time(month: Month, text: &str) -> Timestamp {
    if text.len() > 11 {
        return Timestamp::parse(text).unwrap();
    }
    let (day, clock) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let seconds = &":00:00"[..8 - clock.len()];
    if day.parse::<u32>().unwrap() > 27
        && chrono::NaiveDate::parse_from_str(&format!("{month}-{day}"), "%Y-%m-%d").is_err()
    {
        return Timestamp::parse(&format!("{}-01T{clock}{seconds}Z", month.next())).unwrap();
    }
    Timestamp::parse(&format!("{month}-{day}T{clock}{seconds}Z")).unwrap()
}

/// `process shop 01 02 i=2 m=512 bp=go`: kind, whose, from, to, and what isn't as usual (1 × 1024 MiB, no disk).
fn piece(month: Month, period: Span, line: &str) -> Piece {
    let mut words = line.split_whitespace();
    let kind = Kind::from_name(words.next().unwrap()).unwrap();
    let owner = words.next().unwrap();
    let (from, to) = (time(month, words.next().unwrap()), time(month, words.next().unwrap()));
    let is_service = kind == Kind::Service;
    let mut key = LineKey {
        foundation: "eu1".to_owned(),
        organization: named("acme"),
        space: named("live"),
        kind,
        app: (!is_service).then(|| named(owner)),
        service_instance: is_service.then(|| named(owner)),
        service_offering: None,
        service_plan: None,
        buildpack: None,
        estimated: false,
    };
    let (mut organization_labels, mut space_labels) = (Labels::new(), Labels::new());
    let (mut process_type, mut buildpack_guid) = (None, None);
    let (mut user_provided, mut open) = (false, false);
    let (mut instances, mut memory_mib, mut disk_mib) = (1, if is_service { 0 } else { 1024 }, 0);
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let label = |labels: &mut Labels| {
            let (key, value) = value.split_once(':').unwrap();
            labels.insert(key.to_owned(), value.to_owned());
        };
        match name {
            "i" => instances = value.parse().unwrap(),
            "m" => memory_mib = value.parse().unwrap(),
            "d" => disk_mib = value.parse().unwrap(),
            "bp" => key.buildpack = Some(value.to_owned()),
            "bpguid" => buildpack_guid = Some(Arc::from(value)),
            "type" => process_type = Some(Arc::from(value)),
            "org" => key.organization = named(value),
            "label" => label(&mut organization_labels),
            "slabel" => label(&mut space_labels),
            "plan" => {
                let (offering, plan) = value.split_once('/').unwrap();
                (key.service_offering, key.service_plan) = (Some(named(offering)), Some(named(plan)));
            }
            "estimated" => key.estimated = true,
            "user_provided" => user_provided = true,
            "open" => open = true,
            other => panic!("{other}"),
        }
    }
    Piece {
        key: Arc::new(UsageKey {
            line: Arc::new(key),
            process_type,
            buildpack_guid,
            service_broker: None,
            organization_labels: Arc::new(organization_labels),
            space_labels: Arc::new(space_labels),
            organization_annotations: Arc::default(),
            space_annotations: Arc::default(),
            user_provided,
        }),
        span: Span { from: from.max(period.from), to: to.min(period.to) },
        whole: Span { from, to },
        open,
        instances,
        memory_mib,
        disk_mib,
        resource: Guid::new(&format!("{owner}-process-guid")),
        source: Source { entry: Some(1), opened_by: 1, closed_by: Some(2) },
    }
}

/// The invoice of account `acme` for usage with a line, or a `;`, between pieces.
pub fn bill(card: &RateCard, month: &str, usage: &str) -> Invoice {
    bill_by(card, month, usage, RULES)
}

/// As [`bill`], by the rules of that number.
pub fn bill_by(card: &RateCard, month: &str, usage: &str, rules: u32) -> Invoice {
    let (month, zone, period) = period(month);
    let pieces = usage.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty());
    let mut resources: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces.map(|line| piece(month, period, line)) {
        let whose =
            |piece: &Piece| (piece.key.line.kind, piece.key.line.resource().cloned(), piece.key.process_type.clone());
        match resources.iter_mut().find(|pieces| whose(&pieces[0]) == whose(&piece)) {
            Some(pieces) => pieces.push(piece),
            None => resources.push(vec![piece]),
        }
    }
    let mut rater = Rater::new(card, "acme", period, zone, rules);
    for pieces in resources {
        rater.add(&pieces).unwrap();
    }
    let header = Header {
        account: "acme".to_owned(),
        account_name: None,
        seller: None,
        month,
        period,
        time_zone: zone,
        rules,
        rate_card: String::new(),
        rated_through: None,
        gaps: Vec::new(),
        undecodable: Vec::new(),
        clocks: Vec::new(),
        particulars: Particulars::default(),
        tax: None,
        corrections: Vec::new(),
        given: Vec::new(),
        coverage: Vec::new(),
        previous_net: None,
        replaced: None,
        taxed_before: Vec::new(),
    };
    invoice(header, card, &rater.finish().unwrap()).unwrap().invoice
}

/// An invoice in words: `shop mem 24 × 0.0125 = 0.30`, then what is added or taken off, tax, and the net if there is
/// more than one line.
pub fn shown(invoice: &Invoice) -> String {
    let major = |amount: cf_billing::domain::Amount| amount.in_major_units(invoice.currency).to_string();
    let mut lines = Vec::new();
    for line in &invoice.lines {
        let whose = line.key.service_instance.as_ref().or(line.key.app.as_ref()).unwrap().name.clone().unwrap();
        let mut text = whose;
        if line.key.organization.name.as_deref() != Some("acme") {
            write!(text, "@{}", line.key.organization.name.as_deref().unwrap()).unwrap();
        }
        let Some(charge) = &line.charge else {
            lines.push(format!("{text} {} unpriced", units(line.quantity, line.unit_size)));
            continue;
        };
        let meter = match line.meter {
            Meter::InstanceHour => "inst",
            Meter::MemoryGibHour => "mem",
            Meter::DiskGibHour => "disk",
            Meter::Month => "month",
            Meter::Staging => "staging",
        };
        let part = match &line.part {
            Part::Whole => String::new(),
            part => format!(" [{part}]"),
        };
        write!(text, " {meter}{part} {}", units(line.quantity, line.unit_size)).unwrap();
        if line.used != line.quantity {
            write!(text, " (used {})", units(line.used, line.unit_size)).unwrap();
        }
        if line.span != invoice.period {
            let short = |at: Timestamp| at.to_string()[8..16].trim_end_matches("T00:00").to_owned();
            write!(text, " {}-{}", short(line.span.from), short(line.span.to)).unwrap();
        }
        write!(text, " × {} = {}", charge.price, major(charge.amount)).unwrap();
        lines.push(text);
    }
    for adjustment in &invoice.adjustments {
        lines.push(format!("{} {}", adjustment.name, major(adjustment.amount)));
    }
    if invoice.lines.len() + invoice.adjustments.len() > 1 {
        lines.push(format!("net {}", major(invoice.net)));
    }
    if let Some(tax) = &invoice.tax {
        lines.push(format!("{} {} % {}", tax.name, tax.percent, major(tax.amount)));
    }
    lines.join("; ")
}
