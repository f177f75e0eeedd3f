//! Codes of EN 16931: which there are, and what VAT categories ask for.
//! Owns what is in a list; never reads an invoice.

const COUNTRIES: &str = "\
    1A AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW \
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ \
    FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ \
    IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH \
    MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL \
    PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD \
    TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI YE YT ZA ZM ZW";
const CURRENCIES: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE \
    CHF CHW CLF CLP CNH CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD \
    GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP \
    LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB \
    PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP SVC SYP SZL THB TJS \
    TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VES VED VND VUV WST XAF XAG XAU XBA XBB XBC XBD \
    XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG";
const PEPPOL_SCHEMES: &str = "\
    0002 0007 0009 0060 0088 0096 0097 0106 0130 0135 0142 0151 0158 0183 0184 0188 0190 0191 0192 0195 0196 \
    0198 0199 0200 0201 0204 0208 0209 0210 0211 0216 0218 0221 0225 0230 0235 0240 0242 0244 0245 0246 0248 \
    9910 9913 9914 9915 9918 9919 9920 9922 9923 9924 9925 9926 9927 9928 9929 9930 9931 9932 9933 9934 9935 \
    9936 9937 9938 9939 9940 9941 9942 9943 9944 9945 9946 9947 9948 9949 9950 9951 9952 9953 9957 9959";
const OTHER_SCHEMES: &str = "\
    0037 0147 0154 0170 0177 0193 0194 0202 0203 0205 0212 0213 0215 0217 AN AQ AS AU EM";
/// The letter of a VAT category (BT-118, BT-151), and what its rules ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    Standard,
    ZeroRated,
    Exempt,
    ReverseCharge,
    /// A supply to another member state of the EU.
    IntraCommunity,
    Export,
    /// Not subject to VAT.
    Outside,
    /// Of the Canary Islands.
    Igic,
    /// Of Ceuta and Melilla.
    Ipsi,
}

impl Category {
    const ALL: [Self; 9] = [
        Self::Standard,
        Self::ZeroRated,
        Self::Exempt,
        Self::ReverseCharge,
        Self::IntraCommunity,
        Self::Export,
        Self::Outside,
        Self::Igic,
        Self::Ipsi,
    ];

    /// As it is written.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Standard => "S",
            Self::ZeroRated => "Z",
            Self::Exempt => "E",
            Self::ReverseCharge => "AE",
            Self::IntraCommunity => "K",
            Self::Export => "G",
            Self::Outside => "O",
            Self::Igic => "L",
            Self::Ipsi => "M",
        }
    }

    /// The category of that code.
    pub(super) fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.code() == code)
    }

    /// Why there is no tax, where the list of reasons (VATEX) has one for the whole category (BT-121).
    pub(super) const fn exemption_code(self) -> Option<&'static str> {
        match self {
            Self::ReverseCharge => Some("VATEX-EU-AE"),
            Self::IntraCommunity => Some("VATEX-EU-IC"),
            Self::Export => Some("VATEX-EU-G"),
            Self::Outside => Some("VATEX-EU-O"),
            Self::Standard | Self::ZeroRated | Self::Exempt | Self::Igic | Self::Ipsi => None,
        }
    }

    /// Whether a reason is asked for; where it isn't, none may be given (BR-S-10 and its like).
    pub(super) const fn has_reason(self) -> bool {
        matches!(self, Self::Exempt) || self.exemption_code().is_some()
    }
}

/// Whether a list, apart by spaces, has a code.
fn is_in(list: &str, code: &str) -> bool {
    list.split(' ').any(|known| known == code)
}

/// ISO 3166-1, with `1A` for Kosovo and `XI` for Northern Ireland.
pub(super) fn is_country(code: &str) -> bool {
    is_in(COUNTRIES, code)
}

/// ISO 4217, as both syntaxes' lists have it.
pub(super) fn is_currency(code: &str) -> bool {
    is_in(CURRENCIES, code)
}

/// EAS: a network of electronic addresses.
pub(super) fn is_address_scheme(code: &str) -> bool {
    is_in(OTHER_SCHEMES, code) || is_peppol_scheme(code)
}

/// Whether Peppol takes it; it has no email, for one.
pub(super) fn is_peppol_scheme(code: &str) -> bool {
    is_in(PEPPOL_SCHEMES, code)
}

/// A VAT id begins with its country's letters; Greece's are `EL` (BR-CO-09).
pub(super) fn is_vat_id(id: &str) -> bool {
    id.get(..2).is_some_and(|country| country == "EL" || is_country(country)) && id.len() > 2
}

/// By its check digits, ISO 7064.
pub(super) fn is_iban(iban: &str) -> bool {
    let plain = iban.len() >= 15 && iban.len() <= 34 && iban.bytes().all(|letter| letter.is_ascii_alphanumeric());
    let letters = |part: &str| part.bytes().all(|letter| letter.is_ascii_uppercase());
    let digits = |part: &str| part.bytes().all(|letter| letter.is_ascii_digit());
    if !plain || !letters(&iban[..2]) || !digits(&iban[2..4]) {
        return false;
    }
    let moved = iban[4..].chars().chain(iban[..4].chars());
    let rest = moved.filter_map(|letter| letter.to_digit(36)).fold(0, |rest, digit| {
        let shift = if digit > 9 { 100 } else { 10 };
        (rest * shift + digit) % 97
    });
    rest == 1
}

/// A GLN (scheme 0088), by its check digit.
pub(super) fn is_gln(id: &str) -> bool {
    let digits: Option<Vec<u32>> = id.chars().map(|letter| letter.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() == 13) else { return false };
    let weighted = digits.iter().enumerate().map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 3 });
    weighted.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::{Category, is_address_scheme, is_country, is_currency, is_gln, is_iban, is_peppol_scheme, is_vat_id};

    #[test]
    fn codes_are_those_of_the_lists() {
        assert!(["DE", "XI", "1A", "GR"].into_iter().all(is_country));
        assert!(!["", "de", "D", "EL", "UK", "XX", "AD AE", " "].into_iter().any(is_country));
        assert!(["EUR", "JPY", "KWD"].into_iter().all(is_currency));
        assert!(!["", "eur", "XYZ"].into_iter().any(is_currency));
        assert!(["0088", "9930", "EM"].into_iter().all(is_address_scheme));
        assert!(is_peppol_scheme("0088") && !is_peppol_scheme("EM"));
        assert!(!["", "em", "9958", "88"].into_iter().any(is_address_scheme));
        assert_eq!(Category::from_code("AE"), Some(Category::ReverseCharge));
        assert_eq!(Category::from_code("B"), None);
    }

    #[test]
    fn numbers_are_checked_by_their_digits() {
        assert!(["DE89370400440532013000", "GB82WEST12345698765432", "NO9386011117947"].into_iter().all(is_iban));
        assert!(
            ![
                "DE89370400440532013001",
                "de89370400440532013000",
                "DE89 3704 0044 0532 0130 00",
                "DE",
                "",
                "ÄÖ12345678901"
            ]
            .into_iter()
            .any(is_iban)
        );
        assert!(["4012345000009", "7300010000001"].into_iter().all(is_gln));
        assert!(!["4012345000008", "401234500000", "40123450000090", "401234500000X", ""].into_iter().any(is_gln));
        assert!(["DE1", "EL123456789"].into_iter().all(is_vat_id));
        assert!(!["DE", "123456789", "UK123", "", "Ä1"].into_iter().any(is_vat_id));
    }
}
