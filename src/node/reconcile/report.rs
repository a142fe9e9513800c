//! What a worker tells the masters.

use super::worker::{Wanted, Worker};
use crate::plan::{Message, PodEvent};
use crate::stream::Outbox;
use k8s_openapi::api::core::v1::{ObjectReference, Pod, PodStatus};
use raftsman_proto::v1::{EventReport, PodGone, PodReport};
use std::sync::Arc;

fn text(part: &Option<String>) -> String {
    part.clone().unwrap_or_default()
}

/// Whether the masters' picture of the pod lacks what this status says.
fn differs(held: Option<&PodStatus>, new: &PodStatus) -> bool {
    let Some(held) = held else { return true };
    let condition = |new: &k8s_openapi::api::core::v1::PodCondition| {
        let all = held.conditions.as_deref().unwrap_or_default();
        all.iter().any(|old| old.type_ == new.type_ && old.status == new.status && old.reason == new.reason)
    };
    held.phase != new.phase
        || held.pod_ip != new.pod_ip
        || held.reason != new.reason
        || held.container_statuses != new.container_statuses
        || held.init_container_statuses != new.init_container_statuses
        || !new.conditions.as_deref().unwrap_or_default().iter().all(condition)
}

impl Worker {
    /// Reports this status if it is news: to us, or to the masters.
    pub(super) fn tell_status(&mut self, wanted: &Wanted, status: PodStatus) {
        let fresh = self.memory.status.as_ref() != Some(&status);
        let differs = differs(wanted.pod.status.as_ref(), &status);
        let due = match fresh {
            true => differs || self.shared.outbox.is_pending(&self.uid),
            // A node that was cut off finds its pods marked: what it says is said again.
            false => differs && self.told_at(&wanted.pod),
        };
        if !due {
            self.memory.status = Some(status);
            return;
        }
        let metadata = &wanted.pod.metadata;
        let (namespace, name, uid) = (text(&metadata.namespace), text(&metadata.name), text(&metadata.uid));
        match serde_json::to_vec(&status) {
            Ok(json) => {
                self.shared.outbox.report(PodReport { namespace, name, uid, status: json.into(), sequence: 0 });
                self.memory.status = Some(status);
            }
            Err(error) => {
                tracing::error!(namespace, name, %error, "a pod's status cannot be written")
            }
        }
    }

    /// The masters' object is newer than our last word about it.
    fn told_at(&mut self, pod: &Pod) -> bool {
        if self.shared.outbox.is_pending(&self.uid) {
            return false;
        }
        let revision = pod.metadata.resource_version.clone().unwrap_or_default();
        std::mem::replace(&mut self.memory.told, revision.clone()) != revision
    }

    /// Nothing of the pod is left.
    pub(super) fn tell_gone(&self, pod: &Pod) {
        let metadata = &pod.metadata;
        let (namespace, name, uid) = (text(&metadata.namespace), text(&metadata.name), text(&metadata.uid));
        self.shared.outbox.gone(PodGone { namespace, name, uid, sequence: 0 });
    }

    /// An Event about the pod or one of its containers.
    pub(super) fn tell_event(&self, pod: &Pod, container: Option<&str>, message: Message) {
        self.tell(pod, PodEvent { container: container.map(str::to_owned), message });
    }

    pub(super) fn tell(&self, pod: &Pod, event: PodEvent) {
        tell(&self.shared.outbox, pod, event);
    }

    /// For tasks that outlive a step of the worker.
    pub(super) fn teller(&self) -> impl Fn(&Pod, &str, Message) + Send + Sync + use<> {
        let outbox = Arc::clone(&self.shared.outbox);
        move |pod, container, message| tell(&outbox, pod, PodEvent { container: Some(container.to_owned()), message })
    }
}

fn tell(outbox: &Outbox, pod: &Pod, event: PodEvent) {
    let path = event.container.as_ref().map(|name| {
        let init = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
        let list = if init.iter().any(|init| init.name == *name) { "initContainers" } else { "containers" };
        format!("spec.{list}{{{name}}}")
    });
    let regarding = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        resource_version: pod.metadata.resource_version.clone(),
        field_path: path,
    };
    match serde_json::to_vec(&regarding) {
        Ok(regarding) => outbox.event(EventReport {
            regarding: regarding.into(),
            r#type: if event.message.warning { "Warning" } else { "Normal" }.to_owned(),
            reason: event.message.reason.to_owned(),
            message: event.message.text,
        }),
        Err(error) => tracing::error!(%error, "an Event cannot be written"),
    }
}
