//! Objects themselves, as kubectl prints them: one alone, or several in a `List`.

use crate::connect::{Cluster, Failure};
use crate::get::command::{GetOptions, path};
use crate::get::sort::sort;
use crate::output::{Finish, Format, Objects};
use crate::resources::Named;
use serde_json::{Value, json};

pub(super) async fn print(
    cluster: &Cluster,
    options: &GetOptions,
    asked: &[Named],
    finish: &mut Finish,
) -> anyhow::Result<()> {
    let Some(format) = &options.output else { return Ok(()) };
    let mut objects: Vec<(String, Value)> = Vec::new();
    let mut single = asked.len() == 1;
    for named in asked {
        single &= named.names.len() == 1;
        if named.names.is_empty() {
            match items(cluster, options, named).await {
                Ok(found) => objects.extend(found),
                Err(error @ Failure::Connect(_)) => return Err(error.into()),
                Err(error) => finish.error(&error.into()),
            }
        }
        for name in &named.names {
            match cluster.read(&options.object(cluster, named, name)).await {
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
    let mut printer = Objects::new(format, options.show_managed_fields).without_headers(options.no_headers);
    match (format, single, objects.pop()) {
        (Format::Name, _, last) => {
            for (name, object) in objects.iter().chain(&last) {
                printer.print(object, name)?;
            }
            Ok(())
        }
        (Format::Columns(columns), _, last) => {
            let all: Vec<&Value> = objects.iter().chain(&last).map(|(_, object)| object).collect();
            crate::out!("{}", columns.table(&all, !options.no_headers));
            Ok(())
        }
        (_, true, Some((name, object))) => printer.print(&object, &name),
        (_, true, None) => Ok(()),
        (_, false, last) => {
            objects.extend(last);
            let items: Vec<Value> = objects.into_iter().map(|(_, object)| object).collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items});
            printer.print(&list, "")
        }
    }
}

/// All objects of a type. Items of a list lack apiVersion and kind: they get them.
async fn items(cluster: &Cluster, options: &GetOptions, named: &Named) -> Result<Vec<(String, Value)>, Failure> {
    let mut objects = Vec::new();
    for mut page in pages(cluster, options, named, "application/json", &[]).await? {
        for mut item in page["items"].as_array_mut().map(std::mem::take).unwrap_or_default() {
            item["apiVersion"] = Value::String(named.resource.api_version());
            item["kind"] = Value::String(named.resource.kind.clone());
            let name = named.resource.qualified(item["metadata"]["name"].as_str().unwrap_or_default());
            objects.push((name, item));
        }
    }
    Ok(objects)
}

/// A list, page by page. A list that has become too old on the way is read again, all at once.
pub(super) async fn pages(
    cluster: &Cluster,
    options: &GetOptions,
    named: &Named,
    accept: &str,
    more: &[(&str, Option<String>)],
) -> Result<Vec<Value>, Failure> {
    let mut pages: Vec<Value> = Vec::new();
    let mut limit = (options.chunk_size > 0).then(|| options.chunk_size.to_string());
    let mut token: Option<String> = None;
    loop {
        let mut pairs = vec![("limit", limit.clone()), ("continue", token.clone())];
        pairs.extend(more.iter().cloned());
        let page = match cluster.get(&path(options, cluster, &named.resource, &pairs), accept).await {
            Ok(page) => page,
            Err(error) if token.is_some() && error.code() == Some(410) => {
                pages.clear();
                (limit, token) = (None, None);
                continue;
            }
            Err(error) => return Err(error),
        };
        token = page["metadata"]["continue"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
        pages.push(page);
        if token.is_none() {
            return Ok(pages);
        }
    }
}
