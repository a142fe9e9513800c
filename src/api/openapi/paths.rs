//! Paths: every resource and its parts, with the operations that are served.

use super::schemas::list_definition;
use crate::kind::{KindInfo, Subresource};
use serde_json::{Map, Value, json};

const JSON_TYPE: &str = "application/json";
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{definition}") })
}

fn query(name: &str, kind: &str, description: &str) -> Value {
    json!({
        "name": name, "in": "query", "description": description,
        "schema": { "type": kind, "uniqueItems": true },
    })
}

fn segment(name: &str, description: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": description,
        "schema": { "type": "string", "uniqueItems": true },
    })
}

fn write_queries() -> Vec<Value> {
    vec![
        query("dryRun", "string", "When present, indicates that modifications should not be persisted: All."),
        query(
            "fieldManager",
            "string",
            "fieldManager is a name associated with the actor or entity that is making these changes.",
        ),
        query(
            "fieldValidation",
            "string",
            "fieldValidation instructs the server on how to handle unknown or duplicate fields: Ignore, Warn or Strict.",
        ),
    ]
}

fn delete_queries() -> Vec<Value> {
    vec![
        query("dryRun", "string", "When present, indicates that modifications should not be persisted: All."),
        query("gracePeriodSeconds", "integer", "The duration in seconds before the object should be deleted."),
        query(
            "propagationPolicy",
            "string",
            "Whether and how garbage collection will be performed: Orphan, Background or Foreground.",
        ),
    ]
}

fn list_queries() -> Vec<Value> {
    vec![
        query("allowWatchBookmarks", "boolean", "allowWatchBookmarks requests watch events with type \"BOOKMARK\"."),
        query("continue", "string", "The continue option should be set when retrieving more results from the server."),
        query("fieldSelector", "string", "A selector to restrict the list of returned objects by their fields."),
        query("labelSelector", "string", "A selector to restrict the list of returned objects by their labels."),
        query("limit", "integer", "limit is a maximum number of responses to return for a list call."),
        query(
            "resourceVersion",
            "string",
            "resourceVersion sets a constraint on what resource versions a request may be served from.",
        ),
        query(
            "resourceVersionMatch",
            "string",
            "resourceVersionMatch determines how resourceVersion is applied to list calls.",
        ),
        query("sendInitialEvents", "boolean", "sendInitialEvents=true may be set together with watch=true."),
        query("timeoutSeconds", "integer", "Timeout for the list/watch call."),
        query("watch", "boolean", "Watch for changes to the described resources."),
    ]
}

/// What an operation's answer and body are made of.
struct Shape<'a> {
    info: &'a KindInfo,
    /// Group, version and kind of what the operation is about.
    identity: Value,
    /// Definition of bodies and answers.
    definition: String,
    apply: bool,
}

impl Shape<'_> {
    fn operation(&self, action: &str, id: &str, answer: &str, parameters: Vec<Value>) -> Value {
        json!({
            "operationId": id,
            "tags": [self.info.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core")],
            "parameters": parameters,
            "responses": {
                "200": { "description": "OK", "content": { JSON_TYPE: { "schema": reference(answer) } } },
                "401": { "description": "Unauthorized" },
            },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": self.identity,
        })
    }

    fn with_body(&self, mut operation: Value, types: &[&str], definition: &str) -> Value {
        let content: Map<String, Value> =
            types.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": reference(definition) }))).collect();
        operation["requestBody"] = json!({ "required": true, "content": content });
        operation
    }

    fn get(&self, id: &str) -> Value {
        self.operation("get", id, &self.definition, Vec::new())
    }

    fn put(&self, id: &str) -> Value {
        let operation = self.operation("put", id, &self.definition, write_queries());
        self.with_body(operation, &[JSON_TYPE], &self.definition)
    }

    fn post(&self, id: &str) -> Value {
        let operation = self.operation("post", id, &self.definition, write_queries());
        self.with_body(operation, &[JSON_TYPE], &self.definition)
    }

    fn patch(&self, id: &str) -> Value {
        let mut queries = write_queries();
        let mut types = vec![
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
        ];
        if self.apply {
            types.push("application/apply-patch+yaml");
            queries.push(query("force", "boolean", "Force is going to \"force\" Apply requests."));
        }
        let operation = self.operation("patch", id, &self.definition, queries);
        self.with_body(operation, &types, &format!("{META}.Patch"))
    }
}

fn identity(info: &KindInfo) -> Value {
    json!({ "group": info.group, "version": info.version, "kind": info.kind })
}

