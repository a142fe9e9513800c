//! One process of one pod: its supervisor, or a container's first process.

use super::Fault;
use crate::lab::Lab;
use crate::record::Touch;
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// See the module.
pub struct PodFault {
    node: String,
    pick: u64,
    signal: Signal,
    supervisor: bool,
    pid: Option<i32>,
}

impl PodFault {
    fn boxed(node: String, pick: u64, signal: Signal, supervisor: bool) -> Box<dyn Fault> {
        Box::new(Self { node, pick, signal, supervisor, pid: None })
    }

    pub(super) fn supervisor(node: String, pick: u64) -> Box<dyn Fault> {
        Self::boxed(node, pick, Signal::SIGKILL, true)
    }

    pub(super) fn kill(node: String, pick: u64) -> Box<dyn Fault> {
        Self::boxed(node, pick, Signal::SIGKILL, false)
    }

    pub(super) fn pause(node: String, pick: u64) -> Box<dyn Fault> {
        Self::boxed(node, pick, Signal::SIGSTOP, false)
    }
}

impl Fault for PodFault {
    fn describe(&self) -> String {
        let what = if self.supervisor { "a pod's supervisor" } else { "a container" };
        format!("{} to {what} on {}", self.signal.as_str(), self.node)
    }

    fn touch(&self) -> Touch {
        // Requests from other nodes reach the container, too; of a supervisor nobody takes notice.
        Touch { pods: !self.supervisor, ..Touch::default() }
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        let mut all = if self.supervisor { lab.supervisors(&self.node) } else { lab.containers(&self.node) };
        all.sort_unstable();
        let at = usize::try_from(self.pick).unwrap_or_default() % all.len().max(1);
        let pid = *all.get(at).with_context(|| format!("{} runs no pod", self.node))?;
        self.pid = Some(pid);
        match kill(Pid::from_raw(pid), self.signal) {
            // It has just ended by itself.
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("{} to {pid}", self.signal)),
        }
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        let stopped = self.pid.filter(|_| self.signal == Signal::SIGSTOP);
        // The pid may be somebody else's by now.
        if let Some(pid) = stopped.filter(|pid| lab.containers(&self.node).contains(pid)) {
            match kill(Pid::from_raw(pid), Signal::SIGCONT) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error).with_context(|| format!("SIGCONT to {pid}")),
            }
        }
        Ok(())
    }
}
