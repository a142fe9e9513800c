//! Controllers and the scheduler.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// create, scale, set image, rollout status, history, undo.
pub fn deployment(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.kubectl(&[
        "create",
        "deployment",
        "web",
        &format!("--image={BUSYBOX}"),
        "--replicas=3",
        "--",
        "sh",
        "-c",
        "trap exit TERM; while true; do sleep 0.1; done",
    ])?
    .ok()?;
    c.k("rollout status deployment/web --timeout=60s")?;
    c.k("set env deployment/web COLOUR=green")?;
    c.k("rollout status deployment/web --timeout=60s")?;
    ensure!(one_of(c, "app=web")?.contains("COLOUR=green"), "the new template");
    ensure!(
        c.k("rollout history deployment/web")?.lines().filter(|l| l.starts_with(['1', '2'])).count() == 2,
        "two revisions"
    );
    c.k("rollout undo deployment/web")?;
    c.k("rollout status deployment/web --timeout=60s")?;
    ensure!(!one_of(c, "app=web")?.contains("COLOUR"), "undo left the new template");
    paused(c)?;
    c.k("scale deployment/web --replicas=1")?;
    c.wait("one replica", PATIENCE, || Ok(c.k("get pods -l app=web -oname")?.lines().count() == 1))?;
    c.wait("the table", PATIENCE, || Ok(c.k("get deployment web -owide")?.contains("1/1")))?;
    c.k("delete deployment web --cascade=foreground --timeout=60s")?;
    ensure!(c.k("get rs,pods -l app=web -oname")?.is_empty(), "foreground deletion left dependents");
    Ok(())
}

/// The environment of a pod that is not on its way out.
fn one_of(c: &Cluster, selector: &str) -> Result<String> {
    let pod = c.ready_pods(selector)?.into_iter().next().context("no pod is ready")?;
    c.k(&format!("exec {pod} -- env"))
}

/// pause holds changes back, resume rolls them out at once; restart; undo to any revision.
fn paused(c: &Cluster) -> Result<()> {
    let pods = || -> Result<BTreeSet<String>> { Ok(c.ready_pods("app=web")?.into_iter().collect()) };
    let settled = || {
        c.k("rollout status deployment/web --timeout=90s")?;
        c.wait("three pods", PATIENCE, || Ok(pods()?.len() == 3))
    };
    settled()?;
    let before = pods()?;
    c.k("rollout pause deployment/web")?;
    c.k("set env deployment/web COLOUR=red")?;
    c.k("set env deployment/web SHAPE=round")?;
    let generation = c.field("deployment web", ".metadata.generation")?;
    c.wait("the paused deployment was looked at", PATIENCE, || {
        Ok(c.field("deployment web", ".status.observedGeneration")? == generation)
    })?;
    let why = c.field("deployment web", ".status.conditions[?(@.type=='Progressing')].reason")?;
    ensure!(why == "DeploymentPaused", "a paused deployment says {why}");
    ensure!(pods()? == before, "a paused deployment replaced pods");
    c.kubectl(&["rollout", "undo", "deployment/web"])?.refused("paused")?;
    c.k("rollout resume deployment/web")?;
    settled()?;
    let env = one_of(c, "app=web")?;
    ensure!(env.contains("COLOUR=red") && env.contains("SHAPE=round"), "resume left a change: {env}");
    ensure!(pods()?.is_disjoint(&before), "resume left a pod");

    let before = pods()?;
    c.k("rollout restart deployment/web")?;
    settled()?;
    ensure!(pods()?.is_disjoint(&before), "restart left a pod");
    let of = |colour: &str| -> Result<String> {
        let path = format!(
            "-ojsonpath={{.items[?(@.spec.template.spec.containers[0].env[0].value=='{colour}')].metadata.annotations.deployment\\.kubernetes\\.io/revision}}"
        );
        c.kubectl(&["get", "rs", "-l", "app=web", &path])?.ok()
    };
    let green = of("green")?;
    ensure!(green.parse::<u32>().is_ok(), "the revision of the green template: {green:?}");
    c.k(&format!("rollout undo deployment/web --to-revision={green}"))?;
    settled()?;
    let env = one_of(c, "app=web")?;
    ensure!(env.contains("COLOUR=green") && !env.contains("SHAPE"), "undo --to-revision={green}: {env}");
    c.kubectl(&["rollout", "undo", "deployment/web", "--to-revision=99"])?.refused("99").map(drop)
}

