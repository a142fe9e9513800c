#![allow(clippy::unwrap_used)]

use super::*;
use raftsman_api::config::Role;
use std::path::Path;

fn cluster(masters: u8, nodes: u8) -> Result<LocalCluster, PlanError> {
    let ranges = choose_ranges(&[])?;
    LocalCluster::plan("local", Path::new("/var/lib/raftsman/local"), "c-1", ranges, masters, nodes)
}

#[test]
fn the_addresses_are_those_that_people_rely_on() {
    let plan = cluster(3, 3).unwrap();
    let hosts: Vec<String> = plan.hosts.iter().map(|host| format!("{} {}", plan.link(host), host.address)).collect();
    let wanted = [
        "local-m1 10.89.0.11",
        "local-m2 10.89.0.12",
        "local-m3 10.89.0.13",
        "local-n1 10.89.0.21",
        "local-n2 10.89.0.22",
        "local-n3 10.89.0.23",
    ];
    assert_eq!(hosts, wanted);
    assert_eq!(plan.gateway().to_string(), "10.89.0.1");
    assert_eq!(plan.network.pod_cidr.to_string(), "10.244.0.0/16");
    assert_eq!(plan.network.service_cidr.to_string(), "10.96.0.0/16");
    assert_eq!(plan.network.resolver().unwrap().to_string(), "10.96.0.10");
    for host in &plan.hosts {
        let config = plan.config(host);
        assert_eq!(config.problems(), Vec::<String>::new());
        assert_eq!(config.masters.len(), 3);
        assert_eq!(config.insecure_registries, ["10.89.0.1"]);
        assert_eq!(config.masters[2].id, 3);
    }
}

#[test]
fn what_is_in_use_is_avoided() {
    let used: Vec<ipnet::Ipv4Net> =
        ["0.0.0.0/0", "10.89.0.0/23", "10.244.7.0/24", "10.96.0.0/12"].map(|net| net.parse().unwrap()).to_vec();
    let ranges = choose_ranges(&used).unwrap();
    assert_eq!(ranges.hosts.to_string(), "10.89.2.0/24");
    assert_eq!(ranges.pods.to_string(), "10.245.0.0/16");
    assert_eq!(ranges.services.to_string(), "10.112.0.0/16");
    let all = ["10.0.0.0/8".parse().unwrap(), "172.16.0.0/12".parse().unwrap()];
    assert!(choose_ranges(&all).unwrap_err().to_string().contains("hosts"));
}

#[test]
fn a_cluster_that_was_down_says_who_has_its_addresses() {
    let plan = cluster(3, 3).unwrap();
    let used = |net: &str| [net.parse().unwrap()];
    for free in ["0.0.0.0/0", "10.89.1.0/24", "10.90.0.0/16"] {
        plan.fits(&used(free)).unwrap();
    }
    for taken in ["10.89.0.0/16", "10.89.0.128/25", "10.89.0.7/32"] {
        let error = plan.fits(&used(taken)).unwrap_err().to_string();
        assert!(error.contains("10.89.0.0/24") && error.contains(taken) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn it_grows_and_masters_that_come_later_join() {
    let mut plan = cluster(3, 1).unwrap();
    let before = plan.hosts.clone();
    plan.grow(3, 3).unwrap();
    assert_eq!(plan.hosts[..4], before[..]);
    assert_eq!(plan.of(Role::Node).count(), 3);
    plan.grow(5, 3).unwrap();
    assert_eq!(plan.expected(), ["m4", "m5"]);
    // Until then the others know nothing of them.
    assert_eq!(plan.config(&plan.hosts[0]).masters.len(), 3);
    plan.joined("m4", 9);
    let masters = plan.config(&plan.hosts[0]).masters;
    assert_eq!((masters.len(), masters[3].id, masters[3].address.to_string().as_str()), (4, 9, "10.89.0.14"));
    plan.remove("m2");
    assert_eq!(plan.config(&plan.hosts[0]).masters.iter().map(|m| m.id).collect::<Vec<_>>(), [1, 3, 9]);
    plan.grow(5, 3).unwrap();
    assert_eq!(plan.expected(), ["m5", "m2"]);
    assert!(plan.grow(4, 3).unwrap_err().to_string().contains("removes none"));
    assert!(plan.grow(8, 3).unwrap_err().to_string().contains("--masters 8"));
    assert!(plan.grow(5, 2).unwrap_err().to_string().contains("removes none"));
    assert!(cluster(0, 1).is_err() && cluster(8, 1).is_err());
}

#[test]
fn an_even_number_of_masters_is_refused_with_the_reason() {
    for (masters, says) in
        [(2, "survives the loss of 0, as 1 would: use 1 or 3"), (4, "loss of 1, as 3 would: use 3 or 5")]
    {
        let error = cluster(masters, 1).unwrap_err().to_string();
        assert!(error.starts_with(&format!("--masters {masters}: ")) && error.contains(says), "{error}");
    }
    let mut plan = cluster(3, 1).unwrap();
    assert!(plan.resize(4, 1).unwrap_err().to_string().contains("use 3 or 5"));
    // Host by host it goes by way of one, and `up` leaves it as it is.
    plan.grow(4, 1).unwrap();
    plan.resize(4, 2).unwrap();
    plan.resize(5, 2).unwrap();
    assert!(plan.resize(8, 2).unwrap_err().to_string().contains("1 to 7"));
}

#[test]
fn interface_names_always_fit() {
    for (name, fits) in [("local", true), ("a123456789", true), ("a1234567890", false), ("A", false), ("-a", false)] {
        assert_eq!(check_name(name).is_ok(), fits, "{name}");
    }
    let ranges = choose_ranges(&[]).unwrap();
    let plan = LocalCluster::plan("a123456789", Path::new("/x"), "c", ranges, MAX_MASTERS, MAX_NODES).unwrap();
    assert!(plan.hosts.iter().all(|host| plan.link(host).len() <= 15) && plan.bridge().len() <= 15);
    let addresses: std::collections::BTreeSet<_> = plan.hosts.iter().map(|host| host.address).collect();
    assert_eq!(addresses.len(), plan.hosts.len());
}

#[test]
fn the_plan_file_is_read_back() {
    let plan = cluster(3, 2).unwrap();
    let text = serde_yaml::to_string(&plan).unwrap();
    assert_eq!(serde_yaml::from_str::<LocalCluster>(&text).unwrap(), plan);
}
