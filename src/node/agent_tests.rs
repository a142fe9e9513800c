//! The whole agent in one process: fake rooms, masters on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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
            image_dir: None,
            insecure_registries: Vec::new(),
            cgroup_parent: None,
            pod_pids_limit: None,
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

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_runs_and_goes() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let agent = bench.agent(&[&master]);
    let report = bench.hear(|heard| if let Heard::Node(node) = heard { Some(node.clone()) } else { None }).await;
    assert_eq!(report["metadata"]["labels"]["kubernetes.io/hostname"], "n1");
    assert_eq!(report["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"], agent.port);
    let ready = |node: &Value| {
        node["status"]["conditions"].as_array().unwrap().iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
    };
    if !ready(&report) {
        bench.hear(|heard| if let Heard::Node(node) = heard { ready(node).then_some(()) } else { None }).await;
    }
    master.put(
        "configmaps",
        "default",
        "settings",
        json!({"metadata": {"name": "settings"}, "data": {"COLOR": "blue"}}),
    );
    let wanted = pod(
        "p1",
        json!({"env": [{"name": "HI", "value": "$(COLOR)!"}], "envFrom": [{"configMapRef": {"name": "settings"}}]}),
    );
    master.put("pods", "default", "p1", wanted.clone());
    let status = bench.phase("p1", "Running").await;
    assert_eq!(status["podIP"], "10.244.1.2");
    assert_eq!(status["hostIP"], "127.0.0.1");
    assert_eq!(status["containerStatuses"][0]["containerID"], "raftsman://p1-c-0");
    assert_eq!(status["containerStatuses"][0]["ready"], true);
    let env = bench.pods.specs.lock()[0].env.clone();
    assert_eq!(env, [("COLOR".to_owned(), "blue".to_owned()), ("HI".to_owned(), "blue!".to_owned())]);
    assert_eq!(bench.network.peers.lock()[0].name, "n2");
    master.put("pods", "default", "p1", deleting(wanted));
    bench.hear(|heard| matches!(heard, Heard::Gone(uid) if uid == "p1").then_some(())).await;
    assert!(bench.pods.pods.lock().is_empty());
    assert!(bench.network.attached.lock().is_empty());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_takes_over_what_runs_without_masters() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let agent = bench.agent(&[&master]);
    master.put("pods", "default", "p1", pod("p1", json!({})));
    master.put("pods", "default", "p2", pod("p2", json!({})));
    let mut running = std::collections::BTreeSet::new();
    bench
        .hear(|heard| match heard {
            Heard::Pod(uid, status) if status["phase"] == "Running" => {
                running.insert(uid.clone());
                (running.len() == 2).then_some(())
            }
            _ => None,
        })
        .await;
    agent.stop().await;
    master.kill();
    // Started again, with no master to be reached: the container that ends is started again, the other is left alone.
    let agent = bench.agent(&[]);
    let ended = async {
        bench.pods.exit("p1", "c", 1);
        while bench.pods.runs() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, ended).await.unwrap();
    assert_eq!(bench.pods.started.lock()[2], ("p1".to_owned(), "c".to_owned(), 1));
    agent.stop().await;
    // And while nobody looked, p2 was deleted: the sync tells.
    let master = bench.master().await;
    master.delete("pods", "default", "p2", false);
    let agent = bench.agent(&[&master]);
    let gone = async {
        while bench.pods.pods.lock().contains_key("p2") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.unwrap();
    assert!(bench.pods.pods.lock().contains_key("p1"));
    assert_eq!(bench.pods.runs(), 3);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_serves_is_not_called_unready_while_its_agent_begins() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let ready = |heard: &Heard| match heard {
        Heard::Node(node) => {
            let conditions = node["status"]["conditions"].as_array().unwrap();
            conditions.iter().find(|condition| condition["type"] == "Ready").map(|ready| ready["status"] == "True")
        }
        _ => None,
    };
    let agent = bench.agent(&[&master]);
    bench.hear(|heard| ready(heard).filter(|ready| *ready)).await;
    agent.stop().await;
    while bench.heard.try_recv().is_ok() {}
    let network = Arc::clone(&bench.network);
    let busy = network.busy.lock().await;
    let agent = bench.agent(&[&master]);
    bench.hear(|heard| matches!(heard, Heard::Hello(_)).then_some(())).await;
    // Long enough for a word too many to be said.
    let early = tokio::time::timeout(Duration::from_millis(300), bench.hear(ready)).await;
    assert!(early.is_err(), "the node was reported before its network was looked at");
    drop(busy);
    assert!(bench.hear(ready).await);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_master_is_asked_when_one_dies_or_falls_silent() {
    let mut bench = Bench::new();
    let masters = [bench.master().await, bench.master().await];
    let agent = bench.agent(&[&masters[0], &masters[1]]);
    let first = bench.hear(|heard| if let Heard::Hello(hello) = heard { Some(hello.clone()) } else { None }).await;
    assert_eq!((first.cluster_id.as_str(), first.node.as_str()), ("id", "n1"));
    // Whichever it is: both fall silent, then one of them dies.
    *masters[0].mute.lock() = true;
    *masters[1].mute.lock() = true;
    bench.hear(|heard| matches!(heard, Heard::Hello(_)).then_some(())).await;
    *masters[0].mute.lock() = false;
    *masters[1].mute.lock() = false;
    masters[0].kill();
    masters[1].put("pods", "default", "p1", pod("p1", json!({"image": "absent:1"})));
    bench.hear(|heard| matches!(heard, Heard::Event(reason, _) if reason == "NetworkNotReady").then_some(())).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_report_is_sent_again() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    *bench.cluster.refuse.lock() = 3;
    let agent = bench.agent(&[&master]);
    master.put("pods", "default", "p1", pod("p1", json!({})));
    bench.phase("p1", "Running").await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_image_is_named() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let agent = bench.agent(&[&master]);
    master.put("pods", "default", "p1", pod("p1", json!({"image": "absent:1"})));
    let reason = |status: &Value| status["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
    for expected in ["ErrImagePull", "ImagePullBackOff"] {
        bench.hear(|heard| matches!(heard, Heard::Pod(_, status) if reason(status) == expected).then_some(())).await;
    }
    let event = bench.hear(|heard| match heard {
        Heard::Event(reason, message) if reason == "BackOff" => Some(message.clone()),
        _ => None,
    });
    assert_eq!(event.await, "Back-off pulling image \"absent:1\"");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_probe() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    *bench.pods.exec_code.lock() = 1;
    let agent = bench.agent(&[&master]);
    let probe = json!({"readinessProbe": {"exec": {"command": ["check"]}, "periodSeconds": 1}});
    master.put("pods", "default", "p1", pod("p1", probe));
    let status = bench.phase("p1", "Running").await;
    assert_eq!(status["containerStatuses"][0]["ready"], false);
    let failed = |heard: &Heard| match heard {
        Heard::Event(reason, message) if reason == "Unhealthy" => Some(message.clone()),
        _ => None,
    };
    assert_eq!(bench.hear(failed).await, "Readiness probe failed: check");
    *bench.pods.exec_code.lock() = 0;
    bench
        .hear(|heard| {
            matches!(heard, Heard::Pod(_, status) if status["containerStatuses"][0]["ready"] == true).then_some(())
        })
        .await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_masters_may_use_the_nodes_service() {
    use raftsman_proto::v1::agent_client::AgentClient;
    use raftsman_proto::v1::{LogsRequest, PodRef};
    use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
    let mut bench = Bench::new();
    let master = bench.master().await;
    let agent = bench.agent(&[&master]);
    bench.hear(|heard| matches!(heard, Heard::Hello(_)).then_some(())).await;
    for (organization, allowed) in [("raftsman:masters", true), ("system:nodes", false), ("system:masters", false)] {
        let (ca, certificate, key) = bench.pki.host(organization);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(ca))
            .identity(Identity::from_pem(certificate, key));
        let endpoint = Endpoint::new(format!("https://127.0.0.1:{}", agent.port)).unwrap().tls_config(tls).unwrap();
        let mut client = AgentClient::new(endpoint.connect().await.unwrap());
        let pod = Some(PodRef { namespace: "default".to_owned(), name: "p".to_owned(), uid: "p".to_owned() });
        let answer = client.logs(LogsRequest { pod, container: "c".to_owned(), ..LogsRequest::default() }).await;
        match allowed {
            true => {
                let chunk = answer.unwrap().into_inner().message().await.unwrap().unwrap();
                assert_eq!(&chunk.data[..], b"log of c\n");
            }
            false => assert_eq!(answer.unwrap_err().code(), tonic::Code::PermissionDenied, "{organization}"),
        }
    }
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_pod_waits_for_a_leaders_word_and_goes_on_by_another_one() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let fenced = |uid: &str| {
        let mut pod = pod(uid, json!({}));
        pod["metadata"]["annotations"] = json!({ "raftsman.io/fencing": "freeze" });
        pod
    };
    let agent = bench.agent(&[&master]);
    master.put("pods", "default", "p1", fenced("p1"));
    master.put("pods", "default", "p2", fenced("p2"));
    master.put("pods", "default", "free", pod("free", json!({})));
    bench.phase("free", "Running").await;
    assert_eq!(bench.pods.runs(), 1, "a fenced pod runs though no leader answers");
    *bench.cluster.valid.lock() = Some(LIMIT);
    let asked =
        |uid: &'static str| move |heard: &Heard| matches!(heard, Heard::Admission(of) if of == uid).then_some(());
    bench.phase("p1", "Running").await;
    while bench.pods.runs() < 3 {
        tokio::task::yield_now().await;
    }
    // The promise ends; while nobody answers, one pod is given away.
    *bench.cluster.valid.lock() = None;
    let promise = raftsman_runtime::border::Pods::promise(&*bench.pods);
    raftsman_runtime::border::Pods::set_promise(
        &*bench.pods,
        raftsman_runtime::border::Promise { epoch: promise.epoch + 1, until: Duration::ZERO },
    );
    assert!(bench.pods.pods.lock()["p1"].fence.unwrap().frozen);
    agent.stop().await;
    while bench.heard.try_recv().is_ok() {}
    bench.cluster.refuse_words.lock().push("p2".to_owned());
    *bench.cluster.valid.lock() = Some(LIMIT);
    let agent = bench.agent(&[&master]);
    bench.hear(asked("p1")).await;
    let thawed = async {
        loop {
            let (p1, p2) = {
                let pods = bench.pods.pods.lock();
                (pods["p1"].fence.is_some_and(|fence| !fence.frozen), pods.contains_key("p2"))
            };
            if p1 && !p2 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, thawed).await.expect("one goes on, the other goes");
    assert_eq!(bench.pods.runs(), 3, "something was started again");
    agent.stop().await;
}
