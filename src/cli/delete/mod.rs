//! `raftsman delete`.

use crate::connect::{Cluster, Failure};
use crate::kubeconfig::Target;
use crate::manifest::{self, Sources};
use crate::output::Finish;
use crate::resources::{Catalog, Named, Resource, parse_arguments, query};
use anyhow::bail;
use clap::{Args, ValueEnum};
use http::Method;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(200);

/// What becomes of what an object owns (`propagationPolicy` of DeleteOptions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cascade {
    /// It goes afterwards
    Background,
    /// It goes first
    Foreground,
    /// It stays
    Orphan,
}

/// `raftsman delete`.
#[derive(Debug, Args)]
pub struct DeleteOptions {
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
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Those with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// What becomes of what it owns
    #[arg(long, value_enum, default_value_t = Cascade::Background, num_args = 0..=1, default_missing_value = "background")]
    cascade: Cascade,
    /// Seconds for pods to end in; negative: their own
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    grace_period: i64,
    /// Give pods one second to end in
    #[arg(long)]
    now: bool,
    /// With --grace-period=0: forget at once, without waiting for the node to confirm
    #[arg(long)]
    force: bool,
    /// What is not there is no error
    #[arg(long)]
    ignore_not_found: bool,
    /// Wait until it is gone
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    wait: bool,
    /// Wait for so many seconds at most; 0: until it is gone
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    timeout: u64,
    /// Print only TYPE/NAME
    #[arg(short, long, value_name = "FORMAT", value_parser = ["name"])]
    output: Option<String>,
}

struct Doomed {
    resource: Resource,
    namespace: String,
    name: String,
}

/// Deletes, and waits.
pub async fn run(options: &DeleteOptions) -> anyhow::Result<ExitCode> {
    if options.sources.files.is_empty() && options.what.is_empty() {
        bail!("say what to delete: TYPE NAME, TYPE -l SELECTOR, TYPE --all, or -f FILE");
    }
    if options.now && options.grace_period >= 0 {
        bail!("--now and --grace-period exclude each other");
    }
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    let doomed = doomed(&cluster, &catalog, options, &mut finish).await?;
    let mut gone: Vec<(Doomed, Option<String>)> = Vec::new();
    for one in doomed {
        let path = format!("{}{}", one.resource.object(&one.namespace, &one.name), query(&[]));
        match cluster.write(Method::DELETE, &path, "application/json", &body(options)).await {
            Ok(answer) => {
                report(options, &one);
                // The object itself while it is still ending, else a Status with its uid.
                let uid = answer["metadata"]["uid"].as_str().or(answer["details"]["uid"].as_str());
                let uid = uid.map(str::to_owned);
                gone.push((one, uid));
            }
            Err(error) if options.ignore_not_found && error.code() == Some(404) => {}
            Err(error @ Failure::Connect(_)) => return Err(error.into()),
            Err(error) => finish.error(&error.into()),
        }
    }
    if options.wait && !(options.force && grace(options) == Some(0)) {
        wait(&cluster, options, &gone).await?;
    }
    Ok(finish.code())
}

async fn doomed(
    cluster: &Cluster,
    catalog: &Catalog,
    options: &DeleteOptions,
    finish: &mut Finish,
) -> anyhow::Result<Vec<Doomed>> {
    let mut all = Vec::new();
    if !options.sources.files.is_empty() {
        for document in manifest::read(&options.sources)? {
            let found = document.map_err(anyhow::Error::from).and_then(|document| {
                let resource = catalog.of_kind(&document.api_version, &document.kind)?.clone();
                let namespace = crate::apply::namespace_of(cluster, &options.target, &document)?;
                Ok(Doomed { resource, namespace, name: document.name })
            });
            match found {
                Ok(one) => all.push(one),
                Err(error) => finish.error(&error),
            }
        }
        return Ok(all);
    }
    for Named { resource, names } in parse_arguments(catalog, &options.what)? {
        if names.is_empty() && options.selector.is_none() && !options.all {
            bail!("say which {}: names, -l SELECTOR, or --all", resource.plural);
        }
        if !names.is_empty() && (options.selector.is_some() || options.all) {
            bail!("names go with neither --selector nor --all");
        }
        let one = |name: String, namespace: String| Doomed { resource: resource.clone(), namespace, name };
        if !names.is_empty() {
            all.extend(names.into_iter().map(|name| one(name, cluster.namespace().to_owned())));
            continue;
        }
        let scope = (!options.all_namespaces).then(|| cluster.namespace());
        let query = query(&[("labelSelector", options.selector.clone())]);
        let list = cluster.read(&format!("{}{query}", resource.collection(scope))).await?;
        for item in list["items"].as_array().into_iter().flatten() {
            let text = |field: &str| item["metadata"][field].as_str().unwrap_or_default().to_owned();
            all.push(one(text("name"), text("namespace")));
        }
    }
    if all.is_empty() {
        eprintln!("No resources found");
    }
    Ok(all)
}

