#![allow(clippy::unwrap_used)]

use super::*;

const ONE: &str = "
cluster: local
clusterId: c-1
name: m1
roles: [master]
address: 10.89.0.11
dataDir: /var/lib/raftsman/local/m1
pki: { dir: /var/lib/raftsman/local/m1/pki }
masters:
- { name: m1, id: 1, address: 10.89.0.11 }
";

#[test]
fn a_short_file_is_whole_with_defaults() {
    let config: HostConfig = serde_yaml::from_str(ONE).unwrap();
    assert_eq!(config.problems(), Vec::<String>::new());
    assert_eq!(config.ports, Ports { api: 6443, peer: 6444, node: 6445 });
    assert_eq!(config.network.kubernetes_ip().unwrap().to_string(), "10.96.0.1");
    assert_eq!(config.network.resolver().unwrap().to_string(), "10.96.0.10");
}

#[test]
fn an_unlisted_master_and_a_double_id_are_named() {
    let mut config: HostConfig = serde_yaml::from_str(ONE).unwrap();
    config.name = "m9".to_owned();
    config.masters.push(MasterAddress { name: "m2".to_owned(), ..config.masters[0].clone() });
    let problems = config.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("\"m9\""));
    assert!(problems[1].starts_with("masters[1]"));
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let error = serde_yaml::from_str::<HostConfig>(&format!("{ONE}\nmaster: true\n")).unwrap_err().to_string();
    assert!(error.contains("master"), "{error}");
}

#[test]
fn reads_by_lease_are_on_until_they_are_switched_off() {
    let config: HostConfig = serde_yaml::from_str(ONE).unwrap();
    assert!(config.timing.lease_reads);
    let config: HostConfig = serde_yaml::from_str(&format!("{ONE}\ntiming: {{ leaseReads: false }}\n")).unwrap();
    assert!(!config.timing.lease_reads);
}

#[test]
fn a_schedule_of_backups_is_checked_with_the_rest() {
    let with = |backup: &str| serde_yaml::from_str::<HostConfig>(&format!("{ONE}\nbackup: {backup}\n"));
    let config = with("{ every: 6h, keep: 28, dir: /var/backups/raftsman }").unwrap();
    assert_eq!(config.problems(), Vec::<String>::new());
    let problems = with("{ every: 6h, keep: 0, dir: backups }").unwrap().problems();
    assert!(problems.len() == 2 && problems[0].starts_with("backup.keep"), "{problems:?}");
    assert!(with("{ every: often, keep: 1, dir: /b }").unwrap_err().to_string().contains("often"));
}
