//! History has a floor: what asks for older than that gets 410, at every master, and learns how to go on.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::lab::{Answer, Api};
use crate::steps::raw::{Watch, revision_of, write};
use anyhow::{Context, Result, bail, ensure};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

const CONFIG_MAPS: &str = "/api/v1/namespaces/expired/configmaps";
const EVENTS: &str = "/api/v1/namespaces/expired/events";
/// More than the history of Events holds in bytes (8 MiB and a tenth), in pieces of this size.
const FLOOD: usize = 40;
const PIECE: usize = 240_000;

/// Lists, pages and watches of a revision below the floor; other kinds keep their history.
pub fn below_the_floor(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.k("create namespace expired")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let api = Api::open(c).await?;
        write(&api, Method::POST, CONFIG_MAPS, &json!({"metadata": {"name": "kept"}})).await?;
        let kept = revision_of(&api.get(0, CONFIG_MAPS).await?);
        pushed_out(&api, kept).await
    })?;
    c.k("delete namespace expired --timeout=60s").map(drop)
}

/// Events push out older Events.
async fn pushed_out(api: &Api, kept: u64) -> Result<()> {
    for n in 0..2 {
        write(api, Method::POST, EVENTS, &event(&format!("early-{n}"), 1)).await?;
    }
    let page = api.get(0, &format!("{EVENTS}?limit=1")).await?;
    let old = revision_of(&page);
    for n in 0..FLOOD {
        write(api, Method::POST, EVENTS, &event(&format!("late-{n}"), PIECE)).await?;
    }
    let exact = format!("{EVENTS}?resourceVersion={old}&resourceVersionMatch=Exact&limit=1");
    let token = page["metadata"]["continue"].as_str().context("no token for a second page")?;
    for at in [0, 1, 2] {
        let name = api.name(at);
        let list = gone(api, at, &exact).await?;
        ensure!(list["message"].as_str().is_some_and(|text| text.contains("too old")), "{name} says {list}");
        let page = gone(api, at, &format!("{EVENTS}?limit=1&continue={token}")).await?;
        // As upstream: a token with which the list goes on, of what is there now.
        let fresh = page["metadata"]["continue"].as_str().context("410 without a token to go on with")?;
        let rest = api.get(at, &format!("{EVENTS}?limit=500&continue={fresh}")).await?;
        ensure!(rest["items"].as_array().is_some_and(|items| items.len() == FLOOD + 1), "the rest at {name} is short");
        let mut watch = Watch::begin(api, at, EVENTS, old).await?;
        let (code, reason) = watch.error().await?;
        ensure!((code, reason.as_str()) == (410, "Expired"), "a watch at {name} got {code} {reason}");
        let exact = format!("{CONFIG_MAPS}?resourceVersion={kept}&resourceVersionMatch=Exact");
        api.get(at, &exact).await.context("Events pushed out something else")?;
    }
    Ok(())
}

/// 410 with the reason `Expired`, as soon as the leader has compacted and the master knows of it.
async fn gone(api: &Api, at: usize, path: &str) -> Result<Value> {
    let mut last = String::new();
    for _ in 0..100 {
        match api.ask(at, Method::GET, path, None).await {
            Answer::Said(410, status) => {
                let right = status["kind"] == "Status" && status["reason"] == "Expired" && status["code"] == 410;
                ensure!(right, "{}: {status}", api.name(at));
                return Ok(status);
            }
            other => last = other.words(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{path} at {} is not gone; last: {last:.200}", api.name(at))
}

fn event(name: &str, size: usize) -> Value {
    json!({
        "metadata": {"name": name, "annotations": {"filler": "x".repeat(size)}},
        "involvedObject": {"kind": "ConfigMap", "namespace": "expired", "name": "kept"},
        "reason": "Flood", "type": "Normal", "message": name,
    })
}
