//! Reading the log when it is opened: what is there, where it ends, and whether it is whole.
//!
//! Groups have consecutive numbers, and each is synced before the next is written. So exactly one group, the one after the
//! last whole one, can have been cut short; it was never acknowledged and is as if it had not been written. Everything
//! else that is missing or damaged is an error:
//!
//! - a sector that is neither valid nor empty where groups are due, also in the last group (see [`crate::log::frame`]);
//! - a group that is missing although any sector of a later one is there;
//! - a group that is missing although the manifest knows that it was synced (a disk that lost what it had confirmed);
//! - a segment that is missing although the manifest or the newest group needs it.

use crate::codec::decode;
use crate::files::Files;
use crate::log::damage::Damage;
use crate::log::frame::{self, Found, Stamp};
use crate::log::group::{self, Memory};
use crate::log::index::{Index, Place};
use crate::log::manifest::{self, Contents};
use crate::log::segment::{self, BEGIN, Opened, Segment, Spare};
use crate::raft::types::{Entry, LogId};
use openraft::entry::RaftEntry;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

/// What was found.
#[derive(Default)]
pub(crate) struct Recovered {
    pub(crate) index: Index,
    pub(crate) memory: Memory,
    /// The newest entry.
    pub(crate) last: Option<LogId>,
    /// The number of the next group.
    pub(crate) number: u64,
    /// Oldest first. The last group is in the one before those of `ahead`.
    pub(crate) segments: VecDeque<Arc<Segment>>,
    /// Where the next group goes in the last of `segments`.
    pub(crate) end: u64,
    /// Segments without groups, to be used next.
    pub(crate) ahead: VecDeque<Arc<Segment>>,
    pub(crate) spares: Vec<Spare>,
}

/// Reads everything, and makes durable what was found.
pub(crate) fn recover(files: &dyn Files, contents: &Contents) -> io::Result<Recovered> {
    let place = files.place();
    let (segments, spares) = open_segments(files, &place, contents)?;
    let mut scan = Scan { place: &place, found: Recovered { spares, ..Recovered::default() }, tail: None };
    for segment in &segments {
        scan.read(segment)?;
    }
    let Scan { mut found, tail, .. } = scan;
    let last = found.number.saturating_sub(1);
    if last < contents.durable {
        let what = format!("group {} was synced and is not there; the last one is {last}", contents.durable);
        let (name, at) =
            tail.as_ref().map_or((manifest::NAME, 0), |tail| (tail.place.segment.name.as_str(), tail.after));
        return Err(Damage::error(&place, name, at, what));
    }
    let first = segments.first().map_or(0, |segment| segment.number);
    let Some(tail) = tail else {
        found.number = contents.durable + 1;
        found.ahead = segments.into();
        return Ok(found);
    };
    if found.memory.first_segment < first {
        return Err(missing(&place, found.memory.first_segment, contents.newest));
    }
    tail.rewrite()?;
    found.last = last_entry(&place, &found)?;
    found.end = tail.after;
    let newest = tail.place.segment.number;
    let (used, ahead): (Vec<_>, Vec<_>) = segments.into_iter().partition(|segment| segment.number <= newest);
    found.ahead = ahead.into();
    found.segments = used.into();
    Ok(found)
}

/// The segments that may hold anything, in order without a gap; files that hold nothing.
fn open_segments(files: &dyn Files, place: &str, contents: &Contents) -> io::Result<(Vec<Arc<Segment>>, Vec<Spare>)> {
    let mut by_number = BTreeMap::new();
    let mut spares = Vec::new();
    let mut damaged = Vec::new();
    for name in files.list()? {
        if segment::is_unfinished(&name) {
            files.remove(&name)?;
        } else if Segment::is_name(&name) {
            match Segment::open(files, &name, &contents.owner)? {
                Opened::Unused(spare) => spares.push(spare),
                Opened::Damaged(name, at) => damaged.push((name, at)),
                // Its use had begun and the manifest was not told: nothing is in it.
                Opened::Segment(segment) if segment.number > contents.newest => spares.push(segment.into_spare()),
                Opened::Segment(segment) => {
                    if let Some(other) = by_number.insert(segment.number, segment) {
                        let what = format!("it is segment {}, and so is another file", other.number);
                        return Err(Damage::error(place, &other.name, 0, what));
                    }
                }
            }
        }
    }
    if let Some((name, at)) = damaged.into_iter().next() {
        return Err(Damage::error(place, &name, at, "a checksum does not match in its first block"));
    }
    let mut segments = VecDeque::new();
    for number in (1..=contents.newest).rev() {
        match by_number.remove(&number) {
            Some(segment) => segments.push_front(Arc::new(segment)),
            None if number == contents.newest => return Err(missing(place, number, contents.newest)),
            None => break,
        }
    }
    // Older ones, beyond a gap: if any were needed, the newest group would say so.
    spares.extend(by_number.into_values().map(Segment::into_spare));
    Ok((segments.into(), spares))
}

