//! The agent on the real runtime and the real network, as root, in a network namespace of its own: a pod runs, is reached,
//! outlives a killed agent, and goes. This program is the agent and the pods' supervisor too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code,
    unused_imports,
    reason = "a test fails by panicking, and uses a part of what it includes"
)]

mod image;
#[path = "../testing/mod.rs"]
mod testing;

use futures::TryStreamExt;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use raftsman_api::config::{HostConfig, MasterAddress, NetworkConfig, Pki, Ports, Role, Timing};
use raftsman_proto::v1::agent_client::AgentClient;
use raftsman_proto::v1::stream_input::Input;
use raftsman_proto::v1::stream_output::Output;
use raftsman_proto::v1::{ForwardInput, LogsRequest, PodRef, StreamInput, StreamStart};
use raftsman_runtime::border::Images as _;
use raftsman_runtime::{ImageStore, ImageStoreConfig, PodsConfig};
use rtnetlink::{LinkBridge, LinkUnspec};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use testing::{Cluster, FakeMaster, Heard, TestPki};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

const NODE_IP: &str = "10.89.77.11";
const NODE_PORT: u16 = 6445;
const LIMIT: Duration = Duration::from_secs(60);
const TEST: &str = "a_pod_lives_on_a_real_machine";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [command, rest @ ..] if *command == raftsman_runtime::supervisor::COMMAND => {
            let rest: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
            std::process::exit(raftsman_runtime::supervisor::main(&rest));
        }
        ["agent", config] => agent(Path::new(config)),
        // What test runners ask of a program that is its own harness.
        words if words.contains(&"--list") => {
            if !words.contains(&"--ignored") {
                println!("{TEST}: test");
            }
        }
        _ => test(),
    }
}

#[tokio::main]
async fn agent(config: &Path) {
    let config: HostConfig = serde_json::from_slice(&std::fs::read(config).unwrap()).unwrap();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    raftsman_node::Agent::run(config, CancellationToken::new()).await.unwrap();
}

/// Everything of the test on this machine; leaves nothing.
struct Site {
    dir: PathBuf,
    group: String,
    agent: Option<Child>,
}

impl Site {
    fn start_agent(&mut self) {
        let program = std::env::current_exe().unwrap();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.join("log")).unwrap();
        let child = Command::new(program).arg("agent").arg(self.dir.join("config.json")).stderr(log).spawn();
        self.agent = Some(child.unwrap());
    }

    fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill().unwrap();
            agent.wait().unwrap();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill_agent();
        let problems = raftsman_runtime::purge(&PodsConfig::new(self.dir.join("node"), &self.group));
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.dir.join("log")).unwrap_or_default());
        }
        let _ = std::fs::remove_dir_all(&self.dir);
        if !std::thread::panicking() {
            assert!(problems.is_empty(), "{problems:?}");
        }
    }
}

fn test() {
    unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(story());
    println!("test {TEST} ... ok");
}

async fn interface() {
    let (connection, handle, _) = rtnetlink::new_connection().unwrap();
    tokio::spawn(connection);
    handle.link().set(LinkUnspec::new_with_index(1).up().build()).execute().await.unwrap();
    handle.link().add(LinkBridge::new("up0").up().build()).execute().await.unwrap();
    let mut links = handle.link().get().match_name("up0".to_owned()).execute();
    let index = links.try_next().await.unwrap().unwrap().header.index;
    handle.address().add(index, NODE_IP.parse().unwrap(), 24).execute().await.unwrap();
}

struct Ears(mpsc::UnboundedReceiver<Heard>);

impl Ears {
    async fn hear<T>(&mut self, mut want: impl FnMut(&Heard) -> Option<T>) -> T {
        let found = async {
            loop {
                let heard = self.0.recv().await.unwrap();
                if let Heard::Event(reason, message) = &heard {
                    println!("event {reason}: {message}");
                }
                if let Some(found) = want(&heard) {
                    return found;
                }
            }
        };
        tokio::time::timeout(LIMIT, found).await.expect("the node did not say it in time")
    }

    async fn pod(&mut self, want: impl Fn(&Value) -> bool) -> Value {
        self.hear(|heard| match heard {
            Heard::Pod(_, status) if want(status) => Some(status.clone()),
            _ => None,
        })
        .await
    }
}

