//! The whole agent in one process: fake rooms, masters on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fenced;
mod masters;
mod pods;

use crate::testing::{Cluster, FakeImages, FakeMaster, FakeNetwork, FakePods, Heard, TestPki};
use crate::{Agent, Doors};
use raftsman_api::config::{HostConfig, MasterAddress, NetworkConfig, Pki, Ports, Role, Timing};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(20);

struct Bench {
    dir: tempfile::TempDir,
    pki: TestPki,
    pods: Arc<FakePods>,
    network: Arc<FakeNetwork>,
    cluster: Arc<Cluster>,
    heard: mpsc::UnboundedReceiver<Heard>,
    sender: mpsc::UnboundedSender<Heard>,
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), crate::AgentError>>,
    port: u16,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.task).await.unwrap().unwrap().unwrap();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pki = TestPki::new();
        pki.write(dir.path());
        let (sender, heard) = mpsc::unbounded_channel();
        let (pods, network) = (Arc::new(FakePods::new()), Arc::default());
        Self { dir, pki, pods, network, cluster: Arc::default(), heard, sender }
    }

    async fn master(&self) -> FakeMaster {
        FakeMaster::start(&self.pki, self.cluster.clone(), self.sender.clone()).await
    }

    /// Masters listen on ports of their own here, so the first is configured and the others are learnt from disk.
    fn agent(&self, masters: &[&FakeMaster]) -> Running {
        let desired = self.dir.path().join("node/desired");
        std::fs::create_dir_all(&desired).unwrap();
        let known = desired.join("position.json");
        let mut position: Value =
            std::fs::read(&known).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or(json!({}));
        position["masters"] = masters.iter().map(|master| master.address.to_string()).collect();
        std::fs::write(&known, position.to_string()).unwrap();
        let port = free_port();
        let loopback = "127.0.0.1".parse().unwrap();
        let config = HostConfig {
            cluster: "test".to_owned(),
            cluster_id: "id".to_owned(),
            name: "n1".to_owned(),
            roles: vec![Role::Node],
            address: loopback,
            data_dir: self.dir.path().to_owned(),
            pki: Pki { dir: self.dir.path().to_owned() },
            masters: vec![MasterAddress { name: "m1".to_owned(), id: 1, address: loopback }],
            joined: false,
            ports: Ports {
                peer: masters.first().map_or(1, |master| master.address.port()),
                node: port,
                ..Ports::default()
            },
            network: NetworkConfig::default(),
            timing: Timing::default(),
            backup: None,
            image_dir: None,
            insecure_registries: Vec::new(),
            cgroup_parent: None,
            pod_pids_limit: None,
            level_at_most: None,
            vip: None,
            node_labels: Default::default(),
        };
        let doors = Doors { pods: self.pods.clone(), images: Arc::new(FakeImages), network: self.network.clone() };
        let stop = CancellationToken::new();
        let task = tokio::spawn(Agent::run_with(config, doors, stop.clone()));
        Running { stop, task, port }
    }

    async fn hear<T>(&mut self, mut want: impl FnMut(&Heard) -> Option<T>) -> T {
        let found = async {
            loop {
                let heard = self.heard.recv().await.unwrap();
                if let Some(found) = want(&heard) {
                    return found;
                }
            }
        };
        tokio::time::timeout(LIMIT, found).await.expect("the node did not say it in time")
    }

    async fn phase(&mut self, uid: &str, phase: &str) -> Value {
        self.hear(|heard| match heard {
            Heard::Pod(of, status) if of == uid && status["phase"] == phase => Some(status.clone()),
            _ => None,
        })
        .await
    }
}

fn node(master: &FakeMaster) {
    let own =
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDR": "10.244.1.0/24"}});
    master.put("nodes", "", "n1", own);
    let other = json!({"metadata": {"name": "n2"}, "spec": {"podCIDR": "10.244.2.0/24"},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.89.0.12"}]}});
    master.put("nodes", "", "n2", other);
}

fn pod(uid: &str, extra: Value) -> Value {
    let mut container = json!({"name": "c", "image": "app:1", "imagePullPolicy": "IfNotPresent"});
    container.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": uid, "namespace": "default", "uid": uid},
        "spec": {"nodeName": "n1", "terminationGracePeriodSeconds": 1, "containers": [container]}})
}

fn deleting(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(1);
    pod
}
