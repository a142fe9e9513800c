//! Members of etcd, with its defaults but for certificates between peers, as ours have them, and room for the data.

use super::launch::{Member, ports};
use super::raftsman::host;
use raftsman_pki::{Authority, write_private, write_public};
use std::path::Path;

/// Bytes that etcd's database may take: its default of 2 GiB is reached within minutes of load.
const QUOTA: u64 = 8 << 30;

/// Makes directories and certificates.
pub(super) fn members(program: &Path, directory: &Path, size: u64) -> anyhow::Result<Vec<Member>> {
    let authority = Authority::generate("bench")?;
    let (peer_ports, client_ports) = ports(size)?;
    let file = |name: String| directory.join(name).display().to_string();
    write_public(&directory.join("ca.crt"), authority.certificate())?;
    let cluster: Vec<String> =
        peer_ports.iter().enumerate().map(|(at, peer)| format!("m{}=https://{peer}", at + 1)).collect();
    let cluster = cluster.join(",");
    let mut members = Vec::new();
    for (at, (peer, clients)) in peer_ports.iter().zip(client_ports).enumerate() {
        let name = format!("m{}", at + 1);
        let credentials = authority.issue_host(&host(&name))?;
        write_public(&directory.join(format!("{name}.crt")), &credentials.certificate)?;
        write_private(&directory.join(format!("{name}.key")), &credentials.key)?;
        let data = directory.join(&name);
        let flags = [
            ("name", name.clone()),
            ("data-dir", data.display().to_string()),
            ("listen-peer-urls", format!("https://{peer}")),
            ("initial-advertise-peer-urls", format!("https://{peer}")),
            ("listen-client-urls", format!("http://{clients}")),
            ("advertise-client-urls", format!("http://{clients}")),
            ("initial-cluster", cluster.clone()),
            ("initial-cluster-state", "new".into()),
            ("peer-client-cert-auth", "true".into()),
            ("peer-trusted-ca-file", file("ca.crt".into())),
            ("peer-cert-file", file(format!("{name}.crt"))),
            ("peer-key-file", file(format!("{name}.key"))),
            ("quota-backend-bytes", QUOTA.to_string()),
            ("logger", "zap".into()),
            ("log-level", "error".into()),
        ];
        members.push(Member {
            program: program.to_owned(),
            args: flags.iter().map(|(flag, value)| format!("--{flag}={value}")).collect(),
            data,
            log: directory.join(format!("{name}.log")),
            clients,
            process: None,
        });
    }
    Ok(members)
}
