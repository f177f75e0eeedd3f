//! What a document says as JSON, read back: of a final invoice that the book lacks.
//! Owns how its keys are read; what JSON doesn't say is left as if there were none.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_json::Value;

use super::Issue;
use crate::domain::{Amount, Currency, Kind, Month, Price, Span, Timestamp};
use crate::invoicing::{
    Adjustment, AdjustmentType, Charge, Common, Corrected, Correction, CorrectionCause, Coverage, CreditNote, Dates,
    Document, DocumentKind, Invoice, InvoiceLine, Particulars, TaxLine,
};
use crate::rate_card::Meter;
use crate::rating::{LineKey, LineUse, Named, Part};

/// A document that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBack {
    pub issue: Issue,
    pub finalized_at: Timestamp,
    pub document: Document,
}

impl ReadBack {
    /// When it was issued, and until when it was to be paid.
    #[must_use]
    pub const fn dates(&self) -> Dates {
        Dates { issued_on: self.issue.issued_on, due_on: self.issue.due_on }
    }
}

/// Reads a final invoice's or credit note's JSON.
///
/// # Errors
/// The key that is missing or says something unknown.
pub fn read_back(text: &[u8]) -> Result<ReadBack, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let value = Of(&value, "");
    if value.text("status")? != "final" {
        return Err("it isn't of a final invoice".to_owned());
    }
    let currency = value.parsed("currency", Currency::from_code)?;
    let period = Span { from: value.time("period_start")?, to: value.time("period_end")? };
    let common = Common {
        account: value.text("account")?.to_owned(),
        account_name: value.maybe_text("account_name"),
        seller: value.maybe_text("seller"),
        month: value.meant::<Month>("month")?,
        period,
        time_zone: value.meant::<Tz>("time_zone")?,
        currency,
        corrections: read_all(&value.list("corrections")?, |one| read_correction(one, currency))?,
        particulars: value.read::<Particulars>("particulars")?,
        net: value.amount("net", currency)?,
        tax: value.maybe("tax").map(|tax| read_tax(&tax, currency)).transpose()?,
        rate_card: value.text("rate_card_sha256")?.to_owned(),
        rated_through: value.maybe("rated_through").map(|_| value.time("rated_through")).transpose()?,
        rules: crate::rating::RULES,
    };
    let document = match value.parsed("document", DocumentKind::from_name)? {
        DocumentKind::Invoice => {
            let lines = read_all(&value.list("lines")?, |line| read_line(line, currency))?;
            Document::Invoice(Invoice {
                common,
                coverage: covered(&lines),
                lines: rows(lines),
                adjustments: read_all(&value.list("adjustments")?, |one| read_adjustment(one, currency))?,
                estimated: value.amount("estimated", currency)?,
                gaps: Vec::new(),
                accepted: value.maybe("accepted").map(|_| value.read("accepted")).transpose()?.unwrap_or_default(),
                replaced: read_named(value, "replaces")?,
            })
        }
        DocumentKind::CreditNote => Document::CreditNote(CreditNote {
            common,
            corrects: read_named(value, "corrects")?.ok_or_else(|| value.wrong("corrects"))?,
            reason: value.text("reason")?.to_owned(),
            reopens: value.maybe("reopens").map(|_| value.read("reopens")).transpose()?.unwrap_or_default(),
        }),
    };
    let due_on = value.maybe("due_on").map(|_| value.meant::<NaiveDate>("due_on")).transpose()?;
    let issue = Issue { number: value.text("number")?.to_owned(), issued_on: value.meant("issued_on")?, due_on };
    Ok(ReadBack { issue, finalized_at: value.time("drafted_at")?, document })
}

/// Another document that this one names.
fn read_named(value: Of<'_>, key: &str) -> Result<Option<Corrected>, String> {
    let Some(of) = value.maybe(key) else { return Ok(None) };
    let issued_on = of.maybe("issued_on").map(|_| of.meant::<NaiveDate>("issued_on")).transpose()?;
    Ok(Some(Corrected { number: of.text("number")?.to_owned(), issued_on }))
}

