//! Bytes in stamped sectors: the form in which everything of the log is on disk.
//!
//! A frame takes whole blocks of [`BLOCK`] bytes, so that no block is ever written again once it is synced (until its
//! segment is recycled) and none must be read before it is written. Each of its sectors carries a stamp and a CRC32C of its
//! own. A disk writes sectors wholly or not at all (see [`crate::files`]), so each sector of a frame whose writing was cut
//! short is valid: either new, or what was there before. **A sector that is neither zeroes nor valid is damage**, also in
//! the very last frame: that is how a flipped bit is told from a torn write.

use crate::files::SECTOR;

/// Frames begin and end at multiples of so many bytes: a page of memory, and the physical sector of most disks.
pub(crate) const BLOCK: usize = 4096;

/// At the end of each sector: frame number, incarnation, part, CRC32C of all before it; little endian.
const STAMP: usize = 8 + 4 + 4 + 4;

/// What a sector carries of a frame's contents.
const CONTENT: usize = SECTOR - STAMP;

/// Before the contents: their length.
const LENGTH: usize = 4;

/// Tells frames apart, and so a recycled segment's old sectors from new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Rises by one with every frame.
    pub(crate) number: u64,
    /// Rises with every opening: a frame that a crash tore and another one of that number are never mixed up.
    pub(crate) incarnation: u32,
}

/// One sector as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sector {
    /// Never written.
    Empty,
    /// The part of this number, of the frame with this stamp.
    Part(Stamp, u32),
    Damaged,
}

/// What was found where a frame may begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole frame: its contents, and the bytes that it takes.
    Whole { stamp: Stamp, contents: Vec<u8>, length: usize },
    /// The beginning of a frame that was not written to its end.
    Torn(Stamp),
    /// No frame begins here; what is here is of the frame with this number, if of any.
    Absent(Option<u64>),
    /// Damage, so many bytes further on.
    Damaged(usize),
}

/// Bytes that a frame with so many bytes of contents takes.
pub(crate) fn framed(contents: usize) -> usize {
    sectors(contents).div_ceil(BLOCK / SECTOR) * BLOCK
}

fn sectors(contents: usize) -> usize {
    (LENGTH + contents).div_ceil(CONTENT)
}

/// Appends the frame of these contents, given in pieces. At most 4 GiB.
pub(crate) fn frame(stamp: Stamp, pieces: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let begin = out.len();
    out.reserve(framed(length));
    let prefix = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut part = 0;
    let mut room = CONTENT;
    for mut piece in std::iter::once(prefix.as_slice()).chain(pieces.iter().copied()) {
        while !piece.is_empty() {
            if room == 0 {
                seal(stamp, part, out);
                part += 1;
                room = CONTENT;
            }
            let (now, rest) = piece.split_at(room.min(piece.len()));
            out.extend_from_slice(now);
            room -= now.len();
            piece = rest;
        }
    }
    out.resize(out.len() + room, 0);
    seal(stamp, part, out);
    out.resize(begin + framed(length), 0);
}

