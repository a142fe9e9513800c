//! Masters that the kubeconfig does not know: a cluster's members change, and a file on somebody's machine does not.
//!
//! They come from the EndpointSlice of the Service `kubernetes`, not from `/raftsman/v1/members`: it has the addresses of the
//! API itself, holds the masters that live, costs the server one read, and does not ask for an administrator's rights.

use crate::connect::cluster::Cluster;
use crate::connect::error::Failure;
use crate::connect::masters::Masters;
use http::Uri;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

const ENDPOINTS: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
/// What is done sooner than this needs no other master.
const SOON: Duration = Duration::from_millis(500);
/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);

impl Masters {
    /// Asks the master that answered who else there is, beside whatever goes on; not more often than it may change.
    pub(super) fn learn(self: &Arc<Self>, at: usize) {
        if !self.learns() {
            return;
        }
        let mut last = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        *last = Some(Instant::now());
        let masters = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(SOON).await;
            match masters.ask(at, ENDPOINTS).await {
                Ok((200, body)) => {
                    let slice = serde_json::from_slice(&body).unwrap_or_default();
                    for server in servers(&slice) {
                        masters.add(server);
                    }
                }
                // Who may not read it, or has no such cluster, goes on with what the kubeconfig has.
                Ok((code, _)) => tracing::debug!(code, "the masters are not told"),
                Err(reason) => {
                    tracing::debug!(%reason, "the masters could not be asked for");
                    masters.look_again();
                }
            }
        });
    }
}

impl Cluster {
    /// Asks now who the masters are, also where the context is of one of them: the places of their own addresses.
    ///
    /// # Errors
    /// Nobody tells.
    pub async fn meet(&self) -> Result<Vec<usize>, Failure> {
        let slice = self.read(ENDPOINTS).await?;
        Ok(servers(&slice).into_iter().filter_map(|server| self.masters().add(server)).collect())
    }
}

/// The API's URLs in an EndpointSlice.
fn servers(slice: &Value) -> Vec<Uri> {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let ports = items(&slice["ports"]);
    let port = ports.iter().find(|port| port["name"] == "https").or(ports.first());
    let Some(port) = port.and_then(|port| u16::try_from(port["port"].as_u64()?).ok()) else {
        return Vec::new();
    };
    let addresses = items(&slice["endpoints"]).into_iter().flat_map(|endpoint| items(&endpoint["addresses"]));
    let ips = addresses.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
    ips.filter_map(|ip| format!("https://{}/", SocketAddr::new(ip, port)).parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connect::fake::{Answer, Fake};
    use serde_json::json;

    #[test]
    fn a_slice_has_the_urls_of_the_api() {
        let slice = json!({
            "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2", "fd00::1", "odd"]}],
            "ports": [{"name": "other", "port": 1}, {"name": "https", "port": 6443}],
        });
        let found: Vec<String> = servers(&slice).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["https://10.0.0.1:6443/", "https://10.0.0.2:6443/", "https://[fd00::1]:6443/"]);
        assert!(servers(&json!({})).is_empty() && servers(&Value::Null).is_empty());
    }

    fn slice(of: SocketAddr) -> String {
        let endpoints = json!([{"addresses": [of.ip().to_string()]}]);
        json!({"endpoints": endpoints, "ports": [{"name": "https", "port": of.port()}]}).to_string()
    }

    #[tokio::test]
    async fn a_stale_kubeconfig_serves_while_one_of_its_masters_answers() {
        let fake = Fake::new();
        let unknown = fake.server(|_| Answer::Json(200, json!({"from": "new"}).to_string())).await;
        let text = slice(unknown.address);
        let known = fake
            .server(move |line| {
                let from = json!({"from": "old"}).to_string();
                Answer::Json(200, if line.contains(ENDPOINTS) { text.clone() } else { from })
            })
            .await;
        let cluster = fake.cluster(&[known.address]).await;
        assert_eq!(cluster.read("/version").await.unwrap()["from"], "old");
        let learnt = async {
            while cluster.masters().known() < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), learnt).await.unwrap();
        assert_eq!(cluster.masters().servers().count(), 1, "these are the kubeconfig's");
        drop(known);
        assert_eq!(cluster.read("/version").await.unwrap()["from"], "new");
    }

    #[tokio::test]
    async fn who_asks_now_gets_to_know_them_whatever_the_context() {
        let fake = Fake::new();
        let other = fake.server(|_| Answer::Nothing).await.address;
        let server = fake.server(move |_| Answer::Json(200, slice(other))).await;
        let target =
            crate::kubeconfig::Target { context: Some("fake-m0".to_owned()), ..fake.target(&[server.address]) };
        let cluster = Cluster::open(&target).await.unwrap();
        assert_eq!((cluster.meet().await.unwrap(), cluster.meet().await.unwrap()), (vec![1], vec![1]));
        assert_eq!(cluster.masters().name(1), format!("https://{other}"));
    }

    #[tokio::test]
    async fn a_master_of_its_own_context_stays_alone() {
        let fake = Fake::new();
        let address = {
            let asked = fake.server(|_| Answer::Nothing).await;
            asked.address
        };
        let server = fake.server(move |_| Answer::Json(200, slice(address))).await;
        let target =
            crate::kubeconfig::Target { context: Some("fake-m0".to_owned()), ..fake.target(&[server.address]) };
        let cluster = crate::connect::Cluster::open(&target).await.unwrap();
        cluster.read("/version").await.unwrap();
        tokio::time::sleep(SOON * 2).await;
        assert_eq!((cluster.masters().known(), server.asked.lock().unwrap().len()), (1, 1));
    }
}
