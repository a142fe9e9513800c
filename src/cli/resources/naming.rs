//! How the command line names objects: `TYPE[,TYPE] [NAME...]` or `TYPE/NAME...`.

use crate::apply::namespace_of;
use crate::connect::Cluster;
use crate::kubeconfig::Target;
use crate::manifest::{self, Sources};
use crate::output::Finish;
use crate::resources::{Catalog, Resource};
use anyhow::bail;

/// A type, and the names asked for; all of them when empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The type.
    pub resource: Resource,
    /// Names.
    pub names: Vec<String>,
    /// The namespace that a manifest says; else it is the flag's or the context's.
    pub namespace: Option<String>,
}

impl Named {
    /// Where to look.
    pub fn namespace<'a>(&'a self, cluster: &'a Cluster) -> &'a str {
        self.namespace.as_deref().unwrap_or(cluster.namespace())
    }
}

/// What manifests name, in their order; a broken one is an error that does not stop the rest.
///
/// # Errors
/// No file could be read.
pub fn named_in(
    sources: &Sources,
    selector: Option<&str>,
    catalog: &Catalog,
    cluster: &Cluster,
    target: &Target,
    finish: &mut Finish,
) -> anyhow::Result<Vec<Named>> {
    let mut all: Vec<Named> = Vec::new();
    for document in manifest::read_selected(sources, selector)? {
        let found = document.map_err(anyhow::Error::from).and_then(|document| {
            let resource = catalog.of_kind(&document.api_version, &document.kind)?.clone();
            let namespace = Some(namespace_of(cluster, target, &document)?);
            Ok(Named { resource, names: vec![document.name], namespace })
        });
        match found {
            Ok(named) => match all.last_mut() {
                Some(last) if last.resource == named.resource && last.namespace == named.namespace => {
                    last.names.extend(named.names);
                }
                _ => all.push(named),
            },
            Err(error) => finish.error(&error),
        }
    }
    Ok(all)
}

/// Reads the arguments of `get`, `describe`, `delete`, ….
pub fn parse_arguments(catalog: &Catalog, arguments: &[String]) -> anyhow::Result<Vec<Named>> {
    let Some(first) = arguments.first() else {
        bail!("say which type: for example `pods`, `deploy/web`, or several: `rc,svc`");
    };
    let whole = |resource: &Resource| Named { resource: resource.clone(), names: Vec::new(), namespace: None };
    let mut named: Vec<Named> = Vec::new();
    if first.contains('/') {
        for argument in arguments {
            match argument.split_once('/') {
                Some((word, name)) if !name.is_empty() && !name.contains('/') => {
                    let resource = catalog.find(word)?.clone();
                    match named.last_mut().filter(|last| last.resource == resource) {
                        Some(last) => last.names.push(name.to_owned()),
                        None => named.push(Named { resource, names: vec![name.to_owned()], namespace: None }),
                    }
                }
                _ => bail!("{argument:?}: after {first:?} all arguments must have the form TYPE/NAME"),
            }
        }
        return Ok(named);
    }
    for word in first.split(',').filter(|word| !word.is_empty()) {
        let category = catalog.category(word);
        if category.is_empty() {
            named.push(whole(catalog.find(word)?));
        } else {
            named.extend(category.into_iter().map(whole));
        }
    }
    if let Some(odd) = arguments[1..].iter().find(|name| name.contains('/')) {
        bail!("{odd:?}: write either `TYPE NAME...` or `TYPE/NAME...`");
    }
    if arguments.len() > 1 && named.len() > 1 {
        bail!("names go with one type only; use TYPE/NAME for several types");
    }
    for entry in &mut named {
        entry.names = arguments[1..].to_vec();
    }
    Ok(named)
}
