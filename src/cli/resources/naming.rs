//! How the command line names objects: `TYPE[,TYPE] [NAME...]` or `TYPE/NAME...`.

use crate::resources::{Catalog, Resource};
use anyhow::bail;

/// A type, and the names asked for; all of them when empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The type.
    pub resource: Resource,
    /// Names.
    pub names: Vec<String>,
}

/// Reads the arguments of `get`, `describe`, `delete`, ….
pub fn parse_arguments(catalog: &Catalog, arguments: &[String]) -> anyhow::Result<Vec<Named>> {
    let Some(first) = arguments.first() else {
        bail!("say which type: for example `pods`, `deploy/web`, or several: `rc,svc`");
    };
    let mut named: Vec<Named> = Vec::new();
    if first.contains('/') {
        for argument in arguments {
            match argument.split_once('/') {
                Some((word, name)) if !name.is_empty() && !name.contains('/') => {
                    let resource = catalog.find(word)?.clone();
                    match named.last_mut().filter(|last| last.resource == resource) {
                        Some(last) => last.names.push(name.to_owned()),
                        None => named.push(Named { resource, names: vec![name.to_owned()] }),
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
            named.push(Named { resource: catalog.find(word)?.clone(), names: Vec::new() });
        } else {
            named.extend(category.into_iter().map(|resource| Named { resource: resource.clone(), names: Vec::new() }));
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
