//! The whole cluster from a file, and from one surviving master.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

const CONFIG_MAPS: &str = "/api/v1/namespaces/kept/configmaps";

/// A backup of a cluster at work, `down`, `up --restore`: everything is there, nothing goes back in time, pods run again.
pub fn restored(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let dir = tempfile::tempdir().context("a directory for backups")?;
    let (plain, sealed) = (dir.path().join("plain.backup"), dir.path().join("sealed.backup"));
    let (phrase, wrong) = (dir.path().join("phrase"), dir.path().join("wrong"));
    std::fs::write(&phrase, "correct horse battery staple\n")?;
    std::fs::write(&wrong, "incorrect\n")?;
    workload(c)?;
    let before = revision(c)?;
    let says = |line: String| c.raftsman(&line);

    let begin = Instant::now();
    says(format!("backup {}", plain.display()))?.ok()?;
    figures.add("online backup, read back", begin.elapsed());
    says(format!("backup {}", plain.display()))?.refused("--overwrite")?;
    says(format!("backup --check {}", plain.display()))?.ok()?;
    let listed = says(format!("backup --list {}", plain.display()))?.ok()?;
    ensure!(listed.contains("configmaps") && listed.contains("apps/deployments"), "the list: {listed}");
    damaged(&plain)?;
    says(format!("backup --check {}", plain.display()))?.refused("damaged")?;
    says(format!("backup --with-keys {} --passphrase-file {}", sealed.display(), phrase.display()))?.ok()?;
    says(format!("backup --check {} --passphrase-file {}", sealed.display(), wrong.display()))?
        .refused("passphrase")?;
    says(format!("backup --check {} --passphrase-file {}", sealed.display(), phrase.display()))?.ok()?;

    c.k("-n kept create configmap lost --from-literal=k=v")?;
    let old = std::fs::read_to_string(c.dir().join("pki/ca.crt"))?;
    let up = format!(
        "up --name {} --no-sample --restore {} --passphrase-file {}",
        c.name,
        sealed.display(),
        phrase.display()
    );
    says(up.clone())?.refused("there is a cluster")?;
    says(format!("down --name {}", c.name))?.ok()?;
    let begin = Instant::now();
    says(up)?.ok().context("up --restore")?;
    figures.add("up --restore", begin.elapsed());
    ensure!(std::fs::read_to_string(c.dir().join("pki/ca.crt"))? == old, "the authority is another one");

    for master in c.masters() {
        ensure!(c.kubectl_at(master, &["-n", "kept", "get", "configmap", "a", "-ojsonpath={.data.k}"])?.ok()? == "one");
        c.kubectl_at(master, &["-n", "kept", "get", "configmap", "lost"])?.refused("NotFound")?;
        let watch = format!("{CONFIG_MAPS}?watch=1&resourceVersion={before}&timeoutSeconds=5");
        let told = c.kubectl_at(master, &["get", "--raw", &watch])?;
        ensure!(format!("{}{}", told.out, told.err).contains("410"), "a watch from before: {told:?}");
    }
    ensure!(revision(c)? > before + 1_000_000, "the revision went from {before} to {}", revision(c)?);
    runs(c)
}

/// Two of three masters are lost with their disks: the third becomes the cluster, and takes them in again.
pub fn recovered(c: &Cluster, figures: &mut Figures) -> Result<()> {
    workload(c)?;
    let config = c.dir().join("m1/config.yaml");
    let recover = format!("recover --config {}", config.display());
    c.raftsman(&recover)?.refused("in use")?;
    c.host("stop", "m1")?;
    c.raftsman(&recover)?.refused("start this master instead")?;
    for lost in ["m2", "m3"] {
        c.host("kill", lost)?;
        std::fs::remove_dir_all(c.dir().join(lost).join("store")).with_context(|| format!("the disk of {lost}"))?;
    }
    let shown = c.raftsman(&recover)?.ok()?;
    ensure!(shown.contains("m2 (member 2") && shown.contains("Nothing was changed"), "what it would do: {shown}");
    let begin = Instant::now();
    c.raftsman(&format!("{recover} --yes"))?.ok()?;
    c.host("start", "m1")?;
    c.wait("the survivor serves", Duration::from_secs(20), || {
        Ok(c.kubectl_at("m1", &["-n", "kept", "get", "configmap", "a", "--request-timeout=2s"])?.code == 0)
    })?;
    figures.add("recovery of a survivor to its first answer", begin.elapsed());
    c.kubectl_at("m1", &["-n", "kept", "create", "configmap", "after", "--from-literal=k=v"])?.ok()?;
    for back in ["m2", "m3"] {
        c.host("start", back)?;
        c.wait("an emptied master is back", Duration::from_secs(30), || {
            Ok(c.kubectl_at(back, &["-n", "kept", "get", "configmap", "after", "--request-timeout=2s"])?.code == 0)
        })?;
    }
    c.wait("all three vote", Duration::from_secs(30), || {
        let text = c.kubectl_at("m1", &["get", "--raw", "/raftsman/v1/status"])?.ok()?;
        let status: serde_json::Value = serde_json::from_str(&text)?;
        let members = status["members"].as_array().context("no members")?;
        Ok(members.len() == 3 && members.iter().all(|member| member["voter"] == true))
    })?;
    c.host("kill", "m1")?;
    c.wait("the other two go on", Duration::from_secs(20), || {
        Ok(c.kubectl_at("m2", &["-n", "kept", "label", "configmap", "after", "from=two", "--overwrite"])?.code == 0)
    })?;
    c.host("start", "m1")?;
    runs(c)?;
    c.k("delete namespace kept --timeout=60s").map(drop)
}

fn workload(c: &Cluster) -> Result<()> {
    c.apply(&format!(
        r#"
apiVersion: v1
kind: Namespace
metadata: {{name: kept}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: a, namespace: kept}}
data: {{k: one}}
---
apiVersion: v1
kind: Secret
metadata: {{name: s, namespace: kept}}
stringData: {{p: q}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: d, namespace: kept}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: d}}}}
  template:
    metadata: {{labels: {{app: d}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: main, image: "{BUSYBOX}", command: [sleep, "100000"]}}]
"#
    ))?;
    runs(c)
}

fn runs(c: &Cluster) -> Result<()> {
    c.wait("the deployment runs", Duration::from_secs(60), || {
        let pods = c.k("-n kept get pods -l app=d --field-selector=status.phase=Running -oname")?;
        let Some(pod) = pods.lines().next() else { return Ok(false) };
        // Really: a process answers.
        Ok(pods.lines().count() == 2 && c.k(&format!("-n kept exec {pod} -- echo here"))?.trim() == "here")
    })
    .map(drop)
}

fn revision(c: &Cluster) -> Result<u64> {
    let list: serde_json::Value = serde_json::from_str(&c.k(&format!("get --raw {CONFIG_MAPS}"))?)?;
    list["metadata"]["resourceVersion"].as_str().context("no resourceVersion")?.parse().context("resourceVersion")
}

/// Flips a bit in the middle of a file.
fn damaged(path: &Path) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let middle = bytes.len() / 2;
    let byte = bytes.get_mut(middle).context("an empty backup")?;
    *byte ^= 1;
    std::fs::write(path, bytes).context("damage the backup")
}
