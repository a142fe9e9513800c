//! Packets between hosts vanish: both ways, one way, or now and then.

use super::{Fault, touch};
use crate::lab::{Lab, Part, Rules};
use crate::record::Touch;
use anyhow::Result;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

type Pair = (String, String);

/// What is cut: every host of the first side from every other one of the second.
fn pairs(from: &[String], to: &[String], one_way: bool) -> Vec<Pair> {
    let mut all: Vec<Pair> = Vec::new();
    for a in from {
        for b in to.iter().filter(|b| *b != a) {
            all.push((a.clone(), b.clone()));
            if !one_way {
                all.push((b.clone(), a.clone()));
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

/// The side that is on its own: the one with fewer masters, for it has no majority; with as many on both, the smaller one.
fn alone(from: &[String], to: &[String]) -> Touch {
    let masters = |side: &[String]| side.iter().filter(|host| host.starts_with('m')).count();
    // A host that is named on both sides is cut off from the rest of the larger one.
    let without = |side: &[String], other: &[String]| {
        let rest: Vec<String> = side.iter().filter(|host| !other.contains(host)).cloned().collect();
        if rest.is_empty() { side.to_vec() } else { rest }
    };
    let (from, to) = (&without(from, to), &without(to, from));
    let weight = |side: &[String]| (masters(side), side.len());
    let lesser = if !to.is_empty() && weight(to) < weight(from) { to } else { from };
    let hosts: Vec<&str> = lesser.iter().map(String::as_str).collect();
    // Nodes that masters do not hear disturb no master.
    let touch = touch(&hosts);
    Touch { api: touch.api || (masters(from) > 0 && masters(to) > 0), ..touch }
}

/// Hosts that do not hear each other.
pub struct Partition {
    name: String,
    from: Vec<String>,
    to: Vec<String>,
    one_way: bool,
}

impl Partition {
    pub(super) fn new(number: usize, from: Vec<String>, to: Vec<String>, one_way: bool) -> Self {
        let to = to.into_iter().filter(|host| from.len() > 1 || Some(host) != from.first()).collect();
        Self { name: format!("cut{number}"), from, to, one_way }
    }
}

impl Fault for Partition {
    fn describe(&self) -> String {
        let arrow = if self.one_way { "→" } else { "↔" };
        format!("cut {} {arrow} {}", self.from.join(","), self.to.join(","))
    }

    fn touch(&self) -> Touch {
        alone(&self.from, &self.to)
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        let hosts: Vec<String> = self.touch().hosts.into_iter().collect();
        Part::of(&hosts, &[Part::Paths])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        lab.rules.cut(&self.name, &pairs(&self.from, &self.to, self.one_way))
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        lab.rules.heal(&self.name)
    }
}

/// A partition that comes and goes.
pub struct Flap {
    cut: Partition,
    period: Duration,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flap {
    pub(super) fn new(number: usize, from: Vec<String>, to: Vec<String>, period: Duration) -> Self {
        let cut = Partition::new(number, from, to, false);
        Self { cut, period, over: Arc::default(), thread: None }
    }
}

fn flap(rules: &Rules, name: &str, pairs: &[Pair], period: Duration, over: &AtomicBool) {
    let mut cut = true;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(period);
        cut = !cut;
        // The last word has the one that heals.
        let _ = rules.toggle(name, pairs, cut);
    }
}

impl Fault for Flap {
    fn describe(&self) -> String {
        format!("{}, every {} ms on and off", self.cut.describe(), self.period.as_millis())
    }

    fn touch(&self) -> Touch {
        Touch { slow: true, ..self.cut.touch() }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        self.cut.parts()
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        self.cut.inject(lab)?;
        let (rules, name, over, period) = (lab.rules.clone(), self.cut.name.clone(), self.over.clone(), self.period);
        let pairs = pairs(&self.cut.from, &self.cut.to, false);
        self.thread = Some(std::thread::spawn(move || flap(&rules, &name, &pairs, period, &over)));
        Ok(())
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends by itself.
            let _ = thread.join();
        }
        self.cut.heal(lab)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_or_one_are_cut_and_nobody_from_itself() {
        let hosts = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let cut = |one_way| pairs(&hosts("m1"), &hosts("m1 m2 n1"), one_way);
        let words = |pairs: Vec<Pair>| pairs.iter().map(|(a, b)| format!("{a}{b}")).collect::<Vec<_>>().join(" ");
        assert_eq!(words(cut(true)), "m1m2 m1n1");
        assert_eq!(words(cut(false)), "m1m2 m1n1 m2m1 n1m1");
        let split = Partition::new(1, hosts("m1"), hosts("m1 m2 n1"), false);
        assert_eq!(split.describe(), "cut m1 ↔ m2,n1");
        assert_eq!(split.touch(), Touch { hosts: ["m1".to_owned()].into(), api: true, ..Touch::default() });
    }

    #[test]
    fn the_side_without_a_majority_of_masters_is_on_its_own_however_large() {
        let hosts = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let alone = |from: &str, to: &str| {
            let touch = Partition::new(1, hosts(from), hosts(to), false).touch();
            touch.hosts.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(alone("m1 n1 n2 n3", "m2 m3"), "m1 n1 n2 n3");
        assert_eq!(alone("m2 m3", "m1 n1 n2 n3"), "m1 n1 n2 n3");
        assert_eq!(alone("n2", "m1 m2 m3"), "n2");
        let api = |from: &str, to: &str| Partition::new(1, hosts(from), hosts(to), true).touch().api;
        assert!(!api("m1 m2 m3", "n2") && api("m1", "m1 m2 m3 n1 n2 n3") && api("m1 m2 m3 n1 n2 n3", "m2"));
        assert_eq!(alone("m1 m2 m3 n1 n2 n3", "m2"), "m2");
        let one_way = Partition::new(1, hosts("m1 m2 m3 n1 n2 n3"), hosts("m2"), true).touch();
        assert_eq!(one_way.hosts.into_iter().collect::<Vec<_>>(), ["m2"]);
    }
}
