//! What documents say: every sample in every language, and that all of it adds up.

use std::fmt::Write;
use std::ops::DerefMut;
use std::sync::Arc;

use cf_billing::documents::compose::compose;
use cf_billing::documents::html::render;
use cf_billing::documents::view::{RowKind, Section, View, ViewTable};
use cf_billing::documents::{Branding, DocumentError, ToRender};
use cf_billing::domain::{Amount, GapNote, GapReason, Guid, Stream, Timestamp};
use cf_billing::invoicing::{
    Common, Document, DocumentKind, DocumentRef, DraftNotes, GroupBy, Invoice, Language, Particulars,
};
use cf_billing::rating::LineKey;
use chrono_tz::Tz;

use crate::rates::bill::{bill, card};
use crate::support::sample;

pub const NUMBER: &str = "CF-000123";

pub fn composed<'a>(document: impl Into<DocumentRef<'a>>, number: Option<&str>) -> Result<View, DocumentError> {
    let document = document.into();
    let issue = number.map(|number| sample::issue(number, document));
    let look = Branding::default();
    compose(&ToRender {
        document,
        issue: issue.as_ref(),
        in_review: false,
        drafted_at: sample::drafted_at(),
        look: &look,
    })
}

/// As a final document.
pub fn view<'a>(document: impl Into<DocumentRef<'a>>) -> View {
    composed(document, Some(NUMBER)).unwrap()
}

