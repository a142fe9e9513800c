//! `v1 Event`.

use crate::duration;
use crate::kind::{Column, Kind, KindInfo};
use crate::kinds::columns::{self, text, wide};
use crate::status::Cause;
use crate::value::{At, set_default};
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

/// Events.
pub struct Event;

impl Kind for Event {
    type Object = core::Event;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "Event",
        plural: "events",
        singular: "event",
        short_names: &["ev"],
        categories: &[],
        namespaced: true,
        subresources: &[],
        counts_generations: false,
    };

    const CREATES_ON_UPDATE: bool = true;

    const COLUMNS: &'static [Column] = &[
        text("Last Seen", "Time of the most recent occurrence of this event."),
        text("Type", "Type of this event (Normal, Warning), new types could be added in the future"),
        text(
            "Reason",
            "This should be a short, machine understandable string that gives the reason for the transition into the object's current status.",
        ),
        text("Object", "The object that this event is about."),
        wide(
            "Subobject",
            "If referring to a piece of an object instead of an entire object, this string should contain a valid JSON/Go field access statement.",
        ),
        wide("Source", "The component reporting this event. Should be a short machine understandable string."),
        text("Message", "A human-readable description of the status of this operation."),
        wide("First Seen", "The time at which the event was first recorded."),
        wide("Count", "The number of times this event has occurred."),
        Column { name: "Name", kind: "string", format: "name", priority: 1, description: "Name of the event." },
    ];

    const SELECTABLE: &'static [&'static str] = &[
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ];

    fn default(object: &mut Value) {
        set_default(object, "reportingComponent", "");
        set_default(object, "reportingInstance", "");
        set_default(object, "source", json!({}));
    }

    fn validate(object: &core::Event) -> Vec<Cause> {
        let involved = object.involved_object.namespace.as_deref().unwrap_or("");
        let own = object.metadata.namespace.as_deref().unwrap_or("");
        let fits = if involved.is_empty() { own.is_empty() || own == "default" } else { own == involved };
        if fits {
            return Vec::new();
        }
        vec![Cause::invalid("involvedObject.namespace", involved, "does not match event.namespace")]
    }

    fn field(object: &Value, path: &'static str) -> String {
        if path != "source" {
            return object.text(path).to_owned();
        }
        match object.text("source.component") {
            "" => object.text("reportingComponent").to_owned(),
            component => component.to_owned(),
        }
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let first = match object.text("firstTimestamp") {
            "" => object.text("eventTime"),
            time => time,
        };
        let series = object.map("series").is_some();
        let last = match (series, object.text("lastTimestamp")) {
            (true, _) => object.text("series.lastObservedTime"),
            (false, "") => first,
            (false, time) => time,
        };
        let count = if series { object.int("series.count") } else { object.int("count") };
        let kind = object.text("involvedObject.kind").to_lowercase();
        let target = match object.text("involvedObject.name") {
            "" => kind,
            name => format!("{kind}/{name}"),
        };
        vec![
            duration::age(last, now).into(),
            object.text("type").into(),
            object.text("reason").into(),
            target.into(),
            object.text("involvedObject.fieldPath").into(),
            source(object).into(),
            object.text("message").trim().into(),
            duration::age(first, now).into(),
            count.filter(|count| *count != 0).unwrap_or(1).into(),
            columns::name(object),
        ]
    }
}

fn source(event: &Value) -> String {
    let (component, host) = match event.text("source.component") {
        "" => (event.text("reportingComponent"), event.text("reportingInstance")),
        component => (component, event.text("source.host")),
    };
    if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") }
}
