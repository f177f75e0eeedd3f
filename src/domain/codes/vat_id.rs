//! VAT ids: the country's letters, and the form of its ids.

use super::country::is_country;
use super::{Wrong, has_form};

/// What VAT ids of a country look like after its letters, as [`has_form`] reads it; several forms are parted by spaces.
/// Source: the formats that the VIES service takes; of CH, GB, IS, LI, MC, NO, RS and TR their own.
const VAT_IDS: [(&str, &str); 36] = [
    ("AT", "U########"),
    ("BE", "0######### 1#########"),
    ("BG", "######### ##########"),
    ("CH", "E######### E#########MWST E#########TVA E#########IVA"),
    ("CY", "########@"),
    ("CZ", "######## ######### ##########"),
    ("DE", "#########"),
    ("DK", "########"),
    ("EE", "#########"),
    ("EL", "#########"),
    ("ES", "@######## ########@ @#######@"),
    ("FI", "########"),
    ("FR", "??#########"),
    ("GB", "######### ############ GD### HA###"),
    ("HR", "###########"),
    ("HU", "########"),
    ("IE", "#######@ #######@@ #?#####@"),
    ("IS", "##### ######"),
    ("IT", "###########"),
    ("LI", "#####"),
    ("LT", "######### ############"),
    ("LU", "########"),
    ("LV", "###########"),
    ("MC", "??#########"),
    ("MT", "########"),
    ("NL", "#########B##"),
    ("NO", "#########MVA"),
    ("PL", "##########"),
    ("PT", "#########"),
    ("RO", "## ### #### ##### ###### ####### ######## ######### ##########"),
    ("RS", "#########"),
    ("SE", "############"),
    ("SI", "########"),
    ("SK", "##########"),
    ("TR", "##########"),
    ("XI", "######### ############ GD### HA###"),
];

/// Letters that people write for those of VAT ids.
const MEANT: [(&str, &str); 2] = [("GR", "EL"), ("UK", "GB")];

/// Countries whose companies have VAT ids with the letters of another.
const SHARED: [(&str, &str); 7] =
    [("GR", "EL"), ("GB", "XI"), ("XI", "GB"), ("IM", "GB"), ("MC", "FR"), ("LI", "CH"), ("SM", "IT")];

/// The longest VAT id there is, without its country's letters.
const MOST_OF_A_VAT_ID: usize = 15;

/// Checks a VAT id: it has the form of its country where that is known, else its country's two letters and letters and
/// digits. Whether it was given out, only the tax office knows.
///
/// # Errors
/// [`Wrong`], with what was meant if that can be told.
pub fn vat_id(text: &str) -> Result<(), Wrong> {
    let Err(form) = check(text) else { return Ok(()) };
    // Documents show it as it is registered; people write it as it is easiest to read, or with a word before it.
    let words = text.match_indices(' ').map(|(space, _)| &text[space..]);
    let meant = std::iter::once(text).chain(words).find_map(meant);
    Err(Wrong::new(format!("`{text}` is not a VAT id"), form).meaning(meant))
}

/// The VAT id of a known form that a text is, but for letters that people add.
fn meant(text: &str) -> Option<String> {
    let bare: String = text.chars().filter(|letter| !" .-/".contains(*letter)).collect();
    let bare = bare.to_uppercase();
    let meant = MEANT.iter().find_map(|(written, meant)| Some(format!("{meant}{}", bare.strip_prefix(written)?)));
    let meant = meant.unwrap_or(bare);
    let has_form = VAT_IDS.iter().any(|(country, _)| meant.starts_with(country));
    (has_form && check(&meant).is_ok()).then_some(meant)
}

/// How it should look, in words, if it doesn't.
fn check(text: &str) -> Result<(), String> {
    let Some((country, rest)) = text.split_at_checked(2) else { return Err(hint()) };
    if let Some((_, forms)) = VAT_IDS.iter().find(|(known, _)| *known == country) {
        if forms.split(' ').any(|form| has_form(rest, form)) {
            return Ok(());
        }
        let shown = |form: &str| format!("{country}{}", form.replace('#', "9").replace('@', "A").replace('?', "X"));
        let forms: Vec<String> = forms.split(' ').map(shown).collect();
        let (last, others) = forms.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
        let others = if others.is_empty() { String::new() } else { format!("{} or ", others.join(", ")) };
        return Err(format!(
            "one of {country} looks like {others}{last}: 9 stands for a digit, and there are no spaces"
        ));
    }
    let plain = |letter: u8| letter.is_ascii_digit() || letter.is_ascii_uppercase();
    let is_known = is_country(country) && !MEANT.iter().any(|(written, _)| *written == country);
    let has_digit = rest.bytes().any(|letter| letter.is_ascii_digit());
    let is_one = is_known && has_digit && (2..=MOST_OF_A_VAT_ID).contains(&rest.len()) && rest.bytes().all(plain);
    if is_one { Ok(()) } else { Err(hint()) }
}

