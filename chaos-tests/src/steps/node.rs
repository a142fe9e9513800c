//! Pods on nodes.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::{BUSYBOX, pod};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// run, logs, exec, describe; and twenty pods timed from create to Running.
pub fn a_pod(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.kubectl(&[
        "run",
        "hello",
        &format!("--image={BUSYBOX}"),
        "--restart=Never",
        "--command",
        "--",
        "sh",
        "-c",
        "echo one; echo two >&2; trap exit TERM; while true; do sleep 0.1; done",
    ])?
    .ok()?;
    c.k("wait --for=condition=Ready pod/hello --timeout=60s")?;
    c.wait("the log", Duration::from_secs(5), || Ok(c.k("logs hello")? == "one\ntwo\n"))?;
    ensure!(c.k("exec hello -- cat /etc/hostname")?.trim() == "hello", "the host name");
    ensure!(c.kubectl(&["exec", "hello", "--", "sh", "-c", "exit 7"])?.code == 7, "exec passes the exit code on");
    let fed = c.kubectl_with(&["exec", "-i", "hello", "--", "cat"], "through and back")?.ok()?;
    ensure!(fed == "through and back", "exec -i: {fed}");
    let mut terminal = Command::new("script");
    let line = format!(
        "{} --kubeconfig {} exec -it hello -- sh -c 'tty; stty size'",
        c.kubectl.display(),
        c.dir().join("admin.kubeconfig").display()
    );
    let typed = terminal.args(["-qec", &line, "/dev/null"]).output()?;
    ensure!(
        String::from_utf8_lossy(&typed.stdout).contains("/dev/pts"),
        "a terminal: {}",
        String::from_utf8_lossy(&typed.stdout)
    );
    let described = c.k("describe pod hello")?;
    for event in ["Scheduled", "Pulled", "Created", "Started"] {
        ensure!(described.contains(event), "describe shows no {event}: {described}");
    }
    c.k("delete pod hello --timeout=30s")?;
    let mut watch = c
        .kubectl_command(&["get", "pods", "-w", "-ojsonpath={.metadata.name} {.status.phase}{\"\\n\"}"])
        .stdout(Stdio::piped())
        .spawn()?;
    let timed = quick(c, figures, watch.stdout.take());
    watch.kill()?;
    watch.wait()?;
    timed?;
    let names: Vec<String> = (0..20).map(|number| format!("quick-{number}")).collect();
    c.k(&format!("delete pod {} --grace-period=0 --force", names.join(" "))).map(drop)
}

/// Twenty pods, one after the other, each until a watcher sees it running.
fn quick(c: &Cluster, figures: &mut Figures, watched: Option<ChildStdout>) -> Result<()> {
    let mut lines = BufReader::new(watched.context("no output")?).lines();
    for number in 0..20 {
        let name = format!("quick-{number}");
        let begin = Instant::now();
        c.kubectl_with(&["create", "-f", "-"], &pod(&name, "sleep 1000"))?.ok()?;
        figures.add("kubectl create of a pod, alone", begin.elapsed());
        let running = format!("{name} Running");
        while lines.next().context("the watch ended")?? != running {}
        figures.add("kubectl create to Running as a watcher sees it, image present", begin.elapsed());
    }
    Ok(())
}

