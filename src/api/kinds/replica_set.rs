//! `apps/v1 ReplicaSet`.

use crate::cause::immutable;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, integer, wide};
use crate::kinds::template::{default_template, nonnegative, required_selector, template_warnings, validate_template};
use crate::selector::Selector;
use crate::status::Cause;
use crate::value::{At, set, set_default};
use k8s_openapi::api::apps::v1 as apps;
use serde_json::{Value, json};

/// Replica sets.
pub struct ReplicaSet;

impl Kind for ReplicaSet {
    type Object = apps::ReplicaSet;

    const INFO: KindInfo = KindInfo {
        group: "apps",
        version: "v1",
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short_names: &["rs"],
        categories: &["all"],
        namespaced: true,
        subresources: &[Subresource::Status, Subresource::Scale],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        integer("Desired", "Replicas is the number of desired pods."),
        integer("Current", "Replicas is the most recently observed number of non-terminating pods."),
        integer(
            "Ready",
            "readyReplicas is the number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.",
        ),
        AGE,
        wide("Containers", "Names of each container in the template."),
        wide("Images", "Images referenced by each container in the template."),
        wide("Selector", "Selector is a label query over pods that should match the replica count."),
    ];

    const SELECTABLE: &'static [&'static str] = &["status.replicas"];

    fn default(object: &mut Value) {
        set_default(object, "spec.replicas", 1);
        default_template(object);
    }

    fn prepare_create(object: &mut Value) {
        set(object, "status", json!({ "replicas": 0 }));
    }

    fn validate(object: &apps::ReplicaSet) -> Vec<Cause> {
        let Some(spec) = &object.spec else {
            return vec![Cause::required("spec.selector", ""), Cause::required("spec.template", "")];
        };
        let mut causes = nonnegative("spec.replicas", spec.replicas);
        causes.extend(nonnegative("spec.minReadySeconds", spec.min_ready_seconds));
        let (selector, wrong) = required_selector(&spec.selector);
        causes.extend(wrong);
        match &spec.template {
            None => causes.push(Cause::required("spec.template", "")),
            Some(template) => causes.extend(validate_template(template, selector.as_ref(), "ReplicaSet")),
        }
        causes
    }

    fn validate_update(new: &apps::ReplicaSet, old: &apps::ReplicaSet, _: Option<Subresource>) -> Vec<Cause> {
        match (&new.spec, &old.spec) {
            (Some(new), Some(old)) => immutable("spec.selector", &new.selector, &old.selector),
            _ => Vec::new(),
        }
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
            Selector::shown(object.at("spec.selector")).into(),
        ]
    }
}
