//! The documents and their index.

use super::{paths, schemas};
use crate::kind::{KindInfo, Strategy};
use crate::registry;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The document of one group and version.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its path below `/openapi/v3/`: `api/v1`, `apis/apps/v1`.
    pub path: String,
    /// Changes with its contents.
    pub hash: String,
    /// The document.
    pub value: Value,
}

/// `api/v1` or `apis/apps/v1`.
fn path(info: &KindInfo) -> String {
    if info.group.is_empty() {
        format!("api/{}", info.version)
    } else {
        format!("apis/{}/{}", info.group, info.version)
    }
}

fn hash(text: &str) -> String {
    // FNV-1a, 64 bits: names a version of a document, guards nothing.
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016X}")
}

/// All documents. `version` is the server's (`v1.36.0`); `server_side_apply` says whether `PATCH` takes apply patches.
/// Worth keeping: making them takes long.
pub fn documents(version: &str, server_side_apply: bool) -> Vec<Document> {
    let paths: BTreeSet<String> = registry::all().iter().map(|strategy| path(strategy.info())).collect();
    paths
        .into_iter()
        .map(|path| {
            let value = document(&path, version, server_side_apply);
            Document { hash: hash(&value.to_string()), path, value }
        })
        .collect()
}

fn document(at: &str, version: &str, server_side_apply: bool) -> Value {
    let kinds: Vec<&dyn Strategy> =
        registry::all().iter().copied().filter(|strategy| path(strategy.info()) == at).collect();
    let mut all = Map::new();
    for strategy in &kinds {
        paths::add(&mut all, &format!("/{at}"), strategy.info(), server_side_apply);
    }
    let all = Value::Object(all);
    let schemas = schemas::reachable(&all, &kinds);
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": version },
        "paths": all,
        "components": { "schemas": schemas },
    })
}

/// What `/openapi/v3` answers.
pub fn index(documents: &[Document]) -> Value {
    let paths: Map<String, Value> = documents
        .iter()
        .map(|document| {
            let url = format!("/openapi/v3/{}?hash={}", document.path, document.hash);
            (document.path.clone(), json!({ "serverRelativeURL": url }))
        })
        .collect();
    json!({ "paths": paths })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn apps() -> Value {
        documents("v1.36.0", false).into_iter().find(|document| document.path == "apis/apps/v1").unwrap().value
    }

    #[test]
    fn every_reference_resolves() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str));
                    map.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        for document in documents("v1.36.0", true) {
            let mut found = Vec::new();
            references(&document.value, &mut found);
            assert!(!found.is_empty());
            for reference in found {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.value.pointer(pointer).is_some(), "{}: {reference}", document.path);
            }
        }
    }

    #[test]
    fn schemas_carry_what_clients_patch_by() {
        let apps = apps();
        let schemas = &apps["components"]["schemas"];
        let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
        assert_eq!(containers["x-kubernetes-list-type"], "map");
        assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
        let volumes = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["volumes"];
        assert_eq!(volumes["x-kubernetes-patch-strategy"], "merge,retainKeys");
        let gvk = &schemas["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"];
        assert_eq!(*gvk, json!([{ "group": "apps", "version": "v1", "kind": "Deployment" }]));
        assert_eq!(schemas["io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"]["x-kubernetes-map-type"], "atomic");
    }

    #[test]
    fn paths_tell_kubectl_that_the_server_validates() {
        let apps = apps();
        let patch = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        let names: Vec<&str> =
            patch["parameters"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
        assert!(names.contains(&"fieldValidation") && names.contains(&"dryRun"), "{names:?}");
        let content = patch["requestBody"]["content"].as_object().unwrap();
        assert!(content.contains_key("application/strategic-merge-patch+json"));
        assert!(!content.contains_key("application/apply-patch+yaml"));
    }

    #[test]
    fn the_index_changes_with_the_contents() {
        let (one, two) = (index(&documents("v1.36.0", false)), index(&documents("v1.36.0", true)));
        assert!(one["paths"]["api/v1"]["serverRelativeURL"].as_str().unwrap().starts_with("/openapi/v3/api/v1?hash="));
        assert_ne!(one, two);
        assert_eq!(one, index(&documents("v1.36.0", false)));
    }
}
