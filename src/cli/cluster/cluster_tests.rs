#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn the_files_that_come_with_us_are_sound() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cluster-configs");
    for (name, masters) in [("single.yaml", 1), ("three-masters.yaml", 3), ("five-masters.yaml", 5)] {
        let cluster = ClusterFile::read(&dir.join(name)).unwrap();
        assert_eq!(cluster.masters().len(), masters, "{name}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    let text = "
cluster: Prod
hosts:
- { name: m1, address: 192.0.2.1, roles: [node] }
- { name: m_2, address: 192.0.2.1, roles: [node] }
";
    let cluster: ClusterFile = serde_yaml::from_str(text).unwrap();
    let problems = cluster.problems().join("\n");
    assert!(problems.contains("cluster: \"Prod\""), "{problems}");
    assert!(problems.contains("hosts: none has the role master"), "{problems}");
    assert!(problems.contains("hosts[1].name"), "{problems}");
    assert!(problems.contains("hosts[1]: name \"m_2\" or address 192.0.2.1"), "{problems}");
}

#[test]
fn a_master_keeps_the_id_it_was_given() {
    let text = "
cluster: prod
hosts:
- { name: a, address: 192.0.2.1, roles: [master], id: 4 }
- { name: b, address: 192.0.2.2, roles: [node] }
- { name: c, address: 192.0.2.3, roles: [master, node] }
";
    let cluster: ClusterFile = serde_yaml::from_str(text).unwrap();
    let ids: Vec<(String, u64)> = cluster.masters().into_iter().map(|m| (m.name, m.id)).collect();
    assert_eq!(ids, [("a".to_owned(), 4), ("c".to_owned(), 2)]);
}
