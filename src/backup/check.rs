//! Checking a file without its passphrase.

use crate::BackupError;
use crate::block::{Kind, Raw};
use crate::hashing::{DIGEST, Hashing};
use crate::header::{Header, fill};
use std::io::Read;

/// What can be said of a file by its checksums alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// It is encrypted.
    pub sealed: bool,
    /// Blocks, manifest and end included.
    pub blocks: u64,
    /// Its length.
    pub bytes: u64,
}

/// Reads the whole file and checks every sum.
///
/// # Errors
/// It is no backup, damaged, or cut off.
pub fn outline(input: impl Read) -> Result<Outline, BackupError> {
    let mut input = Hashing::new(input);
    let (header, _) = Header::read(&mut input)?;
    let mut blocks = 0;
    loop {
        let raw = Raw::read(&mut input, blocks)?;
        blocks += 1;
        if raw.kind == Kind::End {
            break;
        }
    }
    let found = input.digest();
    let mut stored = [0; DIGEST];
    fill(&mut input, &mut stored, BackupError::CutOff { block: blocks })?;
    let mut more = [0];
    let followed = input.read(&mut more).map_err(BackupError::io("read the backup"))? != 0;
    if found != stored || followed {
        return Err(BackupError::Damaged { block: blocks - 1, what: "the file's checksum differs".into() });
    }
    Ok(Outline { sealed: header.sealing.is_some(), blocks, bytes: input.bytes })
}
