//! Currencies by their three letters.

use super::Wrong;
use crate::domain::Currency;

/// The currency of a code of ISO 4217.
///
/// # Errors
/// [`Wrong`].
pub fn currency(code: &str) -> Result<Currency, Wrong> {
    Currency::from_code(code).ok_or_else(|| {
        let meant = Currency::from_code(&code.to_uppercase()).map(|currency| currency.to_string());
        Wrong::new(format!("`{code}` is not a currency"), "use an ISO 4217 code such as EUR").meaning(meant)
    })
}

#[cfg(test)]
mod tests {
    use super::{Currency, currency};

    #[test]
    fn a_currency_is_of_the_list() {
        assert_eq!(currency("EUR").map(Currency::code), Ok("EUR"));
        for (written, hint) in [
            ("eur", "write currency = \"EUR\""),
            ("EURO", "use an ISO 4217 code such as EUR"),
            ("", "use an ISO 4217 code such as EUR"),
        ] {
            assert_eq!(currency(written).unwrap_err().hint("currency"), hint, "{written}");
        }
    }
}
