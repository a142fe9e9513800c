//! A fenced pod's supervisor freezes it when the machine's promise does not admit it any more, and thaws it by a leader's
//! word alone.
//!
//! Two processes enforce it, each by itself: this one, and its guard. A pod runs on past its promise only if both are
//! stopped, or dead and not yet replaced by the agent, and its containers are not. When a machine wakes from sleep, or from
//! a stop of all its processes, both are due at once; what a container does until one of them has run is not covered, which
//! is why the leader's wait is longer than the promise.

use crate::border::FenceStatus;
use crate::cgroup::{Freezer, Hierarchies};
use crate::pods::PromisePage;
use crate::supervisor::protocol::{FENCE_FILE, Fencing, ProcessId};
use crate::supervisor::{complain, guard, record};
use crate::sys::{self, Page};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// A freezing that was refused is tried again after this.
const AGAIN: Duration = Duration::from_millis(100);

/// In the pod's directory ([`FENCE_FILE`]): outlives the supervisor, and no reboot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FenceRecord {
    /// The machine's boot in which it was written.
    pub boot_id: String,
    /// How the pod stands.
    pub status: FenceStatus,
}

impl FenceRecord {
    /// What a pod's directory says; of another boot, nothing counts.
    pub(crate) fn read(directory: &Path) -> io::Result<FenceStatus> {
        let found = record::read::<Self>(&directory.join(FENCE_FILE))?;
        Ok(found.filter(|it| it.boot_id == record::boot_id()).map(|it| it.status).unwrap_or_default())
    }
}

/// What supervisor and guard share of one pod.
#[derive(Debug)]
pub(crate) struct Gate {
    page: Page,
}

impl Gate {
    fn new(epoch: u32) -> io::Result<Self> {
        let page = Page::anonymous()?;
        page.small[0].store(epoch, SeqCst);
        Ok(Self { page })
    }

    /// The epoch in which the pod was admitted; 0 when it is to be frozen.
    pub(crate) fn epoch(&self) -> u32 {
        self.page.small[0].load(SeqCst)
    }

    fn admit(&self, epoch: u32) {
        self.page.small[0].store(epoch, SeqCst);
        sys::wake(&self.page.small[0]);
    }

    /// The pod of this epoch is frozen: only another word admits it. False if it was admitted anew meanwhile.
    pub(crate) fn shut(&self, epoch: u32) -> bool {
        self.page.small[0].compare_exchange(epoch, 0, SeqCst, SeqCst).is_ok()
    }

    /// Waits while nobody admits the pod.
    pub(crate) fn wait_for_word(&self, most: Duration) {
        sys::wait_while(&self.page.small[0], 0, most);
    }

    /// The supervisor makes a container, and would wait for ever if it were frozen in the middle.
    pub(crate) fn busy(&self) -> bool {
        self.page.small[1].load(SeqCst) != 0
    }

    fn set_busy(&self, busy: bool) {
        self.page.small[1].store(busy.into(), SeqCst);
    }
}

/// A pod's fence.
pub(crate) struct Fence {
    directory: PathBuf,
    promise: PromisePage,
    gate: Gate,
    freezer: Freezer,
    timer: TimerFd,
    guard: ProcessId,
    guarded: Instant,
    unguarded: bool,
    status: FenceStatus,
}

impl Fence {
    /// Takes over what an earlier supervisor of this pod wrote down, and starts a guard. The caller has one thread.
    pub(crate) fn open(directory: &Path, hierarchies: &Hierarchies, fencing: &Fencing) -> io::Result<Self> {
        let status = FenceRecord::read(directory)?;
        let promise = PromisePage::open(&fencing.page)?;
        let freezer = Freezer::of(hierarchies, &fencing.group)
            .ok_or_else(|| io::Error::other("this machine has no cgroup freezer, which a fenced pod needs"))?;
        let gate = Gate::new(status.epoch)?;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let guard = guard::spawn(&promise, &gate, &freezer)?;
        let directory = directory.to_owned();
        let guarded = Instant::now();
        let mut fence = Self { directory, promise, gate, freezer, timer, guard, guarded, unguarded: false, status };
        fence.enforce();
        Ok(fence)
    }

