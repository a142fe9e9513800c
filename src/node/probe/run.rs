//! Probes under way: a task for each probe of each running container.

use super::check::check;
use super::{Outcome, Parameters, ProbeKind, Tally, Target, Verdict};
use raftsman_runtime::border::Pods;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;

/// A probe said something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeEvent {
    /// The container.
    pub container: String,
    /// Its run.
    pub attempt: u32,
    /// Which probe.
    pub kind: ProbeKind,
    /// The result.
    pub outcome: Outcome,
    /// What it means, if the threshold is reached.
    pub verdict: Option<Verdict>,
}

/// One probe of one run.
pub struct Prober {
    /// The runtime.
    pub pods: Arc<dyn Pods>,
    /// The pod's uid.
    pub uid: String,
    /// The container.
    pub container: String,
    /// The run.
    pub attempt: u32,
    /// Which probe.
    pub kind: ProbeKind,
    /// The pod's address.
    pub pod_ip: Option<IpAddr>,
    /// What is asked; an error is the result of every question.
    pub target: Result<Target, String>,
    /// Its numbers.
    pub parameters: Parameters,
    /// How long the run has lasted already.
    pub age: Duration,
    /// Whether the run's startup probe has succeeded (true without one).
    pub started: watch::Receiver<bool>,
}

impl Prober {
    async fn once(&self) -> Outcome {
        let target = match &self.target {
            Ok(target) => target,
            Err(error) => return Outcome::Failure(error.clone()),
        };
        let question = check(self.pods.as_ref(), &self.uid, &self.container, self.pod_ip, target);
        match tokio::time::timeout(self.parameters.timeout, question).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Failure(format!("command timed out: no answer within {:?}", self.parameters.timeout)),
        }
    }

    /// Asks until told to stop (by abort) or, for a startup probe, until it has succeeded.
    async fn run(mut self, events: mpsc::Sender<ProbeEvent>) {
        if self.kind != ProbeKind::Startup && self.started.wait_for(|started| *started).await.is_err() {
            return;
        }
        let first = Instant::now() + self.parameters.delay.saturating_sub(self.age);
        let mut tick = tokio::time::interval_at(first, self.parameters.period);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tally = Tally::default();
        loop {
            tick.tick().await;
            let outcome = self.once().await;
            let verdict = tally.add(&outcome, &self.parameters);
            let (container, attempt, kind) = (self.container.clone(), self.attempt, self.kind);
            let event = ProbeEvent { container, attempt, kind, outcome, verdict };
            if events.send(event).await.is_err() || (kind == ProbeKind::Startup && verdict == Some(Verdict::Good)) {
                return;
            }
        }
    }
}

/// The probes of one pod. They end with it.
#[derive(Default)]
pub struct ProbeTasks {
    tasks: HashMap<(String, ProbeKind), (u32, AbortOnDropHandle<()>)>,
    started: HashMap<String, (u32, watch::Sender<bool>)>,
}

impl ProbeTasks {
    /// The gate that holds back the other probes of this run.
    pub fn gate(&mut self, container: &str, attempt: u32, open: bool) -> watch::Receiver<bool> {
        let entry = self.started.entry(container.to_owned()).or_insert_with(|| (attempt, watch::Sender::new(open)));
        if entry.0 != attempt {
            *entry = (attempt, watch::Sender::new(open));
        }
        entry.1.subscribe()
    }

    /// The startup probe has succeeded.
    pub fn open(&self, container: &str, attempt: u32) {
        if let Some((_, gate)) = self.started.get(container).filter(|(run, _)| *run == attempt) {
            gate.send_replace(true);
        }
    }

    /// This probe of this run is under way.
    pub fn has(&self, container: &str, kind: ProbeKind, attempt: u32) -> bool {
        self.tasks.get(&(container.to_owned(), kind)).is_some_and(|(run, _)| *run == attempt)
    }

    /// Begins one; the same probe of an earlier run ends.
    pub fn begin(&mut self, prober: Prober, events: mpsc::Sender<ProbeEvent>) {
        let key = (prober.container.clone(), prober.kind);
        let attempt = prober.attempt;
        self.tasks.insert(key, (attempt, AbortOnDropHandle::new(tokio::spawn(prober.run(events)))));
    }

    /// Ends this probe of this container.
    pub fn end_one(&mut self, container: &str, kind: ProbeKind) {
        self.tasks.remove(&(container.to_owned(), kind));
    }

    /// Ends those probes that could have this container restarted.
    pub fn end_but_readiness(&mut self, container: &str) {
        self.end_one(container, ProbeKind::Startup);
        self.end_one(container, ProbeKind::Liveness);
    }

    /// Ends all probes of this container.
    pub fn end(&mut self, container: &str) {
        self.tasks.retain(|(name, _), _| name != container);
        self.started.remove(container);
    }
}
