//! What an e-invoice says in words, in each language.
//! Owns the wording; never formats an amount.

use rust_decimal::Decimal;

use super::codes::Category;
use crate::domain::Kind;
use crate::invoicing::{AdjustmentType, CorrectionCause, Language};
use crate::rate_card::Meter;

/// The words of one language. `{}` stands for what is said of.
#[derive(Debug)]
pub(super) struct Words {
    process: &'static str,
    service: &'static str,
    staging: &'static str,
    task: &'static str,
    instance_hours: &'static str,
    memory_gib_hours: &'static str,
    disk_gib_hours: &'static str,
    months: &'static str,
    stagings: &'static str,
    packages_of: &'static str,
    packages_in_all: &'static str,
    tier: &'static str,
    allowance: &'static str,
    unit_price: &'static str,
    pub(super) estimated: &'static str,
    pub(super) unpriced: &'static str,
    pub(super) unpriced_lines: &'static str,
    pub(super) estimated_net: &'static str,
    pub(super) reason: &'static str,
    pub(super) given_back: &'static str,
    correction_of: &'static str,
    credit_for: &'static str,
    line: &'static str,
    instead_of: &'static str,
    discount: &'static str,
    commitment: &'static str,
    covered: &'static str,
    minimum: &'static str,
    credited: &'static str,
    usage: &'static str,
    rate: &'static str,
    shared: &'static str,
    adjustment: &'static str,
    reverse_charge: &'static str,
    intra_community: &'static str,
    export: &'static str,
    outside: &'static str,
    comma: bool,
}

const ENGLISH: Words = Words {
    process: "App",
    service: "Service",
    staging: "Staging of",
    task: "Task",
    instance_hours: "instance-hours",
    memory_gib_hours: "GiB-hours of memory",
    disk_gib_hours: "GiB-hours of disk",
    months: "months",
    stagings: "stagings",
    packages_of: "packages of {}",
    packages_in_all: "packages in all: {}",
    tier: "tier {}",
    allowance: "allowance: {}",
    unit_price: "unit price {}",
    estimated: "estimated usage",
    unpriced: "no price is agreed on for this usage: it is not charged",
    unpriced_lines: "Lines without a price, which are not charged: {}",
    estimated_net: "Of the net total, {} is for estimated usage.",
    reason: "Reason: {}",
    given_back: "Nothing is to be paid: the amount is in the buyer's favour.",
    correction_of: "Correction of invoice {}",
    credit_for: "Credit for invoice {}",
    line: "line {}",
    instead_of: "{} instead of ",
    discount: "{}",
    commitment: "Commitment: {}",
    covered: "Covered by the commitment: {}",
    minimum: "Minimum: {}",
    credited: "given back",
    usage: "usage became known later, or was corrected",
    rate: "rated by another rate card",
    shared: "a tier or allowance shared with other usage changed",
    adjustment: "a discount, commitment or minimum computed anew",
    reverse_charge: "Reverse charge",
    intra_community: "Intra-Community supply",
    export: "Export outside the EU",
    outside: "Not subject to VAT",
    comma: false,
};

