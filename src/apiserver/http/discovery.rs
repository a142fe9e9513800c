//! What is served: the old lists and the aggregated form, both from the registry of kinds.

use raftsman_api::kind::{KindInfo, Subresource};
use raftsman_api::registry;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A served part of a resource.
struct Part {
    name: &'static str,
    kind: (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
}

/// A served resource.
struct Resource {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
    verbs: &'static [&'static str],
    parts: Vec<Part>,
}

fn part(info: &'static KindInfo, part: Subresource) -> Part {
    let own = (info.group, info.version, info.kind);
    let (kind, verbs): (_, &[&str]) = match part {
        Subresource::Status | Subresource::EphemeralContainers => (own, &["get", "patch", "update"]),
        Subresource::Scale => (("autoscaling", "v1", "Scale"), &["get", "patch", "update"]),
        Subresource::Binding => (("", "v1", "Binding"), &["create"]),
        Subresource::Eviction => (("policy", "v1", "Eviction"), &["create"]),
        Subresource::Log => (own, &["get"]),
        Subresource::Exec => (("", "v1", "PodExecOptions"), &["create", "get"]),
        Subresource::Attach => (("", "v1", "PodAttachOptions"), &["create", "get"]),
        Subresource::PortForward => (("", "v1", "PodPortForwardOptions"), &["create", "get"]),
        Subresource::Finalize => (own, &["update"]),
        Subresource::Token => (("authentication.k8s.io", "v1", "TokenRequest"), &["create"]),
    };
    Part { name: part.path(), kind, verbs }
}

/// Parts that are named in the registry and served here.
pub(crate) fn is_served(part: Subresource) -> bool {
    part != Subresource::Token
}

fn review(group: &'static str, kind: &'static str, plural: &'static str, singular: &'static str) -> Resource {
    Resource {
        group,
        version: "v1",
        kind,
        plural,
        singular,
        short_names: &[],
        categories: &[],
        namespaced: false,
        verbs: &["create"],
        parts: Vec::new(),
    }
}

fn resources() -> Vec<Resource> {
    let mut all: Vec<Resource> = registry::all()
        .iter()
        .map(|strategy| {
            let info = strategy.info();
            let parts = info.subresources.iter().copied().filter(|part| is_served(*part));
            Resource {
                group: info.group,
                version: info.version,
                kind: info.kind,
                plural: info.plural,
                singular: info.singular,
                short_names: info.short_names,
                categories: info.categories,
                namespaced: info.namespaced,
                verbs: &VERBS,
                parts: parts.map(|one| part(info, one)).collect(),
            }
        })
        .collect();
    let bindings = Resource { namespaced: true, ..review("", "Binding", "bindings", "binding") };
    all.push(bindings);
    all.push(review("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview"));
    let group = "authorization.k8s.io";
    all.push(review(group, "SelfSubjectAccessReview", "selfsubjectaccessreviews", "selfsubjectaccessreview"));
    all.push(review(group, "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview"));
    all
}

/// Named groups and their versions, in order. `policy` is there for the kind of evictions.
fn groups() -> BTreeSet<(&'static str, &'static str)> {
    let mut groups: BTreeSet<_> =
        resources().iter().map(|one| (one.group, one.version)).filter(|(group, _)| !group.is_empty()).collect();
    groups.insert(("policy", "v1"));
    groups
}

/// Whether a group and version are served.
pub(crate) fn serves(group: &str, version: &str) -> bool {
    group.is_empty() && version == "v1" || groups().contains(&(group, version))
}

fn group_json(group: &str) -> Value {
    let versions: Vec<Value> = groups()
        .into_iter()
        .filter(|(own, _)| *own == group)
        .map(|(group, version)| json!({ "groupVersion": format!("{group}/{version}"), "version": version }))
        .collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({ "name": group, "versions": versions, "preferredVersion": preferred })
}

/// `/api`.
pub(crate) fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": address }],
    })
}

/// `/apis`.
pub(crate) fn group_list() -> Value {
    let names: BTreeSet<&str> = groups().into_iter().map(|(group, _)| group).collect();
    let groups: Vec<Value> = names.into_iter().map(group_json).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`; `None` if it is not served.
pub(crate) fn group(name: &str) -> Option<Value> {
    let mut group = group_json(name);
    if group["versions"].as_array().is_none_or(Vec::is_empty) {
        return None;
    }
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    Some(group)
}

/// `/api/v1`, `/apis/GROUP/VERSION`; `None` if it is not served.
pub(crate) fn resource_list(group: &str, version: &str) -> Option<Value> {
    if !serves(group, version) {
        return None;
    }
    let mut list = Vec::new();
    for one in resources().into_iter().filter(|one| one.group == group && one.version == version) {
        let mut entry = json!({
            "name": one.plural, "singularName": one.singular, "namespaced": one.namespaced, "kind": one.kind,
            "verbs": one.verbs,
        });
        if !one.short_names.is_empty() {
            entry["shortNames"] = one.short_names.into();
        }
        if !one.categories.is_empty() {
            entry["categories"] = one.categories.into();
        }
        list.push(entry);
        for part in one.parts {
            let mut entry = json!({
                "name": format!("{}/{}", one.plural, part.name), "singularName": "", "namespaced": one.namespaced,
                "kind": part.kind.2, "verbs": part.verbs,
            });
            if (part.kind.0, part.kind.1) != (group, version) {
                entry["group"] = part.kind.0.into();
                entry["version"] = part.kind.1.into();
            }
            list.push(entry);
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list }))
}

/// The aggregated form (`apidiscovery.k8s.io/v2 APIGroupDiscoveryList`) of `/api` (`core`) or `/apis`.
pub(crate) fn aggregated(core: bool, version: &str) -> Value {
    let versions = if core { BTreeSet::from([("", "v1")]) } else { groups() };
    let names: BTreeSet<&str> = versions.iter().map(|(group, _)| *group).collect();
    let all = resources();
    let items: Vec<Value> = names
        .into_iter()
        .map(|name| {
            let of_group: Vec<Value> = versions
                .iter()
                .filter(|(group, _)| *group == name)
                .map(|(group, version)| {
                    let own = all.iter().filter(|one| one.group == *group && one.version == *version);
                    let resources: Vec<Value> = own.map(aggregated_resource).collect();
                    json!({ "version": version, "resources": resources, "freshness": "Current" })
                })
                .collect();
            let metadata = if name.is_empty() { json!({}) } else { json!({ "name": name }) };
            json!({ "metadata": metadata, "versions": of_group })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {},
        "items": items,
    })
}

fn aggregated_resource(one: &Resource) -> Value {
    let kind = |(group, version, kind): (&str, &str, &str)| json!({ "group": group, "version": version, "kind": kind });
    let mut entry = json!({
        "resource": one.plural,
        "responseKind": kind((one.group, one.version, one.kind)),
        "scope": if one.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": one.singular,
        "verbs": one.verbs,
    });
    if !one.short_names.is_empty() {
        entry["shortNames"] = one.short_names.into();
    }
    if !one.categories.is_empty() {
        entry["categories"] = one.categories.into();
    }
    if !one.parts.is_empty() {
        entry["subresources"] = one
            .parts
            .iter()
            .map(|part| json!({ "subresource": part.name, "responseKind": kind(part.kind), "verbs": part.verbs }))
            .collect();
    }
    entry
}
