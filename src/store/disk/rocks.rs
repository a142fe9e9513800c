//! RocksDB as the state's engine. Its write-ahead log is off: what a crash takes, the Raft log still has.

use crate::disk::engine::{Batch, Each, Engine, Engines, Flusher};
use crate::files::MEND;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{DB, DBCompressionType, Direction, IteratorMode, Options, WriteBatch, WriteOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Compression by level of the tree; RocksDB has seven.
const LEVELS: [DBCompressionType; 7] = {
    use DBCompressionType::{Lz4, None};
    [None, None, Lz4, Lz4, Lz4, Lz4, Lz4]
};

/// Flushed tables that are compacted together.
const FLUSHED: i32 = 10;

/// Opens RocksDB databases.
pub(crate) struct Rocks {
    root: PathBuf,
}

impl Rocks {
    /// Below a data directory.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

impl Engines for Rocks {
    fn open(&self, name: &str) -> io::Result<Box<dyn Engine>> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_write_buffer_size(64 << 20);
        // What is compacted soon is not worth compressing.
        options.set_compression_per_level(&LEVELS);
        options.set_keep_log_file_num(3);
        options.set_max_background_jobs(2);
        // Checksums are checked at every read anyway; this also refuses a database with a missing or shorter file, and
        // to write on after the first error.
        options.set_paranoid_checks(true);
        // By then most of a busy resource's history is compacted, and need not be written again.
        options.set_level_zero_file_num_compaction_trigger(FLUSHED);
        let path = self.root.join(name);
        whole(&path)?;
        let db = DB::open(&options, path).map_err(broken)?;
        Ok(Box::new(Database { db: Arc::new(db), root: self.root.clone() }))
    }
}

struct Database {
    db: Arc<DB>,
    root: PathBuf,
}

impl Engine for Database {
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.db.get(key).map_err(broken)
    }

    fn scan(&self, prefix: &[u8], each: Each<'_>) -> io::Result<()> {
        for item in self.db.iterator(IteratorMode::From(prefix, Direction::Forward)) {
            let (key, value) = item.map_err(broken)?;
            if !key.starts_with(prefix) {
                break;
            }
            each(&key, &value)?;
        }
        Ok(())
    }

    fn write(&mut self, fill: &mut dyn FnMut(&mut dyn Batch) -> io::Result<()>) -> io::Result<()> {
        let mut batch = Pending(WriteBatch::default());
        fill(&mut batch)?;
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.db.write_opt(batch.0, &options).map_err(broken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.db.flush().map_err(broken)
    }

    fn flusher(&self) -> Option<Flusher> {
        let db = Arc::downgrade(&self.db);
        Some(Arc::new(move || db.upgrade().map_or(Ok(()), |db| db.flush().map_err(broken))))
    }

    fn checkpoint(&mut self, name: &str) -> io::Result<()> {
        Checkpoint::new(&*self.db)
            .and_then(|checkpoint| checkpoint.create_checkpoint(self.root.join(name)))
            .map_err(broken)
    }
}

struct Pending(WriteBatch);

impl Batch for Pending {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.put(key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.delete(key);
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8]) {
        self.0.delete_range(from, to);
    }
}

/// Refuses a directory that holds a database's files but not the one to begin with: an empty database would be put there.
fn whole(path: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
    // Without tables it may just have been created.
    let remains = names.iter().find(|name| name.to_string_lossy().ends_with(".sst"));
    match remains {
        Some(remains) if !names.iter().any(|name| name == "CURRENT") => {
            let text = format!(
                "{} is damaged: it holds {} and has no file CURRENT. {MEND}",
                path.display(),
                remains.to_string_lossy()
            );
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
        _ => Ok(()),
    }
}

fn broken(error: rocksdb::Error) -> io::Error {
    match error.kind() {
        rocksdb::ErrorKind::Corruption => {
            io::Error::new(io::ErrorKind::InvalidData, format!("the state is damaged: {error}. {MEND}"))
        }
        _ => io::Error::other(format!("state: {error}")),
    }
}
