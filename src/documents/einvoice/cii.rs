//! The model as a Cross Industry Invoice, as profile EN 16931 of Factur-X and ZUGFeRD has it.
//! Owns names and order of elements; never decides what is in them.

use std::io;

use chrono::NaiveDate;

use super::lines::Line;
use super::model::{Document, Tax, Trader};
use super::parts::{Adjusted, Days};
use super::xml::Xml;
use crate::invoicing::DocumentKind;

const GUIDELINE: &str = "urn:cen.eu:en16931:2017";
const NAMESPACES: [(&str, &str); 4] = [
    ("xmlns:rsm", "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"),
    ("xmlns:ram", "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"),
    ("xmlns:qdt", "urn:un:unece:uncefact:data:standard:QualifiedDataType:100"),
    ("xmlns:udt", "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"),
];

pub(super) fn write(document: &Document) -> io::Result<Vec<u8>> {
    Xml::document("rsm:CrossIndustryInvoice", &NAMESPACES, |xml| {
        xml.group("rsm:ExchangedDocumentContext", |xml| {
            xml.group("ram:GuidelineSpecifiedDocumentContextParameter", |xml| xml.text("ram:ID", GUIDELINE))
        })?;
        xml.group("rsm:ExchangedDocument", |xml| {
            xml.text("ram:ID", &document.number)?;
            let code = match document.kind {
                DocumentKind::Invoice => "380",
                DocumentKind::CreditNote => "381",
            };
            xml.text("ram:TypeCode", code)?;
            date(xml, "ram:IssueDateTime", document.issued_on)?;
            let Some(note) = &document.note else { return Ok(()) };
            xml.group("ram:IncludedNote", |xml| xml.text("ram:Content", note))
        })?;
        xml.group("rsm:SupplyChainTradeTransaction", |xml| {
            for (position, line) in document.lines.iter().enumerate() {
                line_item(xml, document, position + 1, line)?;
            }
            xml.group("ram:ApplicableHeaderTradeAgreement", |xml| agreement(xml, document))?;
            xml.group("ram:ApplicableHeaderTradeDelivery", |xml| delivery(xml, document))?;
            xml.group("ram:ApplicableHeaderTradeSettlement", |xml| settlement(xml, document))
        })
    })
}

fn date(xml: &mut Xml, name: &str, date: NaiveDate) -> io::Result<()> {
    xml.group(name, |xml| xml.text_with("udt:DateTimeString", &[("format", "102")], &compact(date)))
}

/// `20261103`
fn compact(date: NaiveDate) -> String {
    date.format("%Y%m%d").to_string()
}

fn line_item(xml: &mut Xml, document: &Document, number: usize, line: &Line) -> io::Result<()> {
    let priced = &line.priced;
    let unit = [("unitCode", priced.unit)];
    xml.group("ram:IncludedSupplyChainTradeLineItem", |xml| {
        xml.group("ram:AssociatedDocumentLineDocument", |xml| {
            xml.text("ram:LineID", &number.to_string())?;
            let Some(note) = &line.note else { return Ok(()) };
            xml.group("ram:IncludedNote", |xml| xml.text("ram:Content", note))
        })?;
        xml.group("ram:SpecifiedTradeProduct", |xml| {
            xml.text("ram:Name", &line.name)?;
            xml.optional("ram:Description", line.description.as_deref())?;
            for (name, value) in &line.attributes {
                xml.group("ram:ApplicableProductCharacteristic", |xml| {
                    xml.text("ram:Description", name)?;
                    xml.text("ram:Value", value)
                })?;
            }
            Ok(())
        })?;
        xml.group("ram:SpecifiedLineTradeAgreement", |xml| {
            xml.group("ram:NetPriceProductTradePrice", |xml| {
                xml.text("ram:ChargeAmount", &priced.price.to_string())?;
                let Some(base) = priced.base else { return Ok(()) };
                xml.text_with("ram:BasisQuantity", &unit, &base.to_string())
            })
        })?;
        xml.group("ram:SpecifiedLineTradeDelivery", |xml| {
            xml.text_with("ram:BilledQuantity", &unit, &priced.quantity.to_string())
        })?;
        xml.group("ram:SpecifiedLineTradeSettlement", |xml| {
            xml.group("ram:ApplicableTradeTax", |xml| tax_category(xml, &document.tax))?;
            line.period.map_or(Ok(()), |days| period(xml, days))?;
            xml.group("ram:SpecifiedTradeSettlementLineMonetarySummation", |xml| {
                xml.text("ram:LineTotalAmount", &document.money(line.amount))
            })
        })
    })
}

