//! Hands news to those whom they concern: workers and the network.

use super::network::Networking;
use super::shared::Shared;
use super::worker::{Wake, Wanted, Worker};
use crate::stream::Told;
use crate::world::{Change, Name};
use k8s_openapi::api::core::v1::{PersistentVolume, Pod, PodSpec as DeclaredSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use raftsman_runtime::border::{PodStatus as Observed, RuntimeEvent};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

const MAILBOX: usize = 64;
/// Killed pods are gone after this.
const GOING: Duration = Duration::from_secs(5);

struct Handle {
    name: Name,
    wanted: watch::Sender<Wanted>,
    waker: mpsc::Sender<Wake>,
    task: Id,
}

/// The loop.
pub struct MainLoop {
    shared: Arc<Shared>,
    told: mpsc::UnboundedReceiver<Told>,
    network: mpsc::UnboundedSender<Vec<Change>>,
    workers: HashMap<String, Handle>,
    tasks: JoinSet<()>,
    row: Option<Row>,
}

/// A row of renewals of which the masters have told everything, while fenced pods that are no longer this node's go.
struct Row {
    number: u32,
    going: HashSet<String>,
    since: Instant,
}

impl MainLoop {
    /// With the stream's news.
    pub fn new(shared: Arc<Shared>, told: mpsc::UnboundedReceiver<Told>) -> (Self, impl Future<Output = ()> + Send) {
        let (network, changes) = mpsc::unbounded_channel();
        let networking = Networking::new(Arc::clone(&shared)).run(changes);
        (Self { shared, told, network, workers: HashMap::new(), tasks: JoinSet::new(), row: None }, networking)
    }

    /// Works until `shutdown`; pods go on.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // Before the first look, so that nothing is missed between.
        let mut events = self.shared.pods.events();
        let known: Vec<Name> = self.shared.world.read().pods().map(|(name, _)| name.clone()).collect();
        for name in known {
            self.pod_changed(&name);
        }
        loop {
            let going = self.row.as_ref().map_or(GOING, |row| GOING.saturating_sub(row.since.elapsed()));
            tokio::select! {
                () = shutdown.cancelled() => break,
                told = self.told.recv() => match told {
                    Some(told) => self.told(told).await,
                    None => break,
                },
                event = events.recv() => match event {
                    Ok(RuntimeEvent::Pod { uid }) => self.wake(&uid),
                    Ok(RuntimeEvent::Resync) | Err(RecvError::Lagged(_)) => self.wake_all(),
                    Err(RecvError::Closed) => break,
                },
                () = tokio::time::sleep(going), if self.row.is_some() => self.open(),
                Some(ended) = self.tasks.join_next_with_id() => {
                    let (id, failed) = match ended {
                        Ok((id, ())) => (id, None),
                        Err(error) => (error.id(), Some(error)),
                    };
                    self.ended(id, failed.map(|error| error.to_string()));
                }
            }
        }
        self.tasks.shutdown().await;
    }

    async fn told(&mut self, told: Told) {
        match told {
            Told::Changed(changes) => {
                for change in &changes {
                    match change {
                        Change::Pod(name) => self.pod_changed(name),
                        Change::Secret(name) | Change::ConfigMap(name) | Change::Claim(name) => {
                            self.content_changed(&name.0);
                        }
                        Change::VolumeGone(volume) => self.discard(volume),
                        Change::Node(name) if *name == self.shared.config.name => self.shared.own_node.notify_one(),
                        Change::Service(_) | Change::Node(_) => {}
                    }
                }
                let _ = self.network.send(changes);
            }
            Told::Synced(row) => {
                let going = self.clean().await;
                self.row = Some(Row { number: row, going, since: Instant::now() });
                self.open();
            }
            Told::Word(uid, promise) => {
                if let Some(handle) = self.workers.get(&uid) {
                    let waker = handle.waker.clone();
                    if let Err(mpsc::error::TrySendError::Full(wake)) = waker.try_send(Wake::Word(promise)) {
                        tokio::spawn(async move { waker.send(wake).await });
                    }
                }
            }
            Told::Gone(uid) => {
                if let Some(handle) = self.workers.get(&uid) {
                    handle.wanted.send_modify(|wanted| wanted.orphan = true);
                }
            }
        }
    }

    /// A volume was deleted: the directory that it was may go with it.
    fn discard(&self, volume: &PersistentVolume) {
        let (volume, node, local) = (volume.clone(), self.shared.config.name.clone(), self.shared.local());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = crate::volumes::discard(&volume, &node, &local) {
                tracing::warn!(%error, "the directory of a deleted volume is not removed: remove it by hand");
            }
        });
    }

    fn pod_changed(&mut self, name: &Name) {
        let pod = self.shared.world.read().pod(name).cloned();
        let uid = pod.as_ref().and_then(|pod| pod.metadata.uid.clone()).unwrap_or_default();
        for (other, handle) in &self.workers {
            if handle.name == *name && *other != uid {
                handle.wanted.send_if_modified(|wanted| !std::mem::replace(&mut wanted.orphan, true));
            }
        }
        let Some(pod) = pod.filter(|_| !uid.is_empty()) else {
            return;
        };
        match self.workers.get(&uid) {
            Some(handle) => {
                handle.wanted.send_replace(Wanted { pod, orphan: false });
            }
            None => self.begin(uid, name.clone(), Wanted { pod, orphan: false }),
        }
    }

    fn begin(&mut self, uid: String, name: Name, wanted: Wanted) {
        let (sender, receiver) = watch::channel(wanted);
        let (waker, wakes) = mpsc::channel(MAILBOX);
        let worker = Worker::new(Arc::clone(&self.shared), uid.clone(), receiver, (waker.clone(), wakes));
        let task = self.tasks.spawn(worker.run()).id();
        self.workers.insert(uid, Handle { name, wanted: sender, waker, task });
    }

    fn ended(&mut self, id: Id, failed: Option<String>) {
        let Some(uid) = self.workers.iter().find(|(_, handle)| handle.task == id).map(|(uid, _)| uid.clone()) else {
            return;
        };
        let Some(handle) = self.workers.remove(&uid) else {
            return;
        };
        let wanted = handle.wanted.borrow().clone();
        if let Some(row) = self.row.as_mut().filter(|_| failed.is_none()) {
            row.going.remove(&uid);
            self.open();
        }
        if let Some(error) = failed {
            tracing::error!(uid, error, "a pod's worker broke off; it begins again");
            self.begin(uid, handle.name, wanted);
        }
    }

    fn wake(&self, uid: &str) {
        if let Some(handle) = self.workers.get(uid) {
            // A full mailbox wakes it as well.
            let _ = handle.waker.try_send(Wake::Runtime);
        }
    }

    fn wake_all(&self) {
        self.workers.keys().for_each(|uid| self.wake(uid));
    }

    fn content_changed(&self, namespace: &str) {
        for handle in self.workers.values().filter(|handle| handle.name.0 == namespace) {
            let waker = handle.waker.clone();
            if let Err(mpsc::error::TrySendError::Full(wake)) = waker.try_send(Wake::Content) {
                tokio::spawn(async move { waker.send(wake).await });
            }
        }
    }

    /// What is no longer this node's goes before anything of a new row runs; for a while: one that does not end keeps no
    /// other one frozen.
    fn open(&mut self) {
        if let Some(row) = self.row.take_if(|row| row.going.is_empty() || row.since.elapsed() >= GOING) {
            self.shared.told.send_if_modified(|told| std::mem::replace(told, row.number) != row.number);
        }
    }

    /// The picture is complete: what the runtime has beyond it goes. Gives the fenced pods among that.
    async fn clean(&mut self) -> HashSet<String> {
        let running = match self.shared.pods.pods().await {
            Ok(running) => running,
            Err(error) => {
                // The next sync cleans.
                tracing::error!(%error, "cannot list the pods of this machine");
                return HashSet::new();
            }
        };
        for observed in &running {
            if !self.workers.contains_key(&observed.spec.uid) {
                let spec = &observed.spec;
                tracing::info!(
                    uid = spec.uid,
                    namespace = spec.namespace,
                    name = spec.name,
                    "removing a pod that is no longer wanted"
                );
                let name = (spec.namespace.clone(), spec.name.clone());
                let wanted = Wanted { pod: Arc::new(unknown(observed)), orphan: true };
                self.begin(spec.uid.clone(), name, wanted);
            }
        }
        let by_uid: BTreeMap<&str, &Observed> = running.iter().map(|pod| (pod.spec.uid.as_str(), pod)).collect();
        match self.shared.network.attached().await {
            Ok(attached) => {
                for (uid, ip) in attached {
                    if self.workers.contains_key(&uid) || by_uid.contains_key(uid.as_str()) {
                        continue;
                    }
                    tracing::info!(uid, %ip, "removing an interface that no pod has");
                    if let Err(error) = self.shared.network.detach(&uid).await {
                        tracing::warn!(uid, %error, "cannot remove an interface");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "cannot list pods' interfaces"),
        }
        let orphan = |uid: &String| self.workers.get(uid).is_some_and(|handle| handle.wanted.borrow().orphan);
        let fenced = running.iter().filter(|pod| pod.spec.fenced).map(|pod| &pod.spec.uid);
        fenced.filter(|uid| orphan(uid)).cloned().collect()
    }
}

/// A pod of which only the runtime knows.
fn unknown(observed: &Observed) -> Pod {
    let spec = &observed.spec;
    Pod {
        metadata: ObjectMeta {
            uid: Some(spec.uid.clone()),
            namespace: Some(spec.namespace.clone()),
            name: Some(spec.name.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(DeclaredSpec { host_network: Some(spec.host_network), ..DeclaredSpec::default() }),
        status: None,
    }
}