fn grace(options: &DeleteOptions) -> Option<i64> {
    match (options.now, options.grace_period) {
        (true, _) => Some(1),
        (false, seconds) if seconds >= 0 => Some(seconds),
        _ if options.force => Some(0),
        _ => None,
    }
}

/// DeleteOptions. Without --force a grace of 0 is sent as 1, so that the node confirms (as kubectl does).
fn body(options: &DeleteOptions) -> Value {
    let policy = match options.cascade {
        Cascade::Background => "Background",
        Cascade::Foreground => "Foreground",
        Cascade::Orphan => "Orphan",
    };
    let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy});
    if let Some(seconds) = grace(options) {
        body["gracePeriodSeconds"] = json!(if options.force { seconds } else { seconds.max(1) });
    }
    body
}

fn report(options: &DeleteOptions, one: &Doomed) {
    if options.output.is_some() {
        crate::outln!("{}", one.resource.qualified(&one.name));
        return;
    }
    let qualified = one.resource.qualified(&one.name);
    let word = qualified.split('/').next().unwrap_or_default().to_owned();
    let place = if one.resource.namespaced { format!(" from {} namespace", one.namespace) } else { String::new() };
    let how = if options.force && grace(options) == Some(0) { "force deleted" } else { "deleted" };
    crate::outln!("{word} {:?} {how}{place}", one.name);
}

/// Until each is gone, or another object of that name is there.
async fn wait(cluster: &Cluster, options: &DeleteOptions, gone: &[(Doomed, Option<String>)]) -> anyhow::Result<()> {
    let start = Instant::now();
    for (one, uid) in gone {
        loop {
            match cluster.read(&one.resource.object(&one.namespace, &one.name)).await {
                Ok(object) if uid.is_some() && object["metadata"]["uid"].as_str() != uid.as_deref() => {
                    break;
                }
                Ok(object) => {
                    if options.timeout > 0 && start.elapsed() >= Duration::from_secs(options.timeout) {
                        let finalizers = &object["metadata"]["finalizers"];
                        let why =
                            if finalizers.is_array() { format!("; finalizers: {finalizers}") } else { String::new() };
                        bail!("{} is not gone after {} s{why}", one.resource.qualified(&one.name), options.timeout);
                    }
                }
                Err(error) if error.code() == Some(404) => break,
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: DeleteOptions,
    }

    fn sent(flags: &str) -> Value {
        let words = std::iter::once("delete").chain(flags.split_whitespace());
        body(&Line::try_parse_from(words).unwrap().options)
    }

    #[test]
    fn grace_and_cascade_are_as_kubectl_sends_them() {
        assert_eq!(sent("pod a")["gracePeriodSeconds"], Value::Null);
        assert_eq!(sent("pod a")["propagationPolicy"], "Background");
        assert_eq!(sent("pod a --grace-period=0")["gracePeriodSeconds"], 1);
        assert_eq!(sent("pod a --grace-period=0 --force")["gracePeriodSeconds"], 0);
        assert_eq!(sent("pod a --force")["gracePeriodSeconds"], 0);
        assert_eq!(sent("pod a --grace-period -1")["gracePeriodSeconds"], Value::Null);
        assert_eq!(sent("pod a --now --cascade=orphan")["gracePeriodSeconds"], 1);
        assert_eq!(sent("rc a --cascade orphan")["propagationPolicy"], "Orphan");
        assert!(!Line::try_parse_from(["delete", "pod", "a", "--wait=false"]).unwrap().options.wait);
    }
}
