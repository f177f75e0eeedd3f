//! A seller and customers of it, as people write them into files, and a month of usage that is theirs.

use std::fs;

use super::month;
use super::program::Program;

/// An instance costs 1 an hour, all else nothing; 19 % tax.
pub const CARD: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[service]]\nfree = true\n[[task]]\nfree = true\n[[staging]]\nfree = true\n[[tax]]\npercent = \"19\"\n";

/// A configuration with a seller that has all that e-invoices need.
pub const CONFIGURATION: &str = r#"[billing]
rates = "card.toml"
accounts = "accounts.toml"
grace = "0s"
seller = "Beispiel Plattform GmbH"
seller_address = "Musterstraße 12"
seller_postal_code = "10115"
seller_city = "Berlin"
seller_country = "DE"
seller_vat_id = "DE123456789"
seller_email = "billing@platform.example"
seller_contact = "Billing"
seller_phone = "+49 30 1234567"
seller_electronic_address = "9930:DE123456789"
seller_iban = "DE89370400440532013000"
seller_bic = "COBADEFFXXX"
"#;

/// An account in the country of its VAT id, with all that e-invoices need but `buyer_reference`; `more` are its last keys.
pub fn account(id: &str, name: &str, vat_id: &str, more: &str) -> String {
    let country = &vat_id[..2];
    let (address, postal_code, city, scheme) = match country {
        "DE" => ("Hauptstraße 1", "80331", "München", "9930"),
        "FR" => ("12, rue de l’Exemple", "75001", "Paris", "9957"),
        "IE" => ("1 Sample Street", "D02", "Dublin", "9935"),
        other => panic!("nobody lives in {other}"),
    };
    format!(
        "[[account]]\nid = \"{id}\"\nname = \"{name}\"\naddress = [\"{address}\"]\npostal_code = \"{postal_code}\"\n\
         city = \"{city}\"\ncountry = \"{country}\"\nelectronic_address = \"{scheme}:{vat_id}\"\nvat_id = \"{vat_id}\"\n{more}\n"
    )
}

/// A month of [`CARD`] in which two organizations, `f/o1` and `f/o2`, ran an app each.
pub fn used_by_two(program: &Program, configuration: &str, accounts: &str) {
    month::card(program, CARD);
    month::import(
        program,
        "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED\n00:00 q STARTED 512x1 app=b org=o2 space=s2\n05:00 q STOPPED",
        "80d00:00",
    );
    write(program, configuration, accounts);
}

/// Writes both files beside the database.
pub fn write(program: &Program, configuration: &str, accounts: &str) {
    fs::write(program.folder.path().join("accounts.toml"), accounts).unwrap();
    fs::write(program.folder.path().join("cf-billing.toml"), configuration).unwrap();
}
