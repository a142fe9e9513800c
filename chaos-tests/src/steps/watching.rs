//! What a command says line by line, and when: a watch that begins before what it is to see.

use crate::cluster::Cluster;
use anyhow::{Context, Result};
use parking_lot::Mutex;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A command that goes on until this is dropped.
pub struct Watching {
    child: Child,
    seen: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Watching {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("a command to watch")?;
        let out = child.stdout.take().context("no output")?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                log.lock().push((Instant::now(), line));
            }
        });
        Ok(Self { child, seen })
    }

    /// `kubectl get WHAT -w`, each object as `template` says; it has begun when this returns, and has shown what there is
    /// (at least one object).
    ///
    /// # Errors
    /// It shows nothing.
    pub fn kubectl(c: &Cluster, what: &str, template: &str) -> Result<Self> {
        let output = format!("-ojsonpath={template}{{\"\\n\"}}");
        let words: Vec<&str> = ["get"].into_iter().chain(what.split_whitespace()).chain(["-w", &output]).collect();
        let all = Self::start(c.kubectl_command(&words))?;
        c.wait("the watch has begun", Duration::from_secs(20), || Ok(!all.seen.lock().is_empty()))?;
        Ok(all)
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.seen.lock().iter().map(|(_, line)| line.clone()).collect()
    }

    /// When the first line of this kind was seen, at or after a moment.
    pub fn first(&self, from: Instant, wanted: impl Fn(&str) -> bool) -> Option<Instant> {
        self.seen.lock().iter().find(|(at, line)| *at >= from && wanted(line)).map(|(at, _)| *at)
    }

    /// Waits for a line of this kind: when it was seen.
    ///
    /// # Errors
    /// It does not come in time: what was seen last.
    pub fn wait(
        &self,
        c: &Cluster,
        what: &str,
        within: Duration,
        from: Instant,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Instant> {
        let mut found = None;
        c.wait(what, within, || {
            found = self.first(from, &wanted);
            anyhow::ensure!(found.is_some(), "seen last: {:?}", self.lines().iter().rev().take(5).collect::<Vec<_>>());
            Ok(true)
        })?;
        found.context("not seen")
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
