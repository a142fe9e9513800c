//! `raftsman scale`.

use crate::connect::{Cluster, Failure};
use crate::flags::{DryRun, timeout};
use crate::kubeconfig::Target;
use crate::manifest::Sources;
use crate::output::{Finish, Format, Objects};
use crate::resources::{Catalog, Named, Resource, named_in, parse_arguments, query};
use anyhow::bail;
use clap::Args;
use http::Method;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(200);

/// `raftsman scale`.
#[derive(Debug, Args)]
pub struct ScaleOptions {
    #[command(flatten)]
    target: Target,
    /// TYPE NAME... or TYPE/NAME...
    #[arg(value_name = "TYPE NAME")]
    what: Vec<String>,
    #[command(flatten)]
    sources: Sources,
    /// All of the type
    #[arg(long)]
    all: bool,
    /// Those with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// How many there shall be
    #[arg(long, value_name = "N")]
    replicas: u32,
    /// Only if there are so many now; -1: however many
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = -1)]
    current_replicas: i64,
    /// Only if it has this version now
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
    /// Wait so long until there are so many: 30s, 1m; 0: not at all
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = timeout)]
    timeout: Duration,
    /// Try it without storing
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: DryRun,
    /// Print the objects: json, yaml, name or jsonpath=TEMPLATE
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Format>,
    /// With who owns which field
    #[arg(long)]
    show_managed_fields: bool,
}

/// Scales.
pub async fn run(options: &ScaleOptions) -> anyhow::Result<ExitCode> {
    check(options)?;
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    let asked = if options.sources.given() {
        named_in(&options.sources, options.selector.as_deref(), &catalog, &cluster, &options.target, &mut finish)?
    } else {
        parse_arguments(&catalog, &options.what)?
    };
    let mut objects = options.output.as_ref().map(|format| Objects::new(format, options.show_managed_fields));
    for mut named in asked {
        if !named.resource.subresources.iter().any(|sub| sub == "scale") {
            bail!("{} cannot be scaled: they have no scale subresource", named.resource.plural);
        }
        if named.names.is_empty() {
            named.names = listed(&cluster, options, &named).await?;
        }
        for name in &named.names {
            let path = named.resource.object(named.namespace(&cluster), name);
            match scale(&cluster, options, &named.resource, name, &path).await {
                Ok(()) => {
                    let qualified = named.resource.qualified(name);
                    match &mut objects {
                        Some(objects) => objects.print(&cluster.read(&path).await?, &qualified)?,
                        None => crate::outln!("{qualified} scaled{}", options.dry_run.suffix()),
                    }
                }
                Err(error) => finish.error(&error),
            }
        }
    }
    Ok(finish.code())
}

fn check(options: &ScaleOptions) -> anyhow::Result<()> {
    if !options.sources.given() && options.what.is_empty() {
        bail!("say what to scale: `raftsman scale deploy/NAME --replicas N`, or -f FILE");
    }
    if options.sources.given() && !options.what.is_empty() {
        bail!("-f and names exclude each other: the manifests say what to scale");
    }
    if options.all && options.selector.is_some() {
        bail!("--all and --selector exclude each other");
    }
    Ok(())
}

/// The names of all that are meant, where none is named.
async fn listed(cluster: &Cluster, options: &ScaleOptions, named: &Named) -> anyhow::Result<Vec<String>> {
    let plural = &named.resource.plural;
    if !options.all && options.selector.is_none() {
        bail!("say which {plural}: `raftsman scale {plural}/NAME --replicas N`, -l SELECTOR, or --all");
    }
    let query = query(&[("labelSelector", options.selector.clone())]);
    let list = cluster.read(&format!("{}{query}", named.resource.collection(Some(cluster.namespace())))).await?;
    let items = list["items"].as_array().into_iter().flatten();
    let names: Vec<String> = items.filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned)).collect();
    if names.is_empty() {
        bail!("no objects passed to scale: there are no such {plural} in {}", cluster.namespace());
    }
    Ok(names)
}

