#![allow(clippy::unwrap_used)]

use super::*;
use crate::Key;
use proptest::prelude::*;

fn key(name: &str) -> WorkKey {
    Key::new(&"pods".into(), "default", name)
}

fn names(queue: &mut Queue) -> Vec<String> {
    std::iter::from_fn(|| queue.pop()).map(|(key, _)| key.name().to_owned()).collect()
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_key_waits_once_however_often_it_is_asked_for() {
    let mut queue = Queue::default();
    for name in ["a", "b", "a", "a"] {
        queue.add(key(name));
    }
    assert_eq!(names(&mut queue), ["a", "b"]);
}

#[test]
fn a_key_asked_for_while_it_runs_comes_again_after() {
    let mut queue = Queue::default();
    queue.add(key("a"));
    assert!(queue.pop().is_some());
    queue.add(key("a"));
    assert!(queue.pop().is_none(), "never twice at once");
    queue.done(&key("a"), Ended::Well(None), ms(0));
    assert_eq!(names(&mut queue), ["a"]);
}

#[test]
fn failures_back_off_and_a_success_forgets_them() {
    let mut queue = Queue::default();
    let refused = Arc::new(Failure { verb: "create", message: "no".into() });
    queue.add(key("a"));
    let mut now = ms(0);
    for expected in [5, 10, 20, 40] {
        queue.promote(now);
        queue.pop().unwrap();
        queue.done(&key("a"), Ended::Badly(Some(refused.clone())), now);
        assert_eq!(queue.next_due(), Some(now + ms(expected)));
        now += ms(expected);
    }
    queue.promote(now);
    assert_eq!(queue.pop().unwrap().1, Some(refused));
    queue.done(&key("a"), Ended::Well(None), now);
    assert!(queue.items.is_empty(), "nothing is kept of a key at rest");
    for _ in 0..40 {
        queue.add(key("a"));
        queue.pop().unwrap();
        queue.done(&key("a"), Ended::Badly(None), ms(0));
    }
    assert_eq!(queue.next_due(), Some(BACKOFF_MOST));
}

#[test]
fn a_change_overtakes_a_delay() {
    let mut queue = Queue::default();
    queue.add(key("a"));
    queue.pop().unwrap();
    queue.done(&key("a"), Ended::Well(Some(ms(1000))), ms(0));
    queue.add(key("a"));
    assert_eq!(names(&mut queue), ["a"]);
    queue.done(&key("a"), Ended::Well(None), ms(10));
    queue.promote(ms(2000));
    assert!(queue.pop().is_none());
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8),
    Pop,
    Done(usize, bool),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5_u8).prop_map(Step::Add),
        Just(Step::Pop),
        (0..5_usize, any::<bool>()).prop_map(|(at, well)| Step::Done(at, well)),
        (0..500_u16).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever is added is popped at least once after it was added, and no key runs twice at once.
    #[test]
    fn nothing_is_lost_and_nothing_doubled(steps in prop::collection::vec(step(), 0..200)) {
        let mut queue = Queue::default();
        let (mut now, mut running, mut owed) = (ms(0), Vec::<WorkKey>::new(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Add(n) => {
                    let key = key(&n.to_string());
                    owed.insert(key.clone());
                    queue.add(key);
                }
                Step::Pop => if let Some((key, _)) = queue.pop() {
                    prop_assert!(!running.contains(&key));
                    owed.remove(&key);
                    running.push(key);
                },
                Step::Done(at, well) => if at < running.len() {
                    let key = running.swap_remove(at);
                    queue.done(&key, if well { Ended::Well(None) } else { Ended::Badly(None) }, now);
                },
                Step::Pass(by) => {
                    now += ms(u64::from(by));
                    queue.promote(now);
                }
            }
        }
        for key in running.drain(..) {
            queue.done(&key, Ended::Well(None), now);
        }
        while let Some((key, _)) = queue.pop() {
            owed.remove(&key);
            queue.done(&key, Ended::Well(None), now);
        }
        prop_assert!(owed.is_empty(), "{owed:?}");
    }
}
