//! The files that every container of a pod sees.

use crate::border::PodSpec;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Content of `/etc/hosts`, as kubelet writes it.
pub(crate) fn hosts(spec: &PodSpec, address: Option<IpAddr>) -> String {
    let mut text = String::from(
        "# Written by raftsman.\n\
         127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\n\
         fe00::0\tip6-mcastprefix\n\
         fe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n",
    );
    if let Some(address) = address {
        let names: Vec<&str> = spec.fqdn.as_deref().into_iter().chain([spec.hostname.as_str()]).collect();
        text.push_str(&format!("{address}\t{}\n", names.join("\t")));
    }
    if !spec.host_aliases.is_empty() {
        text.push_str("\n# hostAliases\n");
    }
    for (address, names) in &spec.host_aliases {
        text.push_str(&format!("{address}\t{}\n", names.join("\t")));
    }
    text
}

/// Writes a file in place, because running containers have that very file mounted.
pub(crate) fn put(directory: &Path, name: &str, content: &str) -> io::Result<()> {
    let path = directory.join(name);
    fs::write(&path, content)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn hosts_name_the_pod_and_its_aliases() {
        let spec = PodSpec {
            hostname: "web-1".to_owned(),
            host_aliases: vec![("10.1.2.3".parse().unwrap(), vec!["a".to_owned(), "b.c".to_owned()])],
            ..PodSpec::default()
        };
        let text = hosts(&spec, Some("10.244.1.7".parse().unwrap()));
        assert!(text.contains("\n10.244.1.7\tweb-1\n"));
        assert!(text.ends_with("# hostAliases\n10.1.2.3\ta\tb.c\n"));
        assert!(!hosts(&spec, None).contains("web-1"));
        let spec = PodSpec { fqdn: Some("web-1.sub.ns.svc.cluster.local".to_owned()), ..spec };
        let text = hosts(&spec, Some("10.244.1.7".parse().unwrap()));
        assert!(text.contains("\n10.244.1.7\tweb-1.sub.ns.svc.cluster.local\tweb-1\n"));
    }
}
