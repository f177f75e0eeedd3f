//! Where mail and e-invoices go: e-mail, and addresses of the schemes of the EAS list.

use super::vat_id::vat_id;
use super::{Wrong, has_form};

/// CEF's list of Electronic Address Schemes.
const SCHEMES: &str = "\
    0002 0007 0009 0037 0060 0088 0096 0097 0106 0130 0135 0142 0147 0151 0154 0158 0170 0177 0183 0184 0188 0190 0191 \
    0192 0193 0194 0195 0196 0198 0199 0200 0201 0202 0203 0204 0205 0208 0209 0210 0211 0212 0213 0215 0216 0217 0218 \
    0221 0225 0230 0235 0240 0242 0244 0245 0246 0248 9910 9913 9914 9915 9918 9919 9920 9922 9923 9924 9925 \
    9926 9927 9928 9929 9930 9931 9932 9933 9934 9935 9936 9937 9938 9939 9940 9941 9942 9943 9944 9945 9946 9947 9948 \
    9949 9950 9951 9952 9953 9957 9959 AN AQ AS AU EM";

/// Schemes of which ids are VAT ids, with the letters that those begin with. Source: the EAS list.
const VAT_SCHEMES: [(&str, &str); 33] = [
    ("9910", "HU"),
    ("9914", "AT"),
    ("9920", "ES"),
    ("9922", "AD"),
    ("9923", "AL"),
    ("9924", "BA"),
    ("9925", "BE"),
    ("9926", "BG"),
    ("9927", "CH"),
    ("9928", "CY"),
    ("9929", "CZ"),
    ("9930", "DE"),
    ("9931", "EE"),
    ("9932", "GB"),
    ("9933", "EL"),
    ("9934", "HR"),
    ("9935", "IE"),
    ("9936", "LI"),
    ("9937", "LT"),
    ("9938", "LU"),
    ("9939", "LV"),
    ("9940", "MC"),
    ("9941", "ME"),
    ("9942", "MK"),
    ("9943", "MT"),
    ("9944", "NL"),
    ("9945", "PL"),
    ("9946", "PT"),
    ("9947", "RO"),
    ("9949", "SI"),
    ("9950", "SK"),
    ("9953", "VA"),
    ("9957", "FR"),
];

/// What ids of other schemes look like, in words. Source: the EAS list; check digits as Peppol's rules
/// PEPPOL-COMMON-R040 to -R050 want them.
const FORMS: [(&str, &str); 16] = [
    ("0002", "a SIREN: 9 digits"),
    ("0007", "a Swedish organization number: 10 digits, the last a check digit"),
    ("0009", "a SIRET: 14 digits"),
    ("0060", "a D-U-N-S number: 9 digits"),
    ("0088", "a GLN: 13 digits, the last a check digit"),
    ("0106", "a Dutch KVK number: 8 digits"),
    ("0151", "an Australian ABN: 11 digits, two of them check digits"),
    ("0183", "a Swiss UID: CHE and 9 digits"),
    ("0184", "a Danish CVR number: 8 digits, with or without DK before them"),
    ("0190", "a Dutch OIN: 20 digits"),
    ("0192", "a Norwegian organization number: 9 digits, the last a check digit"),
    ("0196", "an Icelandic kennitala: 10 digits"),
    ("0201", "an Italian IPA code: 6 letters and digits"),
    ("0204", "a Leitweg-ID: 04011000-12345-03"),
    ("0208", "a Belgian enterprise number: 10 digits, the first 0 or 1, the last two check digits"),
    ("0211", "an Italian VAT id: IT and 11 digits"),
];

/// Whether it is a scheme of the EAS list.
#[must_use]
pub fn is_scheme(code: &str) -> bool {
    SCHEMES.split(' ').any(|known| known == code)
}

/// Parts `SCHEME:ID`, and checks it.
///
/// # Errors
/// [`Wrong`].
pub fn scheme_and_id(text: &str) -> Result<(&str, &str), Wrong> {
    let parts = text.split_once(':').map(|(scheme, id)| (scheme.trim(), id.trim()));
    let Some((scheme, id)) = parts.filter(|(_, id)| !id.is_empty()) else {
        let form = "write SCHEME:ID, such as 0088:4012345000009 or EM:accounts@acme.example";
        let meant = email(text).is_ok().then(|| format!("EM:{text}"));
        return Err(Wrong::new(format!("`{text}` has no scheme"), form).meaning(meant));
    };
    electronic_address(scheme, id).map(|()| (scheme, id))
}