fn tax_category(xml: &mut Xml, tax: &Tax) -> io::Result<()> {
    xml.text("ram:TypeCode", "VAT")?;
    xml.text("ram:CategoryCode", tax.category.code())?;
    xml.optional("ram:RateApplicablePercent", tax.percent_of_parts().as_deref())
}

fn period(xml: &mut Xml, days: Days) -> io::Result<()> {
    xml.group("ram:BillingSpecifiedPeriod", |xml| {
        date(xml, "ram:StartDateTime", days.first)?;
        date(xml, "ram:EndDateTime", days.last)
    })
}

fn agreement(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.optional("ram:BuyerReference", document.buyer_reference.as_deref())?;
    xml.group("ram:SellerTradeParty", |xml| party(xml, &document.seller))?;
    xml.group("ram:BuyerTradeParty", |xml| party(xml, &document.buyer))?;
    let Some(order) = &document.purchase_order else { return Ok(()) };
    xml.group("ram:BuyerOrderReferencedDocument", |xml| xml.text("ram:IssuerAssignedID", order))
}

fn party(xml: &mut Xml, trader: &Trader) -> io::Result<()> {
    xml.optional("ram:ID", trader.id.as_deref())?;
    xml.text("ram:Name", &trader.name)?;
    if let Some(registration) = &trader.registration {
        xml.group("ram:SpecifiedLegalOrganization", |xml| xml.text("ram:ID", registration))?;
    }
    contact(xml, trader)?;
    let line = |position: usize| trader.address_lines.get(position).map(String::as_str);
    xml.group("ram:PostalTradeAddress", |xml| {
        xml.optional("ram:PostcodeCode", trader.postal_code.as_deref())?;
        xml.optional("ram:LineOne", line(0))?;
        xml.optional("ram:LineTwo", line(1))?;
        xml.optional("ram:LineThree", line(2))?;
        xml.optional("ram:CityName", trader.city.as_deref())?;
        xml.text("ram:CountryID", &trader.country)?;
        xml.optional("ram:CountrySubDivisionName", trader.region.as_deref())
    })?;
    if let Some((scheme, id)) = &trader.electronic_address {
        xml.group("ram:URIUniversalCommunication", |xml| xml.text_with("ram:URIID", &[("schemeID", scheme)], id))?;
    }
    for (id, scheme) in [(&trader.vat_id, "VA"), (&trader.tax_number, "FC")] {
        if let Some(id) = id {
            xml.group("ram:SpecifiedTaxRegistration", |xml| xml.text_with("ram:ID", &[("schemeID", scheme)], id))?;
        }
    }
    Ok(())
}

fn contact(xml: &mut Xml, trader: &Trader) -> io::Result<()> {
    if trader.contact.is_none() && trader.phone.is_none() && trader.email.is_none() {
        return Ok(());
    }
    xml.group("ram:DefinedTradeContact", |xml| {
        xml.optional("ram:PersonName", trader.contact.as_deref())?;
        if let Some(phone) = &trader.phone {
            xml.group("ram:TelephoneUniversalCommunication", |xml| xml.text("ram:CompleteNumber", phone))?;
        }
        let Some(email) = &trader.email else { return Ok(()) };
        xml.group("ram:EmailURIUniversalCommunication", |xml| xml.text("ram:URIID", email))
    })
}

fn delivery(xml: &mut Xml, document: &Document) -> io::Result<()> {
    if let Some(place) = &document.deliver_to {
        xml.group("ram:ShipToTradeParty", |xml| {
            xml.group("ram:PostalTradeAddress", |xml| {
                xml.optional("ram:PostcodeCode", place.postal_code.as_deref())?;
                xml.optional("ram:CityName", place.city.as_deref())?;
                xml.text("ram:CountryID", &place.country)
            })
        })?;
    }
    xml.group("ram:ActualDeliverySupplyChainEvent", |xml| date(xml, "ram:OccurrenceDateTime", document.period.last))
}

