//! A run: the cluster comes up, workloads begin, faults come and go, everything is healed, full service is asked for.

use crate::cluster::Cluster;
use crate::faults::{Fault, NothingToHit, build};
use crate::invariants::{Event, Seen};
use crate::lab::{Api, Claim, Lab};
use crate::record::{Record, Span, Touch};
use crate::schedule::{Schedule, Step, Who, resolve};
use crate::service;
use crate::workloads::{Context, Diary, NAMESPACE, Workload, all};
use anyhow::{Context as _, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Watchers may take so long to hear of the last change.
const CATCH_UP: Duration = Duration::from_secs(30);
/// A host that was started again excuses failures for so long at most, until it is at work.
const STARTING: Duration = Duration::from_secs(30);
/// A cluster that refused to undo what it was asked for, while something else disturbed it, is asked again for so long.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// What began so short a time ago may still disturb the masters.
const SETTLING: Duration = Duration::from_secs(5);

/// Runs a schedule on a cluster that is up, and heals it whatever happens. `stop` ends it early.
///
/// # Errors
/// The workloads could not begin, or the machine refused something that is no fault.
pub async fn conduct(
    lab: Arc<Lab>,
    schedule: &Schedule,
    scratch: &Path,
    stop: Arc<AtomicBool>,
    say: fn(&str),
) -> Result<Record> {
    let diary = Diary::new(scratch)?;
    let api = Api::open(&lab.cluster).await?;
    let mut context = Context::new(api, lab.cluster.clone(), diary.clone(), schedule.seed.unwrap_or(0))?;
    namespace(&lab.cluster)?;
    let workloads = all(&diary);
    for workload in &workloads {
        workload.prepare(&context).await.with_context(|| format!("prepare {}", workload.name()))?;
    }
    {
        let mut record = context.record.lock();
        (record.masters, record.must_move) = (context.api.names().len(), schedule.must_move());
    }
    context.begin()?;
    say("the workloads work");
    let mut running = [Vec::new(), Vec::new()];
    for workload in &workloads {
        let task = tokio::spawn(guarded(Arc::clone(workload), context.clone()));
        running[usize::from(workload.watches())].push(task);
    }
    let [working, watching] = running;
    faults(&lab, schedule, &context, &stop, say).await;
    let healing = Arc::clone(&lab);
    let healed = tokio::task::spawn_blocking(move || healing.heal_everything()).await?;
    if let Err(error) = healed {
        context.record.lock().broken.push(format!("not everything could be healed: {error:#}"));
    }
    let moment = context.now();
    context.record.lock().healed = Some(moment);
    say("everything is healed");
    service::full(&context, moment).await;
    context.end();
    for task in working {
        task.await.context("a workload ended badly")?;
    }
    // From here on nothing is written any more.
    let end = context.now() + CATCH_UP;
    while context.now() < end && !caught_up(&context.record.lock().events) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Those of the command line hear of it as soon as these.
    tokio::time::sleep(Duration::from_secs(1)).await;
    context.close();
    for task in watching {
        task.await.context("a watcher ended badly")?;
    }
    for workload in &workloads {
        if let Err(error) = workload.finish(&context).await {
            context.record.lock().broken.push(format!("{}: {error:#}", workload.name()));
        }
    }
    let record = std::mem::take(&mut *context.record.lock());
    Ok(record)
}

/// Every watcher has heard of the last change that any has heard of.
fn caught_up(events: &[Event]) -> bool {
    let (mut last, mut heard) = (0, BTreeMap::new());
    for event in events {
        match &event.seen {
            Seen::Change { revision, .. } => last = last.max(*revision),
            Seen::Watching { watcher, after } => drop(heard.insert(*watcher, *after)),
            Seen::Watched { watcher, revision, .. } => drop(heard.insert(*watcher, *revision)),
            _ => {}
        }
    }
    heard.values().all(|revision| *revision >= last)
}

async fn guarded(workload: Arc<dyn Workload>, context: Context) {
    if let Err(error) = workload.run(&context).await {
        context.record.lock().broken.push(format!("{}: {error:#}", workload.name()));
    }
}

fn namespace(cluster: &Cluster) -> Result<()> {
    cluster.k(&format!("create namespace {NAMESPACE}"))?;
    cluster.k(&format!("-n {NAMESPACE} wait --for=create sa/default --timeout=20s"))?;
    cluster.k(&format!("-n {NAMESPACE} create configmap service")).map(drop)
}

/// Every step at its time, each healed at its end, or at once when it is to stop.
async fn faults(lab: &Arc<Lab>, schedule: &Schedule, context: &Context, stop: &Arc<AtomicBool>, say: fn(&str)) {
    let stopped = || stop.load(Ordering::Relaxed);
    let until = async |at: Duration| {
        while context.now() < at && !stopped() {
            tokio::time::sleep(Duration::from_millis(20).min(at.saturating_sub(context.now()))).await;
        }
    };
    let (mut tasks, over) = (Vec::new(), Duration::from_secs(schedule.seconds));
    for (number, step) in schedule.steps.iter().enumerate() {
        until(Duration::from_millis(step.at_ms)).await;
        if stopped() {
            break;
        }
        let (lab, context, stop, step) = (Arc::clone(lab), context.clone(), Arc::clone(stop), step.clone());
        let work = move || perform(&lab, number, &step, &context, &stop, over, say);
        tasks.push(tokio::task::spawn_blocking(work));
    }
    until(over).await;
    for task in tasks {
        if task.await.is_err() {
            context.record.lock().broken.push("a fault ended badly".to_owned());
        }
    }
}

/// Who leads, as far as anybody knows.
fn leader(record: &Record) -> Option<String> {
    record.leads.iter().filter(|lead| lead.leader.is_some()).max_by_key(|lead| lead.term)?.leader.clone()
}

/// Another fault disturbs the masters now, or did a moment ago.
fn disturbed(record: &Record, except: usize, now: Duration) -> bool {
    let recent = |span: &Span| span.over().saturating_add(SETTLING) >= now;
    let others = record.spans.iter().enumerate().filter(|(at, _)| *at != except);
    others.map(|(_, span)| span).any(|span| span.touch.api && span.begun <= now && recent(span))
}

/// A fault with all that it needs in hand, unless that is in another's.
struct Ready {
    fault: Box<dyn Fault>,
    /// Who led then.
    leader: Option<String>,
    claim: Result<Claim, String>,
}

/// Takes what a fault needs, and waits for it. Whoever led when it began to wait may have lost the leadership meanwhile:
/// then it waits for what the new one has.
fn prepare(lab: &Lab, number: usize, step: &Step, context: &Context, over: Duration) -> Result<Ready> {
    let masters = context.api.names();
    let mut end = None;
    loop {
        let leader = leader(&context.record.lock());
        let named = |who: &Who| resolve(who, leader.as_deref(), masters).with_context(|| format!("nobody is {who}"));
        let fault = build(&step.fault, number, &named)?;
        let patience = fault.patience().unwrap_or(Duration::from_millis(step.for_ms));
        let end = *end.get_or_insert((context.now() + patience).min(over));
        let claim = lab.claims.take(fault.parts(), end.saturating_sub(context.now()));
        let now = self::leader(&context.record.lock());
        let other = |who: &Who| resolve(who, now.as_deref(), masters).with_context(|| format!("nobody is {who}"));
        if build(&step.fault, number, &other)?.parts() == fault.parts() {
            return Ok(Ready { fault, leader: now, claim });
        }
    }
}

/// `over`: faults end by then.
fn perform(lab: &Lab, number: usize, step: &Step, context: &Context, stop: &AtomicBool, over: Duration, say: fn(&str)) {
    let masters = context.api.names();
    let Ready { mut fault, leader, claim } = match prepare(lab, number, step, context, over) {
        Ok(ready) => ready,
        Err(error) => {
            context.record.lock().broken.push(format!("{}: {error:#}", step.fault.kind()));
            return;
        }
    };
    let (touch, parts) = (fault.touch(), fault.parts());
    let hit: BTreeSet<String> = parts.iter().map(|(host, _)| host.clone()).chain(touch.hosts.clone()).collect();
    let masters_hit = touch.hosts.iter().filter(|host| masters.contains(host)).count();
    let led = leader.as_ref().is_some_and(|leader| touch.hosts.contains(leader)) && masters_hit < masters.len();
    let (kind, what) = (step.fault.kind(), fault.describe());
    let begun = context.now();
    let (what_of, silences) = (what.clone(), step.fault.silences());
    let span = Span { kind, what: what_of, leader: led, silences, begun, from: begun, touch, hit, ..Span::default() };
    let at = {
        let mut record = context.record.lock();
        record.spans.push(span);
        record.spans.len() - 1
    };
    let skip = |why: String| {
        say(&format!("{:6.1} s  {what}: not done, {why}", context.now().as_secs_f64()));
        if let Some(span) = context.record.lock().spans.get_mut(at) {
            // It disturbs nobody.
            (span.until, span.touch, span.leader) = (Some(span.begun), Touch::default(), false);
            span.skipped = Some(why);
        }
    };
    let claim = match claim {
        Ok(claim) => claim,
        Err(why) => return skip(why),
    };
    say(&format!("{:6.1} s  {what}{}", begun.as_secs_f64(), if led { " (the leader)" } else { "" }));
    let done = fault.inject(lab);
    let from = context.now();
    if let Some(span) = context.record.lock().spans.get_mut(at) {
        span.from = from;
    }
    let nothing = |error: &&anyhow::Error| error.downcast_ref::<NothingToHit>().is_some();
    let skipped = done.as_ref().err().filter(nothing).map(|error| format!("{error:#}"));
    // What a cluster refuses while others disturb it may still have been done in part, and disturb, too.
    let refused = done.is_err() && fault.asks() && disturbed(&context.record.lock(), at, context.now());
    let end = (begun + Duration::from_millis(step.for_ms)).min(over);
    if done.is_ok() && fault.lasts() {
        while context.now() < end && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let healed = heal(fault.as_mut(), lab, context, at);
    drop(claim);
    let until = context.now();
    if let (Some(why), Ok(())) = (skipped, &healed) {
        return skip(why);
    }
    let undone = done.err().filter(|_| !refused || healed.is_err());
    if refused && undone.is_none() {
        context.note(format!("{what}: refused while others disturbed the masters"));
    }
    let error = undone.or(healed.err()).map(|error| format!("{error:#}"));
    if let Some(error) = &error {
        say(&format!("{:6.1} s  could not be done: {error}", until.as_secs_f64()));
    }
    let hosts = {
        let mut record = context.record.lock();
        let Some(span) = record.spans.get_mut(at) else { return };
        (span.until, span.error) = (Some(until), error);
        span.touch.hosts.clone()
    };
    let work = ready(lab, context, at, &hosts, until);
    tokio::runtime::Handle::current().block_on(work);
    let now = context.now();
    if let Some(span) = context.record.lock().spans.get_mut(at) {
        span.ready = Some(now);
    }
}

/// Until the hosts that were hit are at work again, or one of them is hit once more.
async fn ready(lab: &Lab, context: &Context, at: usize, hosts: &BTreeSet<String>, until: Duration) {
    let again = || {
        let record = context.record.lock();
        let later = record.spans.iter().skip(at + 1).filter(|span| span.skipped.is_none() && span.begun >= until);
        later.flat_map(|span| &span.hit).any(|host| hosts.contains(host))
    };
    for host in hosts {
        while context.now() < until + STARTING && !again() && !service::at_work(lab, context, host).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Once more if it fails: what else happens to a host at the same time may be in the way. A cluster that others disturb is
/// asked again and again.
fn heal(fault: &mut dyn Fault, lab: &Lab, context: &Context, at: usize) -> Result<()> {
    let end = context.now() + ASK_AGAIN;
    let mut first = None;
    loop {
        let Err(error) = fault.heal(lab) else { return Ok(()) };
        let more = fault.asks() && context.now() < end && disturbed(&context.record.lock(), at, context.now());
        match first {
            Some(first) if !more => return Err(error.context(format!("healed again and again; first: {first}"))),
            Some(_) => {}
            None => first = Some(format!("{error:#}")),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchers_have_caught_up_when_each_has_heard_of_the_last_change() {
        let event = |seen| Event { at: Duration::ZERO, seen };
        let told = |watcher, revision| {
            let (key, member, value) = ("r-0".to_owned(), 0, Some(1));
            [
                event(Seen::Change { member, revision, key: key.clone(), value }),
                event(Seen::Watched { watcher, member, revision, key, value }),
            ]
        };
        let mut events: Vec<Event> = (0..2).map(|watcher| event(Seen::Watching { watcher, after: 5 })).collect();
        assert!(caught_up(&events));
        events.extend(told(0, 7));
        assert!(!caught_up(&events));
        events.extend(told(1, 7));
        assert!(caught_up(&events));
    }

    #[test]
    fn a_fault_that_is_over_disturbs_for_a_moment_and_none_disturbs_itself() {
        let touch = Touch { api: true, ..Touch::default() };
        let (begun, until) = (Duration::from_secs(10), Some(Duration::from_secs(20)));
        let record = Record { spans: vec![Span { begun, until, touch, ..Span::default() }], ..Record::default() };
        let at = |except, second| disturbed(&record, except, Duration::from_secs(second));
        assert!(at(1, 15) && at(1, 24) && !at(1, 26) && !at(1, 9) && !at(0, 15));
    }
}
