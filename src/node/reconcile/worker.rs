//! One pod's worker: looks, plans, acts, reports, and waits to be woken.

use super::limits::Finding;
use super::shared::Shared;
use crate::plan::{Fence, ImageState, Input, Memory, Plan, plan, removed, status};
use crate::probe::{ProbeEvent, ProbeTasks};
use crate::time::until;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use raftsman_runtime::border::{PodStatus as Observed, ResolvedImage, RuntimeError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

/// What a pod should be, as its worker is told.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The pod.
    pub pod: Arc<Pod>,
    /// The masters no longer have it.
    pub orphan: bool,
}

/// What wakes a worker besides what it is told by its watch.
#[derive(Debug)]
pub enum Wake {
    /// The runtime has news.
    Runtime,
    /// A leader's word was given, in answer to these words.
    Word(String),
    /// A ConfigMap or Secret of its namespace changed.
    Content,
    /// A search or pull of a container's image has ended.
    Image {
        /// The container.
        container: String,
        /// The image.
        image: String,
        /// The result.
        result: Box<Result<Pulled, (RuntimeError, bool)>>,
    },
    /// A volume was measured.
    Measured(Finding),
    /// A `postStart` hook has failed: the run must end.
    Unstarted {
        /// The container.
        container: String,
        /// The run.
        attempt: u32,
    },
    /// A stop has ended.
    Stopped {
        /// The container.
        container: String,
        /// The run.
        attempt: u32,
        /// What went wrong.
        error: Option<String>,
    },
}

/// An image that is here now.
#[derive(Debug)]
pub struct Pulled {
    /// The image.
    pub image: ResolvedImage,
    /// How long it took, if it was pulled.
    pub took: Option<Duration>,
}

const AFTER_ERROR: Duration = Duration::from_secs(1);
/// So many steps without a pause are plenty.
const MOST_ROUNDS: u32 = 32;

/// One pod.
pub struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) uid: String,
    pub(super) wanted: watch::Receiver<Wanted>,
    pub(super) wakes: mpsc::Receiver<Wake>,
    pub(super) waker: mpsc::Sender<Wake>,
    pub(super) memory: Memory,
    pub(super) places: BTreeMap<String, PathBuf>,
    pub(super) probes: ProbeTasks,
    pub(super) probe_events: (mpsc::Sender<ProbeEvent>, mpsc::Receiver<ProbeEvent>),
    pub(super) limits: Option<AbortOnDropHandle<()>>,
    pub(super) content_stale: bool,
    pub(super) address: Option<std::net::IpAddr>,
}

impl Worker {
    /// Of this pod.
    pub fn new(
        shared: Arc<Shared>,
        uid: String,
        wanted: watch::Receiver<Wanted>,
        (waker, wakes): (mpsc::Sender<Wake>, mpsc::Receiver<Wake>),
    ) -> Self {
        Self {
            shared,
            uid,
            wanted,
            wakes,
            waker,
            memory: Memory::new(Timestamp::now()),
            places: BTreeMap::new(),
            probes: ProbeTasks::default(),
            probe_events: mpsc::channel(16),
            limits: None,
            content_stale: false,
            address: None,
        }
    }

    /// Works until nothing of the pod is left.
    pub async fn run(mut self) {
        let mut network = self.shared.network_ready.subscribe();
        let mut told = self.shared.told.subscribe();
        let mut adopted = false;
        let mut rounds = 0_u32;
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let network_ready = *network.borrow_and_update();
            told.mark_unchanged();
            let observed = match self.shared.pods.pod(&self.uid).await {
                Ok(observed) => Some(observed),
                Err(RuntimeError::NotFound(_)) => None,
                Err(error) => {
                    tracing::warn!(uid = self.uid, %error, "cannot look at pod");
                    tokio::time::sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            if !std::mem::replace(&mut adopted, true) {
                self.adopt(&wanted.pod, observed.as_ref());
            }
            let host = wanted.pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false);
            let own = observed.as_ref().and_then(|observed| observed.address);
            self.address = if host { Some(self.shared.config.address) } else { own };
            self.forget_images(&wanted.pod);
            self.tend_host_ports(&wanted, observed.as_ref());
            let plan = self.plan(&wanted, observed.as_ref(), network_ready);
            if !plan.actions.is_empty() {
                // A step that is said to be done and is not must not take the whole processor.
                rounds += 1;
                if rounds > MOST_ROUNDS {
                    tokio::time::sleep(AFTER_ERROR).await;
                }
                // What is shown before the work is what was before it: people see ContainerCreating.
                self.report(&wanted, observed.as_ref(), network_ready);
                for action in plan.actions {
                    self.execute(&wanted, observed.as_ref(), action).await;
                }
                if self.memory.gone {
                    return;
                }
                self.drain();
                continue;
            }
            rounds = 0;
            self.tend_probes(&wanted, observed.as_ref());
            self.tend_limits(&wanted, observed.as_ref());
            self.tend_content(&wanted, observed.as_ref()).await;
            self.report(&wanted, observed.as_ref(), network_ready);
            // The phase may be a final one now.
            self.tend_host_ports(&wanted, observed.as_ref());
            self.wait(plan.wake_at, &mut network, &mut told).await;
        }
    }

