//! What was begun at one master goes on at another, also after all of them were killed: lists of a revision, their further
//! pages, watches.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::lab::Api;
use crate::steps::raw::{Watch, revision_of, write};
use anyhow::{Context, Error, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

const CONFIG_MAPS: &str = "/api/v1/namespaces/history/configmaps";

/// Lists, pages and a watch, each begun before all masters are killed.
pub fn goes_on(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.k("create namespace history")?;
    // A controller writes it in its own time, and a watch would see it.
    c.wait("the namespace's own ConfigMap", Duration::from_secs(30), || {
        c.k("-n history get configmap kube-root-ca.crt").map(|_| true)
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let api = Api::open(c).await?;
        for n in 0..9 {
            write(&api, Method::POST, CONFIG_MAPS, &map(&format!("a{n}"), "first")).await?;
        }
        let first = api.get(0, CONFIG_MAPS).await?;
        let revision = revision_of(&first);
        let page = api.get(0, &format!("{CONFIG_MAPS}?limit=4")).await?;
        let mut watch = Watch::begin(&api, 0, CONFIG_MAPS, revision).await?;
        // What the first pages' revision does not have.
        write(&api, Method::PATCH, &format!("{CONFIG_MAPS}/a1"), &json!({"data": {"k": "second"}})).await?;
        write(&api, Method::PATCH, &format!("{CONFIG_MAPS}/a7"), &json!({"data": {"k": "second"}})).await?;
        write(&api, Method::DELETE, &format!("{CONFIG_MAPS}/a5"), &Value::Null).await?;
        let before = watch.first(2).await?;
        drop(watch);

        for master in c.masters() {
            // It waits for the process to be gone.
            c.raftsman(&format!("host kill --process --name {} {master}", c.name))?.ok()?;
        }
        for master in c.masters() {
            c.host("start", master)?;
        }
        c.masters_ready(&c.masters())?;
        // The connections of before are dead.
        let api = Api::open(c).await?;
        write(&api, Method::POST, CONFIG_MAPS, &map("b0", "third")).await?;
        for at in [1, 2, 0] {
            let exact = format!("{CONFIG_MAPS}?resourceVersion={revision}&resourceVersionMatch=Exact");
            let exact = api.get(at, &exact).await?;
            ensure!(
                revision_of(&exact) == revision,
                "{} gives revision {} for {revision}",
                api.name(at),
                revision_of(&exact)
            );
            same(&exact["items"], &first["items"]).with_context(|| format!("the list at {}", api.name(at)))?;
            let paged = rest(&api, at, &page).await?;
            same(&paged, &first["items"]).with_context(|| format!("the pages at {}", api.name(at)))?;
        }
        // From the last that was seen, and from the beginning: each change once.
        let whole = Watch::begin(&api, 0, CONFIG_MAPS, revision).await?.take(4).await?;
        let seen: Vec<&str> = whole.iter().map(|(what, _)| what.as_str()).collect();
        ensure!(seen == ["MODIFIED a1", "MODIFIED a7", "DELETED a5", "ADDED b0"], "the whole watch saw {seen:?}");
        let last = before.last().map_or(0, |(_, revision)| *revision);
        for at in [1, 2] {
            let after = Watch::begin(&api, at, CONFIG_MAPS, last).await?.take(2).await?;
            let all: Vec<_> = before.iter().chain(&after).cloned().collect();
            ensure!(all == whole, "the watch that went on at {} saw {all:?}, not {whole:?}", api.name(at));
        }
        Ok::<(), Error>(())
    })?;
    c.k("delete namespace history --timeout=60s").map(drop)
}

/// All items, with the further pages of a list that was begun elsewhere.
async fn rest(api: &Api, at: usize, page: &Value) -> Result<Value> {
    let mut items = page["items"].as_array().cloned().unwrap_or_default();
    let mut token = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
    ensure!(!token.is_empty(), "the first page is the last");
    while !token.is_empty() {
        let next = api.get(at, &format!("{CONFIG_MAPS}?limit=4&continue={token}")).await?;
        ensure!(
            revision_of(&next) == revision_of(page),
            "a page is of revision {}, the first of {}",
            revision_of(&next),
            revision_of(page)
        );
        items.extend(next["items"].as_array().cloned().unwrap_or_default());
        token = next["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
    }
    Ok(items.into())
}

fn same(is: &Value, was: &Value) -> Result<()> {
    let names = |all: &Value| -> Vec<String> {
        let items = all.as_array().into_iter().flatten();
        items.map(|item| format!("{}@{}", item["metadata"]["name"], item["metadata"]["resourceVersion"])).collect()
    };
    ensure!(is == was, "it is {:?}, and was {:?}", names(is), names(was));
    Ok(())
}

fn map(name: &str, value: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"k": value}})
}
