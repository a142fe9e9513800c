//! The data directory, opened: log and state, and whether they belong together.

use super::storage;
use crate::alarm::Alarm;
use crate::border::StoreError;
use crate::config::StoreConfig;
use crate::disk::{self, Directory, Disk, Engines};
use crate::files::{MEND, Tree};
use crate::log::{LogOptions, LogStorage, OpenLog};
use crate::rt::{Runner, Worker};
use std::sync::Arc;

/// What opening the data directory gives.
pub(crate) struct Opened {
    pub(crate) directory: Arc<Directory>,
    pub(crate) log: LogStorage,
    pub(crate) log_thread: Worker,
    pub(crate) disk: Disk,
    pub(crate) loaded: disk::Loaded,
    pub(crate) disk_thread: Worker,
}

impl Opened {
    pub(crate) fn open(
        config: &StoreConfig,
        tree: Arc<dyn Tree>,
        engines: Arc<dyn Engines>,
        runner: &Arc<Runner>,
        segment_bytes: u64,
        alarm: &Alarm,
    ) -> Result<Self, StoreError> {
        let directory = Arc::new(Directory::open(tree.clone()).map_err(storage)?);
        let files = tree.directory("log").map_err(storage)?;
        let options = LogOptions::new(runner.clone(), segment_bytes);
        let opened = OpenLog::open(files, &config.cluster_id, config.member, options).map_err(storage)?;
        let (log, log_thread) = LogStorage::start(opened, config.log_cache_bytes, runner, alarm).map_err(storage)?;
        let (disk, loaded, disk_thread) = disk::start(directory.clone(), engines, runner, alarm).map_err(storage)?;
        if let Err(damage) = fit(&tree.place(), &log, &loaded) {
            // Whoever reads of the damage may mend it at once: nothing is written there any more.
            drop((log, disk, loaded));
            disk_thread.join();
            log_thread.join();
            return Err(StoreError::Storage(damage));
        }
        Ok(Self { directory, log, log_thread, disk, loaded, disk_thread })
    }
}

/// Whether log and state belong together: from the state on, the log must have everything.
fn fit(place: &str, log: &LogStorage, loaded: &disk::Loaded) -> Result<(), String> {
    let applied = loaded.progress.applied.map(|applied| applied.index());
    let what = match (log.purged(), applied) {
        (_, Some(applied)) if log.is_new() => {
            format!("the state is there up to log entry {applied} and the log is gone")
        }
        (Some(purged), applied) if applied.is_none_or(|applied| applied < purged) => {
            let found =
                applied.map_or_else(|| "is gone".to_owned(), |applied| format!("ends with log entry {applied}"));
            format!("the state {found} and the log begins after entry {purged}")
        }
        _ => return Ok(()),
    };
    Err(format!("{place} is damaged: {what}. {MEND}"))
}
