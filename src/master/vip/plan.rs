//! When the virtual address is held, announced and released: a value in, acts out.

use std::time::Duration;

/// The kernel drops the address by itself after this.
pub const LIFETIME: Duration = Duration::from_secs(2);
/// A leader renews it this often.
pub const RENEW: Duration = Duration::from_millis(500);
/// A confirmation of the leadership by a majority is worth this much: with [`LIFETIME`] the longest overlap with a
/// successor, short of the kernel's own second.
pub const FRESH: Duration = Duration::from_secs(1);
/// After a take-over it is announced this often: the former carrier's kernel may still answer neighbours that ask, also where
/// its process is stopped.
const ANNOUNCE_EVERY: Duration = Duration::from_millis(250);
/// Until that kernel has dropped the address for certain, with the second by which it may be late.
const ANNOUNCE_FOR: Duration = FRESH.saturating_add(LIFETIME).saturating_add(Duration::from_secs(1));

/// What is known now. Times are since the process's own epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Now.
    pub now: Duration,
    /// This member leads, and takes requests.
    pub leads: bool,
    /// When a majority was asked that has then confirmed the leadership.
    pub confirmed: Option<Duration>,
}

/// What is done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Put or renew it.
    Hold,
    /// Tell the link.
    Announce,
    /// Take it away.
    Release,
}

/// What this member has done with the address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carrier {
    /// Held without a gap since.
    since: Option<Duration>,
    /// Renewed last.
    renewed: Duration,
    /// Announcements made since.
    announced: u32,
    /// It is known not to be here.
    released: bool,
}

impl Carrier {
    /// What to do now.
    pub fn next(&mut self, facts: Facts) -> Vec<Act> {
        let Facts { now, leads, confirmed } = facts;
        if !leads {
            self.since = None;
            return if std::mem::replace(&mut self.released, true) { Vec::new() } else { vec![Act::Release] };
        }
        let fresh = confirmed.is_some_and(|asked| now < asked + FRESH);
        if !fresh {
            // Without a majority it is left to the kernel.
            return Vec::new();
        }
        self.released = false;
        // What was renewed too long ago may have been dropped, or taken by another.
        let since = match self.since.filter(|_| now < self.renewed + LIFETIME) {
            Some(since) => since,
            None => {
                self.announced = 0;
                now
            }
        };
        self.since = Some(since);
        let mut acts = Vec::new();
        if since == now || now >= self.renewed + RENEW {
            self.renewed = now;
            acts.push(Act::Hold);
        }
        if self.announcement(since).is_some_and(|at| now >= at) {
            while self.announcement(since).is_some_and(|at| now >= at) {
                self.announced += 1;
            }
            acts.push(Act::Announce);
        }
        acts
    }

    /// When the next announcement is due.
    fn announcement(&self, since: Duration) -> Option<Duration> {
        let after = ANNOUNCE_EVERY * self.announced;
        (after <= ANNOUNCE_FOR).then_some(since + after)
    }

    /// An act failed: it begins anew.
    pub fn failed(&mut self, act: Act) {
        match act {
            Act::Hold | Act::Announce => self.since = None,
            Act::Release => self.released = false,
        }
    }

    /// When to look again, short of a change of the leadership; `None`: only then.
    pub fn wake(&self, facts: Facts) -> Option<Duration> {
        if !facts.leads {
            return (!self.released).then_some(RENEW);
        }
        let Some(since) = self.since else { return Some(RENEW / 5) };
        let renew = self.renewed + RENEW;
        let next = self.announcement(since).map_or(renew, |at| renew.min(at));
        Some(next.saturating_sub(facts.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Act::{Announce, Hold, Release};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(now: u64, leads: bool, confirmed: Option<u64>) -> Facts {
        Facts { now: ms(now), leads, confirmed: confirmed.map(ms) }
    }

    #[test]
    fn a_leadership_from_its_beginning_to_its_end() {
        let mut carrier = Carrier::default();
        let table: [(Facts, &[Act]); 13] = [
            // What an earlier run may have left is taken away first, once.
            (at(0, false, None), &[Release]),
            (at(10, false, None), &[]),
            // Elected, but not confirmed yet.
            (at(20, true, None), &[]),
            (at(30, true, Some(25)), &[Hold, Announce]),
            (at(279, true, Some(275)), &[]),
            (at(280, true, Some(275)), &[Announce]),
            (at(530, true, Some(525)), &[Hold, Announce]),
            // No majority: not renewed.
            (at(1030, true, None), &[]),
            (at(1500, true, Some(1495)), &[Hold, Announce]),
            // A late answer is worth nothing.
            (at(3000, true, Some(1999)), &[]),
            // It has been dropped: again from the beginning.
            (at(3600, true, Some(3590)), &[Hold, Announce]),
            (at(3650, false, None), &[Release]),
            (at(9999, false, None), &[]),
        ];
        for (facts, acts) in table {
            assert_eq!(carrier.next(facts), acts, "{facts:?}");
        }
    }

    #[test]
    fn looks_again_when_something_is_due() {
        let mut carrier = Carrier::default();
        let facts = at(0, false, None);
        assert_eq!(carrier.wake(facts), Some(RENEW), "a release is due");
        carrier.next(facts);
        assert_eq!(carrier.wake(facts), None);
        let facts = at(1000, true, Some(1000));
        carrier.next(facts);
        assert_eq!(carrier.wake(facts), Some(ms(250)));
        carrier.failed(Hold);
        assert_eq!(carrier.next(at(1100, true, Some(1100))), [Hold, Announce]);
        for now in (1200..9000).step_by(100) {
            carrier.next(at(now, true, Some(now)));
        }
        assert_eq!(carrier.wake(at(8950, true, None)), Some(ms(150)), "only renewals are left");
        carrier.next(at(9000, false, None));
        carrier.failed(Release);
        assert_eq!(carrier.next(at(9500, false, None)), [Release]);
    }

    /// Its kernel answers until it drops the address, whatever became of its process.
    #[test]
    fn a_former_carrier_has_the_last_word_never() {
        let mut carrier = Carrier::default();
        let told: Vec<u64> =
            (0..10_000).filter(|now| carrier.next(at(*now, true, Some(*now))).contains(&Announce)).collect();
        assert!(told.windows(2).all(|two| two[1] - two[0] == 250), "{told:?}");
        let longest = FRESH + LIFETIME + ms(1000);
        assert_eq!(told.last().map(|last| ms(*last)), Some(longest));
    }

    /// Whatever happens, the kernel holds the address no longer than [`FRESH`] and [`LIFETIME`] after the last moment in
    /// which a majority still followed.
    #[test]
    fn it_is_never_renewed_on_an_old_word() {
        let mut seed = 7_u64;
        let mut random = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % bound
        };
        let (mut carrier, mut now) = (Carrier::default(), 0);
        for _ in 0..20_000 {
            now += random(900);
            let confirmed = (random(3) > 0).then(|| now.saturating_sub(random(2000)));
            let facts = at(now, random(10) > 0, confirmed);
            if carrier.next(facts).contains(&Hold) {
                assert!(facts.leads && facts.confirmed.is_some_and(|asked| ms(now) - asked < FRESH), "{facts:?}");
            }
        }
    }
}
