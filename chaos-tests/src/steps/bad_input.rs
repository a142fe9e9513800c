//! What bad input gets: the document, the field, what was expected; and nothing of it is stored.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::pod;
use crate::steps::registry::Registry;
use crate::steps::watching::Watching;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// The reason why a container waits, or why it does not run.
const REASON: &str = "{.status.phase} {.status.containerStatuses[0].state.waiting.reason}";

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
    let tab = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: tab\n";
    c.raftsman_with("apply -f -", tab)?.refused("tab")?;
    c.kubectl_with(&["create", "-f", "-"], tab)?.refused("cannot start any token")?;
    c.raftsman_with("apply -f -", "")?.refused("no objects")?;
    c.kubectl_with(&["create", "-f", "-"], "")?.refused("no objects")?;
    for (kind, name) in [("deployment", "bad"), ("configmap", "Bad_Name"), ("configmap", "tab")] {
        ensure!(c.kubectl(&["get", kind, name])?.code != 0, "something of a broken document was stored: {name}");
    }
    // The broken one is refused, whichever comes first, and the whole one is there.
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\ndata: {k: v}\n";
    let bad = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: [1]\n";
    for (documents, which) in [([good, bad], "document 2"), ([bad, good], "document 1")] {
        let manifest = documents.join("---\n");
        let ours = c.raftsman_with("apply -f -", &manifest)?;
        let said = format!("{}{}", ours.out, ours.err);
        ours.refused("data")?;
        ensure!(said.contains(which) && said.contains("good"), "which document: {said}");
        fates(c, "raftsman apply")?;
        c.kubectl_with(&["create", "-f", "-"], &manifest)?.refused("data")?;
        fates(c, "kubectl create")?;
    }
    Ok(())
}

/// Of two documents, the whole one is stored, the broken one is not; and then nothing is left.
fn fates(c: &Cluster, by: &str) -> Result<()> {
    c.kubectl(&["get", "configmap", "bad"])?.refused("NotFound").with_context(|| by.to_owned())?;
    ensure!(c.field("configmap good", ".data.k").with_context(|| by.to_owned())? == "v", "{by}: the whole document");
    c.k("delete configmap good").map(drop)
}

/// ErrImagePull, then ImagePullBackOff, with an Event that names the image; and an image that a registry has runs.
pub fn images(c: &Cluster, figures: &mut Figures) -> Result<()> {
    absent(c, "noimage", "127.0.0.1:5999/absent:1")?;
    let registry = Registry::start(c)?;
    registry.push("raftsman/pulled", "1")?;
    absent(c, "notag", &format!("{}/raftsman/pulled:absent", registry.name()))?;
    let begun = Instant::now();
    let image = format!("{}/raftsman/pulled:1", registry.name());
    // Always: it may be there from an earlier run.
    let manifest = pod("pulled", "cat /etc/pulled && echo by plain http; sleep 1000")
        .replace("\"command\"", r#""imagePullPolicy":"Always","command""#);
    c.apply(&manifest.replace(crate::steps::BUSYBOX, &image))?;
    c.k("wait --for=condition=Ready pod/pulled --timeout=60s")?;
    figures.add("an image pulled from a registry on this machine, and running", begun.elapsed());
    c.wait("its log", Duration::from_secs(20), || Ok(c.k("logs pulled")?.ends_with("by plain http\n")))?;
    let events = c.k("get events --field-selector involvedObject.name=pulled")?;
    ensure!(events.contains("Successfully pulled image"), "no Event of the pull: {events}");
    c.k("delete pod pulled --timeout=30s").map(drop)
}

/// A pod whose image is not there: the two reasons in their order, and the Events.
fn absent(c: &Cluster, name: &str, image: &str) -> Result<()> {
    // Begins with a pod that is there, so that it has certainly begun.
    let watched = format!("{name}-watched");
    c.apply(&pod(&watched, "sleep 1000"))?;
    let watch = Watching::kubectl(c, "pods", &format!("{{.metadata.name}} {REASON}"))?;
    let begun = Instant::now();
    c.apply(&pod(name, "true").replace(crate::steps::BUSYBOX, image))?;
    let reason = |reason: &'static str| {
        let line = format!("{name} Pending {reason}");
        move |said: &str| said == line
    };
    let first = watch.wait(c, "ErrImagePull", Duration::from_secs(60), begun, reason("ErrImagePull"))?;
    watch.wait(c, "ImagePullBackOff", Duration::from_secs(60), first, reason("ImagePullBackOff"))?;
    c.wait("an Event that names the image", Duration::from_secs(20), || {
        let events = c.k(&format!("get events --field-selector involvedObject.name={name}"))?;
        ensure!(events.contains(image) && events.contains("Failed"), "{events}");
        Ok(true)
    })?;
    ensure!(c.k(&format!("describe pod {name}"))?.contains(image), "describe names no image");
    c.k(&format!("delete pod {name} {watched} --timeout=30s")).map(drop)
}
