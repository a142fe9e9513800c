//! `raftsman describe`: an object as people read it, and its events.

mod events;
mod generic;
mod job;
mod node;
mod page;
mod pod;
mod service;
mod workload;

use crate::connect::{Cluster, Failure};
use crate::kubeconfig::Target;
use crate::manifest::Sources;
use crate::output::Finish;
use crate::resources::{Catalog, Named, Resource, named_in, parse_arguments, query};
use anyhow::bail;
use clap::Args;
use page::Page;
use serde_json::Value;
use std::process::ExitCode;

/// `raftsman describe`.
#[derive(Debug, Args)]
pub struct DescribeOptions {
    #[command(flatten)]
    target: Target,
    /// TYPE [NAME...] or TYPE/NAME...; a name may be the beginning of one
    #[arg(value_name = "TYPE NAME")]
    what: Vec<String>,
    #[command(flatten)]
    sources: Sources,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// With the events that tell of it
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    show_events: bool,
    /// So many objects per request; taken from kubectl's command lines
    #[arg(long, value_name = "N", hide = true)]
    chunk_size: Option<u32>,
}

/// Prints.
pub async fn run(options: &DescribeOptions) -> anyhow::Result<ExitCode> {
    if options.sources.given() && (!options.what.is_empty() || options.selector.is_some()) {
        bail!("-f goes with neither names nor --selector: the manifests say what to describe");
    }
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    let mut first = true;
    let asked = if options.sources.given() {
        named_in(&options.sources, None, &catalog, &cluster, &options.target, &mut finish)?
    } else {
        parse_arguments(&catalog, &options.what)?
    };
    for named in asked {
        let mut objects = Vec::new();
        if named.names.is_empty() {
            objects = list(&cluster, options, &named.resource).await?;
            if objects.is_empty() {
                match (!options.all_namespaces && named.resource.namespaced).then(|| cluster.namespace()) {
                    Some(namespace) => eprintln!("No resources found in {namespace} namespace."),
                    None => eprintln!("No resources found"),
                }
            }
        }
        for name in &named.names {
            match one(&cluster, options, &named, name).await {
                Ok(found) => objects.extend(found),
                Err(error @ Failure::Connect(_)) => return Err(error.into()),
                Err(error) => finish.error(&error.into()),
            }
        }
        for object in objects {
            if !first {
                crate::outln!("\n");
            }
            first = false;
            crate::out!("{}", describe(&cluster, options, &named.resource, &object).await?);
        }
    }
    Ok(finish.code())
}

async fn list(cluster: &Cluster, options: &DescribeOptions, resource: &Resource) -> Result<Vec<Value>, Failure> {
    let scope = (!options.all_namespaces).then(|| cluster.namespace());
    let query = query(&[("labelSelector", options.selector.clone())]);
    let list = cluster.read(&format!("{}{query}", resource.collection(scope))).await?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// By its name; if there is none of that name, all whose names begin with it.
async fn one(cluster: &Cluster, options: &DescribeOptions, named: &Named, name: &str) -> Result<Vec<Value>, Failure> {
    match cluster.read(&named.resource.object(named.namespace(cluster), name)).await {
        Ok(object) => Ok(vec![object]),
        Err(error) if error.code() == Some(404) => {
            let begins = |object: &Value| object["metadata"]["name"].as_str().is_some_and(|own| own.starts_with(name));
            let all = list(cluster, options, &named.resource).await?;
            let found: Vec<Value> = all.into_iter().filter(begins).collect();
            if found.is_empty() { Err(error) } else { Ok(found) }
        }
        Err(error) => Err(error),
    }
}

async fn describe(
    cluster: &Cluster,
    options: &DescribeOptions,
    resource: &Resource,
    object: &Value,
) -> Result<String, Failure> {
    let mut page = Page::default();
    page.metadata(object, resource.namespaced);
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => pod::describe(&mut page, object),
        ("", "Node") => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let query = query(&[("fieldSelector", Some(format!("spec.nodeName={name}")))]);
            let pods = cluster.read(&format!("/api/v1/pods{query}")).await?;
            node::describe(&mut page, object, &pods);
        }
        ("", "Service") => {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            let query = query(&[("labelSelector", Some(format!("kubernetes.io/service-name={name}")))]);
            let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices{query}");
            // A server without slices has no endpoints to show.
            service::describe(&mut page, object, &cluster.read(&path).await.unwrap_or_default());
        }
        ("batch", "Job") => job::describe(&mut page, object),
        ("apps", _) | ("", "ReplicationController") => workload::describe(&mut page, object),
        _ => generic::describe(&mut page, object),
    }
    if options.show_events {
        page.text(&events::table(cluster, object).await?);
    }
    Ok(page.finish())
}

#[cfg(test)]
mod describe_tests;