async fn scale(
    cluster: &Cluster,
    options: &ScaleOptions,
    resource: &Resource,
    name: &str,
    path: &str,
) -> anyhow::Result<()> {
    let mut patch = json!({"spec": {"replicas": options.replicas}});
    if let Ok(expected) = u64::try_from(options.current_replicas) {
        let scale = cluster.read(&format!("{path}/scale")).await?;
        let found = scale["spec"]["replicas"].as_u64().unwrap_or(0);
        if found != expected {
            bail!("{}: expected {expected} replicas, there are {found}", resource.qualified(name));
        }
        // Nobody may change it between our look and our write.
        patch["metadata"] = json!({"resourceVersion": scale["metadata"]["resourceVersion"]});
    }
    if let Some(version) = &options.resource_version {
        patch["metadata"] = json!({"resourceVersion": version});
    }
    if options.dry_run == DryRun::Client {
        return Ok(());
    }
    let parameters =
        query(&[("fieldManager", Some("raftsman-scale".to_owned())), ("dryRun", options.dry_run.parameter())]);
    let patched: Result<Value, Failure> = cluster
        .write(Method::PATCH, &format!("{path}/scale{parameters}"), "application/merge-patch+json", &patch)
        .await;
    patched?;
    if !options.timeout.is_zero() && options.dry_run == DryRun::None {
        reached(cluster, options, &resource.qualified(name), path).await?;
    }
    Ok(())
}

/// Until there are as many as there shall be.
async fn reached(cluster: &Cluster, options: &ScaleOptions, what: &str, path: &str) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let scale = cluster.read(&format!("{path}/scale")).await?;
        let there = scale["status"]["replicas"].as_u64().unwrap_or(0);
        if there == u64::from(options.replicas) {
            return Ok(());
        }
        if start.elapsed() >= options.timeout {
            let patience = options.timeout.as_secs_f64();
            bail!(
                "timed out waiting for {what}: it has {there} replicas, not {}, after {patience} s",
                options.replicas
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connect::fake::{Answer, Fake, catalog};
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: ScaleOptions,
    }

    fn options(line: &str) -> ScaleOptions {
        Line::try_parse_from(std::iter::once("scale").chain(line.split_whitespace())).unwrap().options
    }

    /// Two deployments with as many replicas as asked for; what was patched, with its body.
    async fn scaled(line: &str) -> (anyhow::Result<ExitCode>, Vec<String>, Vec<Value>) {
        let fake = Fake::new();
        let server = fake
            .server(|line| {
                let list = json!({"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]});
                let scale =
                    json!({"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 2}, "status": {"replicas": 2}});
                let body = if line.contains("/scale") { scale } else { list };
                catalog(line).unwrap_or_else(|| Answer::Json(200, body.to_string()))
            })
            .await;
        let mut options = options(line);
        options.target = fake.target(&[server.address]);
        let code = run(&options).await;
        let asked = server.asked.lock().unwrap().iter().filter(|line| line.starts_with("PATCH")).cloned().collect();
        let bodies = server.bodies.lock().unwrap().clone();
        (code, asked, bodies)
    }

    #[tokio::test]
    async fn all_or_some_are_scaled_under_what_must_hold() {
        let (code, asked, bodies) = scaled("deployments --all --replicas=3").await;
        assert_eq!((code.unwrap(), asked.len()), (ExitCode::SUCCESS, 2));
        assert!(asked[1].starts_with("PATCH /apis/apps/v1/namespaces/default/deployments/b/scale?"), "{asked:?}");
        assert_eq!(bodies[0], json!({"spec": {"replicas": 3}}));

        let (_, asked, bodies) = scaled("deployment a --replicas=2 --current-replicas=2 --timeout=1s").await;
        assert_eq!((asked.len(), &bodies[0]["metadata"]["resourceVersion"]), (1, &json!("7")));
        let (_, _, bodies) = scaled("deployment/a --replicas=3 --resource-version=5").await;
        assert_eq!(bodies[0]["metadata"]["resourceVersion"], "5");
        assert!(scaled("deployment/a --replicas=3 --current-replicas=9").await.1.is_empty());
        assert!(scaled("deployment/a --replicas=3 --dry-run=client").await.1.is_empty());
        assert!(scaled("deployment/a --replicas=3 --dry-run=server").await.1[0].contains("dryRun=All"));
        assert_eq!(
            scaled("deployment/a --replicas=3 --timeout=300ms").await.0.unwrap(),
            ExitCode::FAILURE,
            "two stay two"
        );
        assert!(scaled("deployments --replicas=3").await.0.is_err());
        assert!(scaled("pod/a --replicas=3").await.0.unwrap_err().to_string().contains("cannot be scaled"));
    }
}
