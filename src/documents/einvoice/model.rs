//! The semantic model of EN 16931 that both syntaxes are written of, made of an invoice.
//! Owns which business term says what; never decides an amount, and checks that they add up.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::codes::Category;
use super::lines::{self, Line};
use super::parts::{Adjusted, Days, signed};
use super::words::{Words, say, words};
use super::{Syntax, lacking, xml};
use crate::documents::{DocumentError, Issue, ToRender};
use crate::domain::{Amount, AmountOverflow, Currency, Party};
use crate::invoicing::{self, Adjustment, AdjustmentType, DocumentKind, DocumentRef, TaxLine};

/// An e-invoice. Texts can be written as they are; amounts have the sign that the document gives them: those of a
/// credit note are more than zero.
#[derive(Debug)]
pub(super) struct Document {
    pub kind: DocumentKind,
    /// BT-1
    pub number: String,
    /// BT-2
    pub issued_on: NaiveDate,
    /// BT-9
    pub due_on: Option<NaiveDate>,
    /// BT-5
    pub currency: Currency,
    /// BT-10
    pub buyer_reference: Option<String>,
    /// BT-13
    pub purchase_order: Option<String>,
    /// BT-19
    pub accounting_reference: Option<String>,
    /// BT-22; Peppol takes one.
    pub note: Option<String>,
    /// BG-14; its last day is the delivery date (BT-72).
    pub period: Days,
    /// BG-3
    pub preceding: Vec<Preceding>,
    /// BG-4
    pub seller: Trader,
    /// BG-7
    pub buyer: Trader,
    /// BG-15: asked for within the EU (BR-IC-12).
    pub deliver_to: Option<Place>,
    /// BG-16
    pub payment: Payment,
    /// BT-20
    pub terms: Option<String>,
    /// BG-20 and BG-21
    pub adjustments: Vec<Adjusted>,
    /// BG-23
    pub tax: Tax,
    /// BG-22
    pub totals: Totals,
    /// BG-25
    pub lines: Vec<Line>,
}

/// An earlier invoice: BT-25 and BT-26.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preceding {
    pub number: String,
    pub issued_on: Option<NaiveDate>,
}

/// Seller or buyer.
#[derive(Debug)]
pub(super) struct Trader {
    pub name: String,
    /// The account, of the buyer (BT-46).
    pub id: Option<String>,
    pub registration: Option<String>,
    pub vat_id: Option<String>,
    /// Of the seller (BT-32).
    pub tax_number: Option<String>,
    /// Three at most.
    pub address_lines: Vec<String>,
    pub city: Option<String>,
    pub postal_code: Option<String>,
    pub region: Option<String>,
    pub country: String,
    pub contact: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    /// Scheme and id.
    pub electronic_address: Option<(String, String)>,
}

/// Where something was delivered.
#[derive(Debug)]
pub(super) struct Place {
    pub city: Option<String>,
    pub postal_code: Option<String>,
    pub country: String,
}

/// How to pay.
#[derive(Debug)]
pub(super) struct Payment {
    /// BT-81, of UNCL 4461.
    pub means: &'static str,
    /// BT-83
    pub reference: String,
    /// BG-17
    pub account: Option<BankAccount>,
}

#[derive(Debug)]
pub(super) struct BankAccount {
    pub iban: String,
    pub holder: String,
    pub bic: Option<String>,
}

/// All is of one category.
#[derive(Debug)]
pub(super) struct Tax {
    pub category: Category,
    pub percent: Decimal,
    pub reason: Option<String>,
}

/// BT-106 to BT-115.
#[derive(Debug)]
pub(super) struct Totals {
    pub lines: Amount,
    pub allowances: Amount,
    pub charges: Amount,
    pub net: Amount,
    pub tax: Amount,
    pub gross: Amount,
}

impl Tax {
    /// Of lines, allowances and charges: outside the scope of VAT they have none (BR-O-05), while the breakdown has 0,
    /// as Peppol wants it in Germany (DE-R-014).
    pub(super) fn percent_of_parts(&self) -> Option<String> {
        (self.category != Category::Outside).then(|| self.percent.to_string())
    }
}

impl Document {
    /// As both syntaxes write an amount.
    pub(super) fn money(&self, amount: Amount) -> String {
        amount.in_major_units(self.currency).to_string()
    }
}

/// The model of an invoice that lacks nothing.
pub(super) fn document(subject: &ToRender<'_>, syntax: Syntax) -> Result<Document, DocumentError> {
    let mut lacking = lacking::lacking(subject, syntax);
    lacking.extend(subject.issue.is_none().then(lacking::number));
    let (Some(issue), Some(tax), true) = (subject.issue, &subject.document.tax, lacking.is_empty()) else {
        return Err(DocumentError::Lacking(lacking));
    };
    let made = made(subject.document, issue, tax).map_err(|error| DocumentError::Failed(error.to_string()))?;
    adds_up(&made, subject.document)?;
    Ok(made)
}

