//! The pods' address ranges of Nodes (`spec.podCIDR`, `spec.podCIDRs`).

use super::hidden;
use crate::write::Target;
use ipnet::IpNet;
use raftsman_api::status::Cause;
use raftsman_api::value::{At, set};
use raftsman_state::{Compare, Key, Op, Resource, View};
use serde_json::{Value, json};

const RESOURCE: &str = "raftsman/podcidrs";

/// By its first address: two ranges that begin at the same one overlap, whatever their sizes.
fn key(range: &IpNet) -> Key {
    Key::new(&Resource::from(RESOURCE), "", &range.network().to_string())
}

/// The Node's ranges, each once; what is no range is for validation to refuse.
fn ranges(node: &Value) -> Vec<IpNet> {
    let all = std::iter::once(node.text("spec.podCIDR"))
        .chain(node.list("spec.podCIDRs").iter().filter_map(Value::as_str))
        .filter_map(|text| text.parse::<IpNet>().ok());
    let mut ranges: Vec<IpNet> = Vec::new();
    for range in all {
        let range = range.trunc();
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    ranges
}

/// The keys of a Node's ranges.
pub(super) fn held(node: &Value) -> Vec<Key> {
    ranges(node).iter().map(key).collect()
}

/// A replacement that leaves the range out keeps it, as upstream does: an agent that registers again does not know it.
pub(super) fn carry_over(old: &Value, node: &mut Value) {
    if node.text("spec.podCIDR").is_empty() && node.list("spec.podCIDRs").is_empty() {
        for field in ["spec.podCIDR", "spec.podCIDRs"] {
            raftsman_api::value::copy(node, old, field);
        }
    }
}

/// Checks the Node's ranges against those of all others, and gives the reservations of the new ones.
pub(super) fn allocate(
    view: &View,
    target: &Target,
    old: Option<&Value>,
    node: &mut Value,
) -> Result<Vec<(Compare, Op)>, Cause> {
    agree(node)?;
    let before = old.map(ranges).unwrap_or_default();
    let new: Vec<IpNet> = ranges(node).into_iter().filter(|range| !before.contains(range)).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let taken = taken(view);
    for range in &new {
        let other = taken.iter().find(|(held, node)| overlap(held, range) && *node != target.name);
        if let Some((held, holder)) = other {
            let why = format!("overlaps {held}, which node {holder} has: choose another range, or none");
            return Err(Cause::invalid("spec.podCIDR", range.to_string(), why));
        }
    }
    let reserve = |range: &IpNet| hidden(key(range), &json!({ "node": target.name, "range": range.to_string() }));
    Ok(new.iter().map(reserve).collect())
}

/// `podCIDR` is the first of `podCIDRs`; who gives one gives the other.
fn agree(node: &mut Value) -> Result<(), Cause> {
    let first = node.text("spec.podCIDR").to_owned();
    let listed = node.list("spec.podCIDRs").first().and_then(Value::as_str).unwrap_or("").to_owned();
    match (first.as_str(), listed.as_str()) {
        ("", "") => Ok(()),
        (_, "") => {
            set(node, "spec.podCIDRs", vec![Value::from(first)]);
            Ok(())
        }
        ("", _) => {
            set(node, "spec.podCIDR", listed);
            Ok(())
        }
        (first, listed) if first == listed => Ok(()),
        (first, listed) => {
            Err(Cause::invalid("spec.podCIDR", first, format!("must be the first of spec.podCIDRs, which is {listed}")))
        }
    }
}

/// Every reserved range and its node.
fn taken(view: &View) -> Vec<(IpNet, String)> {
    view.list(&Resource::from(RESOURCE), None)
        .filter_map(|object| {
            let holder: Value = serde_json::from_slice(&object.json).ok()?;
            Some((holder.text("range").parse().ok()?, holder.text("node").to_owned()))
        })
        .collect()
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_form_of_the_range_gives_the_other_and_they_agree() {
        let mut one = json!({ "spec": { "podCIDR": "10.0.1.0/24" } });
        agree(&mut one).unwrap();
        assert_eq!(one["spec"]["podCIDRs"], json!(["10.0.1.0/24"]));
        let mut other = json!({ "spec": { "podCIDRs": ["10.0.1.0/24", "fd00::/64"] } });
        agree(&mut other).unwrap();
        assert_eq!(other["spec"]["podCIDR"], "10.0.1.0/24");
        assert_eq!(held(&other).len(), 2);
        other["spec"]["podCIDR"] = "10.0.2.0/24".into();
        assert!(agree(&mut other).unwrap_err().message.contains("first of spec.podCIDRs"));
    }

    #[test]
    fn a_replacement_without_a_range_keeps_it() {
        let old = json!({ "spec": { "podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.1.0/24"] } });
        let mut new = json!({ "spec": {} });
        carry_over(&old, &mut new);
        assert_eq!(new, old);
    }
}
