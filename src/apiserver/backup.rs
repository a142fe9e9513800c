//! Backups as a master makes them: of a linearizable view, streamed.

use bytes::Bytes;
use raftsman_backup::{BackupError, KeyFile, Manifest, MemberNote, write_view};
use raftsman_state::View;
use raftsman_store::border::Store;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// Files of the PKI directory that a cluster is the same cluster by: its authority and the key of its tokens.
const KEYS: [&str; 3] = ["ca.crt", "ca.key", "sa.key"];

/// Bytes that are sent at once.
const PIECE: usize = 256 << 10;

/// Pieces that wait for the client.
const QUEUE: usize = 8;

/// A client that takes nothing for so long is let go: what it reads keeps old objects in memory.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a master's backups say about their cluster, and where its keys are.
#[derive(Debug, Clone, Default)]
pub struct BackupSource {
    /// The cluster's name.
    pub cluster: String,
    /// The cluster's id.
    pub cluster_id: String,
    /// This master's name.
    pub master: String,
    /// The cluster's network settings as JSON.
    pub network: String,
    /// The PKI directory.
    pub pki: PathBuf,
}

impl BackupSource {
    /// The manifest of a backup that is made now, without what the view and the keys will say.
    pub fn manifest(&self, store: &dyn Store) -> Manifest {
        let member = |member: raftsman_store::border::MemberStatus| MemberNote {
            id: member.id,
            name: member.name,
            address: member.address,
            voter: member.voter,
        };
        Manifest {
            cluster: self.cluster.clone(),
            cluster_id: self.cluster_id.clone(),
            time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            master: self.master.clone(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            members: store.status().members.into_iter().map(member).collect(),
            network: self.network.clone(),
            ..Manifest::default()
        }
    }

    /// The keys and certificates. Blocks.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn keys(&self) -> Result<Vec<KeyFile>, String> {
        let read = |name: &str| {
            let path = self.pki.join(name);
            let content = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(KeyFile { name: name.to_owned(), content })
        };
        KEYS.into_iter().map(read).collect()
    }
}

/// Writes a backup on a thread of its own; its bytes come out of the receiver. A backup that failed ends early, which whoever
/// reads it sees.
pub(crate) fn stream(manifest: Manifest, view: View, keys: Vec<KeyFile>) -> mpsc::Receiver<Bytes> {
    let (pieces, queue) = mpsc::channel(QUEUE);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let out = Pieces { pieces, runtime, pending: Vec::with_capacity(PIECE) };
        match write_view(out, manifest, &view, &keys, None) {
            Ok((_, totals)) => tracing::info!(objects = totals.objects, bytes = totals.bytes, "a backup was given out"),
            Err(BackupError::Io { source, .. }) => tracing::warn!(error = %source, "a backup was broken off"),
            Err(error) => tracing::error!(%error, "a backup could not be made"),
        }
    });
    queue
}

/// Writes into a channel.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    runtime: tokio::runtime::Handle,
    pending: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.pending, Vec::with_capacity(PIECE));
        let sent = self.runtime.block_on(tokio::time::timeout(PATIENCE, self.pieces.send(Bytes::from(piece))));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client went away")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")),
        }
    }
}