/// Checks an address of a scheme.
///
/// # Errors
/// [`Wrong`].
pub fn electronic_address(scheme: &str, id: &str) -> Result<(), Wrong> {
    if !is_scheme(scheme) {
        let upper = scheme.to_uppercase();
        let known = "use a code of the EAS list, such as 0088 (GLN), 9930 (German VAT id), 0204 (Leitweg-ID) or EM";
        let meant = is_scheme(&upper).then(|| format!("{upper}:{id}"));
        return Err(Wrong::new(format!("there is no scheme `{scheme}`"), known).meaning(meant));
    }
    if scheme == "EM" {
        return email(id).map_err(|_| {
            Wrong::new(format!("`{id}` is not an email address"), "EM is for email: write EM:accounts@acme.example")
        });
    }
    // Networks take ids in small letters for the same.
    let upper = id.to_uppercase();
    if let Some((_, letters)) = VAT_SCHEMES.iter().find(|(known, _)| *known == scheme) {
        let what = || format!("`{id}` is not an id of scheme {scheme}, the VAT ids of {letters}");
        if !upper.starts_with(letters) {
            let named = format!("{letters}{upper}");
            let meant = upper.strip_prefix("GR").map_or(named, |rest| format!("EL{rest}"));
            let fits = meant.starts_with(letters) && vat_id(&meant).is_ok();
            let wrong = Wrong::new(what(), format!("they begin with {letters}"));
            return Err(wrong.meaning(fits.then(|| format!("{scheme}:{meant}"))));
        }
        return vat_id(&upper).map_err(|wrong| {
            Wrong::new(what(), wrong.form).meaning(wrong.meant.map(|meant| format!("{scheme}:{meant}")))
        });
    }
    let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == scheme) else { return Ok(()) };
    if is_of_form(scheme, &upper) {
        return Ok(());
    }
    Err(Wrong::new(format!("`{id}` is not an id of scheme {scheme}"), format!("it is for {form}")))
}

/// Whether an id, in capitals, is one of a scheme of [`FORMS`].
fn is_of_form(scheme: &str, id: &str) -> bool {
    let digits = |count: usize| id.len() == count && id.bytes().all(|digit| digit.is_ascii_digit());
    match scheme {
        "0002" | "0060" => digits(9),
        "0007" => digits(10) && is_luhn(id),
        "0009" => digits(14),
        "0088" => is_gln(id),
        "0106" => digits(8),
        "0151" => digits(11) && is_abn(id),
        "0183" => has_form(id, "CHE#########"),
        "0184" => digits(8) || has_form(id, "DK########"),
        "0190" => digits(20),
        "0192" => digits(9) && is_norwegian(id),
        "0196" => digits(10),
        "0201" => has_form(id, "??????"),
        "0204" => is_leitweg(id),
        "0208" => digits(10) && is_belgian(id),
        "0211" => has_form(id, "IT###########"),
        _ => true,
    }
}

fn weighted(digits: &str, weights: &[u32]) -> u32 {
    digits.chars().zip(weights).filter_map(|(digit, weight)| Some(digit.to_digit(10)? * weight)).sum()
}

