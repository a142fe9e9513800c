//! Carries the schedule out while this master leads.

use super::name::Names;
use super::plan::{Plan, Rule, plan};
use jiff::Timestamp;
use raftsman_api::config::BackupConfig;
use raftsman_apiserver::BackupSource;
use raftsman_backup::{Passphrase, Written, write_file, write_view};
use raftsman_controllers::Clock;
use raftsman_state::View;
use raftsman_store::border::Store;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The directory is looked at so often at least: files come and go, and clocks are set.
const LOOK: Duration = Duration::from_secs(60);

/// One master's scheduled backups.
#[derive(Debug, Clone)]
pub struct ScheduledBackups {
    config: BackupConfig,
    source: BackupSource,
    names: Names,
}

impl ScheduledBackups {
    /// Of this master's cluster, as its configuration says.
    pub fn new(config: BackupConfig, source: BackupSource) -> Self {
        let names = Names::of(&source.cluster);
        Self { config, source, names }
    }

    /// Runs until the leadership is over. One that is being written then is finished: it is as good as any.
    pub async fn run(self, store: Arc<dyn Store>, clock: Arc<dyn Clock>, over: CancellationToken) {
        loop {
            let wait = match self.turn(&store, clock.time()).await {
                Ok(wait) => wait.min(LOOK),
                Err(reason) => {
                    tracing::error!(directory = %self.config.dir.display(), reason, "no scheduled backup was made; trying again");
                    LOOK
                }
            };
            tokio::select! {
                () = over.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Writes what is due, then removes what is too much; gives the time until the next.
    async fn turn(&self, store: &Arc<dyn Store>, now: Timestamp) -> Result<Duration, String> {
        let mut plan = self.plan(now).await?;
        if let Some(name) = plan.write.take() {
            let view = store.read().await.map_err(|error| error.to_string())?;
            let (this, store) = (self.clone(), store.clone());
            let (written, name) =
                blocking(move || this.write(&*store, &name, &view).map(|written| (written, name))).await?;
            tracing::info!(
                file = %self.config.dir.join(&name).display(),
                revision = written.manifest.revision,
                objects = written.totals.objects,
                bytes = written.bytes,
                "a scheduled backup was written and read back"
            );
            plan = self.plan(now).await?;
        }
        let this = self.clone();
        let delete = std::mem::take(&mut plan.delete);
        blocking(move || this.delete(&delete)).await?;
        Ok(plan.wait)
    }

    async fn plan(&self, now: Timestamp) -> Result<Plan, String> {
        let this = self.clone();
        let rule = Rule { every: self.config.every.0, keep: self.config.keep };
        blocking(move || Ok(plan(&this.names, &files(&this.config.dir)?, now, rule))).await
    }

    fn write(&self, store: &dyn Store, name: &str, view: &View) -> Result<Written, String> {
        let passphrase = match &self.config.passphrase_file {
            None => None,
            Some(path) => {
                let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                Some(Passphrase::new(text).map_err(|error| format!("{}: {error}", path.display()))?)
            }
        };
        // In the clear, the keys of the whole cluster would be in every copy of the file.
        let keys = if passphrase.is_some() { self.source.keys()? } else { Vec::new() };
        let manifest = self.source.manifest(store);
        let path = self.config.dir.join(name);
        write_file(&path, passphrase.as_ref(), |out| write_view(out, manifest, view, &keys, passphrase.as_ref()))
            .map_err(|error| error.to_string())
    }

    fn delete(&self, names: &[String]) -> Result<(), String> {
        let mut failed = Vec::new();
        for name in names {
            match std::fs::remove_file(self.config.dir.join(name)) {
                Ok(()) => tracing::info!(name, "an old scheduled backup was removed"),
                // Another master removes the same where they share the directory.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => failed.push(format!("{name}: {error}")),
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }
}

fn files(directory: &Path) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    std::fs::create_dir_all(directory).map_err(failed)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        // Nothing of ours has a name that is no text.
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use raftsman_backup::{Item, Reader};
    use raftsman_state::{Body, Key, Meta, Op, Resource, Txn};
    use raftsman_store::memory::MemoryStore;
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt;

    /// Goes on with tokio's paused time.
    struct FakeClock(tokio::time::Instant);

    impl FakeClock {
        fn start() -> Arc<Self> {
            Arc::new(Self(tokio::time::Instant::now()))
        }
    }

    impl Clock for FakeClock {
        fn time(&self) -> Timestamp {
            let begin: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
            begin + self.mono()
        }

        fn mono(&self) -> Duration {
            self.0.elapsed()
        }

        fn seed(&self) -> u64 {
            0
        }
    }

    async fn put(store: &dyn Store, name: &str) {
        let key = Key::new(&Resource::from("configmaps"), "default", name);
        let op = Op::Put { key, meta: Arc::new(Meta::default()), body: Body::plain("{}") };
        store.propose(Txn { ops: vec![op], ..Txn::default() }).await.unwrap();
    }

    fn scheduled(root: &Path, keep: usize, passphrase: Option<&str>) -> ScheduledBackups {
        let pki = root.join("pki");
        std::fs::create_dir_all(&pki).unwrap();
        for name in ["ca.crt", "ca.key", "sa.key"] {
            std::fs::write(pki.join(name), name).unwrap();
        }
        let passphrase_file = passphrase.map(|text| {
            std::fs::write(root.join("passphrase"), text).unwrap();
            root.join("passphrase")
        });
        let every = raftsman_api::config::Every(Duration::from_secs(3600));
        let config = BackupConfig { every, keep, dir: root.join("backups"), passphrase_file };
        let source = BackupSource { cluster: "c".into(), master: "m1".into(), pki, ..BackupSource::default() };
        ScheduledBackups::new(config, source)
    }

    fn held(root: &Path) -> Vec<String> {
        let mut names = files(&root.join("backups")).unwrap();
        names.sort();
        names
    }

    #[tokio::test(start_paused = true)]
    async fn the_leader_writes_by_the_clock_keeps_so_many_and_leaves_other_files_alone() {
        let root = tempfile::tempdir().unwrap();
        let backups = scheduled(root.path(), 2, None);
        std::fs::create_dir(root.path().join("backups")).unwrap();
        std::fs::write(root.path().join("backups/raftsman-c-mine.backup"), "by hand").unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        put(&*store, "a").await;
        let over = CancellationToken::new();
        let running = tokio::spawn(backups.run(store.clone(), FakeClock::start(), over.clone()));
        tokio::time::sleep(Duration::from_secs(3 * 3600 + 1800)).await;
        let name = |hour: u64| format!("raftsman-c-20260501T0{hour}0000Z.backup");
        assert_eq!(held(root.path()), [name(2), name(3), "raftsman-c-mine.backup".to_owned()]);
        let path = root.path().join("backups").join(name(3));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut reader = Reader::open(File::open(path).unwrap(), None).unwrap();
        assert_eq!((reader.manifest().revision, reader.manifest().keys.len()), (1, 0));
        assert_eq!(reader.drain().unwrap().objects, 1);
        // Led no more, it writes no more.
        over.cancel();
        running.await.unwrap();
        tokio::time::sleep(Duration::from_secs(7200)).await;
        assert_eq!(held(root.path()).len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_passphrase_it_is_sealed_and_holds_the_keys() {
        let root = tempfile::tempdir().unwrap();
        let backups = scheduled(root.path(), 1, Some("a long one\n"));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let now = FakeClock::start().time();
        assert_eq!(backups.turn(&store, now).await.unwrap(), Duration::from_secs(3600));
        let path = root.path().join("backups").join(&held(root.path())[0]);
        assert!(Reader::open(File::open(&path).unwrap(), None).is_err());
        let passphrase = Passphrase::new("a long one").unwrap();
        let mut reader = Reader::open(File::open(&path).unwrap(), Some(&passphrase)).unwrap();
        let Some(Item::Key(key)) = reader.next_item().unwrap() else { panic!("no key in it") };
        assert_eq!(key.name, "ca.crt");
    }

    #[tokio::test(start_paused = true)]
    async fn a_backup_that_cannot_be_written_removes_nothing_and_is_tried_again() {
        let root = tempfile::tempdir().unwrap();
        let backups = scheduled(root.path(), 1, Some(""));
        std::fs::create_dir(root.path().join("backups")).unwrap();
        let old = root.path().join("backups/raftsman-c-20260430T000000Z.backup");
        std::fs::write(&old, "the only one").unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let over = CancellationToken::new();
        let running = tokio::spawn(backups.run(store, FakeClock::start(), over.clone()));
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(held(root.path()), ["raftsman-c-20260430T000000Z.backup"]);
        std::fs::write(root.path().join("passphrase"), "better").unwrap();
        tokio::time::sleep(LOOK).await;
        over.cancel();
        running.await.unwrap();
        assert_eq!(held(root.path()), ["raftsman-c-20260501T000100Z.backup"]);
    }
}
