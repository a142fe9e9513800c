//! `v1 ConfigMap`.

use crate::cause::invalid_each;
use crate::format;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text};
use crate::status::Cause;
use crate::value::At;
use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

/// The most that the values of one ConfigMap or Secret may be together.
pub const SIZE_MOST: usize = 1024 * 1024;

/// Config maps.
pub struct ConfigMap;

impl Kind for ConfigMap {
    type Object = core::ConfigMap;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short_names: &["cm"],
        categories: &[],
        namespaced: true,
        subresources: &[],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] = &[NAME, text("Data", "Number of entries."), AGE];

    fn validate(object: &core::ConfigMap) -> Vec<Cause> {
        let mut causes = Vec::new();
        let mut size = 0;
        for (key, value) in object.data.iter().flatten() {
            let path = format!("data[{key}]");
            causes.extend(invalid_each(&path, key, format::config_key(key)));
            if object.binary_data.as_ref().is_some_and(|data| data.contains_key(key)) {
                causes.push(Cause::invalid(path, key.as_str(), "duplicate of key present in binaryData"));
            }
            size += value.len();
        }
        for (key, value) in object.binary_data.iter().flatten() {
            causes.extend(invalid_each(&format!("binaryData[{key}]"), key, format::config_key(key)));
            size += value.0.len();
        }
        if size > SIZE_MOST {
            causes.push(Cause::too_long("data", SIZE_MOST));
        }
        causes
    }

    fn validate_update(new: &core::ConfigMap, old: &core::ConfigMap, _: Option<Subresource>) -> Vec<Cause> {
        if old.immutable != Some(true) {
            return Vec::new();
        }
        let mut causes = Vec::new();
        if new.immutable != Some(true) {
            causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
        }
        if new.data != old.data {
            causes.push(Cause::forbidden("data", "field is immutable when `immutable` is set"));
        }
        if new.binary_data != old.binary_data {
            causes.push(Cause::forbidden("binaryData", "field is immutable when `immutable` is set"));
        }
        causes
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let count = |path: &str| object.map(path).map_or(0, serde_json::Map::len);
        vec![columns::name(object), (count("data") + count("binaryData")).into(), columns::age(object, now)]
    }
}
