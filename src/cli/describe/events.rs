//! Events that tell of an object, the oldest first.

use crate::connect::{Cluster, Failure};
use crate::describe::page::{items, plain};
use crate::output::columns;
use crate::resources::query;
use jiff::Timestamp;
use serde_json::Value;

/// The table, with its title.
pub(super) async fn table(cluster: &Cluster, object: &Value) -> Result<String, Failure> {
    let metadata = &object["metadata"];
    // Events about what has no namespace are in `default`.
    let namespace = metadata["namespace"].as_str().unwrap_or("default");
    let mut selector = format!("involvedObject.name={}", plain(&metadata["name"]));
    // A node's events name it by its name, not always by its uid.
    if metadata["namespace"].is_string() {
        selector = format!("{selector},involvedObject.uid={}", plain(&metadata["uid"]));
    } else if let Some(kind) = object["kind"].as_str() {
        selector = format!("{selector},involvedObject.kind={kind}");
    }
    let query = query(&[("fieldSelector", Some(selector))]);
    let list = cluster.read(&format!("/api/v1/namespaces/{namespace}/events{query}")).await?;
    Ok(render(&list, Timestamp::now()))
}

pub(super) fn render(list: &Value, now: Timestamp) -> String {
    let mut events: Vec<&Value> = items(&list["items"]).collect();
    if events.is_empty() {
        return format!("{:<18} <none>\n", "Events:");
    }
    events.sort_by_key(|event| last(event));
    let mut rows = vec![
        ["  Type", "Reason", "Age", "From", "Message"].map(str::to_owned).to_vec(),
        ["  ----", "------", "----", "----", "-------"].map(str::to_owned).to_vec(),
    ];
    for event in events {
        let count = event["count"].as_u64().or(event["series"]["count"].as_u64()).unwrap_or(1);
        let age = age(last(event), now);
        let age = if count > 1 { format!("{age} (x{count} over {})", self::age(first(event), now)) } else { age };
        let from = [&event["source"]["component"], &event["reportingComponent"]]
            .into_iter()
            .map(plain)
            .find(|from| !from.is_empty());
        rows.push(vec![
            format!("  {}", plain(&event["type"])),
            plain(&event["reason"]),
            age,
            from.unwrap_or_default(),
            plain(&event["message"]).trim().to_owned(),
        ]);
    }
    format!("Events:\n{}", columns(&rows))
}

fn time(candidates: [&Value; 4]) -> Option<Timestamp> {
    candidates.into_iter().find_map(|value| value.as_str()?.parse().ok())
}

fn last(event: &Value) -> Option<Timestamp> {
    let series = &event["series"]["lastObservedTime"];
    time([series, &event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]])
}

fn first(event: &Value) -> Option<Timestamp> {
    time([&event["firstTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"], &Value::Null])
}

/// `12s`, `3m4s`, `5h`, `2d`: as kubectl shortens it.
fn age(time: Option<Timestamp>, now: Timestamp) -> String {
    let Some(time) = time else {
        return "<unknown>".to_owned();
    };
    let seconds = now.duration_since(time).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 if seconds % 60 != 0 => format!("{}m{}s", seconds / 60, seconds % 60),
        120..10_800 => format!("{}m", seconds / 60),
        10_800..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
