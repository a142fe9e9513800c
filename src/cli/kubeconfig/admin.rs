//! The kubeconfig that comes with a new cluster.

use crate::kubeconfig::MASTERS_EXTENSION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raftsman_pki::Credentials;
use serde_json::{Value, json};

/// The admin's kubeconfig: a context named after the cluster, and one per master, of `masters` (name, URL). The cluster's own
/// server is the virtual one if there is one, else the first master.
pub fn admin_kubeconfig(
    cluster: &str,
    virtual_server: Option<&str>,
    masters: &[(String, String)],
    ca: &str,
    admin: &Credentials,
) -> Value {
    let ca = STANDARD.encode(ca);
    let user = format!("{cluster}-admin");
    let entry = |name: &str, server: &str| json!({"name": name, "cluster": {"server": server, "certificate-authority-data": ca}});
    let context =
        |name: &str| json!({"name": name, "context": {"cluster": name, "user": user, "namespace": "default"}});
    let urls: Vec<&str> = masters.iter().map(|(_, url)| url.as_str()).collect();

    let mut all = entry(cluster, virtual_server.or(urls.first().copied()).unwrap_or_default());
    all["cluster"]["extensions"] = json!([{"name": MASTERS_EXTENSION, "extension": {"servers": urls}}]);
    let (mut clusters, mut contexts) = (vec![all], vec![context(cluster)]);
    for (name, url) in masters {
        let name = format!("{cluster}-{name}");
        clusters.push(entry(&name, url));
        contexts.push(context(&name));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": clusters,
        "contexts": contexts,
        "users": [{"name": user, "user": {
            "client-certificate-data": STANDARD.encode(&admin.certificate),
            "client-key-data": STANDARD.encode(&admin.key),
        }}],
    })
}
