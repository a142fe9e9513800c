//! Starting all masters again, one after the other: the leader last, and each only when all are well.

use crate::connect::Cluster;
use crate::masters::{Place, Seen, ask};
use anyhow::bail;
use std::time::{Duration, Instant};

/// Between two looks at masters that are not well yet.
const PAUSE: Duration = Duration::from_millis(100);
/// Without progress for so long, it is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who lacks no more log entries than this has caught up: it takes them in faster than they come.
const CAUGHT_UP: u64 = 1000;

/// How a master is ended and started again.
#[async_trait::async_trait]
pub trait Restart: Sync {
    /// Ends its process and sees to it that a new one is started; need not wait until that is ready.
    async fn restart(&self, master: &Place) -> anyhow::Result<()>;
}

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet, for this reason.
    Wait(String),
    /// This one is started again.
    Restart(usize),
    /// All were.
    Finished,
}

/// Which masters were started again so far.
#[derive(Debug, Clone)]
pub struct Rolling<'a> {
    masters: &'a [Place],
    done: Vec<bool>,
}

impl<'a> Rolling<'a> {
    /// None yet.
    pub fn new(masters: &'a [Place]) -> Self {
        Self { masters, done: vec![false; masters.len()] }
    }

    /// It was started again.
    pub fn done(&mut self, at: usize) {
        if let Some(done) = self.done.get_mut(at) {
            *done = true;
        }
    }

    /// What to do, by what all masters say.
    pub fn next(&self, seen: &[Seen]) -> Step {
        let ill = self.masters.iter().zip(seen).find(|(_, seen)| !seen.is_ready());
        if let Some((Place { name, .. }, seen)) = ill {
            return Step::Wait(format!("master {name} is not ready: {}", seen.readiness()));
        }
        let Some(leader) = seen.iter().position(Seen::leads) else {
            return Step::Wait("no master leads".to_owned());
        };
        let id = seen[leader].member();
        if let Some((other, _)) = self.masters.iter().zip(seen).find(|(_, seen)| seen.leader() != id) {
            return Step::Wait(format!("master {} does not follow {} yet", other.name, self.masters[leader].name));
        }
        let behind = self.masters.iter().zip(seen).find_map(|(Place { name, .. }, other)| {
            let lag = seen[leader].lag_of(other.member()?).filter(|lag| *lag > CAUGHT_UP)?;
            Some(format!("master {name} still lacks {lag} log entries"))
        });
        if let Some(behind) = behind {
            return Step::Wait(behind);
        }
        let follower = (0..seen.len()).find(|at| *at != leader && !self.done[*at]);
        match follower {
            Some(at) => Step::Restart(at),
            None if !self.done[leader] => Step::Restart(leader),
            None => Step::Finished,
        }
    }
}

/// Starts these masters again, which must be all that vote; `say` hears of each step.
///
/// # Errors
/// They do not become well, or one cannot be started again; what was done stays done.
pub async fn restart_all(
    api: &Cluster,
    masters: &[Place],
    restart: &dyn Restart,
    mut say: impl FnMut(&str),
) -> anyhow::Result<()> {
    let mut rolling = Rolling::new(masters);
    let mut progress = Instant::now();
    loop {
        match rolling.next(&ask(api, masters.iter().map(|master| master.at)).await) {
            Step::Finished => return Ok(()),
            Step::Restart(at) => {
                let begun = Instant::now();
                restart.restart(&masters[at]).await?;
                rolling.done(at);
                say(&format!("master {} started again ({} ms)", masters[at].name, begun.elapsed().as_millis()));
                progress = Instant::now();
            }
            Step::Wait(why) if progress.elapsed() > PATIENCE => {
                bail!("{why}, for {} s: heal that first, then again", PATIENCE.as_secs());
            }
            Step::Wait(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masters::seen::tests::{seen, silent};

    fn masters() -> Vec<Place> {
        (0..3).map(|at| Place { at, member: None, name: format!("m{}", at + 1) }).collect()
    }

    #[test]
    fn one_after_the_other_and_the_leader_last() {
        let masters = masters();
        let mut rolling = Rolling::new(&masters);
        let well = |leader: u64| (1..=3).map(|id| seen(id, 3, Some(leader))).collect::<Vec<_>>();
        assert_eq!(rolling.next(&well(1)), Step::Restart(1));
        rolling.done(1);
        let down = [seen(1, 3, Some(1)), silent(), seen(3, 3, Some(1))];
        assert_eq!(rolling.next(&down), Step::Wait("master m2 is not ready: refused".to_owned()));
        // Meanwhile another one was elected: it is the last now.
        assert_eq!(rolling.next(&well(3)), Step::Restart(0));
        rolling.done(0);
        assert_eq!(rolling.next(&well(3)), Step::Restart(2));
        rolling.done(2);
        assert_eq!(rolling.next(&down), Step::Wait("master m2 is not ready: refused".to_owned()));
        assert_eq!(rolling.next(&well(2)), Step::Finished);
    }

    #[test]
    fn waits_for_one_leader_whom_all_follow() {
        let masters = masters();
        let rolling = Rolling::new(&masters);
        let none = [seen(1, 3, None), seen(2, 3, None), seen(3, 3, None)];
        assert_eq!(rolling.next(&none), Step::Wait("no master leads".to_owned()));
        let split = [seen(1, 4, Some(1)), seen(2, 3, Some(3)), seen(3, 4, Some(1))];
        assert_eq!(rolling.next(&split), Step::Wait("master m2 does not follow m1 yet".to_owned()));
    }

    #[test]
    fn waits_for_who_lags() {
        let masters = masters();
        let mut all: Vec<Seen> = (1..=3).map(|id| seen(id, 3, Some(1))).collect();
        let members =
            |matched: u64| serde_json::json!([{ "id": 2, "matched": 90_000 }, { "id": 3, "matched": matched }]);
        all[0].set("last_log", 90_000.into());
        all[0].set("members", members(1_000));
        assert_eq!(Rolling::new(&masters).next(&all), Step::Wait("master m3 still lacks 89000 log entries".to_owned()));
        all[0].set("members", members(89_500));
        assert_eq!(Rolling::new(&masters).next(&all), Step::Restart(1));
    }
}
