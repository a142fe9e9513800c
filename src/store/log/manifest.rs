//! The log's small file of its own: whose it is, and what changes seldom.
//!
//! Two slots, written in turn, so that the newest contents are never overwritten. A slot that a crash tore leaves the other
//! one; a slot that is neither whole nor torn is damage.

use crate::codec::{decode, encode};
use crate::files::{File, Files};
use crate::log::damage::Damage;
use crate::log::frame::{self, BLOCK, Found, Stamp};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

pub(crate) const NAME: &str = "manifest";
const NEW: &str = "manifest.new";

/// The form of the files in this directory.
const FORM: u32 = 1;

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    form: u32,
    /// The cluster and the member that the log belongs to.
    pub(crate) owner: (String, u64),
    /// Rises with every opening.
    pub(crate) incarnation: u32,
    /// The newest segment that may hold anything: it and all before it, back to the first one needed, must be there.
    pub(crate) newest: u64,
    /// Groups up to this number were synced: they must be there.
    pub(crate) durable: u64,
    /// This member lost its disk and has not caught up yet: it must not vote.
    pub(crate) rejoining: bool,
}

/// The open file.
pub(crate) struct Manifest {
    file: Arc<dyn File>,
    contents: Contents,
    /// The newest number seen in any slot.
    number: u64,
    /// The slot to be written next.
    next: u64,
}

impl Manifest {
    /// Creates it in a directory without one.
    pub(crate) fn create(files: &dyn Files, cluster: &str, member: u64) -> io::Result<Self> {
        let owner = (cluster.to_owned(), member);
        let contents = Contents { form: FORM, owner, incarnation: 0, newest: 0, durable: 0, rejoining: false };
        if files.list()?.iter().any(|name| name == NEW) {
            files.remove(NEW)?;
        }
        let file = files.create(NEW)?;
        file.allocate(2 * BLOCK as u64)?;
        let mut this = Self { file, contents, number: 0, next: 0 };
        this.store()?;
        files.rename(NEW, NAME)?;
        files.sync_dir()?;
        this.file = files.open(NAME)?;
        Ok(this)
    }

    /// Opens it and checks whose it is.
    pub(crate) fn open(files: &dyn Files, cluster: &str, member: u64) -> io::Result<Self> {
        let place = files.place();
        let file = files.open(NAME)?;
        let size = file.size()?;
        if size != 2 * BLOCK as u64 {
            return Err(Damage::error(&place, NAME, size.min(2 * BLOCK as u64), format!("it has {size} bytes")));
        }
        let mut newest: Option<(u64, u64, Vec<u8>)> = None;
        let mut number = 0;
        for slot in 0..2 {
            let offset = slot * BLOCK as u64;
            let mut bytes = vec![0; BLOCK];
            file.read_at(&mut bytes, offset)?;
            number = frame::newest(&bytes).map_or(number, |(found, _)| number.max(found));
            match frame::find(&bytes) {
                Found::Damaged(at) => {
                    return Err(Damage::error(&place, NAME, offset + at as u64, "a checksum does not match"));
                }
                Found::Whole { stamp, contents, .. } if newest.as_ref().is_none_or(|(n, ..)| *n < stamp.number) => {
                    newest = Some((stamp.number, slot, contents));
                }
                Found::Whole { .. } | Found::Torn(_) | Found::Absent(_) => {}
            }
        }
        let Some((_, slot, bytes)) = newest else {
            return Err(Damage::error(&place, NAME, 0, "neither of its two copies is whole"));
        };
        let unknown = |error: io::Error| Damage::error(&place, NAME, slot * BLOCK as u64, error.to_string());
        let contents: Contents = decode(&bytes).map_err(unknown)?;
        if contents.form != FORM {
            return Err(io::Error::other(format!(
                "{place} has form {}, this version of raftsman knows form {FORM}: use the version that wrote it",
                contents.form
            )));
        }
        let (owner, of) = &contents.owner;
        if (owner.as_str(), *of) != (cluster, member) {
            return Err(io::Error::other(format!(
                "{place} belongs to member {of} of cluster {owner}: give member {member} of cluster {cluster} its own \
                 data directory"
            )));
        }
        Ok(Self { file, contents, number, next: 1 - slot })
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Changes what it says, durably.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut Contents)) -> io::Result<()> {
        change(&mut self.contents);
        self.store()
    }

    fn store(&mut self) -> io::Result<()> {
        let bytes = encode(&self.contents)?;
        if frame::framed(bytes.len()) > BLOCK {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the cluster's id is too long"));
        }
        self.number += 1;
        let stamp = Stamp { number: self.number, incarnation: self.contents.incarnation };
        let mut out = Vec::new();
        frame::frame(stamp, &[&bytes], &mut out);
        self.file.write_at(&out, self.next * BLOCK as u64)?;
        self.file.sync_data()?;
        self.next = 1 - self.next;
        Ok(())
    }
}
