#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::objects::{CONFIG_MAPS, PODS};
use crate::replicas::Replicas;
use crate::testing::Cluster;
use crate::{Key, SystemClock};
use async_trait::async_trait;
use raftsman_state::{Change, Op, Txn};
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// A cluster behind the runner's doors.
struct Host {
    cluster: Mutex<Cluster>,
    revisions: watch::Sender<u64>,
    /// Refuses so many writes first.
    refusals: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
    creates: AtomicUsize,
}

impl Host {
    fn new(cluster: Cluster, refusals: usize) -> Arc<Self> {
        let revisions = watch::Sender::new(cluster.state.revision());
        let count = AtomicUsize::new;
        Arc::new(Self {
            cluster: Mutex::new(cluster),
            revisions,
            refusals: count(refusals),
            under_way: count(0),
            most: count(0),
            creates: count(0),
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut cluster = self.cluster.lock().unwrap();
        let result = change(&mut cluster);
        self.revisions.send_replace(cluster.state.revision());
        result
    }

    fn runner(
        self: &Arc<Self>,
        controllers: Vec<Arc<dyn Controller>>,
    ) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        let cancel = CancellationToken::new();
        let runner =
            Runner::new(controllers, self.clone(), self.clone(), Arc::new(SystemClock::new()), Limits::default());
        (cancel.clone(), tokio::spawn(runner.run(cancel)))
    }

    /// Waits until the cluster is as asked.
    async fn until(&self, what: impl Fn(&Cluster) -> bool) {
        let mut revisions = self.revisions.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            while !what(&self.cluster.lock().unwrap()) {
                revisions.changed().await.unwrap();
            }
        });
        waited.await.unwrap();
    }
}

impl Views for Host {
    fn view(&self) -> View {
        self.cluster.lock().unwrap().view()
    }

    fn revisions(&self) -> watch::Receiver<u64> {
        self.revisions.subscribe()
    }
}

#[async_trait]
impl Executor for Host {
    async fn execute(&self, _controller: &str, action: &Action) -> Result<(), ExecuteError> {
        let create = matches!(action, Action::Create { key, .. } if key.resource == *PODS);
        self.creates.fetch_add(usize::from(create), Ordering::SeqCst);
        self.most.fetch_max(self.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let refuse = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if refuse {
            return Err(ExecuteError::Refused("quota".into()));
        }
        self.with(|cluster| cluster.execute(action))
    }
}

fn with_set(replicas: i64) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.put(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web", "namespace": "x"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        },
    }));
    cluster
}

#[tokio::test]
async fn changes_become_writes_until_it_is_stopped() {
    let host = Host::new(with_set(3), 0);
    let (cancel, task) = host.runner(vec![Arc::new(Replicas::replica_sets())]);
    host.until(|cluster| cluster.names(&PODS).len() == 3).await;
    host.with(|cluster| cluster.remove(&Key::new(&PODS, "x", &cluster.names(&PODS)[0])));
    host.until(|cluster| cluster.names(&PODS).len() == 3).await;
    assert!(host.most.load(Ordering::SeqCst) > 1, "chains run side by side");
    cancel.cancel();
    task.await.unwrap();
    host.with(|cluster| cluster.remove(&Key::new(&PODS, "x", &cluster.names(&PODS)[0])));
    tokio::task::yield_now().await;
    assert_eq!(host.with(|cluster| cluster.names(&PODS).len()), 2);
}

#[tokio::test]
async fn what_is_refused_is_tried_again() {
    let host = Host::new(with_set(2), 7);
    let (cancel, task) = host.runner(vec![Arc::new(Replicas::replica_sets())]);
    host.until(|cluster| cluster.names(&PODS).len() == 2).await;
    cancel.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn creates_begin_slowly_and_stop_where_one_is_refused() {
    let carry_out = async |refusals, pods| {
        let host = Host::new(with_set(pods), refusals);
        let key = host.with(|cluster| crate::objects::keys(&cluster.view(), &crate::objects::REPLICA_SETS).remove(0));
        let plan = host.with(|cluster| {
            let now = cluster.now();
            Replicas::replica_sets().plan(&cluster.view(), &key, &now)
        });
        let clock = Arc::new(SystemClock::new());
        let hands = Hands { views: host.clone(), executor: host.clone(), clock, permits: Semaphore::new(128) };
        let creates = Plan { gradual: plan.gradual, ..Plan::none() };
        let ended = super::carry_out(Arc::new(hands), "c", creates).await;
        (matches!(ended, Ended::Well(_)), host.creates.load(Ordering::SeqCst))
    };
    assert_eq!(carry_out(0, 100).await, (true, 100));
    assert_eq!(carry_out(usize::MAX, 100).await, (false, 1));
}

/// Copies the ConfigMap `a` to `b`, and counts how often it plans.
struct Copy {
    plans: AtomicUsize,
}

impl Controller for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        if change.key().resource == *CONFIG_MAPS { vec![change.key().clone()] } else { Vec::new() }
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        crate::objects::keys(view, &CONFIG_MAPS)
    }

    fn plan(&self, view: &View, _key: &WorkKey, _now: &Now) -> Plan {
        self.plans.fetch_add(1, Ordering::SeqCst);
        let mut plan = Plan::none();
        let key = Key::new(&CONFIG_MAPS, "x", "b");
        if view.get(&Key::new(&CONFIG_MAPS, "x", "a")).is_some() && view.get(&key).is_none() {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "x"}});
            plan.push(Action::Create { key, object });
        }
        plan
    }
}

#[tokio::test]
async fn below_the_floor_of_history_everything_is_looked_at_again() {
    let host = Host::new(Cluster::default(), 0);
    let copy = Arc::new(Copy { plans: AtomicUsize::new(0) });
    let (cancel, task) = host.runner(vec![copy.clone()]);
    tokio::task::yield_now().await;
    // The write and the compaction are published as one View: the runner never sees the change itself.
    host.with(|cluster| {
        cluster.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "x"}}));
        cluster.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "x"}}));
        let floor = cluster.state.revision();
        let ops = vec![Op::Compact { resource: CONFIG_MAPS.clone(), floor }];
        cluster.state.apply(1, &Txn { ops, ..Txn::default() });
    });
    host.until(|cluster| cluster.names(&CONFIG_MAPS) == ["a", "b", "c"]).await;
    assert!(copy.plans.load(Ordering::SeqCst) >= 2);
    cancel.cancel();
    task.await.unwrap();
}
