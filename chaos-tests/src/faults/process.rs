//! A signal to a host's own process: its pods run on.

use super::{Fault, NothingToHit, touch_process};
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::Result;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;

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

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &[Part::Process])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        match lab.signal(&self.host, self.signal)? {
            true => Ok(()),
            false => Err(NothingToHit(format!("{} does not run", self.host)).into()),
        }
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        if self.signal == Signal::SIGSTOP && lab.signal(&self.host, Signal::SIGCONT)? {
            return Ok(());
        }
        if self.signal == Signal::SIGTERM {
            // It may still be ending.
            lab.stop(&self.host)?;
        } else if self.signal == Signal::SIGKILL {
            // It may still be dying, and a start would take it for running.
            lab.await_end(&self.host)?;
        }
        lab.start(&self.host)
    }
}
