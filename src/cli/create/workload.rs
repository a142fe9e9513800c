//! Deployments and jobs from flags.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

/// `create deployment`.
#[derive(Debug, Args)]
pub(super) struct Deployment {
    /// Its name
    name: String,
    /// The image; several: a container each
    #[arg(long, required = true, value_name = "IMAGE", value_delimiter = ',')]
    image: Vec<String>,
    /// How many pods
    #[arg(short, long, default_value_t = 1, value_name = "N")]
    replicas: u32,
    /// The port that the container serves
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The command and its arguments, after --
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Deployment {
    pub(super) fn object(&self) -> anyhow::Result<Value> {
        if self.image.len() > 1 && !self.command.is_empty() {
            bail!("a command goes with one --image only");
        }
        let mut containers = containers(&self.image);
        if let Some(first) = containers.first_mut() {
            if !self.command.is_empty() {
                first["command"] = json!(self.command);
            }
            if let Some(port) = self.port {
                first["ports"] = json!([{"containerPort": port}]);
            }
        }
        let labels = json!({"app": self.name});
        Ok(json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
            },
        }))
    }
}

/// `create job`.
#[derive(Debug, Args)]
pub(super) struct Job {
    /// Its name
    name: String,
    /// The image
    #[arg(long, value_name = "IMAGE")]
    image: String,
    /// The command and its arguments, after --
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Job {
    pub(super) fn object(&self) -> anyhow::Result<Value> {
        let mut container = json!({"name": self.name, "image": self.image});
        if !self.command.is_empty() {
            container["command"] = json!(self.command);
        }
        let pod = json!({"spec": {"containers": [container], "restartPolicy": "Never"}});
        let metadata = json!({"name": self.name});
        Ok(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": pod}}))
    }
}

/// A container per image, named after it.
fn containers(images: &[String]) -> Vec<Value> {
    let mut names: Vec<String> = Vec::new();
    let name = |image: &String| {
        let last = image.rsplit('/').next().unwrap_or_default();
        let last = last.split(['@', ':']).next().unwrap_or_default();
        let plain: String =
            last.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let name = match names.iter().filter(|known| **known == plain).count() {
            0 => plain.clone(),
            more => format!("{plain}-{}", more + 1),
        };
        names.push(plain);
        json!({"name": name, "image": image})
    };
    images.iter().map(name).collect()
}
