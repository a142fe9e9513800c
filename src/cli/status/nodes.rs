//! The nodes, as the masters know them. One table for a cluster anywhere and for one on this machine.

use super::masters::{days, ending};
use crate::output::columns;
use jiff::Timestamp;
use raftsman_api::config::CERTIFICATE_END_ANNOTATION;
use serde_json::Value;

/// The nodes together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nodes {
    /// Each.
    pub lines: Vec<NodeLine>,
}

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeLine {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its process on this machine, where that is known.
    pub process: Option<String>,
    /// It takes pods; `None`: the masters have never heard of it.
    pub ready: Option<bool>,
    /// Pods on it, where they were counted.
    pub pods: Option<usize>,
    /// Its program's version.
    pub version: String,
    /// Days until its certificate ends.
    pub certificate_days: Option<i64>,
}

impl Nodes {
    /// Of a list of Nodes, today.
    pub fn now(list: &Value) -> Self {
        Self::of(list, Timestamp::now())
    }

    fn of(list: &Value, now: Timestamp) -> Self {
        let items = list["items"].as_array().into_iter().flatten();
        Self { lines: items.map(|node| NodeLine::of(node, now)).collect() }
    }

    /// The line of a node by its name; a new one for what no master knows of.
    pub fn line(&mut self, name: &str) -> &mut NodeLine {
        let at = match self.lines.iter().position(|line| line.name == name) {
            Some(at) => at,
            None => {
                self.lines.push(NodeLine { name: name.to_owned(), ..NodeLine::default() });
                self.lines.len() - 1
            }
        };
        &mut self.lines[at]
    }

    /// Every node is ready.
    pub fn are_well(&self) -> bool {
        self.lines.iter().all(|line| line.ready == Some(true))
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let processes = self.lines.iter().any(|line| line.process.is_some());
        let pods = self.lines.iter().any(|line| line.pods.is_some());
        let front = ["NODE", "ADDRESS"].into_iter().chain(processes.then_some("PROCESS")).chain(["READY"]);
        let head = front.chain(pods.then_some("PODS")).chain(["VERSION", "CERTIFICATE"]);
        let mut all: Vec<Vec<String>> = vec![head.map(str::to_owned).collect()];
        all.extend(self.lines.iter().map(|line| line.cells(processes, pods)));
        let endings = self.lines.iter().map(|line| ending(&line.name, line.certificate_days));
        std::iter::once(columns(&all)).chain(endings).collect()
    }
}

impl NodeLine {
    fn of(node: &Value, now: Timestamp) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let address = list(&node["status"]["addresses"]).into_iter().find(|one| one["type"] == "InternalIP");
        let ready = list(&node["status"]["conditions"]).into_iter().find(|one| one["type"] == "Ready");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let end = node["metadata"]["annotations"][CERTIFICATE_END_ANNOTATION].as_str();
        let end = end.and_then(|end| end.parse::<Timestamp>().ok());
        Self {
            name: text(&node["metadata"]["name"]),
            address: address.map(|one| text(&one["address"])).unwrap_or_default(),
            ready: Some(ready.is_some_and(|one| one["status"] == "True")),
            version: version(node["status"]["nodeInfo"]["containerRuntimeVersion"].as_str().unwrap_or_default()),
            certificate_days: end.map(|end| (end.as_second() - now.as_second()).div_euclid(86_400)),
            ..Self::default()
        }
    }

    fn cells(&self, processes: bool, pods: bool) -> Vec<String> {
        let text = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let ready = match self.ready {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not registered",
        };
        let process = processes.then(|| text(self.process.as_deref().unwrap_or_default()));
        let count = pods.then(|| self.pods.map_or_else(|| "-".to_owned(), |count| count.to_string()));
        let front = [text(&self.name), text(&self.address)].into_iter().chain(process).chain([ready.to_owned()]);
        front.chain(count).chain([text(&self.version), days(self.certificate_days)]).collect()
    }
}

/// The agent's own, which is its runtime's: `raftsman://0.1.0`. What it says as `kubeletVersion` is the API's.
fn version(runtime: &str) -> String {
    runtime.strip_prefix("raftsman://").map(|version| format!("v{version}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nodes() -> Nodes {
        let node = |name: &str, ready: &str, end: Option<&str>| {
            json!({
                "metadata": { "name": name, "annotations": { CERTIFICATE_END_ANNOTATION: end } },
                "status": {
                    "addresses": [{ "type": "InternalIP", "address": "10.0.0.9" }],
                    "conditions": [{ "type": "Ready", "status": ready }],
                    "nodeInfo": { "containerRuntimeVersion": "raftsman://0.1.0" },
                },
            })
        };
        let list = json!({ "items": [
            node("n1", "True", Some("1970-02-15T00:00:00Z")), node("n2", "Unknown", Some("1970-01-13T12:00:00Z")),
            node("n3", "True", Some("1970-01-01T00:00:00Z")), node("n4", "True", None),
        ]});
        Nodes::of(&list, Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(240))
    }

    #[test]
    fn certificates_that_end_soon_are_spoken_of() {
        let golden = "\
NODE   ADDRESS    READY   VERSION   CERTIFICATE
n1     10.0.0.9   yes     v0.1.0    35 days
n2     10.0.0.9   no      v0.1.0    2 days
n3     10.0.0.9   yes     v0.1.0    -10 days
n4     10.0.0.9   yes     v0.1.0    -
n2: its certificate ends in 2 days; `raftsman pki issue` makes a new one
n3: its certificate has ended; `raftsman pki issue` makes a new one
";
        assert_eq!(nodes().text(), golden);
        assert!(!nodes().are_well());
    }

    #[test]
    fn hosts_of_this_machine_have_processes_and_pods() {
        let mut nodes = Nodes { lines: nodes().lines.drain(..1).collect() };
        assert!(nodes.are_well());
        (nodes.line("n1").process, nodes.line("n1").pods) = (Some("pid 7".to_owned()), Some(3));
        nodes.line("n9").process = Some("down".to_owned());
        let golden = "\
NODE   ADDRESS    PROCESS   READY            PODS   VERSION   CERTIFICATE
n1     10.0.0.9   pid 7     yes              3      v0.1.0    35 days
n9     -          down      not registered   -      -         -
";
        assert_eq!(nodes.text(), golden);
        assert!(!nodes.are_well());
    }
}
