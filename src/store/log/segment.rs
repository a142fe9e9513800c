//! One file of the log: a block that says which segment it is, then groups, one after the other.

use crate::codec::{decode, encode};
use crate::files::{File, Files};
use crate::log::damage::Damage;
use crate::log::frame::{self, BLOCK, Found, Stamp};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

const PREFIX: &str = "segment-";
const NEW: &str = ".new";

/// Where groups begin.
pub(crate) const BEGIN: u64 = BLOCK as u64;

/// What the first block says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    owner: (String, u64),
    /// Groups here have this number or a higher one; sectors with lower numbers are left over from an earlier use.
    floor: u64,
    size: u64,
}

/// An open segment. Its file is used for another one only when nobody holds this any more.
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) number: u64,
    pub(crate) floor: u64,
    pub(crate) size: u64,
    pub(crate) file: Arc<dyn File>,
}

/// What the first block of a file tells.
pub(crate) enum Opened {
    Segment(Segment),
    /// Only the beginning of its use was cut short, so nothing is in it.
    Unused(Spare),
    /// The block is damaged at this byte.
    Damaged(String, u64),
}

/// A file that holds nothing that is needed.
pub(crate) struct Spare {
    pub(crate) name: String,
    pub(crate) size: u64,
    file: Arc<dyn File>,
}

impl Segment {
    pub(crate) fn is_name(name: &str) -> bool {
        name.starts_with(PREFIX) && !is_unfinished(name)
    }

    /// Opens a file as what its first block says.
    pub(crate) fn open(files: &dyn Files, name: &str, owner: &(String, u64)) -> io::Result<Opened> {
        let place = files.place();
        let file = files.open(name)?;
        let size = file.size()?;
        let mut block = vec![0; BLOCK];
        if size < BLOCK as u64 {
            return Ok(Opened::Damaged(name.to_owned(), size));
        }
        file.read_at(&mut block, 0)?;
        let name = name.to_owned();
        let (stamp, contents) = match frame::find(&block) {
            Found::Whole { stamp, contents, .. } => (stamp, contents),
            Found::Torn(_) | Found::Absent(_) => return Ok(Opened::Unused(Spare { name, size, file })),
            Found::Damaged(at) => return Ok(Opened::Damaged(name, at as u64)),
        };
        let header: Header = decode(&contents).map_err(|error| Damage::error(&place, &name, 0, error.to_string()))?;
        if header.owner != *owner {
            let (cluster, member) = header.owner;
            let what = format!("it was written by member {member} of cluster {cluster}");
            return Err(Damage::error(&place, &name, 0, what));
        }
        if header.size != size {
            let what = format!("it has {size} bytes and had {}", header.size);
            return Err(Damage::error(&place, &name, size.min(header.size), what));
        }
        Ok(Opened::Segment(Self { name, number: stamp.number, floor: header.floor, size, file }))
    }

    /// All its bytes.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.size).map_err(io::Error::other)?];
        self.file.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// The contents of the group that was written here.
    pub(crate) fn group(&self, place: &str, offset: u64, length: usize, stamp: Stamp) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_at(&mut bytes, offset)?;
        match frame::find(&bytes) {
            Found::Whole { stamp: found, contents, .. } if found == stamp => Ok(contents),
            Found::Damaged(at) => {
                Err(Damage::error(place, &self.name, offset + at as u64, "a checksum does not match"))
            }
            _ => Err(Damage::error(place, &self.name, offset, format!("group {} is not there", stamp.number))),
        }
    }

    pub(crate) fn into_spare(self) -> Spare {
        Spare { name: self.name, size: self.size, file: self.file }
    }
}

impl Spare {
    /// A new file of this size, full of zeroes, durable.
    pub(crate) fn create(files: &dyn Files, id: u64, size: u64) -> io::Result<Self> {
        let name = format!("{PREFIX}{id:06}");
        let unfinished = format!("{name}{NEW}");
        let file = files.create(&unfinished)?;
        file.allocate(size)?;
        file.sync_data()?;
        files.rename(&unfinished, &name)?;
        files.sync_dir()?;
        // Under its name, for messages.
        let file = files.open(&name)?;
        Ok(Self { name, size, file })
    }

    /// Makes it a segment, durably. What was in it before has group numbers below `floor`.
    pub(crate) fn into_segment(self, owner: &(String, u64), stamp: Stamp, floor: u64) -> io::Result<Segment> {
        let Self { name, size, file } = self;
        let contents = encode(&Header { owner: owner.clone(), floor, size })?;
        let mut block = Vec::new();
        frame::frame(stamp, &[&contents], &mut block);
        if block.len() != BLOCK {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the cluster's id is too long"));
        }
        file.write_at(&block, 0)?;
        file.sync_data()?;
        Ok(Segment { name, number: stamp.number, floor, size, file })
    }
}

/// The number in a file's name, which never changes, whatever segment it is used for.
pub(crate) fn id(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.trim_end_matches(NEW).parse().ok()
}

/// A file whose creation was cut short.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.ends_with(NEW)
}