fn missing(place: &str, number: u64, newest: u64) -> io::Error {
    let what = format!("segment {number} (the newest is {newest}) is in no file");
    Damage::error(place, manifest::NAME, 0, what)
}

/// The last whole group.
struct Tail {
    place: Place,
    after: u64,
}

impl Tail {
    /// An earlier process may have written it and failed to sync it; then the system may take it for written. Only
    /// writing it again makes sure.
    fn rewrite(&self) -> io::Result<()> {
        let Place { segment, offset, length, .. } = &self.place;
        let mut bytes = vec![0; *length];
        segment.file.read_at(&mut bytes, *offset)?;
        segment.file.write_at(&bytes, *offset)?;
        segment.file.sync_data()
    }
}

struct Scan<'a> {
    place: &'a str,
    found: Recovered,
    tail: Option<Tail>,
}

impl Scan<'_> {
    fn read(&mut self, segment: &Arc<Segment>) -> io::Result<()> {
        let bytes = segment.bytes()?;
        let mut at = BEGIN as usize;
        // Before the first group of all it is unknown which number it has.
        let mut due = self.tail.as_ref().map_or(segment.floor, |_| self.found.number);
        while at < bytes.len() {
            match frame::find(&bytes[at..]) {
                Found::Damaged(further) => {
                    let what = "a checksum does not match";
                    return Err(Damage::error(self.place, &segment.name, (at + further) as u64, what));
                }
                Found::Whole { stamp, contents, length }
                    if stamp.number == due || self.tail.is_none() && stamp.number > due =>
                {
                    self.take(segment, at, stamp, &contents, length)?;
                    due = self.found.number;
                    at += length;
                }
                Found::Whole { .. } | Found::Torn(_) | Found::Absent(_) => break,
            }
        }
        match frame::newest(&bytes[at.min(bytes.len())..]) {
            Some((later, further)) if later > due => {
                let what = format!("group {due} is not there, and group {later} is, at byte {}", at + further);
                Err(Damage::error(self.place, &segment.name, at as u64, what))
            }
            _ => Ok(()),
        }
    }

    fn take(
        &mut self,
        segment: &Arc<Segment>,
        at: usize,
        stamp: Stamp,
        contents: &[u8],
        length: usize,
    ) -> io::Result<()> {
        let offset = at as u64;
        let (head, _) = group::split(contents)
            .map_err(|error| Damage::error(self.place, &segment.name, offset, error.to_string()))?;
        let place = Place { segment: segment.clone(), offset, length, stamp };
        self.found.index.add(&head, place.clone());
        self.found.memory = head.memory;
        self.found.number = stamp.number + 1;
        self.tail = Some(Tail { place, after: offset + length as u64 });
        Ok(())
    }
}

/// The id of the newest entry, or of the newest purged one.
fn last_entry(place: &str, found: &Recovered) -> io::Result<Option<LogId>> {
    let Some(held) = found.index.newest() else {
        return Ok(found.memory.purged);
    };
    let Place { segment, offset, length, stamp } = &held.place;
    let contents = segment.group(place, *offset, *length, *stamp)?;
    let wrong = |what: String| Damage::error(place, &segment.name, *offset, what);
    let (_, entries) = group::split(&contents).map_err(|error| wrong(error.to_string()))?;
    let at = usize::try_from(held.last - held.base).unwrap_or(usize::MAX);
    let bytes = entries.get(at).ok_or_else(|| wrong(format!("entry {} is not in its group", held.last)))?;
    let entry: Entry = decode(bytes).map_err(|error| wrong(error.to_string()))?;
    Ok(Some(entry.log_id()))
}
