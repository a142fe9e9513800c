//! Plans, and the moment at which they are made.

use crate::Action;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why the last plan for a key could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The action's verb: `create`, `delete`, …
    pub verb: &'static str,
    /// What the API said.
    pub message: String,
}

/// Time and randomness, passed in: planners have none of their own.
#[derive(Debug, Clone)]
pub struct Now {
    /// The calendar's time, for what is written into objects.
    pub time: Timestamp,
    /// Time since this leadership began, on a clock that never jumps; heartbeats are measured on it.
    pub mono: Duration,
    /// Random bits for generated names.
    pub seed: u64,
    /// What the last plan for this key met, if it failed for good reason (not by a lost race).
    pub failure: Option<Arc<Failure>>,
}

impl Now {
    /// Time since `then`; zero if `then` lies ahead.
    pub fn since(&self, then: Timestamp) -> Duration {
        Duration::try_from(self.time.duration_since(then)).unwrap_or(Duration::ZERO)
    }

    /// A generated name: `prefix` and five letters that follow from the seed and `salt`.
    pub fn name(&self, prefix: &str, salt: u64) -> String {
        let mut state = self.seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        raftsman_api::names::generate(prefix, move || {
            // splitmix64: neighbouring salts give unrelated letters.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 16) as u32
        })
    }
}

/// What to do about one key, and when to ask again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Chains run side by side; a chain's actions run in order, and the first that fails ends its chain.
    pub chains: Vec<Vec<Action>>,
    /// Chains that are refused alike if one is (creates under a quota): one first, then twice as many each time, until one
    /// fails. They run beside the others.
    pub gradual: Vec<Vec<Action>>,
    /// Ask again after this long, should nothing change before.
    pub requeue_after: Option<Duration>,
}

impl Plan {
    /// Nothing to do.
    pub fn none() -> Self {
        Self::default()
    }

    /// Begins a chain of its own.
    pub fn push(&mut self, action: Action) {
        self.chains.push(vec![action]);
    }

    /// Adds a chain, unless it is empty.
    pub fn chain(&mut self, actions: Vec<Action>) {
        if !actions.is_empty() {
            self.chains.push(actions);
        }
    }

    /// Adds a chain to those that are begun little by little.
    pub fn gradually(&mut self, actions: Vec<Action>) {
        if !actions.is_empty() {
            self.gradual.push(actions);
        }
    }

    /// Ask again after `delay`, or earlier if that was asked for already.
    pub fn requeue(&mut self, delay: Duration) {
        self.requeue_after = Some(self.requeue_after.map_or(delay, |earlier| earlier.min(delay)));
    }

    /// All chains.
    pub fn all_chains(&self) -> impl DoubleEndedIterator<Item = &Vec<Action>> {
        self.chains.iter().chain(&self.gradual)
    }

    /// All actions, chain by chain.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.all_chains().flatten()
    }

    /// No action at all.
    pub fn is_empty(&self) -> bool {
        self.all_chains().all(Vec::is_empty)
    }

    /// Takes over another plan's actions and wishes.
    pub fn join(&mut self, other: Plan) {
        self.chains.extend(other.chains);
        self.gradual.extend(other.gradual);
        if let Some(delay) = other.requeue_after {
            self.requeue(delay);
        }
    }
}

/// One action a line, then when to ask again.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for action in self.actions() {
            writeln!(f, "{action}")?;
        }
        match self.requeue_after {
            Some(delay) => writeln!(f, "again in {delay:?}"),
            None => Ok(()),
        }
    }
}
