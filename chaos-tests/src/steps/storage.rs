//! Persistent volumes: made where the first consumer runs, kept as long as they are claimed.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

fn manifest() -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: store}}
spec:
  replicas: 2
  serviceName: store
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {{whenDeleted: Delete, whenScaled: Retain}}
  selector: {{matchLabels: {{app: store}}}}
  template:
    metadata: {{labels: {{app: store}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: c
        image: {BUSYBOX}
        command: [sh, -c, "hostname >> /data/log; exec sleep 100000"]
        volumeMounts: [{{name: data, mountPath: /data}}]
  volumeClaimTemplates:
  - metadata: {{name: data}}
    spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 64Mi}}}}}}
"#
    )
}

/// Directories of a volume's name below a directory.
fn found(under: &Path, name: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(under).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.ends_with(name)).collect()
}

/// Waits until a pod of this name, and of another uid, is ready.
fn ready(c: &Cluster, pod: &str, not: &str) -> Result<()> {
    let object = format!("pod {pod}");
    c.wait(&format!("another {pod} is ready"), Duration::from_secs(60), || {
        let ready = c.field(&object, ".status.conditions[?(@.type=='Ready')].status")?;
        Ok(ready == "True" && c.field(&object, ".metadata.uid")? != not)
    })
    .map(drop)
}

/// Dynamic volumes of a StatefulSet outlive their pods, hold them to their node, and go with their claims.
pub fn claims(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.apply(&manifest())?;
    c.k("rollout status statefulset/store --timeout=60s")?;
    c.wait("two bound claims", PATIENCE, || Ok(c.k("get pvc")?.matches("Bound").count() == 2))?;
    let node = c.field("pod store-0", ".spec.nodeName")?;
    let volume = c.field("pvc data-store-0", ".spec.volumeName")?;
    ensure!(c.k("get pv")?.contains("default/data-store-0"), "the volume's claim");
    let kept = c.dir().join(&node).join("node/local-path");
    let places = if kept.exists() { found(&kept, &volume) } else { Vec::new() };
    let before = c.field("pod store-0", ".metadata.uid")?;
    c.k("delete pod store-0 --timeout=30s")?;
    // Not by the set's status, which may be that of a moment ago.
    ready(c, "store-0", &before)?;
    ensure!(c.field("pod store-0", ".spec.nodeName")? == node, "it left the node that its data is on");
    c.wait("both lives are in the log", PATIENCE, || Ok(c.k("exec store-0 -- cat /data/log")?.lines().count() == 2))?;
    c.k("scale sts/store --replicas=1")?;
    c.k("wait --for=delete pod/store-1 --timeout=30s")?;
    ensure!(c.k("get pvc -oname")?.lines().count() == 2, "scaling down took a claim");
    c.k("scale sts/store --replicas=2")?;
    ready(c, "store-1", "")?;
    c.wait("the claim is found again", PATIENCE, || Ok(c.k("exec store-1 -- cat /data/log")?.lines().count() == 2))?;
    // In use, a claim is not removed.
    c.k("delete pvc data-store-1 --wait=false")?;
    ensure!(!c.field("pvc data-store-1", ".metadata.deletionTimestamp")?.is_empty(), "a claim in use is gone");
    ensure!(c.k("get pvc data-store-1")?.contains("Terminating"), "a claim in use");
    c.k("delete sts store --timeout=40s")?;
    c.wait("claims and volumes are gone", Duration::from_secs(40), || {
        Ok(c.k("get pvc -oname")?.is_empty() && c.k("get pv -oname")?.is_empty())
    })?;
    let left = || places.iter().filter(|place| place.exists()).count();
    c.wait("the directories are gone", PATIENCE, || Ok(left() == 0)).context("after reclaim")?;
    ensure!(!places.is_empty(), "the volume's directory was not found under {}", kept.display());
    Ok(())
}