/// Exit codes, back-off, the OOM killer, environment, emptyDir, hostPath, a readiness probe.
pub fn lives(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.apply(&pod("fails", "exit 3").replace("\"spec\":{", "\"spec\":{\"restartPolicy\":\"Never\","))?;
    c.wait("Failed with 3", Duration::from_secs(20), || {
        Ok(c.field("pod fails", ".status.phase")? == "Failed"
            && c.field("pod fails", ".status.containerStatuses[0].state.terminated.exitCode")? == "3")
    })?;
    c.apply(&pod("again", "exit 1"))?;
    c.wait("CrashLoopBackOff", Duration::from_secs(30), || Ok(c.k("get pod again")?.contains("CrashLoopBackOff")))?;
    let hog =
        pod("hog", "tail /dev/zero").replace("\"command\"", r#""resources":{"limits":{"memory":"32Mi"}},"command""#);
    c.apply(&hog)?;
    c.wait("OOMKilled", Duration::from_secs(30), || {
        let now = c.field("pod hog", ".status.containerStatuses[0].state.terminated.reason")?;
        let last = c.field("pod hog", ".status.containerStatuses[0].lastState.terminated.reason")?;
        Ok(now == "OOMKilled" || last == "OOMKilled")
    })?;
    c.apply(&format!(
        r#"
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{colour: blue, file: "in a file"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: hidden}}
stringData: {{word: sesame}}
---
apiVersion: v1
kind: Pod
metadata: {{name: whole}}
spec:
  terminationGracePeriodSeconds: 1
  volumes:
  - {{name: scratch, emptyDir: {{}}}}
  - {{name: host, hostPath: {{path: /etc, type: Directory}}}}
  - {{name: files, configMap: {{name: settings}}}}
  containers:
  - name: writer
    image: {BUSYBOX}
    command: [sh, -c, "echo $COLOUR $WORD $ME > /scratch/said; sleep 1000"]
    env:
    - {{name: COLOUR, valueFrom: {{configMapKeyRef: {{name: settings, key: colour}}}}}}
    - {{name: WORD, valueFrom: {{secretKeyRef: {{name: hidden, key: word}}}}}}
    - {{name: ME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
    volumeMounts: [{{name: scratch, mountPath: /scratch}}]
  - name: reader
    image: {BUSYBOX}
    command: [sleep, "1000"]
    readinessProbe: {{exec: {{command: [test, -s, /scratch/said]}}, periodSeconds: 1}}
    volumeMounts:
    - {{name: scratch, mountPath: /scratch}}
    - {{name: host, mountPath: /host, readOnly: true}}
    - {{name: files, mountPath: /files}}
"#
    ))?;
    c.k("wait --for=condition=Ready pod/whole --timeout=30s")?;
    ensure!(
        c.k("exec whole -c reader -- cat /scratch/said")?.trim() == "blue sesame whole",
        "environment and emptyDir"
    );
    ensure!(c.k("exec whole -c reader -- cat /files/file")?.trim() == "in a file", "a ConfigMap's file");
    ensure!(c.k("exec whole -c reader -- cat /host/hostname").is_ok(), "hostPath");
    c.k("delete pod fails again hog whole --timeout=40s")?;
    c.k("delete configmap/settings secret/hidden").map(drop)
}

/// kill -9 of the agent stops no container; started again it finds them and restarts none.
pub fn agent_killed(c: &Cluster, _: &mut Figures) -> Result<()> {
    let manifest = pod("stays", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.2; done")
        .replace("\"spec\":{", "\"spec\":{\"nodeName\":\"n1\",");
    c.apply(&manifest)?;
    c.k("wait --for=condition=Ready pod/stays --timeout=30s")?;
    let id = c.field("pod stays", ".status.containerStatuses[0].containerID")?;
    c.kill_process("n1")?;
    c.host("start", "n1")?;
    c.wait("logs again", Duration::from_secs(15), || Ok(c.kubectl(&["logs", "stays", "--tail=1"])?.code == 0))?;
    let numbers: Vec<u64> = c.k("logs stays")?.lines().filter_map(|line| line.parse().ok()).collect();
    ensure!(numbers.iter().enumerate().all(|(at, number)| *number == at as u64 + 1), "lines are missing: {numbers:?}");
    ensure!(c.field("pod stays", ".status.containerStatuses[0].containerID")? == id, "another container");
    ensure!(c.field("pod stays", ".status.containerStatuses[0].restartCount")? == "0", "it was restarted");
    c.k("delete pod stays --timeout=20s").map(drop)
}
