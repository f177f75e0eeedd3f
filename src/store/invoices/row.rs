//! An invoice's own row: what it says beside its parts, and where it stands in its life.

use chrono::NaiveDate;

use crate::domain::{Amount, Currency, Month, Party, Price, Span, Timestamp};
use crate::invoicing::{
    Common, Corrected, CreditNote, Dates, Document, DocumentKind, DocumentRef, DraftNotes, Invoice, Particulars,
    Status, TaxLine,
};
use crate::store::database::{Json, Record, Row, Spelled, record, table, unexpected, zone_of};
use crate::store::{StoreError, StoredInvoice};

table! {
    /// Invoices: drafts, replaced as usage grows, and final ones, which never change.
    pub(in crate::store) struct InvoiceRow: "invoice"[1] in "currency" {
        /// Names a draft.
        id: i64,
        /// draft or final.
        status: Spelled<Status>,
        /// Of its number.
        series: Option<String>,
        /// 1, 2, 3 … without gaps.
        series_number: Option<i64>,
        /// As printed: series and number.
        number: Option<String>,
        /// foundation/organization guid.
        account: String,
        /// As it was when drafted.
        account_name: Option<String>,
        /// Who sends it.
        seller: Option<String>,
        /// 2026-10.
        month: Month,
        /// Begin of the month in its time zone, inclusive.
        period_start: Timestamp,
        /// Its end, exclusive.
        period_end: Timestamp,
        /// Of the month.
        time_zone: String,
        /// ISO 4217.
        currency: Currency,
        /// Sum of the lines' amounts, in the currency's major unit.
        net: Amount,
        /// Of net, what rests on estimated usage.
        estimated: Amount,
        /// The card it was made with.
        rate_card_hash: String,
        /// Usage is complete up to here.
        rated_through: Option<Timestamp>,
        /// When it was computed.
        drafted_at: Timestamp,
        /// When it became final.
        finalized_at: Option<Timestamp>,
        /// What was accepted when it became final though it would have kept it a draft, JSON.
        accepted: Option<Json<Vec<String>>>,
        /// SHA-256 of the invoice and of the one before it in its series, hexadecimal.
        digest: Option<String>,
        /// The tax on net, such as VAT; null where the rate card names none.
        tax_name: Option<String>,
        /// Its category in EN 16931: S, Z, E, AE, K, G or O.
        tax_category: Option<String>,
        /// Its percentage.
        tax_percent: Option<Price>,
        /// Its amount, beside net.
        tax: Option<Amount>,
        /// invoice or credit_note.
        kind: Spelled<DocumentKind>,
        /// A draft whose period, grace time and last sweep are over: it changes no more by itself.
        in_review: bool,
        /// Issue date in the billing time zone, yyyy-mm-dd; null of drafts and of what earlier versions made.
        issued_on: Option<NaiveDate>,
        /// Until when to pay, yyyy-mm-dd; null where nothing is to be paid.
        due_on: Option<NaiveDate>,
        /// Of a credit note: the number of the invoice it is about.
        corrects: Option<String>,
        /// Of a credit note: why it was made, in words.
        reason: Option<String>,
        /// Id of the invoice, given back as a whole, in whose place this one is; 0: none.
        replaces: i64,
        /// A credit note after which the month is invoiced anew.
        reopens: bool,
        /// JSON: seller, buyer, terms of payment, language; null: made by an earlier version.
        particulars: Option<Json<Particulars>>,
        /// Why there is no tax, in words.
        tax_exemption: Option<String>,
        /// Net of the account's invoice of the month before, which this one is compared with.
        previous_net: Option<Amount>,
        /// number of the rules of rating and invoicing that it was made by
        rules: u32,
        /// SHA-256 of the accounts file; null: there was none, or an earlier version made it
        accounts_hash: Option<String>,
        /// of a draft without lines: why its usage can't be counted; null: it can
        uncountable: Option<String>,
    }
}

record! {
    /// What other rows tell of an invoice.
    pub(super) struct Beside {
        corrected_on: Option<NaiveDate> = "corrected.issued_on",
        corrected_at: Option<Timestamp> = "corrected.finalized_at",
        replaced: Option<String> = "replaced.number",
        replaced_on: Option<NaiveDate> = "replaced.issued_on",
        replaced_at: Option<Timestamp> = "replaced.finalized_at",
        held: Option<String> = "held.reason",
        difference: Option<Amount> = "pending.net",
        unpriced_lines: usize =
            "(SELECT count(*) FROM invoice_line WHERE invoice_id = invoice.id AND price IS NULL)",
    }
}

/// Where an invoice's row and [`Beside`] are read from.
pub(super) const FROM: &str = " FROM invoice
     LEFT JOIN invoice AS corrected ON corrected.number = invoice.corrects
     LEFT JOIN invoice AS replaced ON replaced.id = invoice.replaces AND invoice.replaces > 0
     LEFT JOIN invoice_hold AS held
         ON held.account = invoice.account AND held.month = invoice.month AND held.released_at IS NULL
             AND invoice.status = 'draft'
     LEFT JOIN invoice_recalculation AS pending ON pending.invoice_id = invoice.id ";

