//! Three masters and stock kubectl.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use crate::steps::watching::Watching;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Objects of each kind, through each master in turn.
pub fn kinds(c: &Cluster, _: &mut Figures) -> Result<()> {
    for master in c.masters() {
        ensure!(c.kubectl_at(master, &["get", "--raw", "/readyz"])?.ok()? == "ok", "{master} is not ready");
        c.kubectl_at(master, &["version"])?.ok()?;
        c.kubectl_at(master, &["create", "namespace", "kinds"])?.ok()?;
        let at = |line: &str| -> Result<String> {
            let args: Vec<&str> = ["-n", "kinds"].into_iter().chain(line.split_whitespace()).collect();
            c.kubectl_at(master, &args)?.ok()
        };
        at("wait --for=create sa/default --timeout=30s")?;
        at("wait --for=create configmap/kube-root-ca.crt --timeout=30s")?;
        at("create configmap a --from-literal=k=v")?;
        at("create secret generic s --from-literal=p=q")?;
        at("create serviceaccount robot")?;
        ensure!(at("get configmap a -ojsonpath={.data.k}")? == "v", "the value differs");
        ensure!(at("get secret s -ojsonpath={.data.p}")? == "cQ==", "the secret differs");
        ensure!(at("get configmaps -A")?.contains("kube-root-ca.crt"), "get -A");
        ensure!(at("get configmap a -oyaml")?.contains("resourceVersion"), "get -oyaml");
        at("label configmap a tier=front")?;
        at("annotate configmap a note=here")?;
        ensure!(at("get configmaps -l tier=front -oname")?.trim() == "configmap/a", "selection by label");
        ensure!(
            at("get configmaps -l tier!=front -oname")?.trim() == "configmap/kube-root-ca.crt",
            "selection by inequality"
        );
        at("delete configmap a")?;
        c.kubectl_at(master, &["get", "configmap", "a", "-n", "kinds"])?.refused("NotFound")?;
        let event = r#"{"apiVersion":"v1","kind":"Event","metadata":{"name":"e","namespace":"kinds"},"type":"Normal","reason":"Tried","message":"by hand","involvedObject":{"kind":"ConfigMap","name":"a","namespace":"kinds"}}"#;
        c.kubectl_with(&["create", "-f", "-"], event)?.ok()?;
        ensure!(
            at("get events --field-selector involvedObject.name=a,reason=Tried -oname")?.trim() == "event/e",
            "the event"
        );
        c.kubectl_at(master, &["label", "node", "n1", "tried=by-hand"])?.ok()?;
        ensure!(c.k("get nodes -l tried=by-hand -oname")?.trim() == "node/n1", "a node by label");
        c.kubectl_at(master, &["label", "node", "n1", "tried-"])?.ok()?;
        c.wait("three nodes are ready", PATIENCE, || {
            let nodes = c.kubectl_at(master, &["get", "nodes", "-owide"])?.ok()?;
            ensure!(nodes.matches(" Ready ").count() == 3, "three nodes are not Ready: {nodes}");
            Ok(true)
        })?;
        c.kubectl_at(master, &["delete", "namespace", "kinds", "--timeout=60s"])?.ok()?;
    }
    Ok(())
}

/// Every kind by every verb, through every master.
pub fn table(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let begun = Instant::now();
    let all: Vec<Result<()>> = std::thread::scope(|scope| {
        let through =
            |master| scope.spawn(move || kinds_by_verbs(c, master).with_context(|| format!("through {master}")));
        let asked: Vec<_> = c.masters().into_iter().map(through).collect();
        asked.into_iter().map(|one| one.join().unwrap_or_else(|_| bail!("a client ended early"))).collect()
    });
    figures.add("seven kinds by twelve verbs through three masters", begun.elapsed());
    all.into_iter().collect()
}

fn kinds_by_verbs(c: &Cluster, master: &str) -> Result<()> {
    let space = format!("table-{master}");
    let at = |line: &str| -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        c.kubectl_at(master, &words)?.ok().with_context(|| format!("kubectl {line}"))
    };
    at(&format!("create namespace {space}"))?;
    at(&format!("-n {space} wait --for=create sa/default --timeout=30s"))?;
    for (kind, version, rest) in [
        ("Namespace", "v1", json!({})),
        ("ConfigMap", "v1", json!({"data": {"k": "v"}})),
        ("Secret", "v1", json!({"stringData": {"p": "q"}})),
        ("ServiceAccount", "v1", json!({})),
        (
            "Pod",
            "v1",
            json!({"spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "c", "image": BUSYBOX, "command": ["sleep", "1000"]}],
            }}),
        ),
        ("Node", "v1", json!({"spec": {"unschedulable": true}})),
        (
            "Event",
            "v1",
            json!({
                "type": "Normal", "reason": "Tried", "message": "by hand",
                "involvedObject": {"kind": "ConfigMap", "name": "a", "namespace": space},
            }),
        ),
    ] {
        verbs(c, master, kind, version, &space, rest).with_context(|| kind.to_owned())?;
    }
    at(&format!("delete namespace {space} --timeout=60s")).map(drop)
}

