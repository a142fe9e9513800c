//! `raftsman scale`.

use crate::connect::{Cluster, Failure};
use crate::kubeconfig::Target;
use crate::output::Finish;
use crate::resources::{Catalog, Resource, parse_arguments, query};
use anyhow::bail;
use clap::Args;
use http::Method;
use serde_json::json;
use std::process::ExitCode;

/// `raftsman scale`.
#[derive(Debug, Args)]
pub struct ScaleOptions {
    #[command(flatten)]
    target: Target,
    /// TYPE NAME... or TYPE/NAME...
    #[arg(value_name = "TYPE NAME", required = true)]
    what: Vec<String>,
    /// How many there shall be
    #[arg(long, value_name = "N")]
    replicas: u32,
    /// Only if there are so many now
    #[arg(long, value_name = "N")]
    current_replicas: Option<u32>,
}

/// Scales.
pub async fn run(options: &ScaleOptions) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    for named in parse_arguments(&catalog, &options.what)? {
        if named.names.is_empty() {
            bail!("say which {}: `raftsman scale {}/NAME --replicas N`", named.resource.plural, named.resource.plural);
        }
        if !named.resource.subresources.iter().any(|sub| sub == "scale") {
            bail!("{} cannot be scaled: they have no scale subresource", named.resource.plural);
        }
        for name in &named.names {
            match scale(&cluster, options, &named.resource, name).await {
                Ok(()) => crate::outln!("{} scaled", named.resource.qualified(name)),
                Err(error) => finish.error(&error),
            }
        }
    }
    Ok(finish.code())
}

async fn scale(cluster: &Cluster, options: &ScaleOptions, resource: &Resource, name: &str) -> anyhow::Result<()> {
    let path = format!("{}/scale", resource.object(cluster.namespace(), name));
    let mut patch = json!({"spec": {"replicas": options.replicas}});
    if let Some(expected) = options.current_replicas {
        let scale = cluster.read(&path).await?;
        let found = scale["spec"]["replicas"].as_u64().unwrap_or(0);
        if found != u64::from(expected) {
            bail!("{}: expected {expected} replicas, there are {found}", resource.qualified(name));
        }
        // Nobody may change it between our look and our write.
        patch["metadata"] = json!({"resourceVersion": scale["metadata"]["resourceVersion"]});
    }
    let path = format!("{path}{}", query(&[("fieldManager", Some("raftsman-scale".to_owned()))]));
    cluster
        .write(Method::PATCH, &path, "application/merge-patch+json", &patch)
        .await
        .map_err(|error: Failure| error)?;
    Ok(())
}
