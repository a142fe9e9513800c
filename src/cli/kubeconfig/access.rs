//! From flags and files to a list of masters and the credentials for them.

use crate::kubeconfig::{MASTERS_EXTENSION, Target};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the local cluster named `local` keeps its kubeconfig.
const LOCAL: &str = "/var/lib/raftsman/local/admin.kubeconfig";

/// Why we know no cluster.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No file.
    #[error(
        "no kubeconfig was found ({tried}); start a cluster with `raftsman up`, or name a file with --kubeconfig or \
         KUBECONFIG"
    )]
    Missing {
        /// Where we looked.
        tried: String,
    },
    /// A file that does not serve.
    #[error("kubeconfig {file}: {reason}")]
    Unusable {
        /// Which.
        file: String,
        /// Why not.
        reason: String,
    },
    /// The context has an odd server.
    #[error("kubeconfig: server {server:?} is no URL: {reason}")]
    Server {
        /// What it says.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub struct Access {
    /// Credentials and the first server.
    pub config: kube::Config,
    /// All servers: the masters, and the context's own if it is none of them.
    pub servers: Vec<http::Uri>,
    /// The context is of the whole cluster, not of one master: further masters may be used, too.
    pub learns: bool,
    /// The namespace: of the flag, else of the context, else `default`.
    pub namespace: String,
    /// How long one request may take.
    pub limit: Option<Duration>,
}

impl Access {
    /// Finds and reads the kubeconfig.
    pub async fn find(target: &Target) -> Result<Self, AccessError> {
        let environment = std::env::var("KUBECONFIG").unwrap_or_default();
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let (files, tried) = candidates(target, &environment, home.as_deref());
        // Who names a server and credentials needs no file.
        let mut merged = match &target.overrides.server {
            Some(server) if files.is_empty() => bare(server),
            None if files.is_empty() => return Err(AccessError::Missing { tried }),
            _ => Kubeconfig::default(),
        };
        for file in &files {
            let unusable = |error: KubeconfigError| AccessError::Unusable {
                file: file.display().to_string(),
                reason: explain(&error),
            };
            merged = merged.merge(Kubeconfig::read_from(file).map_err(unusable)?).map_err(unusable)?;
        }
        let names = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(":");
        Self::of(merged, target, &names).await
    }

    /// From a kubeconfig that is read already; `file` is its name in errors.
    pub async fn of(mut kubeconfig: Kubeconfig, target: &Target, file: &str) -> Result<Self, AccessError> {
        let unusable = |reason: String| AccessError::Unusable { file: file.to_owned(), reason };
        if let Some(name) = &target.context
            && !kubeconfig.contexts.iter().any(|context| context.name == *name)
        {
            let known: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
            return Err(unusable(format!("there is no context {name:?}; it has: {}", known.join(", "))));
        }
        if let Some(name) = &target.overrides.cluster
            && !kubeconfig.clusters.iter().any(|entry| entry.name == *name)
        {
            let known: Vec<&str> = kubeconfig.clusters.iter().map(|entry| entry.name.as_str()).collect();
            return Err(unusable(format!("there is no cluster {name:?}; it has: {}", known.join(", "))));
        }
        if let Some(name) = &target.overrides.user
            && !kubeconfig.auth_infos.iter().any(|entry| entry.name == *name)
        {
            let known: Vec<&str> = kubeconfig.auth_infos.iter().map(|entry| entry.name.as_str()).collect();
            return Err(unusable(format!("there is no user {name:?}; it has: {}", known.join(", "))));
        }
        target.overrides.write_over(&mut kubeconfig);
        let servers = servers(&kubeconfig, target);
        let learns = !servers.is_empty();
        let options = KubeConfigOptions {
            context: target.context.clone(),
            cluster: target.overrides.cluster.clone(),
            user: target.overrides.user.clone(),
        };
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| unusable(explain(&error)))?;
        config.connect_timeout = Some(Duration::from_secs(2));
        config.read_timeout = None;
        config.default_retry = false;
        let namespace = target.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        config.default_namespace.clone_from(&namespace);
        let mut all: Vec<http::Uri> = Vec::new();
        for server in servers {
            let url: http::Uri = server
                .parse()
                .map_err(|e: http::uri::InvalidUri| AccessError::Server { server, reason: e.to_string() })?;
            if !all.iter().any(|known| known.authority() == url.authority()) {
                all.push(url);
            }
        }
        // A virtual address last: while it moves, a master that lives answers sooner.
        if !all.iter().any(|known| known.authority() == config.cluster_url.authority()) {
            all.push(config.cluster_url.clone());
        }
        let limit = target.request_timeout.filter(|limit| !limit.is_zero());
        Ok(Self { config, servers: all, learns, namespace, limit })
    }
}

/// A kubeconfig of nothing but a server; the flags say the rest.
fn bare(server: &str) -> Kubeconfig {
    const NAME: &str = "flags";
    let value = serde_json::json!({
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": {"server": server}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "users": [{"name": NAME, "user": {}}],
    });
    serde_json::from_value(value).unwrap_or_default()
}

/// All masters that the context's cluster entry lists in our extension.
fn servers(kubeconfig: &Kubeconfig, target: &Target) -> Vec<String> {
    let of_context = || {
        let name = target.context.as_deref().or(kubeconfig.current_context.as_deref())?;
        let context = kubeconfig.contexts.iter().find(|entry| entry.name == name)?;
        Some(context.context.as_ref()?.cluster.as_str())
    };
    let Some(cluster) = target.overrides.cluster.as_deref().or_else(of_context) else {
        return Vec::new();
    };
    let entry = kubeconfig.clusters.iter().find(|entry| entry.name == cluster);
    let extensions = entry.and_then(|entry| entry.cluster.as_ref()?.extensions.as_ref());
    let list = extensions.into_iter().flatten().filter(|extension| extension.name == MASTERS_EXTENSION);
    list.filter_map(|extension| extension.extension.get("servers")?.as_array())
        .flatten()
        .filter_map(|server| server.as_str().map(str::to_owned))
        .collect()
}

/// The files to read, by kubectl's rules and then the local cluster's own; and where we looked, for the error.
fn candidates(target: &Target, environment: &str, home: Option<&Path>) -> (Vec<PathBuf>, String) {
    if let Some(file) = &target.kubeconfig {
        return (vec![file.clone()], file.display().to_string());
    }
    let listed: Vec<PathBuf> = environment.split(':').filter(|part| !part.is_empty()).map(PathBuf::from).collect();
    let existing: Vec<PathBuf> = listed.iter().filter(|file| file.exists()).cloned().collect();
    if !existing.is_empty() {
        return (existing, environment.to_owned());
    }
    let defaults = home.map(|home| home.join(".kube/config")).into_iter().chain([PathBuf::from(LOCAL)]);
    let defaults: Vec<PathBuf> = defaults.collect();
    let mut tried: Vec<String> = listed.iter().chain(&defaults).map(|file| file.display().to_string()).collect();
    tried.dedup();
    (defaults.into_iter().filter(|file| file.exists()).take(1).collect(), tried.join(", "))
}

fn explain(error: &KubeconfigError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}
