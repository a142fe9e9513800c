//! Flags, and which way an answer is printed.

use crate::connect::{Cluster, Failure, TABLE};
use crate::get::jsonpath::Template;
use crate::get::list;
use crate::get::sort::sort;
use crate::get::table::Printer;
use crate::get::watch;
use crate::kubeconfig::Target;
use crate::manifest::{self, Sources};
use crate::output::Finish;
use crate::resources::{Catalog, Named, Resource, parse_arguments, query};
use anyhow::bail;
use clap::Args;
use std::process::ExitCode;

/// What `-o` begins with before a template.
pub(super) const JSONPATH: &str = "jsonpath=";

/// `raftsman get`.
#[derive(Debug, Args)]
pub struct GetOptions {
    #[command(flatten)]
    pub(super) target: Target,
    /// TYPE[,TYPE] [NAME...] or TYPE/NAME...
    #[arg(value_name = "TYPE NAME")]
    pub(super) what: Vec<String>,
    #[command(flatten)]
    pub(super) sources: Sources,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Only with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(super) selector: Option<String>,
    /// Only with these fields
    #[arg(long, value_name = "SELECTOR")]
    pub(super) field_selector: Option<String>,
    /// wide, yaml, json, name or jsonpath=TEMPLATE
    #[arg(short, long, value_name = "FORMAT")]
    pub(super) output: Option<String>,
    /// Go on and show what changes
    #[arg(short, long)]
    pub(super) watch: bool,
    /// Only what changes
    #[arg(long)]
    pub(super) watch_only: bool,
    /// In the order of what this JSONPath finds in each object
    #[arg(long, value_name = "PATH")]
    pub(super) sort_by: Option<String>,
    /// With labels
    #[arg(long)]
    pub(super) show_labels: bool,
    /// With these labels, a column each
    #[arg(short = 'L', long, value_name = "LABEL", value_delimiter = ',')]
    pub(super) label_columns: Vec<String>,
    /// Without the first line
    #[arg(long)]
    pub(super) no_headers: bool,
    /// With TYPE/ in front of each name
    #[arg(long)]
    pub(super) show_kind: bool,
    /// What is not there is no error
    #[arg(long)]
    pub(super) ignore_not_found: bool,
}

impl GetOptions {
    /// The namespace to ask in; `None` for all.
    pub(super) fn scope<'a>(&self, cluster: &'a Cluster) -> Option<&'a str> {
        (!self.all_namespaces).then(|| cluster.namespace())
    }

    /// Query of a list, with further pairs.
    pub(super) fn query(&self, more: &[(&str, Option<String>)]) -> String {
        let mut pairs = vec![("labelSelector", self.selector.clone()), ("fieldSelector", self.field_selector.clone())];
        pairs.extend(more.iter().cloned());
        query(&pairs)
    }

    /// The path to sort by.
    pub(super) fn sorting(&self) -> anyhow::Result<Option<Template>> {
        let path = self.sort_by.as_deref().filter(|path| !path.is_empty());
        Ok(path.map(Template::parse_path).transpose()?)
    }

    fn is_table(&self) -> bool {
        matches!(self.output.as_deref(), None | Some("wide"))
    }
}

/// Prints.
pub async fn run(options: &GetOptions) -> anyhow::Result<ExitCode> {
    match options.output.as_deref() {
        None | Some("wide" | "yaml" | "json" | "name") => {}
        Some(output) if output.starts_with(JSONPATH) => drop(Template::parse(&output[JSONPATH.len()..])?),
        Some(other) => bail!("-o {other}: use wide, yaml, json, name or jsonpath=TEMPLATE"),
    }
    if options.all_namespaces && options.target.namespace.is_some() {
        bail!("--all-namespaces and --namespace exclude each other");
    }
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let (asked, mut finish) = wanted(options, &catalog)?;
    if options.all_namespaces && asked.iter().any(|named| !named.names.is_empty() && named.resource.namespaced) {
        bail!("a name is in one namespace: use --namespace, not --all-namespaces");
    }
    if options.watch || options.watch_only {
        if options.sort_by.is_some() {
            eprintln!("warning: --sort-by is ignored with --watch");
        }
        let [one] = &asked[..] else { bail!("--watch goes with one type only") };
        return watch::run(&cluster, options, one).await;
    }
    if options.is_table() {
        tables(&cluster, options, &asked, &mut finish).await?;
    } else {
        list::print(&cluster, options, &asked, &mut finish).await?;
    }
    Ok(finish.code())
}

/// From the arguments or the manifests.
fn wanted(options: &GetOptions, catalog: &Catalog) -> anyhow::Result<(Vec<Named>, Finish)> {
    let mut finish = Finish::default();
    if options.sources.files.is_empty() {
        return Ok((parse_arguments(catalog, &options.what)?, finish));
    }
    let mut asked: Vec<Named> = Vec::new();
    for document in manifest::read(&options.sources)? {
        let found = document.map_err(anyhow::Error::from).and_then(|document| {
            let resource = catalog.of_kind(&document.api_version, &document.kind)?.clone();
            Ok(Named { resource, names: vec![document.name] })
        });
        match found {
            Ok(named) => match asked.iter_mut().find(|known| known.resource == named.resource) {
                Some(known) => known.names.extend(named.names),
                None => asked.push(named),
            },
            Err(error) => finish.error(&error),
        }
    }
    Ok((asked, finish))
}

/// The query for one name among a collection, so that a table or a watch of it comes from the same place as a list.
pub(super) fn path(
    options: &GetOptions,
    cluster: &Cluster,
    resource: &Resource,
    more: &[(&str, Option<String>)],
) -> String {
    format!("{}{}", resource.collection(options.scope(cluster)), options.query(more))
}

async fn tables(cluster: &Cluster, options: &GetOptions, asked: &[Named], finish: &mut Finish) -> anyhow::Result<()> {
    let mut shown = 0;
    let sorting = options.sorting()?;
    // To sort, the rows must carry their whole objects.
    let whole: &[_] = if sorting.is_some() { &[("includeObject", Some("Object".to_owned()))] } else { &[] };
    for named in asked {
        let mut printer = Printer::new(options, &named.resource, asked.len() > 1);
        let paths = if named.names.is_empty() {
            vec![path(options, cluster, &named.resource, whole)]
        } else {
            named.names.iter().map(|name| named.resource.object(cluster.namespace(), name)).collect()
        };
        for path in paths {
            match cluster.get(&path, TABLE).await {
                Ok(mut table) => {
                    if let (Some(by), Some(rows)) = (&sorting, table["rows"].as_array_mut()) {
                        sort(rows, by, |row| &row["object"]);
                    }
                    printer.add(&table);
                }
                Err(error) if options.ignore_not_found && error.code() == Some(404) => {}
                Err(error @ Failure::Connect(_)) => return Err(error.into()),
                Err(error) => finish.error(&error.into()),
            }
        }
        let text = printer.finish();
        if !text.is_empty() {
            // Tables of several types are parted by an empty line.
            if shown > 0 {
                crate::outln!();
            }
            crate::out!("{text}");
            shown += 1;
        }
    }
    let one = asked.iter().any(|named| !named.names.is_empty());
    if shown == 0 && !one && !options.ignore_not_found {
        let namespaced = asked.iter().all(|named| named.resource.namespaced);
        match options.scope(cluster).filter(|_| namespaced) {
            Some(namespace) => eprintln!("No resources found in {namespace} namespace."),
            None => eprintln!("No resources found"),
        }
    }
    Ok(())
}
