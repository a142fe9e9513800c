//! The shared place: pods of all nodes write into one directory, the nodes being on one machine.

use crate::record::Line;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone)]
pub struct Diary(PathBuf);

impl Diary {
    /// In a directory, empty.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        Ok(Self(dir.to_owned()))
    }

    /// Where.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// Everything that was written, by file. `offset`: the machine's uptime at the beginning of the run.
    pub fn read(&self, offset: Duration) -> BTreeMap<String, Vec<Line>> {
        let files = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let read = |entry: std::fs::DirEntry| {
            // A torn line at the end of a killed writer is no line.
            let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap_or_default()).into_owned();
            let lines = text.lines().filter_map(|line| parse(line, offset)).collect();
            (entry.file_name().to_string_lossy().into_owned(), lines)
        };
        files.map(read).collect()
    }
}

/// `UPTIME NODE LIFE WORD`.
fn parse(line: &str, offset: Duration) -> Option<Line> {
    let mut words = line.splitn(4, ' ');
    let at: f64 = words.next()?.parse().ok()?;
    let at = Duration::try_from_secs_f64(at).ok()?.saturating_sub(offset);
    let (node, life) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Line { at, node, life, word: words.next().unwrap_or_default().to_owned() })
}

/// The machine's uptime.
///
/// # Errors
/// It cannot be read.
pub fn uptime() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/uptime")?;
    let seconds: f64 = text.split(' ').next().and_then(|up| up.parse().ok()).context("/proc/uptime")?;
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_torn_ones_are_not() {
        let line = parse("12.50 n1 abc begin 3", Duration::from_secs(10));
        let word = "begin 3".to_owned();
        let at = Duration::from_millis(2500);
        assert_eq!(line, Some(Line { at, node: "n1".to_owned(), life: "abc".to_owned(), word }));
        assert_eq!(parse("12.5", Duration::ZERO), None);
        assert_eq!(parse("x n1 abc", Duration::ZERO), None);
    }
}
