//! Jobs: runs are counted once each, whoever is killed.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use anyhow::{Result, ensure};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

fn manifest(name: &str, spec: &str, command: &str) -> String {
    format!(
        r#"
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  {spec}
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers: [{{name: c, image: {BUSYBOX}, command: [sh, -c, {command:?}]}}]
"#
    )
}

/// kubectl create job, completions, indexes, failure limits, policies, suspension, TTL.
pub fn life(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.kubectl(&["create", "job", "once", &format!("--image={BUSYBOX}"), "--", "sh", "-c", "echo done"])?.ok()?;
    c.k("wait --for=condition=complete job/once --timeout=60s")?;
    c.wait("the logs", PATIENCE, || Ok(c.k("logs job/once")?.trim() == "done"))?;
    let table = c.k("get job once")?;
    ensure!(table.contains("Complete") && table.contains("1/1"), "the table: {table}");
    c.wait("an Event", PATIENCE, || Ok(c.k("describe job once")?.contains("Completed")))?;
    c.k("delete job once --timeout=30s")?;
    // Background deletion: the job first, its pods then.
    c.wait("the job's pods are gone", PATIENCE, || Ok(c.k("get pods -l job-name=once -oname")?.is_empty()))?;

    let spec = "completions: 6\n  parallelism: 3\n  completionMode: Indexed";
    c.apply(&manifest("indexed", spec, "echo $JOB_COMPLETION_INDEX $(hostname)"))?;
    c.k("wait --for=condition=complete job/indexed --timeout=60s")?;
    ensure!(c.field("job indexed", ".status.completedIndexes")? == "0-5", "the indexes");
    ensure!(c.field("job indexed", ".status.succeeded")? == "6", "the count");
    c.wait("environment and host name", PATIENCE, || {
        let said = c.k("logs -l batch.kubernetes.io/job-completion-index=4,job-name=indexed")?;
        ensure!(said.trim() == "4 indexed-4", "{said}");
        Ok(true)
    })?;

    c.apply(&manifest("fails", "backoffLimit: 0", "exit 3"))?;
    c.k("wait --for=condition=failed job/fails --timeout=60s")?;
    let reason = c.field("job fails", ".status.conditions[?(@.type=='Failed')].reason")?;
    ensure!(reason == "BackoffLimitExceeded" && c.field("job fails", ".status.failed")? == "1", "{reason}");

    let policy =
        "backoffLimit: 6\n  podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}";
    c.apply(&manifest("policy", policy, "exit 42"))?;
    c.k("wait --for=condition=failed job/policy --timeout=60s")?;
    let reason = c.field("job policy", ".status.conditions[?(@.type=='Failed')].reason")?;
    ensure!(reason == "PodFailurePolicy", "{reason}");

    c.apply(&manifest("late", "activeDeadlineSeconds: 2\n  parallelism: 2\n  completions: 2", "sleep 1000"))?;
    c.k("wait --for=condition=failed job/late --timeout=60s")?;
    ensure!(c.field("job late", ".status.failed")? == "2", "both were ended");

    c.apply(&manifest("asleep", "suspend: true\n  ttlSecondsAfterFinished: 1", "true"))?;
    c.wait("suspension", PATIENCE, || {
        Ok(c.field("job asleep", ".status.conditions[?(@.type=='Suspended')].status")? == "True")
    })?;
    ensure!(c.k("get pods -l job-name=asleep -oname")?.is_empty(), "a suspended job has pods");
    c.k("patch job asleep --type=merge -p {\"spec\":{\"suspend\":false}}")?;
    c.k("wait --for=delete job/asleep --timeout=60s")?;
    c.wait("its pods are gone, too", PATIENCE, || Ok(c.k("get pods -l job-name=asleep -oname")?.is_empty()))?;

    c.kubectl_with(&["create", "-f", "-"], &manifest("bad", "completionMode: Indexed\n  parallelism: 2", "true"))?
        .refused("spec.completions: Required value: when completion mode is Indexed")?;
    c.k("delete job indexed fails policy late --timeout=30s").map(drop)
}

/// Pods are deleted and leaders killed while a job runs: each index is done, and each run is counted once.
pub fn disturbed(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let spec = "completions: 20\n  parallelism: 5\n  completionMode: Indexed\n  backoffLimit: 100";
    let began = std::time::Instant::now();
    // Long enough that the second half still runs when it is disturbed.
    c.apply(&manifest("disturbed", spec, "sleep 4"))?;
    let mut killed = 0;
    c.wait("the job is complete", Duration::from_secs(180), || {
        let line =
            c.field("job disturbed", ".status.succeeded}{\" \"}{.status.conditions[?(@.type=='Complete')].status")?;
        let done: usize = line.split_whitespace().next().and_then(|count| count.parse().ok()).unwrap_or(0);
        if killed == 0 && done >= 5 {
            killed = 1;
            let leader = c.leader()?;
            c.host("kill", &leader)?;
            c.host("start", &leader)?;
            c.masters_ready(&[&leader])?;
        } else if killed == 1 && done >= 10 {
            killed = 2;
            let pods = c.k("get pods -l job-name=disturbed --field-selector status.phase=Running -oname")?;
            if let Some(pod) = pods.lines().next() {
                c.k(&format!("delete {pod} --wait=false"))?;
            }
        }
        Ok(line.ends_with("True"))
    })?;
    figures.add("20 completions, 5 at a time, a leader and a pod killed", began.elapsed());
    ensure!(killed == 2, "it was over before it was disturbed");
    ensure!(c.field("job disturbed", ".status.completedIndexes")? == "0-19", "an index is missing");
    ensure!(c.field("job disturbed", ".status.succeeded")? == "20", "runs were counted twice or lost");
    ensure!(c.field("job disturbed", ".status.uncountedTerminatedPods")? == "{}", "a run is not counted");
    let failed: u32 = c.field("job disturbed", ".status.failed")?.parse().unwrap_or(0);
    ensure!(failed <= 1, "one pod was deleted, and {failed} failed");
    let held = c.k("get pods -l job-name=disturbed -ojsonpath={.items[*].metadata.finalizers}")?;
    ensure!(held.is_empty(), "finalizers were left: {held}");
    c.k("delete job disturbed --timeout=30s").map(drop)
}
