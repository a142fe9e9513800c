//! Wall clocks that can be moved: libfaketime below each master, told by a file. Monotonic time and timers are untouched.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// Debian's libfaketime.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// One file for each host, and what a process needs to obey it.
#[derive(Debug, Clone)]
pub struct Clocks {
    dir: PathBuf,
}

impl Clocks {
    /// In a directory.
    ///
    /// # Errors
    /// The library is missing.
    pub fn new(dir: &Path) -> Result<Self> {
        ensure!(Path::new(LIBRARY).exists(), "{LIBRARY} is missing: apt-get install libfaketime");
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        Ok(Self { dir: dir.to_owned() })
    }

    fn file(&self, host: &str) -> PathBuf {
        self.dir.join(host)
    }

    /// A host's clock is off by so many seconds from now on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set(&self, host: &str, seconds: i64) -> Result<()> {
        let new = self.dir.join(format!(".{host}"));
        std::fs::write(&new, format!("{seconds:+}\n"))?;
        // At once or not at all.
        std::fs::rename(&new, self.file(host)).context("clock file")
    }

    /// The environment of a host's process.
    pub fn environment(&self, host: &str) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", LIBRARY.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.file(host).to_string_lossy().into_owned()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_RESET", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
