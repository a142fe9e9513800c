//! A worker's probes and its live files.

use super::worker::{Wanted, Worker};
use crate::plan::RunState;
use crate::plan::{Containers, Kind, Message, VolumeState, runs};
use crate::probe::{Outcome, Parameters, ProbeEvent, ProbeKind, ProbeTasks, Prober, Verdict, target};
use crate::time::until;
use crate::volumes;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Probe};
use raftsman_runtime::border::PodStatus as Observed;
use std::sync::Arc;
use std::time::Duration;

fn declared(container: &Container) -> [(ProbeKind, Option<&Probe>); 3] {
    [
        (ProbeKind::Startup, container.startup_probe.as_ref()),
        (ProbeKind::Liveness, container.liveness_probe.as_ref()),
        (ProbeKind::Readiness, container.readiness_probe.as_ref()),
    ]
}

impl Worker {
    /// Every running container has its probes, no other has any.
    pub(super) fn tend_probes(&mut self, wanted: &Wanted, observed: Option<&Observed>) {
        if self.input(wanted, observed, true).held() {
            // What is frozen answers nothing, and is none the worse for it.
            return self.probes = ProbeTasks::default();
        }
        let pod = Arc::clone(&wanted.pod);
        let ending = wanted.orphan || pod.metadata.deletion_timestamp.is_some();
        let pod_ip = self.address;
        for (kind, container) in Containers::of(&pod) {
            let all = runs(observed, &self.memory, &container.name);
            let since = all.first().and_then(|run| match run.state {
                RunState::Running { since } => Some((run.attempt, since)),
                _ => None,
            });
            let stopping = self.memory.container(&container.name).and_then(|memory| memory.stop.as_ref());
            let stopping = stopping.map(|stop| stop.attempt);
            let probed = since.filter(|_| kind != Kind::Init);
            let Some((attempt, since)) = probed else {
                self.probes.end(&container.name);
                continue;
            };
            // Who may still send to it must learn when it does not answer any more.
            let ending = ending || stopping == Some(attempt);
            let memory = self.memory.container(&container.name);
            let started =
                container.startup_probe.is_none() || memory.is_some_and(|memory| memory.started == Some(attempt));
            for (kind, probe) in declared(container) {
                let Some(probe) = probe else { continue };
                let over = (kind == ProbeKind::Startup && started) || (ending && kind != ProbeKind::Readiness);
                if over {
                    self.probes.end_one(&container.name, kind);
                }
                if over || self.probes.has(&container.name, kind, attempt) {
                    continue;
                }
                let prober = Prober {
                    pods: Arc::clone(&self.shared.pods),
                    uid: self.uid.clone(),
                    container: container.name.clone(),
                    attempt,
                    kind,
                    pod_ip,
                    target: target(container, probe),
                    parameters: Parameters::of(probe),
                    age: until(Timestamp::now(), since),
                    started: self.probes.gate(&container.name, attempt, started),
                };
                self.probes.begin(prober, self.probe_events.0.clone());
            }
        }
    }

    /// Takes in a probe's result.
    pub(super) fn probed(&mut self, event: ProbeEvent) {
        let pod = Arc::clone(&self.wanted.borrow().pod);
        let name = event.container.as_str();
        if let Outcome::Failure(output) = &event.outcome {
            self.tell_event(&pod, Some(name), Message::unhealthy(event.kind.title(), output));
        }
        let Some(verdict) = event.verdict else { return };
        let probe = Containers::find(&pod, name).and_then(|(_, container)| {
            declared(container).into_iter().find(|(kind, _)| *kind == event.kind).and_then(|(_, probe)| probe)
        });
        let own = probe.and_then(|probe| probe.termination_grace_period_seconds);
        let own = own.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        let attempt = event.attempt;
        let memory = self.memory.container_mut(name);
        match (event.kind, verdict) {
            (ProbeKind::Readiness, verdict) => memory.ready = Some((attempt, verdict == Verdict::Good)),
            (ProbeKind::Startup, Verdict::Good) => {
                memory.started = Some(attempt);
                self.probes.open(name, attempt);
            }
            (ProbeKind::Liveness, Verdict::Good) => {}
            (kind, Verdict::Bad) => {
                let kind = kind.title().to_lowercase();
                let why = format!("Container {name} failed {kind} probe, will be restarted");
                memory.condemned = Some((attempt, why, own));
            }
        }
    }

    /// Brings mounted files up to date if what they come from has changed.
    pub(super) async fn tend_content(&mut self, wanted: &Wanted, observed: Option<&Observed>) {
        let gone = observed.is_none_or(|observed| observed.released);
        if !self.content_stale || self.memory.volumes != VolumeState::Ready || gone {
            return;
        }
        self.content_stale = false;
        let facts = self.shared.facts(observed.and_then(|observed| observed.address));
        let (dir, world, pod) =
            (self.shared.pods.pod_dir(&self.uid), Arc::clone(&self.shared.world), Arc::clone(&wanted.pod));
        let local = self.shared.local();
        let work = move || volumes::refresh(&pod, &facts, &dir, &local, &world);
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(uid = self.uid, %error, "mounted files are not up to date")
            }
            Err(error) => {
                tracing::warn!(uid = self.uid, %error, "mounted files are not up to date")
            }
        }
    }
}
