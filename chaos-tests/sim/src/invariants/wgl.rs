//! Is a history of one register linearizable? The search of Wing and Gong (1993) with Lowe's memory of what was tried (2017).

use std::collections::HashSet;
use std::time::Duration;

type Value = u64;

/// One operation on the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) invoked: Duration,
    /// `None`: it may take effect at any time after, or never.
    pub(super) returned: Option<Duration>,
    pub(super) effect: Effect,
}

/// What it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Put(Value),
    /// `done`: whether the register held what was expected, if that is known.
    Swap {
        expected: Option<Value>,
        value: Option<Value>,
        done: Option<bool>,
    },
    Read(Option<Value>),
}

impl Effect {
    /// The register afterwards; `None`: this cannot have happened now.
    fn apply(self, held: Option<Value>) -> Option<Option<Value>> {
        match self {
            Self::Put(value) => Some(Some(value)),
            Self::Read(found) => (found == held).then_some(held),
            Self::Swap { expected, value, done } => {
                let fits = expected == held;
                (done.is_none_or(|done| done == fits)).then_some(if fits { value } else { held })
            }
        }
    }
}

/// Which calls were ordered already.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Taken(Vec<u64>);

impl Taken {
    fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }

    fn flip(&mut self, at: usize) {
        self.0[at / 64] ^= 1 << (at % 64);
    }
}

/// Finds an order. If there is none: the calls of which none could come next where the search came farthest.
pub(super) fn check(calls: &[Call]) -> Result<(), Vec<usize>> {
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|at| calls[*at].invoked);
    let due = calls.iter().filter(|call| call.returned.is_some()).count();
    let mut taken = Taken(vec![0; calls.len() / 64 + 1]);
    let mut tried: HashSet<(Taken, Option<Value>)> = HashSet::new();
    // Each level: the register before, the candidates not tried yet, and the one that was taken.
    let mut levels: Vec<Level> = vec![Level::new(None, candidates(calls, &order, &taken))];
    let (mut done, mut farthest, mut stuck) = (0, 0, candidates(calls, &order, &taken));
    while done < due {
        let Some(level) = levels.last_mut() else {
            return Err(stuck);
        };
        let Some(at) = level.open.pop() else {
            levels.pop();
            if let Some(Level { chosen: Some(back), .. }) = levels.last() {
                taken.flip(*back);
                done -= usize::from(calls[*back].returned.is_some());
            }
            continue;
        };
        let Some(held) = calls[at].effect.apply(level.held) else { continue };
        level.chosen = Some(at);
        taken.flip(at);
        if !tried.insert((taken.clone(), held)) {
            taken.flip(at);
            continue;
        }
        done += usize::from(calls[at].returned.is_some());
        let next = candidates(calls, &order, &taken);
        if done > farthest {
            (farthest, stuck) = (done, next.clone());
        }
        levels.push(Level::new(held, next));
    }
    Ok(())
}

struct Level {
    held: Option<Value>,
    open: Vec<usize>,
    chosen: Option<usize>,
}

impl Level {
    fn new(held: Option<Value>, open: Vec<usize>) -> Self {
        Self { held, open, chosen: None }
    }
}

/// Calls that may come next: invoked before any other open one returned. The likeliest stands last.
fn candidates(calls: &[Call], order: &[usize], taken: &Taken) -> Vec<usize> {
    let mut end = Duration::MAX;
    let mut found = Vec::new();
    for at in order.iter().copied().filter(|at| !taken.has(*at)) {
        if calls[at].invoked > end {
            break;
        }
        end = end.min(calls[at].returned.unwrap_or(Duration::MAX));
        found.push(at);
    }
    // Those that must have happened come before those that may have.
    found.sort_by_key(|at| std::cmp::Reverse(calls[*at].returned.unwrap_or(Duration::MAX)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(invoked: u64, returned: impl Into<Option<u64>>, effect: Effect) -> Call {
        let returned = returned.into().map(Duration::from_millis);
        Call { invoked: Duration::from_millis(invoked), returned, effect }
    }

    fn fits(calls: &[Call]) -> bool {
        check(calls).is_ok()
    }

    #[test]
    fn what_came_one_after_the_other_has_one_order() {
        assert!(fits(&[]));
        assert!(fits(&[call(0, 1, Effect::Put(1)), call(2, 3, Effect::Read(Some(1)))]));
        assert!(!fits(&[call(0, 1, Effect::Put(1)), call(2, 3, Effect::Read(None))]));
        assert!(!fits(&[call(0, 1, Effect::Put(1)), call(2, 3, Effect::Put(2)), call(4, 5, Effect::Read(Some(1)))]));
        assert!(!fits(&[call(0, 1, Effect::Read(Some(9)))]));
    }

    #[test]
    fn what_overlaps_may_be_in_any_order_but_one() {
        let put = |value| call(0, 10, Effect::Put(value));
        assert!(fits(&[put(1), put(2), call(11, 12, Effect::Read(Some(1)))]));
        assert!(fits(&[put(1), put(2), call(11, 12, Effect::Read(Some(2)))]));
        // Two readers that disagree about the order.
        let disagree = [put(1), put(2), call(1, 3, Effect::Read(Some(1))), call(4, 6, Effect::Read(Some(2)))];
        assert!(fits(&disagree));
        let back = call(7, 8, Effect::Read(Some(1)));
        assert!(!fits(&[disagree.as_slice(), &[back]].concat()));
    }

    #[test]
    fn an_unanswered_write_may_take_effect_late_or_never_but_once() {
        let lost = call(0, None, Effect::Put(1));
        let read = |at, found| call(at, at + 1, Effect::Read(found));
        assert!(fits(&[lost.clone(), read(5, None), read(7, None)]));
        assert!(fits(&[lost.clone(), read(5, None), read(7, Some(1))]));
        assert!(!fits(&[lost.clone(), read(5, Some(1)), read(7, None)]));
        let other = call(6, 7, Effect::Put(2));
        assert!(!fits(&[lost, read(3, Some(1)), other, read(8, Some(2)), read(10, Some(1))]));
    }

    #[test]
    fn a_swap_tells_what_was_there() {
        let swap = |at, expected, value, done| call(at, at + 1, Effect::Swap { expected, value, done });
        assert!(fits(&[swap(0, None, Some(1), Some(true)), swap(2, Some(1), None, Some(true))]));
        assert!(!fits(&[swap(0, None, Some(1), Some(true)), swap(2, None, Some(2), Some(true))]));
        assert!(!fits(&[swap(0, None, Some(1), Some(false))]));
        let unknown = call(0, None, Effect::Swap { expected: None, value: Some(1), done: None });
        assert!(fits(&[unknown.clone(), swap(2, Some(1), Some(2), Some(true))]));
        assert!(fits(&[unknown, swap(2, Some(1), Some(2), Some(false))]));
    }

    #[test]
    fn many_overlapping_operations_are_decided() {
        let mut calls: Vec<Call> = (0..300).map(|n| call(n * 3, n * 3 + 20, Effect::Put(n))).collect();
        calls.extend((0..4).map(|n| call(n * 200, None, Effect::Put(1000 + n))));
        calls.push(call(2000, 2001, Effect::Read(Some(299))));
        assert!(fits(&calls));
        calls.push(call(2002, 2003, Effect::Read(Some(5))));
        assert!(!fits(&calls));
    }
}
