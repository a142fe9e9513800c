//! Masters that come and go, and agents that do.

use super::{Bench, LIMIT, node, pod};
use crate::testing::Heard;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

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
