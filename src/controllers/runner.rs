//! Runs controllers on the leader: keys from changes, plans from Views, writes through the executor.

use crate::queue::{Ended, Queue};
use crate::{Action, Clock, Controller, ExecuteError, Executor, Failure, Now, Plan, Views, WorkKey, events};
use raftsman_state::View;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// How much the runner does at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Plans being carried out.
    pub plans: usize,
    /// Actions under way, over all plans.
    pub actions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { plans: 64, actions: 128 }
    }
}

/// Plans made before the runner looks at changes again.
const BATCH: usize = 256;
/// Tries to record one Event.
const EVENT_TRIES: usize = 3;

/// All controllers of one leadership. Made when it begins, stopped with it.
pub struct Runner {
    controllers: Vec<Arc<dyn Controller>>,
    hands: Arc<Hands>,
    limits: Limits,
}

/// What carrying out a plan needs.
struct Hands {
    views: Arc<dyn Views>,
    executor: Arc<dyn Executor>,
    clock: Arc<dyn Clock>,
    permits: Semaphore,
}

struct Work {
    queues: Vec<Queue>,
    cursor: u64,
    tasks: JoinSet<Ended>,
    running: HashMap<Id, (usize, WorkKey)>,
}

impl Runner {
    /// A runner for these controllers.
    pub fn new(
        controllers: Vec<Arc<dyn Controller>>,
        views: Arc<dyn Views>,
        executor: Arc<dyn Executor>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        let permits = Semaphore::new(limits.actions.max(1));
        Self { controllers, hands: Arc::new(Hands { views, executor, clock, permits }), limits }
    }

    /// Runs until `cancel` fires or no more Views are announced. Writes under way are abandoned then: their term fences them.
    pub async fn run(self, cancel: CancellationToken) {
        let mut revisions = self.hands.views.revisions();
        revisions.mark_unchanged();
        let mut work = Work {
            queues: self.controllers.iter().map(|_| Queue::default()).collect(),
            cursor: 0,
            tasks: JoinSet::new(),
            running: HashMap::new(),
        };
        self.enqueue_all(&mut work, &self.hands.views.view());
        while !cancel.is_cancelled() {
            self.absorb(&mut work);
            if self.start(&mut work) {
                tokio::task::yield_now().await;
                continue;
            }
            let due = work.queues.iter().filter_map(Queue::next_due).min();
            let sleep = due.map(|due| due.saturating_sub(self.hands.clock.mono()));
            tokio::select! {
                () = cancel.cancelled() => return,
                changed = revisions.changed() => if changed.is_err() { return },
                Some(ended) = work.tasks.join_next_with_id(), if !work.tasks.is_empty() => self.ended(&mut work, ended),
                () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
            }
        }
    }

    fn enqueue_all(&self, work: &mut Work, view: &View) {
        for (controller, queue) in self.controllers.iter().zip(&mut work.queues) {
            controller.all(view).into_iter().for_each(|key| queue.add(key));
        }
        work.cursor = view.revision();
    }

    /// Takes up what changed since the last time; below the floor of history, everything.
    fn absorb(&self, work: &mut Work) {
        let view = self.hands.views.view();
        if view.revision() == work.cursor {
            return;
        }
        for (resource, _) in view.tables() {
            let Ok(changes) = view.changes_after(resource, work.cursor) else {
                tracing::info!(%resource, revision = work.cursor, "changes were compacted: looking at everything again");
                return self.enqueue_all(work, &view);
            };
            for change in changes {
                for (controller, queue) in self.controllers.iter().zip(&mut work.queues) {
                    controller.wants(change, &view).into_iter().for_each(|key| queue.add(key));
                }
            }
        }
        work.cursor = view.revision();
    }

    /// Plans what is ready, one key of each controller in turn. True if more could be started at once.
    fn start(&self, work: &mut Work) -> bool {
        let mono = self.hands.clock.mono();
        work.queues.iter_mut().for_each(|queue| queue.promote(mono));
        let mut planned = 0;
        while work.queues.iter().any(Queue::has_ready) {
            for index in 0..work.queues.len() {
                if work.tasks.len() >= self.limits.plans {
                    return false;
                }
                if let Some((key, failure)) = work.queues[index].pop() {
                    self.plan(work, index, key, failure);
                    planned += 1;
                }
            }
            if planned >= BATCH {
                return true;
            }
        }
        false
    }

