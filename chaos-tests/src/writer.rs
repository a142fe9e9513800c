//! Asks masters without a pause, and remembers when each request began and how it ended.

use crate::cluster::Cluster;
use crate::lab::{Answer, Api};
use anyhow::{Context, Result, bail};
use http::Method;
use parking_lot::Mutex;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A new request of each kind begins so often at each master, whatever became of those before it.
const PACE: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A ConfigMap is created.
    Write,
    /// A linearizable read.
    Read,
}

/// A request that was answered with success.
#[derive(Debug, Clone)]
struct Answered {
    master: String,
    verb: Verb,
    name: String,
    begun: Instant,
    ended: Instant,
}

/// A thread that writes and reads ConfigMaps `w-…` through each of some masters.
pub struct Writer {
    stop: Arc<AtomicBool>,
    answered: Arc<Mutex<Vec<Answered>>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Writer {
    /// Starts asking these masters about a namespace. A `prefix` that no writer before it had.
    pub fn start(cluster: &Cluster, namespace: &str, prefix: &str, masters: &[&str]) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (over, log, cluster) = (stop.clone(), answered.clone(), cluster.clone());
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        let prefix = prefix.to_owned();
        let masters: Vec<String> = masters.iter().map(|master| (*master).to_owned()).collect();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask(&cluster, &path, &prefix, &masters, &over, &log))
        });
        Self { stop, answered, thread: Some(thread) }
    }

    /// From a moment to the answer of the first request that a master was sent after it, once it has come.
    pub fn first_after(&self, moment: Instant, master: &str, verb: Verb) -> Option<Duration> {
        let log = self.answered.lock();
        let asked = log.iter().filter(|one| one.master == master && one.verb == verb && one.begun > moment);
        asked.map(|one| one.ended).min().map(|ended| ended - moment)
    }

    /// Stops, and gives the names that were acknowledged.
    ///
    /// # Errors
    /// It could not ask at all.
    pub fn stop(mut self) -> Result<Vec<String>> {
        self.end().context("the writer")?;
        let log = self.answered.lock();
        Ok(log.iter().filter(|one| one.verb == Verb::Write).map(|one| one.name.clone()).collect())
    }

    fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => bail!("it ended early"),
            None => Ok(()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Of a step that has failed already.
        let _ = self.end();
    }
}

async fn ask(
    cluster: &Cluster,
    path: &str,
    prefix: &str,
    masters: &[String],
    over: &AtomicBool,
    log: &Arc<Mutex<Vec<Answered>>>,
) -> Result<()> {
    let api = Api::open(cluster).await?;
    let mut pace = tokio::time::interval(PACE);
    let mut open = tokio::task::JoinSet::new();
    let mut number = 0u64;
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        for (at, master) in api.names().iter().enumerate().filter(|(_, name)| masters.contains(name)) {
            for verb in [Verb::Write, Verb::Read] {
                number += 1;
                let (api, log, path, master) = (api.clone(), log.clone(), path.to_owned(), master.clone());
                let name = format!("{prefix}-{number}");
                open.spawn(async move {
                    let begun = Instant::now();
                    let answer = match verb {
                        Verb::Write => {
                            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
                            api.ask(at, Method::POST, &path, Some(&object)).await
                        }
                        Verb::Read => {
                            api.ask(at, Method::GET, "/api/v1/namespaces/default/configmaps/kube-root-ca.crt", None)
                                .await
                        }
                    };
                    if matches!(answer, Answer::Said(200..=299, _)) {
                        log.lock().push(Answered { master, verb, name, begun, ended: Instant::now() });
                    }
                });
            }
        }
        while open.try_join_next().is_some() {}
    }
    // What is acknowledged now counts, too.
    while open.join_next().await.is_some() {}
    Ok(())
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
