//! What may happen to a cluster, one file each: done, undone, and told in words.

mod certificate;
mod clock;
mod container;
mod cpu;
mod delay;
mod disk;
mod host;
mod link;
mod members;
mod partition;
mod power;
mod process;
mod relay;
mod rolling;

use crate::lab::{Lab, Part};
use crate::record::Touch;
use crate::schedule::{Spec, Who};
use anyhow::Result;
use container::{PodFault, Target};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// A fault at work on named hosts.
pub trait Fault: Send {
    /// In words.
    fn describe(&self) -> String;

    /// What it may disturb.
    fn touch(&self) -> Touch;

    /// What it takes in hand, for itself alone.
    fn parts(&self) -> BTreeSet<(String, Part)>;

    /// How long it waits until nobody else has that in hand; `None`: as long as it would last.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// It goes on until it is healed; else it is over once it was done.
    fn lasts(&self) -> bool {
        true
    }

    /// The cluster itself is asked to do it, which may refuse while other faults disturb it.
    fn asks(&self) -> bool {
        false
    }

    /// Does it.
    ///
    /// # Errors
    /// It could not be done; [`Fault::heal`] is called all the same.
    fn inject(&mut self, lab: &Lab) -> Result<()>;

    /// Undoes it, as far as it was done.
    ///
    /// # Errors
    /// It could not be undone.
    fn heal(&mut self, lab: &Lab) -> Result<()>;
}

/// There is nothing that a fault could be done to, because of what else has happened: no failure of anybody's.
#[derive(Debug)]
pub struct NothingToHit(pub String);

impl fmt::Display for NothingToHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NothingToHit {}

/// Of a host whose directory is on its own disk.
fn on_disk(lab: &Lab, host: &str) -> Result<()> {
    match lab.on_disk(host) {
        true => Ok(()),
        false => Err(NothingToHit(format!("{host} was replaced, and is not on its disk any more")).into()),
    }
}

/// The fault of a step. `named` tells who a [`Who`] is now; `number` is the step's own.
///
/// # Errors
/// A host is not known.
pub fn build(spec: &Spec, number: usize, named: &dyn Fn(&Who) -> Result<String>) -> Result<Box<dyn Fault>> {
    let pod = |what, signal, who: &Who, pick| Ok::<_, anyhow::Error>(PodFault::boxed(named(who)?, pick, signal, what));
    let all = |who: &[Who]| who.iter().map(named).collect::<Result<Vec<String>>>();
    Ok(match spec {
        Spec::Kill { who } => process::ProcessFault::boxed(named(who)?, Signal::SIGKILL),
        Spec::Terminate { who } => process::ProcessFault::boxed(named(who)?, Signal::SIGTERM),
        Spec::Pause { who } => process::ProcessFault::boxed(named(who)?, Signal::SIGSTOP),
        Spec::KillSupervisor { who, pick } => pod(Target::Supervisor, Signal::SIGKILL, who, *pick)?,
        Spec::TerminateSupervisor { who, pick } => pod(Target::Supervisor, Signal::SIGTERM, who, *pick)?,
        Spec::PauseSupervisor { who, pick } => pod(Target::Supervisor, Signal::SIGSTOP, who, *pick)?,
        Spec::KillContainer { who, pick } => pod(Target::Container, Signal::SIGKILL, who, *pick)?,
        Spec::TerminateContainer { who, pick } => pod(Target::Container, Signal::SIGTERM, who, *pick)?,
        Spec::PauseContainer { who, pick } => pod(Target::Container, Signal::SIGSTOP, who, *pick)?,
        Spec::KillGuard { who, pick } => pod(Target::Guard, Signal::SIGKILL, who, *pick)?,
        Spec::TerminateGuard { who, pick } => pod(Target::Guard, Signal::SIGTERM, who, *pick)?,
        Spec::PauseGuard { who, pick } => pod(Target::Guard, Signal::SIGSTOP, who, *pick)?,
        Spec::HostLoss { who } => Box::new(host::HostLoss { host: named(who)? }),
        Spec::Unplug { who } => Box::new(host::Unplug { host: named(who)? }),
        Spec::PowerCut { who } => Box::new(power::PowerCut::of(all(who)?)),
        Spec::Partition { from, to, one_way } => {
            Box::new(partition::Partition::new(number, all(from)?, all(to)?, *one_way))
        }
        Spec::Flap { from, to, period_ms } => {
            Box::new(partition::Flap::new(number, all(from)?, all(to)?, Duration::from_millis(*period_ms)))
        }
        Spec::Loss { who, percent } => Box::new(link::Link { host: named(who)?, what: link::What::Loss(*percent) }),
        Spec::Duplicate { who, percent } => {
            Box::new(link::Link { host: named(who)?, what: link::What::Duplicate(*percent) })
        }
        Spec::SlowLink { who, kbit } => Box::new(link::Link { host: named(who)?, what: link::What::Rate(*kbit) }),
        Spec::Delay { who, ms } => Box::new(delay::Delay::new(named(who)?, Duration::from_millis(*ms))),
        Spec::SlowDisk { who, iops } => Box::new(disk::Disk::new(named(who)?, disk::What::Slow(*iops))),
        Spec::FullDisk { who } => Box::new(disk::Disk::new(named(who)?, disk::What::Full)),
        Spec::ReadOnlyDisk { who } => Box::new(disk::Disk::new(named(who)?, disk::What::ReadOnly)),
        Spec::HungDisk { who } => Box::new(disk::Disk::new(named(who)?, disk::What::Hung)),
        Spec::FailedDisk { who } => Box::new(disk::Disk::new(named(who)?, disk::What::Failed)),
        Spec::Starve { who, percent } => Box::new(cpu::Starve::process(named(who)?, *percent)),
        Spec::StarveHost { who, percent } => Box::new(cpu::Starve::host(named(who)?, *percent)),
        Spec::ClockJump { who, seconds } => Box::new(clock::ClockJump { host: named(who)?, seconds: *seconds }),
        Spec::ExpiredCertificate { who } => Box::new(certificate::Expired::new(named(who)?)),
        Spec::RollingRestart => Box::new(rolling::RollingRestart),
        Spec::Transfer { who } => Box::new(members::Transfer { to: named(who)? }),
        Spec::AddMaster => Box::new(members::Added::master()),
        Spec::AddNode => Box::new(members::Added::node()),
        Spec::ReplaceMaster { who } => Box::new(members::Replaced::new(named(who)?)),
    })
}

/// A touch of some hosts; of masters it disturbs the API, of nodes the pods.
pub(crate) fn touch(hosts: &[&str]) -> Touch {
    Touch {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        api: hosts.iter().any(|host| host.starts_with('m')),
        pods: hosts.iter().any(|host| host.starts_with('n')),
        ..Touch::default()
    }
}

/// A touch of a host's own process: of a node's, no container takes notice, but its pods' names are not resolved meanwhile.
pub(crate) fn touch_process(host: &str) -> Touch {
    if host.starts_with('n') {
        Touch { api: false, pods: false, names: true, silent: true, ..touch(&[host]) }
    } else {
        touch(&[host])
    }
}
