//! A snapshot as the chunks in which it is sent: only what the receiver lacks, no faster than it should be.

use crate::codec::encode_bytes;
use crate::disk::SnapshotDir;
use crate::files::File;
use crate::peers::BoxedStream;
use crate::peers::receive::digest;
use crate::raft::types::{Snapshot, SnapshotMeta, Vote};
use crate::rt::{self, Instant};
use parking_lot::Mutex;
use raftsman_proto::v1::{SnapshotChunk, SnapshotFile};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a snapshot in one message.
const CHUNK: usize = 512 << 10;

/// Why a stream of chunks ended before the last one.
pub(crate) type Broken = Arc<Mutex<Option<io::Error>>>;

/// What the first chunk carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) vote: Vote,
    pub(crate) meta: SnapshotMeta,
    /// In the order in which they are sent.
    pub(crate) files: Vec<Announced>,
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// The receiver has what is before.
    pub(crate) offset: u64,
}

/// The files of a snapshot, for asking what the receiver has of them.
pub(crate) fn offer(snapshot: &SnapshotDir) -> io::Result<Vec<SnapshotFile>> {
    let named = |(name, size)| SnapshotFile { name, size, ..SnapshotFile::default() };
    Ok(snapshot.files()?.into_iter().map(named).collect())
}

/// Where sending goes on: behind what the receiver has, where that equals what is here.
pub(crate) fn resume(
    snapshot: &SnapshotDir,
    offered: &[SnapshotFile],
    held: &[SnapshotFile],
) -> io::Result<Vec<Announced>> {
    let files = snapshot.open()?;
    offered
        .iter()
        .map(|file| {
            let theirs = held.iter().find(|held| held.name == file.name && held.size <= file.size && held.size > 0);
            let offset = match theirs {
                Some(theirs)
                    if digest(&*files.open(&file.name)?, theirs.size)?.finalize().as_slice() == &theirs.sum[..] =>
                {
                    theirs.size
                }
                _ => 0,
            };
            Ok(Announced { name: file.name.clone(), size: file.size, offset })
        })
        .collect()
}

/// Description, files, end. Each chunk is read when it is asked for; when one cannot be, the stream ends early and says why.
/// `rate` is in bytes a second.
pub(crate) fn snapshot(
    vote: &Vote,
    snapshot: &Snapshot,
    files: Vec<Announced>,
    rate: u64,
) -> io::Result<(BoxedStream<SnapshotChunk>, Broken)> {
    let description = Description { vote: *vote, meta: snapshot.meta.clone(), files };
    let first = SnapshotChunk { description: encode_bytes(&description)?, ..SnapshotChunk::default() };
    let sending = Sending {
        snapshot: snapshot.snapshot.clone(),
        files: description.files.into_iter(),
        open: None,
        begun: Instant::now(),
        sent: 0,
        rate: rate.max(1),
    };
    let broken = Broken::default();
    let failure = broken.clone();
    let chunks = futures::stream::unfold(Next::First(first, sending), move |next| {
        let failure = failure.clone();
        async move {
            let mut sending = match next {
                Next::First(chunk, sending) => return Some((chunk, Next::Files(sending))),
                Next::Files(sending) => sending,
                Next::Nothing => return None,
            };
            rt::sleep(sending.ahead()).await;
            let read = rt::blocking(move || sending.next().map(|chunk| (chunk, sending))).await;
            match read.and_then(|read| read) {
                Ok((Some(chunk), sending)) => Some((chunk, Next::Files(sending))),
                Ok((None, _)) => Some((SnapshotChunk { last: true, ..SnapshotChunk::default() }, Next::Nothing)),
                Err(error) => {
                    *failure.lock() = Some(error);
                    None
                }
            }
        }
    });
    Ok((Box::pin(chunks), broken))
}

enum Next {
    First(SnapshotChunk, Sending),
    Files(Sending),
    Nothing,
}

struct Sending {
    snapshot: SnapshotDir,
    /// Those not begun yet.
    files: std::vec::IntoIter<Announced>,
    open: Option<Open>,
    begun: Instant,
    sent: u64,
    rate: u64,
}

struct Open {
    name: String,
    file: Arc<dyn File>,
    offset: u64,
    size: u64,
    sum: Sha256,
}

impl Sending {
    /// How far it is ahead of its rate.
    fn ahead(&self) -> Duration {
        let due = Duration::from_nanos(
            u64::try_from(u128::from(self.sent) * 1_000_000_000 / u128::from(self.rate)).unwrap_or(u64::MAX),
        );
        due.saturating_sub(self.begun.elapsed())
    }

    /// The next bytes of a file; an empty one is sent too.
    fn next(&mut self) -> io::Result<Option<SnapshotChunk>> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => match self.begin()? {
                Some(open) => open,
                None => return Ok(None),
            },
        };
        let mut data = vec![0; CHUNK.min(usize::try_from(open.size - open.offset).unwrap_or(CHUNK))];
        open.file.read_at(&mut data, open.offset)?;
        open.sum.update(&data);
        let (file, offset) = (open.name.clone(), open.offset);
        open.offset += data.len() as u64;
        self.sent += data.len() as u64;
        let mut chunk = SnapshotChunk { file, offset, sum: crc32fast::hash(&data), ..SnapshotChunk::default() };
        chunk.data = data.into();
        if open.offset < open.size {
            self.open = Some(open);
        } else {
            chunk.whole = open.sum.finalize().to_vec().into();
        }
        Ok(Some(chunk))
    }

    /// Opens the next file of which anything is to be sent.
    fn begin(&mut self) -> io::Result<Option<Open>> {
        let Some(next) = self.files.find(|file| file.offset < file.size || file.size == 0) else { return Ok(None) };
        let file = self.snapshot.open()?.open(&next.name)?;
        let sum = digest(&*file, next.offset)?;
        Ok(Some(Open { name: next.name, file, offset: next.offset, size: next.size, sum }))
    }
}
