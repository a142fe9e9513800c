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

fn flags(line: &str) -> Target {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        target: Target,
    }
    <Line as clap::Parser>::try_parse_from(std::iter::once("x").chain(line.split_whitespace())).unwrap().target
}

#[tokio::test]
async fn flags_go_over_what_the_file_says() {
    let authority = Authority::generate("local").unwrap();
    let admin = authority.issue_client("kubernetes-admin", &["system:masters"]).unwrap();
    let value = admin_kubeconfig("local", None, &masters(), authority.certificate(), &admin);
    let read = async |line: &str| {
        let kubeconfig: kube::config::Kubeconfig = serde_json::from_value(value.clone()).unwrap();
        Access::of(kubeconfig, &flags(line), "test").await
    };
    let access =
        read("--token t --as jane --as-group a --as-group b --as-uid 7 -v 6 --request-timeout 5s").await.unwrap();
    let user = &access.config.auth_info;
    assert!(user.token.is_some() && user.client_certificate_data.is_none(), "a certificate would win over the token");
    assert_eq!((user.impersonate.as_deref(), user.impersonate_uid.as_deref()), (Some("jane"), Some("7")));
    assert_eq!((access.limit, access.servers.len(), access.learns), (Some(std::time::Duration::from_secs(5)), 3, true));
    let access = read("--as jane --as-group a --as-group b --as-uid 7 --request-timeout 0").await.unwrap();
    let user = &access.config.auth_info;
    assert_eq!((user.impersonate.as_deref(), user.impersonate_uid.as_deref()), (Some("jane"), Some("7")));
    assert_eq!((user.impersonate_groups.as_ref().map(Vec::len), access.limit), (Some(2), None));
    let access = read("--server https://10.9.9.9:6443 --insecure-skip-tls-verify").await.unwrap();
    assert_eq!((access.servers.len(), access.servers[0].host(), access.learns), (1, Some("10.9.9.9"), false));
    assert!(access.config.accept_invalid_certs && access.config.root_cert.is_none());
    let access = read("--cluster local-m2 --user local-admin").await.unwrap();
    assert_eq!((access.servers.len(), access.servers[0].host()), (1, Some("10.89.0.12")));
    for (line, part) in [("--cluster x", "no cluster"), ("--user x", "no user")] {
        assert!(read(line).await.unwrap_err().to_string().contains(part), "{line}");
    }
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
