//! The implementation of [`Pods`].

use crate::border::{
    AttachIo, ContainerSpec, ExecRequest, LogOptions, PodSpec, PodStatus, Pods, Promise, RuntimeError, RuntimeEvent,
};
use crate::cgroup::Hierarchies;
use crate::images::{ImageStore, disk};
use crate::pods::client::{self, Refused};
use crate::pods::config::{PodsConfig, is_plain, is_usable};
use crate::pods::pipes::Pipes;
use crate::pods::{PromisePage, exec, lifecycle, logs, run, status, stop};
use crate::supervisor::protocol::Request;
use crate::sys;
use bytes::Bytes;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, broadcast};
use tokio::task::AbortHandle;

/// Events that a slow reader may fall behind by before it is told to look at everything again.
const EVENTS: usize = 1024;

/// Pods of one agent. Cloning shares them. Dropping the last clone ends nothing but the watching: supervisors and
/// containers go on, and the next [`LocalPods::new`] on the same directory finds them.
#[derive(Clone)]
pub struct LocalPods {
    pub(crate) inner: Arc<Inner>,
}

/// What all clones share.
pub(crate) struct Inner {
    pub config: PodsConfig,
    pub hierarchies: Hierarchies,
    pub images: ImageStore,
    pub events: broadcast::Sender<RuntimeEvent>,
    locks: Mutex<HashMap<String, Arc<RwLock<()>>>>,
    pub promise: PromisePage,
    pub monitors: Mutex<HashMap<String, AbortHandle>>,
    pub pipes: Pipes,
}

/// Held while a container is started or removed.
pub(crate) struct ContainerLock {
    _pod: OwnedRwLockReadGuard<()>,
    _container: OwnedRwLockWriteGuard<()>,
}

impl Inner {
    fn named_lock(&self, key: String) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock();
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(key).or_default().clone()
    }

    /// For what concerns a whole pod: alone.
    pub(crate) async fn lock_pod(&self, uid: &str) -> OwnedRwLockWriteGuard<()> {
        self.named_lock(uid.to_owned()).write_owned().await
    }

    /// For what concerns one container: alone on it, and while nothing concerns the whole pod.
    pub(crate) async fn lock_container(&self, uid: &str, name: &str) -> ContainerLock {
        let pod = self.named_lock(uid.to_owned()).read_owned().await;
        let container = self.named_lock(format!("{uid}/{name}")).write_owned().await;
        ContainerLock { _pod: pod, _container: container }
    }

    pub(crate) fn tell(&self, uid: &str) {
        // Nobody listening is no error.
        let _ = self.events.send(RuntimeEvent::Pod { uid: uid.to_owned() });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for (_, monitor) in self.monitors.lock().drain() {
            monitor.abort();
        }
    }
}

impl LocalPods {
    /// Opens the pods of a state directory: finds what runs, and starts a supervisor anew where one is missing.
    ///
    /// This process becomes the reaper of orphans below it. To be called inside a Tokio runtime, once per directory.
    ///
    /// # Errors
    /// When the directory cannot be used, or a cgroup or mount is refused.
    pub async fn new(config: PodsConfig, images: ImageStore) -> Result<Self, RuntimeError> {
        if !is_usable(&config.state_dir) {
            return Err(RuntimeError::Invalid(format!(
                "state directory {}: must be an absolute path without comma, colon or backslash",
                config.state_dir.display()
            )));
        }
        for directory in [config.pods(), config.pins(), config.trash()] {
            fs::create_dir_all(&directory).map_err(disk(directory.display()))?;
        }
        // Pins stay in this mount namespace; volumes must reach the supervisors'.
        if sys::self_bind(&config.pins()).map_err(disk("namespaces"))? {
            sys::make_private(&config.pins()).map_err(disk("namespaces"))?;
        }
        if sys::self_bind(&config.pods()).map_err(disk("pods"))? {
            sys::make_private(&config.pods()).map_err(disk("pods"))?;
            sys::make_shared(&config.pods()).map_err(disk("pods"))?;
        }
        sys::become_subreaper().map_err(disk("subreaper"))?;
        let hierarchies = Hierarchies::detect().map_err(disk("cgroups"))?;
        hierarchies.create(&config.supervisors_group(), false).map_err(disk("cgroups"))?;
        let promise = config.promise_page.parent().map_or(Ok(()), fs::create_dir_all);
        let promise = promise.and_then(|()| PromisePage::open(&config.promise_page)).map_err(disk("fencing"))?;
        for entry in fs::read_dir(config.trash()).into_iter().flatten().flatten() {
            let _ = fs::remove_dir_all(entry.path());
        }
        let inner = Arc::new(Inner {
            config,
            hierarchies,
            images,
            events: broadcast::channel(EVENTS).0,
            locks: Mutex::default(),
            promise,
            monitors: Mutex::default(),
            pipes: Pipes::default(),
        });
        let mut found: Vec<String> = status::uids(&inner.config)?;
        found.retain(|uid| !inner.config.pod(uid).released().exists());
        let starts = found.into_iter().map(|uid| crate::pods::adopt::watch(inner.clone(), uid));
        futures::future::join_all(starts).await;
        Ok(Self { inner })
    }
}