const GERMAN: Words = Words {
    process: "App",
    service: "Service",
    staging: "Staging von",
    task: "Task",
    instance_hours: "Instanz-Stunden",
    memory_gib_hours: "GiB-Stunden RAM",
    disk_gib_hours: "GiB-Stunden Festplatte",
    months: "Monate",
    stagings: "Stagings",
    packages_of: "Pakete zu {}",
    packages_in_all: "Pakete insgesamt: {}",
    tier: "Stufe {}",
    allowance: "Freimenge: {}",
    unit_price: "Einzelpreis {}",
    estimated: "geschätzte Nutzung",
    unpriced: "für diese Nutzung ist kein Preis vereinbart: sie wird nicht berechnet",
    unpriced_lines: "Positionen ohne Preis, die nicht berechnet werden: {}",
    estimated_net: "Vom Nettobetrag beruhen {} auf geschätzter Nutzung.",
    reason: "Grund: {}",
    given_back: "Es ist nichts zu zahlen: Der Betrag wird dem Käufer gutgeschrieben.",
    correction_of: "Korrektur zu Rechnung {}",
    credit_for: "Gutschrift zu Rechnung {}",
    line: "Position {}",
    instead_of: "{} statt ",
    discount: "{}",
    commitment: "Abnahmezusage: {}",
    covered: "Durch die Abnahmezusage gedeckt: {}",
    minimum: "Mindestbetrag: {}",
    credited: "zurückgegeben",
    usage: "Nutzung wurde später bekannt oder berichtigt",
    rate: "nach einer anderen Preisliste berechnet",
    shared: "eine mit anderer Nutzung geteilte Stufe oder Freimenge hat sich geändert",
    adjustment: "Rabatt, Abnahmezusage oder Mindestbetrag neu berechnet",
    reverse_charge: "Steuerschuldnerschaft des Leistungsempfängers",
    intra_community: "Steuerfreie innergemeinschaftliche Lieferung",
    export: "Steuerfreie Ausfuhr",
    outside: "Nicht steuerbar",
    comma: true,
};

const FRENCH: Words = Words {
    process: "Application",
    service: "Service",
    staging: "Staging de",
    task: "Tâche",
    instance_hours: "heures d'instance",
    memory_gib_hours: "Gio-heures de mémoire",
    disk_gib_hours: "Gio-heures de disque",
    months: "mois",
    stagings: "stagings",
    packages_of: "lots de {}",
    packages_in_all: "lots au total : {}",
    tier: "tranche {}",
    allowance: "franchise : {}",
    unit_price: "prix unitaire {}",
    estimated: "utilisation estimée",
    unpriced: "aucun prix n'est convenu pour cette utilisation : elle n'est pas facturée",
    unpriced_lines: "Lignes sans prix, non facturées : {}",
    estimated_net: "Du total hors taxe, {} concernent une utilisation estimée.",
    reason: "Motif : {}",
    given_back: "Rien n'est à payer : le montant est en faveur de l'acheteur.",
    correction_of: "Correction de la facture {}",
    credit_for: "Avoir sur la facture {}",
    line: "ligne {}",
    instead_of: "{} au lieu de ",
    discount: "{}",
    commitment: "Engagement : {}",
    covered: "Couvert par l'engagement : {}",
    minimum: "Minimum : {}",
    credited: "remboursé",
    usage: "utilisation connue plus tard, ou corrigée",
    rate: "calculé selon une autre grille tarifaire",
    shared: "une tranche ou franchise partagée avec d'autres utilisations a changé",
    adjustment: "remise, engagement ou minimum recalculé",
    reverse_charge: "Autoliquidation",
    intra_community: "Livraison intracommunautaire",
    export: "Exportation hors de l'Union européenne",
    outside: "Hors du champ d'application de la TVA",
    comma: true,
};

/// The words of a language.
pub(super) const fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
    }
}

/// A phrase with what it is said of.
pub(super) fn say(phrase: &str, of: &str) -> String {
    phrase.replacen("{}", of, 1)
}