    fn plan(&self, work: &mut Work, index: usize, key: WorkKey, failure: Option<Arc<Failure>>) {
        let controller = &self.controllers[index];
        let clock = &self.hands.clock;
        let now = Now { time: clock.time(), mono: clock.mono(), seed: clock.seed(), failure };
        // Read anew for every plan: a controller sees its own writes.
        let view = self.hands.views.view();
        let plan = controller.plan(&view, &key, &now);
        if plan.is_empty() {
            work.queues[index].done(&key, Ended::Well(plan.requeue_after), now.mono);
            return;
        }
        let task = work.tasks.spawn(carry_out(self.hands.clone(), controller.name(), plan));
        work.running.insert(task.id(), (index, key));
    }

    fn ended(&self, work: &mut Work, ended: Result<(Id, Ended), tokio::task::JoinError>) {
        let (id, ended) = ended.unwrap_or_else(|error| (error.id(), Ended::Badly(None)));
        if let Some((index, key)) = work.running.remove(&id) {
            work.queues[index].done(&key, ended, self.hands.clock.mono());
        }
    }
}

/// Runs a plan's chains.
async fn carry_out(hands: Arc<Hands>, controller: &'static str, plan: Plan) -> Ended {
    let (at_once, gradual) =
        tokio::join!(side_by_side(&hands, controller, plan.chains), little_by_little(&hands, controller, plan.gradual));
    worse(worse(Ended::Well(plan.requeue_after), at_once), gradual)
}

/// Gives the first unless the second says more of what went wrong.
fn worse(ended: Ended, other: Ended) -> Ended {
    match (other, &ended) {
        (Ended::Well(_), _) | (Ended::Badly(None), Ended::Badly(Some(_))) => ended,
        (worse, _) => worse,
    }
}

async fn side_by_side(hands: &Arc<Hands>, controller: &'static str, chains: Vec<Vec<Action>>) -> Ended {
    let mut tasks = JoinSet::new();
    for chain in chains {
        tasks.spawn(carry_out_chain(hands.clone(), controller, chain));
    }
    let mut ended = Ended::Well(None);
    while let Some(chain) = tasks.join_next().await {
        ended = worse(ended, chain.unwrap_or(Ended::Badly(None)));
    }
    ended
}

/// Upstream's slow start: what the API refuses is not asked of it hundreds of times.
async fn little_by_little(hands: &Arc<Hands>, controller: &'static str, mut chains: Vec<Vec<Action>>) -> Ended {
    let mut most = 1;
    while !chains.is_empty() {
        let rest = chains.split_off(most.min(chains.len()));
        match side_by_side(hands, controller, chains).await {
            Ended::Well(_) => {}
            badly => return badly,
        }
        chains = rest;
        most *= 2;
    }
    Ended::Well(None)
}

async fn carry_out_chain(hands: Arc<Hands>, controller: &'static str, chain: Vec<Action>) -> Ended {
    for action in chain {
        let Ok(_permit) = hands.permits.acquire().await else {
            return Ended::Badly(None);
        };
        if let Action::Event(note) = &action {
            record(&hands, controller, note).await;
            continue;
        }
        match hands.executor.execute(controller, &action).await {
            Ok(()) => tracing::debug!(controller, %action, "done"),
            Err(error @ ExecuteError::NotFound(_)) => {
                tracing::debug!(controller, %action, %error, "nothing left to do");
                return Ended::Well(None);
            }
            Err(error) => {
                let failure = error.failure(&action).map(Arc::new);
                match &failure {
                    Some(_) => {
                        tracing::warn!(controller, verb = action.verb(), key = %action.key(), %error, "refused")
                    }
                    None => {
                        tracing::debug!(controller, verb = action.verb(), key = %action.key(), %error, "will retry")
                    }
                }
                return Ended::Badly(failure);
            }
        }
    }
    Ended::Well(None)
}

/// Records an Event; that it could not be recorded fails no plan.
async fn record(hands: &Hands, controller: &'static str, note: &crate::Note) {
    for _ in 0..EVENT_TRIES {
        let action = events::record(&hands.views.view(), note, events::Source::of(controller), hands.clock.time());
        match hands.executor.execute(controller, &action).await {
            Ok(()) => return,
            Err(ExecuteError::Conflict(_) | ExecuteError::AlreadyExists(_)) => {}
            Err(error) => {
                return tracing::debug!(controller, key = %note.regarding.key, %error, "event not recorded");
            }
        }
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
