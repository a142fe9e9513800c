//! Rows of `kubectl get`, against what upstream prints for the same objects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::registry;
use crate::strict::parse_yaml_documents;
use crate::value::At;
use serde_json::Value;

const NOW: &str = "2026-03-04T05:06:07Z";

fn row(object: &Value) -> String {
    let api = object.text("apiVersion");
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    let strategy = registry::by_kind(group, version, object.text("kind")).unwrap();
    assert_eq!(strategy.decode(object).unwrap().unknown, Vec::<String>::new());
    let cells = strategy.cells(object, NOW);
    assert_eq!(cells.len(), strategy.columns().len());
    let shown = cells.iter().map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned));
    shown.collect::<Vec<_>>().join(" | ")
}

/// Objects and, in the same order, the rows they make.
#[test]
fn rows_are_upstreams() {
    let documents = parse_yaml_documents(include_bytes!("rows.golden.yaml"));
    assert!(documents.len() > 30, "{}", documents.len());
    for document in documents {
        let (case, duplicates) = document.parsed.unwrap_or_else(|cause| panic!("line {}: {cause:?}", document.line));
        assert!(duplicates.is_empty(), "line {}: {duplicates:?}", document.line);
        assert_eq!(row(case.at("object")), case.text("row"), "rows.golden.yaml, line {}", document.line);
    }
}

#[test]
fn columns_are_upstreams() {
    let columns = |plural: &str| -> Vec<String> {
        let strategy = registry::by_name_or_short(plural).unwrap();
        strategy
            .columns()
            .iter()
            .map(|column| format!("{}{}", column.name, "*".repeat(column.priority as usize)))
            .collect()
    };
    assert_eq!(
        columns("pods"),
        ["Name", "Ready", "Status", "Restarts", "Age", "IP*", "Node*", "Nominated Node*", "Readiness Gates*"]
    );
    assert_eq!(
        columns("deploy"),
        ["Name", "Ready", "Up-to-date", "Available", "Age", "Containers*", "Images*", "Selector*"]
    );
    assert_eq!(columns("rs"), ["Name", "Desired", "Current", "Ready", "Age", "Containers*", "Images*", "Selector*"]);
    assert_eq!(columns("rc"), columns("rs"));
    assert_eq!(columns("svc"), ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector*"]);
    assert_eq!(
        columns("nodes"),
        [
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            "Internal-IP*",
            "External-IP*",
            "OS-Image*",
            "Kernel-Version*",
            "Container-Runtime*"
        ]
    );
    assert_eq!(
        columns("events"),
        ["Last Seen", "Type", "Reason", "Object", "Subobject*", "Source*", "Message", "First Seen*", "Count*", "Name*"]
    );
    assert_eq!(columns("secrets"), ["Name", "Type", "Data", "Age"]);
    assert_eq!(columns("cm"), ["Name", "Data", "Age"]);
    assert_eq!(columns("ns"), ["Name", "Status", "Age"]);
    assert_eq!(columns("sa"), ["Name", "Secrets", "Age"]);
    assert_eq!(columns("ep"), ["Name", "Endpoints", "Age"]);
    assert_eq!(columns("endpointslices"), ["Name", "AddressType", "Ports", "Endpoints", "Age"]);
    assert_eq!(columns("leases"), ["Name", "Holder", "Age"]);
}