    /// Its guard.
    pub(crate) fn guard(&self) -> ProcessId {
        self.guard
    }

    /// The guard has ended.
    pub(crate) fn guard_ended(&mut self) {
        self.unguarded = true;
    }

    /// Another guard takes the place of one that has ended; one that ended at once is given a moment. True if it did.
    pub(crate) fn guard_again(&mut self) -> bool {
        if !self.unguarded {
            return false;
        }
        if self.guarded.elapsed() >= AGAIN {
            self.guarded = Instant::now();
            match guard::spawn(&self.promise, &self.gate, &self.freezer) {
                Ok(guard) => {
                    (self.guard, self.unguarded) = (guard, false);
                    return true;
                }
                Err(error) => complain(&format!("the guard has ended, and no other one starts: {error}\n")),
            }
        }
        let soon = sys::boottime().saturating_add(AGAIN);
        let promise = self.promise.read();
        let until = if promise.admits(self.gate.epoch(), sys::boottime()) { promise.until } else { soon };
        self.wake_at(soon.min(until));
        false
    }

    /// Whether the pod may run now.
    pub(crate) fn admits(&self) -> bool {
        self.promise.read().admits(self.gate.epoch(), sys::boottime())
    }

    /// Freezes the pod if it may not run. True if that is news.
    pub(crate) fn enforce(&mut self) -> bool {
        let _ = self.timer.wait();
        let epoch = self.gate.epoch();
        let promise = self.promise.read();
        if promise.admits(epoch, sys::boottime()) {
            // The guard may have been about to freeze it when it was admitted.
            if self.freezer.is_frozen() {
                self.thaw();
            }
            self.wake_at(promise.until);
            return false;
        }
        if let Err(error) = self.freezer.freeze_and_wait() {
            complain(&format!("cannot freeze the pod: {error}\n"));
            self.wake_at(sys::boottime().saturating_add(AGAIN));
        }
        self.gate.shut(epoch);
        let news = self.status.epoch != 0;
        if news {
            self.status = FenceStatus { epoch: 0, frozen: true };
            complain(&format!("frozen: the node's promise of epoch {epoch} has ended\n"));
            self.save();
        }
        news
    }

    /// A leader's word of this epoch: the pod runs. False if the promise has ended meanwhile.
    pub(crate) fn admit(&mut self, epoch: u32) -> io::Result<bool> {
        let promise = self.promise.read();
        if !promise.admits(epoch, sys::boottime()) {
            return Ok(false);
        }
        self.status = FenceStatus { epoch, frozen: false };
        let record = FenceRecord { boot_id: record::boot_id(), status: self.status };
        record::write(&self.directory.join(FENCE_FILE), &record)?;
        self.gate.admit(epoch);
        self.thaw();
        // What was stopped in between, and for how long, nobody knows.
        self.enforce();
        Ok(self.admits())
    }

    /// While `work` is done, the guard knows that this process may hang in it.
    pub(crate) fn busy(&self, busy: bool) {
        self.gate.set_busy(busy);
    }

    fn thaw(&self) {
        if let Err(error) = self.freezer.thaw() {
            complain(&format!("cannot thaw the pod: {error}\n"));
        }
    }

    fn save(&self) {
        let record = FenceRecord { boot_id: record::boot_id(), status: self.status };
        if let Err(error) = record::write(&self.directory.join(FENCE_FILE), &record) {
            complain(&format!("{error}\n"));
        }
    }

    fn wake_at(&self, at: Duration) {
        // A time of zero would disarm it.
        let at = TimeSpec::from_duration(at.max(Duration::from_nanos(1)));
        let set = self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME);
        if let Err(error) = set {
            complain(&format!("cannot set the timer of the promise: {error}\n"));
        }
    }
}

impl AsFd for Fence {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
