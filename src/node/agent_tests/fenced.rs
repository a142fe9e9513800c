//! Pods that run by a leader's word.

use super::{Bench, LIMIT, node, pod};
use crate::testing::Heard;
use serde_json::json;
use std::time::Duration;

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
