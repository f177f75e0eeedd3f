//! Lists of codes, as of the EN 16931 code lists: countries, schemes of electronic addresses, forms of VAT ids.
//! Owns what is a code; never says whose it is.

/// ISO 3166-1, and `1A` (Kosovo) and `XI` (Northern Ireland), which EN 16931 takes beside them.
const COUNTRIES: &str = "\
    1A AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO \
    JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR \
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO \
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV \
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI YE YT ZA ZM ZW";

/// CEF's list of Electronic Address Schemes.
const SCHEMES: &str = "\
    0002 0007 0009 0037 0060 0088 0096 0097 0106 0130 0135 0142 0147 0151 0154 0158 0170 0177 0183 0184 0188 0190 0191 \
    0192 0193 0194 0195 0196 0198 0199 0200 0201 0202 0203 0204 0205 0208 0209 0210 0211 0212 0213 0215 0216 0217 0218 \
    0219 0220 0221 0225 0230 0235 0240 0242 0244 0245 0246 0248 9910 9913 9914 9915 9918 9919 9920 9922 9923 9924 9925 \
    9926 9927 9928 9929 9930 9931 9932 9933 9934 9935 9936 9937 9938 9939 9940 9941 9942 9943 9944 9945 9946 9947 9948 \
    9949 9950 9951 9952 9953 9957 9959 AN AQ AS AU EM";

/// What VAT ids of a country look like after its letters: `#` a digit, `@` a letter, `?` either, anything else itself;
/// several forms are parted by spaces. Source: the formats that the VIES service takes; of CH, GB and NO their own.
const VAT_IDS: [(&str, &str); 31] = [
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
    ("IT", "###########"),
    ("LT", "######### ############"),
    ("LU", "########"),
    ("LV", "###########"),
    ("MT", "########"),
    ("NL", "#########B##"),
    ("NO", "#########MVA"),
    ("PL", "##########"),
    ("PT", "#########"),
    ("RO", "## ### #### ##### ###### ####### ######## ######### ##########"),
    ("SE", "############"),
    ("SI", "########"),
    ("SK", "##########"),
    ("XI", "######### ############ GD### HA###"),
];

/// Codes that people write for another.
const MEANT: [(&str, &str); 3] = [("UK", "GB"), ("EL", "GR"), ("XK", "1A")];

fn is_listed(list: &str, code: &str) -> bool {
    list.split(' ').any(|known| known == code)
}

/// Whether it is a country's code.
pub fn is_country(code: &str) -> bool {
    is_listed(COUNTRIES, code)
}

/// The country's code that was meant, if that can be told.
pub fn country_meant(text: &str) -> Option<String> {
    let upper = text.trim().to_uppercase();
    let other = MEANT.iter().find(|(written, _)| *written == upper).map(|(_, meant)| (*meant).to_owned());
    other.or_else(|| is_country(&upper).then_some(upper))
}

/// Whether it is a scheme of the EAS list.
pub fn is_scheme(code: &str) -> bool {
    is_listed(SCHEMES, code)
}

fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(letter, of)| match of {
            b'#' => letter.is_ascii_digit(),
            b'@' => letter.is_ascii_uppercase(),
            b'?' => letter.is_ascii_digit() || letter.is_ascii_uppercase(),
            other => letter == other,
        })
}

/// The longest VAT id there is, without its country's letters.
const MOST_OF_A_VAT_ID: usize = 15;

/// Whether a text has the form of a VAT id: that of its country where it is known, else its country's two letters and
/// letters and digits.
///
/// # Errors
/// How it should look, in words.
pub fn vat_id(text: &str) -> Result<(), String> {
    let Some((country, rest)) = text.split_at_checked(2) else { return Err(vat_id_hint()) };
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
    let is_one = is_country(country) && (2..=MOST_OF_A_VAT_ID).contains(&rest.len()) && rest.bytes().all(plain);
    if is_one { Ok(()) } else { Err(vat_id_hint()) }
}

fn vat_id_hint() -> String {
    "begin with the country's two letters (EL for Greece), in capitals and without spaces: DE123456789".to_owned()
}

/// Whether mail can be addressed so: something, an at sign, and a domain.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['@', ',', ';', '<', '>']);
    let has_space = text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    let labels = || domain.split('.');
    is_plain(local) && is_plain(domain) && !has_space && labels().count() > 1 && labels().all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{SCHEMES, VAT_IDS, country_meant, is_country, is_email, is_scheme, vat_id};

    #[test]
    fn codes_are_those_of_the_lists() {
        for code in ["DE", "GB", "XI", "1A", "ZW"] {
            assert!(is_country(code), "{code}");
        }
        for code in ["", "de", "UK", "EU", "DEU", "D", "AD AE"] {
            assert!(!is_country(code), "{code}");
        }
        assert_eq!(country_meant("uk").as_deref(), Some("GB"));
        assert_eq!(country_meant(" de ").as_deref(), Some("DE"));
        assert_eq!(country_meant("Germany"), None);
        assert!(is_scheme("EM") && is_scheme("0204") && !is_scheme("em") && !is_scheme("0001"));
        assert_eq!(SCHEMES.split(' ').count(), 104);
    }

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
        ] {
            assert!(vat_id(bad).is_err(), "{bad}");
        }
        assert!(VAT_IDS.iter().all(|(country, _)| *country == "EL" || is_country(country)));
    }

    #[test]
    fn mail_has_a_name_and_a_domain() {
        for good in ["a@b.example", "accounts+cf@acme.co.example", "ü@b.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in
            ["", "a", "a@b", "@b.example", "a@", "a@.example", "a@b.", "a b@c.example", "a@b@c.example", "a@b..c"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