/// Replacement of what dies, adoption and release by label, the three ways of deletion.
pub fn replicas(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.apply(&format!(
        r#"
apiVersion: v1
kind: ReplicationController
metadata: {{name: rc}}
spec:
  replicas: 2
  selector: {{app: rc}}
  template:
    metadata: {{labels: {{app: rc}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: c, image: {BUSYBOX}, command: [sleep, "1000"]}}]}}
"#
    ))?;
    // The pods themselves: the status may be that of a moment ago.
    let ready = || {
        c.wait("two replicas, and the status says so", PATIENCE, || {
            Ok(c.ready_pods("app=rc")?.len() == 2 && c.field("rc rc", ".status.readyReplicas")? == "2")
        })
    };
    ready()?;
    let first = c.k("get pods -l app=rc -oname")?.lines().next().unwrap_or_default().to_owned();
    c.k(&format!("delete {first} --wait=false"))?;
    c.wait("a replacement", PATIENCE, || Ok(!c.k("get pods -l app=rc -oname")?.contains(&first)))?;
    ready()?;
    let second = c.k("get pods -l app=rc -oname")?.lines().next().unwrap_or_default().to_owned();
    c.k(&format!("label {second} app=free --overwrite"))?;
    c.wait("release", PATIENCE, || Ok(c.field(&second, ".metadata.ownerReferences")?.is_empty()))?;
    ready()?;
    c.k("delete rc rc --cascade=orphan")?;
    c.wait("orphans", PATIENCE, || {
        Ok(c.kubectl(&["get", "rc", "rc"])?.code != 0
            && c.k("get pods -l app=rc -ojsonpath={.items[*].metadata.ownerReferences}")?.is_empty())
    })?;
    ensure!(c.k("get pods -l app=rc -oname")?.lines().count() == 2, "orphans were deleted");
    c.k("delete pods -l app=rc --timeout=60s")?;
    c.k(&format!("delete {second} --timeout=60s"))?;
    generations(c)
}

/// A Deployment is deleted alone (its set and pods stay, and are taken over by the next of its name), and in the background
/// (the command returns, and they go).
fn generations(c: &Cluster) -> Result<()> {
    let manifest = format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: heir}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: heir}}}}
  template:
    metadata: {{labels: {{app: heir}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: c, image: {BUSYBOX}, command: [sleep, "1000"]}}]}}
"#
    );
    let members = || c.k("get rs,pods -l app=heir -ojsonpath={.items[*].metadata.uid}");
    let owner = || c.k("get rs -l app=heir -ojsonpath={.items[*].metadata.ownerReferences[*].uid}");
    c.apply(&manifest)?;
    c.k("rollout status deployment/heir --timeout=60s")?;
    let before = members()?;
    c.k("delete deployment heir --cascade=orphan --timeout=60s")?;
    c.wait("the set belongs to nobody", PATIENCE, || Ok(owner()?.is_empty()))?;
    ensure!(members()? == before, "an orphan was deleted or replaced");
    c.apply(&manifest)?;
    let uid = c.field("deployment heir", ".metadata.uid")?;
    c.wait("the set belongs to the new one", PATIENCE, || Ok(owner()? == uid))?;
    c.k("rollout status deployment/heir --timeout=60s")?;
    ensure!(members()? == before, "what was taken over was replaced");
    c.k("delete deployment heir --cascade=background --timeout=60s")?;
    c.wait("background deletion", PATIENCE, || Ok(members()?.is_empty())).map(drop)
}
