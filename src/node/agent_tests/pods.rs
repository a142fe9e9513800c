//! What becomes of one pod.

use super::{Bench, LIMIT, deleting, node, pod};
use crate::testing::Heard;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

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
async fn ready_is_lost_when_a_listener_falls_silent() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let listen = async || tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (plain, web) = (listen().await, listen().await);
    let port = |listener: &tokio::net::TcpListener| listener.local_addr().unwrap().port();
    let probe = |handler: Value| {
        let mut probe = json!({"periodSeconds": 1, "failureThreshold": 1});
        probe.as_object_mut().unwrap().extend(handler.as_object().unwrap().clone());
        json!({ "readinessProbe": probe })
    };
    let tcp = probe(json!({"tcpSocket": {"host": "127.0.0.1", "port": port(&plain)}}));
    let http = probe(json!({"httpGet": {"host": "127.0.0.1", "port": port(&web), "path": "/ready"}}));
    let well = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let answer = Arc::clone(&well);
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = web.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let status = if answer.load(std::sync::atomic::Ordering::SeqCst) { "200 OK" } else { "503 Not Now" };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
        }
    });
    let agent = bench.agent(&[&master]);
    master.put("pods", "default", "tcp", pod("tcp", tcp));
    master.put("pods", "default", "http", pod("http", http));
    let mut waits = std::collections::BTreeSet::from(["tcp", "http"]);
    let is = |heard: &Heard, uid: &str, ready: &str| match heard {
        Heard::Pod(of, status) if of == uid => status["conditions"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == ready)),
        _ => false,
    };
    bench
        .hear(|heard| {
            waits.retain(|uid| !is(heard, uid, "True"));
            waits.is_empty().then_some(())
        })
        .await;
    drop(plain);
    well.store(false, std::sync::atomic::Ordering::SeqCst);
    let (mut waits, mut words) = (std::collections::BTreeSet::from(["tcp", "http"]), Vec::new());
    bench
        .hear(|heard| {
            waits.retain(|uid| !is(heard, uid, "False"));
            if let Heard::Event(reason, message) = heard
                && reason == "Unhealthy"
            {
                words.push(message.clone());
            }
            (waits.is_empty() && words.len() >= 2).then_some(())
        })
        .await;
    words.sort();
    let said = words.join("\n");
    assert!(said.contains("Readiness probe failed: HTTP probe failed with statuscode: 503"), "{said}");
    assert!(said.contains("Readiness probe failed: dial tcp 127.0.0.1:"), "{said}");
    // What is not ready runs on.
    assert_eq!(bench.pods.runs(), 2);
    well.store(true, std::sync::atomic::Ordering::SeqCst);
    bench.hear(|heard| is(heard, "http", "True").then_some(())).await;
    agent.stop().await;
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_outgrows_its_limit_evicts_its_pod() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let mut wanted = pod("p1", json!({"volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}));
    wanted["spec"]["volumes"] = json!([{"name": "scratch", "emptyDir": {"sizeLimit": "16Ki"}}]);
    let dir = raftsman_runtime::border::Pods::pod_dir(&*bench.pods, "p1").join("volumes/scratch");
    std::fs::create_dir_all(&dir).unwrap();
    let agent = bench.agent(&[&master]);
    master.put("pods", "default", "p1", wanted);
    // Only then: a pod that is evicted before its container began has none that ends.
    bench.phase("p1", "Running").await;
    std::fs::write(dir.join("file"), vec![1; 64 << 10]).unwrap();
    let text = "Usage of EmptyDir volume \"scratch\" exceeds the limit \"16Ki\". ";
    // Which of the two comes first is nobody's promise.
    let (mut told, mut failed) = (None, None);
    let said = bench.hear(|heard| {
        match heard {
            Heard::Event(reason, message) if reason == "Evicted" => told = Some(message.clone()),
            Heard::Pod(uid, status) if uid == "p1" && status["phase"] == "Failed" => failed = Some(status.clone()),
            _ => {}
        }
        told.clone().zip(failed.clone())
    });
    let (said, status) = said.await;
    assert_eq!(said, text);
    assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(text)));
    let ended = |heard: &Heard| match heard {
        Heard::Pod(_, status) => status["containerStatuses"][0]["state"]["terminated"].is_object().then_some(()),
        _ => None,
    };
    if !status["containerStatuses"][0]["state"]["terminated"].is_object() {
        bench.hear(ended).await;
    }
    assert_eq!(bench.pods.runs(), 1, "it does not run again");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_ports_lead_to_a_pod_as_long_as_it_runs() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let wanted = |uid: &str| {
        let ports = json!([{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 81, "hostIP": "127.0.0.1"}]);
        let mut wanted = pod(uid, json!({ "ports": ports }));
        wanted["spec"]["restartPolicy"] = json!("Never");
        wanted
    };
    let ports = |network: &crate::testing::FakeNetwork| -> Vec<(String, u16)> {
        network.host_ports.lock().iter().map(|port| (port.uid.clone(), port.port)).collect()
    };
    let until = async |network: &crate::testing::FakeNetwork, expected: &[(&str, u16)]| {
        let expected: Vec<(String, u16)> = expected.iter().map(|(uid, port)| ((*uid).to_owned(), *port)).collect();
        let so = async {
            while ports(network) != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, so).await.unwrap_or_else(|_| panic!("{:?} and not {expected:?}", ports(network)));
    };
    let agent = bench.agent(&[&master]);
    master.put("pods", "default", "p1", wanted("p1"));
    bench.phase("p1", "Running").await;
    until(&bench.network, &[("p1", 8080), ("p1", 81)]).await;
    assert_eq!(bench.network.host_ports.lock()[0].to, "10.244.1.2:80".parse().unwrap());
    agent.stop().await;
    // A new agent hands them over before the services, from what is known without masters.
    bench.network.host_ports.lock().clear();
    let agent = bench.agent(&[&master]);
    until(&bench.network, &[("p1", 8080), ("p1", 81)]).await;
    bench.pods.exit("p1", "c", 0);
    until(&bench.network, &[]).await;
    master.put("pods", "default", "p2", wanted("p2"));
    until(&bench.network, &[("p2", 8080), ("p2", 81)]).await;
    master.put("pods", "default", "p2", deleting(wanted("p2")));
    until(&bench.network, &[]).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_asked_for_until_the_end() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let agent = bench.agent(&[&master]);
    let probe = json!({"readinessProbe": {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 1}});
    let wanted = pod("p1", probe);
    master.put("pods", "default", "p1", wanted.clone());
    let ready = |heard: &Heard, ready: bool| match heard {
        Heard::Pod(_, status) => (status["containerStatuses"][0]["ready"] == ready
            && status["containerStatuses"][0]["state"]["running"].is_object())
        .then_some(()),
        _ => None,
    };
    bench.hear(|heard| ready(heard, true)).await;
    let pods = Arc::clone(&bench.pods);
    let stubborn = pods.stubborn.lock().await;
    master.put("pods", "default", "p1", deleting(wanted));
    bench.hear(|heard| matches!(heard, Heard::Event(reason, _) if reason == "Killing").then_some(())).await;
    *pods.exec_code.lock() = 1;
    bench.hear(|heard| ready(heard, false)).await;
    drop(stubborn);
    bench.hear(|heard| matches!(heard, Heard::Gone(_)).then_some(())).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_pod_gives_its_address_back_and_keeps_its_status() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let agent = bench.agent(&[&master]);
    let mut wanted = pod("p1", json!({}));
    wanted["spec"]["restartPolicy"] = json!("Never");
    master.put("pods", "default", "p1", wanted.clone());
    bench.phase("p1", "Running").await;
    bench.pods.exit("p1", "c", 0);
    let status = bench.phase("p1", "Succeeded").await;
    wanted["status"] = status;
    master.put("pods", "default", "p1", wanted);
    let rooted = |status: &Value| {
        let all = status["conditions"].as_array().unwrap();
        all.iter().any(|one| one["type"] == "PodReadyToStartContainers" && one["status"] == "True")
    };
    let last = bench.hear(|heard| match heard {
        Heard::Pod(_, status) if !rooted(status) => Some(status.clone()),
        _ => None,
    });
    let last = last.await;
    assert_eq!((&last["podIP"], &last["phase"]), (&json!("10.244.1.2"), &json!("Succeeded")));
    assert_eq!(last["containerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
    assert!(bench.network.attached.lock().is_empty());
    assert!(bench.pods.pods.lock()["p1"].released);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_image_is_looked_for_at_once_and_replaces_what_runs() {
    let mut bench = Bench::new();
    let master = bench.master().await;
    node(&master);
    let agent = bench.agent(&[&master]);
    let put = |image: &str| {
        let mut wanted = pod("p1", json!({ "image": image }));
        wanted["spec"]["restartPolicy"] = json!("Never");
        master.put("pods", "default", "p1", wanted);
    };
    put("absent:1");
    bench.hear(|heard| matches!(heard, Heard::Event(reason, _) if reason == "BackOff").then_some(())).await;
    // No back-off of the other one's.
    put("app:1");
    bench.phase("p1", "Running").await;
    put("app:2");
    let image = |status: &Value| status["containerStatuses"][0]["image"] == "app:2";
    let again = bench.hear(|heard| match heard {
        Heard::Pod(_, status) if image(status) && status["containerStatuses"][0]["restartCount"] == 1 => {
            Some(status.clone())
        }
        _ => None,
    });
    let again = again.await;
    assert!(again["containerStatuses"][0]["state"]["running"].is_object() && again["phase"] == "Running", "{again}");
    let images: Vec<String> = bench.pods.specs.lock().iter().map(|spec| spec.image.clone()).collect();
    assert_eq!(images, ["app:1", "app:2"]);
    agent.stop().await;
}
