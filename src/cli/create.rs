//! `raftsman create`: objects that must not exist yet.

use crate::apply::namespace_of;
use crate::connect::Cluster;
use crate::kubeconfig::Target;
use crate::manifest::{self, Document, Sources};
use crate::output::{Finish, print_object};
use crate::resources::{Catalog, query};
use anyhow::{Context, bail};
use clap::Args;
use http::Method;
use serde_json::Value;
use std::process::ExitCode;

/// `raftsman create`.
#[derive(Debug, Args)]
pub struct CreateOptions {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    sources: Sources,
    /// Print the objects: json, yaml or name
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Let the server check it, without storing
    #[arg(long, value_parser = ["server", "none"], default_value = "none", value_name = "HOW")]
    dry_run: String,
    /// Who changes the fields
    #[arg(long, default_value = "raftsman-create", value_name = "NAME")]
    field_manager: String,
}

/// Creates all documents; a broken one does not stop the rest.
pub async fn run(options: &CreateOptions) -> anyhow::Result<ExitCode> {
    if options.sources.files.is_empty() {
        bail!("say what to create: -f FILE, -f DIR, or -f - for standard input");
    }
    let documents = manifest::read(&options.sources)?;
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    for document in documents {
        let made = match document {
            Ok(document) => create(&cluster, &catalog, options, &document)
                .await
                .with_context(|| format!("{}, {} {:?}", document.place, document.kind, document.name)),
            Err(error) => Err(error.into()),
        };
        match made {
            Ok((object, value)) => match &options.output {
                Some(format) => print_object(&value, &object, format)?,
                None => {
                    crate::outln!(
                        "{object} created{}",
                        if options.dry_run == "server" { " (server dry run)" } else { "" }
                    )
                }
            },
            Err(error) => finish.error(&error),
        }
    }
    Ok(finish.code())
}

async fn create(
    cluster: &Cluster,
    catalog: &Catalog,
    options: &CreateOptions,
    document: &Document,
) -> anyhow::Result<(String, Value)> {
    let resource = catalog.of_kind(&document.api_version, &document.kind)?;
    let namespace = namespace_of(cluster, &options.target, document)?;
    let parameters = query(&[
        ("fieldManager", Some(options.field_manager.clone())),
        ("fieldValidation", Some("Strict".to_owned())),
        ("dryRun", (options.dry_run == "server").then(|| "All".to_owned())),
    ]);
    let path = format!("{}{parameters}", resource.collection(Some(&namespace)));
    let made = cluster.write(Method::POST, &path, "application/json", &document.value).await?;
    let name = made["metadata"]["name"].as_str().unwrap_or(&document.name);
    Ok((resource.qualified(name), made))
}
