//! Which backup is due and which are removed, at a time.

use super::name::{Made, Names};
use jiff::Timestamp;
use std::time::Duration;

/// A part that is older than this is nobody's work any more.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// What the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// From one backup to the next.
    pub(super) every: Duration,
    /// Files that stay.
    pub(super) keep: usize,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The backup that is due.
    pub(super) write: Option<String>,
    /// Files that go. Nothing goes in advance for a backup that is not there yet.
    pub(super) delete: Vec<String>,
    /// Until the next one is due, if none is now.
    pub(super) wait: Duration,
}

/// Plans for a directory that holds these files.
pub(super) fn plan(names: &Names, files: &[String], now: Timestamp, rule: Rule) -> Plan {
    let age = |time: Timestamp| Duration::try_from(now.duration_since(time)).ok();
    let mut whole = Vec::new();
    let mut delete = Vec::new();
    for file in files {
        match names.read(file) {
            Some(Made::Whole(time)) => whole.push((age(time), file)),
            Some(Made::Part(time)) if age(time).is_some_and(|age| age >= ABANDONED) => delete.push(file.clone()),
            Some(Made::Part(_)) | None => {}
        }
    }
    // Of a time to come: the clock was wrong then. Such a file says nothing of when the next is due, and goes first.
    whole.sort_by_key(|(age, _)| age.unwrap_or(Duration::MAX));
    delete.extend(whole.iter().skip(rule.keep).map(|(_, file)| (*file).clone()));
    let newest = whole.first().and_then(|(age, _)| *age);
    let wait = newest.map_or(Duration::ZERO, |age| rule.every.saturating_sub(age));
    let write = wait.is_zero().then(|| names.at(now));
    Plan { write, delete, wait }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RULE: Rule = Rule { every: Duration::from_secs(3600), keep: 2 };

    fn at(text: &str) -> Timestamp {
        format!("2026-05-01T{text}Z").parse().unwrap()
    }

    fn planned(files: &[&str], now: &str) -> Plan {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        plan(&Names::of("c"), &files, at(now), RULE)
    }

    fn named(time: &str) -> String {
        Names::of("c").at(at(time))
    }

    #[test]
    fn the_first_is_due_at_once_and_the_next_after_its_time() {
        assert_eq!(planned(&[], "10:00:00").write, Some(named("10:00:00")));
        let first = named("10:00:00");
        let early = planned(&[&first], "10:59:00");
        assert_eq!(early, Plan { write: None, delete: Vec::new(), wait: Duration::from_secs(60) });
        assert_eq!(planned(&[&first], "11:00:00").write, Some(named("11:00:00")));
        assert_eq!(planned(&[&first], "23:00:00").write, Some(named("23:00:00")));
    }

    #[test]
    fn the_oldest_go_beyond_what_is_kept_and_others_files_stay() {
        let files = [named("07:00:00"), named("08:00:00"), named("09:00:00"), named("10:00:00")];
        let mut all: Vec<&str> = files.iter().map(String::as_str).collect();
        all.extend(["raftsman-c-by-hand.backup", "raftsman-other-20200101T000000Z.backup", "passphrase"]);
        all.reverse();
        let plan = planned(&all, "10:30:00");
        assert_eq!((plan.write, plan.delete), (None, vec![named("08:00:00"), named("07:00:00")]));
        // One that is due takes no other's place before it is there.
        assert_eq!(planned(&[&files[0], &files[1]], "10:30:00").delete, Vec::<String>::new());
    }

    #[test]
    fn a_clock_that_was_ahead_neither_delays_nor_displaces() {
        let (ahead, last) = (named("23:00:00"), named("09:30:00"));
        assert_eq!(planned(&[&ahead], "10:00:00").write, Some(named("10:00:00")));
        let plan = planned(&[&ahead, &last, &named("09:00:00")], "10:00:00");
        assert_eq!((plan.write, plan.delete), (None, vec![ahead]));
    }

    #[test]
    fn what_was_left_unfinished_goes_when_nobody_can_be_at_it() {
        let part = format!("{}.77.part", Names::of("c").at("2026-04-29T10:00:00Z".parse().unwrap()));
        let fresh = format!("{}.78.part", named("09:59:00"));
        assert_eq!(planned(&[&part, &fresh, &named("09:59:30")], "10:00:00").delete, vec![part]);
    }
}
