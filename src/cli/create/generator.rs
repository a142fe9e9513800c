//! Objects from flags: which there are.

use crate::create::data::{ConfigMap, Secret};
use crate::create::service::Service;
use crate::create::workload::{Deployment, Job};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// What can be made without a manifest.
#[derive(Debug, Subcommand)]
pub(super) enum Generator {
    /// A namespace
    #[command(visible_alias = "ns")]
    Namespace(Plain),
    /// A service account
    #[command(name = "serviceaccount", visible_alias = "sa")]
    ServiceAccount(Plain),
    /// A config map, from values and files
    #[command(name = "configmap", visible_alias = "cm")]
    ConfigMap(ConfigMap),
    /// A secret, from values and files
    #[command(subcommand)]
    Secret(Secret),
    /// A deployment of an image
    #[command(visible_alias = "deploy")]
    Deployment(Deployment),
    /// A job that runs an image
    Job(Job),
    /// A service before the pods with the label app=NAME
    #[command(subcommand, visible_alias = "svc")]
    Service(Service),
}

/// Only a name.
#[derive(Debug, Args)]
pub(super) struct Plain {
    /// Its name
    name: String,
}

impl Generator {
    /// As the command line names it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "namespace",
            Self::ServiceAccount(_) => "serviceaccount",
            Self::ConfigMap(_) => "configmap",
            Self::Secret(_) => "secret",
            Self::Deployment(_) => "deployment",
            Self::Job(_) => "job",
            Self::Service(_) => "service",
        }
    }

    /// It lives in a namespace.
    pub(super) fn is_namespaced(&self) -> bool {
        !matches!(self, Self::Namespace(_))
    }

    /// How kubectl names the object.
    pub(super) fn qualified(&self, name: &str) -> String {
        let group = match self {
            Self::Deployment(_) => ".apps",
            Self::Job(_) => ".batch",
            _ => "",
        };
        format!("{}{group}/{name}", self.word())
    }

    /// The object.
    ///
    /// # Errors
    /// A flag says nothing sound, or a file cannot be read.
    pub(super) fn object(&self) -> anyhow::Result<Value> {
        let plain = |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        match self {
            Self::Namespace(plainly) => Ok(plain("Namespace", &plainly.name)),
            Self::ServiceAccount(plainly) => Ok(plain("ServiceAccount", &plainly.name)),
            Self::ConfigMap(map) => map.object(),
            Self::Secret(secret) => secret.object(),
            Self::Deployment(deployment) => deployment.object(),
            Self::Job(job) => job.object(),
            Self::Service(service) => service.object(),
        }
    }
}