fn item(parameters: Vec<Value>, operations: Vec<(&str, Value)>) -> Value {
    let mut item: Map<String, Value> =
        operations.into_iter().map(|(method, operation)| (method.to_owned(), operation)).collect();
    item.insert("parameters".to_owned(), parameters.into());
    Value::Object(item)
}

/// Adds a kind's paths below `base` (`/apis/apps/v1`).
pub(super) fn add(paths: &mut Map<String, Value>, base: &str, info: &KindInfo, apply: bool) {
    let shape = Shape { info, identity: identity(info), definition: info.definition(), apply };
    let scope = if info.namespaced { "Namespaced" } else { "" };
    let kind = info.kind;
    let collection = if info.namespaced {
        format!("{base}/namespaces/{{namespace}}/{}", info.plural)
    } else {
        format!("{base}/{}", info.plural)
    };
    let mut outer = Vec::new();
    if info.namespaced {
        outer.push(segment("namespace", "object name and auth scope, such as for teams and projects"));
        let id = format!("list{kind}ForAllNamespaces");
        let list = shape.operation("list", &id, &list_definition(info), list_queries());
        paths.insert(format!("{base}/{}", info.plural), item(Vec::new(), vec![("get", list)]));
    }
    let list = shape.operation("list", &format!("list{scope}{kind}"), &list_definition(info), list_queries());
    let mut many = list_queries();
    many.extend(delete_queries());
    let status = format!("{META}.Status");
    let delete_many = shape.operation("deletecollection", &format!("deleteCollection{scope}{kind}"), &status, many);
    let operations =
        vec![("get", list), ("post", shape.post(&format!("create{scope}{kind}"))), ("delete", delete_many)];
    paths.insert(collection.clone(), item(outer.clone(), operations));

    let mut inner = outer;
    inner.push(segment("name", &format!("name of the {kind}")));
    let delete = shape.operation("delete", &format!("delete{scope}{kind}"), &status, delete_queries());
    let operations = vec![
        ("get", shape.get(&format!("read{scope}{kind}"))),
        ("put", shape.put(&format!("replace{scope}{kind}"))),
        ("patch", shape.patch(&format!("patch{scope}{kind}"))),
        ("delete", shape.with_body(delete, &[JSON_TYPE], &format!("{META}.DeleteOptions"))),
    ];
    paths.insert(format!("{collection}/{{name}}"), item(inner.clone(), operations));
    for part in info.subresources {
        let operations = part_operations(info, *part, scope, apply);
        paths.insert(format!("{collection}/{{name}}/{}", part.path()), item(inner.clone(), operations));
    }
}

fn part_operations(info: &KindInfo, part: Subresource, scope: &str, apply: bool) -> Vec<(&'static str, Value)> {
    let (group, version, kind, definition) = match part {
        Subresource::Scale => ("autoscaling", "v1", "Scale", "io.k8s.api.autoscaling.v1.Scale".to_owned()),
        Subresource::Binding => ("", "v1", "Binding", "io.k8s.api.core.v1.Binding".to_owned()),
        Subresource::Eviction => ("policy", "v1", "Eviction", "io.k8s.api.policy.v1.Eviction".to_owned()),
        Subresource::Token => ("authentication.k8s.io", "v1", "TokenRequest", info.definition()),
        _ => (info.group, info.version, info.kind, info.definition()),
    };
    let identity = json!({ "group": group, "version": version, "kind": kind });
    let shape = Shape { info, identity, definition, apply };
    let path = part.path();
    let id = |verb: &str| format!("{verb}{scope}{}{}{}", info.kind, path[..1].to_uppercase(), &path[1..]);
    match part {
        Subresource::Status | Subresource::Scale | Subresource::EphemeralContainers => {
            vec![
                ("get", shape.get(&id("read"))),
                ("put", shape.put(&id("replace"))),
                ("patch", shape.patch(&id("patch"))),
            ]
        }
        Subresource::Finalize => vec![("put", shape.put(&id("replace")))],
        Subresource::Binding | Subresource::Eviction | Subresource::Token => {
            vec![("post", shape.post(&id("create")))]
        }
        Subresource::Log => vec![("get", shape.get(&id("read")))],
        Subresource::Exec | Subresource::Attach | Subresource::PortForward => ["get", "post"]
            .into_iter()
            .map(|method| {
                let id = id(&format!("connect{}", if method == "get" { "Get" } else { "Post" }));
                (method, shape.operation("connect", &id, &shape.definition, Vec::new()))
            })
            .collect(),
    }
}
