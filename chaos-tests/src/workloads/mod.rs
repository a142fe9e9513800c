//! What goes on in the cluster while things happen to it, one file each.

mod beats;
mod deployment;
mod diary;
mod follow;
mod http;
mod jobs;
mod leaders;
mod person;
mod pods;
mod registers;
mod setup;
mod stateful_set;
pub(crate) mod vip;
mod watchers;

pub use diary::Diary;
pub(crate) use http::{asker_said, page};

use crate::cluster::Cluster;
use crate::invariants::{Event, Seen};
use crate::lab::Api;
use crate::record::{Record, Request, Stream};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// Longer than our CLI tries all masters.
const CLI_PATIENCE: Duration = Duration::from_secs(45);

/// Where all of it lives.
pub const NAMESPACE: &str = "chaos";

/// Something that uses the cluster and writes down what it sees.
#[async_trait]
pub trait Workload: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// It only looks on, and goes on until nobody writes any more ([`Context::closed`]).
    fn watches(&self) -> bool {
        false
    }

    /// Makes what it needs.
    async fn prepare(&self, c: &Context) -> Result<()>;

    /// Works until [`Context::over`]; who watches, until [`Context::closed`].
    async fn run(&self, c: &Context) -> Result<()>;

    /// After everything was healed: looks at the end.
    async fn finish(&self, c: &Context) -> Result<()>;
}

/// All workloads.
pub fn all(diary: &Diary) -> Vec<Arc<dyn Workload>> {
    vec![
        Arc::new(leaders::Leaders),
        Arc::new(registers::Registers::default()),
        Arc::new(watchers::Watchers),
        Arc::new(pods::Pods),
        Arc::new(http::Http),
        Arc::new(deployment::Deployment),
        Arc::new(stateful_set::StatefulSet::members(diary)),
        Arc::new(stateful_set::StatefulSet::owners(diary)),
        Arc::new(jobs::Jobs(diary.clone())),
        Arc::new(vip::Vip),
        Arc::new(person::KUBECTL),
        Arc::new(person::CLI),
        Arc::new(follow::Follow),
        Arc::new(beats::Beats),
    ]
}

/// What a workload works with.
#[derive(Clone)]
pub struct Context {
    /// The masters.
    pub api: Api,
    /// The command lines.
    pub cluster: Cluster,
    /// The shared place.
    pub diary: Diary,
    /// What was seen.
    pub record: Arc<Mutex<Record>>,
    begun: Instant,
    uptime: Duration,
    over: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<String>>>,
    values: Arc<AtomicU64>,
    seed: u64,
}

impl Context {
    /// For a run that begins now.
    ///
    /// # Errors
    /// The machine does not tell its uptime.
    pub fn new(api: Api, cluster: Cluster, diary: Diary, seed: u64) -> Result<Self> {
        Ok(Self {
            api,
            cluster,
            diary,
            record: Arc::default(),
            begun: Instant::now(),
            uptime: diary::uptime()?,
            over: Arc::default(),
            closed: Arc::default(),
            open: Arc::default(),
            values: Arc::default(),
            seed,
        })
    }

    /// The machine's uptime at the beginning.
    pub fn uptime(&self) -> Duration {
        self.uptime
    }

    /// Time begins again: everything is prepared.
    pub fn begin(&mut self) -> Result<()> {
        self.begun = Instant::now();
        self.uptime = diary::uptime()?;
        Ok(())
    }

    /// Watchers are to end, too: nobody writes any more, and they have heard of everything.
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Ends the watchers.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Jobs that were open when it was over.
    fn leave(&self, open: Vec<String>) {
        *self.open.lock() = open;
    }

    fn left(&self) -> Vec<String> {
        std::mem::take(&mut self.open.lock())
    }

    /// Since the beginning.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Workloads are to end.
    pub fn over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Ends them.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// A value that nobody else writes.
    pub fn value(&self) -> u64 {
        self.values.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A random number generator of one's own.
    pub fn rng(&self, stream: u64) -> rand::rngs::StdRng {
        rand::SeedableRng::seed_from_u64(self.seed.wrapping_add(stream.wrapping_mul(0x9e37_79b9)))
    }

    /// Reads from whichever master answers.
    ///
    /// # Errors
    /// None does; the last one's reason.
    pub async fn any(&self, path: &str) -> Result<serde_json::Value> {
        let mut last = anyhow::anyhow!("there is no master");
        for at in 0..self.api.names().len() {
            match self.api.get(at, path).await {
                Ok(value) => return Ok(value),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Where the web answers on a node: its address and the Service's port.
    ///
    /// # Errors
    /// The node's configuration cannot be read.
    pub fn web(&self, node: &str) -> Result<String> {
        Ok(format!("{}:{}", self.cluster.address(node)?, http::PORT))
    }

    /// Writes an event down.
    pub fn saw(&self, seen: Seen) {
        let event = Event { at: self.now(), seen };
        self.record.lock().events.push(event);
    }

    /// Writes a request down that began at a moment and has just ended.
    pub fn asked(&self, stream: Stream, through: &str, at: Duration, error: Option<String>) {
        self.asked_by(None, stream, through, at, error);
    }

    /// Likewise one that a client sent on the connection that it keeps.
    pub fn asked_by(&self, keeps: Option<u64>, stream: Stream, through: &str, at: Duration, error: Option<String>) {
        let took = self.now().saturating_sub(at);
        let through = through.to_owned();
        self.record.lock().requests.push(Request { stream, through, keeps, at, took, error });
    }

    /// Worth saying in the report.
    pub fn note(&self, text: String) {
        let at = self.now().as_secs_f64();
        self.record.lock().notes.push(format!("{at:.1} s: {text}"));
    }

    /// Waits a while, less if it is over.
    pub async fn pause(&self, how_long: Duration) {
        let end = Instant::now() + how_long;
        while !self.over() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(50).min(how_long)).await;
        }
    }

    /// kubectl against the virtual address, its words split at spaces; on a thread of its own.
    ///
    /// # Errors
    /// It fails.
    pub async fn kubectl(&self, line: &str) -> Result<String> {
        let (cluster, line) = (self.cluster.clone(), format!("-n {NAMESPACE} --request-timeout=10s {line}"));
        tokio::task::spawn_blocking(move || cluster.k(&line)).await?
    }

    /// Our own CLI, its words split at spaces, with something to read.
    ///
    /// # Errors
    /// It fails, or does not end.
    pub async fn cli_with(&self, line: &str, input: &str) -> Result<String> {
        let mut command = tokio::process::Command::from(self.cluster.raftsman_command(line));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        let ended = tokio::time::timeout(CLI_PATIENCE, child.wait_with_output()).await;
        let output =
            ended.with_context(|| format!("raftsman {line}: no end within {} s", CLI_PATIENCE.as_secs()))??;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "raftsman {line}: {}", said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Our own CLI, its words split at spaces.
    ///
    /// # Errors
    /// It fails, or does not end.
    pub async fn cli(&self, line: &str) -> Result<String> {
        self.cli_with(line, "").await
    }

    /// `kubectl apply` of a manifest; again while masters are away.
    ///
    /// # Errors
    /// It goes on failing.
    pub async fn apply(&self, manifest: String) -> Result<()> {
        let cluster = self.cluster.clone();
        let apply = move || {
            let arguments = ["-n", NAMESPACE, "apply", "-f", "-"];
            cluster.kubectl_with(&arguments, &manifest)?.ok().map(drop)
        };
        tokio::task::spawn_blocking(apply).await?
    }
}
