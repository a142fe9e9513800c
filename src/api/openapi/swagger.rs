//! OpenAPI v2 (Swagger): the paths and schemas of all v3 documents in one, in the words of that version.

use super::Document;
use serde_json::{Map, Value, json};

/// One document of all that [`super::documents`] made; `version` is the server's.
pub fn swagger(documents: &[Document], version: &str) -> Value {
    let (mut paths, mut definitions) = (Map::new(), Map::new());
    for Document { value, .. } in documents {
        for (path, item) in members(value.pointer("/paths")) {
            paths.insert(path.clone(), path_item(item));
        }
        for (name, component) in members(value.pointer("/components/schemas")) {
            definitions.entry(name.clone()).or_insert_with(|| schema(component));
        }
    }
    json!({
        "swagger": "2.0",
        "info": { "title": "Kubernetes", "version": version },
        "paths": paths,
        "definitions": definitions,
    })
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

/// A schema, whose members alone are walked: a property may have the name of a keyword.
fn schema(given: &Value) -> Value {
    let mut out = Map::new();
    for (key, value) in members(Some(given)) {
        match key.as_str() {
            "$ref" => drop(out.insert(key.clone(), reference(value))),
            // In v3 it stands so where something stands beside it.
            "allOf" => drop(out.insert("$ref".to_owned(), reference(&value[0]["$ref"]))),
            "properties" => {
                let properties: Map<String, Value> =
                    members(Some(value)).map(|(name, value)| (name.clone(), schema(value))).collect();
                out.insert(key.clone(), properties.into());
            }
            "items" | "additionalProperties" if value.is_object() => drop(out.insert(key.clone(), schema(value))),
            // Integer or string, quantity: version 2 has one type.
            "oneOf" => drop(out.insert("type".to_owned(), "string".into())),
            "default" | "nullable" | "additionalProperties" => {}
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    out.into()
}

fn reference(to: &Value) -> Value {
    to.as_str().unwrap_or_default().replacen("#/components/schemas/", "#/definitions/", 1).into()
}

fn path_item(given: &Value) -> Value {
    let part = |key: &str, value: &Value| match key {
        "parameters" => parameters(value).into(),
        _ => operation(value),
    };
    Value::Object(members(Some(given)).map(|(key, value)| (key.clone(), part(key, value))).collect())
}

/// A parameter says itself what in v3 its schema says.
fn parameters(given: &Value) -> Vec<Value> {
    let flat = |parameter: &Value| {
        let own = members(Some(parameter)).filter(|(key, _)| *key != "schema");
        let all: Map<String, Value> =
            own.chain(members(parameter.get("schema"))).map(|(k, v)| (k.clone(), v.clone())).collect();
        Value::Object(all)
    };
    given.as_array().into_iter().flatten().map(flat).collect()
}

fn operation(given: &Value) -> Value {
    let mut out = given.clone();
    let mut all = parameters(&given["parameters"]);
    let types =
        |content: Option<&Value>| -> Vec<Value> { members(content).map(|(kind, _)| kind.as_str().into()).collect() };
    let body = given.pointer("/requestBody/content");
    if let Some((_, content)) = members(body).next() {
        out["consumes"] = types(body).into();
        all.push(json!({ "name": "body", "in": "body", "required": true, "schema": schema(&content["schema"]) }));
    }
    out["produces"] = types(given.pointer("/responses/200/content")).into();
    out["parameters"] = all.into();
    let mut responses = Map::new();
    for (code, response) in members(given.get("responses")) {
        let mut flat = json!({ "description": response["description"] });
        if let Some((_, content)) = members(response.get("content")).next() {
            flat["schema"] = schema(&content["schema"]);
        }
        responses.insert(code.clone(), flat);
    }
    out["responses"] = responses.into();
    if let Some(map) = out.as_object_mut() {
        map.remove("requestBody");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::documents;
    use super::*;

    fn made() -> Value {
        swagger(&documents("v1.36.0", true), "v1.36.0")
    }

    #[test]
    fn nothing_of_version_3_is_left() {
        fn walk(value: &Value, definitions: &Value, at: &str) {
            for (key, value) in members(Some(value)) {
                let at = format!("{at}/{key}");
                if key == "$ref"
                    && let Some(name) = value.as_str()
                {
                    let name = name.strip_prefix("#/definitions/");
                    assert!(name.is_some_and(|name| definitions.get(name).is_some()), "{at}: {value}");
                }
                // Some of these words are names of properties too.
                let word = !at.ends_with(&format!("properties/{key}"));
                assert!(
                    !word || !["allOf", "oneOf", "nullable", "content", "requestBody"].contains(&key.as_str()),
                    "{at}"
                );
                walk(value, definitions, &at);
            }
            for value in value.as_array().into_iter().flatten() {
                walk(value, definitions, at);
            }
        }
        let made = made();
        walk(&made, &made["definitions"], "");
        for word in ["swagger", "info", "paths", "definitions"] {
            assert!(made.get(word).is_some(), "{word}");
        }
    }

    #[test]
    fn schemas_and_operations_say_what_old_clients_look_for() {
        let made = made();
        let spec = &made["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"];
        assert_eq!(spec["containers"]["items"]["$ref"], "#/definitions/io.k8s.api.core.v1.Container");
        assert_eq!(spec["containers"]["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(spec["affinity"]["$ref"], "#/definitions/io.k8s.api.core.v1.Affinity");
        assert!(spec["affinity"]["description"].is_string());
        let either = &made["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
        assert_eq!((&either["type"], &either["format"]), (&json!("string"), &json!("int-or-string")));
        let quantity = &made["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"];
        assert_eq!(quantity["type"], "string");
        let patch = &made["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        let parameters = patch["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(parameters.iter().any(|one| one["name"] == "fieldValidation" && one["type"] == "string"));
        assert!(parameters.iter().any(|one| one["in"] == "body" && one["schema"]["$ref"].is_string()));
    }
}