fn checked(uid: &str) -> Result<&str, RuntimeError> {
    if is_plain(uid) {
        return Ok(uid);
    }
    Err(RuntimeError::Invalid(format!("pod uid \"{uid}\" is not a plain word")))
}

#[async_trait::async_trait]
impl Pods for LocalPods {
    async fn pods(&self) -> Result<Vec<PodStatus>, RuntimeError> {
        let config = self.inner.config.clone();
        crate::images::blocking(move || {
            let uids = status::uids(&config)?;
            Ok(uids.iter().filter_map(|uid| status::pod(&config, uid).ok()).collect())
        })
        .await
    }

    async fn pod(&self, uid: &str) -> Result<PodStatus, RuntimeError> {
        let (config, uid) = (self.inner.config.clone(), checked(uid)?.to_owned());
        crate::images::blocking(move || status::pod(&config, &uid)).await
    }

    async fn create_pod(&self, spec: &PodSpec) -> Result<PodStatus, RuntimeError> {
        checked(&spec.uid)?;
        lifecycle::create(&self.inner, spec).await
    }

    async fn set_address(&self, uid: &str, address: IpAddr) -> Result<(), RuntimeError> {
        lifecycle::set_address(&self.inner, checked(uid)?, address).await
    }

    fn pod_dir(&self, uid: &str) -> PathBuf {
        // A uid that is no plain word gets a directory that no pod ever has.
        let directory = self.inner.config.pods().join(if is_plain(uid) { uid } else { ".invalid" });
        let _ = fs::create_dir_all(&directory);
        directory
    }

    async fn start_container(&self, uid: &str, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        run::start(&self.inner, checked(uid)?, spec).await
    }

    async fn stop_container(&self, uid: &str, name: &str, grace: Duration) -> Result<(), RuntimeError> {
        stop::stop(&self.inner, checked(uid)?, name, grace).await
    }

    async fn remove_container(&self, uid: &str, name: &str, attempt: u32) -> Result<(), RuntimeError> {
        run::remove(&self.inner, checked(uid)?, name, attempt).await
    }

    async fn release_pod(&self, uid: &str) -> Result<(), RuntimeError> {
        lifecycle::release(&self.inner, checked(uid)?).await
    }

    async fn remove_pod(&self, uid: &str) -> Result<(), RuntimeError> {
        lifecycle::remove(&self.inner, checked(uid)?).await
    }

    async fn exec(&self, uid: &str, request: ExecRequest, io: AttachIo) -> Result<i32, RuntimeError> {
        exec::exec(&self.inner, checked(uid)?, request, io).await
    }

    async fn attach(&self, uid: &str, name: &str, io: AttachIo) -> Result<(), RuntimeError> {
        exec::attach(&self.inner, checked(uid)?, name, io).await
    }

    async fn logs(
        &self,
        uid: &str,
        name: &str,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError> {
        logs::logs(&self.inner, checked(uid)?, name, options).await
    }

    fn promise(&self) -> Promise {
        self.inner.promise.read()
    }

    fn set_promise(&self, promise: Promise) {
        self.inner.promise.write(promise);
    }

    async fn admit_pod(&self, uid: &str, epoch: u32) -> Result<bool, RuntimeError> {
        let directory = self.inner.config.pod(checked(uid)?).directory;
        match client::ask(&directory, &Request::Admit { epoch }).await {
            Ok(_) => Ok(true),
            Err(Refused::Frozen) => Ok(false),
            Err(error) => Err(error.about(&format!("pod {uid}"))),
        }
    }

    fn events(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.inner.events.subscribe()
    }
}
