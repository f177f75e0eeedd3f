//! Stacked bars as SVG, in whole tenths of a pixel.
//! Owns where everything stands and its colours; never whose cost it is.

use std::fmt::Write;

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;

use super::ChartSeries;
use crate::documents::language::Locale;
use crate::domain::{Amount, Currency};

/// In the order of the series, the last for what is left: told apart by lightness alone, so that they are in grey and
/// by those who see fewer colours.
pub const COLOURS: [&str; super::MOST_GROUPS + 1] = ["#16325c", "#e58a3c", "#2a7f7a", "#f4dd86", "#6b2f6b", "#b9bec6"];

const WIDTH: i64 = 6800;
const TOP: i64 = 120;
const PLOT_HEIGHT: i64 = 1800;
const RIGHT: i64 = 40;
/// Of small text; a letter is some half as wide.
const FONT: i64 = 110;
const LETTER: i64 = 62;
const LEGEND_LINE: i64 = 190;
const SWATCH: i64 = 100;
/// Letters of a name that the legend shows.
const LONGEST_LABEL: usize = 36;
/// Amounts on the axis above zero, at most.
const MOST_STEPS: i64 = 5;

pub(super) struct Drawing<'a> {
    pub series: &'a [ChartSeries],
    /// Of each day.
    pub totals: &'a [Amount],
    pub dates: &'a [NaiveDate],
    pub title: &'a str,
    pub description: &'a str,
    pub currency: Currency,
    pub locale: Locale,
}

/// For text and attributes of XML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Writing to a string never fails.
macro_rules! put {
    ($to:expr, $($text:tt)*) => {
        write!($to, $($text)*).expect("writing to a String never fails")
    };
}

/// The distance of amounts on the axis: 1, 2 or 5 and zeros, so that few of them reach `most`.
fn step(most: i64) -> i64 {
    let mut power = 1_i64;
    loop {
        for factor in [1, 2, 5] {
            let Some(step) = power.checked_mul(factor) else { return i64::MAX / MOST_STEPS };
            if most <= step.saturating_mul(MOST_STEPS) {
                return step;
            }
        }
        let Some(next) = power.checked_mul(10) else { return i64::MAX / MOST_STEPS };
        power = next;
    }
}

fn width_of(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or_default() * LETTER
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LONGEST_LABEL {
        return label.to_owned();
    }
    label.chars().take(LONGEST_LABEL - 1).chain(['…']).collect()
}

