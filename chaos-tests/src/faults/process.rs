//! A signal to a host's own process: its pods run on.

use super::{Fault, touch_process};
use crate::lab::Lab;
use crate::record::Touch;
use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

/// See the module.
pub struct ProcessFault {
    host: String,
    signal: Signal,
}

impl ProcessFault {
    pub(super) fn boxed(host: String, signal: Signal) -> Box<dyn Fault> {
        Box::new(Self { host, signal })
    }
}

impl Fault for ProcessFault {
    fn describe(&self) -> String {
        let name = self.signal.as_str();
        let process = if self.host.starts_with('m') { "master" } else { "agent" };
        format!("{name} to the {process} on {}", self.host)
    }

    fn touch(&self) -> Touch {
        touch_process(&self.host)
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        ensure!(lab.signal(&self.host, self.signal)?, "{} does not run", self.host);
        Ok(())
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        if self.signal == Signal::SIGSTOP && lab.signal(&self.host, Signal::SIGCONT)? {
            return Ok(());
        }
        if self.signal == Signal::SIGTERM {
            // It may still be ending.
            lab.stop(&self.host)?;
        }
        lab.start(&self.host)
    }
}
