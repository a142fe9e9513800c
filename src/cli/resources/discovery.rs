//! The server's catalog of resources, by aggregated discovery, or the older lists where a server lacks it.

use crate::connect::{Cluster, Failure};
use crate::resources::Resource;
use anyhow::bail;
use serde_json::Value;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// Everything that the server serves, preferred versions first.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// The resources.
    pub resources: Vec<Resource>,
}

impl Catalog {
    /// Asks the server.
    pub async fn fetch(cluster: &Cluster) -> Result<Self, Failure> {
        let (core, groups) = futures::try_join!(cluster.get("/api", AGGREGATED), cluster.get("/apis", AGGREGATED))?;
        let mut resources = Vec::new();
        for answer in [core, groups] {
            if answer["kind"] == "APIGroupDiscoveryList" {
                resources.extend(aggregated(&answer));
            } else {
                for (path, group, version) in older(&answer) {
                    resources.extend(listed(&cluster.read(&path).await?, &group, &version));
                }
            }
        }
        Ok(Self { resources })
    }

    /// By plural, singular, short name or kind, also with `.group` or `.version.group`.
    pub fn find(&self, word: &str) -> anyhow::Result<&Resource> {
        let lower = word.to_lowercase();
        let (name, rest) = lower.split_once('.').unwrap_or((&lower, ""));
        let placed = |resource: &&Resource| {
            rest.is_empty()
                || resource.group == rest
                || rest == format!("{}.{}", resource.version, resource.group)
                || (resource.group.is_empty() && rest == resource.version)
        };
        let matches = |resource: &Resource| {
            resource.plural == name
                || resource.singular == name
                || resource.short.iter().any(|short| short == name)
                || resource.kind.to_lowercase() == name
        };
        // A name that is someone's plural wins over one that is another's short name.
        let plural = self.resources.iter().filter(placed).find(|resource| resource.plural == name);
        match plural.or_else(|| self.resources.iter().filter(placed).find(|resource| matches(resource))) {
            Some(resource) => Ok(resource),
            None => bail!("the server doesn't have a resource type {word:?}{}", self.near(name)),
        }
    }

    /// By a manifest's `apiVersion` and `kind`.
    pub fn of_kind(&self, api_version: &str, kind: &str) -> anyhow::Result<&Resource> {
        let found = self.resources.iter().find(|r| r.kind == kind && r.api_version() == api_version);
        if let Some(resource) = found {
            return Ok(resource);
        }
        let elsewhere: Vec<String> =
            self.resources.iter().filter(|r| r.kind == kind).map(Resource::api_version).collect();
        if elsewhere.is_empty() {
            bail!("kind: the server has no kind {kind:?}{}", self.near(&kind.to_lowercase()));
        }
        bail!("apiVersion: kind {kind} is not in {api_version:?}; it is in {}", elsewhere.join(", "))
    }

    /// Everything of a category.
    pub fn category(&self, name: &str) -> Vec<&Resource> {
        self.resources.iter().filter(|resource| resource.categories.iter().any(|category| category == name)).collect()
    }

    fn near(&self, name: &str) -> String {
        let near = self.resources.iter().find(|resource| {
            let plural = &resource.plural;
            name.len() > 3 && (plural.starts_with(&name[..name.len().min(4)]) || plural.contains(name))
        });
        near.map(|resource| format!("; did you mean {}?", resource.plural)).unwrap_or_default()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// `APIGroupDiscoveryList` (apidiscovery.k8s.io/v2).
fn aggregated(answer: &Value) -> Vec<Resource> {
    let mut resources: Vec<Resource> = Vec::new();
    for group in answer["items"].as_array().into_iter().flatten() {
        for version in group["versions"].as_array().into_iter().flatten() {
            for entry in version["resources"].as_array().into_iter().flatten() {
                resources.push(Resource {
                    group: text(&group["metadata"]["name"]),
                    version: text(&version["version"]),
                    plural: text(&entry["resource"]),
                    singular: text(&entry["singularResource"]),
                    short: texts(&entry["shortNames"]),
                    kind: text(&entry["responseKind"]["kind"]),
                    namespaced: entry["scope"] == "Namespaced",
                    verbs: texts(&entry["verbs"]),
                    categories: texts(&entry["categories"]),
                    subresources: entry["subresources"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|sub| text(&sub["subresource"]))
                        .collect(),
                });
            }
        }
    }
    resources
}

/// Paths of the resource lists behind `APIVersions` and `APIGroupList`.
fn older(answer: &Value) -> Vec<(String, String, String)> {
    let core = answer["versions"].as_array().into_iter().flatten().map(text);
    let mut paths: Vec<_> = core.map(|version| (format!("/api/{version}"), String::new(), version)).collect();
    for group in answer["groups"].as_array().into_iter().flatten() {
        for version in group["versions"].as_array().into_iter().flatten() {
            paths.push((
                format!("/apis/{}", text(&version["groupVersion"])),
                text(&group["name"]),
                text(&version["version"]),
            ));
        }
    }
    paths
}

/// `APIResourceList`.
fn listed(answer: &Value, group: &str, version: &str) -> Vec<Resource> {
    let entries: Vec<&Value> = answer["resources"].as_array().into_iter().flatten().collect();
    let mut resources = Vec::new();
    for entry in entries.iter().filter(|entry| !text(&entry["name"]).contains('/')) {
        let plural = text(&entry["name"]);
        let below = format!("{plural}/");
        resources.push(Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            singular: text(&entry["singularName"]),
            short: texts(&entry["shortNames"]),
            kind: text(&entry["kind"]),
            namespaced: entry["namespaced"] == true,
            verbs: texts(&entry["verbs"]),
            categories: texts(&entry["categories"]),
            subresources: entries
                .iter()
                .filter_map(|other| Some(text(&other["name"]).strip_prefix(&below)?.to_owned()))
                .collect(),
            plural,
        });
    }
    resources
}
