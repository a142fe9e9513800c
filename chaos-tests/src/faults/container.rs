//! One process of one pod: its supervisor, the guard of a fenced one, or a container's first process.

use super::{Fault, NothingToHit};
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// What holds a pod.
    Supervisor,
    /// What freezes a fenced pod at the end of its promise, beside its supervisor.
    Guard,
    /// The first process of a container.
    Container,
}

/// See the module.
pub struct PodFault {
    node: String,
    pick: u64,
    signal: Signal,
    target: Target,
    pid: Option<i32>,
}

impl PodFault {
    pub(super) fn boxed(node: String, pick: u64, signal: Signal, target: Target) -> Box<dyn Fault> {
        Box::new(Self { node, pick, signal, target, pid: None })
    }

    fn all(&self, lab: &Lab) -> Vec<i32> {
        match self.target {
            Target::Supervisor => lab.supervisors(&self.node).0,
            Target::Guard => lab.supervisors(&self.node).1,
            Target::Container => lab.containers(&self.node),
        }
    }
}

impl Fault for PodFault {
    fn describe(&self) -> String {
        let what = match self.target {
            Target::Supervisor => "a pod's supervisor",
            Target::Guard => "a fenced pod's guard",
            Target::Container => "a container",
        };
        format!("{} to {what} on {}", self.signal.as_str(), self.node)
    }

    fn touch(&self) -> Touch {
        // Requests from other nodes reach the container, too; of supervisors and guards nobody takes notice.
        Touch { pods: self.target == Target::Container, ..Touch::default() }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.node], &[Part::Pods])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        let mut all = self.all(lab);
        all.sort_unstable();
        let at = usize::try_from(self.pick).unwrap_or_default() % all.len().max(1);
        let none = || NothingToHit(format!("nothing of that kind runs on {}", self.node));
        let pid = *all.get(at).ok_or_else(none)?;
        self.pid = Some(pid);
        match kill(Pid::from_raw(pid), self.signal) {
            Ok(()) => Ok(()),
            Err(Errno::ESRCH) => Err(NothingToHit("it has just ended by itself".to_owned()).into()),
            Err(error) => Err(error).with_context(|| format!("{} to {pid}", self.signal)),
        }
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        let stopped = self.pid.filter(|_| self.signal == Signal::SIGSTOP);
        // The pid may be somebody else's by now.
        if let Some(pid) = stopped.filter(|pid| self.all(lab).contains(pid)) {
            match kill(Pid::from_raw(pid), Signal::SIGCONT) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error).with_context(|| format!("SIGCONT to {pid}")),
            }
        }
        Ok(())
    }
}
