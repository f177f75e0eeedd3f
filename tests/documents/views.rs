//! Views to lay out: everything that a document may have, in three languages.

use cf_billing::documents::view::{Chart, Column, RowKind, Section, Total, View, ViewFact, ViewRow, ViewTable};

fn column(title: &str, right: bool) -> Column {
    Column { title: title.to_owned(), right }
}

/// `kind | cell | cell …`, and `# remark` at the end.
fn row(text: &str) -> ViewRow {
    let (cells, remark) = text.split_once(" # ").map_or((text, None), |(cells, remark)| (cells, Some(remark)));
    let mut cells = cells.split('|').map(|cell| cell.trim().to_owned());
    let kind = match cells.next().as_deref() {
        Some("group") => RowKind::Group,
        Some("line") => RowKind::Line,
        Some("estimated") => RowKind::Estimated,
        Some("subtotal") => RowKind::Subtotal,
        Some("adjustment") => RowKind::Adjustment,
        other => panic!("{other:?} is no kind of row"),
    };
    ViewRow { kind, cells: cells.collect(), remark: remark.map(|remark| remark.trim().to_owned()) }
}

fn rows(text: &str) -> Vec<ViewRow> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(row).collect()
}

fn facts(text: &str) -> Vec<ViewFact> {
    let fact =
        |(label, value): (&str, &str)| ViewFact { label: label.trim().to_owned(), value: value.trim().to_owned() };
    text.lines().filter_map(|line| line.split_once(": ")).map(fact).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn total(label: &str, amount: &str, strong: bool) -> Total {
    Total { label: label.to_owned(), amount: amount.to_owned(), strong }
}

/// Bars of a month, as the documents' chart has them.
fn chart_svg() -> String {
    let bars = (0..31).map(|day| {
        let (first, second) = (20 + day * 2, if day < 10 { 10 } else { 34 });
        let x = 44 + day * 20;
        format!(
            r##"<rect x="{x}" y="{}" width="14" height="{first}" fill="#1f5f8b"/><rect x="{x}" y="{}" width="14" height="{second}" fill="#8fb8d0"/>"##,
            150 - first,
            150 - first - second
        )
    });
    let days = [1, 8, 15, 22, 29].map(|day| {
        format!(
            r##"<text x="{}" y="166" font-size="10" text-anchor="middle" fill="#555">{day}.</text>"##,
            31 + day * 20
        )
    });
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 670 190" font-family="Inter, sans-serif"><line x1="40" y1="150" x2="664" y2="150" stroke="#999"/>{}{}<rect x="44" y="178" width="9" height="9" fill="#1f5f8b"/><text x="58" y="186" font-size="10" fill="#333">java_buildpack</text><rect x="150" y="178" width="9" height="9" fill="#8fb8d0"/><text x="164" y="186" font-size="10" fill="#333">go_buildpack</text></svg>"##,
        bars.collect::<String>(),
        days.concat()
    )
}

