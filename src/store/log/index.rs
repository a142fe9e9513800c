//! Where entries are: the groups that hold any, in order.

use crate::log::frame::Stamp;
use crate::log::group::Head;
use crate::log::segment::Segment;
use std::collections::VecDeque;
use std::sync::Arc;

/// Where a group is on disk.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) segment: Arc<Segment>,
    pub(crate) offset: u64,
    pub(crate) length: usize,
    pub(crate) stamp: Stamp,
}

/// A group and the entries of it that are not gone.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) place: Place,
    /// Index of the first entry that was written in it.
    pub(crate) base: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Consecutive entries.
#[derive(Default)]
pub(crate) struct Index {
    groups: VecDeque<Held>,
}

impl Index {
    /// Takes in a group that was written.
    pub(crate) fn add(&mut self, head: &Head, place: Place) {
        if let Some(after) = head.truncate {
            self.truncate(after);
        }
        if head.count > 0 {
            let last = head.first + head.count - 1;
            self.groups.push_back(Held { place, base: head.first, first: head.first, last });
        }
        if let Some(purged) = &head.memory.purged {
            self.purge(purged.index());
        }
    }

    fn truncate(&mut self, after: Option<u64>) {
        while self.groups.back().is_some_and(|group| after.is_none_or(|after| group.first > after)) {
            self.groups.pop_back();
        }
        if let (Some(group), Some(after)) = (self.groups.back_mut(), after) {
            group.last = group.last.min(after);
        }
    }

    fn purge(&mut self, upto: u64) {
        while self.groups.front().is_some_and(|group| group.last <= upto) {
            self.groups.pop_front();
        }
        if let Some(group) = self.groups.front_mut() {
            group.first = group.first.max(upto + 1);
        }
    }

    /// The oldest group with an entry above this index.
    pub(crate) fn oldest_above(&self, index: Option<u64>) -> Option<&Held> {
        let at = self.groups.partition_point(|group| index.is_some_and(|index| group.last <= index));
        self.groups.get(at)
    }

    /// The newest group with entries.
    pub(crate) fn newest(&self) -> Option<&Held> {
        self.groups.back()
    }

    /// The groups with entries of `start..end`, until they take more than `limit` bytes on disk.
    pub(crate) fn range(&self, start: u64, end: u64, limit: usize) -> Vec<Held> {
        let from = self.groups.partition_point(|group| group.last < start);
        let mut bytes = 0;
        let wanted = self.groups.range(from..).take_while(|group| {
            let wanted = group.first < end && bytes <= limit;
            bytes = bytes.saturating_add(group.place.length);
            wanted
        });
        wanted.cloned().collect()
    }
}
