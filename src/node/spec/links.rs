//! Environment variables of services (`enableServiceLinks`): `MYSQL_SERVICE_HOST` and the like.

use k8s_openapi::api::core::v1::{Pod, Service};

fn upper(name: &str) -> String {
    name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() }).collect()
}

fn served(service: &Service) -> Option<&str> {
    let ip = service.spec.as_ref()?.cluster_ip.as_deref()?;
    (!ip.is_empty() && ip != "None").then_some(ip)
}

/// The variables of the services of the pod's namespace (unless the pod declines), and always those of `kubernetes`.
pub fn service_links<'a>(pod: &Pod, services: impl Iterator<Item = &'a Service>) -> Vec<(String, String)> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let wanted = pod.spec.as_ref().and_then(|spec| spec.enable_service_links).unwrap_or(true);
    let mut variables = Vec::new();
    for service in services {
        let name = service.metadata.name.as_deref().unwrap_or_default();
        let of = service.metadata.namespace.as_deref().unwrap_or_default();
        let master = of == "default" && name == "kubernetes";
        if !(master || (wanted && of == namespace)) {
            continue;
        }
        if let Some(ip) = served(service) {
            link(&upper(name), ip, service, &mut variables);
        }
    }
    variables
}

fn link(prefix: &str, ip: &str, service: &Service, variables: &mut Vec<(String, String)>) {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let mut set = |name: String, value: String| variables.push((name, value));
    let Some(first) = ports.first() else { return };
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
    set(format!("{prefix}_SERVICE_HOST"), ip.to_owned());
    set(format!("{prefix}_SERVICE_PORT"), first.port.to_string());
    for port in ports {
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            set(format!("{prefix}_SERVICE_PORT_{}", upper(name)), port.port.to_string());
        }
    }
    for (at, port) in ports.iter().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let (lower, number) = (protocol.to_ascii_lowercase(), port.port);
        let url = format!("{lower}://{host}:{number}");
        if at == 0 {
            set(format!("{prefix}_PORT"), url.clone());
        }
        let prefix = format!("{prefix}_PORT_{number}_{}", protocol.to_ascii_uppercase());
        set(prefix.clone(), url);
        set(format!("{prefix}_PROTO"), lower);
        set(format!("{prefix}_PORT"), number.to_string());
        set(format!("{prefix}_ADDR"), ip.to_owned());
    }
}
