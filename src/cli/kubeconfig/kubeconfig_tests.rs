#![allow(clippy::unwrap_used)]

use super::*;
use raftsman_pki::{Authority, Credentials};

fn masters() -> Vec<(String, String)> {
    (1..=3).map(|n| (format!("m{n}"), format!("https://10.89.0.1{n}:6443"))).collect()
}

#[test]
fn the_file_is_as_documented() {
    let admin = Credentials { certificate: "CERT".to_owned(), key: "KEY".to_owned() };
    let text = serde_yaml::to_string(&admin_kubeconfig("local", None, &masters()[..1], "CA", &admin)).unwrap();
    let golden = "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    extensions:
    - extension:
        servers:
        - https://10.89.0.11:6443
      name: raftsman.io/masters
    server: https://10.89.0.11:6443
  name: local
- cluster:
    certificate-authority-data: Q0E=
    server: https://10.89.0.11:6443
  name: local-m1
contexts:
- context:
    cluster: local
    namespace: default
    user: local-admin
  name: local
- context:
    cluster: local-m1
    namespace: default
    user: local-admin
  name: local-m1
current-context: local
kind: Config
users:
- name: local-admin
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
";
    assert_eq!(text, golden);
}

#[tokio::test]
async fn the_clusters_context_knows_all_masters_and_a_masters_only_itself() {
    let authority = Authority::generate("local").unwrap();
    let admin = authority.issue_client("kubernetes-admin", &["system:masters"]).unwrap();
    let value = admin_kubeconfig("local", Some("https://10.89.0.10:6443"), &masters(), authority.certificate(), &admin);
    let read = |context: Option<&str>| {
        let kubeconfig: kube::config::Kubeconfig = serde_json::from_value(value.clone()).unwrap();
        let target = Target { context: context.map(str::to_owned), ..Target::default() };
        async move { Access::of(kubeconfig, &target, "test").await }
    };
    let all = read(None).await.unwrap();
    let hosts: Vec<&str> = all.servers.iter().map(|url| url.host().unwrap()).collect();
    assert_eq!(hosts, ["10.89.0.11", "10.89.0.12", "10.89.0.13", "10.89.0.10"]);
    assert_eq!(all.config.cluster_url.host(), Some("10.89.0.10"), "kubectl goes by the virtual address");
    assert_eq!(all.namespace, "default");
    assert_eq!(read(Some("local-m2")).await.unwrap().servers.len(), 1);
    let error = read(Some("nope")).await.unwrap_err().to_string();
    assert!(error.contains("\"nope\"") && error.contains("local-m3"), "{error}");
}