pub fn samples() -> [(&'static str, Document); 4] {
    [
        ("standard", sample::standard().into()),
        ("reverse_charge", sample::reverse_charge().into()),
        ("with_correction", sample::with_correction().into()),
        ("credit_note", sample::credit_note().into()),
    ]
}

pub fn in_language<D: DerefMut<Target = Common>>(mut document: D, language: Language) -> D {
    document.particulars.language = language;
    document
}

pub fn usage(card_text: &str, usage: &str) -> Invoice {
    bill(&card(card_text, Tz::UTC), "2026-10", usage)
}

/// The key of each line, changed.
pub fn rekeyed(mut invoice: Invoice, change: impl Fn(usize, &mut LineKey)) -> Invoice {
    for (position, line) in invoice.lines.iter_mut().enumerate() {
        change(position, Arc::make_mut(&mut line.key));
    }
    invoice
}

/// A table: its headings, then a row a line, `+` for groups, `=` for subtotals, `~` for estimated rows, `±` for adjustments.
fn table(table: &ViewTable) -> String {
    let titles = table.columns.iter().map(|column| format!("{}{}", if column.right { ">" } else { "" }, column.title));
    let mut text = format!("  {}\n", titles.collect::<Vec<_>>().join(" | "));
    for row in &table.rows {
        assert_eq!(row.cells.len(), table.columns.len(), "{row:?}");
        let mark = match row.kind {
            RowKind::Group => '+',
            RowKind::Line => ' ',
            RowKind::Estimated => '~',
            RowKind::Subtotal => '=',
            RowKind::Adjustment => '±',
        };
        writeln!(text, "{}", format!("{mark} {}", row.cells.join(" | ")).trim_end()).unwrap();
        if let Some(remark) = &row.remark {
            writeln!(text, "    ({remark})").unwrap();
        }
    }
    text
}

fn sections(sections: &[Section]) -> String {
    sections.iter().map(|section| format!("## {}\n{}", section.title, table(&section.table))).collect()
}

/// All that a view says.
fn text(view: &View) -> String {
    let mut text = format!("{} | {} | {} | {}\n", view.title, view.number, view.date, view.language);
    if let Some(watermark) = &view.watermark {
        writeln!(text, "watermark: {watermark}").unwrap();
    }
    writeln!(text, "{}\n{}", view.sender, view.recipient.join("\n")).unwrap();
    for fact in &view.facts {
        writeln!(text, "- {}: {}", fact.label, fact.value).unwrap();
    }
    writeln!(text, "{}\n\n{}", view.introduction.join("\n"), table(&view.summary)).unwrap();
    for total in &view.totals {
        writeln!(text, "{} {}: {}", if total.strong { "==" } else { " =" }, total.label, total.amount).unwrap();
    }
    writeln!(text, "{}", view.notes.join("\n")).unwrap();
    for fact in &view.payment {
        writeln!(text, "- {}: {}", fact.label, fact.value).unwrap();
    }
    if let Some(chart) = &view.chart {
        writeln!(text, "\n[{}: {}]", chart.title, chart.description).unwrap();
    }
    writeln!(text, "\n# {}\n{}", view.annex_title, sections(&view.annex)).unwrap();
    for column in &view.footer {
        writeln!(text, "{}", column.join(" / ")).unwrap();
    }
    text + &view.page_label
}

/// A written amount in the smallest unit of its currency.
fn smallest(written: &str) -> i64 {
    let digits: String = written.chars().filter(char::is_ascii_digit).collect();
    let amount: i64 = digits.parse().unwrap_or_else(|_| panic!("`{written}` is no amount"));
    if written.contains('−') { -amount } else { amount }
}

/// Last cells of the rows of some kinds, added up.
fn sum(table: &ViewTable, kinds: &[RowKind]) -> i64 {
    table.rows.iter().filter(|row| kinds.contains(&row.kind)).map(|row| smallest(row.cells.last().unwrap())).sum()
}

const CHARGED: [RowKind; 3] = [RowKind::Line, RowKind::Estimated, RowKind::Adjustment];

fn must_show_its_sums<'a>(document: impl Into<DocumentRef<'a>>, view: &View) {
    let invoice = document.into();
    let sign = if invoice.kind() == DocumentKind::CreditNote { -1 } else { 1 };
    assert_eq!(sum(&view.summary, &CHARGED), sign * invoice.net.0, "{}", text(view));
    let tax = invoice.tax.as_ref().map(|tax| tax.amount.0);
    let totals: Vec<i64> = view.totals.iter().map(|total| smallest(&total.amount)).collect();
    let expected = match tax {
        Some(tax) => vec![sign * invoice.net.0, sign * tax, sign * (invoice.net.0 + tax)],
        None => vec![sign * invoice.net.0],
    };
    assert_eq!(totals, expected);
    assert!(view.totals.last().unwrap().strong && view.totals.iter().filter(|total| total.strong).count() == 1);
    let adjustments: i64 = invoice.adjustments().iter().map(|adjustment| adjustment.amount.0).sum();
    let detailed: i64 = view.annex.iter().map(|section| sum(&section.table, &CHARGED)).sum();
    assert_eq!(detailed, sign * (invoice.net.0 - adjustments), "{}", text(view));
    for section in &view.annex {
        let has_sum = section.table.rows.iter().any(|row| row.kind == RowKind::Subtotal);
        let of_lines = if has_sum { sum(&section.table, &CHARGED) } else { 0 };
        assert_eq!(sum(&section.table, &[RowKind::Subtotal]), of_lines, "{}", section.title);
    }
}

#[test]
fn what_is_shown_adds_up_in_every_language() {
    for (name, invoice) in samples() {
        for language in Language::ALL {
            let invoice = in_language(invoice.clone(), language);
            for number in [Some(NUMBER), None] {
                let view = composed(&invoice, number).unwrap_or_else(|error| panic!("{name}: {error}"));
                must_show_its_sums(&invoice, &view);
            }
        }
    }
}

#[test]
fn every_sample_reads_well_in_every_language() {
    for (name, invoice) in samples() {
        for language in Language::ALL {
            let view = view(&in_language(invoice.clone(), language));
            insta::assert_snapshot!(format!("{name}_{}", language.code()), text(&view));
        }
    }
    for language in Language::ALL {
        let mut draft = in_language(sample::with_correction(), language);
        draft.rated_through = Some(Timestamp::parse("2026-10-30T10:00:00Z").unwrap());
        let mut view = composed(&draft, None).unwrap();
        view.annex.clear();
        insta::assert_snapshot!(format!("draft_{}", language.code()), text(&view));
    }
}