fn config(dir: &Path, group: &str, master: &FakeMaster) -> HostConfig {
    HostConfig {
        cluster: "test".to_owned(),
        cluster_id: "id".to_owned(),
        name: "n1".to_owned(),
        roles: vec![Role::Node],
        address: NODE_IP.parse().unwrap(),
        data_dir: dir.to_owned(),
        pki: Pki { dir: dir.to_owned() },
        masters: vec![MasterAddress { name: "m1".to_owned(), id: 1, address: "127.0.0.1".parse().unwrap() }],
        joined: false,
        ports: Ports { peer: master.address.port(), node: NODE_PORT, ..Ports::default() },
        network: NetworkConfig::default(),
        timing: Timing::default(),
        backup: None,
        image_dir: None,
        insecure_registries: Vec::new(),
        cgroup_parent: Some(group.to_owned()),
        pod_pids_limit: None,
        level_at_most: None,
        vip: None,
        node_labels: Default::default(),
    }
}

async fn client(pki: &TestPki) -> AgentClient<Channel> {
    let (ca, certificate, key) = pki.host("raftsman:masters");
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(ca))
        .identity(Identity::from_pem(certificate, key))
        .domain_name("localhost");
    let endpoint = Endpoint::new(format!("https://{NODE_IP}:{NODE_PORT}")).unwrap().tls_config(tls).unwrap();
    AgentClient::new(endpoint.connect().await.unwrap())
}

fn pod_ref() -> Option<PodRef> {
    Some(PodRef { namespace: "default".to_owned(), name: "web".to_owned(), uid: "uid-web".to_owned() })
}

async fn exec(client: &mut AgentClient<Channel>, command: &[&str]) -> (i32, String) {
    let start = StreamStart {
        pod: pod_ref(),
        container: "main".to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        stdout: true,
        stderr: true,
        ..StreamStart::default()
    };
    let (sender, receiver) = mpsc::channel(4);
    sender.send(StreamInput { input: Some(Input::Start(start)) }).await.unwrap();
    let input = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut stream = client.exec(input).await.unwrap().into_inner();
    let mut text = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        match message.output.unwrap() {
            Output::Stdout(data) | Output::Stderr(data) => text.extend_from_slice(&data),
            Output::ExitCode(code) => return (code, String::from_utf8(text).unwrap()),
        }
    }
    panic!("exec ended without a code")
}

async fn logs(client: &mut AgentClient<Channel>) -> String {
    let request = LogsRequest { pod: pod_ref(), container: "main".to_owned(), ..LogsRequest::default() };
    let mut stream = client.logs(request).await.unwrap().into_inner();
    let mut text = Vec::new();
    while let Some(chunk) = stream.message().await.unwrap() {
        text.extend_from_slice(&chunk.data);
    }
    String::from_utf8(text).unwrap()
}

async fn forward(client: &mut AgentClient<Channel>, port: u32) -> String {
    let (sender, receiver) = mpsc::channel(4);
    sender.send(ForwardInput { pod: pod_ref(), port, ..ForwardInput::default() }).await.unwrap();
    let input = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut stream = client.port_forward(input).await.unwrap().into_inner();
    let chunk = stream.message().await.unwrap().unwrap();
    String::from_utf8(chunk.data.to_vec()).unwrap()
}

