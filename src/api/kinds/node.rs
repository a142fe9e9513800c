//! `v1 Node`.

use crate::cause::invalid_each;
use crate::format;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, or_none, text, wide};
use crate::meta;
use crate::status::Cause;
use crate::value::{At, set, set_default};
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};

const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const ROLE: &str = "kubernetes.io/role";

/// Nodes.
pub struct Node;

impl Kind for Node {
    type Object = core::Node;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short_names: &["no"],
        categories: &[],
        namespaced: false,
        subresources: &[Subresource::Status],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Status", "The status of the node"),
        text("Roles", "The roles of the node"),
        AGE,
        text("Version", "Kubelet Version reported by the node."),
        wide("Internal-IP", "List of addresses reachable to the node."),
        wide("External-IP", "List of addresses reachable to the node."),
        wide("OS-Image", "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy))."),
        wide("Kernel-Version", "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64)."),
        wide("Container-Runtime", "ContainerRuntime Version reported by the node through runtime remote API."),
    ];

    const SELECTABLE: &'static [&'static str] = &["spec.unschedulable"];
    const STATUS_WRITES_METADATA: bool = true;
    const CREATES_STATUS: bool = true;

    fn default(object: &mut Value) {
        set_default(object, "spec", json!({}));
        set_default(object, "status", json!({}));
        if object.has("status.capacity") && !object.has("status.allocatable") {
            let capacity = object.at("status.capacity").clone();
            set(object, "status.allocatable", capacity);
        }
    }

    fn validate(object: &core::Node) -> Vec<Cause> {
        let mut causes = Vec::new();
        let Some(spec) = &object.spec else {
            return causes;
        };
        let mut seen = HashSet::new();
        for (index, taint) in spec.taints.iter().flatten().enumerate() {
            let at = format!("spec.taints[{index}]");
            causes.extend(invalid_each(&format!("{at}.key"), &taint.key, format::qualified_name(&taint.key)));
            let value = taint.value.as_deref().unwrap_or("");
            causes.extend(invalid_each(&format!("{at}.value"), value, format::label_value(value)));
            match taint.effect.as_str() {
                "" => causes.push(Cause::required(format!("{at}.effect"), "")),
                "NoSchedule" | "PreferNoSchedule" | "NoExecute" => {}
                other => causes.push(Cause::not_supported(
                    format!("{at}.effect"),
                    other,
                    &["NoSchedule", "PreferNoSchedule", "NoExecute"],
                )),
            }
            if !seen.insert((&taint.key, &taint.effect)) {
                let detail = json!({ "key": taint.key, "effect": taint.effect });
                causes.push(Cause::duplicate(&at, detail));
            }
        }
        for (index, cidr) in spec.pod_cidrs.iter().flatten().enumerate() {
            if cidr.parse::<ipnet::IpNet>().is_err() {
                let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
                causes.push(Cause::invalid(format!("spec.podCIDRs[{index}]"), cidr.as_str(), detail));
            }
        }
        causes
    }

    fn validate_update(new: &core::Node, old: &core::Node, _: Option<Subresource>) -> Vec<Cause> {
        let (Some(new), Some(old)) = (&new.spec, &old.spec) else {
            return Vec::new();
        };
        let mut causes = Vec::new();
        let forbidden = "node updates may not change podCIDR except from \"\" to valid";
        if old.pod_cidr.as_ref().is_some_and(|cidr| !cidr.is_empty()) && new.pod_cidr != old.pod_cidr {
            causes.push(Cause::forbidden("spec.podCIDR", forbidden));
        }
        let provider = old.provider_id.as_ref().is_some_and(|id| !id.is_empty());
        if provider && new.provider_id != old.provider_id {
            let detail = "node updates may not change providerID except from \"\" to valid";
            causes.push(Cause::forbidden("spec.providerID", detail));
        }
        causes
    }

    fn field(object: &Value, path: &'static str) -> String {
        object.flag(path).to_string()
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let unknown = |path: &str| -> Value {
            match object.text(path) {
                "" => "<unknown>".into(),
                found => found.into(),
            }
        };
        vec![
            columns::name(object),
            status(object).into(),
            or_none(&roles(object)),
            columns::age(object, now),
            object.text("status.nodeInfo.kubeletVersion").into(),
            address(object, "InternalIP"),
            address(object, "ExternalIP"),
            unknown("status.nodeInfo.osImage"),
            unknown("status.nodeInfo.kernelVersion"),
            unknown("status.nodeInfo.containerRuntimeVersion"),
        ]
    }
}

fn status(node: &Value) -> String {
    let ready = match meta::condition(node, "Ready") {
        None => "Unknown",
        Some(condition) if condition.text("status") == "True" => "Ready",
        Some(_) => "NotReady",
    };
    let cordoned = if node.flag("spec.unschedulable") { ",SchedulingDisabled" } else { "" };
    format!("{ready}{cordoned}")
}

fn roles(node: &Value) -> String {
    let mut roles = BTreeSet::new();
    for (key, value) in meta::labels(node) {
        match key.strip_prefix(ROLE_PREFIX) {
            Some(role) if !role.is_empty() => {
                roles.insert(role);
            }
            _ if key == ROLE && !value.is_empty() => {
                roles.insert(value);
            }
            _ => {}
        }
    }
    roles.into_iter().collect::<Vec<_>>().join(",")
}

fn address(node: &Value, kind: &str) -> Value {
    let found = node.list("status.addresses").iter().find(|address| address.text("type") == kind);
    or_none(found.map_or("", |address| address.text("address")))
}
