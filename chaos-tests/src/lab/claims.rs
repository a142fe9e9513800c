//! Which part of which host a fault has in hand: two that work on the same part would undo each other's work.

use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A part of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its own process.
    Process,
    /// Its link.
    Link,
    /// Its disk.
    Disk,
    /// Its pods.
    Pods,
    /// Its clock.
    Clock,
    /// Whom it hears.
    Paths,
}

impl Part {
    /// All.
    pub const ALL: [Self; 6] = [Self::Process, Self::Link, Self::Disk, Self::Pods, Self::Clock, Self::Paths];

    /// These parts of these hosts.
    pub fn of<S: AsRef<str>>(hosts: &[S], parts: &[Self]) -> BTreeSet<(String, Self)> {
        hosts.iter().flat_map(|host| parts.iter().map(|part| (host.as_ref().to_owned(), *part))).collect()
    }
}

type Parts = BTreeSet<(String, Part)>;

#[derive(Default)]
struct State {
    taken: Parts,
    /// Waited for, by who came when: whoever comes later waits behind.
    queue: BTreeMap<u64, Parts>,
    /// Who comes next.
    next: u64,
}

impl State {
    /// A part that is in another's hand, or is waited for by one who came earlier.
    fn busy(&self, parts: &Parts, turn: u64) -> Option<(String, Part)> {
        let earlier = self.queue.range(..turn).map(|(_, waited)| waited);
        earlier.chain([&self.taken]).find_map(|other| parts.intersection(other).next().cloned())
    }
}

/// All that is in somebody's hands.
#[derive(Clone, Default)]
pub struct Claims {
    shared: Arc<(Mutex<State>, Condvar)>,
}

/// Given back when dropped.
pub struct Claim {
    claims: Claims,
    parts: Parts,
}

impl Claims {
    /// Takes all of them, or none; waits for what is taken so long.
    ///
    /// # Errors
    /// What is in another's hands.
    pub fn take(&self, parts: Parts, patience: Duration) -> Result<Claim, String> {
        let (state, freed) = &*self.shared;
        let mut state = state.lock();
        let end = Instant::now() + patience;
        let turn = state.next;
        state.next += 1;
        state.queue.insert(turn, parts.clone());
        let mut busy = state.busy(&parts, turn);
        while busy.is_some() && !freed.wait_until(&mut state, end).timed_out() {
            busy = state.busy(&parts, turn);
        }
        state.queue.remove(&turn);
        // Whoever is behind may have waited for this one alone.
        freed.notify_all();
        if let Some((host, part)) = busy {
            return Err(format!("another fault has {host} ({part:?}) in hand"));
        }
        state.taken.extend(parts.iter().cloned());
        drop(state);
        Ok(Claim { claims: self.clone(), parts })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let (state, freed) = &*self.claims.shared;
        state.lock().taken.retain(|part| !self.parts.contains(part));
        freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_in_one_hand_only_and_who_waits_gets_it_next() {
        let claims = Claims::default();
        let process = || Part::of(&["m1"], &[Part::Process]);
        let first = claims.take(process(), Duration::ZERO);
        assert!(first.is_ok());
        assert!(claims.take(process(), Duration::ZERO).is_err());
        assert!(claims.take(Part::of(&["m1"], &[Part::Link]), Duration::ZERO).is_ok());
        assert!(claims.take(Part::of(&["m2"], &Part::ALL), Duration::ZERO).is_ok());
        let waiting = claims.clone();
        let waiter = std::thread::spawn(move || {
            waiting.take(Part::of(&["m1", "m2"], &Part::ALL), Duration::from_secs(60)).is_ok()
        });
        while claims.shared.0.lock().queue.is_empty() {
            std::thread::yield_now();
        }
        // What is waited for is nobody else's, though it is free; who waits behind gets it after that.
        assert!(claims.take(Part::of(&["m2"], &[Part::Disk]), Duration::ZERO).is_err());
        let behind = claims.clone();
        let last =
            std::thread::spawn(move || behind.take(Part::of(&["m2"], &[Part::Disk]), Duration::from_secs(60)).is_ok());
        while claims.shared.0.lock().queue.len() < 2 {
            std::thread::yield_now();
        }
        drop(first);
        assert!(last.join().is_ok_and(|got| got));
        assert!(waiter.join().is_ok_and(|got| got));
        assert!(claims.take(process(), Duration::ZERO).is_ok());
    }
}
