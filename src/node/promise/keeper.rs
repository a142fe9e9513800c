//! The node's side of the rule in [`raftsman_api::fencing`]. Pure: time is passed in.

use raftsman_runtime::border::Promise;
use std::time::Duration;

/// Keeps the promise.
#[derive(Debug, Clone, Copy)]
pub struct Keeper {
    promise: Promise,
    most: Duration,
}

impl Keeper {
    /// From the promise as an earlier agent left it. `most`: no promise holds for longer, whatever a leader says.
    pub fn new(promise: Promise, most: Duration) -> Self {
        Self { promise, most }
    }

    /// The promise.
    #[cfg(test)]
    pub fn promise(&self) -> Promise {
        self.promise
    }

    /// A leader has answered a renewal that was sent at `sent`: it holds for `valid` from then on. `now` is read after the
    /// answer has arrived: if the promise held until it did, the leader gave nothing away.
    pub fn renewed(&mut self, sent: Duration, valid: Duration, now: Duration) -> Promise {
        let until = sent.saturating_add(valid.min(self.most));
        if until <= now {
            // It took too long to be worth anything.
            return self.promise;
        }
        if self.promise.epoch == 0 || now >= self.promise.until {
            self.promise = Promise { epoch: self.promise.epoch.wrapping_add(1).max(1), until };
        }
        self.promise.until = self.promise.until.max(until);
        self.promise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_answer_in_time_moves_it_on_and_a_late_one_begins_anew() {
        let mut keeper = Keeper::new(Promise::default(), seconds(30));
        for (sent, now, epoch, until) in [
            (100, 101, 1, 130),
            (102, 103, 1, 132),
            (101, 104, 1, 132), // Answers may overtake each other.
            (131, 132, 2, 161), // The old promise ended at 132.
            (131, 162, 2, 161), // Of no worth any more.
            (170, 171, 3, 200),
        ] {
            let promise = keeper.renewed(seconds(sent), seconds(60), seconds(now));
            assert_eq!(promise, Promise { epoch, until: seconds(until) }, "sent at {sent}, answered at {now}");
        }
    }
}