/// A value, and where it stands.
#[derive(Clone, Copy)]
struct Of<'a>(&'a Value, &'a str);

impl<'a> Of<'a> {
    fn wrong(self, key: &str) -> String {
        format!("its `{}{key}` isn't as this program writes it", self.1)
    }

    fn maybe(self, key: &str) -> Option<Self> {
        self.0.get(key).filter(|value| !value.is_null()).map(|value| Self(value, self.1))
    }

    fn text(self, key: &str) -> Result<&'a str, String> {
        self.0[key].as_str().ok_or_else(|| self.wrong(key))
    }

    fn maybe_text(self, key: &str) -> Option<String> {
        self.0[key].as_str().map(str::to_owned)
    }

    fn integer(self, key: &str) -> Result<i64, String> {
        self.0[key].as_i64().ok_or_else(|| self.wrong(key))
    }

    fn parsed<T>(self, key: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, String> {
        parse(self.text(key)?).ok_or_else(|| self.wrong(key))
    }

    fn meant<T: FromStr>(self, key: &str) -> Result<T, String> {
        self.parsed(key, |text| text.parse().ok())
    }

    fn time(self, key: &str) -> Result<Timestamp, String> {
        self.parsed(key, |text| Timestamp::parse(text).ok())
    }

    fn span(self) -> Result<Span, String> {
        Ok(Span { from: self.time("from")?, to: self.time("to")? })
    }

    fn read<T: serde::de::DeserializeOwned>(self, key: &str) -> Result<T, String> {
        serde_json::from_value(self.0[key].clone()).map_err(|_| self.wrong(key))
    }

    fn price(self, key: &str) -> Result<Option<Price>, String> {
        if self.maybe(key).is_none() { Ok(None) } else { self.read(key).map(Some) }
    }

    fn amount(self, key: &str, currency: Currency) -> Result<Amount, String> {
        let text = self.text(key)?;
        let decimal = rust_decimal::Decimal::from_str_exact(text).map_err(|_| self.wrong(key))?;
        let minor = decimal.checked_mul(rust_decimal::Decimal::from(10_i64.pow(currency.digits())));
        let minor = minor.filter(rust_decimal::Decimal::is_integer).map(|minor| minor.normalize().mantissa());
        minor.and_then(|minor| i64::try_from(minor).ok()).map(Amount).ok_or_else(|| self.wrong(key))
    }

    fn maybe_amount(self, key: &str, currency: Currency) -> Result<Option<Amount>, String> {
        if self.maybe(key).is_none() { Ok(None) } else { self.amount(key, currency).map(Some) }
    }

    fn list(self, key: &'a str) -> Result<Vec<Of<'a>>, String> {
        let values = self.0[key].as_array().ok_or_else(|| self.wrong(key))?;
        Ok(values.iter().map(|value| Of(value, "")).collect())
    }
}

fn read_all<T>(values: &[Of<'_>], read: impl Fn(&Of<'_>) -> Result<T, String>) -> Result<Vec<T>, String> {
    values.iter().map(read).collect()
}

fn read_key(value: &Of<'_>) -> Result<LineKey, String> {
    let named = |key: &str| -> Result<Option<Named>, String> {
        match value.maybe(key) {
            Some(named) => Ok(Some(Named { guid: named.read("guid")?, name: named.maybe_text("name") })),
            None => Ok(None),
        }
    };
    Ok(LineKey {
        foundation: value.text("foundation")?.to_owned(),
        organization: named("organization")?.ok_or_else(|| value.wrong("organization"))?,
        space: named("space")?.ok_or_else(|| value.wrong("space"))?,
        kind: value.parsed("kind", Kind::from_name)?,
        app: named("app")?,
        service_instance: named("service_instance")?,
        service_offering: named("service_offering")?,
        service_plan: named("service_plan")?,
        buildpack: value.maybe_text("buildpack"),
        estimated: value.read("estimated")?,
    })
}

fn read_line(value: &Of<'_>, currency: Currency) -> Result<InvoiceLine, String> {
    let price = value.price("price")?;
    let charge = match (price, value.maybe_amount("amount", currency)?) {
        (Some(price), Some(amount)) => Some(Charge {
            price,
            amount,
            rate: value.text("rate")?.to_owned(),
            list_price: value.price("list_price")?.filter(|list_price| *list_price != price),
        }),
        _ => None,
    };
    let line = LineUse {
        key: Arc::new(read_key(value)?),
        meter: value.parsed("meter", Meter::from_name)?,
        quantity: value.integer("quantity")?,
        used: value.integer("used")?,
        unit_size: value.integer("unit_size")?,
        part: value.parsed("part", Part::from_text)?,
        span: value.span()?,
        days: value.read("days")?,
        row: 0,
    };
    let granularity = value.maybe_text("granularity");
    Ok(InvoiceLine { line, granularity, charge, discount: value.amount("discount", currency)? })
}

/// Lines of one thing, meter and time charge for parts of the same usage.
fn rows(mut lines: Vec<InvoiceLine>) -> Vec<InvoiceLine> {
    let mut rows: BTreeMap<(Arc<LineKey>, Meter, Timestamp), usize> = BTreeMap::new();
    for line in &mut lines {
        let next = rows.len();
        line.row = *rows.entry((line.key.clone(), line.meter, line.span.from)).or_insert(next);
    }
    lines
}

/// Each space, for as long as its lines are.
fn covered(lines: &[InvoiceLine]) -> Vec<Coverage> {
    let mut spans: BTreeMap<(&str, &crate::domain::Guid, &crate::domain::Guid), Span> = BTreeMap::new();
    for line in lines {
        let of = (line.key.foundation.as_str(), &line.key.organization.guid, &line.key.space.guid);
        let span = spans.entry(of).or_insert(line.span);
        *span = span.hull(line.span);
    }
    let coverage = |((foundation, organization, space), span): ((&str, _, _), Span)| Coverage {
        foundation: foundation.to_owned(),
        organization: Clone::clone(organization),
        space: Clone::clone(space),
        span,
        labels: None,
    };
    spans.into_iter().map(coverage).collect()
}

fn read_tax(value: &Of<'_>, currency: Currency) -> Result<TaxLine, String> {
    Ok(TaxLine {
        name: value.text("name")?.to_owned(),
        category: value.text("category")?.to_owned(),
        percent: value.price("percent")?.ok_or_else(|| value.wrong("percent"))?,
        amount: value.amount("amount", currency)?,
        exemption_reason: value.maybe_text("exemption_reason"),
    })
}

fn read_adjustment(value: &Of<'_>, currency: Currency) -> Result<Adjustment, String> {
    Ok(Adjustment {
        adjustment: value.parsed("adjustment", AdjustmentType::from_name)?,
        name: value.text("name")?.to_owned(),
        basis: value.maybe_amount("basis", currency)?,
        percent: value.price("percent")?,
        amount: value.amount("amount", currency)?,
    })
}

fn read_correction(value: &Of<'_>, currency: Currency) -> Result<Correction, String> {
    let line = value.maybe("line").map(|_| value.integer("line")).transpose()?;
    Ok(Correction {
        number: value.text("number")?.to_owned(),
        line: line.and_then(|line| usize::try_from(line).ok()),
        month: value.meant("month")?,
        span: value.span()?,
        what: value.text("what")?.to_owned(),
        key: value.maybe("of").map(|of| read_key(&of)).transpose()?.map(Arc::new),
        meter: value.maybe("meter").map(|_| value.parsed("meter", Meter::from_name)).transpose()?,
        quantity: value.integer("quantity")?,
        unit_size: value.integer("unit_size")?,
        price: value.price("price")?,
        before: value.amount("before", currency)?,
        after: value.amount("after", currency)?,
        cause: value.parsed("cause", CorrectionCause::from_name)?,
        rate_card: value.text("rate_card_sha256")?.to_owned(),
    })
}