/// Ends the sector whose contents were appended last.
fn seal(stamp: Stamp, part: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&stamp.number.to_le_bytes());
    out.extend_from_slice(&stamp.incarnation.to_le_bytes());
    out.extend_from_slice(&part.to_le_bytes());
    let sum = crc32c::crc32c(&out[out.len() - (SECTOR - 4)..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// What a sector holds.
pub(crate) fn sector(bytes: &[u8]) -> Sector {
    let (Some((covered, sum)), true) = (bytes.split_last_chunk::<4>(), bytes.len() == SECTOR) else {
        return Sector::Damaged;
    };
    if crc32c::crc32c(covered) != u32::from_le_bytes(*sum) {
        let empty = *sum == [0; 4] && bytes.iter().all(|byte| *byte == 0);
        return if empty { Sector::Empty } else { Sector::Damaged };
    }
    let stamp = Stamp { number: u64_at(covered, CONTENT), incarnation: u32_at(covered, CONTENT + 8) };
    Sector::Part(stamp, u32_at(covered, CONTENT + 12))
}

/// The frame that begins with these bytes, which go on to the end of the file or at least of the frame.
pub(crate) fn find(bytes: &[u8]) -> Found {
    let Some(first) = bytes.get(..SECTOR) else {
        return Found::Absent(None);
    };
    let stamp = match sector(first) {
        Sector::Empty => return Found::Absent(None),
        Sector::Damaged => return Found::Damaged(0),
        Sector::Part(stamp, 0) => stamp,
        Sector::Part(stamp, _) => return Found::Absent(Some(stamp.number)),
    };
    let length = u32_at(first, 0) as usize;
    if framed(length) > bytes.len() {
        return Found::Damaged(0);
    }
    let mut contents = Vec::with_capacity(length + CONTENT);
    let mut torn = false;
    for (part, bytes) in bytes.chunks_exact(SECTOR).take(sectors(length)).enumerate() {
        match sector(bytes) {
            Sector::Damaged => return Found::Damaged(part * SECTOR),
            found => torn |= found != Sector::Part(stamp, part as u32),
        }
        contents.extend_from_slice(&bytes[if part == 0 { LENGTH } else { 0 }..CONTENT]);
    }
    if torn {
        return Found::Torn(stamp);
    }
    contents.truncate(length);
    Found::Whole { stamp, contents, length: framed(length) }
}

/// The newest frame of which any sector is here.
pub(crate) fn newest(bytes: &[u8]) -> Option<(u64, usize)> {
    let parts = bytes.chunks_exact(SECTOR).enumerate().filter_map(|(at, bytes)| match sector(bytes) {
        Sector::Part(stamp, _) => Some((stamp.number, at * SECTOR)),
        Sector::Empty | Sector::Damaged => None,
    });
    parts.max_by_key(|(number, _)| *number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    const STAMPED: Stamp = Stamp { number: 7, incarnation: 3 };

    fn of(length: usize) -> (Vec<u8>, Vec<u8>) {
        let contents: Vec<u8> = (0..length).map(|n| (n * 31 % 251) as u8).collect();
        let mut out = Vec::new();
        frame(STAMPED, &[&contents[..length / 3], &contents[length / 3..]], &mut out);
        (contents, out)
    }

    #[test]
    fn a_frame_holds_its_contents() {
        for length in [0, 1, CONTENT - LENGTH, CONTENT - LENGTH + 1, 2100, 4096, 8 * CONTENT - LENGTH, 100_000] {
            let (contents, out) = of(length);
            assert_eq!((out.len(), out.len() % BLOCK), (framed(length), 0));
            assert_eq!(find(&out), Found::Whole { stamp: STAMPED, contents, length: out.len() });
        }
        assert_eq!(framed(8 * CONTENT - LENGTH), BLOCK);
        assert_eq!(framed(8 * CONTENT - LENGTH + 1), 2 * BLOCK);
        assert_eq!(find(&[0; BLOCK]), Found::Absent(None));
    }

    proptest! {
        /// Any flipped bit in a frame's sectors is damage; one in the unused rest of its last block is nothing.
        #[test]
        fn a_flipped_bit_is_damage(length in 0..9000usize, at in any::<prop::sample::Index>(), bit in 0..8) {
            let (contents, mut out) = of(length);
            let at = at.index(out.len());
            out[at] ^= 1u8 << bit;
            let used = sectors(length) * SECTOR;
            if at < used {
                prop_assert_eq!(find(&out), Found::Damaged(at / SECTOR * SECTOR));
            } else {
                let whole = Found::Whole { stamp: STAMPED, contents, length: out.len() };
                prop_assert_eq!(find(&out), whole);
            }
        }

        /// Sectors of which some are new and some old are never damage, and never a frame.
        #[test]
        fn a_torn_frame_is_no_damage(length in 0..9000usize, old in any::<bool>(), new in any::<u64>()) {
            let (contents, out) = of(length);
            let mut before = Vec::new();
            if old {
                frame(Stamp { number: 7, incarnation: 2 }, &[&contents], &mut before);
            }
            before.resize(out.len(), 0);
            let count = sectors(length);
            let mut all = true;
            for part in 0..count {
                let bytes = part * SECTOR..(part + 1) * SECTOR;
                if new >> (part % 64) & 1 == 1 {
                    before[bytes.clone()].copy_from_slice(&out[bytes]);
                } else {
                    all = false;
                }
            }
            let none = (0..count).all(|part| new >> (part % 64) & 1 == 0);
            match find(&before) {
                Found::Whole { stamp, .. } if stamp == STAMPED => prop_assert!(all),
                Found::Whole { .. } => prop_assert!(none && old),
                Found::Torn(_) => prop_assert!(!all),
                Found::Absent(_) => prop_assert!(new & 1 == 0 && !old),
                Found::Damaged(at) => panic!("damage at {at}"),
            }
        }
    }
}
