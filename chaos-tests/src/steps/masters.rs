//! Three masters and stock kubectl.

use crate::cluster::Cluster;
use crate::figures::Figures;
use anyhow::{Result, ensure};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

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
        at("wait --for=create sa/default --timeout=10s")?;
        at("wait --for=create configmap/kube-root-ca.crt --timeout=10s")?;
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
        let nodes = c.kubectl_at(master, &["get", "nodes", "-owide"])?.ok()?;
        ensure!(nodes.matches(" Ready ").count() == 3, "three nodes are not Ready: {nodes}");
        c.kubectl_at(master, &["delete", "namespace", "kinds", "--timeout=30s"])?.ok()?;
    }
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
    let mut watch = c
        .kubectl_command(&[
            "--context",
            &format!("{}-m2", c.name),
            "get",
            "configmap",
            "c",
            "-w",
            "--output-watch-events",
            "-ojsonpath={.type}:{.object.data.k} ",
        ])
        .stdout(Stdio::piped())
        .spawn()?;
    let changed = (|| {
        c.apply(&manifest("two"))?;
        ensure!(c.field("configmap c", ".data.k")? == "two", "apply did not change the object");
        c.kubectl(&[
            "patch",
            "configmap",
            "c",
            "--type=json",
            r#"-p=[{"op":"replace","path":"/data/k","value":"three"}]"#,
        ])?
        .ok()?;
        c.kubectl(&["patch", "configmap", "c", "--type=merge", r#"-p={"data":{"k":"four","old":null}}"#])?.ok()?;
        c.kubectl(&["patch", "configmap", "c", r#"-p={"data":{"k":"five"}}"#])?.ok()?;
        ensure!(c.field("configmap c", ".data")? == r#"{"k":"five"}"#, "the patches came out wrong");
        let edit = c.kubectl_command(&["edit", "configmap", "c"]).env("KUBE_EDITOR", "sed -i s/five/six/").output()?;
        ensure!(edit.status.success(), "edit: {}", String::from_utf8_lossy(&edit.stderr));
        ensure!(c.field("configmap c", ".data.k")? == "six", "edit changed nothing");
        c.k("delete configmap c").map(drop)
    })();
    let seen = changed.and_then(|()| {
        let mut out = BufReader::new(watch.stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?);
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains("DELETED") {
            ensure!(out.read_until(b' ', &mut text)? > 0, "the watch ended: {}", String::from_utf8_lossy(&text));
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    });
    watch.kill()?;
    watch.wait()?;
    let seen = seen?;
    let values: Vec<&str> =
        seen.split_whitespace().filter_map(|event| event.split_once(':')).map(|(_, value)| value).collect();
    ensure!(values.ends_with(&["two", "three", "four", "five", "six", "six"]), "the watch saw {seen}");
    c.wait("the configmap is gone", Duration::from_secs(2), || Ok(c.kubectl(&["get", "configmap", "c"])?.code != 0))?;
    Ok(())
}
