//! Ending containers and pods.

use super::worker::{Wake, Worker};
use crate::plan::{Message, Retry, Stop, StopCause, removed};
use crate::time::after;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_runtime::border::RuntimeError;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Worker {
    pub(super) fn stop(
        &mut self,
        pod: &Arc<Pod>,
        name: String,
        attempt: u32,
        grace: Duration,
        why: String,
        cause: StopCause,
    ) {
        let now = Timestamp::now();
        let kill_at = after(now, grace);
        if cause == StopCause::PodEnds {
            self.memory.ending_since.get_or_insert(now);
        }
        let memory = self.memory.container_mut(&name);
        if cause == StopCause::Replaced {
            memory.replaced = Some(attempt);
        }
        let again = memory.stop.replace(Stop { attempt, kill_at });
        self.probes.end_but_readiness(&name);
        if again.is_none_or(|stop| stop.attempt != attempt) {
            self.tell_event(pod, Some(&name), Message::killing(why));
        }
        let (pods, uid, waker) = (Arc::clone(&self.shared.pods), self.uid.clone(), self.waker.clone());
        let hook = super::hooks::pre_stop(pod, &name).filter(|_| !grace.is_zero());
        let address = self.address.or(Some(self.shared.config.address));
        let (teller, pod) = (self.teller(), Arc::clone(pod));
        tokio::spawn(async move {
            let begun = Instant::now();
            if let Some(hook) = hook
                && let Err(error) = super::hooks::run(pods.as_ref(), &uid, &name, address, &hook, grace).await
            {
                teller(&pod, &name, Message::hook_failed("PreStopHook", &error));
            }
            let left = grace.saturating_sub(begun.elapsed());
            // As upstream: two seconds remain whatever the hook took.
            let left = if grace.is_zero() { left } else { left.max(Duration::from_secs(2)) };
            let error = match pods.stop_container(&uid, &name, left).await {
                Ok(()) | Err(RuntimeError::NotFound(_)) => None,
                Err(error) => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Some(error.to_string())
                }
            };
            let _ = waker.send(Wake::Stopped { container: name, attempt, error }).await;
        });
    }

    /// Gives back what the pod had; what is known of it stays.
    pub(super) async fn release(&mut self, pod: &Pod) {
        (self.probes, self.limits) = Default::default();
        let mut errors = Vec::new();
        if let Err(error) = self.shared.network.detach(&self.uid).await {
            errors.push(error.to_string());
        }
        match self.shared.pods.release_pod(&self.uid).await {
            Ok(()) | Err(RuntimeError::NotFound(_)) => {}
            Err(error) => errors.push(error.to_string()),
        }
        self.memory.attached = false;
        if errors.is_empty() {
            self.memory.release = None;
            return;
        }
        let error = errors.join("; ");
        self.tell_event(pod, None, Message::failed_kill(&error));
        self.memory.release = Some(Retry::next(self.memory.release.as_ref(), Timestamp::now(), "FailedKillPod", error));
    }

    pub(super) async fn remove_root(&mut self, pod: &Pod) {
        self.probes = Default::default();
        let mut errors = Vec::new();
        if let Err(error) = self.shared.network.detach(&self.uid).await {
            errors.push(error.to_string());
        }
        match self.shared.pods.remove_pod(&self.uid).await {
            Ok(()) | Err(RuntimeError::NotFound(_)) => {}
            Err(error) => errors.push(error.to_string()),
        }
        if errors.is_empty() {
            self.memory.removal = None;
            self.memory.announced.insert(removed());
            return;
        }
        let error = errors.join("; ");
        self.tell_event(pod, None, Message::failed_kill(&error));
        self.memory.removal = Some(Retry::next(self.memory.removal.as_ref(), Timestamp::now(), "FailedKillPod", error));
    }
}
