//! Pods on nodes.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::{BUSYBOX, pod};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

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
    c.wait("the log", PATIENCE, || Ok(c.k("logs hello")? == "one\ntwo\n"))?;
    ensure!(c.k("exec hello -- cat /etc/hostname")?.trim() == "hello", "the host name");
    ensure!(c.kubectl(&["exec", "hello", "--", "sh", "-c", "exit 7"])?.code == 7, "exec passes the exit code on");
    let fed = c.kubectl_with(&["exec", "-i", "hello", "--", "cat"], "through and back")?.ok()?;
    ensure!(fed == "through and back", "exec -i: {fed}");
    let mut terminal = Command::new("script");
    let line = format!(
        "stty rows 31 cols 107; {} --kubeconfig {} exec -it hello -- sh -c 'sleep 1; tty; stty size'",
        c.kubectl.display(),
        c.dir().join("admin.kubeconfig").display()
    );
    let typed = terminal.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output()?;
    let typed = String::from_utf8_lossy(&typed.stdout).into_owned();
    ensure!(typed.contains("/dev/pts") && typed.contains("31 107"), "a terminal of our terminal's size: {typed}");
    c.wait("its Events", PATIENCE, || {
        let described = c.k("describe pod hello")?;
        let missing =
            ["Scheduled", "Pulled", "Created", "Started"].into_iter().find(|event| !described.contains(event));
        ensure!(missing.is_none(), "describe shows no {missing:?}: {described}");
        Ok(true)
    })?;
    c.k("delete pod hello --timeout=30s")?;
    logs(c)?;
    shared(c)?;
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

/// logs -f until the container ends, of the one before, of a time, with times.
fn logs(c: &Cluster) -> Result<()> {
    let script = "if test -e /kept/once; then echo second life; exec sleep 1000; fi; touch /kept/once; \
                  echo early; sleep 4; echo late; sleep 1; exit 1";
    let manifest = pod("told", script)
        .replace("\"command\"", r#""volumeMounts":[{"name":"kept","mountPath":"/kept"}],"command""#)
        .replace("\"spec\":{", r#""spec":{"volumes":[{"name":"kept","emptyDir":{}}],"#);
    c.apply(&manifest)?;
    c.wait("the first line", PATIENCE, || Ok(c.k("logs told")?.starts_with("early\n")))?;
    // It ends by itself, with the container.
    ensure!(c.k("logs -f told")? == "early\nlate\n", "logs -f of the first life");
    c.wait("the second life", Duration::from_secs(60), || Ok(c.k("logs told")? == "second life\n"))?;
    ensure!(c.k("logs told --previous")? == "early\nlate\n", "logs --previous");
    let stamped = c.k("logs told --previous --timestamps")?;
    let times: Vec<&str> = stamped.lines().filter_map(|line| line.split_once(' ')).map(|(time, _)| time).collect();
    let shaped = |time: &&str| time.len() >= 20 && time.as_bytes().get(10) == Some(&b'T') && time.ends_with('Z');
    ensure!(times.len() == 2 && times.iter().all(shaped) && times.is_sorted(), "times: {stamped}");
    let late = times.last().copied().unwrap_or_default();
    ensure!(c.k(&format!("logs told --previous --since-time={late}"))? == "late\n", "logs --since-time");
    ensure!(c.k("logs told --since=1h")? == "second life\n", "logs --since, all of it");
    c.wait("nothing is new", PATIENCE, || Ok(c.k("logs told --since=1s")?.is_empty()))?;
    c.k("delete pod told --timeout=30s").map(drop)
}

/// Containers of a pod that share their processes: the first one is the pause container's.
fn shared(c: &Cluster) -> Result<()> {
    let manifest = pod("together", "exec sleep 1234").replace(
        "\"containers\":[",
        &format!(
            r#""shareProcessNamespace":true,"containers":[{{"name":"side","image":"{BUSYBOX}","command":["sleep","4321"]}},"#
        ),
    );
    c.apply(&manifest)?;
    c.k("wait --for=condition=Ready pod/together --timeout=30s")?;
    let first = c.k("exec together -c side -- cat /proc/1/comm")?;
    ensure!(first.trim() == "pause", "process 1 is {first:?}");
    let seen = c.k("exec together -c main -- ps -o args")?;
    ensure!(seen.contains("sleep 1234") && seen.contains("sleep 4321"), "they do not see each other: {seen}");
    c.k("delete pod together --timeout=30s").map(drop)
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
    c.wait("Failed with 3", PATIENCE, || {
        Ok(c.field("pod fails", ".status.phase")? == "Failed"
            && c.field("pod fails", ".status.containerStatuses[0].state.terminated.exitCode")? == "3")
    })?;
    c.apply(&pod("again", "exit 1"))?;
    c.wait("CrashLoopBackOff", Duration::from_secs(60), || Ok(c.k("get pod again")?.contains("CrashLoopBackOff")))?;
    let hog =
        pod("hog", "tail /dev/zero").replace("\"command\"", r#""resources":{"limits":{"memory":"32Mi"}},"command""#);
    c.apply(&hog)?;
    c.wait("OOMKilled", Duration::from_secs(60), || {
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
    c.wait("logs again", PATIENCE, || c.k("logs stays --tail=1").map(|line| !line.is_empty()))?;
    let numbers: Vec<u64> = c.k("logs stays")?.lines().filter_map(|line| line.parse().ok()).collect();
    ensure!(numbers.iter().enumerate().all(|(at, number)| *number == at as u64 + 1), "lines are missing: {numbers:?}");
    ensure!(c.field("pod stays", ".status.containerStatuses[0].containerID")? == id, "another container");
    ensure!(c.field("pod stays", ".status.containerStatuses[0].restartCount")? == "0", "it was restarted");
    c.k("delete pod stays --timeout=20s").map(drop)
}
