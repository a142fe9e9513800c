//! The pod's own limits.

use crate::border::PodSpec;
use crate::cgroup::Hierarchies;
use crate::cgroup::mounts::below;
use std::fs;
use std::io;

/// CFS period of pods in microseconds.
const PERIOD: u64 = 100_000;

/// Files to write for a pod's group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PodLimits {
    cpu_shares: Option<u64>,
    cpu_quota: Option<i64>,
    memory: Option<i64>,
    pids: Option<u64>,
}

impl From<&PodSpec> for PodLimits {
    fn from(spec: &PodSpec) -> Self {
        Self { cpu_shares: spec.cpu_shares, cpu_quota: spec.cpu_quota, memory: spec.memory, pids: spec.pids }
    }
}

impl PodLimits {
    /// What to write: controller, file, value.
    fn files(&self, v2: impl Fn(&str) -> bool) -> Vec<(&'static str, &'static str, String)> {
        let mut files = Vec::new();
        if let Some(shares) = self.cpu_shares {
            match v2("cpu") {
                true => files.push(("cpu", "cpu.weight", weight(shares).to_string())),
                false => files.push(("cpu", "cpu.shares", shares.to_string())),
            }
        }
        if let Some(quota) = self.cpu_quota.filter(|quota| *quota > 0) {
            match v2("cpu") {
                true => files.push(("cpu", "cpu.max", format!("{quota} {PERIOD}"))),
                false => {
                    files.push(("cpu", "cpu.cfs_period_us", PERIOD.to_string()));
                    files.push(("cpu", "cpu.cfs_quota_us", quota.to_string()));
                }
            }
        }
        if let Some(memory) = self.memory.filter(|memory| *memory > 0) {
            let file = if v2("memory") { "memory.max" } else { "memory.limit_in_bytes" };
            files.push(("memory", file, memory.to_string()));
        }
        if let Some(pids) = self.pids {
            files.push(("pids", "pids.max", pids.to_string()));
        }
        files
    }

    /// Writes them to a group that exists.
    pub(crate) fn apply(&self, hierarchies: &Hierarchies, group: &str) -> io::Result<()> {
        let v2 = |name: &str| hierarchies.controller(name).is_some_and(|(_, v2)| v2);
        for (controller, file, value) in self.files(v2) {
            let (mount, _) = hierarchies.controller(controller).ok_or_else(|| {
                io::Error::other(format!("this machine has no {controller} cgroup controller, which a limit needs"))
            })?;
            let path = below(mount, group).join(file);
            fs::write(&path, &value).map_err(|error| {
                io::Error::new(error.kind(), format!("write {value} to {}: {error}", path.display()))
            })?;
        }
        Ok(())
    }
}

/// `cpu.weight` (1 to 10,000) of `cpu.shares` (2 to 262,144), KEP-2254.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::cgroup::fake::{Fake, Kind};

    fn limits() -> PodLimits {
        PodLimits { cpu_shares: Some(1024), cpu_quota: Some(50_000), memory: Some(1 << 20), pids: Some(99) }
    }

    /// Limits of a pod with one processor's weight, half a processor at most, 1 MiB and 99 processes.
    const GOLDEN: [(Kind, &[(&str, &str)]); 3] = [
        (
            Kind::V1,
            &[
                ("cpu/pod/cpu.cfs_period_us", "100000"),
                ("cpu/pod/cpu.cfs_quota_us", "50000"),
                ("cpu/pod/cpu.shares", "1024"),
                ("memory/pod/memory.limit_in_bytes", "1048576"),
                ("pids/pod/pids.max", "99"),
            ],
        ),
        (
            Kind::V2,
            &[
                ("pod/cpu.max", "50000 100000"),
                ("pod/cpu.weight", "39"),
                ("pod/memory.max", "1048576"),
                ("pod/pids.max", "99"),
            ],
        ),
        (
            // v1, but for memory and pids.
            Kind::Hybrid,
            &[
                ("cpu/pod/cpu.cfs_period_us", "100000"),
                ("cpu/pod/cpu.cfs_quota_us", "50000"),
                ("cpu/pod/cpu.shares", "1024"),
                ("unified/pod/memory.max", "1048576"),
                ("unified/pod/pids.max", "99"),
            ],
        ),
    ];

    #[test]
    fn what_is_written_where_in_each_hierarchy() {
        for (kind, golden) in GOLDEN {
            let fake = Fake::new(kind);
            fake.hierarchies.create("/pod", true).unwrap();
            let before = fake.files();
            limits().apply(&fake.hierarchies, "/pod").unwrap();
            let written: Vec<_> = fake.files().into_iter().filter(|file| !before.contains(file)).collect();
            let golden: Vec<_> = golden.iter().map(|(file, value)| ((*file).to_owned(), (*value).to_owned())).collect();
            assert_eq!(written, golden, "{kind:?}");
        }
    }

    #[test]
    fn no_limit_writes_nothing_and_a_missing_controller_is_named() {
        for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
            let fake = Fake::new(kind);
            fake.hierarchies.create("/pod", true).unwrap();
            let before = fake.files();
            PodLimits { cpu_quota: Some(-1), memory: Some(0), ..PodLimits::default() }
                .apply(&fake.hierarchies, "/pod")
                .unwrap();
            assert_eq!(fake.files(), before, "{kind:?}");
        }
        let error = limits().apply(&Hierarchies::default(), "/pod").unwrap_err().to_string();
        assert!(error.contains("no cpu cgroup controller"), "{error}");
    }

    #[test]
    fn weights_span_the_range() {
        assert_eq!((weight(0), weight(2), weight(262_144), weight(u64::MAX)), (1, 1, 10_000, 10_000));
    }
}
