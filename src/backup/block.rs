//! Blocks: framing, checksum, compression and sealing.

use crate::BackupError;
use crate::header::fill;
use crate::seal::Seal;
use std::io::{Read, Write};

/// A block with objects is closed when it holds so many bytes.
pub(crate) const BLOCK: usize = 1 << 20;

/// Larger blocks are damage: no object comes near it.
const LIMIT: usize = 256 << 20;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Manifest = 1,
    KeyFile = 2,
    Objects = 3,
    End = 4,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Manifest, Self::KeyFile, Self::Objects, Self::End].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A block as it stands in the file.
pub(crate) struct Raw {
    pub(crate) kind: Kind,
    content: Vec<u8>,
}

/// Writes one block.
pub(crate) fn write(
    out: &mut impl Write,
    seal: Option<&Seal>,
    number: u64,
    kind: Kind,
    content: &[u8],
) -> Result<(), BackupError> {
    if content.len() > LIMIT / 2 {
        return Err(BackupError::Unwritable(format!("a block of {} bytes", content.len())));
    }
    let mut packed = lz4_flex::compress_prepend_size(content);
    if let Some(seal) = seal {
        seal.close(number, kind as u8, &mut packed)?;
    }
    let mut head = [kind as u8, 0, 0, 0, 0];
    head[1..].copy_from_slice(&(packed.len() as u32).to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head);
    sum.update(&packed);
    for part in [&head[..], &packed, &sum.finalize().to_le_bytes()] {
        out.write_all(part).map_err(BackupError::io("write the backup"))?;
    }
    Ok(())
}

impl Raw {
    /// Reads the next block and checks its sum.
    pub(crate) fn read(input: &mut impl Read, number: u64) -> Result<Self, BackupError> {
        let cut = || BackupError::CutOff { block: number };
        let damaged = |what: &str| BackupError::Damaged { block: number, what: what.into() };
        let mut head = [0; 5];
        fill(input, &mut head, cut())?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let kind = Kind::of(head[0]).ok_or_else(|| damaged("its kind is unknown"))?;
        if length > LIMIT {
            return Err(damaged("it is too long"));
        }
        // Grows as bytes come: a length that lies costs no memory.
        let mut content = Vec::new();
        input.take(length as u64).read_to_end(&mut content).map_err(BackupError::io("read the backup"))?;
        if content.len() < length {
            return Err(cut());
        }
        let mut stored = [0; 4];
        fill(input, &mut stored, cut())?;
        let mut sum = crc32fast::Hasher::new();
        sum.update(&head);
        sum.update(&content);
        if sum.finalize().to_le_bytes() != stored {
            return Err(damaged("its checksum differs"));
        }
        Ok(Self { kind, content })
    }

    /// Its content, opened and unpacked.
    pub(crate) fn open(self, seal: Option<&Seal>, number: u64) -> Result<(Kind, Vec<u8>), BackupError> {
        let packed = match seal {
            Some(seal) => seal.open(number, self.kind as u8, self.content)?,
            None => self.content,
        };
        let damaged = |what: String| BackupError::Damaged { block: number, what };
        let (size, rest) = lz4_flex::block::uncompressed_size(&packed)
            .map_err(|error| damaged(format!("it cannot be unpacked: {error}")))?;
        if size > LIMIT {
            return Err(damaged("it is too long".into()));
        }
        let content =
            lz4_flex::decompress(rest, size).map_err(|error| damaged(format!("it cannot be unpacked: {error}")))?;
        if content.len() != size {
            return Err(damaged("it unpacks to another length".into()));
        }
        Ok((self.kind, content))
    }
}
