//! Countries by their two letters.

use super::Wrong;

/// ISO 3166-1, and `1A` (Kosovo) and `XI` (Northern Ireland), which EN 16931 takes beside them.
const COUNTRIES: &str = "\
    1A AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO \
    JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR \
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO \
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV \
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI YE YT ZA ZM ZW";

/// Codes that people write for another.
const MEANT: [(&str, &str); 3] = [("UK", "GB"), ("EL", "GR"), ("XK", "1A")];

/// Whether it is a country's code.
#[must_use]
pub fn is_country(code: &str) -> bool {
    COUNTRIES.split(' ').any(|known| known == code)
}

/// The country's code that was meant, if that can be told.
fn country_meant(text: &str) -> Option<String> {
    let upper = text.trim().to_uppercase();
    let other = MEANT.iter().find(|(written, _)| *written == upper).map(|(_, meant)| (*meant).to_owned());
    other.or_else(|| is_country(&upper).then_some(upper))
}

/// Checks a country's code.
///
/// # Errors
/// [`Wrong`].
pub fn country(code: &str) -> Result<(), Wrong> {
    if is_country(code) {
        return Ok(());
    }
    let wrong =
        Wrong::new(format!("`{code}` is not a country's code"), "use the two letters of ISO 3166-1, such as DE");
    Err(wrong.meaning(country_meant(code)))
}

#[cfg(test)]
mod tests {
    use super::{country, country_meant, is_country};

    #[test]
    fn countries_are_those_of_the_list() {
        for code in ["DE", "GB", "GR", "XI", "1A", "ZW"] {
            assert!(is_country(code), "{code}");
        }
        for code in ["", " ", "de", "UK", "EL", "EU", "XX", "DEU", "D", "AD AE"] {
            assert!(!is_country(code), "{code}");
        }
        assert_eq!(country_meant("uk").as_deref(), Some("GB"));
        assert_eq!(country_meant(" de ").as_deref(), Some("DE"));
        assert_eq!(country_meant("Germany"), None);
        assert_eq!(country("EL").unwrap_err().hint("country"), "write country = \"GR\"");
    }
}
