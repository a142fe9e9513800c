//! The containers of a pod, told apart by the part they play.

use k8s_openapi::api::core::v1::{Container, Pod};

/// The part a container plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Runs to its end before the next one begins.
    Init,
    /// An init container with `restartPolicy: Always`: begins in its turn and goes on.
    Sidecar,
    /// One of `spec.containers`.
    Main,
}

/// What a pod's restart policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Whenever it ends.
    Always,
    /// When it fails.
    OnFailure,
    /// Never.
    Never,
}

impl RestartPolicy {
    /// The pod's.
    pub fn of(pod: &Pod) -> Self {
        match pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    /// Whether a container of this part runs again after it ended with this code.
    pub fn again(self, kind: Kind, code: i32) -> bool {
        match (kind, self) {
            (Kind::Sidecar, _) => true,
            (Kind::Init, Self::Never) => false,
            (Kind::Init, _) => code != 0,
            (Kind::Main, Self::Always) => true,
            (Kind::Main, Self::OnFailure) => code != 0,
            (Kind::Main, Self::Never) => false,
        }
    }
}

/// A pod's containers in the order of their start.
pub struct Containers;

impl Containers {
    /// Init containers and sidecars in order, then the others.
    pub fn of(pod: &Pod) -> impl Iterator<Item = (Kind, &Container)> {
        let spec = pod.spec.as_ref();
        let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
        let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let init = init.iter().map(|container| match container.restart_policy.as_deref() {
            Some("Always") => (Kind::Sidecar, container),
            _ => (Kind::Init, container),
        });
        init.chain(main.iter().map(|container| (Kind::Main, container)))
    }

    /// One of them.
    pub fn find<'a>(pod: &'a Pod, name: &str) -> Option<(Kind, &'a Container)> {
        Self::of(pod).find(|(_, container)| container.name == name)
    }
}
