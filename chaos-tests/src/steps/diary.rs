//! A place where pods say that they run, readable whatever has become of their node.

use crate::cluster::Cluster;
use crate::steps::BUSYBOX;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What pods of all nodes write into: the nodes are on one machine.
pub struct Diary(PathBuf);

/// One line: when on the machine's clock (10 ms), on which node, which container.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Seconds of [`uptime`].
    pub at: f64,
    /// The node.
    pub node: String,
    /// Another one after each start of the container.
    pub life: String,
}

impl Diary {
    /// Begins anew: nothing is written, and nobody writes.
    ///
    /// # Errors
    /// What an earlier step left does not go.
    pub fn new(c: &Cluster) -> Result<Self> {
        // It would write into a directory that is gone.
        c.k("delete statefulsets keeper killed free --ignore-not-found --timeout=60s")?;
        c.k("delete pods keeper free served asks crashing --ignore-not-found --timeout=60s")?;
        let dir = c.dir().join("diary");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    /// Where it is, as a volume of a pod.
    pub fn volume(&self) -> Value {
        json!({"name": "diary", "hostPath": {"path": self.0}})
    }

    /// What a name has written.
    pub fn lines(&self, name: &str) -> Vec<Line> {
        let text = std::fs::read_to_string(self.0.join(name)).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split(' ');
            let at = words.next()?.parse().ok()?;
            Some(Line { at, node: words.next()?.to_owned(), life: words.next()?.to_owned() })
        };
        text.lines().filter_map(line).collect()
    }

    /// What it has written last.
    ///
    /// # Errors
    /// Nothing.
    pub fn last(&self, name: &str) -> Result<Line> {
        self.lines(name).pop().with_context(|| format!("pod {name} has written nothing"))
    }

    /// How long the pod has said nothing.
    ///
    /// # Errors
    /// It never said anything.
    pub fn silent(&self, name: &str) -> Result<f64> {
        Ok(uptime()? - self.last(name)?.at)
    }

    /// The spec of a pod that writes 20 times a second.
    pub fn spec(&self, name: &str) -> Value {
        let script = format!(
            "life=$(cat /proc/sys/kernel/random/uuid); while true; do read up rest < /proc/uptime; \
             echo \"$up $NODE $life\" >> /diary/{name}; sleep 0.05; done"
        );
        json!({
            "terminationGracePeriodSeconds": 1,
            "volumes": [self.volume()],
            "containers": [{
                "name": "main", "image": BUSYBOX, "command": ["sh", "-c", script],
                "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                "volumeMounts": [{"name": "diary", "mountPath": "/diary"}],
            }],
        })
    }

    /// Such a pod, which chose how it is fenced.
    pub fn pod(&self, name: &str, fencing: &str) -> String {
        let metadata = json!({"name": name, "annotations": {"raftsman.io/fencing": fencing}});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": self.spec(name)}).to_string()
    }
}

/// Seconds on the machine's clock, which its pods see too.
///
/// # Errors
/// /proc says something else.
pub fn uptime() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/uptime")?;
    text.split(' ').next().and_then(|up| up.parse().ok()).context("/proc/uptime")
}
