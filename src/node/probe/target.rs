//! What a probe asks, with names resolved to numbers. Pure.

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A command in the container that must end with 0.
    Exec(Vec<String>),
    /// A connection must be accepted.
    Tcp {
        /// The pod's address when absent.
        host: Option<String>,
        /// Port.
        port: u16,
    },
    /// The answer must be 200 to 399.
    Http {
        /// The pod's address when absent.
        host: Option<String>,
        /// Port.
        port: u16,
        /// Path and query.
        path: String,
        /// Without checking the certificate.
        https: bool,
        /// More headers.
        headers: Vec<(String, String)>,
    },
    /// `grpc.health.v1.Health/Check` must answer that it serves; always at the pod's address.
    Grpc {
        /// Port.
        port: u16,
        /// Which service; empty: the server as a whole.
        service: String,
    },
}

fn port(container: &Container, port: &IntOrString) -> Result<u16, String> {
    match port {
        IntOrString::Int(port) => u16::try_from(*port).map_err(|_| format!("invalid port number: {port}")),
        IntOrString::String(name) => {
            let ports = container.ports.as_deref().unwrap_or_default();
            let named = ports.iter().find(|port| port.name.as_deref() == Some(name));
            let number = named.map(|port| port.container_port.to_string()).unwrap_or_else(|| name.clone());
            number.parse().map_err(|_| format!("couldn't find port: {name} in container {}", container.name))
        }
    }
}

/// What this probe of this container asks.
///
/// # Errors
/// A port that is unknown, or no handler; the text is the probe's failure.
pub fn target(container: &Container, probe: &Probe) -> Result<Target, String> {
    if let Some(exec) = &probe.exec {
        return Ok(Target::Exec(exec.command.clone().unwrap_or_default()));
    }
    let host = |host: &Option<String>| host.clone().filter(|host| !host.is_empty());
    if let Some(tcp) = &probe.tcp_socket {
        return Ok(Target::Tcp { host: host(&tcp.host), port: port(container, &tcp.port)? });
    }
    if let Some(get) = &probe.http_get {
        let path = get.path.clone().unwrap_or_default();
        let headers = get.http_headers.iter().flatten().map(|header| (header.name.clone(), header.value.clone()));
        return Ok(Target::Http {
            host: host(&get.host),
            port: port(container, &get.port)?,
            path: if path.starts_with('/') { path } else { format!("/{path}") },
            https: get.scheme.as_deref() == Some("HTTPS"),
            headers: headers.collect(),
        });
    }
    if let Some(grpc) = &probe.grpc {
        let port = u16::try_from(grpc.port).map_err(|_| format!("invalid port number: {}", grpc.port))?;
        return Ok(Target::Grpc { port, service: grpc.service.clone().unwrap_or_default() });
    }
    Err("the probe has no handler: use exec, httpGet, tcpSocket or grpc".to_owned())
}