/// A German invoice of two pages with a chart.
pub fn german() -> View {
    View {
        language: "de",
        colour: "#1f5f8b".to_owned(),
        title: "Rechnung".to_owned(),
        number: "CF-000042".to_owned(),
        watermark: None,
        date: "2026-11-03".to_owned(),
        sender: "Beispiel Plattform GmbH · Musterstraße 12 · 10115 Berlin".to_owned(),
        recipient: lines(
            "ACME Deutschland GmbH
             Abteilung Rechnungswesen
             Beispielallee 99
             60311 Frankfurt am Main
             Deutschland",
        ),
        facts: facts(
            "Rechnungsnummer: CF-000042
Rechnungsdatum: 3. November 2026
Fällig am: 3. Dezember 2026
Leistungszeitraum: 1. bis 31. Oktober 2026
Konto: acme
Bestellnummer: PO-4711
Kostenstelle: KST 1200
Ihre Referenz: platform-team
USt-IdNr. (Sie): DE987654321
USt-IdNr. (wir): DE123456789",
        ),
        introduction: vec![
            "für die Nutzung der Cloud-Foundry-Plattform im Oktober 2026 berechnen wir Ihnen wie folgt. Die einzelnen \
             Positionen stehen in der Anlage."
                .to_owned(),
        ],
        summary: ViewTable {
            columns: vec![
                column("Organisation", false),
                column("Space", false),
                column("Leistung", false),
                column("Betrag in EUR", true),
            ],
            rows: rows(
                "group | acme-shop | | |
                 line | | production | Apps | 1.204,17
                 line | | production | Dienste | 75,00
                 line | | staging | Apps | 210,44
                 estimated | | staging | Tasks | 3,20 # teilweise geschätzt
                 subtotal | | | Summe acme-shop | 1.492,81
                 group | acme-intern | | |
                 line | | werkzeuge-und-sehr-lange-namen-ohne-leerzeichen_v2 | Apps | 88,10
                 line | | default | Staging | 1,09
                 subtotal | | | Summe acme-intern | 89,19
                 adjustment | Freikontingent | | | −1,25 # erste 100 GiB-Stunden
                 adjustment | Partnerrabatt 5 % | | | −79,04",
            ),
        },
        totals: vec![
            total("Nettobetrag", "1.501,71 EUR", false),
            total("Umsatzsteuer 19 % auf 1.501,71 EUR", "285,32 EUR", false),
            total("Zu zahlen", "1.787,03 EUR", true),
        ],
        notes: vec![
            "Zahlbar innerhalb von 30 Tagen ohne Abzug.".to_owned(),
            "3,20 EUR beruhen auf geschätzter Nutzung: Zwischen dem 2. und dem 4. Oktober waren Ereignisse nicht \
             lesbar."
                .to_owned(),
        ],
        payment: facts(
            "IBAN: DE89 3704 0044 0532 0130 00
BIC: COBADEFFXXX
Bank: Beispielbank
Verwendungszweck: CF-000042",
        ),
        chart: Some(Chart {
            title: "Kosten je Tag".to_owned(),
            description: "Kosten je Tag im Oktober 2026, nach Buildpack: steigend von 30 auf 110 EUR".to_owned(),
            svg: chart_svg(),
        }),
        annex_title: "Anlage: Positionen".to_owned(),
        annex: vec![
            Section { title: "acme-shop / production".to_owned(), table: annex_table(1, 14, true) },
            Section { title: "acme-intern / default".to_owned(), table: annex_table(15, 6, true) },
        ],
        footer: vec![
            lines("Beispiel Plattform GmbH\nMusterstraße 12\n10115 Berlin\nDeutschland"),
            lines("Billing\nbilling@platform.example\n+49 30 1234567"),
            lines("Beispielbank\nIBAN DE89 3704 0044 0532 0130 00\nBIC COBADEFFXXX"),
            lines("HRB 123456 B, Amtsgericht Charlottenburg\nUSt-IdNr. DE123456789\nSteuernummer 12/345/67890"),
        ],
        page_label: "Seite {page} von {pages}".to_owned(),
    }
}

fn annex_table(first: usize, count: usize, german: bool) -> ViewTable {
    let titles = if german {
        ["Pos.", "Was", "Buildpack", "Menge", "Einheit", "Preis", "Betrag in EUR"]
    } else {
        ["No.", "What", "Buildpack", "Quantity", "Unit", "Price", "Amount in EUR"]
    };
    let mut rows: Vec<ViewRow> = (first..first + count)
        .map(|number| {
            let kind = if number % 7 == 3 { "estimated" } else { "line" };
            let app = if number % 5 == 1 { "order-processing-backend-for-partners-2x4->eu" } else { "shop" };
            let price = if german { "0,0156250000" } else { "0.0156250000" };
            let remark = match number % 7 {
                3 if german => " # geschätzt: 2. bis 4. Oktober",
                3 => " # estimated: 2 to 4 October",
                _ => "",
            };
            row(&format!(
                "{kind} | {number} | App {app}-{number:04}, web, Memory | java_buildpack | 1 234,5 | GiB·h | {price} | \
                 {}{}00{remark}",
                1000 + number,
                if german { ',' } else { '.' }
            ))
        })
        .collect();
    let label = if german { "Summe" } else { "Subtotal" };
    rows.push(row(&format!("subtotal | | {label} | | | | | {}", if german { "9.999,00" } else { "9,999.00" })));
    let columns = titles.into_iter().enumerate().map(|(at, title)| column(title, [0, 3, 5, 6].contains(&at)));
    ViewTable { columns: columns.collect(), rows }
}

