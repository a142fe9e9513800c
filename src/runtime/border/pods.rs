//! Pods and containers as the agent sees them.

use crate::border::{AttachIo, ContainerSpec, ExecRequest, LogOptions, PodSpec, PodStatus, Promise, RuntimeError};
use bytes::Bytes;
use futures::stream::BoxStream;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Something changed without being asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuntimeEvent {
    /// A container of this pod started or ended; ask [`Pods::pod`] for the rest.
    Pod {
        /// The pod's uid.
        uid: String,
    },
    /// Events were lost (a slow reader, a new supervisor): look at everything again.
    Resync,
}

/// Pods on one machine. All calls are idempotent: asking for what is already so succeeds.
///
/// Implementations survive their own process: after the agent was killed and started again, [`Pods::pods`] gives what
/// runs, and nothing was stopped or restarted.
#[async_trait::async_trait]
pub trait Pods: Send + Sync + 'static {
    /// All pods on this machine.
    async fn pods(&self) -> Result<Vec<PodStatus>, RuntimeError>;

    /// One pod.
    async fn pod(&self, uid: &str) -> Result<PodStatus, RuntimeError>;

    /// Makes the pod's root: cgroup, namespaces, supervisor. Returns once its network namespace can be entered.
    async fn create_pod(&self, spec: &PodSpec) -> Result<PodStatus, RuntimeError>;

    /// Records the pod's address and writes its `/etc/hosts`. Before the first container.
    async fn set_address(&self, uid: &str, address: IpAddr) -> Result<(), RuntimeError>;

    /// The directory on the host that belongs to the pod, for volumes (`volumes/` inside is the agent's). It exists
    /// before [`Pods::create_pod`] and goes with [`Pods::remove_pod`], mounts inside it included.
    fn pod_dir(&self, uid: &str) -> PathBuf;

    /// Makes and starts one container. Its id is returned.
    async fn start_container(&self, uid: &str, spec: &ContainerSpec) -> Result<String, RuntimeError>;

    /// TERM (or the image's stop signal), and KILL after `grace`. Returns when its process is gone.
    async fn stop_container(&self, uid: &str, name: &str, grace: Duration) -> Result<(), RuntimeError>;

    /// Forgets an ended run: root file system, record and log of (`name`, `attempt`).
    async fn remove_container(&self, uid: &str, name: &str, attempt: u32) -> Result<(), RuntimeError>;

    /// Gives back what a pod has that will never run again: processes, supervisor, cgroup, namespaces, mounts and volumes.
    /// Records of its containers and their logs stay, and nothing revives it. Refused while a container runs.
    async fn release_pod(&self, uid: &str) -> Result<(), RuntimeError>;

    /// Kills what is left, ends the supervisor, removes cgroup, namespaces, mounts and the pod's directory.
    async fn remove_pod(&self, uid: &str) -> Result<(), RuntimeError>;

    /// Runs a command in a running container. Ends with its exit code.
    async fn exec(&self, uid: &str, request: ExecRequest, io: AttachIo) -> Result<i32, RuntimeError>;

    /// Connects to a running container's standard streams until it ends or `io` is closed.
    async fn attach(&self, uid: &str, name: &str, io: AttachIo) -> Result<(), RuntimeError>;

    /// A container's log as text, following it if asked. `attempt` absent: the newest run; `previous` in the options:
    /// the one before.
    async fn logs(
        &self,
        uid: &str,
        name: &str,
        options: LogOptions,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError>;

    /// Until when fenced pods may run on this machine, as it stands.
    fn promise(&self) -> Promise;

    /// Moves the promise on. All fenced pods see it at once; pods of another epoch are frozen.
    fn set_promise(&self, promise: Promise);

    /// A leader's word that a fenced pod may run in this epoch: it is thawed, or may begin. False if the promise is of
    /// another epoch by now, or has ended.
    async fn admit_pod(&self, uid: &str, epoch: u32) -> Result<bool, RuntimeError>;

    /// Changes as they happen. Every call gives its own receiver.
    fn events(&self) -> tokio::sync::broadcast::Receiver<RuntimeEvent>;
}
