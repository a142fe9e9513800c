//! What the runtime needs for a pod's root.

use super::{Resolver, SpecError, resolv_conf, resources};
use k8s_openapi::api::core::v1::Pod;
use raftsman_runtime::border::PodSpec;

const MOST_HOSTNAME: usize = 63;

/// The pod's host name: `spec.hostname`, else its own name, cut to what the kernel and DNS take.
pub fn hostname(pod: &Pod) -> String {
    let given = pod.spec.as_ref().and_then(|spec| spec.hostname.clone()).filter(|name| !name.is_empty());
    let name = given.or_else(|| pod.metadata.name.clone()).unwrap_or_default();
    let cut: String = name.chars().take(MOST_HOSTNAME).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// `HOSTNAME.SUBDOMAIN.NAMESPACE.svc.DOMAIN`, if the pod has a subdomain.
fn fqdn(pod: &Pod, domain: &str) -> Option<String> {
    let subdomain = pod.spec.as_ref()?.subdomain.as_deref().filter(|subdomain| !subdomain.is_empty())?;
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    Some(format!("{}.{subdomain}.{namespace}.svc.{domain}", hostname(pod)))
}

/// The pod's root. `node` is the host's name, which pods on the host's network have; `pids` the limit of every pod;
/// `fenced`: it runs only while the node's promise holds.
///
/// # Errors
/// A host alias that is no address.
pub fn pod_spec(
    pod: &Pod,
    node: &str,
    pids: Option<u64>,
    resolver: &Resolver,
    fenced: bool,
) -> Result<PodSpec, SpecError> {
    let spec = pod.spec.clone().unwrap_or_default();
    let host_network = spec.host_network.unwrap_or(false);
    let (cpu_shares, cpu_quota, memory) = resources::pod_limits(pod);
    let mut host_aliases = Vec::new();
    for alias in spec.host_aliases.iter().flatten() {
        let ip = alias.ip.parse().map_err(|_| SpecError(format!("hostAliases: {:?} is no address", alias.ip)))?;
        host_aliases.push((ip, alias.hostnames.clone().unwrap_or_default()));
    }
    let sysctls = spec.security_context.as_ref().and_then(|context| context.sysctls.clone()).unwrap_or_default();
    Ok(PodSpec {
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.metadata.name.clone().unwrap_or_default(),
        hostname: if host_network { node.to_owned() } else { hostname(pod) },
        fqdn: fqdn(pod, &resolver.domain).filter(|_| !host_network),
        host_network,
        host_pid: spec.host_pid.unwrap_or(false),
        host_ipc: spec.host_ipc.unwrap_or(false),
        share_pid: spec.share_process_namespace.unwrap_or(false),
        qos: resources::qos(pod),
        cpu_shares,
        cpu_quota,
        memory,
        pids,
        resolv_conf: resolv_conf(pod, resolver),
        host_aliases,
        fenced,
        sysctls: sysctls.into_iter().map(|sysctl| (sysctl.name, sysctl.value)).collect(),
    })
}
