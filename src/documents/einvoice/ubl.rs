//! The model as UBL 2.1: an invoice or credit note of Peppol BIS Billing 3.0.
//! Owns names and order of elements; never decides what is in them.

use std::io;

use super::lines::Line;
use super::model::{Document, Tax, Trader};
use super::parts::{Adjusted, Days};
use super::xml::Xml;
use crate::domain::Amount;
use crate::invoicing::DocumentKind;

const SPECIFICATION: &str = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0";
const PROCESS: &str = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0";

pub(super) fn write(document: &Document) -> io::Result<Vec<u8>> {
    let name = match document.kind {
        DocumentKind::Invoice => "Invoice",
        DocumentKind::CreditNote => "CreditNote",
    };
    let namespace = format!("urn:oasis:names:specification:ubl:schema:xsd:{name}-2");
    let namespaces = [
        ("xmlns", namespace.as_str()),
        ("xmlns:cac", "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"),
        ("xmlns:cbc", "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"),
    ];
    Xml::document(name, &namespaces, |xml| {
        header(xml, document)?;
        references(xml, document)?;
        xml.group("cac:AccountingSupplierParty", |xml| party(xml, &document.seller))?;
        xml.group("cac:AccountingCustomerParty", |xml| party(xml, &document.buyer))?;
        delivery(xml, document)?;
        payment(xml, document)?;
        for adjustment in &document.adjustments {
            allowance_or_charge(xml, document, adjustment)?;
        }
        tax_total(xml, document)?;
        totals(xml, document)?;
        for (position, line) in document.lines.iter().enumerate() {
            invoice_line(xml, document, position + 1, line)?;
        }
        Ok(())
    })
}

fn header(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.text("cbc:CustomizationID", SPECIFICATION)?;
    xml.text("cbc:ProfileID", PROCESS)?;
    xml.text("cbc:ID", &document.number)?;
    xml.text("cbc:IssueDate", &document.issued_on.to_string())?;
    match document.kind {
        DocumentKind::Invoice => {
            xml.optional("cbc:DueDate", document.due_on.map(|date| date.to_string()).as_deref())?;
            xml.text("cbc:InvoiceTypeCode", "380")?;
        }
        DocumentKind::CreditNote => xml.text("cbc:CreditNoteTypeCode", "381")?,
    }
    xml.optional("cbc:Note", document.note.as_deref())?;
    xml.text("cbc:DocumentCurrencyCode", document.currency.code())?;
    xml.optional("cbc:AccountingCost", document.accounting_reference.as_deref())?;
    xml.optional("cbc:BuyerReference", document.buyer_reference.as_deref())
}

fn references(xml: &mut Xml, document: &Document) -> io::Result<()> {
    period(xml, document.period)?;
    if let Some(order) = &document.purchase_order {
        xml.group("cac:OrderReference", |xml| xml.text("cbc:ID", order))?;
    }
    for preceding in &document.preceding {
        xml.group("cac:BillingReference", |xml| {
            xml.group("cac:InvoiceDocumentReference", |xml| {
                xml.text("cbc:ID", &preceding.number)?;
                xml.optional("cbc:IssueDate", preceding.issued_on.map(|date| date.to_string()).as_deref())
            })
        })?;
    }
    Ok(())
}

fn period(xml: &mut Xml, days: Days) -> io::Result<()> {
    xml.group("cac:InvoicePeriod", |xml| {
        xml.text("cbc:StartDate", &days.first.to_string())?;
        xml.text("cbc:EndDate", &days.last.to_string())
    })
}

