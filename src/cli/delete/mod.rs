//! `raftsman delete`: finds what is meant, deletes it, and waits until it is gone.

mod doomed;
mod gone;
mod one;

use crate::connect::{Cluster, Failure};
use crate::flags::{Cascade, DryRun, delete_options, timeout};
use crate::kubeconfig::Target;
use crate::manifest::Sources;
use crate::output::Finish;
use crate::resources::Catalog;
use anyhow::bail;
use clap::Args;
use doomed::{Doomed, doomed};
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) use gone::until_gone;
pub(crate) use one::uid_of;

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
    /// Those with these fields
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,
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
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    wait: bool,
    /// Wait so long at most: 30s, 1m; 0: until it is gone
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = timeout)]
    timeout: Duration,
    /// Try it without deleting
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: DryRun,
    /// Print only TYPE/NAME
    #[arg(short, long, value_name = "FORMAT", value_parser = ["name"])]
    output: Option<String>,
}

/// Deletes, and waits.
pub async fn run(options: &DeleteOptions) -> anyhow::Result<ExitCode> {
    check(options)?;
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    let doomed = doomed(&cluster, &catalog, options, &mut finish).await?;
    if doomed.is_empty() && finish.is_clean() {
        eprintln!("No resources found");
    }
    let mut gone: Vec<(Doomed, Option<String>)> = Vec::new();
    for one in doomed {
        if options.dry_run == DryRun::Client {
            report(options, &one);
            continue;
        }
        let path = one.resource.object(&one.namespace, &one.name);
        match one::delete(&cluster, &path, one.uid.as_deref(), |uid| body(options, uid)).await {
            Ok(uid) => {
                report(options, &one);
                gone.push((one, uid));
            }
            // Of a list, it went by itself meanwhile.
            Err(error) if (options.ignore_not_found || one.uid.is_some()) && error.code() == Some(404) => {}
            Err(error @ Failure::Connect(_)) => return Err(error.into()),
            Err(error) => finish.error(&error.into()),
        }
    }
    if options.wait && options.dry_run == DryRun::None && !(options.force && grace(options) == Some(0)) {
        for (one, uid) in &gone {
            let path = one.resource.object(&one.namespace, &one.name);
            let what = one.resource.qualified(&one.name);
            until_gone(&cluster, &path, uid.as_deref(), &what, options.timeout).await?;
        }
    }
    Ok(finish.code())
}

/// What contradicts itself.
fn check(options: &DeleteOptions) -> anyhow::Result<()> {
    let some = options.selector.is_some() || options.field_selector.is_some();
    if !options.sources.given() && options.what.is_empty() {
        bail!("say what to delete: TYPE NAME, TYPE -l SELECTOR, TYPE --all, or -f FILE");
    }
    if options.sources.given() && !options.what.is_empty() {
        bail!("-f and names exclude each other: the manifests say what to delete");
    }
    if options.sources.given() && (options.all || options.field_selector.is_some()) {
        bail!("-f goes with neither --all nor --field-selector");
    }
    if options.all && some {
        bail!("--all goes with neither --selector nor --field-selector");
    }
    if options.now && options.grace_period >= 0 {
        bail!("--now and --grace-period exclude each other");
    }
    if options.all_namespaces && options.target.namespace.is_some() {
        bail!("--all-namespaces and --namespace exclude each other");
    }
    Ok(())
}

fn grace(options: &DeleteOptions) -> Option<i64> {
    match (options.now, options.grace_period) {
        (true, _) => Some(1),
        (false, seconds) if seconds >= 0 => Some(seconds),
        _ if options.force => Some(0),
        _ => None,
    }
}

fn body(options: &DeleteOptions, uid: Option<&str>) -> Value {
    delete_options(options.cascade, grace(options), options.force, options.dry_run == DryRun::Server, uid)
}

fn report(options: &DeleteOptions, one: &Doomed) {
    let qualified = one.resource.qualified(&one.name);
    if options.output.is_some() {
        crate::outln!("{qualified}");
        return;
    }
    let word = qualified.split('/').next().unwrap_or_default().to_owned();
    let place = if one.resource.namespaced { format!(" from {} namespace", one.namespace) } else { String::new() };
    let how = if options.force && grace(options) == Some(0) { "force deleted" } else { "deleted" };
    crate::outln!("{word} {:?} {how}{place}{}", one.name, options.dry_run.suffix());
}

#[cfg(test)]
mod delete_tests;
