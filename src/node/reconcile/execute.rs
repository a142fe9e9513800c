//! Carries out what the plan says, and remembers how it went.

use super::worker::{Wake, Wanted, Worker};
use crate::plan::{
    Containers, FORGOTTEN, FailedStart, ImageState, Memory, Message, PodAction, Retry, RunState, VolumeState, runs,
};
use crate::spec::{SpecError, container_spec, environment, pod_spec};
use crate::time::after;
use crate::volumes;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use raftsman_network::border::PodInterface;
use raftsman_runtime::border::{PodStatus as Observed, ResolvedImage, RuntimeError};
use std::sync::Arc;
use std::time::Duration;

/// A `postStart` hook may take so long.
const HOOK_LIMIT: Duration = Duration::from_secs(600);

/// Why a run was not made.
enum Unmade {
    /// `CreateContainerConfigError`.
    Config(String),
    /// `CreateContainerError`: worth another try of the same run.
    Busy(String),
    /// The run itself has failed.
    Failed(String),
}

impl From<SpecError> for Unmade {
    fn from(error: SpecError) -> Self {
        Self::Config(error.0)
    }
}

impl Worker {
    pub(super) async fn execute(&mut self, wanted: &Wanted, observed: Option<&Observed>, action: PodAction) {
        let pod = &wanted.pod;
        match action {
            PodAction::SetUpVolumes => self.set_up_volumes(pod, observed).await,
            PodAction::CreateRoot => self.create_root(pod).await,
            PodAction::AttachNetwork => self.attach(observed).await,
            PodAction::EnsureImage { container } => self.ensure_image(pod, container),
            PodAction::Start { container, attempt } => self.start(pod, observed, &container, attempt).await,
            PodAction::Stop { container, attempt, grace, why, cause } => {
                self.stop(pod, container, attempt, grace, why, cause);
            }
            PodAction::Forget { container, attempt } => {
                self.memory.announced.insert((container.clone(), FORGOTTEN.to_owned(), attempt));
                if let Err(error) = self.shared.pods.remove_container(&self.uid, &container, attempt).await {
                    tracing::warn!(uid = self.uid, container, attempt, %error, "cannot remove an old run");
                }
            }
            PodAction::AskWord { epoch } => self.ask_word(pod, epoch),
            PodAction::Admit { epoch } => self.admit(pod, epoch).await,
            PodAction::Release => self.release(pod).await,
            PodAction::RemoveRoot => self.remove_root(pod).await,
            PodAction::Gone => {
                if !wanted.orphan {
                    self.tell_gone(pod);
                }
                self.memory.gone = true;
            }
            PodAction::Announce { event, once } => {
                self.memory.announced.insert(once);
                self.tell(pod, event);
            }
            PodAction::End { reason, message } => self.memory.ended = Some((reason, message)),
        }
    }

    async fn set_up_volumes(&mut self, pod: &Arc<Pod>, observed: Option<&Observed>) {
        let facts = self.shared.facts(observed.and_then(|observed| observed.address));
        let (dir, world, pod_copy) =
            (self.shared.pods.pod_dir(&self.uid), Arc::clone(&self.shared.world), Arc::clone(pod));
        let local = self.shared.local();
        let work = move || volumes::set_up(&pod_copy, &facts, &dir, &local, &world);
        let result = tokio::task::spawn_blocking(work).await.map_err(|error| volumes::VolumeError(error.to_string()));
        match result.and_then(|result| result) {
            Ok(places) => {
                self.places = places;
                self.memory.volumes = VolumeState::Ready;
            }
            Err(error) => {
                let last = match &self.memory.volumes {
                    VolumeState::Failed(retry) => Some(retry.clone()),
                    _ => None,
                };
                self.tell_event(pod, None, Message::failed_mount(&error.to_string()));
                let retry = Retry::next(last.as_ref(), Timestamp::now(), "FailedMount", error.to_string());
                self.memory.volumes = VolumeState::Failed(retry);
            }
        }
    }

