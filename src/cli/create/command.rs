//! Creates all objects; a broken one does not stop the rest.

use crate::apply::{LAST_APPLIED, namespace_of, with_note};
use crate::connect::Cluster;
use crate::create::generator::Generator;
use crate::flags::{DryRun, Validate};
use crate::kubeconfig::Target;
use crate::manifest::{self, Document, Sources};
use crate::output::{Finish, Format, Objects};
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
    pub(super) target: Target,
    #[command(flatten)]
    sources: Sources,
    /// Of the manifests only the objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Print the objects: json, yaml, name or jsonpath=TEMPLATE
    #[arg(short, long, value_name = "FORMAT", global = true)]
    output: Option<Format>,
    /// With who owns which field
    #[arg(long, global = true)]
    show_managed_fields: bool,
    /// Try it without storing
    #[arg(long, value_enum, default_value_t = DryRun::None, num_args = 0..=1, require_equals = true, default_missing_value = "client", global = true)]
    dry_run: DryRun,
    /// What becomes of fields that the server does not know
    #[arg(long, value_enum, default_value_t = Validate::Strict, num_args = 0..=1, require_equals = true, default_missing_value = "strict", global = true)]
    validate: Validate,
    /// Who changes the fields
    #[arg(long, default_value = "raftsman-create", value_name = "NAME", global = true)]
    field_manager: String,
    /// Note in the object what was asked for, so that `apply` can go on from it
    #[arg(long, global = true)]
    save_config: bool,
    #[command(subcommand)]
    generator: Option<Generator>,
}

/// Creates.
pub async fn run(options: &CreateOptions) -> anyhow::Result<ExitCode> {
    let mut printer =
        Printer { options, objects: options.output.as_ref().map(|f| Objects::new(f, options.show_managed_fields)) };
    let Some(generator) = &options.generator else {
        return from_manifests(options, &mut printer).await;
    };
    if options.sources.given() {
        bail!("-f and {:?} exclude each other", generator.word());
    }
    let mut value = generator.object()?;
    if let Some(namespace) = options.target.namespace.as_deref().filter(|_| generator.is_namespaced()) {
        value["metadata"]["namespace"] = namespace.into();
    }
    let mut documents = manifest::parse(generator.word(), &value.to_string());
    let document = documents.pop().context("an object")??;
    if options.dry_run == DryRun::Client {
        // Nothing that needs a cluster: what is printed may be for one that does not run yet.
        let qualified = generator.qualified(&document.name);
        return printer.print(&qualified, &noted(options, &document.value)).map(|()| ExitCode::SUCCESS);
    }
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let (qualified, made) = create(&cluster, &catalog, options, &document).await?;
    printer.print(&qualified, &made)?;
    Ok(ExitCode::SUCCESS)
}

async fn from_manifests(options: &CreateOptions, printer: &mut Printer<'_>) -> anyhow::Result<ExitCode> {
    if !options.sources.given() {
        bail!(
            "say what to create: -f FILE, -f DIR, -f - for standard input, or for example `deployment NAME --image IMAGE`"
        );
    }
    let documents = manifest::read_selected(&options.sources, options.selector.as_deref())?;
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
            Ok((qualified, value)) => printer.print(&qualified, &value)?,
            Err(error) => finish.error(&error),
        }
    }
    Ok(finish.code())
}

struct Printer<'a> {
    options: &'a CreateOptions,
    objects: Option<Objects<'a>>,
}

impl Printer<'_> {
    fn print(&mut self, qualified: &str, value: &Value) -> anyhow::Result<()> {
        match &mut self.objects {
            Some(objects) => objects.print(value, qualified)?,
            None => crate::outln!("{qualified} created{}", self.options.dry_run.suffix()),
        }
        Ok(())
    }
}

/// What is sent.
fn noted(options: &CreateOptions, value: &Value) -> Value {
    let has = !value["metadata"]["annotations"][LAST_APPLIED].is_null();
    if options.save_config || has { with_note(value) } else { value.clone() }
}

async fn create(
    cluster: &Cluster,
    catalog: &Catalog,
    options: &CreateOptions,
    document: &Document,
) -> anyhow::Result<(String, Value)> {
    let resource = catalog.of_kind(&document.api_version, &document.kind)?;
    let namespace = namespace_of(cluster, &options.target, document)?;
    let value = noted(options, &document.value);
    if options.dry_run == DryRun::Client {
        return Ok((resource.qualified(&document.name), value));
    }
    let parameters = query(&[
        ("fieldManager", Some(options.field_manager.clone())),
        ("fieldValidation", options.validate.parameter()),
        ("dryRun", options.dry_run.parameter()),
    ]);
    let path = format!("{}{parameters}", resource.collection(Some(&namespace)));
    let made = cluster.write(Method::POST, &path, "application/json", &value).await?;
    let name = made["metadata"]["name"].as_str().unwrap_or(&document.name);
    Ok((resource.qualified(name), made))
}
