//! Who sends the invoices, and how documents look: from the configuration.

use chrono_tz::Tz;

use super::BillingError;
use super::logo;
use crate::accounts::Account;
use crate::config::{Billing, Seller};
use crate::documents::einvoice::{Syntax, lacking_of_terms};
use crate::documents::{self, Branding, DocumentError, Format, Lacking, ToRender};
use crate::domain::{AmountOverflow, Currency, Month, Party, Timestamp};
use crate::invoicing::{Document, Header, Invoice, Particulars, Payment, invoice, without_lines};
use crate::keyed::Problem;
use crate::rate_card::RateCard;
use crate::rating::{RULES, Rated};

/// The seller, as documents need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    pub party: Party,
    /// The bank account; the rest is each account's own.
    pub payment: Payment,
    look: Branding,
    /// Why the configured logo isn't in the look.
    logo_problem: Option<String>,
    /// What is wrong with the seller's own data.
    unfit: Vec<Problem>,
    /// Formats in which logo and colours are tried.
    tried: Vec<Format>,
}

impl Sender {
    /// As configured. A logo that can't be read keeps documents from being made, and nothing else.
    #[must_use]
    pub fn new(billing: &Billing) -> Self {
        let Seller { party, iban, bic, bank, logo, colour, unfit, .. } = &billing.seller;
        let (logo, logo_problem) = match logo.as_deref().map(logo::read).transpose() {
            Ok(logo) => (logo, None),
            Err(problem) => (None, Some(problem)),
        };
        // Pages and PDFs are also made when somebody asks for them.
        let mut tried = vec![Format::Html, Format::Pdf];
        tried.extend(billing.documents.iter().filter(|format| !matches!(format, Format::Html | Format::Pdf)));
        Self {
            party: party.clone(),
            payment: Payment { iban: iban.clone(), bic: bic.clone(), bank: bank.clone(), ..Payment::default() },
            look: Branding { colour: colour.clone(), logo },
            logo_problem,
            unfit: unfit.clone(),
            tried,
        }
    }

    /// How documents look.
    ///
    /// # Errors
    /// [`BillingError::Unfit`] if the logo can't be read: nothing is to be made without it.
    pub fn look(&self) -> Result<&Branding, BillingError> {
        self.logo_problem.clone().map_or(Ok(&self.look), |problem| Err(BillingError::Unfit(vec![problem])))
    }

    /// How documents of data look, in which there is no logo.
    #[must_use]
    pub const fn look_for_data(&self) -> &Branding {
        &self.look
    }

    /// What keeps every invoice from being final, all of it: codes that aren't valid, and logo or colours that a document
    /// can't be made with. That is tried, in every format that is configured.
    #[must_use]
    pub fn unfit(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.unfit.iter().map(ToString::to_string).collect();
        problems.extend(self.logo_problem.clone());
        if self.look.logo.is_some() || self.look.colour.is_some() {
            let sample = self.sample();
            let subject = ToRender {
                document: Document::Invoice(&sample),
                issue: None,
                in_review: false,
                drafted_at: Timestamp::from_unix(0),
                look: &self.look,
            };
            for format in &self.tried {
                match documents::make(*format, &subject) {
                    // What e-invoices lack is told elsewhere.
                    Ok(_) | Err(DocumentError::Lacking(_) | DocumentError::WithoutPdf) => {}
                    Err(DocumentError::Failed(problem)) => problems.push(problem),
                }
            }
        }
        problems
    }

    /// What e-invoices of an account would lack in `month`, by that card, whatever was used.
    ///
    /// # Errors
    /// [`AmountOverflow`] of the card's minimums.
    pub fn lacks_for_e_invoices(
        &self,
        account: &Account,
        card: &RateCard,
        month: Month,
        zone: Tz,
    ) -> Result<Vec<Lacking>, AmountOverflow> {
        let header = Header {
            account_name: Some(account.name.clone()),
            tax: account.tax.clone(),
            ..self.header(&account.id, &account.particulars, month, zone)
        };
        let invoice = invoice(header, card, &Rated::default())?.invoice;
        let subject = ToRender {
            document: Document::Invoice(&invoice),
            issue: None,
            in_review: false,
            drafted_at: Timestamp::from_unix(0),
            look: &self.look,
        };
        let mut lacks: Vec<Lacking> = Vec::new();
        // Mail takes what Peppol doesn't.
        let address = account.particulars.buyer.electronic_address.as_ref();
        let by_mail = address.is_some_and(|address| address.scheme == "EM");
        let syntaxes: &[Syntax] = if by_mail { &[Syntax::Cii] } else { &[Syntax::Cii, Syntax::Ubl] };
        for lacking in syntaxes.iter().flat_map(|syntax| lacking_of_terms(&subject, *syntax)) {
            if !lacks.contains(&lacking) {
                lacks.push(lacking);
            }
        }
        Ok(lacks)
    }

    /// An invoice of nothing, to see whether a document can be made.
    fn sample(&self) -> Invoice {
        let month = Month::of(Timestamp::from_unix(0), Tz::UTC);
        without_lines(self.header("sample", &Particulars::default(), month, Tz::UTC), Currency::EUR)
    }

    /// What an account's invoices of a month all say, whatever was used.
    pub(super) fn header(&self, account: &str, particulars: &Particulars, month: Month, zone: Tz) -> Header {
        let bank = self.payment.clone();
        let payment = Payment { iban: bank.iban, bic: bank.bic, bank: bank.bank, ..particulars.payment.clone() };
        Header {
            account: account.to_owned(),
            account_name: None,
            seller: Some(self.party.name.clone()).filter(|name| !name.is_empty()),
            month,
            period: month.span(zone),
            time_zone: zone,
            rate_card: String::new(),
            rules: RULES,
            rated_through: None,
            gaps: Vec::new(),
            undecodable: Vec::new(),
            clocks: Vec::new(),
            particulars: Particulars { seller: self.party.clone(), payment, ..particulars.clone() },
            tax: None,
            corrections: Vec::new(),
            given: Vec::new(),
            coverage: Vec::new(),
            previous_net: None,
            replaced: None,
            taxed_before: Vec::new(),
        }
    }
}
