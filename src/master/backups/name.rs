//! Names of scheduled backups: by them alone it is known which files are this cluster's, and how old they are.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// In UTC, to the second: names sort by age.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// What follows the time.
const END: &str = ".backup";

/// The names of one cluster's backups: `raftsman-CLUSTER-20260131T235959Z.backup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    begin: String,
}

/// A file that a schedule has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// A backup, begun then.
    Whole(Timestamp),
    /// What a process left that was ended while it wrote.
    Part(Timestamp),
}

impl Names {
    /// Of a cluster of this name.
    pub(super) fn of(cluster: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        Self { begin: format!("raftsman-{}-", cluster.chars().map(plain).collect::<String>()) }
    }

    /// Of a backup that is begun now.
    pub(super) fn at(&self, time: Timestamp) -> String {
        format!("{}{}{END}", self.begin, time.strftime(TIME))
    }

    /// What a file is, if a schedule of this cluster made it.
    pub(super) fn read(&self, name: &str) -> Option<Made> {
        let (time, rest) = name.strip_prefix(&self.begin)?.split_once(END)?;
        let time = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        // Other spellings of the same time are not ours.
        if self.at(time) != name[..name.len() - rest.len()] {
            return None;
        }
        // As the writer of backups names what it has not finished.
        let process = rest.strip_prefix('.').and_then(|rest| rest.strip_suffix(".part"));
        let is_part = process.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
        match rest {
            "" => Some(Made::Whole(time)),
            _ => is_part.then_some(Made::Part(time)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_says_whose_a_file_is_and_how_old() {
        let names = Names::of("prod.eu");
        let time: Timestamp = "2026-01-31T23:59:59Z".parse().unwrap();
        let name = names.at(time);
        assert_eq!(name, "raftsman-prod_eu-20260131T235959Z.backup");
        assert_eq!(names.read(&name), Some(Made::Whole(time)));
        assert_eq!(names.read(&format!("{name}.4711.part")), Some(Made::Part(time)));
        assert_eq!(Names::of("prod").read(&name), None);
        for other in [
            "raftsman-prod_eu-.backup",
            "raftsman-prod_eu-20260131T235959Z.backup.gz",
            "raftsman-prod_eu-20260131T235959Z.backup.part",
            "raftsman-prod_eu-20260131T235959Z.backup.x.part",
            "raftsman-prod_eu-20261331T235959Z.backup",
            "raftsman-prod_eu-before-upgrade.backup",
            "raftsman-prod_eu-20260131T235959Z",
            "notes",
        ] {
            assert_eq!(names.read(other), None, "{other}");
        }
    }
}
