//! Who led when: the newest term that any master knew.

use crate::record::Record;
use std::time::Duration;

/// Someone leads from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reign {
    /// From when.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
    /// Who.
    pub leader: String,
    /// In which term.
    pub term: u64,
}

/// All of a run, one after the other. What an old leader says late is no news.
pub fn reigns(record: &Record, end: Duration) -> Vec<Reign> {
    let mut leads: Vec<_> = record.leads.iter().filter(|lead| lead.leader.is_some()).collect();
    leads.sort_by_key(|lead| lead.at);
    let mut all: Vec<Reign> = Vec::new();
    for lead in leads {
        let newer = all.last().is_none_or(|last| lead.term > last.term);
        if let (true, Some(leader)) = (newer, &lead.leader) {
            if let Some(last) = all.last_mut() {
                last.until = lead.at;
            }
            all.push(Reign { from: lead.at, until: end, leader: leader.clone(), term: lead.term });
        }
    }
    all
}