impl Drawing<'_> {
    /// The picture: its width is [`WIDTH`], its height what the legend needs.
    pub(super) fn draw(&self) -> String {
        let most = self.totals.iter().map(|total| total.0).max().unwrap_or_default().max(1);
        let step = step(most);
        let steps = (most - 1) / step + 1;
        let top = step.saturating_mul(steps);
        let labels: Vec<String> = (0..=steps).map(|tick| self.axis_label(step * tick, step)).collect();
        let left = labels.iter().map(|label| width_of(label)).max().unwrap_or_default() + 120;
        let (mut bars, legend_lines) = (String::new(), self.legend(left));
        self.axis(&mut bars, &labels, left);
        self.bars(&mut bars, top, left);
        let height = TOP + PLOT_HEIGHT + 430 + LEGEND_LINE * i64::try_from(legend_lines.1).unwrap_or_default();
        let mut svg = String::new();
        put!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="{}" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="chart-title chart-description" font-family="sans-serif" font-size="{FONT}">"#,
            WIDTH / 10,
            height / 10,
        );
        put!(svg, r#"<title id="chart-title">{}</title>"#, escaped(self.title));
        put!(svg, r#"<desc id="chart-description">{}</desc>"#, escaped(self.description));
        svg + &bars + &legend_lines.0 + "</svg>"
    }

    /// Without decimals where all of the axis has none.
    fn axis_label(&self, amount: i64, step: i64) -> String {
        let digits = self.currency.digits();
        let whole = 10_i64.pow(digits);
        if step % whole == 0 {
            self.locale.number(Decimal::from(amount / whole))
        } else {
            self.locale.bare_amount(Amount(amount), self.currency)
        }
    }

    fn axis(&self, svg: &mut String, labels: &[String], left: i64) {
        let steps = i64::try_from(labels.len() - 1).unwrap_or(1).max(1);
        for (tick, label) in (0..).zip(labels) {
            let y = TOP + PLOT_HEIGHT - PLOT_HEIGHT * tick / steps;
            let colour = if tick == 0 { "#6b7280" } else { "#e2e5e9" };
            put!(svg, r#"<path d="M{left} {y}H{}" stroke="{colour}" stroke-width="10"/>"#, WIDTH - RIGHT);
            put!(
                svg,
                r##"<text x="{}" y="{}" text-anchor="end" fill="#4b5563">{}</text>"##,
                left - 60,
                y + 38,
                escaped(label)
            );
        }
        for (position, date) in (0..).zip(self.dates) {
            let x = self.middle(position, left);
            let y = TOP + PLOT_HEIGHT + 160;
            put!(svg, r##"<text x="{x}" y="{y}" text-anchor="middle" fill="#4b5563">{}</text>"##, date.day());
        }
    }

    /// Where a day's slot begins.
    fn slot(&self, position: i64, left: i64) -> i64 {
        let days = i64::try_from(self.dates.len()).unwrap_or(1).max(1);
        left + (WIDTH - RIGHT - left) * position / days
    }

    fn middle(&self, position: i64, left: i64) -> i64 {
        i64::midpoint(self.slot(position, left), self.slot(position + 1, left))
    }

    fn bars(&self, svg: &mut String, top: i64, left: i64) {
        let y = |amount: i128| {
            let height = amount * i128::from(PLOT_HEIGHT) / i128::from(top.max(1));
            TOP + PLOT_HEIGHT - i64::try_from(height).unwrap_or_default().clamp(0, PLOT_HEIGHT)
        };
        let mut below = vec![0_i128; self.dates.len()];
        for (series, colour) in self.series.iter().zip(COLOURS) {
            put!(svg, r#"<g fill="{colour}">"#);
            for ((position, below), amount) in (0..).zip(&mut below).zip(&series.days) {
                let (from, to) = (self.slot(position, left), self.slot(position + 1, left));
                let bottom = y(*below);
                *below += i128::from(amount.0);
                let upper = y(*below);
                if upper < bottom {
                    let gap = (to - from) / 7;
                    let (x, width) = (from + gap, to - from - 2 * gap);
                    // A white edge tells neighbours apart in print.
                    let edge = if bottom - upper > 30 { 8 } else { 0 };
                    let height = bottom - upper - edge;
                    put!(svg, r#"<rect x="{x}" y="{upper}" width="{width}" height="{height}"/>"#);
                }
            }
            svg.push_str("</g>");
        }
    }

    /// The legend, and how many lines it takes.
    fn legend(&self, left: i64) -> (String, usize) {
        let (mut svg, mut lines, mut x) = (String::new(), 1, left);
        for (series, colour) in self.series.iter().zip(COLOURS) {
            let label = shortened(&series.label);
            let width = SWATCH + 60 + width_of(&label) + 140;
            if x > left && x + width > WIDTH {
                (x, lines) = (left, lines + 1);
            }
            let y = TOP + PLOT_HEIGHT + 430 + LEGEND_LINE * (lines - 1);
            put!(svg, r#"<rect x="{x}" y="{}" width="{SWATCH}" height="{SWATCH}" fill="{colour}"/>"#, y - 90);
            put!(svg, r##"<text x="{}" y="{y}" fill="#1f2937">{}</text>"##, x + SWATCH + 60, escaped(&label));
            x += width;
        }
        (svg, usize::try_from(lines).unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::{COLOURS, LONGEST_LABEL, escaped, shortened, step};

    #[test]
    fn the_axis_has_few_round_amounts() {
        for (most, distance) in
            [(1, 1), (5, 1), (6, 2), (10, 2), (11, 5), (25, 5), (26, 10), (330, 100), (501, 200), (4_999, 1000)]
        {
            assert_eq!(step(most), distance, "{most}");
        }
        for most in [i64::MAX, i64::MAX - 1, i64::MAX / 2] {
            let step = step(most);
            assert!(step.checked_mul((most - 1) / step).is_some(), "{most}");
        }
    }

    #[test]
    fn colours_differ_in_grey() {
        let grey = |colour: &str| {
            let part = |at: usize| i64::from_str_radix(&colour[at..at + 2], 16).unwrap();
            (299 * part(1) + 587 * part(3) + 114 * part(5)) / 1000
        };
        for (position, one) in COLOURS.iter().enumerate() {
            for other in &COLOURS[position + 1..] {
                assert!((grey(one) - grey(other)).abs() >= 25, "{one} and {other}");
            }
            // Each stands out against white.
            assert!(grey(one) <= 225, "{one}");
        }
    }

    #[test]
    fn names_are_safe_and_fit() {
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
        let name = "ä".repeat(LONGEST_LABEL);
        assert_eq!(shortened(&name), name);
        assert_eq!(shortened(&(name.clone() + "ä")).chars().count(), LONGEST_LABEL);
        assert!(shortened(&(name + "ä")).ends_with('…'));
    }
}
