//! What the demo works with: a folder of its own, a configuration, a rate card, and two accounts that pay.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::super::Failure;
use crate::clock::Clock;
use crate::config::{self, Configuration};
use crate::simulator::prices::{Payer, Prices};
use crate::simulator::{ADMIN, Foundation};

pub(super) const CONFIGURATION: &str = "cf-billing.toml";
/// The foundation's name in the book.
const FOUNDATION: &str = "demo";

/// The account with a discount and tax, and the one of another country.
const ACCOUNTS: [(&str, &str); 2] = [
    (
        "acme",
        "name = \"ACME\"\nlegal_name = \"ACME Deutschland GmbH\"\naddress = [\"Musterstraße 1\"]\npostal_code = \"10115\"\n\
         city = \"Berlin\"\ncountry = \"DE\"\nvat_id = \"DE123456789\"\nelectronic_address = \"9930:DE123456789\"\n\
         buyer_reference = \"platform-team\"\n",
    ),
    (
        "exemple",
        "name = \"Exemple\"\nlegal_name = \"Exemple SARL\"\naddress = [\"12 rue de l'Exemple\"]\npostal_code = \"75001\"\n\
         city = \"Paris\"\ncountry = \"FR\"\nvat_id = \"FR12345678901\"\nelectronic_address = \"9957:FR12345678901\"\n\
         buyer_reference = \"2026-0815\"\ntax_category = \"AE\"\ntax_exemption_reason = \"Reverse charge\"\n\
         language = \"fr\"\n",
    ),
];

/// Shares the foundation's organizations out between the two accounts.
pub(super) fn payers(foundation: &Foundation) -> Vec<Payer> {
    let payer = |(position, (account, _)): (usize, &(&'static str, &str))| Payer {
        account,
        organizations: foundation.world.orgs.keys().skip(position).step_by(ACCOUNTS.len()).cloned().collect(),
        discount_percent: if position == 0 { 10 } else { 0 },
        taxed: position == 0,
    };
    ACCOUNTS.iter().enumerate().map(payer).collect()
}

fn accounts(payers: &[Payer]) -> String {
    let mut text = String::from("# Who pays in the demo. Both companies are invented.\n");
    for ((id, about), payer) in ACCOUNTS.iter().zip(payers) {
        let owned: Vec<String> = payer.organizations.iter().map(|guid| format!("\"{FOUNDATION}/{guid}\"")).collect();
        let _ = write!(text, "\n[[account]]\nid = \"{id}\"\n{about}organizations = [{}]\n", owned.join(", "));
    }
    text
}

/// Writes configuration, accounts and rate card into the folder, and loads them.
pub(super) fn configure(folder: &Path, prices: &Prices, payers: &[Payer]) -> Result<Configuration, Failure> {
    let (rates, accounts_file) = (folder.join("rates.toml"), folder.join("accounts.toml"));
    let text = format!(
        "# Made by `cf-billing demo`.\n\
         [database]\nurl = \"sqlite://{}\"\n\n\
         [billing]\nrates = \"{}\"\naccounts = \"{}\"\ninvoice_series = \"DEMO\"\ncredit_note_series = \"DEMO-CN\"\n\
         grace = \"0s\"\nseller = \"Example Platform GmbH\"\nseller_address = \"Beispielweg 7\"\n\
         seller_postal_code = \"20095\"\nseller_city = \"Hamburg\"\nseller_country = \"DE\"\n\
         seller_vat_id = \"DE136695976\"\nseller_contact = \"Billing\"\nseller_email = \"billing@platform.example\"\n\
         seller_phone = \"+49 40 1234567\"\nseller_electronic_address = \"9930:DE136695976\"\n\
         seller_iban = \"DE89370400440532013000\"\n\n\
         [log]\nlevel = \"warn\"\n\n\
         # The foundation is gone when the demo ends.\n\
         [[foundation]]\nname = \"{FOUNDATION}\"\napi = \"http://127.0.0.1\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n",
        folder.join("cf-billing.db").display(),
        rates.display(),
        accounts_file.display(),
        ADMIN.0,
        ADMIN.1
    );
    let file = folder.join(CONFIGURATION);
    let cannot = |error| Failure::failed(format!("can't write into {}: {error}", folder.display()));
    std::fs::write(&rates, prices.card(payers)).map_err(cannot)?;
    std::fs::write(&accounts_file, accounts(payers)).map_err(cannot)?;
    std::fs::write(&file, text).map_err(cannot)?;
    Ok(config::load(Some(&file), [])?)
}

/// A folder of the demo's own: nothing that is there is touched.
pub(super) fn fresh_folder() -> Result<PathBuf, Failure> {
    let parent = std::env::temp_dir();
    let stamp = Clock::System.now().unix();
    for attempt in 0..1000 {
        let folder = parent.join(format!("cf-billing-demo-{}", stamp + attempt));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(Failure::failed(format!(
                    "can't make a folder in {}: {error}\nhint: set TMPDIR to a folder that you can write to",
                    parent.display()
                )));
            }
        }
    }
    Err(Failure::failed(format!(
        "there are too many demos in {}\nhint: delete its folders named cf-billing-demo-…",
        parent.display()
    )))
}
