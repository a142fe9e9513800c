//! Taking in a snapshot from the leader, going on where an earlier attempt broke off.
//!
//! Files are collected in one directory that outlives a broken stream, and this process. What it has of each file is told to
//! the sender by length and SHA-256; the sender goes on behind what equals its own. So it does not matter whether it is the same
//! snapshot, or the same leader, as before: tables that a newer snapshot shares with an older one are not sent again.

use crate::codec::decode;
use crate::disk::{Directory, SnapshotDir, is_plain};
use crate::files::{File, Files};
use crate::peers::send::Description;
use crate::raft::types::Snapshot;
use crate::rt::{self, Instant};
use futures::{Stream, StreamExt};
use raftsman_proto::v1::{SnapshotChunk, SnapshotFile};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// Bytes that are read at a time to sum them.
const PIECE: usize = 1 << 20;

/// Between two attempts of a transfer, and between its question and its first chunk, there is less.
const OLD: Duration = Duration::from_secs(60);

/// Where snapshots arrive. One at a time: a newer stream ends the one before.
pub(crate) struct Incoming {
    directory: Arc<Directory>,
    turn: Mutex<()>,
    newest: watch::Sender<u64>,
    /// When something may have been left here that nobody has gone on with since.
    left: parking_lot::Mutex<Option<Instant>>,
}

impl Incoming {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        // Of an earlier life, perhaps.
        let left = parking_lot::Mutex::new(Some(Instant::now()));
        Self { directory, turn: Mutex::new(()), newest: watch::Sender::new(0), left }
    }

    /// What is here of the files that a snapshot consists of. What belongs to none of them is removed.
    pub(crate) async fn held(&self, offered: Vec<SnapshotFile>) -> io::Result<Vec<SnapshotFile>> {
        self.begins();
        let _turn = self.turn.lock().await;
        let directory = self.directory.clone();
        rt::blocking(move || {
            let files = directory.incoming()?;
            let sizes: BTreeMap<&str, u64> = offered.iter().map(|file| (file.name.as_str(), file.size)).collect();
            let mut held = Vec::new();
            for name in files.list()? {
                let size = files.open(&name)?.size()?;
                if sizes.get(name.as_str()).is_some_and(|whole| size <= *whole) {
                    let sum = digest(&*files.open(&name)?, size)?.finalize().to_vec().into();
                    held.push(SnapshotFile { name, size, sum });
                } else {
                    files.remove(&name)?;
                }
            }
            Ok(held)
        })
        .await?
    }

    /// Removes what is left of a transfer that was broken off, once it is old. For a member that needs no snapshot.
    pub(crate) async fn tidy(&self) -> io::Result<()> {
        let old = |left: Option<Instant>| left.is_some_and(|since| since.elapsed() >= OLD);
        let (true, Ok(_turn)) = (old(*self.left.lock()), self.turn.try_lock()) else { return Ok(()) };
        *self.left.lock() = None;
        let directory = self.directory.clone();
        rt::blocking(move || directory.remove_incoming()).await?
    }

    /// Somebody sends something: it may come to nothing.
    fn begins(&self) {
        *self.left.lock() = Some(Instant::now());
        self.newest.send_modify(|newest| *newest += 1);
    }

    /// Whether a snapshot of this member's own is whole.
    pub(crate) async fn check_own(&self, snapshot: &SnapshotDir) -> io::Result<()> {
        let (directory, own) = (self.directory.clone(), snapshot.clone());
        rt::blocking(move || directory.check_own(&own)).await?
    }

    /// Whether what arrived is whole.
    pub(crate) async fn check(&self, snapshot: &Snapshot) -> io::Result<()> {
        let (directory, arrived) = (self.directory.clone(), snapshot.snapshot.clone());
        rt::blocking(move || directory.check(&arrived)).await?
    }

    /// Takes in a stream of chunks. One that ends before the last chunk changes nothing but what is held here.
    pub(crate) async fn take(
        &self,
        mut chunks: impl Stream<Item = SnapshotChunk> + Send + Unpin,
    ) -> io::Result<(Description, Snapshot)> {
        self.begins();
        let mut newest = self.newest.subscribe();
        newest.mark_unchanged();
        let _turn = self.turn.lock().await;
        let mut receiving: Option<Receiving> = None;
        loop {
            let chunk = tokio::select! {
                biased;
                _ = newest.changed() => return Err(wrong("another one has come")),
                chunk = chunks.next() => chunk.ok_or_else(|| wrong("it ended early"))?,
            };
            let last = chunk.last;
            let (before, directory) = (receiving.take(), self.directory.clone());
            let taken = rt::blocking(move || match before {
                None => Receiving::begin(&directory, &chunk),
                Some(mut receiving) => receiving.take(&chunk).map(|()| receiving),
            });
            let taken = taken.await??;
            if last {
                let directory = self.directory.clone();
                return rt::blocking(move || taken.finish(&directory)).await?;
            }
            receiving = Some(taken);
        }
    }
}

