//! Wall clocks that can be moved: libfaketime below each host's process, told by a file. Monotonic time and timers are untouched.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Debian's libfaketime, below each architecture's directory.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Names the file that a process obeys.
const FILE: &str = "FAKETIME_TIMESTAMP_FILE";

/// A process with this environment (`/proc/PID/environ`) has a clock that can be moved.
pub(super) fn obeyed(environment: &[u8]) -> bool {
    let named = |entry: &[u8]| entry.strip_prefix(FILE.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
    environment.split(|byte| *byte == 0).any(named)
}

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

    /// The environment of a host's process, a variable a line.
    pub fn environment(&self, host: &str) -> String {
        let (library, file) = (self.library.display(), self.file(host));
        format!(
            "LD_PRELOAD={library}\n{FILE}={}\nFAKETIME_CACHE_DURATION=1\nFAKETIME_DONT_FAKE_MONOTONIC=1\n\
             FAKETIME_DONT_RESET=1\nNO_FAKE_STAT=1\n",
            file.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_obeys_if_it_was_told_so_when_it_was_started() {
        assert!(obeyed(b"HOME=/\0FAKETIME_TIMESTAMP_FILE=/run/m1\0LANG=C\0"));
        assert!(!obeyed(b"HOME=/\0NO_FAKETIME_TIMESTAMP_FILE=x\0") && !obeyed(b""));
    }
}
