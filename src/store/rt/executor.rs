//! A simulation's executor: one thread, tasks in an order drawn from the seed, and time that passes only when nothing else
//! can happen.

use super::random::splitmix;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// Polls without any time passing between them, after which a simulation is stuck.
const STUCK: u64 = 5_000_000;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    static HERE: RefCell<Option<Arc<Executor>>> = const { RefCell::new(None) };
}

/// The simulation on this thread; `None` in a running master.
pub(crate) fn here() -> Option<Arc<Executor>> {
    HERE.with_borrow(Clone::clone)
}

/// Why a simulation could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// Nothing is left that could happen.
    #[error("every task waits for another")]
    Deadlock,
    /// Tasks wake one another without end.
    #[error("{STUCK} steps without any time passing")]
    Livelock,
}

/// See the module.
pub(crate) struct Executor {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    now: Duration,
    chance: u64,
    /// Sorted: what wakes several tasks at once does so in no order (`tokio::sync::watch` draws it).
    ready: Vec<u64>,
    tasks: BTreeMap<u64, Slot>,
    timers: BTreeMap<(Duration, u64), Waker>,
    ids: u64,
    /// Tasks that were aborted: dropped when no other runs.
    ended: Vec<Task>,
}

impl Inner {
    fn ready(&mut self, id: u64) {
        if let Err(at) = self.ready.binary_search(&id) {
            self.ready.insert(at, id);
        }
    }
}

struct Slot {
    /// Away while it runs.
    task: Option<Task>,
    queued: bool,
    waker: Waker,
}

struct Woken {
    id: u64,
    executor: Weak<Executor>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        if let Some(executor) = self.executor.upgrade() {
            let mut inner = executor.inner.lock();
            if let Some(slot) = inner.tasks.get_mut(&self.id)
                && !std::mem::replace(&mut slot.queued, true)
            {
                inner.ready(self.id);
            }
        }
    }
}

impl Executor {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), inner: Mutex::new(Inner { chance: seed, ..Inner::default() }) })
    }

    /// Since the simulation began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.inner.lock().now
    }

    pub(crate) fn now(&self) -> Instant {
        self.began + self.elapsed()
    }

    /// Starts a task and gives its number.
    pub(crate) fn spawn(self: &Arc<Self>, task: Task) -> u64 {
        let mut inner = self.inner.lock();
        inner.ids += 1;
        let id = inner.ids;
        let waker = Waker::from(Arc::new(Woken { id, executor: Arc::downgrade(self) }));
        inner.tasks.insert(id, Slot { task: Some(task), queued: true, waker });
        inner.ready(id);
        id
    }

    /// Ends a task where it is.
    pub(crate) fn abort(&self, id: u64) {
        let mut inner = self.inner.lock();
        if let Some(slot) = inner.tasks.remove(&id) {
            inner.ended.extend(slot.task);
        }
    }

    pub(crate) fn finished(&self, id: u64) -> bool {
        !self.inner.lock().tasks.contains_key(&id)
    }

    /// Runs everything until this future ends.
    pub(crate) fn run<T>(self: &Arc<Self>, main: impl Future<Output = T>) -> Result<T, Stuck> {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                HERE.set(None);
            }
        }
        HERE.set(Some(self.clone()));
        let _leave = Leave;
        let mut main = pin!(main);
        // The main future is task 0, whose slot holds nothing.
        let waker = Waker::from(Arc::new(Woken { id: 0, executor: Arc::downgrade(self) }));
        let slot = Slot { task: None, queued: true, waker: waker.clone() };
        {
            let mut inner = self.inner.lock();
            inner.tasks.insert(0, slot);
            inner.ready(0);
        }
        let result = self.turns(|| main.as_mut().poll(&mut Context::from_waker(&waker)));
        let left = std::mem::take(&mut self.inner.lock().tasks);
        drop(left);
        loop {
            let ended = std::mem::take(&mut self.inner.lock().ended);
            if ended.is_empty() {
                return result;
            }
        }
    }

    fn turns<T>(self: &Arc<Self>, mut main: impl FnMut() -> Poll<T>) -> Result<T, Stuck> {
        let mut steps = 0;
        loop {
            // Dropped without the lock: what they hold comes back here.
            let ended = std::mem::take(&mut self.inner.lock().ended);
            drop(ended);
            let Some((id, task, waker)) = self.next() else {
                self.pass()?;
                steps = 0;
                continue;
            };
            steps += 1;
            if steps > STUCK {
                return Err(Stuck::Livelock);
            }
            if id == 0 {
                if let Poll::Ready(value) = main() {
                    return Ok(value);
                }
                continue;
            }
            let Some(mut task) = task else { continue };
            let done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            let mut inner = self.inner.lock();
            if done {
                inner.tasks.remove(&id);
            }
            match inner.tasks.get_mut(&id) {
                Some(slot) => slot.task = Some(task),
                None => inner.ended.push(task),
            }
        }
    }

    /// One of those that can run.
    fn next(&self) -> Option<(u64, Option<Task>, Waker)> {
        let mut inner = self.inner.lock();
        while !inner.ready.is_empty() {
            let at = (splitmix(&mut inner.chance) % inner.ready.len() as u64) as usize;
            let id = inner.ready.remove(at);
            if let Some(slot) = inner.tasks.get_mut(&id) {
                slot.queued = false;
                return Some((id, slot.task.take(), slot.waker.clone()));
            }
        }
        None
    }

    /// Lets time pass until the next timer.
    fn pass(&self) -> Result<(), Stuck> {
        let due = {
            let mut inner = self.inner.lock();
            let Some((&(at, _), _)) = inner.timers.first_key_value() else {
                return Err(Stuck::Deadlock);
            };
            inner.now = inner.now.max(at);
            let after = (inner.now + Duration::from_nanos(1), 0);
            let later = inner.timers.split_off(&after);
            std::mem::replace(&mut inner.timers, later)
        };
        due.into_values().for_each(Waker::wake);
        Ok(())
    }

    /// Has everything that waits for a time look again.
    pub(crate) fn rouse(&self) {
        let wakers: Vec<Waker> = self.inner.lock().timers.values().cloned().collect();
        wakers.iter().for_each(Waker::wake_by_ref);
    }
}

/// A moment of true time that a task waits for.
pub(crate) struct Timer {
    executor: Arc<Executor>,
    key: Option<(Duration, u64)>,
    at: Duration,
}

impl Timer {
    pub(crate) fn at(executor: Arc<Executor>, at: Instant) -> Self {
        let at = at.saturating_duration_since(executor.began);
        Self { executor, key: None, at }
    }

    pub(crate) fn reset(&mut self, at: Instant) {
        self.at = at.saturating_duration_since(self.executor.began);
    }

    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let mut inner = self.executor.inner.lock();
        if let Some(key) = self.key.take() {
            inner.timers.remove(&key);
        }
        if inner.now >= self.at {
            return Poll::Ready(());
        }
        inner.ids += 1;
        let key = (self.at, inner.ids);
        inner.timers.insert(key, waker.clone());
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.executor.inner.lock().timers.remove(&key);
        }
    }
}
