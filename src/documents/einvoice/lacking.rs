//! What an invoice lacks to be an e-invoice, all of it, each with where it is set.
//! Owns what the rules of EN 16931, Peppol and the formats ask for; never guesses what isn't there.

use super::codes::{Category, is_currency, is_peppol_scheme};
use super::{Syntax, xml};
use crate::documents::{Lacking, ToRender};
use crate::domain::codes;
use crate::domain::{Amount, Party, Price};
use crate::invoicing::{DocumentKind, DocumentRef, Payment, TaxLine};

/// A VAT id without its spaces.
pub(super) fn vat_id(party: &Party) -> Option<String> {
    without_spaces(party.vat_id.as_ref())
}

/// An IBAN without its spaces.
pub(super) fn iban(payment: &Payment) -> Option<String> {
    without_spaces(payment.iban.as_ref())
}

fn without_spaces(text: Option<&String>) -> Option<String> {
    Some(xml::line(text?)?.replace(' ', "").to_uppercase())
}

/// A draft has none.
pub(super) fn number() -> Lacking {
    Lacking {
        what: "a number, but this invoice is a draft".to_owned(),
        hint: "make it final with `cf-billing invoices finalize`, then export it".to_owned(),
    }
}

/// Everything but the number.
pub(super) fn lacking(subject: &ToRender<'_>, syntax: Syntax) -> Vec<Lacking> {
    let mut missing = Missing { subject, found: lacking_of_terms(subject, syntax) };
    if subject.document.lines().is_empty() && subject.document.corrections.is_empty() && !has_charge(subject.document) {
        missing.push("a line, but this invoice charges for nothing", "export html or pdf instead");
    }
    missing.found
}

/// What doesn't depend on what was used: parties, tax and payment.
pub(super) fn lacking_of_terms(subject: &ToRender<'_>, syntax: Syntax) -> Vec<Lacking> {
    let mut missing = Missing { subject, found: Vec::new() };
    missing.currency();
    missing.parties();
    missing.tax();
    missing.payment();
    if syntax == Syntax::Ubl {
        missing.of_peppol();
    }
    missing.found
}

/// What is paid in any case stands in for lines.
fn has_charge(document: DocumentRef<'_>) -> bool {
    document.adjustments().iter().any(|adjustment| adjustment.amount > Amount::default())
}

/// Who is named, with the keys of where.
#[derive(Clone, Copy)]
enum Side {
    Seller,
    Buyer,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Seller, Self::Buyer];

    const fn name(self) -> &'static str {
        match self {
            Self::Seller => "seller",
            Self::Buyer => "buyer",
        }
    }

    fn party<'a>(self, document: &'a DocumentRef<'_>) -> &'a Party {
        match self {
            Self::Seller => &document.particulars.seller,
            Self::Buyer => &document.particulars.buyer,
        }
    }
}

struct Missing<'a> {
    subject: &'a ToRender<'a>,
    found: Vec<Lacking>,
}

