//! Writes ConfigMaps without a pause and remembers what was acknowledged.

use crate::cluster::Cluster;
use anyhow::{Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A thread that creates `w-1`, `w-2`, … through whichever of some masters answers.
pub struct Writer {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<(String, Instant)>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts writing into a namespace through these masters in turn.
    pub fn start(cluster: &Cluster, namespace: &str, masters: &[&str]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let (ended, log, cluster) = (stop.clone(), acknowledged.clone(), cluster.clone());
        let (namespace, masters) = (namespace.to_owned(), masters.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>());
        let thread = std::thread::spawn(move || {
            let mut number = 0u64;
            while !ended.load(Ordering::Relaxed) {
                number += 1;
                let name = format!("w-{number}");
                let Some(master) = masters.get(number as usize % masters.len()) else { return };
                let literal = format!("--from-literal=n={number}");
                let args = ["-n", &namespace, "create", "configmap", &name, &literal, "--request-timeout=5s"];
                if cluster.kubectl_at(master, &args).is_ok_and(|said| said.code == 0)
                    && let Ok(mut log) = log.lock()
                {
                    log.push((name, Instant::now()));
                }
            }
        });
        Self { stop, acknowledged, thread: Some(thread) }
    }

    /// How long after a moment the next write was acknowledged, once one was.
    pub fn next_after(&self, moment: Instant) -> Option<Duration> {
        let log = self.acknowledged.lock().ok()?;
        log.iter().map(|(_, at)| *at).find(|at| *at > moment).map(|at| at - moment)
    }

    /// Stops, and gives the names that were acknowledged.
    pub fn stop(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.acknowledged.lock().map(|log| log.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default()
    }
}

/// Every acknowledged name is there, at every one of these masters.
///
/// # Errors
/// Names what was lost, and where.
pub fn none_lost(cluster: &Cluster, namespace: &str, names: &[String], masters: &[&str]) -> Result<()> {
    for master in masters {
        let listed = cluster.kubectl_at(master, &["-n", namespace, "get", "configmaps", "-oname"])?.ok()?;
        let held: std::collections::BTreeSet<&str> =
            listed.lines().filter_map(|line| line.split_once('/')).map(|(_, n)| n).collect();
        let lost: Vec<&String> = names.iter().filter(|name| !held.contains(name.as_str())).collect();
        if !lost.is_empty() {
            bail!("{master} does not hold {} acknowledged writes of {}: {lost:?}", lost.len(), names.len());
        }
    }
    Ok(())
}
