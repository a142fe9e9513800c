//! The beginning of the file: what it is and how it is sealed.

use crate::BackupError;
use crate::seal::Sealing;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};

const MAGIC: &[u8; 16] = b"RAFTSMAN-BACKUP\n";

/// The format that this raftsman writes; it reads this and older ones.
pub(crate) const VERSION: u16 = 1;

/// Longest header.
const LIMIT: usize = 4096;

/// How the blocks are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// `None`: readable by everybody.
    pub(crate) sealing: Option<Sealing>,
}

impl Header {
    /// Its bytes in the file.
    fn encode(&self) -> Result<Vec<u8>, BackupError> {
        let content = postcard::to_stdvec(self).map_err(|error| BackupError::Unwritable(format!("header: {error}")))?;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(content.len() as u16).to_le_bytes());
        out.extend_from_slice(&content);
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        Ok(out)
    }

    /// Writes it and gives its digest, which binds the blocks to it.
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<[u8; 32], BackupError> {
        let bytes = self.encode()?;
        out.write_all(&bytes).map_err(BackupError::io("write the backup"))?;
        Ok(Sha256::digest(&bytes).into())
    }

    /// Reads it, with its digest.
    pub(crate) fn read(input: &mut impl Read) -> Result<(Self, [u8; 32]), BackupError> {
        let mut bytes = vec![0; MAGIC.len() + 4];
        fill(input, &mut bytes, BackupError::Foreign)?;
        if !bytes.starts_with(MAGIC) {
            return Err(BackupError::Foreign);
        }
        let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let (version, length) = (number(MAGIC.len()), usize::from(number(MAGIC.len() + 2)));
        if version > VERSION {
            return Err(BackupError::Version { found: version, known: VERSION });
        }
        let damaged = |what: &str| BackupError::Damaged { block: 0, what: format!("its header {what}") };
        if length > LIMIT {
            return Err(damaged("is too long"));
        }
        let begin = bytes.len();
        bytes.resize(begin + length + 4, 0);
        fill(input, &mut bytes[begin..], BackupError::CutOff { block: 0 })?;
        let (head, sum) = bytes.split_at(bytes.len() - 4);
        if crc32fast::hash(head).to_le_bytes() != *sum {
            return Err(damaged("has another checksum"));
        }
        let header = postcard::from_bytes(&head[begin..]).map_err(|_| damaged("cannot be read"))?;
        Ok((header, Sha256::digest(&bytes).into()))
    }
}

/// Fills the buffer; the end of input before that is `short`.
pub(crate) fn fill(input: &mut impl Read, buffer: &mut [u8], short: BackupError) -> Result<(), BackupError> {
    input.read_exact(buffer).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => short,
        _ => BackupError::Io { what: "read the backup", source: error },
    })
}
