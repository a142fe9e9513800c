//! Scores: which of the nodes that can run a pod should. To add one is to add a file and a line in [`all`].

mod image_locality;
mod least_allocated;
mod node_preference;
mod spreading;
mod taint_preference;

use crate::{Demand, NodeInfo};

/// The best a node can do.
pub const BEST: i64 = 100;

/// One preference.
pub trait Score: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> &'static str;

    /// How much it counts beside the others.
    fn weight(&self) -> i64;

    /// How good each node is for the pod, 0 to [`BEST`], in the order of `nodes`.
    fn score(&self, pod: &Demand, nodes: &[&NodeInfo]) -> Vec<i64>;
}

/// All scores.
pub fn all() -> Vec<Box<dyn Score>> {
    vec![
        Box::new(taint_preference::TaintPreference),
        Box::new(node_preference::NodePreference),
        Box::new(spreading::Spreading),
        Box::new(least_allocated::LeastAllocated),
        Box::new(image_locality::ImageLocality),
    ]
}

/// Stretches counts to 0 … [`BEST`]: the highest is the best.
fn normalized(counts: Vec<i64>) -> Vec<i64> {
    let most = counts.iter().copied().max().unwrap_or(0);
    counts.into_iter().map(|count| if most <= 0 { 0 } else { count * BEST / most }).collect()
}

/// Stretches counts to 0 … [`BEST`]: the lowest is the best.
fn reversed(counts: Vec<i64>) -> Vec<i64> {
    normalized(counts).into_iter().map(|score| BEST - score).collect()
}
