//! What is written with one write and one sync: entries, and all that a member must remember beside them.

use crate::codec::{decode, encode, encode_into};
use crate::raft::types::{Entry, LogId, Vote};
use serde::{Deserialize, Serialize};
use std::io;

/// What a member remembers beside entries. Every group carries all of it, so the newest group alone tells, and no older
/// one is kept for its sake.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) vote: Option<Vote>,
    /// How far the log was known to be committed; may be behind.
    pub(crate) committed: Option<LogId>,
    /// Entries up to here are gone.
    pub(crate) purged: Option<LogId>,
    /// The oldest segment that holds an entry that is not gone.
    pub(crate) first_segment: u64,
}

/// Before a group's entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) memory: Memory,
    /// Before its own entries, those of earlier groups after this index (all of them: `Some(None)`) are gone.
    pub(crate) truncate: Option<Option<u64>>,
    /// Index of its first entry.
    pub(crate) first: u64,
    /// How many entries follow, of consecutive indexes.
    pub(crate) count: u64,
}

/// The beginning of a group.
pub(crate) fn encode_head(head: &Head) -> io::Result<Vec<u8>> {
    let bytes = encode(head)?;
    let mut out = length(bytes.len())?.to_vec();
    out.extend_from_slice(&bytes);
    Ok(out)
}

/// Appends an entry.
pub(crate) fn push_entry(entry: &Entry, out: &mut Vec<u8>) -> io::Result<()> {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    encode_into(entry, out)?;
    let bytes = length(out.len() - begin - 4)?;
    out[begin..begin + 4].copy_from_slice(&bytes);
    Ok(())
}

/// The head, and the entries still encoded.
pub(crate) fn split(contents: &[u8]) -> io::Result<(Head, Vec<&[u8]>)> {
    let (head, mut rest) = piece(contents)?;
    let head: Head = decode(head)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = piece(rest)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() as u64 != head.count {
        return Err(invalid(&format!("{} entries where {} are announced", entries.len(), head.count)));
    }
    Ok((head, entries))
}

fn piece(bytes: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let short = || invalid("a length beyond its end");
    let (length, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(short)
}

fn length(bytes: usize) -> io::Result<[u8; 4]> {
    u32::try_from(bytes).map(u32::to_le_bytes).map_err(|_| invalid("an entry of more than 4 GiB"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a group with {what}"))
}