    fn plan(&self, wanted: &Wanted, observed: Option<&Observed>, network_ready: bool) -> Plan {
        plan(&self.input(wanted, observed, network_ready))
    }

    pub(super) fn input<'a>(
        &'a self,
        wanted: &'a Wanted,
        observed: Option<&'a Observed>,
        network_ready: bool,
    ) -> Input<'a> {
        Input {
            pod: &wanted.pod,
            orphan: wanted.orphan,
            observed,
            memory: &self.memory,
            network_ready,
            fence: self.fence(wanted, observed),
            host_ip: self.shared.config.address,
            now: Timestamp::now(),
        }
    }

    fn fence(&self, wanted: &Wanted, observed: Option<&Observed>) -> Fence {
        let fenced = observed.map_or_else(|| self.shared.rule.fences(&wanted.pod), |pod| pod.spec.fenced);
        if !fenced {
            return Fence::default();
        }
        let promise = self.shared.pods.promise();
        let holds = promise.admits(promise.epoch, raftsman_runtime::boottime()).then_some(promise.epoch);
        Fence { fenced, holds, told: *self.shared.told.borrow() }
    }

    fn report(&mut self, wanted: &Wanted, observed: Option<&Observed>, network_ready: bool) {
        // A pod whose remains are gone has said its last word.
        if wanted.orphan || (observed.is_none() && self.memory.announced.contains(&removed())) {
            return;
        }
        let status = status(&self.input(wanted, observed, network_ready));
        self.tell_status(wanted, status);
    }

    /// Takes in what has come meanwhile, without waiting.
    fn drain(&mut self) {
        while let Ok(wake) = self.wakes.try_recv() {
            self.woken(wake);
        }
        while let Ok(event) = self.probe_events.1.try_recv() {
            self.probed(event);
        }
    }

    async fn wait(
        &mut self,
        wake_at: Option<Timestamp>,
        network: &mut watch::Receiver<bool>,
        told: &mut watch::Receiver<u32>,
    ) {
        let pause = wake_at.map(|at| until(at, Timestamp::now()));
        let timer = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            Ok(()) = network.changed() => {}
            Ok(()) = told.changed() => {}
            Ok(()) = self.wanted.changed() => {}
            Some(wake) = self.wakes.recv() => self.woken(wake),
            Some(event) = self.probe_events.1.recv() => self.probed(event),
        }
        self.drain();
    }

    fn woken(&mut self, wake: Wake) {
        match wake {
            Wake::Runtime => {}
            Wake::Word(promise) => self.word_given(&promise),
            Wake::Content => self.content_changed(),
            Wake::Measured(finding) => self.measured(finding),
            Wake::Image { container, image, result } => self.image_found(container, &image, *result),
            Wake::Unstarted { container, attempt } => {
                let why = "FailedPostStartHook".to_owned();
                self.memory.container_mut(&container).condemned = Some((attempt, why, None));
            }
            Wake::Stopped { container, attempt, error } => {
                let memory = self.memory.container_mut(&container);
                memory.stop = memory.stop.take().filter(|stop| stop.attempt != attempt);
                if let Some(error) = error {
                    tracing::warn!(uid = self.uid, container, error, "cannot stop container");
                }
            }
        }
    }

    /// What waits for configuration need not wait any longer.
    fn content_changed(&mut self) {
        self.content_stale = true;
        let now = Timestamp::now();
        for container in self.memory.containers.values_mut() {
            if let Some(unmade) = &mut container.unmade {
                unmade.at = now;
            }
        }
        if let crate::plan::VolumeState::Failed(retry) = &mut self.memory.volumes {
            retry.at = now;
        }
    }

    /// Whether an image is being looked for.
    pub(super) fn working(&self, container: &str) -> bool {
        matches!(self.memory.images.get(container), Some(ImageState::Working))
    }
}
