//! What a new agent takes over of a pod that already runs.

use super::worker::Worker;
use crate::plan::{Containers, VolumeState, runs};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use raftsman_runtime::border::PodStatus as Observed;

impl Worker {
    /// Readiness of the runs that go on is what was last reported of them.
    pub(super) fn adopt(&mut self, pod: &Pod, observed: Option<&Observed>) {
        let status = pod.status.as_ref();
        let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
        let main = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        let known: Vec<&ContainerStatus> = init.iter().chain(main).collect();
        if observed.is_none_or(|observed| observed.containers.is_empty()) {
            return;
        }
        for (_, container) in Containers::of(pod) {
            let all = runs(observed, &self.memory, &container.name);
            let Some(run) = all.first().filter(|run| run.running()) else {
                continue;
            };
            let memory = self.memory.container_mut(&container.name);
            // What was restarted before this agent's life counts as restarted for being too short.
            memory.streak = Some(run.attempt);
            // A run of an earlier version does not say.
            let image = Some(run.image.clone()).filter(|image| !image.is_empty()).or_else(|| container.image.clone());
            memory.images.insert(run.attempt, image.unwrap_or_default());
            let id = run.id.as_ref().map(|id| format!("raftsman://{id}"));
            let Some(status) = known.iter().find(|status| status.name == container.name && status.container_id == id)
            else {
                continue;
            };
            memory.ready = Some((run.attempt, status.ready));
            memory.started = (status.started == Some(true)).then_some(run.attempt);
        }
        // The first plan prepares volumes again, which changes nothing where they are.
        self.memory.volumes = VolumeState::Absent;
    }
}
