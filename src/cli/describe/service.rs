//! Services, with their endpoints.

use crate::describe::page::{Page, items, plain};
use serde_json::Value;

pub(super) fn describe(page: &mut Page, service: &Value, slices: &Value) {
    let spec = &service["spec"];
    page.map("Selector", &spec["selector"]);
    page.field("Type", plain(&spec["type"]));
    page.field("IP", plain(&spec["clusterIP"]));
    page.given("External IPs", &spec["externalIPs"]);
    page.given("External Name", &spec["externalName"]);
    for port in items(&spec["ports"]) {
        let name = port["name"].as_str().unwrap_or("<unset>");
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        page.field("Port", format!("{name}  {}/{protocol}", port["port"]));
        page.field("TargetPort", format!("{}/{protocol}", plain(&port["targetPort"])));
        if port["nodePort"].as_u64().is_some_and(|number| number > 0) {
            page.field("NodePort", format!("{name}  {}/{protocol}", port["nodePort"]));
        }
        page.field("Endpoints", endpoints(slices, &port["name"]).join(","));
    }
    page.given("Session Affinity", &spec["sessionAffinity"]);
    page.given("External Traffic Policy", &spec["externalTrafficPolicy"]);
}

/// `ip:port` of everything that is ready behind a port of this name.
fn endpoints(slices: &Value, name: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for slice in items(&slices["items"]) {
        let own = |port: &&Value| port["name"].as_str().unwrap_or_default() == name.as_str().unwrap_or_default();
        for port in items(&slice["ports"]).filter(own) {
            // Absent means ready (discovery/v1 EndpointConditions).
            for endpoint in items(&slice["endpoints"]).filter(|endpoint| endpoint["conditions"]["ready"] != false) {
                all.extend(items(&endpoint["addresses"]).map(|ip| format!("{}:{}", plain(ip), port["port"])));
            }
        }
    }
    all
}
