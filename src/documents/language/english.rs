//! Documents in English.
//! Owns the words; never when they are shown.

use super::texts::{Causes, Counted, Groups, Kinds, Roundings, Texts, Units, Untaxed};

pub(super) const TEXTS: Texts = Texts {
    invoice: "Invoice",
    draft_invoice: "Draft invoice",
    credit_note: "Credit note",
    draft_credit_note: "Draft credit note",
    watermark: "Draft",
    page: "Page {page} of {pages}",

    invoice_number: "Invoice number",
    credit_note_number: "Credit note number",
    credited_invoice: "Credited invoice",
    issue_date: "Issue date",
    due_date: "Due date",
    billing_period: "Billing period",
    computed_at: "Computed",
    account: "Account",
    purchase_order: "Purchase order",
    cost_centre: "Cost centre",
    buyer_reference: "Your reference",
    your_vat_id: "Your VAT ID",
    our_vat_id: "Our VAT ID",
    vat: "VAT",
    vat_id: "VAT ID",
    tax_number: "Tax number",
    number_of_date: |number, date| format!("{number} of {date}"),

    introduction: |month| format!("For your use of our platform in {month} we charge you as follows:"),
    nothing_charged: |month| format!("In {month} there was no usage to charge for."),
    credit_introduction: |number, date, month| {
        format!("We credit you the following charges of invoice {number} of {date} for {month}:")
    },
    credit_reason: |reason| format!("Reason: {reason}"),
    draft_notice: "This is a draft for your information. It isn’t an invoice, and its amounts may still change.",
    complete_up_to: |when| format!("Usage is complete up to {when}."),

    kinds: Kinds { process: "Apps", service: "Services", staging: "Staging", task: "Tasks" },
    groups: Groups {
        organization: "Organization",
        space: "Space",
        app: "App",
        buildpack: "Buildpack",
        kind: "Type of usage",
    },
    no_buildpack: "No known buildpack",
    description: "Description",
    amount_in: |currency| format!("Amount in {currency}"),
    subtotal: |name| format!("Subtotal {name}"),
    usage_total: "Usage in total",
    estimated_part: |amount| format!("of which {amount} estimated"),
    allowance: |name| format!("Free allowance: {name}"),
    allowance_remark: |quantity| format!("{quantity} free of charge"),
    discount: |name| format!("Discount: {name}"),
    discount_remark: |percent, basis| format!("{percent} of {basis}"),
    commitment: |name| format!("Commitment: {name}"),
    covered: |name| format!("Usage covered by commitment: {name}"),
    covered_remark: |basis| format!("usage comes to {basis}"),
    minimum: |name| format!("Minimum charge: {name}"),
    minimum_remark: |basis, minimum| format!("from {basis} up to {minimum}"),

    causes: Causes {
        credited: "credited",
        usage: "usage became known or was corrected after the invoice",
        rate: "another price applies",
        shared: "moved with corrected usage in the same tier, volume or allowance",
        adjustment: "discount, minimum or commitment computed anew",
    },
    correction_of_line: |number, line| format!("Correction of invoice {number}, line {line}"),
    correction_of: |number| format!("Correction of invoice {number}"),
    corrections_of: |count, number| format!("{count} corrections of invoice {number}"),
    corrections: "Corrections",
    credits: "Credited charges",
    charged_before: "Before",
    charged_now: "Now",

    net: "Net",
    net_credited: "Net credited",
    tax: |name, percent| format!("{name} {percent}"),
    total: "Total",
    to_pay: "Total to pay",
    credited: "Total credited",

    pay_by: |amount, date| format!("Please pay {amount} by {date}."),
    pay_within: |days| format!("Payable within {days} days of the issue date."),
    nothing_to_pay: "There is nothing to pay.",
    untaxed: Untaxed {
        reverse_charge: "Reverse charge: VAT is to be accounted for by the recipient",
        intra_community: "VAT-exempt intra-Community supply",
        export: "Export, exempt from VAT",
        outside: "Not subject to VAT",
        exempt: "Exempt from VAT",
        zero_rated: "Zero-rated for VAT",
    },
    estimated_note: |amount| format!("{amount} of the net amount rests on estimated usage; the lines are marked."),
    gap: |reference, from, until| {
        format!(
            "Usage from {from} to {until} is assumed in part, as records of it can’t be read any more ({reference})."
        )
    },
    open_gap: |reference, from| {
        format!("Usage from {from} on is assumed in part, as records of it can’t be read any more ({reference}).")
    },
    unpriced: |lines| match lines {
        1 => "One line has no price yet and isn’t part of the amounts.".to_owned(),
        lines => format!("{lines} lines have no price yet and aren’t part of the amounts."),
    },

    account_holder: "Account holder",
    iban: "IBAN",
    bic: "BIC",
    bank: "Bank",
    payment_reference: "Payment reference",

    chart: |currency| format!("Cost per day in {currency}"),
    others: "Others",
    chart_description: |from, to, total, day, most| {
        format!("Usage from {from} to {to} comes to {total}; the dearest day is {day} with {most}.")
    },

    annex: "Details",
    charge: "Charge",
    quantity: "Quantity",
    unit: "Unit",
    price_in: |currency| format!("Unit price in {currency}"),
    units: Units {
        instance_hour: Counted { one: "instance-hour", many: "instance-hours" },
        memory_gib_hour: Counted { one: "GiB-hour of memory", many: "GiB-hours of memory" },
        disk_gib_hour: Counted { one: "GiB-hour of disk", many: "GiB-hours of disk" },
        month: Counted { one: "month", many: "months" },
        staging: Counted { one: "staging", many: "stagings" },
    },
    line: |number| format!("Line {number}"),
    staging_of: |app| format!("{app}, staging"),
    task_of: |app| format!("{app}, tasks"),
    estimated: "estimated",
    tier: |tier| format!("tier {tier}"),
    packages: |count, size| format!("share of {count} × {size}"),
    free: |name| format!("free: {name}"),
    list_price: |price| format!("list price {price}"),
    roundings: Roundings {
        interval_up_to_minutes: "each run rounded up to whole minutes",
        interval_up_to_hours: "each run rounded up to whole hours",
        interval_to_minutes: "each run rounded to the nearest minute",
        interval_to_hours: "each run rounded to the nearest hour",
        day_up_to_minutes: "each day rounded up to whole minutes",
        day_up_to_hours: "each day rounded up to whole hours",
        day_to_minutes: "each day rounded to the nearest minute",
        day_to_hours: "each day rounded to the nearest hour",
    },
    used: |quantity| format!("used: {quantity}"),
    no_price: "no price",
    organization_of: |name| format!("organization {name}"),
    space_of: |name| format!("space {name}"),

    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    short_months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
};
