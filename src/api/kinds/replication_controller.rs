//! `v1 ReplicationController`.

use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, integer, wide};
use crate::kinds::template::{default_template, nonnegative, template_warnings, validate_template};
use crate::metadata;
use crate::selector::Selector;
use crate::status::Cause;
use crate::value::{At, set, set_default};
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

/// Replication controllers.
pub struct ReplicationController;

impl Kind for ReplicationController {
    type Object = core::ReplicationController;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "ReplicationController",
        plural: "replicationcontrollers",
        singular: "replicationcontroller",
        short_names: &["rc"],
        categories: &["all"],
        namespaced: true,
        subresources: &[Subresource::Status, Subresource::Scale],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        integer("Desired", "Replicas is the number of desired replicas."),
        integer("Current", "Replicas is the most recently observed number of replicas."),
        integer("Ready", "The number of ready replicas for this replication controller."),
        AGE,
        wide("Containers", "Names of each container in the template."),
        wide("Images", "Images referenced by each container in the template."),
        wide("Selector", "Selector is a label query over pods that should match the replicas count."),
    ];

    const ORPHANS_BY_DEFAULT: bool = true;

    const SELECTABLE: &'static [&'static str] = &["status.replicas"];

    fn default(object: &mut Value) {
        let labels = object.at("spec.template.metadata.labels").clone();
        if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
            set_default(object, "spec.selector", labels.clone());
            if object.map("metadata.labels").is_none_or(serde_json::Map::is_empty) {
                set(object, "metadata.labels", labels);
            }
        }
        set_default(object, "spec.replicas", 1);
        default_template(object);
    }

    fn prepare_create(object: &mut Value) {
        set(object, "status", json!({ "replicas": 0 }));
    }

    fn validate(object: &core::ReplicationController) -> Vec<Cause> {
        let Some(spec) = &object.spec else {
            return vec![Cause::required("spec.selector", ""), Cause::required("spec.template", "")];
        };
        let mut causes = nonnegative("spec.minReadySeconds", spec.min_ready_seconds);
        causes.extend(nonnegative("spec.replicas", spec.replicas));
        let selector = spec.selector.clone().unwrap_or_default();
        causes.extend(metadata::labels(&json!(selector), "spec.selector"));
        if selector.is_empty() {
            causes.push(Cause::required("spec.selector", ""));
        }
        match &spec.template {
            None => causes.push(Cause::required("spec.template", "")),
            Some(template) => {
                let selector = Selector::from_map(&selector);
                causes.extend(validate_template(template, Some(&selector), "ReplicationController"));
            }
        }
        causes
    }

    fn warnings(object: &Value) -> Vec<String> {
        template_warnings(object)
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let (names, images) = columns::containers(object.at("spec.template.spec"));
        vec![
            columns::name(object),
            object.int("spec.replicas").unwrap_or(0).into(),
            object.int("status.replicas").unwrap_or(0).into(),
            object.int("status.readyReplicas").unwrap_or(0).into(),
            columns::age(object, now),
            names,
            images,
            columns::pairs(object.at("spec.selector")),
        ]
    }
}