#[test]
fn lines_are_grouped_as_the_account_prefers() {
    let invoice = usage(
        "[[process]]\ninstance_hour = \"1\"\n[[service]]\ninstance_hour = \"1\"\n",
        "process a 01T00 01T01 org=one bp=go; process b 01T00 01T02 org=one bp=java; process c 01T00 01T04 org=two
         service d 01T00 01T08 org=two plan=postgres/small",
    );
    let invoice = rekeyed(invoice, |_, key| {
        if key.app.as_ref().is_some_and(|app| app.name.as_deref() == Some("b")) {
            (key.space.name, key.space.guid) = (Some("test".to_owned()), Guid::new("test-guid"));
        }
    });
    let grouped = |group_by: &[GroupBy]| {
        let mut invoice = invoice.clone();
        invoice.particulars.group_by = group_by.to_vec();
        let view = view(&invoice);
        must_show_its_sums(&invoice, &view);
        table(&view.summary)
    };
    use GroupBy::{App, Buildpack, Kind, Organization, Space};
    insta::assert_snapshot!(grouped(&[Organization, Space]), @r"
      Space | Type of usage | >Amount in EUR
    + Organization one |  |
      live | Apps | 1.00
      test | Apps | 2.00
    = Subtotal one |  | 3.00
    + Organization two |  |
      live | Apps | 4.00
       | Services | 8.00
    = Subtotal two |  | 12.00
    ");
    insta::assert_snapshot!(grouped(&[Kind, Organization]), @r"
      Organization | >Amount in EUR
    + Apps |
      one | 3.00
      two | 4.00
    = Subtotal Apps | 7.00
    + Services |
      two | 8.00
    ");
    insta::assert_snapshot!(grouped(&[Organization, Space, App, Buildpack, Kind]), @r"
      Space | App | Buildpack | Type of usage | >Amount in EUR
    + Organization one |  |  |  |
      live | a | go | Apps | 1.00
      test | b | java | Apps | 2.00
    = Subtotal one |  |  |  | 3.00
    + Organization two |  |  |  |
      live | c | No known buildpack | Apps | 4.00
       | d | postgres small | Services | 8.00
    = Subtotal two |  |  |  | 12.00
    ");
    insta::assert_snapshot!(grouped(&[Buildpack]), @r"
    Buildpack | >Amount in EUR
    go | 1.00
    java | 2.00
    No known buildpack | 4.00
    postgres small | 8.00
    ");
    insta::assert_snapshot!(grouped(&[Kind]), @r"
    Type of usage | >Amount in EUR
    Apps | 7.00
    Services | 8.00
    ");
    insta::assert_snapshot!(grouped(&[]), @r"
    Type of usage | >Amount in EUR
    Apps | 7.00
    Services | 8.00
    ");
    assert_eq!(grouped(&[Kind, Kind]), grouped(&[Kind]));
}

#[test]
fn groups_of_the_same_name_are_told_apart() {
    let invoice = usage("[[process]]\ninstance_hour = \"1\"\n", "process a 01T00 01T01; process b 01T00 01T02");
    let invoice = rekeyed(invoice, |line, key| {
        key.space.guid = Guid::new(&format!("guid-{line}"));
        // Of another name: it needs no guid. And names that nobody knows are guids.
        key.app.as_mut().unwrap().name = None;
    });
    insta::assert_snapshot!(table(&view(&invoice).summary), @r"
      Space | Type of usage | >Amount in EUR
    + Organization acme |  |
      live (guid-0) | Apps | 1.00
      live (guid-1) | Apps | 2.00
    ");
    insta::assert_snapshot!(sections(&view(&invoice).annex), @r"
    ## Organization acme
      Charge | >Quantity | Unit | >Unit price in EUR | >Amount in EUR
    + Space live (guid-0) |  |  |  |
      a-guid | 1 | instance-hour | 1.00 | 1.00
        (Line 1)
    + Space live (guid-1) |  |  |  |
      b-guid | 2 | instance-hours | 1.00 | 2.00
        (Line 2)
    = Subtotal acme |  |  |  | 3.00
    ");
}

#[test]
fn kinds_of_usage_are_left_out_of_a_long_summary() {
    let spaces = |count: usize| {
        let mut invoice = usage("[[process]]\ninstance_hour = \"1\"\n", "process a 01T00 01T01");
        let line = invoice.lines[0].clone();
        invoice.lines = vec![line; count];
        invoice.net = Amount(invoice.net.0 * i64::try_from(count).unwrap());
        let invoice = rekeyed(invoice, |line, key| key.space.guid = Guid::new(&format!("guid-{line:04}")));
        let view = view(&invoice);
        must_show_its_sums(&invoice, &view);
        view
    };
    assert_eq!(spaces(60).summary.columns.len(), 3);
    assert_eq!(spaces(61).summary.columns.len(), 2);
}

#[test]
fn thousands_of_lines_are_all_in_the_annex() {
    let mut invoice = sample::standard();
    let (lines, net): (Vec<_>, _) = (invoice.lines.clone(), invoice.net.0 - invoice.adjustments[0].amount.0);
    let times = 300;
    invoice.lines = (0..times).flat_map(|_| lines.clone()).collect();
    invoice.net = Amount(net * times + invoice.adjustments[0].amount.0);
    let invoice = rekeyed(invoice, |line, key| {
        for named in key.app.iter_mut().chain(&mut key.service_instance) {
            named.guid = Guid::new(&format!("guid-{line}"));
            named.name = Some(format!("{}-{line:05}-{}", named.name.as_deref().unwrap(), "long".repeat(50)));
        }
    });
    assert!(invoice.lines.len() > 5000);
    let view = view(&invoice);
    assert_eq!(sum(&view.summary, &CHARGED), invoice.net.0);
    assert!(view.summary.rows.len() < 20);
    let page = render(&view, &Branding::default());
    for line in &invoice.lines {
        let name = line.key.app.as_ref().or(line.key.service_instance.as_ref()).unwrap().name.as_deref().unwrap();
        assert!(page.contains(name), "{name}");
    }
}

#[test]
fn terms_of_lines_are_told() {
    let invoice = usage(
        "[[process]]\nmemory_gib_hour = { model = \"graduated\", tiers = [{ up_to = \"10\", price = \"2\" }, { price = \"1.5\" }] }
         [[process]]\nbuildpack = \"go\"\ninstance_hour = \"0.5\"\ngranularity = { unit = \"hour\" }
         [[staging]]\nper_staging = { model = \"package\", size = \"10\", price = \"5\" }
         [[service]]\noffering = \"o\"\nplan = \"p\"\nmonth = \"31\"",
        "process tiered 01T00 02T00
         process rounded 01T00 01T00:30 bp=go
         staging packed 01T00 01T01; staging packed 02T00 02T01
         service monthly 01T00 02T00 plan=o/p
         service unpriced 03T00 04T12 plan=o/q",
    );
    let shown = |language| {
        let view = view(&in_language(invoice.clone(), language));
        must_show_its_sums_but_unpriced(&invoice, &view);
        format!("{}{}", sections(&view.annex), view.notes.join("\n"))
    };
    insta::assert_snapshot!(shown(Language::English), @r"
    ## Organization acme
      Charge | >Quantity | Unit | >Unit price in EUR | >Amount in EUR
    + Space live |  |  |  |
      rounded | 1 | instance-hour | 0.50 | 0.50
        (Line 1 · go · used: 0.5 instance-hours · each run rounded up to whole hours)
      tiered | 10 | GiB-hours of memory | 2.00 | 20.00
        (Line 2 · tier 1)
      tiered | 14 | GiB-hours of memory | 1.50 | 21.00
        (Line 3 · tier 2)
      monthly | 0.03226 | months | 31.00 | 1.00
        (Line 4 · o p)
      unpriced | 36 | instance-hours | no price |
        (Line 5 · o q)
      packed, staging | 2 | stagings | 5.00 | 5.00
        (Line 6 · share of 1 × 10 stagings)
    = Subtotal acme |  |  |  | 47.50
    Please pay €47.50 by 3 December 2026.
    One line has no price yet and isn’t part of the amounts.
    ");
    insta::assert_snapshot!(shown(Language::German), @r"
    ## Organisation acme
      Leistung | >Menge | Einheit | >Einzelpreis in EUR | >Betrag in EUR
    + Space live |  |  |  |
      rounded | 1 | Instanzstunde | 0,50 | 0,50
        (Position 1 · go · genutzt: 0,5 Instanzstunden · jeder Lauf auf volle Stunden aufgerundet)
      tiered | 10 | GiB-Stunden RAM | 2,00 | 20,00
        (Position 2 · Staffel 1)
      tiered | 14 | GiB-Stunden RAM | 1,50 | 21,00
        (Position 3 · Staffel 2)
      monthly | 0,03226 | Monate | 31,00 | 1,00
        (Position 4 · o p)
      unpriced | 36 | Instanzstunden | kein Preis |
        (Position 5 · o q)
      packed, Staging | 2 | Stagings | 5,00 | 5,00
        (Position 6 · Anteil an 1 × 10 Stagings)
    = Zwischensumme acme |  |  |  | 47,50
    Bitte zahlen Sie 47,50 € bis zum 03.12.2026.
    Eine Position hat noch keinen Preis und ist in den Beträgen nicht enthalten.
    ");
    insta::assert_snapshot!(shown(Language::French), @r"
    ## Organisation acme
      Prestation | >Quantité | Unité | >Prix unitaire en EUR | >Montant en EUR
    + Espace live |  |  |  |
      rounded | 1 | heure d’instance | 0,50 | 0,50
        (Ligne 1 · go · utilisé : 0,5 heure d’instance · chaque exécution arrondie à l’heure supérieure)
      tiered | 10 | Gio-heures de mémoire | 2,00 | 20,00
        (Ligne 2 · palier 1)
      tiered | 14 | Gio-heures de mémoire | 1,50 | 21,00
        (Ligne 3 · palier 2)
      monthly | 0,03226 | mois | 31,00 | 1,00
        (Ligne 4 · o p)
      unpriced | 36 | heures d’instance | sans prix |
        (Ligne 5 · o q)
      packed, staging | 2 | stagings | 5,00 | 5,00
        (Ligne 6 · part de 1 × 10 stagings)
    = Sous-total acme |  |  |  | 47,50
    Merci de régler 47,50 € au plus tard le 3 décembre 2026.
    Une ligne n’a pas encore de prix et n’est pas comprise dans les montants.
    ");
}

/// A line without a price has no amount to add.
fn must_show_its_sums_but_unpriced(invoice: &Invoice, view: &View) {
    let rows = view.annex.iter().flat_map(|section| &section.table.rows).filter(|row| CHARGED.contains(&row.kind));
    let amounts = rows.filter_map(|row| row.cells.last().filter(|cell| !cell.is_empty()));
    assert_eq!(amounts.map(|cell| smallest(cell)).sum::<i64>(), invoice.net.0);
    assert_eq!(sum(&view.summary, &CHARGED), invoice.net.0);
}

#[test]
fn commitments_and_minimums_are_told() {
    let of = |floors: &str| {
        let invoice = usage(
            &format!("[[process]]\ninstance_hour = \"1\"\n{floors}[[discount]]\nname = \"promise\"\namount = \"1\"\n"),
            "process a 01T00 01T10",
        );
        let view = view(&invoice);
        must_show_its_sums(&invoice, &view);
        table(&view.summary)
    };
    insta::assert_snapshot!(of("[[commitment]]\nname = \"big\"\namount = \"50\"\n"), @r"
      Space | Type of usage | >Amount in EUR
    + Organization acme |  |
      live | Apps | 10.00
    = Usage in total |  | 10.00
    ± Discount: promise |  | −1.00
    ± Commitment: big |  | 50.00
    ± Usage covered by commitment: big |  | −9.00
        (usage comes to €9.00)
    ");
    insta::assert_snapshot!(of("[[minimum]]\nname = \"least\"\namount = \"20\"\n"), @r"
      Space | Type of usage | >Amount in EUR
    + Organization acme |  |
      live | Apps | 10.00
    = Usage in total |  | 10.00
    ± Discount: promise |  | −1.00
    ± Minimum charge: least |  | 11.00
        (from €9.00 up to €20.00)
    ");
}

#[test]
fn many_corrections_are_one_row_and_all_in_the_annex() {
    let with = |count: usize, kind| {
        let mut invoice: Document = match kind {
            DocumentKind::Invoice => sample::with_correction().into(),
            DocumentKind::CreditNote => sample::credit_note().into(),
        };
        let corrections = invoice.corrections.iter().map(|one| one.amount().unwrap().0).sum::<i64>();
        let one = invoice.corrections[0].clone();
        let amount = one.amount().unwrap().0;
        invoice.corrections = vec![one; count];
        invoice.net = Amount(invoice.net.0 - corrections + amount * i64::try_from(count).unwrap());
        let view = view(&invoice);
        must_show_its_sums(&invoice, &view);
        let is_correction = |text: &str| kind == DocumentKind::CreditNote || text.contains("CF-000001");
        let rows = view.summary.rows.iter().filter(|row| is_correction(&row.cells[0]));
        let annexed = view.annex.last().unwrap().table.rows.len();
        assert_eq!(annexed, count);
        (rows.count(), view.summary.rows.last().unwrap().cells[0].clone())
    };
    assert_eq!(with(25, DocumentKind::Invoice).0, 25);
    assert_eq!(with(26, DocumentKind::Invoice), (1, "26 corrections of invoice CF-000001".to_owned()));
    assert_eq!(with(25, DocumentKind::CreditNote).0, 25);
    assert_eq!(with(26, DocumentKind::CreditNote), (1, "26 Korrekturen der Rechnung CF-000001".to_owned()));
}

#[test]
fn invoices_of_before_sellers_had_addresses_are_shown() {
    let mut invoice = sample::standard();
    (invoice.account_name, invoice.seller) = (Some("ACME".to_owned()), Some("Platform Ltd".to_owned()));
    (invoice.particulars, invoice.tax) = (Particulars::default(), None);
    for line in &mut invoice.lines {
        line.days = Vec::new();
    }
    let mut shown = view(&invoice);
    must_show_its_sums(&invoice, &shown);
    shown.annex.clear();
    insta::assert_snapshot!(text(&shown), @r"
    Invoice | CF-000123 | 2026-11-03 | en
    Platform Ltd
    ACME
    - Invoice number: CF-000123
    - Issue date: 3 November 2026
    - Due date: 3 December 2026
    - Billing period: 1 – 31 October 2026 (Europe/Berlin)
    - Account: acme
    For your use of our platform in October 2026 we charge you as follows:

      Space | Type of usage | >Amount in EUR
    + Organization acme |  |
      live | Apps (of which €1.20 estimated) | 43.64
       | Services | 45.28
       | Staging | 0.04
       | Tasks | 0.00
    = Usage in total |  | 88.96
    ± Free allowance: first 100 GiB-hours |  | 0.00
        (100 GiB-hours of memory free of charge)
    ± Discount: partner discount |  | −4.45
        (5% of €88.96)

    == Total to pay: €84.51
    Please pay €84.51 by 3 December 2026.
    €1.20 of the net amount rests on estimated usage; the lines are marked.

    # Details

    Platform Ltd
    Page {page} of {pages}
    ");
    (invoice.account_name, invoice.seller) = (None, None);
    let shown = view(&invoice);
    assert_eq!(
        (shown.sender.as_str(), &shown.recipient[..], &shown.footer[..]),
        ("", &["acme".to_owned()][..], &[][..])
    );
    assert!(render(&shown, &Branding::default()).contains("<div>acme</div>"));
}

#[test]
fn an_invoice_of_nothing_says_so() {
    let invoice = usage("[[process]]\ninstance_hour = \"1\"\n", "");
    let shown = view(&invoice);
    assert_eq!(shown.introduction, ["In October 2026 there was no usage to charge for."]);
    assert_eq!((shown.totals[0].label.as_str(), shown.totals[0].amount.as_str()), ("Total", "€0.00"));
    assert_eq!(shown.notes, ["There is nothing to pay."]);
    assert!(shown.payment.is_empty() && shown.chart.is_none() && shown.annex.is_empty());
    assert!(!render(&shown, &Branding::default()).contains("<thead"));
}

#[test]
fn currencies_keep_their_decimals() {
    for (code, rate, total, cell, price) in
        [("JPY", "1500", "JPY\u{a0}36,000", "36,000", "1,500"), ("KWD", "0.0125", "KWD\u{a0}0.300", "0.300", "0.0125")]
    {
        let text = format!("currency = \"{code}\"\n[[process]]\ninstance_hour = \"{rate}\"\n");
        let invoice = usage(&text, "process a 01 02");
        let shown = view(&invoice);
        must_show_its_sums(&invoice, &shown);
        assert_eq!(shown.totals[0].amount, total);
        assert_eq!(shown.summary.columns.last().unwrap().title, format!("Amount in {code}"));
        let line = shown.annex[0].table.rows.iter().find(|row| row.kind == RowKind::Line).unwrap();
        assert_eq!(line.cells[3..], [price, cell]);
    }
}

#[test]
fn gaps_are_told_and_what_was_accepted_is_not() {
    let mut invoice = sample::with_correction();
    let at = |text| Timestamp::parse(text).unwrap();
    let gap = |settled_at| GapNote {
        reference: "eu1/7".to_owned(),
        stream: Stream::App,
        reason: GapReason::Reseeded,
        from: at("2026-10-05T10:00:00Z"),
        settled_at,
        assumed: 3,
    };
    invoice.gaps = vec![gap(Some(at("2026-10-06T10:30:00Z")))];
    let blockers = DraftNotes::default().blockers(&invoice, &review());
    invoice.accepted = blockers.iter().map(|blocker| blocker.words(chrono_tz::Tz::UTC)).collect();
    assert!(invoice.accepted.len() > 1, "{:?}", invoice.accepted);
    invoice.accepted.push("app events can't be read (gap eu1/8)".to_owned());
    let notes = |invoice: &Invoice| view(invoice).notes[2..].to_vec();
    assert_eq!(
        notes(&invoice),
        ["Usage from 5 October 2026, 12:00 to 6 October 2026, 12:30 is assumed in part, as records of it can’t be \
             read any more (eu1/7)."]
    );
    invoice.gaps = vec![gap(None)];
    invoice.accepted.clear();
    assert_eq!(
        notes(&in_language(invoice, Language::German)),
        ["Die Nutzung ab 05.10.2026, 12:00 ist zum Teil angenommen, da Aufzeichnungen nicht mehr lesbar sind (eu1/7)."]
    );
}

#[test]
fn nothing_that_does_not_add_up_is_printed() {
    let failed = |invoice: &Invoice| composed(invoice, None).unwrap_err().to_string();
    for off in [-1, 1] {
        let mut invoice = sample::standard();
        invoice.net.0 += off;
        assert!(failed(&invoice).contains("come to 84.51, the net is 84.5"), "{}", failed(&invoice));
    }
    let mut invoice = sample::standard();
    invoice.tax.as_mut().unwrap().amount = Amount(i64::MAX);
    assert!(failed(&invoice).contains("2^63 - 1"));
}

/// As if it were looked at long after its period.
fn review() -> cf_billing::invoicing::Review {
    cf_billing::invoicing::Review { now: Timestamp::MAX, grace_seconds: 0, jump_factor: None, held: None }
}
