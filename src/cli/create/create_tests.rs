#![allow(clippy::unwrap_used)]

use super::command::{CreateOptions, run};
use super::generator::Generator;
use crate::connect::fake::{Answer, Fake, catalog};
use clap::Parser;
use serde_json::{Value, json};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: CreateOptions,
}

#[derive(Debug, Parser)]
struct Made {
    #[command(subcommand)]
    generator: Generator,
}

fn made(line: &str) -> anyhow::Result<Value> {
    Made::try_parse_from(std::iter::once("create").chain(line.split_whitespace()))?.generator.object()
}

#[test]
fn a_deployment_is_as_kubectl_makes_it() {
    let wanted = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{
                "name": "nginx", "image": "reg.io:5000/lib/nginx:1.2", "ports": [{"containerPort": 80}],
                "command": ["sleep", "9"],
            }]}},
        },
    });
    let line = "deployment web --image=reg.io:5000/lib/nginx:1.2 --replicas=3 --port 80 -- sleep 9";
    assert_eq!(made(line).unwrap(), wanted);
    let two = made("deploy web --image=a_b@sha256:1 --image a.b -r 2").unwrap();
    let names: Vec<&Value> = (0..2).map(|at| &two["spec"]["template"]["spec"]["containers"][at]["name"]).collect();
    assert_eq!(names, ["a-b", "a-b-2"]);
    assert!(made("deployment web").is_err());
    assert!(made("deployment web --image=a --image=b -- sleep").is_err());
    let job = made("job once --image=busybox -- date").unwrap();
    assert_eq!(job["spec"]["template"]["spec"]["containers"][0]["command"], json!(["date"]));
}

#[test]
fn services_are_as_kubectl_makes_them() {
    let service = made("service clusterip web --tcp=80:http --tcp=81").unwrap();
    let wanted = json!({"type": "ClusterIP", "selector": {"app": "web"}, "ports": [
        {"name": "80-http", "protocol": "TCP", "port": 80, "targetPort": "http"},
        {"name": "81", "protocol": "TCP", "port": 81, "targetPort": 81},
    ]});
    assert_eq!(service["spec"], wanted);
    let node = made("svc nodeport web --tcp=80:8080 --node-port=30007").unwrap();
    assert_eq!((&node["spec"]["type"], &node["spec"]["ports"][0]["nodePort"]), (&json!("NodePort"), &json!(30007)));
    assert_eq!(made("service clusterip web --clusterip=None").unwrap()["spec"]["clusterIP"], "None");
    let elsewhere = made("service externalname db --external-name=db.example.org").unwrap();
    assert_eq!(elsewhere["spec"]["externalName"], "db.example.org");
    for bad in
        ["service clusterip web", "service nodeport web --tcp=0", "service clusterip web --tcp=80:", "service web"]
    {
        assert!(made(bad).is_err(), "{bad}");
    }
}

#[test]
fn values_come_from_flags_and_files() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("text"), "hello\n").unwrap();
    std::fs::write(dir.path().join("bytes"), [0xff, 0]).unwrap();
    let path = dir.path().display();
    let map = made(&format!("configmap m --from-literal=a=b=c --from-file={path} --from-file=x={path}/text")).unwrap();
    assert_eq!(map["data"], json!({"a": "b=c", "text": "hello\n", "x": "hello\n"}));
    assert_eq!(map["binaryData"], json!({"bytes": "/wA="}));
    let secret = made(&format!("secret generic s --from-literal=p=w --from-file={path}/text --type=t")).unwrap();
    assert_eq!((&secret["type"], &secret["data"]), (&json!("t"), &json!({"p": "dw==", "text": "aGVsbG8K"})));
    assert_eq!(made("secret generic s").unwrap()["type"], "Opaque");
    let tls = made(&format!("secret tls s --cert={path}/text --key={path}/text")).unwrap();
    assert_eq!((&tls["type"], &tls["data"]["tls.key"]), (&json!("kubernetes.io/tls"), &json!("aGVsbG8K")));
    let registry = "secret docker-registry r --docker-server=x --docker-username=u --docker-password=p";
    assert_eq!(made(registry).unwrap()["type"], "kubernetes.io/dockerconfigjson");
    for bad in
        ["--from-literal=a", "--from-literal=a=1 --from-literal=a=2", "--from-file=/none", "--from-literal=a/b=1"]
    {
        assert!(made(&format!("cm m {bad}")).is_err(), "{bad}");
    }
    assert_eq!(made("ns n").unwrap()["kind"], "Namespace");
    assert_eq!(made("sa n").unwrap()["kind"], "ServiceAccount");
}

/// What was asked and sent.
async fn created(line: &str) -> (Vec<String>, Vec<Value>) {
    let fake = Fake::new();
    let server = fake
        .server(|line| {
            let made = json!({"metadata": {"name": "m"}}).to_string();
            catalog(line).unwrap_or(Answer::Json(201, made))
        })
        .await;
    let words = std::iter::once("create").chain(line.split_whitespace());
    let mut options = Line::try_parse_from(words).unwrap().options;
    options.target.kubeconfig = fake.target(&[server.address]).kubeconfig;
    run(&options).await.unwrap();
    let asked = server.asked.lock().unwrap().iter().filter(|line| line.starts_with("POST")).cloned().collect();
    let bodies = server.bodies.lock().unwrap().clone();
    (asked, bodies)
}

#[tokio::test]
async fn flags_stand_before_and_behind_what_is_made() {
    for line in [
        "configmap m --from-literal=a=b -n other --validate=warn --dry-run=server",
        "-n other --validate=warn --dry-run=server configmap m --from-literal=a=b",
    ] {
        let (asked, bodies) = created(line).await;
        let wanted =
            "POST /api/v1/namespaces/other/configmaps?fieldManager=raftsman-create&fieldValidation=Warn&dryRun=All";
        assert_eq!(asked, [wanted], "{line}");
        assert_eq!((&bodies[0]["data"]["a"], &bodies[0]["metadata"]["namespace"]), (&json!("b"), &json!("other")));
    }
    let (_, bodies) = created("configmap m --save-config").await;
    assert!(bodies[0]["metadata"]["annotations"][crate::apply::LAST_APPLIED].is_string());
}

#[tokio::test]
async fn a_dry_run_of_the_client_needs_no_cluster() {
    assert!(created("configmap m --dry-run=client -o yaml").await.0.is_empty());
    let words = ["create", "deployment", "web", "--image=a", "--dry-run=client", "-o", "name", "--kubeconfig=/none"];
    assert!(run(&Line::try_parse_from(words).unwrap().options).await.is_ok());
}
