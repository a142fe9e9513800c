#![allow(clippy::unwrap_used)]

use super::*;

fn catalog() -> Catalog {
    let one = |group: &str, plural: &str, singular: &str, short: &str, kind: &str| Resource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        plural: plural.to_owned(),
        singular: singular.to_owned(),
        short: vec![short.to_owned()],
        kind: kind.to_owned(),
        namespaced: true,
        categories: if kind == "Event" { vec![] } else { vec!["all".to_owned()] },
        ..Resource::default()
    };
    Catalog {
        resources: vec![
            one("", "pods", "pod", "po", "Pod"),
            one("", "events", "event", "ev", "Event"),
            one("apps", "deployments", "deployment", "deploy", "Deployment"),
            one("events.k8s.io", "events", "event", "ev", "Event"),
        ],
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn parsed(line: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    parse_arguments(&catalog(), &words(line))
        .map(|all| all.into_iter().map(|named| (named.resource.kind, named.names)).collect())
        .map_err(|error| error.to_string())
}

#[test]
fn types_and_names_in_all_their_forms() {
    let one = |kind: &str, names: &str| (kind.to_owned(), words(names));
    assert_eq!(parsed("po"), Ok(vec![one("Pod", "")]));
    assert_eq!(parsed("Deployment.apps a b"), Ok(vec![one("Deployment", "a b")]));
    assert_eq!(parsed("deployments.v1.apps"), Ok(vec![one("Deployment", "")]));
    assert_eq!(parsed("po/a po/b deploy/c"), Ok(vec![one("Pod", "a b"), one("Deployment", "c")]));
    assert_eq!(parsed("all"), Ok(vec![one("Pod", ""), one("Deployment", "")]));
    assert!(parsed("").unwrap_err().contains("say which type"));
    assert!(parsed("pod/a b").unwrap_err().contains("TYPE/NAME"));
    assert!(parsed("po,deploy a").unwrap_err().contains("one type"));
    assert!(parsed("deploymnets").unwrap_err().contains("did you mean deployments?"));
}

#[test]
fn a_group_chooses_among_types_of_one_name() {
    assert_eq!(catalog().find("ev").unwrap().group, "");
    assert_eq!(catalog().find("events.events.k8s.io").unwrap().group, "events.k8s.io");
    let error = catalog().of_kind("v1", "Deployment").unwrap_err().to_string();
    assert!(error.contains("apiVersion") && error.contains("apps/v1"), "{error}");
}

#[test]
fn paths_and_queries_are_escaped() {
    let pod = &catalog().resources[0];
    assert_eq!(pod.object("default", "a b"), "/api/v1/namespaces/default/pods/a%20b");
    assert_eq!(pod.collection(None), "/api/v1/pods");
    let pairs = [("labelSelector", Some("a in (b,c)".to_owned())), ("watch", None)];
    assert_eq!(query(&pairs), "?labelSelector=a%20in%20%28b%2Cc%29");
}
