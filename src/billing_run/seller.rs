//! Who sends the invoices, and how documents look: from the configuration.

use std::path::Path;

use super::BillingError;
use crate::config::Seller;
use crate::documents::{Logo, LogoType, Look};
use crate::invoicing::{ElectronicAddress, Party, Payment};

/// The seller, as documents need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    pub party: Party,
    /// The bank account; the rest is each account's own.
    pub payment: Payment,
    pub look: Look,
}

impl Sender {
    /// As configured.
    ///
    /// # Errors
    /// [`BillingError::Logo`] if the logo can't be read, or is no picture.
    pub fn new(seller: &Seller) -> Result<Self, BillingError> {
        let electronic_address = seller.electronic_address.clone().map(|(scheme, id)| ElectronicAddress { scheme, id });
        Ok(Self {
            party: Party {
                name: seller.name.clone().unwrap_or_default(),
                address_lines: seller.address_lines.clone(),
                postal_code: seller.postal_code.clone(),
                city: seller.city.clone(),
                region: seller.region.clone(),
                country: seller.country.clone(),
                vat_id: seller.vat_id.clone(),
                tax_number: seller.tax_number.clone(),
                registration: seller.registration.clone(),
                contact: seller.contact.clone(),
                email: seller.email.clone(),
                phone: seller.phone.clone(),
                electronic_address,
            },
            payment: Payment {
                iban: seller.iban.clone(),
                bic: seller.bic.clone(),
                bank: seller.bank.clone(),
                ..Payment::default()
            },
            look: Look { colour: seller.colour.clone(), logo: seller.logo.as_deref().map(logo).transpose()? },
        })
    }
}

/// More than any logo needs; every invoice carries it.
const MOST_BYTES: usize = 2 << 20;

fn logo(file: &Path) -> Result<Logo, BillingError> {
    let wrong = |reason: String| BillingError::Logo { file: file.display().to_string(), reason };
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() > MOST_BYTES {
        return Err(wrong(format!("it has {} bytes, more than {MOST_BYTES}", bytes.len())));
    }
    let is_svg = || std::str::from_utf8(&bytes).is_ok_and(|text| text.contains("<svg"));
    let media_type = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        LogoType::Png
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        LogoType::Jpeg
    } else if is_svg() {
        LogoType::Svg
    } else {
        return Err(wrong("it is neither PNG nor JPEG nor SVG".to_owned()));
    };
    Ok(Logo { bytes, media_type })
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, logo};
    use crate::documents::LogoType;

    #[test]
    fn logos_are_pictures_of_some_size() {
        let folder = std::env::temp_dir().join(format!("cf-billing-logo-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("logo");
        let read = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            logo(&file).map(|logo| logo.media_type).map_err(|error| error.to_string())
        };
        let png = |bytes: usize| {
            let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
            png.resize(bytes, 0);
            png
        };
        assert_eq!(read(&png(MOST_BYTES)), Ok(LogoType::Png));
        assert!(read(&png(MOST_BYTES + 1)).unwrap_err().contains("more than 2097152"));
        assert_eq!(read(&[0xff, 0xd8, 0xff, 0xe0]), Ok(LogoType::Jpeg));
        assert_eq!(read(b"<?xml version='1.0'?><svg/>"), Ok(LogoType::Svg));
        assert!(read(b"GIF89a").unwrap_err().contains("neither PNG nor JPEG nor SVG"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(logo(&file).unwrap_err().to_string().contains("hint: set [billing] seller_logo"));
    }
}
