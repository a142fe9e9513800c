//! One document after the other; a broken one does not stop the rest.

use crate::apply::merge::{LAST_APPLIED, shape, three_way};
use crate::connect::{Cluster, Failure};
use crate::delete::{uid_of, until_gone};
use crate::flags::{Cascade, DryRun, Validate, delete_options, timeout};
use crate::kubeconfig::Target;
use crate::manifest::{self, Document, Sources};
use crate::output::{Finish, Format, Objects};
use crate::resources::{Catalog, Resource, query};
use anyhow::{Context, bail};
use clap::Args;
use http::Method;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

/// Attempts when someone else changes the object at the same time.
const ATTEMPTS: u32 = 5;

/// `raftsman apply`.
#[derive(Debug, Default, Args)]
pub struct ApplyOptions {
    #[command(flatten)]
    pub(super) target: Target,
    #[command(flatten)]
    sources: Sources,
    /// Of the manifests only the objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// All objects of the manifests, which is what is done anyway
    #[arg(long, hide = true)]
    all: bool,
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
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: DryRun,
    /// What becomes of fields that the server does not know
    #[arg(long, value_enum, default_value_t = Validate::Strict, num_args = 0..=1, require_equals = true, default_missing_value = "strict")]
    validate: Validate,
    /// Where the server refuses a change because a field is immutable: delete the object and make it again
    #[arg(long)]
    force: bool,
    /// With --force: what becomes of what a deleted object owns
    #[arg(long, value_enum, default_value_t = Cascade::Background, num_args = 0..=1, require_equals = true, default_missing_value = "background")]
    cascade: Cascade,
    /// With --force: seconds for pods to end in; negative: their own
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    grace_period: i64,
    /// With --force: wait so long at most until a deleted object is gone; 0: until it is
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = timeout)]
    timeout: Duration,
    /// Wait until deleted objects are gone: --force does, as it must
    #[arg(long)]
    wait: bool,
    /// Take what the manifest says where it differs from what is there
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    overwrite: bool,
    /// Not known here
    #[arg(long, hide = true)]
    prune: bool,
    /// Print the objects: json, yaml, name or jsonpath=TEMPLATE
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Format>,
    /// With who owns which field
    #[arg(long)]
    show_managed_fields: bool,
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
    check(options)?;
    let documents = manifest::read_selected(&options.sources, options.selector.as_deref())?;
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    let mut objects = options.output.as_ref().map(|format| Objects::new(format, options.show_managed_fields));
    for document in documents {
        let outcome = match document {
            Ok(document) => {
                let result = apply(&cluster, &catalog, options, &document).await;
                result.with_context(|| format!("{}, {} {:?}", document.place, document.kind, document.name))
            }
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(outcome) => match &mut objects {
                Some(objects) => objects.print(&outcome.value, &outcome.object)?,
                None => crate::outln!("{} {}{}", outcome.object, outcome.done, options.dry_run.suffix()),
            },
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
        field_manager: "raftsman-apply".to_owned(),
        grace_period: -1,
        overwrite: true,
        ..ApplyOptions::default()
    };
    let mut outcomes = Vec::new();
    for document in manifest::parse(name, text) {
        let document = document?;
        let result = apply(cluster, &catalog, &options, &document).await;
        outcomes.push(result.with_context(|| format!("{}, {} {:?}", document.place, document.kind, document.name))?);
    }
    Ok(outcomes)
}