/// An English invoice with `count` rows in its annex.
pub fn many_rows(count: usize) -> View {
    let each = 60.min(count.max(1));
    View {
        language: "en",
        title: "Invoice".to_owned(),
        number: "CF-000300".to_owned(),
        recipient: lines("Sample Ltd\n12 Example Street\n3rd floor\nExampleville 75001\nIreland"),
        facts: facts("Invoice number: CF-000300\nInvoice date: 3 November 2026\nDue date: 3 December 2026"),
        introduction: vec!["For the use of Cloud Foundry in October 2026.".to_owned()],
        totals: vec![total("Net", "1,501.71 EUR", false), total("Amount due", "1,787.03 EUR", true)],
        notes: vec!["Payable within 30 days.".to_owned()],
        chart: None,
        annex_title: "Annex: lines".to_owned(),
        annex: (1..=count)
            .step_by(each)
            .map(|first| Section {
                title: format!("organisation-{first}"),
                table: annex_table(first, each.min(count + 1 - first), false),
            })
            .collect(),
        page_label: "Page {page} of {pages}".to_owned(),
        ..german()
    }
}

/// A French draft.
pub fn draft() -> View {
    View {
        language: "fr",
        colour: "#ffd400".to_owned(),
        title: "Projet de facture".to_owned(),
        number: "sans numéro".to_owned(),
        watermark: Some("PROJET".to_owned()),
        recipient: lines("Exemple SARL\n12 rue de l’Exemple\n75001 Paris\nFrance"),
        facts: facts("Compte: exemple\nPériode: 1er au 31 octobre 2026\nN° de TVA: FR12345678901"),
        introduction: vec!["Ceci n’est pas une facture.".to_owned()],
        totals: vec![
            total("Total HT", "1\u{202f}501,71 EUR", false),
            total("TVA 0 % (autoliquidation)", "0,00 EUR", false),
            total("Total à payer", "1\u{202f}501,71 EUR", true),
        ],
        notes: vec!["Autoliquidation : TVA due par le preneur.".to_owned()],
        payment: Vec::new(),
        page_label: "Page {page} sur {pages}".to_owned(),
        ..german()
    }
}

/// A credit note of one page.
pub fn credit_note() -> View {
    View {
        title: "Rechnungskorrektur".to_owned(),
        number: "CF-000043".to_owned(),
        facts: facts("Nummer: CF-000043\nDatum: 4. November 2026\nZur Rechnung: CF-000042 vom 3. November 2026"),
        introduction: vec![
            "Wir korrigieren die Rechnung CF-000042. Grund: Die App wurde durch unseren Fehler abgeschaltet."
                .to_owned(),
        ],
        summary: ViewTable {
            columns: vec![column("Position", true), column("Leistung", false), column("Betrag in EUR", true)],
            rows: rows("line | 1 | App shop, web, Memory | −1.204,17\nline | 2 | App shop, web, Disk | −12,00"),
        },
        totals: vec![total("Nettobetrag", "−1.216,17 EUR", false), total("Gutschrift", "−1.447,24 EUR", true)],
        notes: Vec::new(),
        payment: Vec::new(),
        chart: None,
        annex: Vec::new(),
        ..german()
    }
}

/// The longest that anyone may be called.
pub fn long_names() -> View {
    let long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".repeat(3);
    let mut view = german();
    view.recipient =
        vec![long.clone(), "Abteilung ".to_owned() + &"für vieles ".repeat(20), "60311 Frankfurt".to_owned()];
    view.facts.push(ViewFact { label: "Referenz".to_owned(), value: "X".repeat(200) });
    view.footer[0][0].clone_from(&long);
    view.sender = format!("{long} · Musterstraße 12 · 10115 Berlin");
    for at in [1, 7] {
        view.summary.rows[at].cells[1] = "x".repeat(63);
        view.summary.rows[at].cells[2].clone_from(&long);
    }
    view.annex[0].title.clone_from(&long);
    view.annex[0].table.rows[2].cells[1].clone_from(&long);
    view
}