    async fn create_root(&mut self, pod: &Pod) {
        let config = &self.shared.config;
        let fenced = self.shared.rule.fences(pod);
        let made = match pod_spec(pod, &config.name, config.pod_pids_limit, &self.shared.resolver(), fenced) {
            Ok(spec) => {
                let _slot = self.shared.slots.acquire().await;
                match self.shared.pods.create_pod(&spec).await {
                    Ok(made) if made.ready => Ok(()),
                    Ok(_) => Err("the pod's supervisor does not answer".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            }
            Err(error) => Err(error.to_string()),
        };
        self.memory.attached = false;
        match made {
            Ok(()) => self.memory.root = None,
            Err(error) => {
                self.tell_event(pod, None, Message::no_sandbox(&error));
                let retry = Retry::next(self.memory.root.as_ref(), Timestamp::now(), "FailedCreatePodSandBox", error);
                self.memory.root = Some(retry);
                return;
            }
        }
        // Its interface follows at once, without another look at the runtime.
        if !pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false) {
            let observed = self.shared.pods.pod(&self.uid).await.ok();
            self.attach(observed.as_ref()).await;
        }
    }

    async fn attach(&mut self, observed: Option<&Observed>) {
        let previous = observed.and_then(|observed| observed.address);
        let attached = match observed.and_then(|observed| observed.netns.clone()) {
            Some(netns) => {
                let interface = PodInterface { uid: self.uid.clone(), netns, previous };
                self.shared.network.attach(&interface).await.map_err(|error| error.to_string())
            }
            None => Err("the pod has no network namespace".to_owned()),
        };
        let done = match attached {
            Ok(address) if Some(address) == previous => Ok(()),
            Ok(address) => self.shared.pods.set_address(&self.uid, address).await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => (self.memory.attached, self.memory.network) = (true, None),
            Err(error) => {
                let pod = Arc::clone(&self.wanted.borrow().pod);
                self.tell_event(&pod, None, Message::no_sandbox(&error));
                let last = self.memory.network.as_ref();
                self.memory.network = Some(Retry::next(last, Timestamp::now(), "FailedCreatePodSandBox", error));
            }
        }
    }

    async fn start(&mut self, pod: &Arc<Pod>, observed: Option<&Observed>, name: &str, attempt: u32) {
        let Some((_, container)) = Containers::find(pod, name) else {
            return;
        };
        let Some(ImageState::Present(image)) = self.memory.images.get(name).cloned() else {
            return;
        };
        let streak = runs(observed, &self.memory, name).first().map_or(0, |run| streak_after(&self.memory, name, run));
        let made = self.make(pod, container, attempt, &image).await;
        let now = Timestamp::now();
        let memory = self.memory.container_mut(name);
        match made {
            Ok(()) => {
                memory.unmade = None;
                (memory.condemned, memory.replaced) = (None, None);
                memory.streak = Some(streak);
                memory.images.retain(|run, _| run.saturating_add(1) >= attempt);
                memory.images.insert(attempt, container.image.clone().unwrap_or_default());
                memory.failed_starts.retain(|failed| failed.attempt.saturating_add(1) >= attempt);
                // The next run asks for its image again.
                self.memory.images.remove(name);
                self.tell_event(pod, Some(name), Message::created(name));
                self.tell_event(pod, Some(name), Message::started(name));
                self.post_start(pod, container, attempt);
            }
            Err(Unmade::Failed(error)) => {
                memory.unmade = None;
                memory.streak = Some(streak);
                memory.failed_starts.retain(|failed| failed.attempt.saturating_add(1) >= attempt);
                memory.failed_starts.push(FailedStart { attempt, at: now, message: error.clone() });
                self.memory.images.remove(name);
                self.tell_event(pod, Some(name), Message::failed(&error));
            }
            Err(Unmade::Config(error)) => self.unmade(pod, name, "CreateContainerConfigError", error),
            Err(Unmade::Busy(error)) => self.unmade(pod, name, "CreateContainerError", error),
        }
    }

    /// Runs the hook, if there is one, beside the container.
    fn post_start(&self, pod: &Arc<Pod>, container: &Container, attempt: u32) {
        let Some(hook) = super::hooks::post_start(container) else {
            return;
        };
        let (pods, uid, waker) = (Arc::clone(&self.shared.pods), self.uid.clone(), self.waker.clone());
        let (teller, pod, name, address) = (self.teller(), Arc::clone(pod), container.name.clone(), self.address);
        tokio::spawn(async move {
            if let Err(error) = super::hooks::run(pods.as_ref(), &uid, &name, address, &hook, HOOK_LIMIT).await {
                teller(&pod, &name, Message::hook_failed("PostStartHook", &error));
                let _ = waker.send(Wake::Unstarted { container: name, attempt }).await;
            }
        });
    }

    fn unmade(&mut self, pod: &Pod, name: &str, reason: &str, error: String) {
        self.tell_event(pod, Some(name), Message::failed(&error));
        let memory = self.memory.container_mut(name);
        memory.unmade = Some(Retry::next(memory.unmade.as_ref(), Timestamp::now(), reason, error));
    }

    async fn make(
        &mut self,
        pod: &Arc<Pod>,
        container: &Container,
        attempt: u32,
        image: &ResolvedImage,
    ) -> Result<(), Unmade> {
        let facts = self.shared.facts(self.address);
        let env = environment(pod, container, &self.shared.world.read(), &facts)?;
        for (source, names) in &env.skipped {
            self.tell_event(pod, None, Message::bad_env_names(names, source));
        }
        let value = |name: &str| env.get(name).map(str::to_owned);
        let dir = self.shared.pods.pod_dir(&self.uid);
        let mounts =
            volumes::bind(pod, container, &self.places, &dir, value).map_err(|error| Unmade::Config(error.0))?;
        let spec = container_spec(pod, container, attempt, image, &env, mounts, &facts)?;
        let _slot = self.shared.slots.acquire().await;
        match self.shared.pods.start_container(&self.uid, &spec).await {
            Ok(_) => Ok(()),
            Err(RuntimeError::Invalid(error)) if spec.security.run_as_non_root && error.contains("runAsNonRoot") => {
                Err(Unmade::Config(error))
            }
            Err(RuntimeError::Invalid(error)) => Err(Unmade::Failed(error)),
            Err(error) => Err(Unmade::Busy(error.to_string())),
        }
    }
}

/// Short runs in a row before the run that now begins.
fn streak_after(memory: &Memory, name: &str, ended: &crate::plan::Run) -> u32 {
    let long = match &ended.state {
        RunState::Exited { started: Some(started), finished, .. } => {
            after(*started, crate::plan::CRASH_RESET) <= *finished
        }
        RunState::Created => {
            return memory.container(name).and_then(|container| container.streak).unwrap_or(0);
        }
        _ => false,
    };
    let before = memory.container(name).and_then(|container| container.streak).unwrap_or(ended.attempt);
    if long { 1 } else { before.saturating_add(1) }
}
