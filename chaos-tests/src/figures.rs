//! Measured figures, printed together at the end.

use std::collections::BTreeMap;
use std::time::Duration;

/// Named series of durations.
#[derive(Debug, Default)]
pub struct Figures {
    series: BTreeMap<String, Vec<Duration>>,
}

impl Figures {
    /// Adds one measurement.
    pub fn add(&mut self, name: &str, value: Duration) {
        self.series.entry(name.to_owned()).or_default().push(value);
    }

    /// One line a series: count, median, worst.
    pub fn lines(&self) -> Vec<String> {
        let line = |(name, values): (&String, &Vec<Duration>)| {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let at = |index: usize| sorted.get(index).map_or(0, Duration::as_millis);
            format!(
                "{name}: n={} median {} ms, worst {} ms",
                sorted.len(),
                at(sorted.len() / 2),
                at(sorted.len().saturating_sub(1))
            )
        };
        self.series.iter().map(line).collect()
    }
}