/// One kind: apply, get in its forms, watch, the three patches, label, edit, delete.
fn verbs(c: &Cluster, master: &str, kind: &str, version: &str, space: &str, rest: Value) -> Result<()> {
    let name = format!("tried-{master}");
    let word = kind.to_lowercase();
    let namespaced = !["Namespace", "Node"].contains(&kind);
    let mut object =
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "annotations": {"by": "apply"}}});
    let scope = if namespaced { vec!["-n", space] } else { Vec::new() };
    if namespaced {
        object["metadata"]["namespace"] = space.into();
    }
    for (field, value) in rest.as_object().into_iter().flatten() {
        object[field] = value.clone();
    }
    let at = |words: &[&str]| -> Result<String> {
        let all: Vec<&str> = scope.iter().chain(words).copied().collect();
        c.kubectl_at(master, &all)?.ok().with_context(|| format!("kubectl {}", words.join(" ")))
    };
    let context = format!("{}-{master}", c.name);
    let applied =
        c.kubectl_with(&["--context", &context, "apply", "-f", "-"], &object.to_string())?.ok().context("apply")?;
    ensure!(applied.contains("created"), "apply: {applied}");
    ensure!(at(&["get", &word, &name, "-owide"])?.contains(&name), "get -owide");
    let yaml = at(&["get", &word, &name, "-oyaml"])?;
    ensure!(yaml.contains("resourceVersion") && yaml.contains("by: apply"), "get -oyaml: {yaml}");
    ensure!(at(&["get", &word, "-A"])?.contains(&name), "get -A");

    let watched = "-ojsonpath={.type} {.object.metadata.annotations.by} {.object.metadata.labels.tier}{\"\\n\"}";
    let mut words = vec!["--context", &context];
    words.extend(&scope);
    words.extend(["get", &word, &name, "-w", "--output-watch-events", watched]);
    let (from, watch) = (Instant::now(), Watching::start(c.kubectl_command(&words))?);
    watch.wait(c, "the watch has begun", PATIENCE, from, |line| line.starts_with("ADDED "))?;
    let by = |how: &str| -> Result<()> {
        let path = "-ojsonpath={.metadata.annotations.by}";
        let by = at(&["get", &word, &name, path])?;
        ensure!(by == how, "{how} left it by {by}");
        Ok(())
    };
    let json = r#"-p=[{"op":"replace","path":"/metadata/annotations/by","value":"json"}]"#;
    at(&["patch", &word, &name, "--type=json", json])?;
    by("json")?;
    at(&["patch", &word, &name, "--type=merge", r#"-p={"metadata":{"annotations":{"by":"merge"}}}"#])?;
    by("merge")?;
    at(&["patch", &word, &name, "--type=strategic", r#"-p={"metadata":{"annotations":{"by":"strategic"}}}"#])?;
    by("strategic")?;
    at(&["label", &word, &name, "tier=front"])?;
    ensure!(at(&["get", &word, "-l", "tier=front", "-oname"])?.contains(&name), "by label");
    let mut words = vec!["--context", &context];
    words.extend(&scope);
    words.extend(["edit", &word, &name]);
    let edit = c.kubectl_command(&words).env("KUBE_EDITOR", "sed -i s/strategic/edit/").output()?;
    ensure!(edit.status.success(), "edit: {}", String::from_utf8_lossy(&edit.stderr));
    by("edit")?;
    at(&["delete", &word, &name, "--timeout=60s"])?;
    let gone = c.kubectl_at(master, &scope.iter().copied().chain(["get", &word, &name]).collect::<Vec<_>>())?;
    gone.refused("NotFound")?;
    watch.wait(c, "the watch saw the end", PATIENCE, from, |line| line.starts_with("DELETED "))?;
    let mut seen: Vec<String> =
        watch.lines().iter().filter_map(|line| Some(line.split(' ').nth(1)?.to_owned())).collect();
    seen.dedup();
    ensure!(seen == ["apply", "json", "merge", "strategic", "edit"], "the watch saw {seen:?}");
    Ok(())
}

/// Apply, edit, the patches, and a watch at another master than the writes.
pub fn changes(c: &Cluster, _: &mut Figures) -> Result<()> {
    let manifest = |value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, labels: {{a: b}}}}\ndata: {{k: {value}, old: x}}\n"
        )
    };
    c.apply(&manifest("one"))?;
    let context = format!("{}-m2", c.name);
    let template = "-ojsonpath={.type}:{.object.data.k}{\"\\n\"}";
    let words = ["--context", &context, "get", "configmap", "c", "-w", "--output-watch-events", template];
    let (from, watch) = (Instant::now(), Watching::start(c.kubectl_command(&words))?);
    watch.wait(c, "the watch has begun", PATIENCE, from, |line| line == "ADDED:one")?;
    c.apply(&manifest("two"))?;
    ensure!(c.field("configmap c", ".data.k")? == "two", "apply did not change the object");
    let json = r#"-p=[{"op":"replace","path":"/data/k","value":"three"}]"#;
    c.kubectl(&["patch", "configmap", "c", "--type=json", json])?.ok()?;
    c.kubectl(&["patch", "configmap", "c", "--type=merge", r#"-p={"data":{"k":"four","old":null}}"#])?.ok()?;
    c.kubectl(&["patch", "configmap", "c", r#"-p={"data":{"k":"five"}}"#])?.ok()?;
    ensure!(c.field("configmap c", ".data")? == r#"{"k":"five"}"#, "the patches came out wrong");
    let edit = c.kubectl_command(&["edit", "configmap", "c"]).env("KUBE_EDITOR", "sed -i s/five/six/").output()?;
    ensure!(edit.status.success(), "edit: {}", String::from_utf8_lossy(&edit.stderr));
    ensure!(c.field("configmap c", ".data.k")? == "six", "edit changed nothing");
    c.k("delete configmap c")?;
    watch.wait(c, "the watch saw the end", PATIENCE, from, |line| line == "DELETED:six")?;
    let seen = watch.lines();
    let wanted = ["ADDED:one", "MODIFIED:two", "MODIFIED:three", "MODIFIED:four", "MODIFIED:five", "MODIFIED:six"];
    ensure!(seen.iter().take(6).eq(wanted.iter()), "the watch saw {seen:?}");
    c.kubectl(&["get", "configmap", "c"])?.refused("NotFound").map(drop)
}
