//! Who the buyer is, and on what terms.

use super::super::Terms;
use crate::domain::codes;
use crate::invoicing::{AccountTax, GroupBy, Language, Particulars, Payment};
use crate::keyed::Keyed;

/// What `[defaults]` may say, too; `of` holds where it says nothing.
pub(super) fn terms(keyed: &Keyed<'_>, of: &Terms) -> Terms {
    let before = &of.particulars;
    let group_by = keyed.words("group_by");
    let group_by = group_by.map(|words| words.into_iter().filter_map(GroupBy::from_name).collect::<Vec<_>>());
    let payment = Payment {
        days: keyed.whole("payment_days").unwrap_or(before.payment.days),
        terms: keyed.text("payment_terms").or_else(|| before.payment.terms.clone()),
        ..Payment::default()
    };
    Terms {
        currency: keyed.currency("currency").or(of.currency),
        tax: tax(keyed).or_else(|| of.tax.clone()),
        particulars: Particulars {
            payment,
            language: keyed.word("language").and_then(Language::from_code).unwrap_or(before.language),
            group_by: group_by.unwrap_or_else(|| before.group_by.clone()),
            ..Particulars::default()
        },
    }
}

/// The three keys of a tax, which are one thing: who gives one of them has none from the defaults.
fn tax(keyed: &Keyed<'_>) -> Option<AccountTax> {
    let problems = keyed.reader.count();
    let category = keyed.word("tax_category");
    let percent = keyed.decimal("tax_percent");
    let reason = keyed.text("tax_exemption_reason");
    if keyed.reader.count() > problems || (category, percent, &reason) == (None, None, &None) {
        return None;
    }
    if category.is_none() && reason.is_some() {
        let hint = "give tax_category = \"AE\" (reverse charge), \"E\", \"K\", \"G\" or \"O\", too";
        keyed.error("tax_exemption_reason", "a `tax_exemption_reason` without `tax_category`", hint);
        return None;
    }
    let category = category.unwrap_or("S");
    if let Some(Err(wrong)) = percent.map(|percent| codes::tax_percent(category, percent)) {
        keyed.error("tax_percent", format!("`tax_percent`: {}", wrong.what), wrong.form);
    }
    if reason.is_some() && matches!(category, "S" | "Z") {
        let what = format!("`tax_exemption_reason`: category {category} isn't exempt");
        keyed.error("tax_exemption_reason", what, "remove it, or give the category that it belongs to");
    }
    let category = category.to_owned();
    (keyed.reader.count() == problems).then_some(AccountTax { category, percent, exemption_reason: reason })
}
