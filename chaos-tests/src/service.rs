//! Full service: what must work again once everything was healed, and after how long it did.

use crate::lab::{Answer, Lab};
use crate::record::{Service, Stream};
use crate::workloads::{Context, NAMESPACE, asker_said, page, vip};
use anyhow::{Result, bail, ensure};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than what is promised, so that a late one is told from one that never comes.
const PATIENCE: Duration = Duration::from_secs(75);

/// Nodes' own service.
const NODE_PORT: u16 = 6445;

/// One thing that must work.
enum Thing {
    Ready(usize),
    Write(usize),
    Vip,
    Nodes,
    Available(&'static str, &'static str, &'static str, u64),
    Web(&'static str),
    /// A pod on a node asks.
    Asks(&'static str, Stream),
    Job,
    Cli,
}

impl Thing {
    fn words(&self, c: &Context) -> String {
        match self {
            Self::Ready(at) => format!("{} is ready", c.api.name(*at)),
            Self::Write(at) => format!("a write through {}", c.api.name(*at)),
            Self::Vip => "a write through the virtual address".to_owned(),
            Self::Nodes => "all nodes are ready".to_owned(),
            Self::Available(kind, name, ..) => format!("{kind} {name} is whole"),
            Self::Web(node) => format!("the web answers through {node}"),
            Self::Asks(node, stream) => format!("{} from a pod on {node}", stream.name()),
            Self::Job => "a job runs to its end".to_owned(),
            Self::Cli => "raftsman get pods".to_owned(),
        }
    }

    async fn works(&self, c: &Context, healed: Duration) -> Result<()> {
        match self {
            Self::Ready(at) => c.api.get(*at, "/readyz").await.map(drop),
            Self::Write(at) => {
                let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/service");
                let body = json!({"data": {"n": c.now().as_millis().to_string()}});
                match c.api.ask(*at, Method::PATCH, &path, Some(&body)).await {
                    Answer::Said(200, _) => Ok(()),
                    other => bail!("{}", other.words()),
                }
            }
            Self::Vip => vip::works(c).await,
            Self::Nodes => {
                let list = c.any("/api/v1/nodes").await?;
                let nodes: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
                ensure!(nodes.len() >= c.cluster.nodes().len(), "there are {} nodes", nodes.len());
                for node in nodes {
                    ensure!(is_ready(node), "node {} is not ready", node["metadata"]["name"]);
                    ensure!(
                        node["spec"]["taints"].as_array().is_none_or(Vec::is_empty),
                        "{} is tainted",
                        node["metadata"]["name"]
                    );
                }
                Ok(())
            }
            Self::Available(kind, name, field, count) => {
                let object = c.any(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/{kind}s/{name}")).await?;
                let is = object["status"][field].as_u64().unwrap_or(0);
                ensure!(is == *count, "{field} is {is}, not {count}");
                Ok(())
            }
            Self::Web(node) => page(&c.web(node)?).await,
            Self::Asks(node, stream) => asked(c, node, *stream, healed),
            Self::Job => {
                let all = format!("/apis/batch/v1/namespaces/{NAMESPACE}/jobs");
                match c.any(&format!("{all}/service")).await {
                    Ok(job) => {
                        let done = job["status"]["succeeded"].as_u64().unwrap_or(0);
                        ensure!(done == 1, "{done} of 1 run succeeded");
                        Ok(())
                    }
                    Err(missing) => {
                        for at in 0..c.api.names().len() {
                            if let Answer::Said(201, _) = c.api.ask(at, Method::POST, &all, Some(&job())).await {
                                break;
                            }
                        }
                        Err(missing)
                    }
                }
            }
            Self::Cli => c.cli(&format!("get pods -n {NAMESPACE}")).await.map(drop),
        }
    }
}

fn job() -> Value {
    let container = json!({"name": "c", "image": crate::steps::BUSYBOX, "command": ["true"]});
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "service", "namespace": NAMESPACE},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    })
}

/// What a pod on this node wrote down of its requests since then.
fn asked(c: &Context, node: &str, stream: Stream, healed: Duration) -> Result<()> {
    let requests = asker_said(&c.diary, node, c.uptime());
    let later = requests.iter().filter(|request| request.stream == stream && request.at >= healed);
    let mut last = "it has not asked yet".to_owned();
    for request in later {
        match &request.error {
            None => return Ok(()),
            Some(error) => last.clone_from(error),
        }
    }
    bail!("{last}")
}

/// This host's own process does its work: a master says that it is ready, a node's agent serves, and its node is Ready.
pub(crate) async fn at_work(lab: &Lab, c: &Context, host: &str) -> bool {
    const PATIENCE: Duration = Duration::from_secs(2);
    let master = c.api.names().iter().position(|name| name == host);
    let works = async {
        if let Some(at) = master {
            return c.api.get(at, "/readyz").await.is_ok();
        }
        let Ok(address) = lab.cluster.address(host) else {
            // It is not one of those that stay.
            return true;
        };
        let serves = tokio::net::TcpStream::connect(format!("{address}:{NODE_PORT}")).await.is_ok();
        serves && c.any(&format!("/api/v1/nodes/{host}")).await.is_ok_and(|node| is_ready(&node))
    };
    tokio::time::timeout(PATIENCE, works).await.unwrap_or(false)
}

fn is_ready(node: &Value) -> bool {
    let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// All that a user of the cluster has.
fn things(c: &Context) -> Vec<Thing> {
    let masters = 0..c.api.names().len();
    let mut things: Vec<Thing> = masters.clone().map(Thing::Ready).chain(masters.map(Thing::Write)).collect();
    things.extend([Thing::Vip, Thing::Nodes]);
    things.push(Thing::Available("deployment", "web", "availableReplicas", 3));
    things.push(Thing::Available("statefulset", "member", "readyReplicas", 3));
    things.push(Thing::Available("statefulset", "owner", "readyReplicas", 2));
    things.extend([Thing::Job, Thing::Cli]);
    for node in c.cluster.nodes() {
        things.extend([Thing::Web(node), Thing::Asks(node, Stream::ClusterIp), Thing::Asks(node, Stream::Dns)]);
    }
    things
}

/// Asks for all of it, each until it works; `healed` is when the last fault was.
pub async fn full(c: &Context, healed: Duration) {
    let wait = |thing: Thing| async move {
        loop {
            let last = match thing.works(c, healed).await {
                Ok(()) => {
                    let after = Some(c.now().saturating_sub(healed));
                    return Service { what: thing.words(c), after, last: String::new() };
                }
                Err(error) => format!("{error:#}"),
            };
            if c.now() > healed + PATIENCE {
                return Service { what: thing.words(c), after: None, last };
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let all = futures::future::join_all(things(c).into_iter().map(wait)).await;
    c.record.lock().service.extend(all);
}
