//! How a metric is declared: once, with its name, its labels and its help. Its series begin at zero by its labels.

use std::fmt;
use std::sync::Arc;

use prometheus::core::Collector;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result};

/// Upper bounds of the buckets of every histogram, in seconds.
const SECONDS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

const CONSTANT: &str = "names and labels are constants";

/// A label, and what is known of its values.
#[derive(Clone, Copy)]
pub(super) struct Label {
    name: &'static str,
    values: Values,
}

#[derive(Clone, Copy)]
enum Values {
    /// Whoever has one begins its series: see [`Families::begin`].
    Given,
    OneOf(fn() -> Vec<&'static str>),
    /// Not known before there is one.
    Open,
}

impl Label {
    pub const fn given(name: &'static str) -> Self {
        Self { name, values: Values::Given }
    }

    pub const fn one_of(name: &'static str, values: fn() -> Vec<&'static str>) -> Self {
        Self { name, values: Values::OneOf(values) }
    }

    pub const fn open(name: &'static str) -> Self {
        Self { name, values: Values::Open }
    }
}

/// Makes and registers families, all named `cf_billing_…`, and begins their series.
#[derive(Clone, Default)]
pub(super) struct Families {
    pub registry: Registry,
    all: Vec<Family>,
}

/// Makes the series of these values of a family's labels, at zero.
type Touch = dyn Fn(&[&str]) + Send + Sync;

#[derive(Clone)]
struct Family {
    labels: &'static [Label],
    touch: Arc<Touch>,
}

impl fmt::Debug for Families {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} families", self.all.len())
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("cf_billing_{name}"), help)
}

fn names(labels: &[Label]) -> Vec<&'static str> {
    labels.iter().map(|label| label.name).collect()
}

impl Families {
    fn add<F: Collector + Clone + Send + Sync + 'static>(
        &mut self,
        family: Result<F>,
        labels: &'static [Label],
        touch: fn(&F, &[&str]),
    ) -> F {
        let family = family.expect(CONSTANT);
        self.registry.register(Box::new(family.clone())).expect(CONSTANT);
        let touched = family.clone();
        self.all.push(Family { labels, touch: Arc::new(move |values| touch(&touched, values)) });
        family
    }

    pub fn gauge(&mut self, name: &str, help: &str, labels: &'static [Label]) -> IntGauge {
        self.add(IntGauge::with_opts(opts(name, help)), labels, |_, _| {})
    }

    pub fn gauges(&mut self, name: &str, help: &str, labels: &'static [Label]) -> IntGaugeVec {
        let family = IntGaugeVec::new(opts(name, help), &names(labels));
        self.add(family, labels, |family, values| drop(family.with_label_values(values)))
    }

    pub fn real_gauges(&mut self, name: &str, help: &str, labels: &'static [Label]) -> GaugeVec {
        let family = GaugeVec::new(opts(name, help), &names(labels));
        self.add(family, labels, |family, values| drop(family.with_label_values(values)))
    }

    pub fn counters(&mut self, name: &str, help: &str, labels: &'static [Label]) -> IntCounterVec {
        let family = IntCounterVec::new(opts(name, help), &names(labels));
        self.add(family, labels, |family, values| drop(family.with_label_values(values)))
    }

    pub fn histograms(&mut self, name: &str, help: &str, labels: &'static [Label]) -> HistogramVec {
        let opts = HistogramOpts::from(opts(name, help)).buckets(SECONDS.to_vec());
        let family = HistogramVec::new(opts, &names(labels));
        self.add(family, labels, |family, values| drop(family.with_label_values(values)))
    }

    /// Begins all series whose first label is given, and has this value: one for each set of values that the other labels
    /// can have. `None`: those without such a label.
    pub fn begin(&self, given: Option<(Label, &str)>) {
        for family in &self.all {
            let first = family.labels.first().filter(|label| matches!(label.values, Values::Given));
            let (mut sets, rest) = match (first, given) {
                (None, None) => (vec![Vec::new()], family.labels),
                (Some(first), Some((label, value))) if first.name == label.name => {
                    (vec![vec![value]], &family.labels[1..])
                }
                _ => continue,
            };
            for label in rest {
                let values = match label.values {
                    Values::OneOf(values) => values(),
                    Values::Given | Values::Open => Vec::new(),
                };
                sets = sets.iter().flat_map(|set| values.iter().map(move |one| [&set[..], &[*one]].concat())).collect();
            }
            for set in sets {
                (family.touch)(&set);
            }
        }
    }
}
