//! Objects themselves, as kubectl prints them: one alone, or several in a `List`.

use crate::connect::{Cluster, Failure};
use crate::get::command::{GetOptions, JSONPATH, path};
use crate::get::jsonpath::Template;
use crate::get::sort::sort;
use crate::output::{Finish, print_object};
use crate::resources::Named;
use serde_json::{Value, json};

/// Objects per request.
const PAGE: &str = "500";

pub(super) async fn print(
    cluster: &Cluster,
    options: &GetOptions,
    asked: &[Named],
    finish: &mut Finish,
) -> anyhow::Result<()> {
    let format = options.output.as_deref().unwrap_or("json");
    let mut objects: Vec<(String, Value)> = Vec::new();
    let mut single = asked.len() == 1;
    for named in asked {
        single &= named.names.len() == 1;
        if named.names.is_empty() {
            match pages(cluster, options, named).await {
                Ok(found) => objects.extend(found),
                Err(error @ Failure::Connect(_)) => return Err(error.into()),
                Err(error) => finish.error(&error.into()),
            }
        }
        for name in &named.names {
            match cluster.read(&named.resource.object(cluster.namespace(), name)).await {
                Ok(object) => objects.push((named.resource.qualified(name), object)),
                Err(error) if options.ignore_not_found && error.code() == Some(404) => {}
                Err(error @ Failure::Connect(_)) => return Err(error.into()),
                Err(error) => finish.error(&error.into()),
            }
        }
    }
    if let Some(by) = options.sorting()? {
        sort(&mut objects, &by, |(_, object)| object);
    }
    if format == "name" {
        for (name, _) in &objects {
            crate::outln!("{name}");
        }
        return Ok(());
    }
    match (single, objects.pop()) {
        (true, Some((name, object))) => print_one(&object, &name, format),
        (true, None) => Ok(()),
        (false, last) => {
            objects.extend(last);
            let items: Vec<Value> = objects.into_iter().map(|(_, object)| object).collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items});
            print_one(&list, "", format)
        }
    }
}

fn print_one(value: &Value, name: &str, format: &str) -> anyhow::Result<()> {
    if let Some(template) = format.strip_prefix(JSONPATH) {
        crate::out!("{}", Template::parse(template)?.fill(value));
        return Ok(());
    }
    if format == "yaml" {
        crate::out!("{}", serde_yaml::to_string(value)?);
        return Ok(());
    }
    print_object(value, name, format)
}

/// All objects of a type, in pages. Items of a list lack apiVersion and kind: they get them.
async fn pages(cluster: &Cluster, options: &GetOptions, named: &Named) -> Result<Vec<(String, Value)>, Failure> {
    let mut objects = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let more = [("limit", Some(PAGE.to_owned())), ("continue", token.clone())];
        let mut list = cluster.read(&path(options, cluster, &named.resource, &more)).await?;
        let items = list["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        for mut item in items {
            item["apiVersion"] = Value::String(named.resource.api_version());
            item["kind"] = Value::String(named.resource.kind.clone());
            let name = named.resource.qualified(item["metadata"]["name"].as_str().unwrap_or_default());
            objects.push((name, item));
        }
        token = list["metadata"]["continue"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(objects);
        }
    }
}
