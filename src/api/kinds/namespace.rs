//! `v1 Namespace`.

use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text};
use crate::metadata;
use crate::status::Cause;
use crate::value::{At, copy, ensure, set, set_default};
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

const NAME_LABEL: &str = "kubernetes.io/metadata.name";
const FINALIZER: &str = "kubernetes";

/// Namespaces.
pub struct Namespace;

impl Kind for Namespace {
    type Object = core::Namespace;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short_names: &["ns"],
        categories: &[],
        namespaced: false,
        subresources: &[Subresource::Status, Subresource::Finalize],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] = &[NAME, text("Status", "The status of the namespace"), AGE];

    const SELECTABLE: &'static [&'static str] = &["status.phase"];

    fn default(object: &mut Value) {
        let name = object.text("metadata.name").to_owned();
        if !name.is_empty()
            && let Some(labels) = ensure(object, "metadata.labels")
        {
            labels.insert(NAME_LABEL.to_owned(), name.into());
        }
        set_default(object, "status.phase", "Active");
        set_default(object, "spec", json!({}));
    }

    fn prepare_create(object: &mut Value) {
        set(object, "status", json!({ "phase": "Active" }));
        let mut finalizers = object.list("spec.finalizers").to_vec();
        if !finalizers.iter().any(|name| name == FINALIZER) {
            finalizers.push(FINALIZER.into());
        }
        set(object, "spec.finalizers", finalizers);
    }

    fn prepare_update(object: &mut Value, old: &Value, part: Option<Subresource>) {
        if part != Some(Subresource::Finalize) {
            copy(object, old, "spec.finalizers");
        }
    }

    fn validate(object: &core::Namespace) -> Vec<Cause> {
        let finalizers = object.spec.iter().flat_map(|spec| spec.finalizers.iter().flatten());
        finalizers.flat_map(|name| metadata::finalizer(name, "spec.finalizers")).collect()
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        vec![columns::name(object), object.text("status.phase").into(), columns::age(object, now)]
    }
}
