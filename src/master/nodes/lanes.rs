//! The order of one node's reports: those about one thing are carried out one after the other, and of those that wait
//! the newest is enough.

use parking_lot::Mutex;
use raftsman_proto::v1::node_message::Message;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem::discriminant;

/// One lane per thing that is reported on at the moment: a pod, or the node itself.
#[derive(Default)]
pub struct Lanes(Mutex<HashMap<String, Vec<Message>>>);

impl Lanes {
    /// The lane of a report; `None` for what has no order.
    pub fn of(message: &Message) -> Option<String> {
        match message {
            Message::Pod(report) => Some(report.uid.clone()),
            Message::Gone(report) => Some(report.uid.clone()),
            Message::Admission(admission) => Some(admission.uid.clone()),
            Message::Node(_) => Some(String::new()),
            _ => None,
        }
    }

    /// Gives the report back if the lane is free: the caller carries it out, then what [`Lanes::next`] gives. Otherwise
    /// it waits for the one who is at it, in the place of an older one of its kind.
    pub fn enter(&self, lane: &str, report: Message) -> Option<Message> {
        match self.0.lock().entry(lane.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(Vec::new());
                Some(report)
            }
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().retain(|older| discriminant(older) != discriminant(&report));
                waiting.get_mut().push(report);
                None
            }
        }
    }

    /// The next report of a lane that the caller is in; without one the lane is free again.
    pub fn next(&self, lane: &str) -> Option<Message> {
        let mut lanes = self.0.lock();
        let next = lanes.get_mut(lane).filter(|waiting| !waiting.is_empty()).map(|waiting| waiting.remove(0));
        if next.is_none() {
            lanes.remove(lane);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raftsman_proto::v1::{PodGone, PodReport};

    fn status(uid: &str, sequence: u64) -> Message {
        Message::Pod(PodReport { uid: uid.into(), sequence, ..PodReport::default() })
    }

    fn gone(uid: &str, sequence: u64) -> Message {
        Message::Gone(PodGone { uid: uid.into(), sequence, ..PodGone::default() })
    }

    #[test]
    fn one_pods_reports_are_carried_out_in_order_and_the_newest_counts() {
        let lanes = Lanes::default();
        assert_eq!(lanes.enter("a", status("a", 1)), Some(status("a", 1)));
        assert_eq!(lanes.enter("b", status("b", 2)), Some(status("b", 2)));
        for report in [status("a", 3), status("a", 4), gone("a", 5), gone("a", 5)] {
            assert_eq!(lanes.enter("a", report), None);
        }
        assert_eq!(lanes.next("b"), None);
        assert_eq!(lanes.next("a"), Some(status("a", 4)));
        assert_eq!(lanes.next("a"), Some(gone("a", 5)));
        assert_eq!(lanes.next("a"), None);
        assert_eq!(lanes.enter("a", status("a", 6)), Some(status("a", 6)));
    }
}
