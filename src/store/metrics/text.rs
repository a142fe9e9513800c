//! Prometheus' text form (version 0.0.4).

use crate::metrics::Histogram;
use crate::metrics::histogram::BOUNDS;
use std::fmt::{Display, Write};

/// A page of metrics that is being written.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value that goes up and down.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// Such values by one label.
    pub(crate) fn gauges<L: Display, V: Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        self.head(name, "gauge", help);
        self.labelled(name, label, values);
    }

    /// One value that only grows.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// Such values by one label.
    pub(crate) fn counters<L: Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) {
        self.head(name, "counter", help);
        self.labelled(name, label, values);
    }

    fn labelled<L: Display, V: Display>(&mut self, name: &str, label: &str, values: impl IntoIterator<Item = (L, V)>) {
        for (value_of_label, value) in values {
            let _ = writeln!(self.0, "{name}{{{label}=\"{value_of_label}\"}} {value}");
        }
    }

    /// Durations, in seconds.
    pub(crate) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        let observed = histogram.observed();
        for (bound, within) in BOUNDS.iter().zip(observed.within) {
            let seconds = *bound as f64 / 1e6;
            let _ = writeln!(self.0, "{name}_bucket{{le=\"{seconds}\"}} {within}");
        }
        let _ = writeln!(self.0, "{name}_bucket{{le=\"+Inf\"}} {}", observed.count);
        let _ = writeln!(self.0, "{name}_sum {}", observed.sum.as_secs_f64());
        let _ = writeln!(self.0, "{name}_count {}", observed.count);
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_form_is_prometheus() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_micros(300));
        let mut text = Text::default();
        text.counters("a_total", "Help.", "why", [("x", 1), ("y", 2)]);
        text.histogram("b_seconds", "More.", &histogram);
        let text = text.finish();
        assert!(text.starts_with(
            "# HELP a_total Help.\n# TYPE a_total counter\na_total{why=\"x\"} 1\na_total{why=\"y\"} 2\n# HELP b_seconds"
        ));
        for line in [
            "b_seconds_bucket{le=\"0.00025\"} 0",
            "b_seconds_bucket{le=\"0.0005\"} 1",
            "b_seconds_bucket{le=\"+Inf\"} 1",
            "b_seconds_sum 0.0003",
            "b_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