fn party(xml: &mut Xml, trader: &Trader) -> io::Result<()> {
    xml.group("cac:Party", |xml| {
        if let Some((scheme, id)) = &trader.electronic_address {
            xml.text_with("cbc:EndpointID", &[("schemeID", scheme)], id)?;
        }
        if let Some(id) = &trader.id {
            xml.group("cac:PartyIdentification", |xml| xml.text("cbc:ID", id))?;
        }
        address(xml, trader)?;
        let schemes = [(&trader.vat_id, "VAT"), (&trader.tax_number, "TAX")];
        for (id, scheme) in schemes {
            if let Some(id) = id {
                xml.group("cac:PartyTaxScheme", |xml| {
                    xml.text("cbc:CompanyID", id)?;
                    tax_scheme(xml, scheme)
                })?;
            }
        }
        xml.group("cac:PartyLegalEntity", |xml| {
            xml.text("cbc:RegistrationName", &trader.name)?;
            xml.optional("cbc:CompanyID", trader.registration.as_deref())
        })?;
        if trader.contact.is_none() && trader.phone.is_none() && trader.email.is_none() {
            return Ok(());
        }
        xml.group("cac:Contact", |xml| {
            xml.optional("cbc:Name", trader.contact.as_deref())?;
            xml.optional("cbc:Telephone", trader.phone.as_deref())?;
            xml.optional("cbc:ElectronicMail", trader.email.as_deref())
        })
    })
}

fn address(xml: &mut Xml, trader: &Trader) -> io::Result<()> {
    let line = |position: usize| trader.address_lines.get(position).map(String::as_str);
    xml.group("cac:PostalAddress", |xml| {
        xml.optional("cbc:StreetName", line(0))?;
        xml.optional("cbc:AdditionalStreetName", line(1))?;
        xml.optional("cbc:CityName", trader.city.as_deref())?;
        xml.optional("cbc:PostalZone", trader.postal_code.as_deref())?;
        xml.optional("cbc:CountrySubentity", trader.region.as_deref())?;
        if let Some(line) = line(2) {
            xml.group("cac:AddressLine", |xml| xml.text("cbc:Line", line))?;
        }
        country(xml, &trader.country)
    })
}

fn country(xml: &mut Xml, code: &str) -> io::Result<()> {
    xml.group("cac:Country", |xml| xml.text("cbc:IdentificationCode", code))
}

fn delivery(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.group("cac:Delivery", |xml| {
        xml.text("cbc:ActualDeliveryDate", &document.period.last.to_string())?;
        let Some(place) = &document.deliver_to else { return Ok(()) };
        xml.group("cac:DeliveryLocation", |xml| {
            xml.group("cac:Address", |xml| {
                xml.optional("cbc:CityName", place.city.as_deref())?;
                xml.optional("cbc:PostalZone", place.postal_code.as_deref())?;
                country(xml, &place.country)
            })
        })
    })
}

fn payment(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let payment = &document.payment;
    xml.group("cac:PaymentMeans", |xml| {
        xml.text("cbc:PaymentMeansCode", payment.means)?;
        if document.kind == DocumentKind::CreditNote {
            xml.optional("cbc:PaymentDueDate", document.due_on.map(|date| date.to_string()).as_deref())?;
        }
        xml.text("cbc:PaymentID", &payment.reference)?;
        let Some(account) = &payment.account else { return Ok(()) };
        xml.group("cac:PayeeFinancialAccount", |xml| {
            xml.text("cbc:ID", &account.iban)?;
            xml.text("cbc:Name", &account.holder)?;
            let Some(bic) = &account.bic else { return Ok(()) };
            xml.group("cac:FinancialInstitutionBranch", |xml| xml.text("cbc:ID", bic))
        })
    })?;
    let Some(terms) = &document.terms else { return Ok(()) };
    xml.group("cac:PaymentTerms", |xml| xml.text("cbc:Note", terms))
}

fn amount(xml: &mut Xml, document: &Document, name: &str, amount: Amount) -> io::Result<()> {
    xml.text_with(name, &[("currencyID", document.currency.code())], &document.money(amount))
}

fn tax_scheme(xml: &mut Xml, scheme: &str) -> io::Result<()> {
    xml.group("cac:TaxScheme", |xml| xml.text("cbc:ID", scheme))
}

fn tax_category(xml: &mut Xml, name: &str, tax: &Tax) -> io::Result<()> {
    xml.group(name, |xml| {
        xml.text("cbc:ID", tax.category.code())?;
        xml.optional("cbc:Percent", tax.percent_of_parts().as_deref())?;
        tax_scheme(xml, "VAT")
    })
}