impl InvoiceRow {
    /// As a draft: nothing of it is final. `id`: the draft in whose place it is written, if there is one; `replaces`: the id
    /// of the invoice, given back as a whole, in whose place it is, 0 if there is none.
    pub(super) fn of(
        document: DocumentRef<'_>,
        notes: &DraftNotes,
        id: Option<i64>,
        replaces: i64,
        drafted_at: Timestamp,
    ) -> Self {
        let (tax, note) = (document.tax.as_ref(), document.as_credit_note());
        Self {
            id: id.unwrap_or_default(),
            status: Spelled(Status::Draft),
            series: None,
            series_number: None,
            number: None,
            account: document.account.clone(),
            account_name: document.account_name.clone(),
            seller: document.seller.clone(),
            month: document.month,
            period_start: document.period.from,
            period_end: document.period.to,
            time_zone: document.time_zone.name().to_owned(),
            currency: document.currency,
            net: document.net,
            estimated: document.estimated(),
            rate_card_hash: document.rate_card.clone(),
            rated_through: document.rated_through,
            drafted_at,
            finalized_at: None,
            accepted: None,
            digest: None,
            tax_name: tax.map(|tax| tax.name.clone()),
            tax_category: tax.map(|tax| tax.category.clone()),
            tax_percent: tax.map(|tax| tax.percent),
            tax: tax.map(|tax| tax.amount),
            kind: Spelled(document.kind()),
            in_review: notes.in_review,
            issued_on: None,
            due_on: None,
            corrects: note.map(|note| note.corrects.number.clone()),
            reason: note.map(|note| note.reason.clone()),
            replaces,
            reopens: document.reopens(),
            particulars: Some(Json(document.particulars.clone())),
            tax_exemption: tax.and_then(|tax| tax.exemption_reason.clone()),
            previous_net: notes.previous_net,
            rules: document.rules,
            accounts_hash: None,
            uncountable: notes.uncountable.clone(),
        }
    }

    fn read_tax(&self) -> Result<Option<TaxLine>, StoreError> {
        match (self.tax_name.clone(), self.tax_category.clone(), self.tax_percent, self.tax) {
            (Some(name), Some(category), Some(percent), Some(amount)) => {
                Ok(Some(TaxLine { name, category, percent, amount, exemption_reason: self.tax_exemption.clone() }))
            }
            (None, None, None, None) => Ok(None),
            _ => Err(unexpected("invoice.tax", "a part of a tax")),
        }
    }

    /// The invoice or credit note of a row, without its parts.
    pub(super) fn read_invoice(row: &Row) -> Result<StoredInvoice, StoreError> {
        let currency = row.get("invoice.currency")?;
        let beside = Beside::read_in(row, currency)?;
        let row = Self::read_in(row, currency)?;
        let status = if row.in_review { Status::Review } else { row.status.0 };
        let tax = row.read_tax()?;
        let particulars = match row.particulars {
            Some(particulars) => particulars.0,
            None => known_of(row.account_name.as_deref(), row.seller.as_deref()),
        };
        let common = Common {
            account: row.account,
            account_name: row.account_name,
            seller: row.seller,
            month: row.month,
            period: Span { from: row.period_start, to: row.period_end },
            time_zone: zone_of("invoice.time_zone", &row.time_zone)?,
            currency,
            corrections: Vec::new(),
            particulars,
            net: row.net,
            tax,
            rate_card: row.rate_card_hash,
            rated_through: row.rated_through,
            rules: row.rules,
        };
        let document = match row.kind.0 {
            DocumentKind::Invoice => Document::Invoice(Invoice {
                common,
                lines: Vec::new(),
                adjustments: Vec::new(),
                estimated: row.estimated,
                gaps: Vec::new(),
                accepted: row.accepted.map_or_else(Vec::new, |accepted| accepted.0),
                coverage: Vec::new(),
                replaced: named(beside.replaced, beside.replaced_on, beside.replaced_at),
            }),
            DocumentKind::CreditNote => Document::CreditNote(CreditNote {
                common,
                corrects: named(row.corrects, beside.corrected_on, beside.corrected_at)
                    .ok_or_else(|| unexpected("invoice.corrects", "null"))?,
                reason: row.reason.ok_or_else(|| unexpected("invoice.reason", "null"))?,
                reopens: row.reopens,
            }),
        };
        Ok(StoredInvoice {
            id: row.id,
            status,
            number: row.number,
            drafted_at: row.drafted_at,
            finalized_at: row.finalized_at,
            dates: row.issued_on.map(|issued_on| Dates { issued_on, due_on: row.due_on }),
            held: beside.held,
            difference: beside.difference,
            unpriced_lines: beside.unpriced_lines,
            replaces: row.replaces,
            notes: DraftNotes {
                previous_net: row.previous_net,
                in_review: row.in_review,
                uncountable: row.uncountable,
                ..DraftNotes::default()
            },
            document,
        })
    }
}

/// All that earlier versions kept of seller and buyer.
fn known_of(account_name: Option<&str>, seller: Option<&str>) -> Particulars {
    let party = |name: Option<&str>| Party { name: name.unwrap_or_default().to_owned(), ..Party::default() };
    Particulars { seller: party(seller), buyer: party(account_name), ..Particulars::default() }
}

/// Another invoice that this one names: its number, its date, and when it became final. One that isn't in the book any
/// more has no date.
fn named(number: Option<String>, on: Option<NaiveDate>, at: Option<Timestamp>) -> Option<Corrected> {
    // Earlier versions kept no date.
    let of_earlier = || at.map(|at| crate::domain::period::date_of(at, chrono_tz::Tz::UTC));
    number.map(|number| Corrected { number, issued_on: on.or_else(of_earlier) })
}