impl Missing<'_> {
    fn push(&mut self, what: impl Into<String>, hint: impl Into<String>) {
        self.found.push(Lacking { what: what.into(), hint: hint.into() });
    }

    /// What a setting would mend; not for an invoice that is final, which keeps what it was made with.
    fn unset(&mut self, what: impl Into<String>, set: &str) {
        let later = "; a final invoice keeps what it was made with, so that helps the next one";
        self.push(what, format!("{set}{}", if self.subject.issue.is_some() { later } else { "" }));
    }

    /// `key` is the buyer's; the seller's has `seller_` before it, but for its name.
    fn of(&mut self, side: Side, what: &str, key: &str) {
        let set = self.set(side, key);
        self.unset(format!("the {}'s {what}", side.name()), &set);
    }

    fn set(&self, side: Side, key: &str) -> String {
        let account = &self.subject.document.account;
        match side {
            Side::Seller if key == "legal_name" => "set `seller` in `[billing]`".to_owned(),
            Side::Seller => format!("set `seller_{key}` in `[billing]`"),
            // An organization that no account owns is its own account.
            Side::Buyer if account.contains('/') => {
                format!("give `{account}` an `[[account]]` in the accounts file, with `{key}`")
            }
            Side::Buyer => format!("set `{key}` of account `{account}` in the accounts file"),
        }
    }

    /// Amounts have two decimals at most (BR-DEC).
    fn currency(&mut self) {
        let currency = self.subject.document.currency;
        let hint = "export html, pdf, csv or json instead: EN 16931 can't express it";
        if currency.digits() > 2 {
            let what =
                format!("amounts with at most two decimals, but those in `{currency}` have {}", currency.digits());
            self.push(what, hint);
        }
        if !is_currency(currency.code()) {
            self.push(format!("a currency of its code list, but `{currency}` isn't in it"), hint);
        }
    }

    fn parties(&mut self) {
        let document = self.subject.document;
        for side in Side::BOTH {
            let party = side.party(&document);
            let called = match side {
                Side::Seller => document.seller.as_deref(),
                Side::Buyer => document.account_name.as_deref(),
            };
            if name_of(party, called).is_none() {
                self.of(side, "name", "legal_name");
            }
            match party.country.as_deref().and_then(xml::line) {
                None => self.of(side, "country", "country"),
                Some(country) if !codes::is_country(&country) => {
                    let what = format!("country as two letters of ISO 3166-1, but `{country}` is not one");
                    self.of(side, &what, "country");
                }
                Some(_) => (),
            }
            if let Some(Err(wrong)) = vat_id(party).map(|id| codes::vat_id(&id)) {
                self.of(side, &format!("VAT id, and {}", wrong.what), "vat_id");
            }
            self.electronic_address(side, party);
        }
    }

    fn electronic_address(&mut self, side: Side, party: &Party) {
        let Some(address) = &party.electronic_address else { return };
        let scheme = xml::line(&address.scheme).unwrap_or_default();
        let id = xml::line(&address.id).unwrap_or_default();
        if let Err(wrong) = codes::electronic_address(&scheme, &id) {
            self.of(side, &format!("electronic address, and {}", wrong.what), "electronic_address");
        }
    }

    fn tax(&mut self) {
        let document = self.subject.document;
        let Some(tax) = &document.tax else {
            let set = format!("write a `[[tax]]` into the rate card, or {}", self.set(Side::Buyer, "tax_category"));
            self.unset("a VAT category, also where there is no VAT", &set);
            return;
        };
        let Some(category) = Category::from_code(&tax.category) else {
            let what = format!("a VAT category (S, Z, E, AE, K, G or O), but `{}` is not one", tax.category);
            let set = self.set(Side::Buyer, "tax_category");
            self.unset(what, &set);
            return;
        };
        self.percent(category, tax);
        self.registrations(category);
        if category == Category::Exempt && tax.exemption_reason.as_deref().and_then(xml::line).is_none() {
            let set = self.set(Side::Buyer, "tax_exemption_reason");
            self.unset("the reason why there is no VAT, with category `E`", &set);
        }
    }

    fn percent(&mut self, category: Category, tax: &TaxLine) {
        let wanted = match category {
            Category::Standard if tax.percent == Price::ZERO => "more than 0 %",
            Category::Standard | Category::Igic | Category::Ipsi => return,
            _ if tax.percent != Price::ZERO || tax.amount != Amount::default() => "0 %",
            _ => return,
        };
        let what = format!("{wanted} of VAT with category `{}`, but `{} %` is given", category.code(), tax.percent);
        let set = format!("set `percent` of `[[tax]]` in the rate card, or {}", self.set(Side::Buyer, "tax_percent"));
        self.unset(what, &set);
    }

    /// By what the tax office and the buyer know each other: BR-S-02 and its like, BR-CO-26.
    fn registrations(&mut self, category: Category) {
        let document = self.subject.document;
        let (seller, buyer) = (&document.particulars.seller, &document.particulars.buyer);
        let has = |text: &Option<String>| text.as_deref().and_then(xml::line).is_some();
        let (has_vat_id, has_registration) = (has(&seller.vat_id), has(&seller.registration));
        let letters = category.code();
        match category {
            Category::Outside if !has_registration => {
                self.of(Side::Seller, "registration, with category `O`, which forbids its VAT id", "registration");
            }
            Category::Outside => (),
            Category::IntraCommunity | Category::Export if !has_vat_id => {
                self.of(Side::Seller, &format!("VAT id, with category `{letters}`"), "vat_id");
            }
            _ if !has_vat_id && !has(&seller.tax_number) => {
                let what = format!("VAT id or tax number, with category `{letters}`");
                self.of(Side::Seller, &what, "vat_id");
            }
            _ if !has_vat_id && !has_registration => {
                self.of(Side::Seller, "VAT id or registration: a tax number alone is not enough", "registration");
            }
            _ => (),
        }
        let asks_for_buyer = matches!(category, Category::ReverseCharge | Category::IntraCommunity);
        let has_buyer = has(&buyer.vat_id) || category == Category::ReverseCharge && has(&buyer.registration);
        if asks_for_buyer && !has_buyer {
            self.of(Side::Buyer, &format!("VAT id, with category `{letters}`"), "vat_id");
        }
    }

    fn payment(&mut self) {
        let ToRender { document, issue, .. } = *self.subject;
        let payment = &document.particulars.payment;
        if let Some(Err(wrong)) = iban(payment).map(|iban| codes::iban(&iban)) {
            self.of(Side::Seller, &format!("IBAN, and {}", wrong.what), "iban");
        }
        // BR-CO-25; a draft gets its date when it becomes final.
        let has_terms = payment.terms.as_deref().and_then(xml::lines).is_some();
        let is_due = document.kind() == DocumentKind::Invoice && document.gross().is_ok_and(|gross| gross > Amount(0));
        if is_due && issue.is_some_and(|issue| issue.due_on.is_none()) && !has_terms {
            let set = self.set(Side::Buyer, "payment_days");
            self.unset("a due date, or payment terms in words", &set);
        }
    }

    /// What Peppol wants beside EN 16931.
    fn of_peppol(&mut self) {
        let document = self.subject.document;
        let has = |text: &Option<String>| text.as_deref().and_then(xml::line).is_some();
        for side in Side::BOTH {
            let address = side.party(&document).electronic_address.as_ref();
            match address.and_then(|address| xml::line(&address.scheme)) {
                None => self.of(side, "electronic address, which is where Peppol sends it", "electronic_address"),
                Some(scheme) if codes::is_scheme(&scheme) && !is_peppol_scheme(&scheme) => {
                    let what =
                        format!("electronic address on Peppol's network, but `{scheme}` is not one of its schemes");
                    self.of(side, &what, "electronic_address");
                }
                Some(_) => (),
            }
        }
        let particulars = &document.particulars;
        let is_german = |side: Side| side.party(&document).country.as_deref().map(str::trim) == Some("DE");
        let has_reference = has(&particulars.buyer_reference);
        if Side::BOTH.into_iter().all(is_german) {
            self.of_germany();
        } else if !has_reference && !has(&particulars.purchase_order) {
            self.of(Side::Buyer, "reference or purchase order, for Peppol", "buyer_reference");
        }
    }

    /// Peppol's rules for Germany, DE-R-002 to DE-R-009 and DE-R-015, where both parties are German.
    fn of_germany(&mut self) {
        let document = self.subject.document;
        let has = |text: &Option<String>| text.as_deref().and_then(xml::line).is_some();
        let (seller, buyer) = (&document.particulars.seller, &document.particulars.buyer);
        for (side, value, what, key) in [
            (Side::Seller, &seller.city, "city", "city"),
            (Side::Seller, &seller.postal_code, "postal code", "postal_code"),
            (Side::Seller, &seller.contact, "contact", "contact"),
            (Side::Seller, &seller.phone, "phone", "phone"),
            (Side::Seller, &seller.email, "email", "email"),
            (Side::Buyer, &buyer.city, "city", "city"),
            (Side::Buyer, &buyer.postal_code, "postal code", "postal_code"),
            (Side::Buyer, &document.particulars.buyer_reference, "reference", "buyer_reference"),
        ] {
            if !has(value) {
                self.of(side, &format!("{what}, as Peppol has it in Germany"), key);
            }
        }
    }
}

/// The name of a party, or else what it is called.
pub(super) fn name_of(party: &Party, called: Option<&str>) -> Option<String> {
    xml::line(&party.name).or_else(|| xml::line(called?))
}
