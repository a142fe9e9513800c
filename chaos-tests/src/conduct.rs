//! A run: the cluster comes up, workloads begin, faults come and go, everything is healed, full service is asked for.

use crate::cluster::Cluster;
use crate::faults::{Fault, build};
use crate::lab::{Api, Lab};
use crate::record::{Record, Span};
use crate::schedule::{Schedule, Step, Who, resolve};
use crate::service;
use crate::workloads::{Context, Diary, NAMESPACE, Workload, all};
use anyhow::{Context as _, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Watchers may take so long to hear of the last change.
const CATCH_UP: Duration = Duration::from_secs(6);

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
    context.record.lock().masters = context.api.names().len();
    context.begin()?;
    say("the workloads work");
    let running: Vec<_> = workloads.iter().map(|one| tokio::spawn(guarded(Arc::clone(one), context.clone()))).collect();
    faults(&lab, schedule, &context, &stop, say).await;
    let healing = Arc::clone(&lab);
    let healed = tokio::task::spawn_blocking(move || healing.heal_everything()).await?;
    if let Err(error) = healed {
        context.record.lock().broken.push(format!("not everything could be healed: {error:#}"));
    }
    let moment = context.now();
    context.record.lock().healed = Some(moment);
    say("everything is healed");
    service::full(&context).await;
    context.end();
    tokio::time::sleep(CATCH_UP).await;
    context.close();
    for task in running {
        task.await.context("a workload ended badly")?;
    }
    for workload in &workloads {
        if let Err(error) = workload.finish(&context).await {
            context.record.lock().broken.push(format!("{}: {error:#}", workload.name()));
        }
    }
    let record = std::mem::take(&mut *context.record.lock());
    Ok(record)
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
    let mut tasks = Vec::new();
    for (number, step) in schedule.steps.iter().enumerate() {
        until(Duration::from_millis(step.at_ms)).await;
        if stopped() {
            break;
        }
        let (lab, context, stop, step) = (Arc::clone(lab), context.clone(), Arc::clone(stop), step.clone());
        tasks.push(tokio::task::spawn_blocking(move || perform(&lab, number, &step, &context, &stop, say)));
    }
    until(Duration::from_secs(schedule.seconds)).await;
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

fn perform(lab: &Lab, number: usize, step: &Step, context: &Context, stop: &AtomicBool, say: fn(&str)) {
    let leader = leader(&context.record.lock());
    let masters = context.api.names();
    let named = |who: &Who| resolve(who, leader.as_deref(), masters).with_context(|| format!("nobody is {who}"));
    let hold = Duration::from_millis(step.for_ms);
    let mut fault = match build(&step.fault, number, &named) {
        Ok(fault) => fault,
        Err(error) => {
            context.record.lock().broken.push(format!("{}: {error:#}", step.fault.kind()));
            return;
        }
    };
    let touch = fault.touch();
    let hit = leader.as_ref().is_some_and(|leader| touch.hosts.contains(leader)) && touch.hosts.len() < masters.len();
    let begun = context.now();
    let (kind, what) = (step.fault.kind(), fault.describe());
    say(&format!("{:6.1} s  {what}{}", begun.as_secs_f64(), if hit { " (the leader)" } else { "" }));
    let span = Span { kind, what, leader: hit, begun, from: begun, until: None, touch, error: None };
    let at = {
        let mut record = context.record.lock();
        record.spans.push(span);
        record.spans.len() - 1
    };
    let done = fault.inject(lab);
    let from = context.now();
    let end = (Duration::from_millis(step.at_ms) + hold).max(from);
    if done.is_ok() {
        while context.now() < end && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let healed = heal(fault.as_mut(), lab);
    let until = context.now();
    let error = done.err().or(healed.err()).map(|error| format!("{error:#}"));
    if let Some(error) = &error {
        say(&format!("{:6.1} s  could not be done: {error}", until.as_secs_f64()));
    }
    if let Some(span) = context.record.lock().spans.get_mut(at) {
        (span.from, span.until, span.error) = (from, Some(until), error);
    }
}

/// Once more if it fails: what else happens to a host at the same time may be in the way.
fn heal(fault: &mut dyn Fault, lab: &Lab) -> Result<()> {
    fault.heal(lab).or_else(|first| {
        std::thread::sleep(Duration::from_secs(1));
        fault.heal(lab).with_context(|| format!("healed twice; first: {first:#}"))
    })
}
