//! Documents in German.
//! Owns the words; never when they are shown.

use super::texts::{Causes, Counted, Groups, Kinds, Roundings, Texts, Units, Untaxed};

// What German tax law calls „Gutschrift“ is an invoice made out by the buyer; a credit note is a „Rechnungskorrektur“.
pub(super) const TEXTS: Texts = Texts {
    invoice: "Rechnung",
    draft_invoice: "Rechnungsentwurf",
    credit_note: "Rechnungskorrektur",
    draft_credit_note: "Entwurf einer Rechnungskorrektur",
    watermark: "Entwurf",
    page: "Seite {page} von {pages}",

    invoice_number: "Rechnungsnummer",
    credit_note_number: "Nummer",
    credited_invoice: "Zur Rechnung",
    replaced_invoice: "Ersetzt Rechnung",
    issue_date: "Ausstellungsdatum",
    due_date: "Fällig am",
    billing_period: "Leistungszeitraum",
    computed_at: "Berechnet am",
    account: "Abrechnungskonto",
    purchase_order: "Bestellnummer",
    cost_centre: "Kostenstelle",
    buyer_reference: "Ihr Zeichen",
    your_vat_id: "Ihre USt-IdNr.",
    our_vat_id: "Unsere USt-IdNr.",
    vat: "USt.",
    vat_id: "USt-IdNr.",
    tax_number: "Steuernummer",
    number_of_date: |number, date| format!("{number} vom {date}"),

    introduction: |month| format!("Für die Nutzung unserer Plattform im {month} berechnen wir Ihnen:"),
    nothing_charged: |month| format!("Im {month} gab es keine Nutzung, die zu berechnen wäre."),
    credit_introduction: |number, date, month| {
        format!("Zu unserer Rechnung {number} vom {date} für {month} schreiben wir Ihnen gut:")
    },
    credit_reason: |reason| format!("Grund: {reason}"),
    draft_notice: "Dies ist ein Entwurf zu Ihrer Information. Er ist keine Rechnung, und seine Beträge können sich noch ändern.",
    complete_up_to: |when| format!("Die Nutzung ist bis {when} vollständig erfasst."),

    kinds: Kinds { process: "Apps", service: "Services", staging: "Staging", task: "Tasks" },
    groups: Groups {
        organization: "Organisation",
        space: "Space",
        app: "App",
        buildpack: "Buildpack",
        kind: "Art der Nutzung",
    },
    no_buildpack: "Kein Buildpack bekannt",
    description: "Bezeichnung",
    amount_in: |currency| format!("Betrag in {currency}"),
    subtotal: |name| format!("Zwischensumme {name}"),
    usage_total: "Nutzung insgesamt",
    estimated_part: |amount| format!("davon {amount} geschätzt"),
    allowance: |name| format!("Freimenge: {name}"),
    allowance_remark: |quantity| format!("{quantity} unentgeltlich"),
    discount: |name| format!("Rabatt: {name}"),
    discount_remark: |percent, basis| format!("{percent} von {basis}"),
    commitment: |name| format!("Abnahmezusage: {name}"),
    covered: |name| format!("Durch die Abnahmezusage abgedeckt: {name}"),
    covered_remark: |basis| format!("bei einer Nutzung von {basis}"),
    minimum: |name| format!("Mindestbetrag: {name}"),
    minimum_remark: |basis, minimum| format!("von {basis} auf {minimum}"),

    causes: Causes {
        credited: "gutgeschrieben",
        usage: "Nutzung wurde nach der Rechnung bekannt oder berichtigt",
        rate: "es gilt ein anderer Preis",
        shared: "verschoben durch berichtigte Nutzung in derselben Staffel, Menge oder Freimenge",
        adjustment: "Rabatt, Mindestbetrag oder Zusage neu berechnet",
    },
    correction_of_line: |number, line| format!("Korrektur der Rechnung {number}, Position {line}"),
    correction_of: |number| format!("Korrektur der Rechnung {number}"),
    corrections_of: |count, number| format!("{count} Korrekturen der Rechnung {number}"),
    corrections: "Korrekturen",
    credits: "Gutgeschriebene Positionen",
    charged_before: "Bisher",
    charged_now: "Neu",

    net: "Nettobetrag",
    net_credited: "Gutgeschriebener Nettobetrag",
    tax: |name, percent| format!("{name} {percent}"),
    total: "Gesamtbetrag",
    to_pay: "Zu zahlender Betrag",
    credited: "Gutgeschriebener Gesamtbetrag",

    pay_by: |amount, date| format!("Bitte zahlen Sie {amount} bis zum {date}."),
    pay_within: |days| format!("Zahlbar innerhalb von {days} Tagen ab Ausstellungsdatum."),
    nothing_to_pay: "Es ist nichts zu zahlen.",
    untaxed: Untaxed {
        reverse_charge: "Steuerschuldnerschaft des Leistungsempfängers",
        intra_community: "Steuerfreie innergemeinschaftliche Lieferung",
        export: "Steuerfreie Ausfuhr",
        outside: "Im Inland nicht umsatzsteuerbar",
        exempt: "Umsatzsteuerfrei",
        zero_rated: "Nullsteuersatz",
    },
    estimated_note: |amount| {
        format!("{amount} des Nettobetrags beruhen auf geschätzter Nutzung; die Positionen sind gekennzeichnet.")
    },
    gap: |reference, from, until| {
        format!(
            "Die Nutzung von {from} bis {until} ist zum Teil angenommen, da Aufzeichnungen nicht mehr lesbar sind ({reference})."
        )
    },
    open_gap: |reference, from| {
        format!(
            "Die Nutzung ab {from} ist zum Teil angenommen, da Aufzeichnungen nicht mehr lesbar sind ({reference})."
        )
    },
    unpriced: |lines| match lines {
        1 => "Eine Position hat noch keinen Preis und ist in den Beträgen nicht enthalten.".to_owned(),
        lines => format!("{lines} Positionen haben noch keinen Preis und sind in den Beträgen nicht enthalten."),
    },

    account_holder: "Kontoinhaber",
    iban: "IBAN",
    bic: "BIC",
    bank: "Bank",
    payment_reference: "Verwendungszweck",

    chart: |currency| format!("Kosten je Tag in {currency}"),
    others: "Übrige",
    chart_description: |from, to, total, day, most| {
        format!("Die Nutzung vom {from} bis {to} kostet {total}; der teuerste Tag ist der {day} mit {most}.")
    },

    annex: "Einzelnachweis",
    charge: "Leistung",
    quantity: "Menge",
    unit: "Einheit",
    price_in: |currency| format!("Einzelpreis in {currency}"),
    units: Units {
        instance_hour: Counted { one: "Instanzstunde", many: "Instanzstunden" },
        memory_gib_hour: Counted { one: "GiB-Stunde RAM", many: "GiB-Stunden RAM" },
        disk_gib_hour: Counted { one: "GiB-Stunde Festplatte", many: "GiB-Stunden Festplatte" },
        month: Counted { one: "Monat", many: "Monate" },
        staging: Counted { one: "Staging", many: "Stagings" },
    },
    line: |number| format!("Position {number}"),
    staging_of: |app| format!("{app}, Staging"),
    task_of: |app| format!("{app}, Tasks"),
    estimated: "geschätzt",
    tier: |tier| format!("Staffel {tier}"),
    packages: |count, size| format!("Anteil an {count} × {size}"),
    free: |name| format!("frei: {name}"),
    list_price: |price| format!("Listenpreis {price}"),
    roundings: Roundings {
        interval_up_to_minutes: "jeder Lauf auf volle Minuten aufgerundet",
        interval_up_to_hours: "jeder Lauf auf volle Stunden aufgerundet",
        interval_to_minutes: "jeder Lauf auf Minuten gerundet",
        interval_to_hours: "jeder Lauf auf Stunden gerundet",
        day_up_to_minutes: "jeder Tag auf volle Minuten aufgerundet",
        day_up_to_hours: "jeder Tag auf volle Stunden aufgerundet",
        day_to_minutes: "jeder Tag auf Minuten gerundet",
        day_to_hours: "jeder Tag auf Stunden gerundet",
    },
    used: |quantity| format!("genutzt: {quantity}"),
    no_price: "kein Preis",
    organization_of: |name| format!("Organisation {name}"),
    space_of: |name| format!("Space {name}"),

    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    short_months: ["01.", "02.", "03.", "04.", "05.", "06.", "07.", "08.", "09.", "10.", "11.", "12."],
};