fn hint() -> String {
    "begin with the country's two letters (EL for Greece), in capitals and without spaces: DE123456789".to_owned()
}

/// Whether a VAT id has the letters of a country, or of one that it shares them with. Others are lawful: a Swiss buyer
/// may be registered in Germany.
#[must_use]
pub fn vat_id_is_of(vat_id: &str, country: &str) -> bool {
    let letters = vat_id.get(..2).unwrap_or_default();
    letters == country || SHARED.contains(&(country, letters))
}

#[cfg(test)]
mod tests {
    use super::{VAT_IDS, is_country, vat_id, vat_id_is_of};

    #[test]
    fn vat_ids_have_the_form_of_their_country() {
        for good in [
            "ATU12345678",
            "BE0123456789",
            "BE1123456789",
            "CHE123456789",
            "CHE123456789MWST",
            "CY12345678A",
            "DE123456789",
            "EL123456789",
            "ESA12345678",
            "ES12345678A",
            "ESX1234567A",
            "FR12345678901",
            "FRAB345678901",
            "GB123456789",
            "GBGD123",
            "IE1234567A",
            "IE1234567AB",
            "IE1A23456A",
            "NL123456789B01",
            "NO123456789MVA",
            "RO12",
            "RO1234567890",
            "XI123456789012",
            "US12",
            "US123456789012345",
            "LI12345",
            "IS123456",
        ] {
            assert_eq!(vat_id(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "D",
            "123456789",
            "DE12345678",
            "DE1234567890",
            "DE 123456789",
            "de123456789",
            "AT12345678",
            "BE2123456789",
            "ES123456789",
            "NL123456789A01",
            "RO1",
            "RO12345678901",
            "UK123456789",
            "US1",
            "US1234567890123456",
            "US12-3",
            "ÄÖ123",
            "GR123456789",
            "GR12345",
            "USAB",
            "EU123456789",
            "USt-IdNr. DE12345",
            "USt-IdNr. DE123456789",
            "CHE-123.456.789MWST",
            "XI12345",
        ] {
            assert!(vat_id(bad).is_err(), "{bad}");
        }
        assert!(VAT_IDS.iter().all(|(country, _)| *country == "EL" || is_country(country)));
    }

    #[test]
    fn what_was_meant_for_a_vat_id_is_told() {
        for (written, hint) in [
            ("GR123456789", "write vat_id = \"EL123456789\""),
            ("GR 123 456 789", "write vat_id = \"EL123456789\""),
            ("UK123456789", "write vat_id = \"GB123456789\""),
            ("DE 123 456 789", "write vat_id = \"DE123456789\""),
            ("de123456789", "write vat_id = \"DE123456789\""),
            ("USt-IdNr. DE123456789", "write vat_id = \"DE123456789\""),
            ("VAT reg. no. GB 123 456 789", "write vat_id = \"GB123456789\""),
            (
                "USt-IdNr. DE12345",
                "begin with the country's two letters (EL for Greece), in capitals and without spaces: DE123456789",
            ),
            ("CHE-123.456.789 MWST", "write vat_id = \"CHE123456789MWST\""),
            ("DE12345", "one of DE looks like DE999999999: 9 stands for a digit, and there are no spaces"),
        ] {
            assert_eq!(vat_id(written).unwrap_err().hint("vat_id"), hint, "{written}");
        }
    }

    #[test]
    fn a_vat_id_is_of_its_country_or_of_one_that_shares_letters() {
        for (id, country, is_of) in [
            ("DE123456789", "DE", true),
            ("EL123456789", "GR", true),
            ("XI123456789", "GB", true),
            ("XI123456789", "XI", true),
            ("FR12345678901", "MC", true),
            ("DE123456789", "CH", false),
            ("XI123456789", "IE", false),
            ("GR123456789", "DE", false),
        ] {
            assert_eq!(vat_id_is_of(id, country), is_of, "{id} {country}");
        }
    }
}
