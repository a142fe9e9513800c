//! A Deployment has never more pods than it may, and no ready one is taken away by a rollout that needs it.

use super::{Excuses, Verdict};
use crate::record::{PodChange, Record, Target};
use std::collections::BTreeMap;
use std::time::Duration;

/// Of the Deployment.
const SURGE: u32 = 1;
const UNAVAILABLE: u32 = 1;
/// Its old size counts so long after a new one was asked for: the word goes from Deployment to ReplicaSet to pods.
const LAG: Duration = Duration::from_secs(15);

/// What has become unready so short a time ago, nobody may know yet.
const RACE: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Deployment;

/// The most pods that may be there at a moment.
fn most(targets: &[Target], at: Duration) -> Option<u32> {
    let until = |number: usize| targets.get(number + 1).map_or(Duration::MAX, |next| next.at);
    let counts = |number: usize, target: &Target| {
        // What was not reached may be worked on as long as one likes.
        let settled = targets.get(number + 1).and_then(|next| next.reached);
        target.at <= at && settled.map_or(Duration::MAX, |reached| reached.max(until(number) + LAG)) >= at
    };
    targets.iter().enumerate().filter(|(number, target)| counts(*number, target)).map(|(_, t)| t.replicas + SURGE).max()
}

/// The rollout that goes on.
fn rollout(targets: &[Target], at: Duration) -> Option<&Target> {
    targets.iter().find(|target| target.rollout && target.at <= at && target.reached.is_some_and(|end| at <= end))
}

impl Verdict for Deployment {
    fn name(&self) -> &'static str {
        "a deployment never has too many pods, and loses none that it needs"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let excuses = Excuses::of(record);
        let mut now: BTreeMap<&str, &PodChange> = BTreeMap::new();
        let mut last_ready: BTreeMap<&str, Duration> = BTreeMap::new();
        let mut changes = 0;
        for change in record.pods.iter().filter(|pod| pod.app == "scaled") {
            let added = !now.contains_key(change.name.as_str()) && !change.gone;
            let before = now.get(change.name.as_str()).copied();
            match change.gone {
                true => drop(now.remove(change.name.as_str())),
                false => drop(now.insert(&change.name, change)),
            }
            changes += 1;
            let living = || now.values().filter(|pod| !pod.deleting && !pod.ended);
            let count = living().count() as u32;
            if added
                && let Some(most) = most(&record.targets, change.at)
                && count > most
            {
                let names: Vec<&str> = living().map(|pod| pod.name.as_str()).collect();
                return Err(format!(
                    "{} came at {:.1} s, and there were {count} of at most {most}: {names:?}",
                    change.name,
                    change.at.as_secs_f64()
                ));
            }
            for pod in now.values().filter(|pod| pod.ready) {
                last_ready.insert(&pod.name, change.at);
            }
            // A pod may fail its probe by itself; what must not happen is that a ready one is taken away meanwhile.
            let taken = change.deleting && before.is_some_and(|pod| pod.ready && !pod.deleting);
            let recent =
                |pod: &&&PodChange| last_ready.get(pod.name.as_str()).is_some_and(|at| change.at <= *at + RACE);
            let ready = living().filter(recent).count() as u32;
            if taken
                && let Some(target) = rollout(&record.targets, change.at)
                && ready + UNAVAILABLE < target.replicas
                && excuses.pods_disturbed(change.at).is_none()
            {
                return Err(format!(
                    "{} was taken away at {:.1} s, during a rollout, which left {ready} of {} ready",
                    change.name,
                    change.at.as_secs_f64(),
                    target.replicas
                ));
            }
        }
        let reached = record.targets.iter().filter(|target| target.reached.is_some()).count();
        Ok(format!("{reached} of {} sizes and rollouts seen through, {changes} changes of pods", record.targets.len()))
    }
}