/// Why a model can't be made of an invoice that lacks nothing.
#[derive(Debug, thiserror::Error)]
enum Defect {
    #[error(transparent)]
    Amount(#[from] AmountOverflow),
    #[error("`{0}` is no VAT category of EN 16931")]
    Category(String),
}

fn made(document: DocumentRef<'_>, issue: &Issue, tax: &TaxLine) -> Result<Document, Defect> {
    let words = words(document.particulars.language);
    let zone = document.time_zone;
    let period = Days::of(document.period, zone);
    let category = Category::from_code(&tax.category).ok_or_else(|| Defect::Category(tax.category.clone()))?;
    let is_vat = category != Category::Outside;
    let particulars = &document.particulars;
    let mut lines = lines::lines(document, words, period, zone)?;
    let mut adjustments = Vec::new();
    for adjustment in document.adjustments() {
        adjustments.push(adjusted(adjustment, document.currency, words)?);
    }
    if lines.is_empty() {
        // There has to be one (BR-16): what is paid in any case is all there is.
        let (charges, allowances): (Vec<_>, Vec<_>) = adjustments.into_iter().partition(|one| one.is_charge);
        lines = lines::of_charges(&charges, document.currency);
        adjustments = allowances;
    }
    let number = xml::line(&issue.number).unwrap_or_default();
    let seller = trader(&particulars.seller, document.seller.as_deref(), None, is_vat);
    let buyer = trader(&particulars.buyer, document.account_name.as_deref(), Some(&document.account), is_vat);
    Ok(Document {
        kind: document.kind(),
        issued_on: issue.issued_on,
        due_on: issue.due_on,
        currency: document.currency,
        buyer_reference: optional(particulars.buyer_reference.as_ref()),
        purchase_order: optional(particulars.purchase_order.as_ref()),
        accounting_reference: optional(particulars.cost_centre.as_ref()),
        note: note(document, words),
        period,
        preceding: preceding(document),
        deliver_to: (category == Category::IntraCommunity).then(|| Place {
            city: buyer.city.clone(),
            postal_code: buyer.postal_code.clone(),
            country: buyer.country.clone(),
        }),
        buyer,
        payment: payment(document, &number, &seller.name),
        terms: terms(document, words),
        tax: Tax { category, percent: tax.percent.decimal().normalize(), reason: reason(category, tax, words) },
        totals: totals(document, &lines, &adjustments)?,
        number,
        seller,
        adjustments,
        lines,
    })
}

fn optional(text: Option<&String>) -> Option<String> {
    xml::line(text?)
}

fn trader(party: &Party, called: Option<&str>, account: Option<&str>, is_vat: bool) -> Trader {
    let mut address_lines: Vec<String> = party.address_lines.iter().filter_map(|line| xml::line(line)).collect();
    let more = address_lines.split_off(address_lines.len().min(2));
    address_lines.extend((!more.is_empty()).then(|| more.join(", ")));
    let address = party.electronic_address.as_ref();
    Trader {
        name: lacking::name_of(party, called).unwrap_or_default(),
        id: account.and_then(xml::line),
        registration: optional(party.registration.as_ref()),
        // Neither party's may be told outside the scope of VAT (BR-O-02).
        vat_id: lacking::vat_id(party).filter(|_| is_vat),
        tax_number: optional(party.tax_number.as_ref()).filter(|_| account.is_none()),
        address_lines,
        city: optional(party.city.as_ref()),
        postal_code: optional(party.postal_code.as_ref()),
        region: optional(party.region.as_ref()),
        country: optional(party.country.as_ref()).unwrap_or_default(),
        contact: optional(party.contact.as_ref()),
        phone: optional(party.phone.as_ref()),
        email: optional(party.email.as_ref()),
        electronic_address: address.and_then(|address| Some((xml::line(&address.scheme)?, xml::line(&address.id)?))),
    }
}

/// What a credit note is about, the invoice in whose place another is, and what the corrections on an invoice are about, each
/// once.
fn preceding(document: DocumentRef<'_>) -> Vec<Preceding> {
    let mut preceding: Vec<Preceding> = Vec::new();
    let named = match document {
        invoicing::Document::Invoice(invoice) => invoice.replaced.as_ref(),
        invoicing::Document::CreditNote(note) => Some(&note.corrects),
    };
    let corrected = named.into_iter().map(|corrected| (&corrected.number, corrected.issued_on));
    let corrections = document.corrections.iter().map(|correction| (&correction.number, None));
    for (number, issued_on) in corrected.chain(corrections) {
        if let Some(number) = xml::line(number)
            && !preceding.iter().any(|known| known.number == number)
        {
            preceding.push(Preceding { number, issued_on });
        }
    }
    preceding
}

/// Credit transfer, within SEPA where it is in euro. With no account, and on a credit note, which the buyer doesn't
/// pay, the instrument isn't defined.
fn payment(document: DocumentRef<'_>, number: &str, seller: &str) -> Payment {
    const NOT_DEFINED: &str = "1";
    const CREDIT_TRANSFER: &str = "30";
    const SEPA_CREDIT_TRANSFER: &str = "58";
    let account = lacking::iban(&document.particulars.payment).filter(|_| document.kind() == DocumentKind::Invoice);
    let account = account.map(|iban| {
        let bic = optional(document.particulars.payment.bic.as_ref());
        BankAccount { iban, holder: seller.to_owned(), bic }
    });
    let means = match &account {
        None => NOT_DEFINED,
        Some(_) if document.currency == Currency::EUR => SEPA_CREDIT_TRANSFER,
        Some(_) => CREDIT_TRANSFER,
    };
    Payment { means, reference: number.to_owned(), account }
}

fn terms(document: DocumentRef<'_>, words: &Words) -> Option<String> {
    match document.kind() {
        DocumentKind::Invoice => xml::lines(document.particulars.payment.terms.as_ref()?),
        DocumentKind::CreditNote => Some(words.given_back.to_owned()),
    }
}

/// In the seller's words, or in ours where the category says it all.
fn reason(category: Category, tax: &TaxLine, words: &Words) -> Option<String> {
    let ours = || words.exemption(category).map(ToOwned::to_owned);
    category.has_reason().then(|| optional(tax.exemption_reason.as_ref()).or_else(ours)).flatten()
}

fn note(document: DocumentRef<'_>, words: &Words) -> Option<String> {
    let mut notes = Vec::new();
    notes.extend(document.as_credit_note().map(|note| say(words.reason, &note.reason)));
    if document.estimated() != Amount::default() {
        let amount = document.estimated().in_major_units(document.currency);
        notes.push(say(words.estimated_net, &words.money(amount, document.currency.code())));
    }
    let unpriced = document.lines().iter().enumerate().filter(|(_, line)| line.charge.is_none());
    let unpriced: Vec<String> = unpriced.map(|(position, _)| (position + 1).to_string()).collect();
    if !unpriced.is_empty() {
        notes.push(say(words.unpriced_lines, &unpriced.join(", ")));
    }
    xml::lines(&notes.join("\n"))
}

fn adjusted(adjustment: &Adjustment, currency: Currency, words: &Words) -> Result<Adjusted, AmountOverflow> {
    let amount = adjustment.amount;
    let is_charge = amount > Amount::default()
        || amount == Amount::default()
            && matches!(adjustment.adjustment, AdjustmentType::Commitment | AdjustmentType::Minimum);
    let code = match adjustment.adjustment {
        // Special agreement; discount.
        AdjustmentType::Covered => Some("64"),
        AdjustmentType::Discount => Some("95"),
        AdjustmentType::Commitment | AdjustmentType::Minimum => None,
    };
    let amount =
        if amount < Amount::default() { Amount(amount.0.checked_neg().ok_or(AmountOverflow)?) } else { amount };
    let share = adjustment.basis.zip(adjustment.percent).map(|(basis, percent)| (basis, percent.decimal().normalize()));
    Ok(Adjusted {
        is_charge,
        amount,
        share: share.filter(|(basis, percent)| comes_to(*basis, *percent, amount, currency)),
        reason: xml::line(&words.adjusted(adjustment.adjustment, &adjustment.name)).unwrap_or_default(),
        code: code.filter(|_| !is_charge),
    })
}

/// Whether a reader who computes the percentage comes to the amount, within a hundredth: a discount can be cut to
/// what there was to pay.
fn comes_to(basis: Amount, percent: Decimal, amount: Amount, currency: Currency) -> bool {
    let (basis, amount) = (basis.in_major_units(currency), amount.in_major_units(currency));
    let exact = basis.checked_mul(percent).map(|product| product / Decimal::ONE_HUNDRED);
    exact.is_some_and(|exact| (exact - amount).abs() <= Decimal::new(1, 2))
}

fn totals(document: DocumentRef<'_>, lines: &[Line], adjustments: &[Adjusted]) -> Result<Totals, AmountOverflow> {
    let of = |is_charge: bool| adjustments.iter().filter(move |one| one.is_charge == is_charge).map(|one| one.amount);
    let tax = signed(document, document.tax.as_ref().map_or(Amount::default(), |tax| tax.amount))?;
    let net = signed(document, document.net)?;
    Ok(Totals {
        lines: sum(lines.iter().map(|line| line.amount))?,
        allowances: sum(of(false))?,
        charges: sum(of(true))?,
        net,
        tax,
        gross: net.plus(tax)?,
    })
}

fn sum(mut amounts: impl Iterator<Item = Amount>) -> Result<Amount, AmountOverflow> {
    amounts.try_fold(Amount::default(), Amount::plus)
}

/// BR-CO-13, for which no reader should have to tell us.
fn adds_up(made: &Document, document: DocumentRef<'_>) -> Result<(), DocumentError> {
    let Totals { lines, allowances, charges, net, .. } = made.totals;
    let sum = i128::from(lines.0) - i128::from(allowances.0) + i128::from(charges.0);
    if sum == i128::from(net.0) {
        return Ok(());
    }
    let money = |amount: Amount| amount.in_major_units(document.currency);
    Err(DocumentError::Failed(format!(
        "lines {} less allowances {} and charges {} aren't the net `{}`",
        money(lines),
        money(allowances),
        money(charges),
        money(net)
    )))
}
