//! Who sends a document to whom, and where to pay.
//! Owns how addresses are set; never what an invoice must have.

use super::super::DocumentError;
use super::super::language::country_name;
use super::super::view::ViewFact;
use super::{Composer, fact};
use crate::documents::names::printable;
use crate::domain::{Amount, Party};
use crate::invoicing::DocumentKind;

impl Composer<'_> {
    /// Invoices made before sellers had more than a name have only that.
    fn seller_name(&self) -> String {
        let name = printable(&self.document.particulars.seller.name);
        if name.is_empty() { self.document.seller.as_deref().map(printable).unwrap_or_default() } else { name }
    }

    fn buyer_name(&self) -> String {
        let name = printable(&self.document.particulars.buyer.name);
        let account = || self.document.account_name.as_deref().unwrap_or(&self.document.account);
        if name.is_empty() { printable(account()) } else { name }
    }

    /// Whether letters between the two cross a border.
    fn is_abroad(&self) -> bool {
        let particulars = &self.document.particulars;
        let (from, to) = (&particulars.seller.country, &particulars.buyer.country);
        from.is_some() && to.is_some() && from != to
    }

    fn country(&self, party: &Party) -> Option<String> {
        let code = party.country.as_deref().filter(|_| self.is_abroad())?;
        Some(printable(country_name(code, self.locale.language())))
    }

    /// Street, city and, if the letter crosses a border, country: a line each.
    fn address(&self, party: &Party) -> Vec<String> {
        let mut lines: Vec<String> = party.address_lines.iter().map(|line| printable(line)).collect();
        lines.extend(city(party));
        lines.extend(self.country(party));
        lines.retain(|line| !line.is_empty());
        lines
    }

    pub(super) fn sender(&self) -> String {
        let mut parts = vec![self.seller_name()];
        parts.extend(self.address(&self.document.particulars.seller));
        parts.retain(|part| !part.is_empty());
        parts.join(" · ")
    }

    pub(super) fn recipient(&self) -> Vec<String> {
        let buyer = &self.document.particulars.buyer;
        let mut lines = vec![self.buyer_name()];
        lines.extend(buyer.contact.as_deref().map(printable).filter(|contact| !contact.is_empty()));
        lines.extend(self.address(buyer));
        lines
    }

    pub(super) fn footer(&self) -> Vec<Vec<String>> {
        let particulars = &self.document.particulars;
        let (seller, payment, texts) = (&particulars.seller, &particulars.payment, self.locale.texts);
        let labelled = |label: &str, value: &Option<String>| value.as_ref().map(|value| format!("{label} {value}"));
        let mut address = vec![self.seller_name()];
        address.extend(self.address(seller));
        let contact = [&seller.contact, &seller.email, &seller.phone].into_iter().flatten().cloned().collect();
        let registers = [
            seller.registration.clone(),
            labelled(texts.vat_id, &seller.vat_id),
            labelled(texts.tax_number, &seller.tax_number),
        ];
        let iban = payment.iban.as_deref().map(grouped);
        let bank = [payment.bank.clone(), labelled(texts.iban, &iban), labelled(texts.bic, &payment.bic)];
        let columns: [Vec<String>; 4] =
            [address, contact, registers.into_iter().flatten().collect(), bank.into_iter().flatten().collect()];
        let columns = columns.into_iter().map(|lines| {
            let lines = lines.iter().map(|line| printable(line));
            lines.filter(|line| !line.is_empty()).collect::<Vec<_>>()
        });
        columns.filter(|lines| !lines.is_empty()).collect()
    }

    /// Only where something is to be paid, and there is an account to pay to.
    pub(super) fn payment(&self) -> Result<Vec<ViewFact>, DocumentError> {
        let (texts, payment) = (self.locale.texts, &self.document.particulars.payment);
        let Some(issue) = self.issue else { return Ok(Vec::new()) };
        let is_due = self.document.kind() == DocumentKind::Invoice && self.gross()? > Amount::default();
        let (true, Some(iban)) = (is_due, &payment.iban) else { return Ok(Vec::new()) };
        let facts = [
            fact(texts.account_holder, Some(&self.seller_name())),
            fact(texts.iban, Some(&grouped(iban))),
            fact(texts.bic, payment.bic.as_deref()),
            fact(texts.bank, payment.bank.as_deref()),
            fact(texts.payment_reference, Some(&issue.number)),
        ];
        Ok(facts.into_iter().flatten().collect())
    }
}

/// The line with the city, or the lines, as its country's post wants them.
fn city(party: &Party) -> Vec<String> {
    let text = |text: &Option<String>| text.as_deref().map(printable).unwrap_or_default();
    let (city, code, region) = (text(&party.city), text(&party.postal_code), text(&party.region));
    let joined =
        |parts: &[&str], by: &str| parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(by);
    match party.country.as_deref() {
        Some("GB" | "IE") => vec![city, region, code],
        Some("US" | "CA" | "AU") => vec![joined(&[&city, &joined(&[&region, &code], " ")], ", ")],
        _ => vec![joined(&[&code, &city], " "), region],
    }
}

/// An IBAN in groups of four, as it is printed.
fn grouped(iban: &str) -> String {
    let letters: Vec<char> = iban.chars().filter(|letter| !letter.is_whitespace()).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{city, grouped};
    use crate::domain::Party;

    #[test]
    fn ibans_stand_in_groups_of_four() {
        for (iban, written) in [
            ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
            ("DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
            ("NO9386011117947", "NO93 8601 1117 947"),
            ("", ""),
        ] {
            assert_eq!(grouped(iban), written);
        }
    }

    #[test]
    fn cities_stand_as_their_country_writes_them() {
        for (country, lines) in
            [("DE", &["10115 Berlin", "R"][..]), ("GB", &["Berlin", "R", "10115"]), ("US", &["Berlin, R 10115"])]
        {
            let party = Party {
                city: Some("Berlin".to_owned()),
                postal_code: Some("10115".to_owned()),
                region: Some("R".to_owned()),
                country: Some(country.to_owned()),
                ..Party::default()
            };
            assert_eq!(city(&party), lines);
        }
        let party = Party { city: Some("Berlin".to_owned()), country: Some("US".to_owned()), ..Party::default() };
        assert_eq!(city(&party), ["Berlin"]);
    }
}
