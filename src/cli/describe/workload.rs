//! ReplicationControllers and the kinds of `apps`.

use crate::describe::page::{Page, plain};
use crate::describe::pod::containers;
use serde_json::Value;

pub(super) fn describe(page: &mut Page, object: &Value) {
    let (spec, status) = (&object["spec"], &object["status"]);
    page.field("Selector", crate::pods::selector_of(object).unwrap_or_default());
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let (desired, now) = (number(&spec["replicas"]), number(&status["replicas"]));
    let (ready, available) = (number(&status["readyReplicas"]), number(&status["availableReplicas"]));
    match status["updatedReplicas"].as_u64() {
        Some(updated) => page.field(
            "Replicas",
            format!("{desired} desired | {updated} updated | {now} total | {available} available | {ready} ready"),
        ),
        None => page.field("Replicas", format!("{now} current / {desired} desired, {ready} ready")),
    }
    page.given("Strategy", &spec["strategy"]["type"]);
    page.given("Update Strategy", &spec["updateStrategy"]["type"]);
    page.given("Partition", &spec["updateStrategy"]["rollingUpdate"]["partition"]);
    if spec["strategy"]["rollingUpdate"].is_object() {
        let rolling = &spec["strategy"]["rollingUpdate"];
        page.field(
            "Rolling Update",
            format!("{} max unavailable, {} max surge", plain(&rolling["maxUnavailable"]), plain(&rolling["maxSurge"])),
        );
    }
    page.section("Pod Template", |page| {
        page.map("Labels", &spec["template"]["metadata"]["labels"]);
        let pod = &spec["template"]["spec"];
        page.section("Containers", |page| containers(page, &pod["containers"], &Value::Null));
    });
    page.conditions(object);
}
