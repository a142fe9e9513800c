//! A disk that hangs: no error comes, and no answer either.
//!
//! A leader goes on without its own disk as long as the others follow, but takes nothing more once too much waits for it, and
//! its vote is worth nothing. So it gives the leadership away, and in the end its member gives up as if the disk had failed.

use crate::member::Core;
use crate::rt;
use std::io;
use std::sync::Weak;
use std::time::Duration;

/// How often the log's writer is looked at. Time is counted in looks: a process that was stopped meanwhile waited for nothing.
const LOOK: Duration = Duration::from_millis(250);

/// After so many looks at which nothing had been done the member is not ready, and does not lead if another one can: 5 s.
const STALLED: u32 = 20;

/// After so many looks the disk is given up: a minute.
const HUNG: u32 = 240;

/// For how long one operation has taken.
#[derive(Debug, Default)]
struct Stall {
    made: Option<u64>,
    looks: u32,
}

impl Stall {
    /// While something is being written, the progress made so far.
    fn look(&mut self, made: Option<u64>) {
        self.looks = if made.is_some() && made == self.made { self.looks + 1 } else { 0 };
        self.made = made;
    }

    fn stalled(&self) -> bool {
        self.looks >= STALLED
    }

    /// Once in a while as long as it is stalled.
    fn hands_over(&self) -> bool {
        self.stalled() && self.looks.is_multiple_of(STALLED)
    }

    fn hung(&self) -> bool {
        self.looks >= HUNG
    }
}

/// Watches the log's writer until the store is gone.
pub(crate) async fn watch_disk(core: Weak<Core>) {
    let mut stall = Stall::default();
    loop {
        rt::sleep(LOOK).await;
        let Some(core) = core.upgrade() else { break };
        let (None, Some(log)) = (core.ended.borrow().clone(), core.door.log()) else { break };
        stall.look(log.writing());
        core.door.set_stalled(stall.stalled());
        if stall.hung() {
            let seconds = (LOOK * HUNG).as_secs();
            let error = io::Error::new(io::ErrorKind::TimedOut, format!("no write has ended for {seconds} s"));
            core.alarm.raise("the Raft log cannot be written", &error);
            break;
        }
        if stall.hands_over()
            && let Some(raft) = core.raft.get().cloned()
        {
            tracing::warn!("a write to the Raft log takes more than {} s", (LOOK * STALLED).as_secs());
            let core = core.clone();
            rt::spawn(async move { core.hand_over_to_nearest(&raft).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_operation_that_takes_long_is_a_stall() {
        let mut stall = Stall::default();
        for made in 1..100 {
            for _ in 0..STALLED {
                stall.look(Some(made));
                assert!(!stall.stalled(), "slow, but it goes on");
            }
        }
        stall.look(None);
        let mut handed_over = 0;
        for look in 0..=HUNG {
            assert_eq!((stall.stalled(), stall.hung()), (look > STALLED, false), "{look}");
            stall.look(Some(100));
            handed_over += u32::from(stall.hands_over());
        }
        assert_eq!((stall.hung(), handed_over), (true, HUNG / STALLED));
        stall.look(None);
        assert!(!stall.stalled() && !stall.hung(), "it came back");
    }
}
