//! On what the figures were taken.

use serde::Serialize;

/// The machine and the program.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    /// Processors that this process may use.
    pub(crate) processors: usize,
    /// The model of the first.
    pub(crate) model: String,
    /// `uname -r`.
    pub(crate) kernel: String,
    /// This program was compiled with optimisation for speed and without debug assertions.
    pub(crate) optimised: bool,
    /// Load average over one minute when the run began: others' work shows here.
    pub(crate) load: f64,
}

impl Machine {
    /// This one, now.
    pub(crate) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(':')).map_or("", |(_, name)| name.trim());
        let load = read("/proc/loadavg").split(' ').next().and_then(|first| first.parse().ok());
        Self {
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            model: model.to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            optimised: !cfg!(debug_assertions),
            load: load.unwrap_or(0.0),
        }
    }
}