fn settlement(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let currency = document.currency.code();
    xml.text("ram:PaymentReference", &document.payment.reference)?;
    xml.text("ram:InvoiceCurrencyCode", currency)?;
    payment_means(xml, document)?;
    let (tax, totals) = (&document.tax, &document.totals);
    xml.group("ram:ApplicableTradeTax", |xml| {
        xml.text("ram:CalculatedAmount", &document.money(totals.tax))?;
        xml.text("ram:TypeCode", "VAT")?;
        xml.optional("ram:ExemptionReason", tax.reason.as_deref())?;
        xml.text("ram:BasisAmount", &document.money(totals.net))?;
        xml.text("ram:CategoryCode", tax.category.code())?;
        xml.optional("ram:ExemptionReasonCode", tax.category.exemption_code())?;
        xml.text("ram:RateApplicablePercent", &tax.percent.to_string())
    })?;
    period(xml, document.period)?;
    for adjusted in &document.adjustments {
        allowance_or_charge(xml, document, adjusted)?;
    }
    if document.terms.is_some() || document.due_on.is_some() {
        xml.group("ram:SpecifiedTradePaymentTerms", |xml| {
            xml.optional("ram:Description", document.terms.as_deref())?;
            document.due_on.map_or(Ok(()), |due_on| date(xml, "ram:DueDateDateTime", due_on))
        })?;
    }
    totals_of(xml, document)?;
    // Readers of the older schema, D16B, take one; each corrected line names its own.
    if let Some(preceding) = document.preceding.first() {
        xml.group("ram:InvoiceReferencedDocument", |xml| {
            xml.text("ram:IssuerAssignedID", &preceding.number)?;
            let Some(issued_on) = preceding.issued_on else { return Ok(()) };
            xml.group("ram:FormattedIssueDateTime", |xml| {
                xml.text_with("qdt:DateTimeString", &[("format", "102")], &compact(issued_on))
            })
        })?;
    }
    let Some(reference) = &document.accounting_reference else { return Ok(()) };
    xml.group("ram:ReceivableSpecifiedTradeAccountingAccount", |xml| xml.text("ram:ID", reference))
}

fn payment_means(xml: &mut Xml, document: &Document) -> io::Result<()> {
    xml.group("ram:SpecifiedTradeSettlementPaymentMeans", |xml| {
        xml.text("ram:TypeCode", document.payment.means)?;
        let Some(account) = &document.payment.account else { return Ok(()) };
        xml.group("ram:PayeePartyCreditorFinancialAccount", |xml| {
            xml.text("ram:IBANID", &account.iban)?;
            xml.text("ram:AccountName", &account.holder)
        })?;
        let Some(bic) = &account.bic else { return Ok(()) };
        xml.group("ram:PayeeSpecifiedCreditorFinancialInstitution", |xml| xml.text("ram:BICID", bic))
    })
}

fn allowance_or_charge(xml: &mut Xml, document: &Document, adjusted: &Adjusted) -> io::Result<()> {
    xml.group("ram:SpecifiedTradeAllowanceCharge", |xml| {
        xml.group("ram:ChargeIndicator", |xml| {
            xml.text("udt:Indicator", if adjusted.is_charge { "true" } else { "false" })
        })?;
        if let Some((basis, percent)) = adjusted.share {
            xml.text("ram:CalculationPercent", &percent.to_string())?;
            xml.text("ram:BasisAmount", &document.money(basis))?;
        }
        xml.text("ram:ActualAmount", &document.money(adjusted.amount))?;
        xml.optional("ram:ReasonCode", adjusted.code)?;
        xml.text("ram:Reason", &adjusted.reason)?;
        xml.group("ram:CategoryTradeTax", |xml| tax_category(xml, &document.tax))
    })
}

fn totals_of(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let totals = &document.totals;
    let has = |is_charge: bool| document.adjustments.iter().any(|one| one.is_charge == is_charge);
    xml.group("ram:SpecifiedTradeSettlementHeaderMonetarySummation", |xml| {
        xml.text("ram:LineTotalAmount", &document.money(totals.lines))?;
        if has(true) {
            xml.text("ram:ChargeTotalAmount", &document.money(totals.charges))?;
        }
        if has(false) {
            xml.text("ram:AllowanceTotalAmount", &document.money(totals.allowances))?;
        }
        xml.text("ram:TaxBasisTotalAmount", &document.money(totals.net))?;
        let currency = [("currencyID", document.currency.code())];
        xml.text_with("ram:TaxTotalAmount", &currency, &document.money(totals.tax))?;
        xml.text("ram:GrandTotalAmount", &document.money(totals.gross))?;
        xml.text("ram:DuePayableAmount", &document.money(totals.gross))
    })
}
