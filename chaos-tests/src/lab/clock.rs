//! Wall clocks that can be moved: libfaketime below each master, told by a file. Monotonic time and timers are untouched.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Debian's libfaketime, below each architecture's directory.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Where this machine has it: Debian names the directory for the architecture, as the processor's name and "linux-gnu".
fn library() -> Option<PathBuf> {
    let own = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let places = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    [PathBuf::from(own), PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")]
        .into_iter()
        // Some architectures have another name there than ours: there is only one such directory on most machines.
        .chain(places.filter(|path| path.to_string_lossy().contains("-linux-gnu")))
        .map(|path| path.join(LIBRARY))
        .find(|path| path.exists())
}

/// One file for each host, and what a process needs to obey it.
#[derive(Debug, Clone)]
pub struct Clocks {
    dir: PathBuf,
    library: PathBuf,
}

impl Clocks {
    /// In a directory.
    ///
    /// # Errors
    /// The library is missing.
    pub fn new(dir: &Path) -> Result<Self> {
        let library = library().with_context(|| format!("{LIBRARY} is missing: apt-get install libfaketime"))?;
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        Ok(Self { dir: dir.to_owned(), library })
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
            ("LD_PRELOAD", self.library.to_string_lossy().into_owned()),
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
