//! Bank accounts: IBAN (ISO 13616) and BIC (ISO 9362).

use super::country::is_country;
use super::{Wrong, mod_97};

/// How long IBANs of a country are, with its letters. Source: SWIFT's IBAN registry, release 99 (December 2024).
const LENGTHS: &str = "\
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 \
    FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 \
    LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 \
    RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30";

fn length_of(country: &str) -> Option<usize> {
    LENGTHS.split(' ').find_map(|known| known.strip_prefix(country)?.parse().ok())
}

/// Checks an IBAN without spaces: country, length and check digits.
///
/// # Errors
/// [`Wrong`].
pub fn iban(iban: &str) -> Result<(), Wrong> {
    let wrong = |hint: String| Err(Wrong::new(format!("`{iban}` is not an IBAN"), hint));
    let is_plain = iban.bytes().all(|letter| letter.is_ascii_digit() || letter.is_ascii_uppercase());
    let parts =
        iban.split_at_checked(2).filter(|(country, _)| country.bytes().all(|letter| letter.is_ascii_uppercase()));
    let Some((country, _)) = parts.filter(|_| is_plain) else {
        return wrong(
            "an IBAN is of digits and capital letters, the country's two first: DE89370400440532013000".to_owned(),
        );
    };
    let Some(length) = length_of(country) else {
        return wrong(format!("no IBANs begin with `{country}`"));
    };
    if iban.len() != length {
        return wrong(format!("one of {country} has {length} digits and letters, and this has {}", iban.len()));
    }
    let check = iban.get(2..4).unwrap_or_default();
    // Others can't be the outcome of 98 less a remainder.
    let is_possible = check.parse().is_ok_and(|check: u32| (2..=98).contains(&check));
    if !is_possible || mod_97(iban[4..].chars().chain(iban[..4].chars())) != Some(1) {
        return wrong(format!("its check digits `{check}` don't fit the rest: compare it with the bank's paper"));
    }
    Ok(())
}

/// Checks a BIC: 8 or 11 letters and digits.
///
/// # Errors
/// [`Wrong`].
pub fn bic(bic: &str) -> Result<(), Wrong> {
    let letters = |part: Option<&str>| part.is_some_and(|part| part.bytes().all(|letter| letter.is_ascii_uppercase()));
    let is_plain = bic.bytes().all(|letter| letter.is_ascii_digit() || letter.is_ascii_uppercase());
    let country = bic.get(4..6).filter(|country| is_country(country) || *country == "XK");
    if matches!(bic.len(), 8 | 11) && is_plain && letters(bic.get(..6)) && country.is_some() {
        return Ok(());
    }
    let hint = "a BIC has 8 or 11 capital letters and digits: four letters of the bank, two of its country, and two or five more, as in COBADEFFXXX";
    Err(Wrong::new(format!("`{bic}` is not a BIC"), hint))
}

#[cfg(test)]
mod tests {
    use ::iban::BaseIban;

    use super::{LENGTHS, bic, iban, is_country, length_of};

    /// Examples of the registry, and of banks' papers.
    #[test]
    fn ibans_have_their_countrys_length_and_check_digits() {
        for good in [
            "DE89370400440532013000",
            "GB82WEST12345698765432",
            "GB29NWBK60161331926819",
            "NO9386011117947",
            "BE68539007547034",
            "FR1420041010050500013M02606",
            "CH9300762011623852957",
            "MT84MALT011000012345MTLCAST001S",
            "LC55HEMM000100010012001200023015",
            "XK051212012345678906",
        ] {
            assert_eq!(iban(good), Ok(()), "{good}");
        }
        for (bad, told) in [
            ("", "digits and capital letters"),
            ("DE", "has 22 digits and letters, and this has 2"),
            ("DE89 3704 0044 0532 0130 00", "digits and capital letters"),
            ("de89370400440532013000", "digits and capital letters"),
            ("ÄÖ12345678901", "digits and capital letters"),
            ("DE89370400440532013001", "check digits `89`"),
            ("DE98370400440532013000", "check digits `98`"),
            // The digits of a longer and a shorter one that leave 1, too.
            ("DE893704004405320130000", "this has 23"),
            ("NO938601111794", "this has 14"),
            ("US64SVBKUS6S3300958879", "no IBANs begin with `US`"),
            ("8937040044053201300000", "digits and capital letters"),
        ] {
            assert!(iban(bad).is_err_and(|wrong| wrong.form.contains(told)), "{bad}: {:?}", iban(bad));
        }
        // 00, 01 and 99 leave 1 where 97, 98 and 02 do.
        let of = |check: &str| format!("DE{check}370400440532013000");
        let all: Vec<String> = (0..100).map(|check| of(&format!("{check:02}"))).collect();
        assert_eq!(all.iter().filter(|one| iban(one).is_ok()).collect::<Vec<_>>(), [&of("89")]);
        assert_eq!(LENGTHS.split(' ').count(), 89);
        assert!(LENGTHS.split(' ').all(|one| is_country(&one[..2]) || one.starts_with("XK")));
        assert!(LENGTHS.split(' ').all(|one| (15..=34).contains(&length_of(&one[..2]).unwrap())));
    }

    /// Of every country's length, another implementation takes the same check digits.
    #[test]
    fn check_digits_are_those_that_another_implementation_takes() {
        for known in LENGTHS.split(' ') {
            let (country, length) = (&known[..2], length_of(&known[..2]).unwrap());
            for bank in ["5", "7A"] {
                let account: String = bank.chars().cycle().take(length - 4).collect();
                let good = |check: &u32| format!("{country}{check:02}{account}");
                let ours: Vec<u32> = (0..100).filter(|check| iban(&good(check)).is_ok()).collect();
                let others: Vec<u32> = (2..=98).filter(|check| good(check).parse::<BaseIban>().is_ok()).collect();
                assert_eq!((ours.len(), &ours), (1, &others), "{known} {bank}");
            }
        }
    }

    #[test]
    fn bics_have_8_or_11_letters_and_digits() {
        for good in ["COBADEFF", "COBADEFFXXX", "DEUTDE5M123", "NCBVXKPRXXX"] {
            assert_eq!(bic(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "HELLO",
            "COBADEF",
            "COBADEFFX",
            "COBADEFFXX",
            "COBADEFFXXXX",
            "cobadeff",
            "COBADEFF XX",
            "COB1DEFF",
            "COBAXXFF",
            "COBADE-F",
            "COBADEFÄ",
        ] {
            assert!(bic(bad).is_err(), "{bad}");
        }
    }
}
