//! What bad input gets: the document, the field, what was expected; and nothing of it is stored.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::pod;
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// Manifests, through kubectl and through our own CLI.
pub fn manifests(c: &Cluster, _: &mut Figures) -> Result<()> {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: bad}\nspec:\n";
    let template = "  template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [{name: c, image: i}]}\n";
    let cases = [
        (
            "an unknown field",
            format!("{deployment}  replcas: 2\n  selector: {{matchLabels: {{a: b}}}}\n{template}"),
            "spec.replcas",
        ),
        (
            "a wrong type",
            format!("{deployment}  replicas: many\n  selector: {{matchLabels: {{a: b}}}}\n{template}"),
            "spec.replicas",
        ),
        ("no selector", format!("{deployment}{template}"), "spec.selector"),
        ("no DNS label", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n".to_owned(), "metadata.name"),
    ];
    for (what, manifest, expected) in &cases {
        c.kubectl_with(&["create", "-f", "-"], manifest)?
            .refused(expected)
            .with_context(|| format!("kubectl: {what}"))?;
        c.raftsman_with("apply -f -", manifest)?.refused(expected).with_context(|| format!("raftsman: {what}"))?;
    }
    c.raftsman_with("apply -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: tab\n")?.refused("tab")?;
    c.raftsman_with("apply -f -", "")?.refused("no objects")?;
    let two = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: [1]\n";
    let said = c.raftsman_with("apply -f -", two)?.refused("data")?;
    ensure!(said.contains("document 2"), "which document: {said}");
    c.kubectl(&["get", "configmap", "bad"])?.refused("NotFound")?;
    ensure!(c.kubectl(&["get", "deployment", "bad"])?.code != 0, "something of a broken document was stored");
    c.kubectl(&["delete", "configmap", "good", "--ignore-not-found"])?.ok()?;
    Ok(())
}

/// ErrImagePull, then ImagePullBackOff, with an Event that names the image.
pub fn images(c: &Cluster, _: &mut Figures) -> Result<()> {
    let manifest = pod("noimage", "true").replace(crate::steps::BUSYBOX, "127.0.0.1:5999/absent:1");
    c.apply(&manifest)?;
    let path = ".status.containerStatuses[0].state.waiting.reason";
    c.wait("ErrImagePull", Duration::from_secs(20), || Ok(c.field("pod noimage", path)? == "ErrImagePull"))?;
    c.wait("ImagePullBackOff", Duration::from_secs(30), || Ok(c.field("pod noimage", path)? == "ImagePullBackOff"))?;
    let events = c.k("get events --field-selector involvedObject.name=noimage")?;
    ensure!(events.contains("127.0.0.1:5999/absent:1"), "no Event names the image: {events}");
    c.k("delete pod noimage --timeout=20s").map(drop)
}
