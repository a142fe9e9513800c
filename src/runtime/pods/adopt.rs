//! Watching supervisors, and starting a new one where one has died: containers are never touched by that.

use crate::border::{RuntimeError, RuntimeEvent};
use crate::images::blocking;
use crate::pods::client::{self, Client};
use crate::pods::local::Inner;
use crate::pods::{lifecycle, pidfd, pipes, status};
use crate::supervisor::protocol::{ProcessId, Reply, Request};
use crate::sys;
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::sleep;

/// Between attempts to bring a supervisor back.
const PAUSE: Duration = Duration::from_millis(500);
/// How often an end is reported until somebody takes it, every 100 ms.
const REPORTS: u32 = 100;
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Orphans that nobody waits for are reaped this often, while there can be any.
const SWEEP: Duration = Duration::from_secs(1);

/// Sees to it that a pod has a supervisor, and watches it from now on.
pub(crate) async fn watch(inner: Arc<Inner>, uid: String) -> Result<(), RuntimeError> {
    if inner.monitors.lock().get(&uid).is_some_and(|monitor| !monitor.is_finished()) && is_up(&inner, &uid) {
        return Ok(());
    }
    if let Some(old) = inner.monitors.lock().remove(&uid) {
        old.abort();
    }
    let result = ensure(&inner, &uid).await;
    // Also after a failure: it tries again.
    let monitor = tokio::spawn(monitor(Arc::downgrade(&inner), uid.clone()));
    inner.monitors.lock().insert(uid, monitor.abort_handle());
    result
}

fn is_up(inner: &Inner, uid: &str) -> bool {
    status::processes(&inner.config.pod(uid)).is_some_and(|processes| pidfd::is_alive(processes.supervisor))
}

/// Starts a supervisor if there is none. Gives its process.
async fn ensure(inner: &Arc<Inner>, uid: &str) -> Result<(), RuntimeError> {
    if !is_up(inner, uid) {
        revive(inner, uid).await?;
    } else {
        // After a restart in a new mount namespace the pins are gone; their targets are not.
        let (worker, uid) = (inner.clone(), uid.to_owned());
        blocking(move || {
            let paths = worker.config.pod(&uid);
            let record = status::record_of(&paths, &uid)?;
            let Some(processes) = status::processes(&paths) else {
                return Ok(());
            };
            let pause = processes.pause.map(|pause| pause.pid);
            lifecycle::pin(&paths, &record.spec, processes.supervisor.pid, pause)
                .map_err(crate::images::disk(format!("pod {uid}: pin namespaces")))
        })
        .await?;
    }
    Ok(())
}

async fn revive(inner: &Arc<Inner>, uid: &str) -> Result<(), RuntimeError> {
    pipes::hold(inner, uid).await;
    let paths = inner.config.pod(uid);
    let running: Vec<ProcessId> = status::containers(&paths)
        .iter()
        .filter(|container| container.is_running())
        .filter_map(|container| container.state.as_ref()?.process)
        .collect();
    if let Some(holder) = running.iter().find(|process| pidfd::is_alive(**process)) {
        let record = status::record_of(&paths, uid)?;
        let pause = status::processes(&paths).and_then(|processes| processes.pause).map(|pause| pause.pid);
        lifecycle::pin(&paths, &record.spec, holder.pid, pause)
            .map_err(crate::images::disk(format!("pod {uid}: pin namespaces")))?;
    }
    // If they are children of this process now, only it can learn how they end.
    for process in running.iter().copied() {
        tokio::spawn(report_end(Arc::downgrade(inner), uid.to_owned(), process));
    }
    if !running.is_empty() {
        tokio::spawn(reap_strays(running));
    }
    let guard = status::processes(&paths).and_then(|processes| processes.guard);
    let (worker, name) = (inner.clone(), uid.to_owned());
    blocking(move || {
        // After the machine was started again there is none of it.
        let paths = worker.config.pod(&name);
        lifecycle::ground(&worker, &status::record_of(&paths, &name)?.spec, &paths)?;
        lifecycle::spawn(&worker, &name)
    })
    .await?;
    // The new supervisor has ended the guard of the old one, which was left to this process.
    if let Some(guard) = guard {
        tokio::spawn(pidfd::ended(guard));
    }
    Ok(())
}

/// Tells the new supervisor how a container that it adopted has ended.
async fn report_end(inner: Weak<Inner>, uid: String, process: ProcessId) {
    let Some(ended) = pidfd::ended(process).await else {
        return;
    };
    let request = Request::Reaped { process, code: ended.code, signal: ended.signal };
    for _ in 0..REPORTS {
        let Some(paths) = inner.upgrade().map(|inner| inner.config.pod(&uid)) else {
            return;
        };
        if client::ask(&paths.directory, &request).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Reaps orphans of a dead supervisor that no record names (an exec's processes): unreaped, they would keep the first
/// process of their pid namespace from ending. Everything of a container is in a session of its own.
async fn reap_strays(adopted: Vec<ProcessId>) {
    let mine = sys::session_of(std::process::id() as i32);
    let named: HashSet<i32> = adopted.iter().map(|process| process.pid).collect();
    loop {
        // Asked first: what ends with the last of them is reaped in one more round.
        let last = !adopted.iter().any(|process| sys::start_time(process.pid) == Some(process.start_time));
        for child in sys::children() {
            let stray = !named.contains(&child) && sys::state_of(child) == Some('Z') && sys::session_of(child) != mine;
            if stray {
                sys::wait_child(child);
            }
        }
        if last {
            return;
        }
        sleep(SWEEP).await;
    }
}

async fn monitor(inner: Weak<Inner>, uid: String) {
    let mut pause = PAUSE;
    loop {
        let Some(strong) = inner.upgrade() else {
            return;
        };
        let paths = strong.config.pod(&uid);
        if !paths.record().exists() || paths.released().exists() {
            return;
        }
        if let Err(error) = ensure(&strong, &uid).await {
            tracing::warn!(pod = %uid, %error, "the pod's supervisor does not start");
            drop(strong);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            continue;
        }
        pause = PAUSE;
        pipes::hold(&strong, &uid).await;
        let _ = strong.events.send(RuntimeEvent::Resync);
        let supervisor = status::processes(&paths).map(|processes| processes.supervisor);
        drop(strong);
        if let Ok(mut connection) = Client::connect(&paths.directory)
            && connection.send(&Request::Subscribe, &[]).await.is_ok()
        {
            while let Ok(Some(reply)) = connection.receive().await {
                let Some(inner) = inner.upgrade() else { return };
                if matches!(reply, Reply::Changed | Reply::Done) {
                    pipes::hold(&inner, &uid).await;
                    inner.tell(&uid);
                }
            }
        }
        // Its connection is closed: reap it as soon as it is gone.
        if let Some(supervisor) = supervisor {
            let _ = tokio::time::timeout(PAUSE, pidfd::ended(supervisor)).await;
        }
    }
}