async fn story() {
    let dir = tempfile::Builder::new().prefix("raftsman-node-").tempdir().unwrap().keep();
    let group = format!("/raftsman-test/node-{}", std::process::id());
    let mut site = Site { dir: dir.clone(), group: group.clone(), agent: None };
    interface().await;
    let store =
        ImageStore::open(ImageStoreConfig { root: dir.join("images"), insecure_registries: Vec::new() }).unwrap();
    image::write(&dir.join("busybox.tar"));
    store.load(&dir.join("busybox.tar")).await.unwrap();
    let pki = TestPki::new();
    pki.write(&dir);
    let (sender, heard) = mpsc::unbounded_channel();
    let mut ears = Ears(heard);
    let master = FakeMaster::start(&pki, Default::default(), sender).await;
    let host = config(&dir, &group, &master);
    std::fs::write(dir.join("config.json"), serde_json::to_vec(&host).unwrap()).unwrap();
    let own = json!({"metadata": {"name": "n1"}, "spec": {"podCIDR": "10.244.1.0/24"}});
    master.put("nodes", "", "n1", own);
    master.put(
        "configmaps",
        "default",
        "settings",
        json!({"metadata": {"name": "settings"}, "data": {"file": "blue"}}),
    );
    master.put("secrets", "default", "safe", json!({"metadata": {"name": "safe"}, "data": {"pass": "aHVzaA=="}}));
    let service = json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"clusterIP": "10.96.0.77", "clusterIPs": ["10.96.0.77"],
        "ports": [{"port": 80, "protocol": "TCP"}]}});
    master.put("services", "default", "web", service);
    site.start_agent();
    let begun = Instant::now();
    let script = "echo hello $COLOR $WEB_SERVICE_HOST; cat /config/file; echo; cat /safe/pass; echo; trap 'exit 0' TERM; \
        while true; do nc -l -p 8080 -e echo pong; done & while true; do sleep 1 & wait $!; done";
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default", "uid": "uid-web"},
        "spec": {"nodeName": "n1", "terminationGracePeriodSeconds": 5,
            "volumes": [{"name": "config", "configMap": {"name": "settings"}}, {"name": "safe", "secret": {"secretName": "safe"}},
                {"name": "scratch", "emptyDir": {"medium": "Memory"}}],
            "initContainers": [{"name": "init", "image": "busybox:test", "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/sh", "-c", "echo made > /scratch/by-init"],
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}],
            "containers": [{"name": "main", "image": "busybox:test", "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/sh", "-c", script], "env": [{"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "file"}}}],
                "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
                "readinessProbe": {"exec": {"command": ["cat", "/scratch/by-init"]}, "periodSeconds": 1},
                "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "safe", "mountPath": "/safe"}, {"name": "scratch", "mountPath": "/scratch"}]}]}});
    master.put("pods", "default", "web", pod.clone());
    let status = ears.pod(|status| status["containerStatuses"][0]["ready"] == true).await;
    println!("ready after {:?}: {status}", begun.elapsed());
    assert_eq!(status["phase"], "Running");
    let id = status["containerStatuses"][0]["containerID"].clone();
    let ip = status["podIP"].as_str().unwrap().to_owned();
    let slice = json!({"metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": [ip], "nodeName": "n1", "conditions": {"ready": true}}], "ports": [{"name": "", "port": 8080, "protocol": "TCP"}]});
    master.put("discovery.k8s.io/endpointslices", "default", "web-1", slice);
    let mut agent = client(&pki).await;
    let log = logs(&mut agent).await;
    assert!(log.starts_with("hello blue 10.96.0.77\nblue\nhush\n"), "{log}");
    assert_eq!(exec(&mut agent, &["/bin/sh", "-c", "cat /scratch/by-init; exit 3"]).await, (3, "made\n".to_owned()));
    assert_eq!(forward(&mut agent, 8080).await, "pong\n");
    service_answers().await;
    // Mounted files follow their ConfigMap.
    master.put("configmaps", "default", "settings", json!({"metadata": {"name": "settings"}, "data": {"file": "red"}}));
    let follows = async { while exec(&mut agent, &["cat", "/config/file"]).await.1 != "red" {} };
    tokio::time::timeout(LIMIT, follows).await.expect("the file did not follow");
    // The agent dies; nothing else does.
    site.kill_agent();
    service_answers().await;
    let mut held = pod.clone();
    held["status"] = status.clone();
    master.put("pods", "default", "web", held);
    site.start_agent();
    ears.hear(|heard| matches!(heard, Heard::Hello(_)).then_some(())).await;
    let mut agent = reconnected(&pki).await;
    assert_eq!(exec(&mut agent, &["cat", "/config/file"]).await.1, "red");
    // A change makes it say what it has.
    let mut deleted = pod.clone();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    deleted["metadata"]["deletionGracePeriodSeconds"] = json!(5);
    master.put("pods", "default", "web", deleted);
    let last = ears.pod(|status| status["containerStatuses"][0]["state"]["terminated"].is_object()).await;
    assert_eq!(last["containerStatuses"][0]["containerID"], id);
    assert_eq!(last["containerStatuses"][0]["restartCount"], 0);
    ears.hear(|heard| matches!(heard, Heard::Gone(uid) if uid == "uid-web").then_some(())).await;
    assert!(!dir.join("node/pods/uid-web").exists());
}

async fn reconnected(pki: &TestPki) -> AgentClient<Channel> {
    let begun = Instant::now();
    while tokio::net::TcpStream::connect((NODE_IP, NODE_PORT)).await.is_err() {
        assert!(begun.elapsed() < LIMIT, "the agent does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client(pki).await
}

async fn service_answers() {
    use tokio::io::AsyncReadExt;
    let begun = Instant::now();
    loop {
        let mut text = String::new();
        let connect = tokio::net::TcpStream::connect("10.96.0.77:80");
        let connected = tokio::time::timeout(Duration::from_secs(2), connect).await;
        if let Ok(Ok(mut stream)) = connected
            && stream.read_to_string(&mut text).await.is_ok()
            && text == "pong\n"
        {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "the service does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