/// A snapshot that is being received, on a thread that may block.
struct Receiving {
    files: Arc<dyn Files>,
    description: Description,
    /// The file that is being received: its place in the description.
    open: Option<(usize, Arc<dyn File>, u64, Sha256)>,
    complete: usize,
}

impl Receiving {
    /// The first chunk says what there will be, and from where on each file is sent.
    fn begin(directory: &Directory, first: &SnapshotChunk) -> io::Result<Self> {
        let description: Description = decode(&first.description)?;
        if let Some(file) = description.files.iter().find(|file| !is_plain(&file.name) || file.offset > file.size) {
            return Err(wrong(&format!("file {:?} cannot be", file.name)));
        }
        let files = directory.incoming()?;
        let here = files.list()?;
        for name in &here {
            if !description.files.iter().any(|file| file.name == *name && file.offset > 0) {
                files.remove(name)?;
            }
        }
        Ok(Self { files, description, open: None, complete: 0 })
    }

    fn take(&mut self, chunk: &SnapshotChunk) -> io::Result<()> {
        if chunk.last {
            return self.skip_held(self.description.files.len());
        }
        if crc32fast::hash(&chunk.data) != chunk.sum {
            return Err(wrong("the checksum of a chunk differs"));
        }
        if self.open.is_none() {
            let next = self.description.files.iter().skip(self.complete).position(|file| file.name == chunk.file);
            let at = self.complete + next.ok_or_else(|| wrong(&format!("file {:?} was not announced", chunk.file)))?;
            self.skip_held(at)?;
            let announced = &self.description.files[at];
            let file = if announced.offset == 0 {
                self.files.create(&announced.name)
            } else {
                self.files.open(&announced.name)
            }?;
            let sum = digest(&*file, announced.offset)?;
            self.open = Some((at, file, announced.offset, sum));
        }
        let Some((at, file, offset, sum)) = &mut self.open else { return Err(wrong("no file")) };
        let announced = &self.description.files[*at];
        if announced.name != chunk.file || *offset != chunk.offset {
            return Err(wrong("a chunk is missing"));
        }
        file.write_at(&chunk.data, *offset)?;
        sum.update(&chunk.data);
        *offset += chunk.data.len() as u64;
        if *offset > announced.size {
            return Err(wrong(&format!("{} is longer than it should be", announced.name)));
        }
        if *offset == announced.size {
            file.sync_data()?;
            if sum.clone().finalize().as_slice() != &chunk.whole[..] {
                self.files.remove(&announced.name)?;
                return Err(wrong(&format!("the checksum of {} differs", announced.name)));
            }
            self.complete = *at + 1;
            self.open = None;
        }
        Ok(())
    }

    /// Files up to this one are here as a whole: the sender has compared their sums.
    fn skip_held(&mut self, upto: usize) -> io::Result<()> {
        for file in self.description.files.get(self.complete..upto).unwrap_or_default() {
            let held = self.files.open(&file.name)?;
            if file.offset != file.size || held.size()? != file.size {
                return Err(wrong(&format!("{} is missing", file.name)));
            }
            held.sync_data()?;
        }
        self.complete = upto;
        Ok(())
    }

    /// The whole snapshot, on disk.
    fn finish(self, directory: &Directory) -> io::Result<(Description, Snapshot)> {
        self.files.sync_dir()?;
        drop(self.files);
        let snapshot: SnapshotDir = directory.arrived()?;
        let meta = self.description.meta.clone();
        Ok((self.description, Snapshot { meta, snapshot }))
    }
}

/// SHA-256 of the first bytes of a file, to go on with.
pub(super) fn digest(file: &dyn File, length: u64) -> io::Result<Sha256> {
    let mut sum = Sha256::new();
    let mut offset = 0;
    while offset < length {
        let mut piece = vec![0; PIECE.min(usize::try_from(length - offset).unwrap_or(PIECE))];
        file.read_at(&mut piece, offset)?;
        sum.update(&piece);
        offset += piece.len() as u64;
    }
    Ok(sum)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("snapshot from the leader: {what}"))
}
