//! Documents in French.
//! Owns the words; never when they are shown.

use super::texts::{Causes, Counted, Groups, Kinds, Roundings, Texts, Units, Untaxed};

// Before a colon stands a no-break space.
pub(super) const TEXTS: Texts = Texts {
    invoice: "Facture",
    draft_invoice: "Projet de facture",
    credit_note: "Avoir",
    draft_credit_note: "Projet d’avoir",
    watermark: "Projet",
    page: "Page {page} sur {pages}",

    invoice_number: "Numéro de facture",
    credit_note_number: "Numéro d’avoir",
    credited_invoice: "Facture d’origine",
    replaced_invoice: "Remplace la facture",
    issue_date: "Date d’émission",
    due_date: "Date d’échéance",
    billing_period: "Période facturée",
    computed_at: "Calculé le",
    account: "Compte",
    purchase_order: "Bon de commande",
    cost_centre: "Centre de coûts",
    buyer_reference: "Votre référence",
    your_vat_id: "Votre n° de TVA",
    our_vat_id: "Notre n° de TVA",
    vat: "TVA",
    vat_id: "N° de TVA",
    tax_number: "N° fiscal",
    number_of_date: |number, date| format!("{number} du {date}"),

    introduction: |month| format!("Pour l’utilisation de notre plateforme en {month}, nous vous facturons\u{a0}:"),
    nothing_charged: |month| format!("En {month}, aucune utilisation n’est à facturer."),
    credit_introduction: |number, date, month| {
        format!("Au titre de notre facture n°\u{a0}{number} du {date} pour {month}, nous vous créditons\u{a0}:")
    },
    credit_reason: |reason| format!("Motif\u{a0}: {reason}"),
    draft_notice: "Ceci est un projet, pour information. Il ne vaut pas facture et ses montants peuvent encore changer.",
    complete_up_to: |when| format!("L’utilisation est intégralement relevée jusqu’au {when}."),

    kinds: Kinds { process: "Applications", service: "Services", staging: "Staging", task: "Tâches" },
    groups: Groups {
        organization: "Organisation",
        space: "Espace",
        app: "Application",
        buildpack: "Buildpack",
        kind: "Type d’utilisation",
    },
    no_buildpack: "Buildpack inconnu",
    description: "Désignation",
    amount_in: |currency| format!("Montant en {currency}"),
    subtotal: |name| format!("Sous-total {name}"),
    usage_total: "Total de l’utilisation",
    estimated_part: |amount| format!("dont {amount} estimés"),
    allowance: |name| format!("Franchise\u{a0}: {name}"),
    allowance_remark: |quantity| format!("{quantity} à titre gratuit"),
    discount: |name| format!("Remise\u{a0}: {name}"),
    discount_remark: |percent, basis| format!("{percent} de {basis}"),
    commitment: |name| format!("Engagement\u{a0}: {name}"),
    covered: |name| format!("Utilisation couverte par l’engagement\u{a0}: {name}"),
    covered_remark: |basis| format!("pour une utilisation de {basis}"),
    minimum: |name| format!("Minimum de facturation\u{a0}: {name}"),
    minimum_remark: |basis, minimum| format!("de {basis} à {minimum}"),

    causes: Causes {
        credited: "crédité",
        usage: "utilisation connue ou rectifiée après la facture",
        rate: "un autre prix s’applique",
        shared: "décalage dû à une utilisation rectifiée dans le même palier, volume ou franchise",
        adjustment: "remise, minimum ou engagement recalculé",
    },
    correction_of_line: |number, line| format!("Rectification de la facture {number}, ligne {line}"),
    correction_of: |number| format!("Rectification de la facture {number}"),
    corrections_of: |count, number| format!("{count} rectifications de la facture {number}"),
    corrections: "Rectifications",
    credits: "Lignes créditées",
    charged_before: "Avant",
    charged_now: "Après",

    net: "Total HT",
    net_credited: "Total HT crédité",
    tax: |name, percent| format!("{name} {percent}"),
    total: "Total",
    to_pay: "Total à payer",
    credited: "Total crédité",

    pay_by: |amount, date| format!("Merci de régler {amount} au plus tard le {date}."),
    pay_within: |days| format!("Payable à {days} jours à compter de la date d’émission."),
    nothing_to_pay: "Aucun montant n’est à payer.",
    untaxed: Untaxed {
        reverse_charge: "Autoliquidation\u{a0}: la TVA est due par le preneur",
        intra_community: "Livraison intracommunautaire exonérée de TVA",
        export: "Exportation exonérée de TVA",
        outside: "Hors champ d’application de la TVA",
        exempt: "Exonéré de TVA",
        zero_rated: "TVA au taux zéro",
    },
    estimated_note: |amount| {
        format!("{amount} du total HT reposent sur une utilisation estimée\u{a0}; les lignes sont signalées.")
    },
    gap: |reference, from, until| {
        format!(
            "L’utilisation du {from} au {until} est en partie estimée, ses relevés n’étant plus lisibles ({reference})."
        )
    },
    open_gap: |reference, from| {
        format!(
            "L’utilisation à partir du {from} est en partie estimée, ses relevés n’étant plus lisibles ({reference})."
        )
    },
    unpriced: |lines| match lines {
        1 => "Une ligne n’a pas encore de prix et n’est pas comprise dans les montants.".to_owned(),
        lines => format!("{lines} lignes n’ont pas encore de prix et ne sont pas comprises dans les montants."),
    },

    account_holder: "Titulaire",
    iban: "IBAN",
    bic: "BIC",
    bank: "Banque",
    payment_reference: "Référence de paiement",

    chart: |currency| format!("Coût par jour en {currency}"),
    others: "Autres",
    chart_description: |from, to, total, day, most| {
        format!(
            "L’utilisation du {from} au {to} revient à {total}\u{a0}; le jour le plus cher est le {day} avec {most}."
        )
    },

    annex: "Détail",
    charge: "Prestation",
    quantity: "Quantité",
    unit: "Unité",
    price_in: |currency| format!("Prix unitaire en {currency}"),
    units: Units {
        instance_hour: Counted { one: "heure d’instance", many: "heures d’instance" },
        memory_gib_hour: Counted { one: "Gio-heure de mémoire", many: "Gio-heures de mémoire" },
        disk_gib_hour: Counted { one: "Gio-heure de disque", many: "Gio-heures de disque" },
        month: Counted { one: "mois", many: "mois" },
        staging: Counted { one: "staging", many: "stagings" },
    },
    line: |number| format!("Ligne {number}"),
    staging_of: |app| format!("{app}, staging"),
    task_of: |app| format!("{app}, tâches"),
    estimated: "estimé",
    tier: |tier| format!("palier {tier}"),
    packages: |count, size| format!("part de {count} × {size}"),
    free: |name| format!("gratuit\u{a0}: {name}"),
    list_price: |price| format!("prix public {price}"),
    roundings: Roundings {
        interval_up_to_minutes: "chaque exécution arrondie à la minute supérieure",
        interval_up_to_hours: "chaque exécution arrondie à l’heure supérieure",
        interval_to_minutes: "chaque exécution arrondie à la minute la plus proche",
        interval_to_hours: "chaque exécution arrondie à l’heure la plus proche",
        day_up_to_minutes: "chaque jour arrondi à la minute supérieure",
        day_up_to_hours: "chaque jour arrondi à l’heure supérieure",
        day_to_minutes: "chaque jour arrondi à la minute la plus proche",
        day_to_hours: "chaque jour arrondi à l’heure la plus proche",
    },
    used: |quantity| format!("utilisé\u{a0}: {quantity}"),
    no_price: "sans prix",
    organization_of: |name| format!("organisation {name}"),
    space_of: |name| format!("espace {name}"),

    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    short_months: ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."],
};
