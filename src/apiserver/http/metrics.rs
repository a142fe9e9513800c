//! Counts of requests, for Prometheus.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Upper bounds of the durations' buckets, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Default)]
struct Durations {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

/// All that is counted.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(String, String, u16), u64>>,
    durations: Mutex<BTreeMap<(String, String), Durations>>,
    watches: AtomicI64,
    in_flight: AtomicI64,
}

/// Counts something for as long as it lives.
pub(crate) struct Held<'a>(&'a AtomicI64);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hold(gauge: &AtomicI64) -> Held<'_> {
    gauge.fetch_add(1, Ordering::Relaxed);
    Held(gauge)
}

impl Metrics {
    /// A request was answered. Long ones (watches, streams) count, but not their durations.
    pub(crate) fn answered(&self, verb: &str, resource: &str, code: u16, took: Option<Duration>) {
        *self.requests.lock().entry((verb.to_owned(), resource.to_owned(), code)).or_default() += 1;
        let Some(took) = took else { return };
        let mut all = self.durations.lock();
        let durations = all.entry((verb.to_owned(), resource.to_owned())).or_default();
        let seconds = took.as_secs_f64();
        durations.count += 1;
        durations.sum += seconds;
        for (bound, bucket) in BOUNDS.iter().zip(&mut durations.buckets) {
            *bucket += u64::from(seconds <= *bound);
        }
    }

    /// How many watches there are.
    #[cfg(test)]
    pub(crate) fn watches(&self) -> i64 {
        self.watches.load(Ordering::Relaxed)
    }

    /// A watch begins.
    pub(crate) fn watching(&self) -> Held<'_> {
        hold(&self.watches)
    }

    /// A request begins, if fewer than so many are under way.
    pub(crate) fn admit(&self, most: usize) -> Option<Held<'_>> {
        let held = hold(&self.in_flight);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        (self.in_flight.load(Ordering::Relaxed) <= most).then_some(held)
    }

    /// In Prometheus' text form.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        head(&mut out, "apiserver_request_total", "counter", "Requests by verb, resource and code.");
        for ((verb, resource, code), count) in &*self.requests.lock() {
            let labels = format!("verb=\"{verb}\",resource=\"{resource}\",code=\"{code}\"");
            let _ = writeln!(out, "apiserver_request_total{{{labels}}} {count}");
        }
        let name = "apiserver_request_duration_seconds";
        head(&mut out, name, "histogram", "Time to the answer, watches and streams not counted.");
        for ((verb, resource), durations) in &*self.durations.lock() {
            let labels = format!("verb=\"{verb}\",resource=\"{resource}\"");
            for (bound, count) in BOUNDS.iter().zip(durations.buckets) {
                let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
            }
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", durations.count);
            let _ = writeln!(out, "{name}_sum{{{labels}}} {}", durations.sum);
            let _ = writeln!(out, "{name}_count{{{labels}}} {}", durations.count);
        }
        for (name, help, value) in [
            ("apiserver_longrunning_requests", "Watches under way.", self.watches.load(Ordering::Relaxed)),
            ("apiserver_current_inflight_requests", "Requests under way.", self.in_flight.load(Ordering::Relaxed)),
        ] {
            head(&mut out, name, "gauge", help);
            let _ = writeln!(out, "{name} {value}");
        }
        out
    }
}
