//! Flags, and which way an answer is printed.

use crate::connect::{Cluster, Failure, TABLE};
use crate::get::jsonpath::Template;
use crate::get::list::{self, pages};
use crate::get::sort::sort;
use crate::get::table::Printer;
use crate::get::watch;
use crate::kubeconfig::Target;
use crate::manifest::Sources;
use crate::output::{Finish, Format};
use crate::resources::{Catalog, Named, Resource, named_in, parse_arguments, query};
use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use std::io::Write as _;
use std::process::ExitCode;

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
    /// wide, yaml, json, name, jsonpath=TEMPLATE or custom-columns=HEAD:PATH,...
    #[arg(short, long, value_name = "FORMAT")]
    pub(super) output: Option<Format>,
    /// Go on and show what changes
    #[arg(short, long)]
    pub(super) watch: bool,
    /// Only what changes
    #[arg(long)]
    pub(super) watch_only: bool,
    /// With what happened to each: ADDED, MODIFIED or DELETED
    #[arg(long)]
    pub(super) output_watch_events: bool,
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
    /// With who owns which field, in yaml and json
    #[arg(long)]
    pub(super) show_managed_fields: bool,
    /// This part of the objects that are named, such as status or scale
    #[arg(long, value_name = "NAME")]
    pub(super) subresource: Option<String>,
    /// So many objects per request; 0: all at once
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(super) chunk_size: u32,
    /// What the server answers at this path, as it is
    #[arg(long, value_name = "PATH", conflicts_with_all = ["what", "files", "selector", "watch", "output"])]
    raw: Option<String>,
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

    pub(super) fn is_table(&self) -> bool {
        Format::is_table(self.output.as_ref())
    }

    /// The path of a named object, or of the part of it that is asked for.
    pub(super) fn object(&self, cluster: &Cluster, named: &Named, name: &str) -> String {
        let path = named.resource.object(named.namespace(cluster), name);
        match &self.subresource {
            Some(part) => format!("{path}/{}", crate::resources::escape(part)),
            None => path,
        }
    }
}

/// Prints.
pub async fn run(options: &GetOptions) -> anyhow::Result<ExitCode> {
    if let Some(path) = &options.raw {
        return raw(&Cluster::open(&options.target).await?, path).await;
    }
    if options.output_watch_events && !options.watch && !options.watch_only {
        bail!("--output-watch-events goes with --watch or --watch-only");
    }
    if options.sources.given() && (!options.what.is_empty() || options.selector.is_some()) {
        bail!("-f goes with neither names nor --selector: the manifests say what to show");
    }
    if options.all_namespaces && options.target.namespace.is_some() {
        bail!("--all-namespaces and --namespace exclude each other");
    }
    let cluster = Cluster::open(&options.target).await?;
    let catalog = Catalog::fetch(&cluster).await?;
    let mut finish = Finish::default();
    let asked = if options.sources.given() {
        named_in(&options.sources, None, &catalog, &cluster, &options.target, &mut finish)?
    } else {
        parse_arguments(&catalog, &options.what)?
    };
    if options.subresource.is_some() && asked.iter().any(|named| named.names.is_empty()) {
        bail!("--subresource goes with names: TYPE NAME or TYPE/NAME");
    }
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

/// What the server says at a path, byte for byte.
async fn raw(cluster: &Cluster, path: &str) -> anyhow::Result<ExitCode> {
    if !path.starts_with('/') {
        bail!("--raw {path}: a path begins with a slash, such as /api/v1/nodes");
    }
    let request = http::Request::get(path).body(Vec::new()).with_context(|| format!("--raw {path}"))?;
    let body = cluster.send(request).await?.into_body().collect_bytes().await.with_context(|| path.to_owned())?;
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(&body).and_then(|()| out.flush()) {
        crate::output::cannot_print(&error);
    }
    Ok(ExitCode::SUCCESS)
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

/// One table of a list, or one for each name.
async fn tables_of(
    cluster: &Cluster,
    options: &GetOptions,
    named: &Named,
    more: &[(&str, Option<String>)],
) -> Vec<Result<Value, Failure>> {
    if named.names.is_empty() {
        let pages = pages(cluster, options, named, TABLE, more).await;
        return vec![pages.map(|pages| joined(pages, "rows"))];
    }
    let mut tables = Vec::new();
    for name in &named.names {
        let path = format!("{}{}", options.object(cluster, named, name), query(more));
        tables.push(cluster.get(&path, TABLE).await);
    }
    tables
}

/// The first page with the entries of all.
fn joined(pages: Vec<Value>, entries: &str) -> Value {
    let mut pages = pages.into_iter();
    let mut first = pages.next().unwrap_or_default();
    for mut page in pages {
        if let (Some(all), Some(more)) = (first[entries].as_array_mut(), page[entries].as_array_mut()) {
            all.append(more);
        }
    }
    first
}

async fn tables(cluster: &Cluster, options: &GetOptions, asked: &[Named], finish: &mut Finish) -> anyhow::Result<()> {
    let mut shown = 0;
    let sorting = options.sorting()?;
    // To sort, the rows must carry their whole objects.
    let whole: &[_] = if sorting.is_some() { &[("includeObject", Some("Object".to_owned()))] } else { &[] };
    for named in asked {
        let mut printer = Printer::new(options, &named.resource, asked.len() > 1);
        for table in tables_of(cluster, options, named, whole).await {
            match table {
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