fn allowance_or_charge(xml: &mut Xml, document: &Document, adjusted: &Adjusted) -> io::Result<()> {
    xml.group("cac:AllowanceCharge", |xml| {
        xml.text("cbc:ChargeIndicator", if adjusted.is_charge { "true" } else { "false" })?;
        xml.optional("cbc:AllowanceChargeReasonCode", adjusted.code)?;
        xml.text("cbc:AllowanceChargeReason", &adjusted.reason)?;
        let percent = adjusted.share.map(|(_, percent)| percent.to_string());
        xml.optional("cbc:MultiplierFactorNumeric", percent.as_deref())?;
        amount(xml, document, "cbc:Amount", adjusted.amount)?;
        if let Some((basis, _)) = adjusted.share {
            amount(xml, document, "cbc:BaseAmount", basis)?;
        }
        tax_category(xml, "cac:TaxCategory", &document.tax)
    })
}

fn tax_total(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let (tax, totals) = (&document.tax, &document.totals);
    xml.group("cac:TaxTotal", |xml| {
        amount(xml, document, "cbc:TaxAmount", totals.tax)?;
        xml.group("cac:TaxSubtotal", |xml| {
            amount(xml, document, "cbc:TaxableAmount", totals.net)?;
            amount(xml, document, "cbc:TaxAmount", totals.tax)?;
            xml.group("cac:TaxCategory", |xml| {
                xml.text("cbc:ID", tax.category.code())?;
                xml.text("cbc:Percent", &tax.percent.to_string())?;
                xml.optional("cbc:TaxExemptionReasonCode", tax.category.exemption_code())?;
                xml.optional("cbc:TaxExemptionReason", tax.reason.as_deref())?;
                tax_scheme(xml, "VAT")
            })
        })
    })
}

fn totals(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let totals = &document.totals;
    xml.group("cac:LegalMonetaryTotal", |xml| {
        amount(xml, document, "cbc:LineExtensionAmount", totals.lines)?;
        amount(xml, document, "cbc:TaxExclusiveAmount", totals.net)?;
        amount(xml, document, "cbc:TaxInclusiveAmount", totals.gross)?;
        if document.adjustments.iter().any(|one| !one.is_charge) {
            amount(xml, document, "cbc:AllowanceTotalAmount", totals.allowances)?;
        }
        if document.adjustments.iter().any(|one| one.is_charge) {
            amount(xml, document, "cbc:ChargeTotalAmount", totals.charges)?;
        }
        amount(xml, document, "cbc:PayableAmount", totals.gross)
    })
}

fn invoice_line(xml: &mut Xml, document: &Document, number: usize, line: &Line) -> io::Result<()> {
    let (name, quantity) = match document.kind {
        DocumentKind::Invoice => ("cac:InvoiceLine", "cbc:InvoicedQuantity"),
        DocumentKind::CreditNote => ("cac:CreditNoteLine", "cbc:CreditedQuantity"),
    };
    let priced = &line.priced;
    let unit = [("unitCode", priced.unit)];
    xml.group(name, |xml| {
        xml.text("cbc:ID", &number.to_string())?;
        xml.optional("cbc:Note", line.note.as_deref())?;
        xml.text_with(quantity, &unit, &priced.quantity.to_string())?;
        amount(xml, document, "cbc:LineExtensionAmount", line.amount)?;
        line.period.map_or(Ok(()), |days| period(xml, days))?;
        xml.group("cac:Item", |xml| {
            xml.optional("cbc:Description", line.description.as_deref())?;
            xml.text("cbc:Name", &line.name)?;
            tax_category(xml, "cac:ClassifiedTaxCategory", &document.tax)?;
            for (name, value) in &line.attributes {
                xml.group("cac:AdditionalItemProperty", |xml| {
                    xml.text("cbc:Name", name)?;
                    xml.text("cbc:Value", value)
                })?;
            }
            Ok(())
        })?;
        xml.group("cac:Price", |xml| {
            let currency = [("currencyID", document.currency.code())];
            xml.text_with("cbc:PriceAmount", &currency, &priced.price.to_string())?;
            let Some(base) = priced.base else { return Ok(()) };
            xml.text_with("cbc:BaseQuantity", &unit, &base.to_string())
        })
    })
}
