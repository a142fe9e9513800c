//! Jobs.

use crate::describe::page::{Page, plain};
use crate::describe::pod::containers;
use serde_json::Value;

pub(super) fn describe(page: &mut Page, object: &Value) {
    let (spec, status) = (&object["spec"], &object["status"]);
    page.field("Selector", crate::pods::selector_of(object).unwrap_or_default());
    page.given("Parallelism", &spec["parallelism"]);
    page.given("Completions", &spec["completions"]);
    page.given("Completion Mode", &spec["completionMode"]);
    page.given("Suspend", &spec["suspend"]);
    page.given("Backoff Limit", &spec["backoffLimit"]);
    page.given("Backoff Limit Per Index", &spec["backoffLimitPerIndex"]);
    page.given("Active Deadline Seconds", &spec["activeDeadlineSeconds"]);
    page.given("TTL Seconds After Finished", &spec["ttlSecondsAfterFinished"]);
    page.given("Start Time", &status["startTime"]);
    page.given("Completed At", &status["completionTime"]);
    let count = |field: &str| status[field].as_u64().unwrap_or(0);
    page.field(
        "Pods Statuses",
        format!(
            "{} Active ({} Ready) / {} Succeeded / {} Failed / {} Terminating",
            count("active"),
            count("ready"),
            count("succeeded"),
            count("failed"),
            count("terminating")
        ),
    );
    if spec["completionMode"] == "Indexed" {
        page.field("Completed Indexes", plain(&status["completedIndexes"]));
        page.given("Failed Indexes", &status["failedIndexes"]);
    }
    page.section("Pod Template", |page| {
        page.map("Labels", &spec["template"]["metadata"]["labels"]);
        let pod = &spec["template"]["spec"];
        page.section("Containers", |page| containers(page, &pod["containers"], &Value::Null));
    });
    page.conditions(object);
}
