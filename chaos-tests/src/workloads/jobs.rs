//! Jobs: each run writes down that it has ended; what the status counts must agree with it.

use super::{Context, Diary, NAMESPACE, Workload};
use crate::lab::Answer;
use crate::record::{JobEnd, Line};
use crate::steps::BUSYBOX;
use anyhow::Result;
use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const COMPLETIONS: u32 = 4;
/// Jobs at once: two processors have other things to do.
const AT_ONCE: usize = 2;
const EVERY: Duration = Duration::from_secs(6);
/// Once everything is healed.
const PATIENCE: Duration = Duration::from_secs(90);

/// See the module.
pub(super) struct Jobs(pub(super) Diary);

fn all() -> String {
    format!("/apis/batch/v1/namespaces/{NAMESPACE}/jobs")
}

/// Every other one: its runs have indexes.
fn indexed(number: u64) -> bool {
    number.is_multiple_of(2)
}

fn manifest(name: &str, dir: &str, indexed: bool) -> Value {
    let script = format!(
        "life=$(cat /proc/sys/kernel/random/uuid); sleep 1; read up rest < /proc/uptime; \
         echo \"$up $NODE $life ${{JOB_COMPLETION_INDEX:-0}}\" >> /diary/{name}"
    );
    let mode = if indexed { "Indexed" } else { "NonIndexed" };
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "completions": COMPLETIONS, "parallelism": 2, "completionMode": mode, "backoffLimit": 100,
            "template": {"spec": {
                "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                "volumes": [{"name": "diary", "hostPath": {"path": dir}}],
                "containers": [{
                    "name": "c", "image": BUSYBOX, "command": ["sh", "-c", script],
                    "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                    "volumeMounts": [{"name": "diary", "mountPath": "/diary"}],
                }],
            }},
        },
    })
}

fn complete(job: &Value) -> bool {
    let conditions = job["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Complete" && condition["status"] == "True")
}

impl Jobs {
    fn end(&self, name: &str, job: &Value, c: &Context) -> JobEnd {
        let status = &job["status"];
        let lines = self.0.read(c.uptime()).remove(name).unwrap_or_default();
        let mut ran: BTreeMap<u32, Vec<Line>> = BTreeMap::new();
        for line in lines {
            if let Ok(index) = line.word.trim().parse() {
                ran.entry(index).or_default().push(line);
            }
        }
        JobEnd {
            name: name.to_owned(),
            completions: COMPLETIONS,
            indexed: job["spec"]["completionMode"] == "Indexed",
            complete: complete(job),
            succeeded: status["succeeded"].as_u64().unwrap_or(0) as u32,
            indexes: status["completedIndexes"].as_str().unwrap_or_default().to_owned(),
            uncounted: status["uncountedTerminatedPods"].as_object().is_some_and(|pods| !pods.is_empty()),
            ran,
        }
    }

    /// Looks at those that are open; what is complete is written down and removed.
    async fn look(&self, c: &Context, open: &mut Vec<String>, at: usize) {
        for name in std::mem::take(open) {
            let path = format!("{}/{name}", all());
            match c.api.get(at, &path).await {
                Ok(job) if complete(&job) => {
                    let end = self.end(&name, &job, c);
                    c.record.lock().jobs.push(end);
                    let options = json!({"propagationPolicy": "Background"});
                    // One that stays for lack of an answer does no harm.
                    let _ = c.api.ask(at, Method::DELETE, &path, Some(&options)).await;
                }
                _ => open.push(name),
            }
        }
    }
}

#[async_trait]
impl Workload for Jobs {
    fn name(&self) -> &'static str {
        "jobs"
    }

    async fn prepare(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        let dir = self.0.dir().display().to_string();
        let (mut open, mut made, mut at) = (Vec::new(), 0, 0);
        while !c.over() {
            at = (at + 1) % c.api.names().len().max(1);
            self.look(c, &mut open, at).await;
            if open.len() < AT_ONCE {
                let name = format!("job-{made}");
                // One that was made by a question without an answer is there the next time.
                let job = manifest(&name, &dir, indexed(made));
                if let Answer::Said(201 | 409, _) = c.api.ask(at, Method::POST, &all(), Some(&job)).await {
                    made += 1;
                    open.push(name);
                }
            }
            c.pause(EVERY / 2).await;
        }
        c.leave(open);
        Ok(())
    }

    async fn finish(&self, c: &Context) -> Result<()> {
        let mut open = c.left();
        let end = c.now() + PATIENCE;
        let mut at = 0;
        while !open.is_empty() && c.now() < end {
            at = (at + 1) % c.api.names().len().max(1);
            self.look(c, &mut open, at).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        for name in open {
            let job = c.api.get(at, &format!("{}/{name}", all())).await.unwrap_or_default();
            let end = self.end(&name, &job, c);
            c.record.lock().jobs.push(end);
        }
        Ok(())
    }
}
