//! No two of one name: a member of a StatefulSet that writes has no second self that has written before it was over.

use super::Verdict;
use crate::record::{Line, Record};
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
pub(super) struct Identities;

/// The first and the last word of each life, in the order of their first.
fn lives(lines: &[Line]) -> Vec<(Duration, Duration, &Line)> {
    let mut lives: BTreeMap<&str, (Duration, Duration, &Line)> = BTreeMap::new();
    for line in lines {
        let life = lives.entry(&line.life).or_insert((line.at, line.at, line));
        life.0 = life.0.min(line.at);
        life.1 = life.1.max(line.at);
    }
    let mut all: Vec<_> = lives.into_values().collect();
    all.sort_by_key(|life| life.0);
    all
}

impl Verdict for Identities {
    fn name(&self) -> &'static str {
        "no two pods of one name run at once"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let (mut lines, mut count, mut moved) = (0, 0, 0);
        for (name, diary) in &record.diaries {
            let lives = lives(diary);
            (lines, count) = (lines + diary.len(), count + lives.len());
            let mut latest: Option<&(Duration, Duration, &Line)> = None;
            for life in &lives {
                if let Some(before) = latest.filter(|before| before.1 > life.0) {
                    let (node, other) = (&before.2.node, &life.2.node);
                    return Err(format!(
                        "{name} wrote on {node} until {:.2} s, and another {name} on {other} from {:.2} s on",
                        before.1.as_secs_f64(),
                        life.0.as_secs_f64()
                    ));
                }
                moved += usize::from(latest.is_some_and(|before| before.2.node != life.2.node));
                latest = Some(life);
            }
        }
        if record.must_move && moved == 0 {
            return Err("no identity moved to another node: nothing was given away".to_owned());
        }
        let names = record.diaries.len();
        Ok(format!("{names} names, {count} lives, {moved} moves to another node, {lines} lines"))
    }
}
