//! Services from flags.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// `create service`.
#[derive(Debug, Subcommand)]
pub(super) enum Service {
    /// At an address within the cluster
    #[command(name = "clusterip")]
    ClusterIp {
        #[command(flatten)]
        common: Common,
        /// This address; None: none, its name leads to the pods
        #[arg(long, value_name = "ADDRESS")]
        clusterip: Option<String>,
    },
    /// At a port of every node, too
    #[command(name = "nodeport")]
    NodePort {
        #[command(flatten)]
        common: Common,
        /// This port; 0: any
        #[arg(long, value_name = "PORT", default_value_t = 0)]
        node_port: u16,
    },
    /// Behind a load balancer
    #[command(name = "loadbalancer")]
    LoadBalancer(Common),
    /// A name for what is elsewhere
    #[command(name = "externalname")]
    ExternalName {
        #[command(flatten)]
        common: Common,
        /// The name elsewhere
        #[arg(long, value_name = "NAME")]
        external_name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Common {
    /// Its name
    name: String,
    /// A port, and the pods' port if that is another one
    #[arg(long, value_name = "PORT[:TARGET]", value_delimiter = ',')]
    tcp: Vec<String>,
}

impl Service {
    pub(super) fn object(&self) -> anyhow::Result<Value> {
        let (common, kind) = match self {
            Self::ClusterIp { common, .. } => (common, "ClusterIP"),
            Self::NodePort { common, .. } => (common, "NodePort"),
            Self::LoadBalancer(common) => (common, "LoadBalancer"),
            Self::ExternalName { common, .. } => (common, "ExternalName"),
        };
        let headless = matches!(self, Self::ClusterIp { clusterip: Some(address), .. } if address == "None");
        if common.tcp.is_empty() && !headless && kind != "ExternalName" {
            bail!("--tcp: at least one port must be given, for example --tcp=80:8080");
        }
        let mut ports = common.tcp.iter().map(|text| port(text)).collect::<anyhow::Result<Vec<Value>>>()?;
        let mut spec = json!({"type": kind, "selector": {"app": common.name}});
        match self {
            Self::ClusterIp { clusterip: Some(address), .. } => spec["clusterIP"] = address.as_str().into(),
            Self::NodePort { node_port, .. } if *node_port > 0 => {
                let [port] = &mut ports[..] else { bail!("--node-port goes with one --tcp") };
                port["nodePort"] = json!(node_port);
            }
            Self::ExternalName { external_name, .. } => spec["externalName"] = external_name.as_str().into(),
            _ => {}
        }
        if !ports.is_empty() {
            spec["ports"] = ports.into();
        }
        let metadata = json!({"name": common.name, "labels": {"app": common.name}});
        Ok(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}))
    }
}

/// `80` or `80:8080` or `80:http`.
fn port(text: &str) -> anyhow::Result<Value> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let (port, target) = text.split_once(':').unwrap_or((text, text));
    let port = number(port).with_context(|| format!("--tcp {text:?}: is not PORT or PORT:TARGET"))?;
    let target = match number(target) {
        Some(number) => json!(number),
        None if target.bytes().any(|byte| byte.is_ascii_alphabetic()) => json!(target),
        None => bail!("--tcp {text:?}: the pods' port is a number or a name"),
    };
    Ok(json!({"name": text.replace(':', "-"), "protocol": "TCP", "port": port, "targetPort": target}))
}
