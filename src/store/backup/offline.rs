//! A data directory without a member that runs on it.

use crate::alarm::Alarm;
use crate::border::StoreError;
use crate::config::StoreConfig;
use crate::disk::{Disk, Loaded};
use crate::environment::Environment;
use crate::files::{DirectoryLock, Tree};
use crate::log::LogStorage;
use crate::peers::Transport;
use crate::rt::{self, Runner, Worker};
use crate::store::Opened;
use std::sync::Arc;

/// Log and state of a member, opened for one who is alone with them.
pub(super) struct Offline {
    pub(super) tree: Arc<dyn Tree>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) log: LogStorage,
    pub(super) disk: Disk,
    runner: Arc<Runner>,
    workers: Vec<Worker>,
    _lock: Option<DirectoryLock>,
}

impl Offline {
    /// Opens and loads; refuses a directory that is in use.
    pub(super) async fn open(config: &StoreConfig) -> Result<(Self, Loaded), StoreError> {
        let lock = DirectoryLock::take(&config.data_dir).map_err(storage)?;
        Self::open_in(config, Environment::real(config)?, Some(lock)).await
    }

    /// The same in its environment.
    pub(super) async fn open_in(
        config: &StoreConfig,
        environment: Environment,
        lock: Option<DirectoryLock>,
    ) -> Result<(Self, Loaded), StoreError> {
        let Environment { runner, transport, tree, engines, segment_bytes } = environment;
        let runner = Arc::new(runner);
        let (settings, threads, root) = (config.clone(), runner.clone(), tree.clone());
        let opened =
            rt::blocking(move || Opened::open(&settings, root, engines, &threads, segment_bytes, &Alarm::new())).await;
        let Opened { log, log_thread, disk, loaded, disk_thread, .. } = opened.map_err(storage)??;
        let workers = vec![log_thread, disk_thread];
        Ok((Self { tree, transport, log, disk, runner, workers, _lock: lock }, loaded))
    }

    /// Everything that was written is on disk and the directory is free when this returns.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        let Self { log, disk, runner, workers, .. } = self;
        drop((log, disk));
        for worker in workers {
            worker.ended().await;
        }
        rt::blocking(runner.stop()).await.map_err(storage)
    }
}

pub(super) fn storage(error: std::io::Error) -> StoreError {
    StoreError::Storage(error.to_string())
}
