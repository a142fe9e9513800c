//! Nodes, with the pods that they run.

use crate::describe::page::{Page, items, plain};
use serde_json::Value;

pub(super) fn describe(page: &mut Page, node: &Value, pods: &Value) {
    let (spec, status) = (&node["spec"], &node["status"]);
    let taints = items(&spec["taints"]).map(|taint| {
        let value = taint["value"].as_str().map(|value| format!("={value}")).unwrap_or_default();
        format!("{}{value}:{}", plain(&taint["key"]), plain(&taint["effect"]))
    });
    page.lines("Taints", &taints.collect::<Vec<_>>());
    page.field("Unschedulable", if spec["unschedulable"] == true { "true" } else { "false" });
    page.conditions(node);
    page.section("Addresses", |page| {
        for address in items(&status["addresses"]) {
            page.field(&plain(&address["type"]), plain(&address["address"]));
        }
    });
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        page.section(title, |page| {
            for (name, amount) in status[field].as_object().into_iter().flatten() {
                page.field(name, plain(amount));
            }
        });
    }
    page.section("System Info", |page| {
        for (name, value) in status["nodeInfo"].as_object().into_iter().flatten() {
            page.given(name, value);
        }
    });
    page.given("PodCIDR", &spec["podCIDR"]);
    page.section(&format!("Pods ({} in total)", items(&pods["items"]).count()), |page| {
        let mut rows =
            vec![["Namespace", "Name", "Status", "CPU Requests", "Memory Requests"].map(str::to_owned).to_vec()];
        for pod in items(&pods["items"]) {
            let requests = |resource: &str| {
                let all = items(&pod["spec"]["containers"])
                    .map(|container| plain(&container["resources"]["requests"][resource]));
                let all: Vec<String> = all.filter(|amount| !amount.is_empty()).collect();
                if all.is_empty() { "0".to_owned() } else { all.join("+") }
            };
            rows.push(vec![
                plain(&pod["metadata"]["namespace"]),
                plain(&pod["metadata"]["name"]),
                plain(&pod["status"]["phase"]),
                requests("cpu"),
                requests("memory"),
            ]);
        }
        page.table(&rows);
    });
}
