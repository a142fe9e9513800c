//! The machine's promise in a page of shared memory: the agent writes it, all supervisors and their guards read it.

use crate::border::Promise;
use crate::supervisor::record;
use crate::sys::Page;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// The page.
#[derive(Debug)]
pub(crate) struct PromisePage {
    page: Page,
    boot: u64,
}

/// The first half of the boot's id, which no two boots share.
fn boot() -> u64 {
    let digits: String = record::boot_id().chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0)
}

impl PromisePage {
    /// Opens or makes it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let page = Page::of_file(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        Ok(Self { page, boot: boot() })
    }

    /// The promise as it now is. Of another boot of the machine, none.
    pub(crate) fn read(&self) -> Promise {
        if self.page.large[0].load(SeqCst) != self.boot {
            return Promise::default();
        }
        // The epoch last: with a new end comes the new epoch, or a still newer one, which admits nobody.
        let until = Duration::from_nanos(self.page.large[1].load(SeqCst));
        Promise { epoch: self.page.small[0].load(SeqCst), until }
    }

    /// Writes a new promise. By one process at a time.
    pub(crate) fn write(&self, promise: Promise) {
        // The epoch first: a pod of the old one must not see the new end with it.
        self.page.small[0].store(promise.epoch, SeqCst);
        if self.page.large[0].load(SeqCst) != self.boot {
            self.page.large[1].store(0, SeqCst);
            self.page.large[0].store(self.boot, SeqCst);
        }
        let until = u64::try_from(promise.until.as_nanos()).unwrap_or(u64::MAX);
        self.page.large[1].store(until, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_one_writes_the_other_reads_and_a_reboot_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("promise");
        let (writer, reader) = (PromisePage::open(&path).unwrap(), PromisePage::open(&path).unwrap());
        assert_eq!(reader.read(), Promise::default());
        let promise = Promise { epoch: 3, until: Duration::from_secs(77) };
        writer.write(promise);
        assert_eq!(reader.read(), promise);
        assert!(reader.read().admits(3, Duration::from_secs(76)));
        assert!(!reader.read().admits(3, Duration::from_secs(77)), "over");
        assert!(!reader.read().admits(2, Duration::from_secs(1)), "of an earlier row");
        assert!(!Promise { epoch: 0, until: Duration::MAX }.admits(0, Duration::ZERO), "never admitted");
        let later = PromisePage { boot: reader.boot ^ 1, ..reader };
        assert_eq!(later.read(), Promise::default());
    }
}
