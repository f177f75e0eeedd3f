//! What each day cost: nothing of it is lost or made up.

use cf_billing::documents::chart::{COLOURS, ChartSeries, MOST_GROUPS, day_totals};
use cf_billing::documents::language::Locale;
use cf_billing::invoicing::{Document, GroupBy, Invoice, Language};

use super::view::{samples, usage, view};
use crate::support::sample;

fn charged(invoice: &Invoice) -> i64 {
    invoice.lines.iter().filter_map(|line| line.charge.as_ref()).map(|charge| charge.amount.0).sum()
}

#[test]
fn days_add_up_to_what_lines_cost() {
    for (name, document) in samples() {
        let Document::Invoice(mut invoice) = document else { continue };
        for group_by in [GroupBy::Buildpack, GroupBy::App] {
            invoice.particulars.group_by = vec![group_by];
            let series = day_totals(&invoice, Locale::of(Language::English)).unwrap().unwrap();
            let days = series.iter().flat_map(|series| &series.days).map(|day| day.0);
            assert_eq!(days.sum::<i64>(), charged(&invoice), "{name}");
            for one in &series {
                assert_eq!(one.days.iter().map(|day| day.0).sum::<i64>(), one.total.0, "{}", one.label);
                assert_eq!(one.days.len(), 31);
            }
        }
    }
}

#[test]
fn each_day_has_its_part_of_a_line() {
    let shown = |card_text: &str, pieces: &str, days: usize| {
        let invoice = usage(card_text, pieces);
        let series = day_totals(&invoice, Locale::of(Language::English)).unwrap().unwrap();
        let of = |series: &ChartSeries| {
            let days: Vec<String> = series.days[..days].iter().map(|day| day.0.to_string()).collect();
            format!("{} {}", series.label, days.join(" "))
        };
        series.iter().map(of).collect::<Vec<_>>()
    };
    // 72 h cost 10 cents: 3 1/3 a day.
    let dear = "[[process]]\ninstance_hour = \"0.0013888889\"\n";
    assert_eq!(shown(dear, "process a 01 04 bp=go", 4), ["go 4 3 3 0"]);
    let card = "[[process]]\ninstance_hour = \"0.01\"\n[[service]]\nmonth = \"31\"\n";
    assert_eq!(
        shown(card, "process a 01 02 bp=go; process b 02 03 bp=go; process c 03 04; service d 01 02 plan=pg/small", 3),
        ["pg small 100 0 0", "go 24 24 0", "No known buildpack 0 0 24"]
    );
    // Free usage costs nothing on any day.
    assert_eq!(shown("[[process]]\ninstance_hour = \"0\"\n", "process a 01 02", 3), [""; 0]);
}

#[test]
fn what_is_left_of_many_groups_goes_together() {
    let of = |groups: usize| {
        let pieces: Vec<String> =
            (1..=groups).map(|group| format!("process a{group} 01 {:02} bp=b{group}", group + 1)).collect();
        let invoice = usage("[[process]]\ninstance_hour = \"1\"\n", &pieces.join(";"));
        let series = day_totals(&invoice, Locale::of(Language::English)).unwrap().unwrap();
        assert_eq!(series.iter().map(|series| series.total.0).sum::<i64>(), charged(&invoice));
        let svg = view(&invoice).chart.unwrap().svg;
        assert!(COLOURS[..series.len()].iter().all(|colour| svg.contains(colour)));
        series.iter().map(|series| format!("{} {}", series.label, series.total.0)).collect::<Vec<_>>()
    };
    assert_eq!(of(MOST_GROUPS), ["b5 12000", "b4 9600", "b3 7200", "b2 4800", "b1 2400"]);
    assert_eq!(of(MOST_GROUPS + 2), ["b7 16800", "b6 14400", "b5 12000", "b4 9600", "b3 7200", "Others 7200"]);
}

#[test]
fn there_is_no_chart_where_no_line_knows_its_days() {
    let mut invoice = sample::standard();
    assert!(view(&invoice).chart.is_some());
    for line in &mut invoice.lines[1..] {
        line.days.clear();
    }
    // One that knows them is free: no day cost anything.
    assert!(day_totals(&invoice, Locale::of(Language::English)).unwrap().is_some());
    assert!(view(&invoice).chart.is_none());
    invoice.lines[0].days.clear();
    assert_eq!(day_totals(&invoice, Locale::of(Language::English)).unwrap(), None);
}
