//! How long nobody was answered: a request may take as long as it likes on a machine that has too much to do, silence not.

use super::times::unexcused_gap;
use super::{Excuses, Verdict};
use crate::record::{Record, Request, Stream};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest silence through a host that nothing excuses.
const SILENCE: Duration = Duration::from_secs(6);
/// The longest time without a write while a leader is there, only slow.
const SLOW: Duration = Duration::from_secs(15);

/// Through every host.
pub(super) struct Answered;
/// Under leaders that are slow.
pub(super) struct Slow;

type Answers<'a> = BTreeMap<(Stream, &'a str), Vec<(Duration, Duration)>>;

fn answers(record: &Record) -> Answers<'_> {
    let mut all = Answers::new();
    // People's own programs come and go; these ask all the time.
    let steady = |stream: Stream| !matches!(stream, Stream::Kubectl | Stream::Cli);
    for request in record.requests.iter().filter(|r| r.error.is_none() && steady(r.stream)) {
        all.entry((request.stream, &request.through)).or_default().push((request.at, request.ended()));
    }
    all.values_mut().for_each(|list| list.sort_by_key(|(_, ended)| *ended));
    all
}

impl Verdict for Answered {
    fn name(&self) -> &'static str {
        "no host is silent without a fault that excuses it"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let excuses = Excuses::of(record);
        let Some(end) = record.healed else { return Err("nothing was ever healed".to_owned()) };
        let mut worst = Duration::ZERO;
        for ((stream, through), answered) in answers(record) {
            let own = |r: &&Request| r.stream == stream && r.through == through && r.error.is_some();
            let failed = record.requests.iter().filter(own).filter(|r| excuses.excuse(r).is_some());
            // Who waits in vain, and is excused, asks nothing else meanwhile.
            let waits: Vec<(Duration, Duration)> = failed.map(|r| (r.at, r.ended())).collect();
            let excused = |excuses: &Excuses<'_>, at| {
                if waits.iter().any(|(from, to)| (*from..=*to).contains(&at)) {
                    return true;
                }
                let through = through.to_owned();
                let (took, error) = (Duration::ZERO, Some(String::new()));
                let request = Request { stream, through, keeps: None, at, took, error };
                excuses.excuse(&request).is_some()
            };
            let (from, gap) = unexcused_gap(&excuses, &answered, excused, end);
            if gap > SILENCE {
                let (name, from, gap) = (stream.name(), from.as_secs_f64(), gap.as_secs_f64());
                return Err(format!("{name} through {through}: nothing for {gap:.1} s from {from:.1} s on"));
            }
            worst = worst.max(gap);
        }
        Ok(format!("the longest silence {:.2} s", worst.as_secs_f64()))
    }
}

impl Verdict for Slow {
    fn name(&self) -> &'static str {
        "a slow leader does not stop writes"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let excuses = Excuses::of(record);
        let slow = record.spans.iter().filter(|s| s.skipped.is_none() && s.touch.slow && s.touch.api && excuses.led(s));
        let (mut count, mut worst) = (0, Duration::ZERO);
        for span in slow {
            let within = |at: Duration| span.begun <= at && at <= span.until.unwrap_or(Duration::MAX);
            let writes = record.requests.iter().filter(|r| r.stream == Stream::Write && r.error.is_none());
            let mut answered: Vec<_> = writes.map(|r| (r.at, r.ended())).filter(|(_, ended)| within(*ended)).collect();
            answered.push((span.begun, span.begun));
            answered.sort_by_key(|(_, ended)| *ended);
            let end = span.until.or(record.healed).unwrap_or(span.from);
            let excused = |excuses: &Excuses<'_>, at| excuses.without_majority(at, at).is_some();
            let (from, gap) = unexcused_gap(&excuses, &answered, excused, end);
            if gap > SLOW {
                let (from, gap) = (from.as_secs_f64(), gap.as_secs_f64());
                return Err(format!("{}: no write for {gap:.1} s from {from:.1} s on", span.what));
            }
            (count, worst) = (count + 1, worst.max(gap));
        }
        Ok(format!("{count} times, the longest time without a write {:.2} s", worst.as_secs_f64()))
    }
}
