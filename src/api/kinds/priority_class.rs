//! `scheduling.k8s.io/v1 PriorityClass`.

use crate::cause::immutable;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, integer, text};
use crate::status::Cause;
use crate::value::{At, set_default};
use k8s_openapi::api::scheduling::v1 as scheduling;
use serde_json::Value;

/// The highest value that a user may give.
const USER_MOST: i32 = 1_000_000_000;
const SYSTEM_PREFIX: &str = "system-";

/// Priority classes.
pub struct PriorityClass;

impl Kind for PriorityClass {
    type Object = scheduling::PriorityClass;

    const INFO: KindInfo = KindInfo {
        group: "scheduling.k8s.io",
        version: "v1",
        kind: "PriorityClass",
        plural: "priorityclasses",
        singular: "priorityclass",
        short_names: &["pc"],
        categories: &[],
        namespaced: false,
        subresources: &[],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        integer("Value", "value represents the integer value of this priority class."),
        Column {
            name: "Global-Default",
            kind: "boolean",
            format: "",
            priority: 0,
            description: "globalDefault specifies whether this PriorityClass should be considered as the default priority for pods that do not have any priority class.",
        },
        AGE,
        text("PreemptionPolicy", "preemptionPolicy is the Policy for preempting pods with lower priority."),
    ];

    fn default(object: &mut Value) {
        set_default(object, "value", 0);
        set_default(object, "preemptionPolicy", "PreemptLowerPriority");
    }

    fn validate(object: &scheduling::PriorityClass) -> Vec<Cause> {
        let mut causes = Vec::new();
        let (name, value) = (object.metadata.name.as_deref().unwrap_or(""), object.value.unwrap_or(0));
        let system = matches!(
            (name, value),
            ("system-cluster-critical", 2_000_000_000) | ("system-node-critical", 2_000_001_000)
        );
        if !system && name.starts_with(SYSTEM_PREFIX) {
            let detail = "priority class names with 'system-' prefix are reserved for system use only";
            causes.push(Cause::forbidden("metadata.name", detail));
        }
        if !system && value > USER_MOST {
            let detail = format!("maximum allowed value of a user defined priority is {USER_MOST}");
            causes.push(Cause::forbidden("value", detail));
        }
        let policy = object.preemption_policy.as_deref().unwrap_or("");
        if !["PreemptLowerPriority", "Never"].contains(&policy) {
            causes.push(Cause::not_supported("preemptionPolicy", policy, &["PreemptLowerPriority", "Never"]));
        }
        causes
    }

    fn validate_update(
        new: &scheduling::PriorityClass,
        old: &scheduling::PriorityClass,
        _: Option<Subresource>,
    ) -> Vec<Cause> {
        let mut causes = Vec::new();
        if new.value != old.value {
            causes.push(Cause::forbidden("value", "may not be changed in an update."));
        }
        causes.extend(immutable("preemptionPolicy", &new.preemption_policy, &old.preemption_policy));
        causes
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        vec![
            columns::name(object),
            object.int("value").unwrap_or(0).into(),
            object.flag("globalDefault").into(),
            columns::age(object, now),
            object.text("preemptionPolicy").into(),
        ]
    }
}
