//! One document after the other; a broken one does not stop the rest.

use crate::apply::merge::{LAST_APPLIED, three_way};
use crate::connect::{Cluster, Failure};
use crate::kubeconfig::Target;
use crate::manifest::{self, Document, Sources};
use crate::output::{Finish, print_object};
use crate::resources::{Catalog, Resource, query};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use http::Method;
use serde_json::Value;
use std::process::ExitCode;

/// Attempts when someone else changes the object at the same time.
const ATTEMPTS: u32 = 5;

/// Try it without storing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Do it
    None,
    /// Only print what would be sent
    Client,
    /// Let the server check it, without storing
    Server,
}

/// `raftsman apply`.
#[derive(Debug, Args)]
pub struct ApplyOptions {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    sources: Sources,
    /// Let the server merge, by field ownership
    #[arg(long)]
    server_side: bool,
    /// With --server-side: take over fields that others own
    #[arg(long)]
    force_conflicts: bool,
    /// Who changes the fields
    #[arg(long, default_value = "raftsman-apply", value_name = "NAME")]
    field_manager: String,
    /// Try it without storing
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, default_missing_value = "client")]
    dry_run: DryRun,
    /// Print the objects: json, yaml or name
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
}

/// What became of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// `deployment.apps/web`.
    pub object: String,
    /// `created`, `configured`, `unchanged`, `serverside-applied`.
    pub done: &'static str,
    /// As it is now.
    pub value: Value,
}

/// Applies all documents.
pub async fn run(options: &ApplyOptions) -> anyhow::Result<ExitCode> {
    if options.sources.files.is_empty() {
        bail!("say what to apply: -f FILE, -f DIR, or -f - for standard input");
    }
    let documents = manifest::read(&options.sources)?;
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    for document in documents {
        let outcome = match document {
            Ok(document) => {
                let result = apply(&cluster, &catalog, options, &document).await;
                result.with_context(|| format!("{}, {} {:?}", document.place, document.kind, document.name))
            }
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(outcome) => report(&outcome, options)?,
            Err(error) => finish.error(&error),
        }
    }
    Ok(finish.code())
}

/// Applies every document of a text that is known to be sound.
///
/// # Errors
/// The first that fails.
pub async fn apply_text(cluster: &Cluster, name: &str, text: &str) -> anyhow::Result<Vec<Outcome>> {
    let catalog = Catalog::fetch(cluster).await?;
    let options = ApplyOptions {
        target: Target::default(),
        sources: Sources::default(),
        server_side: false,
        force_conflicts: false,
        field_manager: "raftsman-apply".to_owned(),
        dry_run: DryRun::None,
        output: None,
    };
    let mut outcomes = Vec::new();
    for document in manifest::parse(name, text) {
        let document = document?;
        let result = apply(cluster, &catalog, &options, &document).await;
        outcomes.push(result.with_context(|| format!("{}, {} {:?}", document.place, document.kind, document.name))?);
    }
    Ok(outcomes)
}

fn report(outcome: &Outcome, options: &ApplyOptions) -> anyhow::Result<()> {
    if let Some(format) = &options.output {
        return print_object(&outcome.value, &outcome.object, format);
    }
    let dry = match options.dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    };
    crate::outln!("{} {}{dry}", outcome.object, outcome.done);
    Ok(())
}

/// The namespace that the object goes to: its own, which must not contradict the flag.
pub(crate) fn namespace_of(cluster: &Cluster, target: &Target, document: &Document) -> anyhow::Result<String> {
    match (&document.namespace, &target.namespace) {
        (Some(own), Some(flag)) if own != flag => {
            bail!("metadata.namespace: is {own:?}, but --namespace is {flag:?}")
        }
        (Some(own), _) => Ok(own.clone()),
        _ => Ok(cluster.namespace().to_owned()),
    }
}

async fn apply(
    cluster: &Cluster,
    catalog: &Catalog,
    options: &ApplyOptions,
    document: &Document,
) -> anyhow::Result<Outcome> {
    let resource = catalog.of_kind(&document.api_version, &document.kind)?;
    if document.name.is_empty() {
        bail!("metadata.name: is missing; apply needs a name, `raftsman create` takes generateName");
    }
    let namespace = namespace_of(cluster, &options.target, document)?;
    let object = resource.qualified(&document.name);
    let mut now = document.value.clone();
    if resource.namespaced {
        now["metadata"]["namespace"] = Value::String(namespace.clone());
    }
    if options.dry_run == DryRun::Client {
        return Ok(Outcome { object, done: "applied", value: now });
    }
    let path = resource.object(&namespace, &document.name);
    if options.server_side {
        let value = server_side(cluster, options, &path, &now).await?;
        return Ok(Outcome { object, done: "serverside-applied", value });
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        match once(cluster, options, resource, &namespace, &path, &now).await {
            Ok((done, value)) => {
                return Ok(Outcome { object, done, value });
            }
            // Someone was faster: made it, deleted it or changed it.
            Err(error) if attempt < ATTEMPTS && matches!(error.reason(), "Conflict" | "AlreadyExists" | "NotFound") => {
                tokio::time::sleep(std::time::Duration::from_millis(50 * u64::from(attempt))).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn parameters(options: &ApplyOptions) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("fieldManager", Some(options.field_manager.clone())),
        ("fieldValidation", Some("Strict".to_owned())),
        ("dryRun", (options.dry_run == DryRun::Server).then(|| "All".to_owned())),
    ]
}

async fn server_side(cluster: &Cluster, options: &ApplyOptions, path: &str, now: &Value) -> Result<Value, Failure> {
    let mut pairs = parameters(options);
    pairs.push(("force", options.force_conflicts.then(|| "true".to_owned())));
    cluster.write(Method::PATCH, &format!("{path}{}", query(&pairs)), "application/apply-patch+yaml", now).await
}

async fn once(
    cluster: &Cluster,
    options: &ApplyOptions,
    resource: &Resource,
    namespace: &str,
    path: &str,
    now: &Value,
) -> Result<(&'static str, Value), Failure> {
    let parameters = query(&parameters(options));
    let noted = with_note(now);
    let live = match cluster.read(path).await {
        Ok(live) => live,
        Err(error) if error.code() == Some(404) => {
            let path = format!("{}{parameters}", resource.collection(Some(namespace)));
            let made = cluster.write(Method::POST, &path, "application/json", &noted).await?;
            return Ok(("created", made));
        }
        Err(error) => return Err(error),
    };
    let note = live["metadata"]["annotations"][LAST_APPLIED].as_str();
    let last: Value = note.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let strategic = !resource.group.contains('.') || resource.group.ends_with(".k8s.io");
    let mut patch = three_way(&last, now, strategic);
    patch["metadata"]["annotations"][LAST_APPLIED] = noted["metadata"]["annotations"][LAST_APPLIED].clone();
    let kind = if strategic { "application/strategic-merge-patch+json" } else { "application/merge-patch+json" };
    let changed = cluster.write(Method::PATCH, &format!("{path}{parameters}"), kind, &patch).await?;
    let same = changed["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"];
    Ok((if same { "unchanged" } else { "configured" }, changed))
}

/// The object with a note of itself in its annotations.
fn with_note(now: &Value) -> Value {
    let mut plain = now.clone();
    if let Some(annotations) = plain.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    let mut noted = plain.clone();
    noted["metadata"]["annotations"][LAST_APPLIED] = Value::String(format!("{plain}\n"));
    noted
}
