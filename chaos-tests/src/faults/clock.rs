//! A master's wall clock jumps, and jumps back.

use super::{Fault, touch};
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
        // Whoever has a wrong time may refuse certificates and tokens.
        touch(&[&self.host])
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &[Part::Clock])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        lab.clocks.as_ref().context("the masters do not run with clocks of their own")?.set(&self.host, self.seconds)
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        lab.clocks.as_ref().map_or(Ok(()), |clocks| clocks.set(&self.host, 0))
    }
}
