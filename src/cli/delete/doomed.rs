//! What is to be deleted: by names, by labels and fields, or by manifests.

use crate::connect::Cluster;
use crate::delete::DeleteOptions;
use crate::output::Finish;
use crate::resources::{Catalog, Named, Resource, named_in, parse_arguments, query};
use anyhow::bail;

/// One object.
pub(super) struct Doomed {
    pub(super) resource: Resource,
    pub(super) namespace: String,
    pub(super) name: String,
    /// Of what was found in a list; what is named is whatever has the name.
    pub(super) uid: Option<String>,
}

pub(super) async fn doomed(
    cluster: &Cluster,
    catalog: &Catalog,
    options: &DeleteOptions,
    finish: &mut Finish,
) -> anyhow::Result<Vec<Doomed>> {
    let asked = if options.sources.given() {
        named_in(&options.sources, options.selector.as_deref(), catalog, cluster, &options.target, finish)?
    } else {
        parse_arguments(catalog, &options.what)?
    };
    let chosen = options.selector.is_some() || options.field_selector.is_some() || options.all;
    let mut all = Vec::new();
    for named in asked {
        let named_ones = !named.names.is_empty();
        if !named_ones && !chosen {
            bail!("say which {}: names, -l SELECTOR, --field-selector SELECTOR, or --all", named.resource.plural);
        }
        if named_ones && chosen && !options.sources.given() {
            bail!("names go with neither --selector, --field-selector nor --all");
        }
        if named_ones && options.all_namespaces && named.resource.namespaced {
            bail!("a name is in one namespace: use --namespace, not --all-namespaces");
        }
        if named_ones {
            let namespace = named.namespace(cluster).to_owned();
            let Named { resource, names, .. } = named;
            all.extend(names.into_iter().map(|name| Doomed {
                resource: resource.clone(),
                namespace: namespace.clone(),
                name,
                uid: None,
            }));
            continue;
        }
        let scope = (!options.all_namespaces).then(|| cluster.namespace());
        let query =
            query(&[("labelSelector", options.selector.clone()), ("fieldSelector", options.field_selector.clone())]);
        let list = cluster.read(&format!("{}{query}", named.resource.collection(scope))).await?;
        for item in list["items"].as_array().into_iter().flatten() {
            let text = |field: &str| item["metadata"][field].as_str().unwrap_or_default().to_owned();
            let (name, namespace) = (text("name"), text("namespace"));
            all.push(Doomed { resource: named.resource.clone(), namespace, name, uid: Some(text("uid")) });
        }
    }
    Ok(all)
}