impl Words {
    /// What a line is of, before its name.
    pub(super) const fn kind(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Process => self.process,
            Kind::Service => self.service,
            Kind::Staging => self.staging,
            Kind::Task => self.task,
        }
    }

    /// What is counted.
    pub(super) const fn unit(&self, meter: Meter) -> &'static str {
        match meter {
            Meter::InstanceHour => self.instance_hours,
            Meter::MemoryGibHour => self.memory_gib_hours,
            Meter::DiskGibHour => self.disk_gib_hours,
            Meter::Month => self.months,
            Meter::Staging => self.stagings,
        }
    }

    /// `packages of 1000 GiB-hours of memory`
    pub(super) fn packages_of(&self, size: Decimal, meter: Meter) -> String {
        say(self.packages_of, &format!("{} {}", self.number(size), self.unit(meter)))
    }

    pub(super) fn packages_in_all(&self, packages: i64) -> String {
        say(self.packages_in_all, &packages.to_string())
    }

    pub(super) fn tier(&self, tier: usize) -> String {
        say(self.tier, &tier.to_string())
    }

    pub(super) fn allowance(&self, name: &str) -> String {
        say(self.allowance, name)
    }

    /// `unit price 0.05 EUR`
    pub(super) fn unit_price(&self, price: Decimal, currency: &str) -> String {
        say(self.unit_price, &self.money(price, currency))
    }

    /// `Correction of invoice CF-000001, line 3`
    pub(super) fn corrected(&self, is_credit: bool, number: &str, line: Option<usize>) -> String {
        let of = say(if is_credit { self.credit_for } else { self.correction_of }, number);
        line.map_or_else(|| of.clone(), |line| format!("{of}, {}", say(self.line, &line.to_string())))
    }

    /// `11.25 EUR instead of 10.00 EUR`
    pub(super) fn instead_of(&self, now: Decimal, before: Decimal, currency: &str) -> String {
        say(self.instead_of, &self.money(now, currency)) + &self.money(before, currency)
    }

    /// Why something is added to the lines or taken off.
    pub(super) fn adjusted(&self, adjustment: AdjustmentType, name: &str) -> String {
        let phrase = match adjustment {
            AdjustmentType::Discount => self.discount,
            AdjustmentType::Commitment => self.commitment,
            AdjustmentType::Covered => self.covered,
            AdjustmentType::Minimum => self.minimum,
        };
        say(phrase, name)
    }

    pub(super) const fn cause(&self, cause: CorrectionCause) -> &'static str {
        match cause {
            CorrectionCause::Credited => self.credited,
            CorrectionCause::Usage => self.usage,
            CorrectionCause::Rate => self.rate,
            CorrectionCause::Shared => self.shared,
            CorrectionCause::Adjustment => self.adjustment,
        }
    }

    /// Why there is no tax, where the category says it.
    pub(super) const fn exemption(&self, category: Category) -> Option<&'static str> {
        match category {
            Category::ReverseCharge => Some(self.reverse_charge),
            Category::IntraCommunity => Some(self.intra_community),
            Category::Export => Some(self.export),
            Category::Outside => Some(self.outside),
            Category::Standard | Category::ZeroRated | Category::Exempt | Category::Igic | Category::Ipsi => None,
        }
    }

    /// A number within a sentence.
    pub(super) fn number(&self, number: Decimal) -> String {
        let text = number.to_string();
        if self.comma { text.replace('.', ",") } else { text }
    }

    /// An amount or price within a sentence.
    pub(super) fn money(&self, amount: Decimal, currency: &str) -> String {
        format!("{} {currency}", self.number(amount))
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::words;
    use crate::invoicing::Language;

    #[test]
    fn sentences_have_the_numbers_of_their_language() {
        let shown = Language::ALL.map(|language| {
            let words = words(language);
            let (now, before) = (Decimal::new(1125, 2), Decimal::new(1000, 2));
            format!("{}: {}", words.corrected(false, "CF-1", Some(3)), words.instead_of(now, before, "EUR"))
        });
        assert_eq!(
            shown,
            [
                "Correction of invoice CF-1, line 3: 11.25 EUR instead of 10.00 EUR",
                "Korrektur zu Rechnung CF-1, Position 3: 11,25 EUR statt 10,00 EUR",
                "Correction de la facture CF-1, ligne 3: 11,25 EUR au lieu de 10,00 EUR",
            ]
        );
        assert_eq!(words(Language::French).corrected(true, "CF-1", None), "Avoir sur la facture CF-1");
    }
}