/// A GLN (scheme 0088), by its check digit.
fn is_gln(id: &str) -> bool {
    let plain = id.len() == 13 && id.bytes().all(|digit| digit.is_ascii_digit());
    plain && weighted(id, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// Every second digit from the last but one doubled, the digits of all of them added up.
fn is_luhn(digits: &str) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let values = digits.chars().rev().filter_map(|digit| digit.to_digit(10)).enumerate();
    values.map(|(place, digit)| if place % 2 == 1 { doubled(digit) } else { digit }).sum::<u32>().is_multiple_of(10)
}

fn is_norwegian(digits: &str) -> bool {
    weighted(digits, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn is_belgian(digits: &str) -> bool {
    let (number, check) = digits.split_at(8);
    let parsed = number.parse::<u32>().ok().zip(check.parse::<u32>().ok());
    digits.starts_with(['0', '1']) && parsed.is_some_and(|(number, check)| 97 - number % 97 == check)
}

/// The first digit counts one less.
fn is_abn(digits: &str) -> bool {
    (weighted(digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) + 89 - 10).is_multiple_of(89)
}

/// Coarse and fine part and two digits. Nobody's rule checks the latter, and examples have others.
fn is_leitweg(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let (coarse, fine, check) = match parts[..] {
        [coarse, check] => (coarse, "0", check),
        [coarse, fine, check] => (coarse, fine, check),
        _ => return false,
    };
    let digits = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    let plain = |part: &str| part.bytes().all(|letter| letter.is_ascii_digit() || letter.is_ascii_uppercase());
    (2..=12).contains(&coarse.len())
        && digits(coarse)
        && (1..=30).contains(&fine.len())
        && plain(fine)
        && check.len() == 2
        && digits(check)
}

/// Checks whether mail can be addressed so: something, an at sign, and a domain.
///
/// # Errors
/// [`Wrong`].
pub fn email(text: &str) -> Result<(), Wrong> {
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['@', ',', ';', '<', '>']);
    let has_space = text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    let parts = text.split_once('@').filter(|(local, domain)| is_plain(local) && is_plain(domain) && !has_space);
    let labels = parts.map(|(_, domain)| domain.split('.').collect::<Vec<_>>()).unwrap_or_default();
    if labels.len() > 1 && labels.iter().all(|label| !label.is_empty()) {
        return Ok(());
    }
    Err(Wrong::new(format!("`{text}` is not an address"), "write one, such as accounts@acme.example"))
}

#[cfg(test)]
mod tests {
    use super::{FORMS, SCHEMES, VAT_SCHEMES, electronic_address, email, is_gln, is_scheme};

    #[test]
    fn schemes_are_those_of_the_list() {
        assert!(is_scheme("EM") && is_scheme("0204"));
        assert!(!["", "em", "0001", "9958", "88"].into_iter().any(is_scheme));
        assert_eq!(SCHEMES.split(' ').count(), 102);
        assert!(VAT_SCHEMES.iter().chain(&FORMS).all(|(scheme, _)| is_scheme(scheme)));
    }

    /// Numbers of authorities and of standards' examples.
    #[test]
    fn ids_have_the_form_of_their_scheme() {
        for good in [
            "0002:552081317",
            "0007:2021005489",
            "0009:73282932000074",
            "0060:150483782",
            "0088:4012345000009",
            "0106:12345678",
            "0151:51824753556",
            "0183:CHE123456789",
            "0184:DK12345678",
            "0184:12345678",
            "0190:00000001234567890000",
            "0192:974760673",
            "0196:5402697509",
            "0201:UFABC1",
            "0204:991-01484-64",
            "0204:04011000-12345-34",
            "0204:04-42",
            "0208:0202239951",
            "0211:IT12345678901",
            "9930:DE123456789",
            "9930:de123456789",
            "9933:EL123456789",
            "9927:CHE123456789",
            "9957:FR12345678901",
            "9959:12-3456789",
            "0199:anything",
            "EM:a@b.example",
        ] {
            let (scheme, id) = good.split_once(':').unwrap();
            assert_eq!(electronic_address(scheme, id), Ok(()), "{good}");
        }
        for (bad, hint) in [
            ("0002:55208131", "9 digits"),
            ("0007:2021005488", "check digit"),
            ("0009:7328293200007", "14 digits"),
            ("0060:15048378A", "9 digits"),
            ("0088:4012345000008", "check digit"),
            ("0088:401234500000", "13 digits"),
            ("0106:1234567", "8 digits"),
            ("0151:51824753557", "check digits"),
            ("0183:123456789", "CHE and 9 digits"),
            ("0184:SE12345678", "8 digits"),
            ("0190:0000000123456789000", "20 digits"),
            ("0192:974760674", "check digit"),
            ("0192:9747606730", "9 digits"),
            ("0196:540269-7509", "10 digits"),
            ("0201:UFABC", "6 letters and digits"),
            ("0204:991", "Leitweg-ID"),
            ("0204:991-01484-6A", "Leitweg-ID"),
            ("0208:0202239952", "check digits"),
            ("0208:2202239951", "0 or 1"),
            ("0211:12345678901", "IT and 11 digits"),
            ("9930:DE12345678", "one of DE looks like DE999999999"),
            ("9930:123456789", "x = \"9930:DE123456789\""),
            ("9930:FR12345678901", "they begin with DE"),
            ("9933:GR123456789", "x = \"9933:EL123456789\""),
            ("9933:123456789", "x = \"9933:EL123456789\""),
            ("em:a@b.example", "x = \"EM:a@b.example\""),
            ("EM:acme", "EM is for email"),
            ("9999:x", "EAS list"),
        ] {
            let (scheme, id) = bad.split_once(':').unwrap();
            let told = electronic_address(scheme, id);
            assert!(told.as_ref().is_err_and(|wrong| wrong.hint("x").contains(hint)), "{bad}: {told:?}");
        }
        assert!(["4012345000009", "7300010000001"].into_iter().all(is_gln));
        assert!(!["4012345000008", "401234500000", "40123450000090", "401234500000X", ""].into_iter().any(is_gln));
    }

    #[test]
    fn mail_has_a_name_and_a_domain() {
        for good in ["a@b.example", "accounts+cf@acme.co.example", "ü@b.example"] {
            assert_eq!(email(good), Ok(()), "{good}");
        }
        for bad in
            ["", "a", "a@b", "@b.example", "a@", "a@.example", "a@b.", "a b@c.example", "a@b@c.example", "a@b..c"]
        {
            assert!(email(bad).is_err(), "{bad}");
        }
    }
}
