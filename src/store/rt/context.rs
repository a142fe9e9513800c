//! One life of a simulated member: what its tasks see of time and chance, and whether they run at all.

use super::executor::Executor;
use super::join::Abort;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use tokio::time::Instant;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

/// The member whose task runs now; `None` in a running master, and outside of members in a simulation.
pub(crate) fn current() -> Option<Arc<Context>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs something as a part of a member.
pub(crate) fn within<T>(context: &Arc<Context>, run: impl FnOnce() -> T) -> T {
    struct Leave(Option<Arc<Context>>);
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _leave = Leave(CURRENT.replace(Some(context.clone())));
    run()
}

/// See the module.
pub(crate) struct Context {
    executor: Arc<Executor>,
    inner: Mutex<Inner>,
}

struct Inner {
    phase: Phase,
    /// Tasks that wanted to run while the member was frozen.
    held: Vec<Waker>,
    tasks: Vec<Abort>,
    clock: Rate,
    /// Since when the machine is suspended, in true time.
    asleep: Option<Instant>,
    /// For how long it was, all in all.
    suspended: Duration,
    chance: u64,
    debt: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Frozen,
    Dead,
}

/// The member's clock since its last change: true time there, its own time there, and its speed in millionths.
#[derive(Clone, Copy)]
struct Rate {
    anchor: Instant,
    own: Instant,
    millionths: u64,
}

impl Rate {
    fn own(&self, now: Instant) -> Instant {
        self.own + scale(now.saturating_duration_since(self.anchor), self.millionths, 1_000_000)
    }

    fn reached_at(&self, own: Instant) -> Instant {
        self.anchor + scale(own.saturating_duration_since(self.own), 1_000_000, self.millionths)
    }
}

fn scale(duration: Duration, by: u64, of: u64) -> Duration {
    let nanos = duration.as_nanos().saturating_mul(u128::from(by)).div_ceil(u128::from(of.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl Context {
    /// A member that runs, with an exact clock.
    pub(crate) fn new(executor: Arc<Executor>, seed: u64) -> Arc<Self> {
        let now = executor.now();
        let clock = Rate { anchor: now, own: now, millionths: 1_000_000 };
        let inner = Inner {
            phase: Phase::Running,
            held: Vec::new(),
            tasks: Vec::new(),
            clock,
            asleep: None,
            suspended: Duration::ZERO,
            chance: seed,
            debt: Duration::ZERO,
        };
        Arc::new(Self { executor, inner: Mutex::new(inner) })
    }

    /// Whether a task may run now; if not it is woken when it may.
    pub(crate) fn admits(&self, waker: &Waker) -> bool {
        let mut inner = self.inner.lock();
        match inner.phase {
            Phase::Running => true,
            Phase::Frozen => {
                inner.held.push(waker.clone());
                false
            }
            Phase::Dead => false,
        }
    }

    /// Ends with this life.
    pub(crate) fn owns(&self, task: Abort) {
        let mut inner = self.inner.lock();
        if inner.phase == Phase::Dead {
            task.abort();
            return;
        }
        if inner.tasks.len() == inner.tasks.capacity() {
            inner.tasks.retain(|task| !task.is_finished());
        }
        inner.tasks.push(task);
    }

    /// Holds all tasks until [`Context::thaw`]; the clock goes on.
    pub(crate) fn freeze(&self) {
        let mut inner = self.inner.lock();
        if inner.phase == Phase::Running {
            inner.phase = Phase::Frozen;
        }
    }

    /// Holds all tasks, and the clock with them, as a suspended machine does.
    pub(crate) fn suspend(&self) {
        let now = self.executor.now();
        let mut inner = self.inner.lock();
        if inner.phase == Phase::Running {
            inner.phase = Phase::Frozen;
            inner.asleep = Some(now);
        }
    }

    /// For how long the machine has been suspended, all in all.
    pub(crate) fn suspended(&self) -> Duration {
        self.inner.lock().suspended
    }

    /// Lets a frozen or suspended member go on.
    pub(crate) fn thaw(&self) {
        let now = self.executor.now();
        let mut inner = self.inner.lock();
        if let Some(since) = inner.asleep.take() {
            let own = inner.clock.own(since);
            inner.clock = Rate { anchor: now, own, ..inner.clock };
            inner.suspended += now.saturating_duration_since(since);
        }
        if inner.phase == Phase::Frozen {
            inner.phase = Phase::Running;
            inner.held.drain(..).for_each(Waker::wake);
        }
    }

    /// Nothing of this life runs any more from here on, not even the rest of what waits for a simulated disk.
    pub(crate) fn kill(&self) {
        let tasks = {
            let mut inner = self.inner.lock();
            inner.phase = Phase::Dead;
            inner.held.clear();
            std::mem::take(&mut inner.tasks)
        };
        tasks.iter().for_each(Abort::abort);
    }

    pub(crate) fn dead(&self) -> bool {
        self.inner.lock().phase == Phase::Dead
    }

    /// The member's own time.
    pub(crate) fn now(&self) -> Instant {
        self.inner.lock().clock.own(self.executor.now())
    }

    /// When, in true time, the member's clock will show this if it goes on as it does.
    pub(crate) fn reached_at(&self, own: Instant) -> Instant {
        self.inner.lock().clock.reached_at(own)
    }

    /// Sets the clock forward by so much, and its speed from now on in millionths of the true one.
    pub(crate) fn set_clock(&self, forward: Duration, millionths: u64) {
        let now = self.executor.now();
        {
            let mut inner = self.inner.lock();
            let now = inner.asleep.unwrap_or(now);
            let own = inner.clock.own(now) + forward;
            inner.clock = Rate { anchor: now, own, millionths: millionths.max(1) };
        }
        self.executor.rouse();
    }

    /// The next of the member's random numbers (SplitMix64).
    pub(crate) fn chance(&self) -> u64 {
        super::random::splitmix(&mut self.inner.lock().chance)
    }

    /// A simulated device was busy for so long; the next [`super::step`] waits for it.
    pub(crate) fn charge(&self, cost: Duration) {
        self.inner.lock().debt += cost;
    }

    /// For how long simulated devices were busy since this was asked last.
    pub(crate) fn take_debt(&self) -> Duration {
        std::mem::take(&mut self.inner.lock().debt)
    }

    pub(crate) fn executor(&self) -> &Arc<Executor> {
        &self.executor
    }
}
