//! A change of leaders does nothing twice, and costs nobody more than one request on the connection that it keeps.

use super::recovery::hits;
use super::times::alone_until;
use super::{Excuses, Verdict};
use crate::record::{PodChange, Record};
use std::collections::{BTreeMap, BTreeSet};

/// Each ReplicaSet of one pod that was asked for when a leader was hit has one.
pub(super) struct Once;
/// Connections.
pub(super) struct Connections;

/// Their pods' label `app` begins with it.
const BEAT: &str = "beat-";

impl Verdict for Once {
    fn name(&self) -> &'static str {
        "a pod that is asked for when a leader is hit is made once"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let excuses = Excuses::of(record);
        let mut living: BTreeMap<&str, BTreeMap<&str, &PodChange>> = BTreeMap::new();
        for change in record.pods.iter().filter(|pod| pod.app.starts_with(BEAT)) {
            let pods = living.entry(&change.app).or_default();
            match change.gone || change.deleting || change.ended {
                true => drop(pods.remove(change.uid.as_str())),
                false => drop(pods.insert(&change.uid, change)),
            }
            if pods.len() > 1 && excuses.pods_disturbed(change.at).is_none() {
                let names: BTreeSet<&str> = pods.values().map(|pod| pod.name.as_str()).collect();
                return Err(format!("{} has {names:?} at {:.2} s", change.app, change.at.as_secs_f64()));
            }
        }
        Ok(format!("{} asked for, none twice", living.len()))
    }
}

impl Verdict for Connections {
    fn name(&self) -> &'static str {
        "a leader that is hit alone costs one request on each connection at most"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let (mut count, mut lost) = (0, 0);
        for (_, span) in hits(record) {
            let until = alone_until(record, span);
            let mut failed: BTreeMap<(&str, u64), usize> = BTreeMap::new();
            for request in record.requests.iter().filter(|r| r.error.is_some()) {
                let meanwhile = request.ended() >= span.begun && request.at < until;
                let Some(client) = request.keeps.filter(|_| meanwhile && !span.touch.hosts.contains(&request.through))
                else {
                    continue;
                };
                *failed.entry((&request.through, client)).or_default() += 1;
            }
            if let Some(((through, client), times)) = failed.iter().find(|(_, times)| **times > 1) {
                let through = if through.is_empty() { "the virtual address" } else { through };
                let at = span.begun.as_secs_f64();
                return Err(format!("{}, {at:.1} s: client {client} of {through} lost {times} requests", span.what));
            }
            (count, lost) = (count + 1, lost + failed.len());
        }
        Ok(format!("{count} times, {lost} requests lost in all"))
    }
}
