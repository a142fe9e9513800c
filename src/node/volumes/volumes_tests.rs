//! Volumes on temporary directories.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::{Content, File, Usage, atomic, bind, limits, refresh, set_up, usage};
use crate::spec::Facts;
use crate::world::World;
use k8s_openapi::api::core::v1::Pod;
use parking_lot::RwLock;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

fn facts() -> Facts {
    let ip = "10.0.0.1".parse().unwrap();
    Facts { host_ip: ip, pod_ip: None, cpus: 1, memory: 1, disk: 1 }
}

fn pod(volumes: Value) -> Arc<Pod> {
    let mounts: Vec<Value> = volumes
        .as_array()
        .unwrap()
        .iter()
        .map(|v| json!({"name": v["name"], "mountPath": format!("/{}", v["name"])}))
        .collect();
    let metadata = json!({"name": "p", "namespace": "ns", "uid": "u", "labels": {"tier": "web"}});
    let spec = json!({"volumes": volumes, "containers": [{"name": "c", "volumeMounts": mounts}]});
    Arc::new(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
}

fn map(world: &RwLock<World>, data: Value) {
    let json = json!({"metadata": {"name": "map", "namespace": "ns"}, "data": data});
    let name = ("ns".to_owned(), "map".to_owned());
    world.write().put("configmaps", &name, &serde_json::to_vec(&json).unwrap()).unwrap();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn config_files_follow_their_map_at_once() {
    let (dir, world) = (tempfile::tempdir().unwrap(), RwLock::default());
    map(&world, json!({"a": "1", "b": "2"}));
    let pod = pod(json!([{"name": "v", "configMap": {"name": "map", "defaultMode": 0o600}}]));
    let places = set_up(&pod, &facts(), dir.path(), &dir.path().join("local"), &world).unwrap();
    let place = &places["v"];
    assert_eq!((read(&place.join("a")), read(&place.join("b"))), ("1".to_owned(), "2".to_owned()));
    assert_eq!(fs::metadata(place.join("a")).unwrap().permissions().mode() & 0o777, 0o600);
    let version = fs::read_link(place.join("..data")).unwrap();
    // The same again changes nothing; something else changes all of it.
    refresh(&pod, &facts(), dir.path(), &dir.path().join("local"), &world).unwrap();
    assert_eq!(fs::read_link(place.join("..data")).unwrap(), version);
    map(&world, json!({"a": "new", "c": "3"}));
    refresh(&pod, &facts(), dir.path(), &dir.path().join("local"), &world).unwrap();
    assert_eq!((read(&place.join("a")), read(&place.join("c"))), ("new".to_owned(), "3".to_owned()));
    assert!(fs::symlink_metadata(place.join("b")).is_err());
    assert!(!place.join(version).exists());
}

#[test]
fn items_choose_keys_and_paths() {
    let (dir, world) = (tempfile::tempdir().unwrap(), RwLock::default());
    map(&world, json!({"a": "1", "b": "2"}));
    let items = json!([{"key": "a", "path": "deep/er/file", "mode": 0o400}]);
    let good = pod(json!([{"name": "v", "configMap": {"name": "map", "items": items}}]));
    let places = set_up(&good, &facts(), dir.path(), &dir.path().join("local"), &world).unwrap();
    assert_eq!(read(&places["v"].join("deep/er/file")), "1");
    assert!(!places["v"].join("b").exists());
    for (items, expected) in [
        (json!([{"key": "none", "path": "x"}]), "non-existent config key: none"),
        (json!([{"key": "a", "path": "../x"}]), "invalid path"),
        (json!([{"key": "a", "path": "/x"}]), "invalid path"),
    ] {
        let bad = pod(json!([{"name": "v", "configMap": {"name": "map", "items": items}}]));
        let error = set_up(&bad, &facts(), dir.path(), &dir.path().join("local"), &world).unwrap_err().0;
        assert!(
            error.starts_with("MountVolume.SetUp failed for volume \"v\" : ") && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn what_is_absent_or_unsupported_is_named() {
    let (dir, world) = (tempfile::tempdir().unwrap(), RwLock::default());
    for (volume, expected) in [
        (json!({"name": "v", "configMap": {"name": "none"}}), "configmap \"none\" not found"),
        (json!({"name": "v", "secret": {"secretName": "none"}}), "secret \"none\" not found"),
        (json!({"name": "v", "nfs": {"server": "s", "path": "/"}}), "volume type nfs is not supported"),
        (
            json!({"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}),
            "projected volume source serviceAccountToken is not supported",
        ),
        (json!({"name": "v", "hostPath": {"path": "/none/such", "type": "Directory"}}), "hostPath type check failed"),
    ] {
        let error =
            set_up(&pod(json!([volume])), &facts(), dir.path(), &dir.path().join("local"), &world).unwrap_err().0;
        assert!(error.ends_with(expected) || error.contains(expected), "{error}");
    }
    let optional = pod(json!([{"name": "v", "configMap": {"name": "none", "optional": true}}]));
    assert!(set_up(&optional, &facts(), dir.path(), &dir.path().join("local"), &world).is_ok());
}

#[test]
fn an_empty_dir_keeps_what_is_in_it() {
    let (dir, world) = (tempfile::tempdir().unwrap(), RwLock::default());
    let pod = pod(json!([{"name": "v", "emptyDir": {}}, {"name": "d", "downwardAPI": {"items": [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]));
    let places = set_up(&pod, &facts(), dir.path(), &dir.path().join("local"), &world).unwrap();
    fs::write(places["v"].join("kept"), "x").unwrap();
    set_up(&pod, &facts(), dir.path(), &dir.path().join("local"), &world).unwrap();
    assert_eq!(read(&places["v"].join("kept")), "x");
    assert_eq!(read(&places["d"].join("labels")), "tier=\"web\"");
    assert_eq!(fs::metadata(&places["v"]).unwrap().permissions().mode() & 0o777, 0o777);
    fs::set_permissions(&places["v"], fs::Permissions::from_mode(0o700)).unwrap();
    set_up(&pod, &facts(), dir.path(), &dir.path().join("local"), &world).unwrap();
    assert_eq!(fs::metadata(&places["v"]).unwrap().permissions().mode() & 0o777, 0o700, "it is the pod's");
}

/// Unmounts what a test has mounted there.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn sub_paths_stay_inside() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("v");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
    symlink("/etc", place.join("out")).unwrap();
    let places = [("v".to_owned(), place.clone())].into();
    let mounted = Mounted(dir.path().join("subpaths/c/0"));
    let mount = |part: &str| {
        let container = json!({"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/m", "subPathExpr": part, "readOnly": true}]});
        let container = serde_json::from_value(container).unwrap();
        bind(&Pod::default(), &container, &places, dir.path(), |name| (name == "N").then(|| "sub".to_owned()))
    };
    let good = mount("$(N)/deep").unwrap();
    assert_eq!(good[0].source, mounted.0);
    assert!(good[0].read_only && good[0].source.is_dir());
    assert_eq!(fs::metadata(place.join("sub")).unwrap().permissions().mode() & 0o777, 0o777, "as its volume");
    // What is mounted stays what it was, whatever is put in its place.
    fs::write(place.join("sub/deep/file"), "x").unwrap();
    fs::rename(place.join("sub"), place.join("other")).unwrap();
    symlink("/etc", place.join("sub")).unwrap();
    assert_eq!(read(&good[0].source.join("file")), "x");
    for bad in ["../x", "out", "out/x", "$(N)/deep"] {
        let error = mount(bad).unwrap_err().0;
        assert!(error.starts_with("failed to prepare subPath"), "{bad}: {error}");
    }
    assert!(!Path::new("/etc/x").exists());
}

#[test]
fn files_of_api_objects_are_never_writable() {
    let place = std::path::PathBuf::from("/place");
    for (source, read_only) in [
        (json!({"configMap": {"name": "m"}}), true),
        (json!({"secret": {"secretName": "s"}}), true),
        (json!({"downwardAPI": {"items": []}}), true),
        (json!({"projected": {"sources": []}}), true),
        (json!({"emptyDir": {}}), false),
        (json!({"hostPath": {"path": "/x"}}), false),
    ] {
        let mut volume = source.clone();
        volume["name"] = json!("v");
        let pod = pod(json!([volume]));
        let container = &pod.spec.as_ref().unwrap().containers[0];
        let places = [("v".to_owned(), place.clone())].into();
        let mounts = bind(&pod, container, &places, Path::new("/pod"), |_| None).unwrap();
        assert_eq!(mounts[0].read_only, read_only, "{source}");
    }
}

#[test]
fn nothing_is_removed_where_a_forged_link_leads() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = dir.path().join("v");
    let of = |text: &str| -> Content { [("a".to_owned(), File { data: text.into(), mode: 0o644 })].into() };
    fs::create_dir_all(other.path().join("deep")).unwrap();
    fs::create_dir_all(dir.path().join("kept")).unwrap();
    for (number, link) in [other.path().to_str().unwrap(), "../kept", "..", "v/../../kept"].into_iter().enumerate() {
        atomic::write(&place, &of("first"), None).unwrap();
        fs::remove_file(place.join("..data")).unwrap();
        symlink(link, place.join("..data")).unwrap();
        let text = number.to_string();
        assert!(atomic::write(&place, &of(&text), None).unwrap());
        assert_eq!(read(&place.join("a")), text);
        assert!(other.path().join("deep").exists() && dir.path().join("kept").exists(), "{link}");
    }
}

#[test]
fn a_half_written_version_is_no_version() {
    let dir = tempfile::tempdir().unwrap();
    let file = |text: &str| File { data: text.into(), mode: 0o644 };
    let good: Content = [("a".to_owned(), file("1"))].into();
    assert!(atomic::write(dir.path(), &good, None).unwrap());
    // "a" cannot be a file and a directory at once.
    let bad: Content = [("a".to_owned(), file("2")), ("a/b".to_owned(), file("3"))].into();
    assert!(atomic::write(dir.path(), &bad, None).is_err());
    assert_eq!(read(&dir.path().join("a")), "1");
    assert!(!atomic::write(dir.path(), &good, None).unwrap());
}

fn volume_and_claim(world: &RwLock<World>, source: Value, bound: bool) {
    let mut spec = source;
    spec["accessModes"] = json!(["ReadWriteOnce"]);
    let volume = json!({"metadata": {"name": "pv"}, "spec": spec});
    let name = if bound { "pv" } else { "" };
    let claim = json!({"metadata": {"name": "data", "namespace": "ns"}, "spec": {"volumeName": name}});
    let mut world = world.write();
    world.put("persistentvolumes", &(String::new(), "pv".to_owned()), &serde_json::to_vec(&volume).unwrap()).unwrap();
    let name = ("ns".to_owned(), "data".to_owned());
    world.put("persistentvolumeclaims", &name, &serde_json::to_vec(&claim).unwrap()).unwrap();
}

#[test]
fn a_claim_leads_to_its_volume() {
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("local");
    let pod = pod(json!([{"name": "d", "persistentVolumeClaim": {"claimName": "data", "readOnly": true}}]));
    let place = |world: &RwLock<World>| {
        set_up(&pod, &facts(), dir.path(), &local, world).map(|places| places["d"].clone()).map_err(|error| error.0)
    };
    let world = RwLock::default();
    assert!(place(&world).unwrap_err().contains("persistentvolumeclaim \"data\" not found"));
    let ours = json!({"csi": {"driver": raftsman_api::volumes::LOCAL_PATH, "volumeHandle": "pvc-1"}});
    volume_and_claim(&world, ours.clone(), false);
    assert!(place(&world).unwrap_err().contains("is not bound"));
    volume_and_claim(&world, ours, true);
    let made = place(&world).unwrap();
    assert_eq!(made, local.join("pvc-1"));
    fs::write(made.join("kept"), "x").unwrap();
    assert_eq!(read(&place(&world).unwrap().join("kept")), "x", "made once");
    let container = json!({"name": "c", "volumeMounts": [{"name": "d", "mountPath": "/d"}]});
    let places = std::collections::BTreeMap::from([("d".to_owned(), made)]);
    let mounts = bind(&pod, &serde_json::from_value(container).unwrap(), &places, dir.path(), |_| None).unwrap();
    assert!(mounts[0].read_only);
    let host = dir.path().join("static");
    for source in [json!({"hostPath": {"path": host, "type": ""}}), json!({"local": {"path": host}})] {
        volume_and_claim(&world, source, true);
        assert_eq!(place(&world).unwrap(), host);
    }
    volume_and_claim(&world, json!({"nfs": {"server": "s", "path": "/"}}), true);
    assert!(place(&world).unwrap_err().contains("volume type nfs is not supported"));
    let outside = json!({"csi": {"driver": raftsman_api::volumes::LOCAL_PATH, "volumeHandle": "../etc"}});
    volume_and_claim(&world, outside, true);
    assert!(place(&world).unwrap_err().contains("volumeHandle"));
}

#[test]
fn only_what_this_node_made_for_a_deleted_volume_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let volume = |handle: &str, node: &str, policy: &str| {
        let driver = raftsman_api::volumes::LOCAL_PATH;
        serde_json::from_value(json!({"metadata": {"name": "pv"}, "spec": {
            "persistentVolumeReclaimPolicy": policy,
            "csi": {"driver": driver, "volumeHandle": handle, "volumeAttributes": {"node": node}},
        }}))
        .unwrap()
    };
    for (handle, node, policy, kept) in [
        ("pvc-1", "n1", "Delete", false),
        ("pvc-2", "n2", "Delete", true),
        ("pvc-3", "n1", "Retain", true),
        ("../other", "n1", "Delete", true),
    ] {
        let local = dir.path().join("local");
        let made = local.join(handle);
        fs::create_dir_all(&local).unwrap();
        fs::create_dir_all(&made).unwrap();
        fs::write(made.join("data"), "x").unwrap();
        super::discard(&volume(handle, node, policy), "n1", &local).unwrap();
        assert_eq!(made.exists(), kept, "{handle} {node} {policy}");
    }
}

#[test]
fn limits_are_those_of_volumes_on_disk() {
    let pod = pod(json!([
        {"name": "free", "emptyDir": {}},
        {"name": "small", "emptyDir": {"sizeLimit": "2Mi"}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]));
    assert_eq!(limits(&pod), [("small".to_owned(), 2 << 20, "2Mi".to_owned())]);
}

#[test]
fn usage_counts_blocks_once_and_stays_inside() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let all = |dir: &Path| usage(dir, u64::MAX, 1000).unwrap();
    fs::write(other.path().join("large"), vec![1; 1 << 20]).unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    let empty = all(dir.path());
    fs::write(dir.path().join("a/b/file"), vec![1; 256 << 10]).unwrap();
    fs::hard_link(dir.path().join("a/b/file"), dir.path().join("again")).unwrap();
    symlink(other.path(), dir.path().join("out")).unwrap();
    // A hole takes nothing.
    fs::File::create(dir.path().join("sparse")).unwrap().set_len(1 << 30).unwrap();
    let full = all(dir.path());
    let grown = full.bytes - empty.bytes;
    assert!(full.whole && ((256 << 10)..(300 << 10)).contains(&grown), "{grown}");
    let Usage { bytes, .. } = usage(dir.path(), 1000, 1000).unwrap();
    assert!(bytes > 1000, "it is known to be too large");
    assert!(!usage(dir.path(), u64::MAX, 3).unwrap().whole, "there are more entries than that");
    assert!(usage(&dir.path().join("absent"), 1, 1).is_err());
}
