//! Which of several histories a member's data belongs to.
//!
//! A restored or recovered cluster keeps its id, so that nodes know it again. Members that still hold what came before must
//! not meet it: their terms and indexes mean other entries. So each restore and recovery draws a number, which goes with the
//! data, is in every request between members, and is taken over by a member with an empty disk from those it finds.

use crate::files::Tree;
use std::io;

/// The lineage of a cluster that was neither restored nor recovered.
pub(crate) const FIRST: u64 = 0;

const DIRECTORY: &str = "lineage";
const FILE: &str = "lineage";
const NEW: &str = "new";
const LENGTH: usize = 12;

/// A new one: never [`FIRST`], and no other's.
pub(crate) fn draw() -> u64 {
    crate::rt::random().max(FIRST + 1)
}

/// What the data directory says; [`FIRST`] if nothing.
pub(crate) fn read(tree: &dyn Tree) -> io::Result<u64> {
    if !tree.exists(DIRECTORY)? {
        return Ok(FIRST);
    }
    let files = tree.directory(DIRECTORY)?;
    if !files.list()?.iter().any(|name| name == FILE) {
        return Ok(FIRST);
    }
    let mut bytes = [0; LENGTH];
    files.open(FILE)?.read_at(&mut bytes, 0)?;
    let (value, sum) = bytes.split_at(8);
    if crc32fast::hash(value).to_le_bytes() != *sum {
        let place = files.place();
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{place}/{FILE}: its checksum differs")));
    }
    let mut number = [0; 8];
    number.copy_from_slice(value);
    Ok(u64::from_le_bytes(number))
}

/// Makes it durable.
pub(crate) fn write(tree: &dyn Tree, lineage: u64) -> io::Result<()> {
    let files = tree.directory(DIRECTORY)?;
    if files.list()?.iter().any(|name| name == NEW) {
        files.remove(NEW)?;
    }
    let value = lineage.to_le_bytes();
    let file = files.create(NEW)?;
    file.write_at(&[&value[..], &crc32fast::hash(&value).to_le_bytes()].concat(), 0)?;
    file.sync_data()?;
    files.rename(NEW, FILE)?;
    files.sync_dir()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::files::RealTree;

    #[test]
    fn it_stays_with_the_data_and_damage_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let tree = RealTree::open(directory.path()).unwrap();
        assert_eq!(read(&tree).unwrap(), FIRST);
        write(&tree, 7).unwrap();
        write(&tree, 9).unwrap();
        assert_eq!(read(&tree).unwrap(), 9);
        let path = directory.path().join(DIRECTORY).join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(read(&tree).is_err());
    }
}
