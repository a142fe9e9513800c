//! Backups that the leader makes by itself.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Backups closer to each other than this cost more than they are worth.
const LEAST_EVERY: Duration = Duration::from_secs(60);

/// Most files that are kept.
const MOST_KEPT: usize = 10_000;

/// What a master does as leader: whoever leads writes into its own directory, so every master needs this section. Directories
/// may be one and the same (on a file server).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupConfig {
    /// From one backup to the next, such as `6h`, `1d` or `1h30m`.
    pub every: Every,
    /// So many files are kept; the oldest beyond them is removed after a new one was written and checked. Other files in the
    /// directory are left alone.
    pub keep: usize,
    /// The directory, made if absent. Files are readable by their owner only: they hold Secrets.
    pub dir: PathBuf,
    /// A file with the passphrase that seals backups; they hold the cluster's keys and certificates too then. Without it they
    /// are not encrypted and hold no keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
}

impl BackupConfig {
    /// What contradicts itself, each with the field it is about.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.every.0 < LEAST_EVERY {
            problems.push(format!("backup.every: {} is less than a minute", String::from(self.every)));
        }
        if !(1..=MOST_KEPT).contains(&self.keep) {
            problems.push(format!("backup.keep: {} lies outside of 1 to {MOST_KEPT}", self.keep));
        }
        let paths = [("dir", Some(&self.dir)), ("passphraseFile", self.passphrase_file.as_ref())];
        for (name, path) in paths.into_iter().filter_map(|(name, path)| Some((name, path?))) {
            if !path.is_absolute() {
                problems.push(format!("backup.{name}: {} must begin with /", path.display()));
            }
        }
        problems
    }
}

/// A time between two events: numbers with the units `s`, `m`, `h` and `d`, largest first or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Every(pub Duration);

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl TryFrom<String> for Every {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time such as 6h, 1d or 1h30m");
        let mut rest = text.as_str();
        let mut seconds: Option<u64> = None;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
            let unit = rest[end..].chars().next().ok_or_else(wrong)?;
            let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            let more = number.checked_mul(factor).ok_or_else(wrong)?;
            seconds = Some(seconds.unwrap_or(0).checked_add(more).ok_or_else(wrong)?);
            rest = &rest[end + unit.len_utf8()..];
        }
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(wrong)
    }
}

impl From<Every> for String {
    fn from(every: Every) -> Self {
        let mut seconds = every.0.as_secs();
        let mut text = String::new();
        for (unit, factor) in UNITS {
            if seconds >= factor {
                text.push_str(&format!("{}{unit}", seconds / factor));
                seconds %= factor;
            }
        }
        if text.is_empty() { "0s".to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(text: &str) -> Result<BackupConfig, String> {
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_schedule_is_read_and_written_alike() {
        let config =
            parsed("{ every: 1h30m, keep: 7, dir: /backups, passphraseFile: /etc/raftsman/passphrase }").unwrap();
        assert_eq!((config.every.0, config.keep), (Duration::from_secs(5_400), 7));
        assert_eq!(config.problems(), Vec::<String>::new());
        assert_eq!(parsed(&serde_yaml::to_string(&config).unwrap()).unwrap(), config);
        for (text, seconds) in [("1d", 86_400), ("90s", 90), ("2d12h", 216_000)] {
            assert_eq!(Every::try_from(text.to_owned()).unwrap().0.as_secs(), seconds);
            assert!(!String::from(Every::try_from(text.to_owned()).unwrap()).is_empty());
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for text in ["", "6", "h", "6w", "6 h", "99999999999999999999h", "999999999999999999d", "1hé"] {
            let error = Every::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains("no time"), "{text}: {error}");
        }
        assert!(parsed("{ every: 1h, keep: 1, dir: /b, passphrase: secret }").unwrap_err().contains("passphrase"));
        let config = parsed("{ every: 59s, keep: 0, dir: b, passphraseFile: p }").unwrap();
        let problems = config.problems();
        assert_eq!(problems.len(), 4, "{problems:?}");
        for (problem, field) in problems.iter().zip(["every", "keep", "dir", "passphraseFile"]) {
            assert!(problem.starts_with(&format!("backup.{field}: ")), "{problem}");
        }
    }
}
