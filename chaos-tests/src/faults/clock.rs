//! A host's wall clock jumps, and jumps back.

use super::{Fault, NothingToHit, touch_process};
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::{Context, Result};
use std::collections::BTreeSet;

/// See the module.
pub struct ClockJump {
    pub(super) host: String,
    pub(super) seconds: i64,
}

impl Fault for ClockJump {
    fn describe(&self) -> String {
        format!("clock of {} {:+} s", self.host, self.seconds)
    }

    fn touch(&self) -> Touch {
        // Whoever has a wrong time may refuse certificates and tokens, and be refused.
        touch_process(&self.host)
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &[Part::Clock])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        let clocks = lab.clocks.as_ref().context("the hosts do not run with clocks of their own")?;
        if !lab.obeys_clock(&self.host) {
            return Err(NothingToHit(format!("{} does not run with a clock of its own", self.host)).into());
        }
        clocks.set(&self.host, self.seconds)
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        lab.clocks.as_ref().map_or(Ok(()), |clocks| clocks.set(&self.host, 0))
    }
}
