//! The Service `kubernetes` leads to the masters that live: the leader asks each for `/readyz`.

use crate::duties::ApiExecutor;
use crate::duties::ready::{Look, ReadyClient};
use futures::future::join_all;
use raftsman_api::config::HostConfig;
use raftsman_controllers::{Action, Executor};
use raftsman_state::{Key, Resource, View};
use raftsman_store::border::{Members, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Between two looks at the masters.
const EVERY: Duration = Duration::from_millis(500);
/// A master that has not answered within this is silent.
const WITHIN: Duration = Duration::from_secs(1);
/// Refusals in a row until a master is taken out: it has ended, or says itself that it does not serve.
const REFUSALS: u32 = 2;
/// Looks in a row without success, of which the last was silent, until a master is taken out. With [`WITHIN`] that is as long as
/// a master without a quorum calls itself ready: processors that are busy for a moment take nobody out.
const SILENCES: u32 = 3;
const CONTROLLER: &str = "kubernetes-endpoints";
const NAMESPACE: &str = "default";
const NAME: &str = "kubernetes";

/// Looks at the masters and keeps Endpoints and EndpointSlice `default/kubernetes`.
pub struct Masters {
    members: watch::Receiver<Arc<Members>>,
    port: u16,
    client: ReadyClient,
}

impl Masters {
    /// The masters of a cluster.
    pub fn new(config: &HostConfig, members: watch::Receiver<Arc<Members>>, client: ReadyClient) -> Self {
        Self { members, port: config.ports.api, client }
    }

    /// Runs until the leadership is over.
    pub async fn run(self, store: Arc<dyn Store>, executor: Arc<ApiExecutor>, over: CancellationToken) {
        // A new leader begins with everybody alive: a master is taken out for what this leader saw.
        let mut seen: BTreeMap<IpAddr, Seen> = BTreeMap::new();
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = over.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let client = &self.client;
            // As the membership has them now: a new one is looked at at once, a removed one goes.
            let masters = addresses(&self.members.borrow());
            seen.retain(|ip, _| masters.contains(ip));
            let looks = masters
                .iter()
                .map(|&ip| async move { (ip, client.ready(SocketAddr::new(ip, self.port), WITHIN).await) });
            for (ip, look) in join_all(looks).await {
                seen.entry(ip).or_default().after(look);
            }
            let mut alive: Vec<IpAddr> =
                masters.iter().copied().filter(|ip| seen.get(ip).is_none_or(|seen| seen.is_alive())).collect();
            alive.sort_unstable();
            for action in plan(&store.view(), &alive, self.port) {
                if let Err(error) = executor.execute(CONTROLLER, &action).await {
                    tracing::debug!(%error, %action, "the endpoints of the masters were not written");
                }
            }
        }
    }
}

/// What this leader saw of a master of late.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    missed: u32,
    silent: bool,
}

impl Seen {
    fn after(&mut self, look: Look) {
        self.missed = if look == Look::Ready { 0 } else { self.missed.saturating_add(1) };
        self.silent = look == Look::Silent;
    }

    fn is_alive(&self) -> bool {
        self.missed < if self.silent { SILENCES } else { REFUSALS }
    }
}

/// The masters' addresses.
fn addresses(members: &Members) -> Vec<IpAddr> {
    let peers = members.all.iter().filter_map(|member| member.address.parse::<SocketAddr>().ok());
    peers.map(|peer| peer.ip()).collect()
}

/// What brings Endpoints and EndpointSlice to these masters.
fn plan(view: &View, alive: &[IpAddr], port: u16) -> Vec<Action> {
    let addresses: Vec<Value> = alive.iter().map(|ip| json!({ "ip": ip.to_string() })).collect();
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {
            "name": NAME, "namespace": NAMESPACE,
            "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" },
        },
        "subsets": [{ "addresses": addresses, "ports": [{ "name": "https", "port": port, "protocol": "TCP" }] }],
    });
    let family = if alive.first().is_some_and(IpAddr::is_ipv6) { "IPv6" } else { "IPv4" };
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": NAME, "namespace": NAMESPACE, "labels": { "kubernetes.io/service-name": NAME } },
        "addressType": family,
        "endpoints": alive
            .iter()
            .map(|ip| json!({ "addresses": [ip.to_string()], "conditions": { "ready": true } }))
            .collect::<Vec<Value>>(),
        "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
    });
    if alive.is_empty() {
        return Vec::new(); // Nobody answers this master: it is the one that is cut off.
    }
    [("endpoints", endpoints, "subsets"), ("discovery.k8s.io/endpointslices", slice, "endpoints")]
        .into_iter()
        .filter_map(|(resource, wanted, content)| keep(view, resource, wanted, content))
        .collect()
}

fn keep(view: &View, resource: &str, wanted: Value, content: &str) -> Option<Action> {
    let key = Key::new(&Resource::from(resource), NAMESPACE, NAME);
    let Some(object) = view.get(&key) else { return Some(Action::Create { key, object: wanted }) };
    let current: Value = serde_json::from_slice(&object.json).ok()?;
    if current[content] == wanted[content] {
        return None;
    }
    Some(Action::Update { key, revision: object.revision, object: wanted, part: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(looks: &[Look]) -> Vec<bool> {
        let mut seen = Seen::default();
        let after = |look: &Look| {
            seen.after(*look);
            seen.is_alive()
        };
        looks.iter().map(after).collect()
    }

    #[test]
    fn who_refuses_goes_soon_and_who_is_silent_is_given_longer() {
        use Look::{No, Ready, Silent};
        assert_eq!(alive(&[No, No, No, Ready]), [true, false, false, true]);
        assert_eq!(alive(&[Silent, Silent, Ready, Silent, Silent, Silent]), [true, true, true, true, true, false]);
        assert_eq!(alive(&[Silent, No]), [true, false]);
        assert_eq!(alive(&[Silent, Silent, Silent, Silent, Ready]), [true, true, false, false, true]);
    }
}
