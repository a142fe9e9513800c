//! What was found, for people. Pure.

use crate::check::plan::{Node, Outcome, Probe};
use std::collections::BTreeSet;

/// The text, and whether everything works.
pub(super) fn report(nodes: &[Node], outcomes: &[(Probe, Outcome)]) -> (String, bool) {
    let mut text = String::new();
    for node in nodes {
        if let Some(problem) = &node.problem {
            text.push_str(&format!("FAILED  node {}: {problem}\n", node.name));
        }
    }
    let topics: BTreeSet<_> = outcomes.iter().map(|(probe, _)| probe.topic).collect();
    for topic in topics {
        let of_topic = || outcomes.iter().filter(|(probe, _)| probe.topic == topic);
        let failed: Vec<String> = of_topic()
            .filter_map(|(probe, outcome)| {
                let why = outcome.as_ref().err()?;
                Some(format!("          from {} to {}: {why}\n", probe.from, probe.to))
            })
            .collect();
        let tried = of_topic().count();
        if failed.is_empty() {
            text.push_str(&format!("ok      {topic} ({tried} of {tried})\n"));
        } else {
            text.push_str(&format!("FAILED  {topic} ({} of {tried})\n", tried - failed.len()));
            text.push_str(&failed.concat());
            text.push_str(&format!("        {}\n", topic.advice()));
        }
    }
    let well = outcomes.iter().all(|(_, outcome)| outcome.is_ok()) && nodes.iter().all(|node| node.problem.is_none());
    (text, well)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::plan::Topic;

    #[test]
    fn what_fails_is_named_with_what_to_do() {
        let node = |name: &str, problem: Option<&str>| Node { name: name.into(), problem: problem.map(str::to_owned) };
        let probe = |topic, from: &str, to: &str| Probe {
            topic,
            from: from.into(),
            to: to.into(),
            command: String::new(),
            expect: String::new(),
        };
        let nodes = [node("a", None), node("b", None), node("c", Some("not ready: the agent stopped posting status"))];
        let outcomes = [
            (probe(Topic::SameNode, "a", "server-a"), Ok(())),
            (probe(Topic::SameNode, "b", "server-b"), Ok(())),
            (probe(Topic::Service, "a", "10.96.0.7"), Err("wget: download timed out".to_owned())),
            (probe(Topic::Service, "b", "10.96.0.7"), Ok(())),
        ];
        let golden = format!(
            "\
FAILED  node c: not ready: the agent stopped posting status
ok      pod to pod, same node (2 of 2)
FAILED  Service by address (1 of 2)
          from a to 10.96.0.7: wget: download timed out
        {}
",
            Topic::Service.advice()
        );
        assert_eq!(report(&nodes, &outcomes), (golden, false));
        assert!(report(&nodes[..2], &outcomes[..2]).1);
        assert!(!report(&nodes, &outcomes[..2]).1, "a node that takes no part");
    }
}
