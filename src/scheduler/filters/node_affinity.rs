//! `spec.nodeSelector` and required node affinity.

use super::Filter;
use crate::{Demand, NodeInfo};
use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm};

/// Refuses nodes whose labels do not fit.
pub struct NodeAffinity;

impl Filter for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn refuse(&self, pod: &Demand, node: &NodeInfo) -> Vec<String> {
        let selected = pod.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
        let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let required = affinity.and_then(|node| node.required_during_scheduling_ignored_during_execution.as_ref());
        let fits = required.is_none_or(|required| required.node_selector_terms.iter().any(|term| matches(term, node)));
        if selected && fits { Vec::new() } else { vec!["node(s) didn't match Pod's node affinity/selector".to_owned()] }
    }
}

/// A term holds if all of its requirements do; an empty one never does.
pub fn matches(term: &NodeSelectorTerm, node: &NodeInfo) -> bool {
    let labels = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let label = |requirement: &NodeSelectorRequirement| {
        holds(requirement, node.labels.get(&requirement.key).map(String::as_str))
    };
    let field = |requirement: &NodeSelectorRequirement| {
        holds(requirement, (requirement.key == "metadata.name").then_some(node.name.as_str()))
    };
    !(labels.is_empty() && fields.is_empty()) && labels.iter().all(label) && fields.iter().all(field)
}

fn holds(requirement: &NodeSelectorRequirement, found: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = found.is_some_and(|found| values.iter().any(|value| value == found));
    let numbers = || Some((found?.parse::<i64>().ok()?, values.first()?.parse::<i64>().ok()?));
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => numbers().is_some_and(|(found, bound)| found > bound),
        "Lt" => numbers().is_some_and(|(found, bound)| found < bound),
        _ => false,
    }
}
