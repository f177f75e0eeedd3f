//! Codes of EN 16931: which there are, and what VAT categories ask for.
//! Owns what is in a list; never reads an invoice.

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

/// ISO 4217, as both syntaxes' lists have it.
pub(super) fn is_currency(code: &str) -> bool {
    is_in(CURRENCIES, code)
}

/// Whether Peppol takes it; it has no email, for one.
pub(super) fn is_peppol_scheme(code: &str) -> bool {
    is_in(PEPPOL_SCHEMES, code)
}

#[cfg(test)]
mod tests {
    use super::{Category, PEPPOL_SCHEMES, is_currency, is_peppol_scheme};
    use crate::domain::codes::is_scheme;

    #[test]
    fn codes_are_those_of_the_lists() {
        assert!(["EUR", "JPY", "KWD"].into_iter().all(is_currency));
        assert!(!["", "eur", "XYZ"].into_iter().any(is_currency));
        assert!(is_peppol_scheme("0088") && !is_peppol_scheme("EM") && !is_peppol_scheme("9958"));
        assert!(PEPPOL_SCHEMES.split(' ').all(is_scheme));
        assert_eq!(Category::from_code("AE"), Some(Category::ReverseCharge));
        assert_eq!(Category::from_code("B"), None);
    }
}