/// What contradicts itself, and what is not known.
fn check(options: &ApplyOptions) -> anyhow::Result<()> {
    if !options.sources.given() {
        bail!("say what to apply: -f FILE, -f DIR, or -f - for standard input");
    }
    if options.prune {
        bail!("--prune: raftsman does not guess what to delete: `raftsman delete -l SELECTOR` does what it says");
    }
    if options.all && options.selector.is_some() {
        bail!("--all and --selector exclude each other");
    }
    if options.force_conflicts && !options.server_side {
        bail!("--force-conflicts goes with --server-side only");
    }
    if options.force && (options.server_side || options.dry_run == DryRun::Server) {
        bail!("--force goes with neither --server-side nor --dry-run=server");
    }
    if options.server_side && options.dry_run == DryRun::Client {
        bail!("--dry-run=client does not go with --server-side: say --dry-run=server");
    }
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
    let path = resource.object(&namespace, &document.name);
    if options.dry_run == DryRun::Client {
        let done = match cluster.read(&path).await {
            Ok(_) => "configured",
            Err(error) if error.code() == Some(404) => "created",
            Err(error) => return Err(error.into()),
        };
        return Ok(Outcome { object, done, value: now });
    }
    let change = Change { cluster, options, resource, namespace: &namespace, path: &path, now: &now };
    if options.server_side {
        let value = change.server_side().await?;
        return Ok(Outcome { object, done: "serverside-applied", value });
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        match change.once().await {
            Ok((done, value)) => {
                return Ok(Outcome { object, done, value });
            }
            // Someone was faster: made it, deleted it or changed it.
            Err(error) if attempt < ATTEMPTS && matches!(error.reason(), "Conflict" | "AlreadyExists" | "NotFound") => {
                tokio::time::sleep(std::time::Duration::from_millis(50 * u64::from(attempt))).await;
            }
            Err(error) if options.force && matches!(error.reason(), "Invalid" | "Conflict") => {
                let value = change.anew().await?;
                return Ok(Outcome { object, done: "configured", value });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn parameters(options: &ApplyOptions) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("fieldManager", Some(options.field_manager.clone())),
        ("fieldValidation", options.validate.parameter()),
        ("dryRun", options.dry_run.parameter()),
    ]
}

/// One object on its way.
struct Change<'a> {
    cluster: &'a Cluster,
    options: &'a ApplyOptions,
    resource: &'a Resource,
    namespace: &'a str,
    /// Where it is.
    path: &'a str,
    /// What it shall be.
    now: &'a Value,
}

impl Change<'_> {
    /// By field ownership.
    async fn server_side(&self) -> Result<Value, Failure> {
        let mut pairs = parameters(self.options);
        pairs.push(("force", self.options.force_conflicts.then(|| "true".to_owned())));
        let path = format!("{}{}", self.path, query(&pairs));
        self.cluster.write(Method::PATCH, &path, "application/apply-patch+yaml", self.now).await
    }

    /// Makes it, or changes what is there.
    async fn once(&self) -> Result<(&'static str, Value), Failure> {
        let live = match self.cluster.read(self.path).await {
            Ok(live) => live,
            Err(error) if error.code() == Some(404) => return Ok(("created", self.make().await?)),
            Err(error) => return Err(error),
        };
        let note = live["metadata"]["annotations"][LAST_APPLIED].as_str();
        let last: Value = note.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let shape = shape(&self.resource.group, &self.resource.version, &self.resource.kind);
        let mut patch = three_way(&last, &live, self.now, shape);
        let noted = with_note(self.now);
        patch["metadata"]["annotations"][LAST_APPLIED] = noted["metadata"]["annotations"][LAST_APPLIED].clone();
        let kind =
            if shape.is_some() { "application/strategic-merge-patch+json" } else { "application/merge-patch+json" };
        let path = format!("{}{}", self.path, query(&parameters(self.options)));
        let changed = self.cluster.write(Method::PATCH, &path, kind, &patch).await?;
        let same = changed["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"];
        Ok((if same { "unchanged" } else { "configured" }, changed))
    }

    async fn make(&self) -> Result<Value, Failure> {
        let collection = self.resource.collection(Some(self.namespace));
        let path = format!("{collection}{}", query(&parameters(self.options)));
        self.cluster.write(Method::POST, &path, "application/json", &with_note(self.now)).await
    }

    /// Deletes the object and makes it again.
    async fn anew(&self) -> anyhow::Result<Value> {
        let Self { cluster, options, path, .. } = *self;
        let grace = (options.grace_period >= 0).then_some(options.grace_period);
        let uid = uid_of(cluster, path).await?;
        let body = delete_options(options.cascade, grace, true, false, uid.as_deref());
        cluster.write(Method::DELETE, path, "application/json", &body).await?;
        until_gone(cluster, path, uid.as_deref(), path, options.timeout).await?;
        Ok(self.make().await?)
    }
}

/// The object with a note of itself in its annotations.
pub(crate) fn with_note(now: &Value) -> Value {
    let mut plain = now.clone();
    if let Some(annotations) = plain.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    let mut noted = plain.clone();
    noted["metadata"]["annotations"][LAST_APPLIED] = Value::String(format!("{plain}\n"));
    noted
}
