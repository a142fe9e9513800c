//! What masters say, and what is left of it on disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::{Cache, Desired, Told};
use crate::world::{Change, Name, World};
use parking_lot::RwLock;
use raftsman_proto::v1::{Delete, Put, Synced, Welcome};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

fn name(name: &str) -> Name {
    ("ns".to_owned(), name.to_owned())
}

fn open(dir: &Path) -> (Desired, Arc<RwLock<World>>, mpsc::UnboundedReceiver<Told>) {
    let (world, (sender, told)) = (Arc::default(), mpsc::unbounded_channel());
    (Desired::new(Cache::open(dir.to_owned()).unwrap(), Arc::clone(&world), sender), world, told)
}

fn put(resource: &str, name: &str, revision: u64) -> Put {
    let json = format!(r#"{{"metadata": {{"name": "{name}", "namespace": "ns", "uid": "{name}"}}}}"#);
    Put {
        resource: resource.to_owned(),
        namespace: "ns".to_owned(),
        name: name.to_owned(),
        revision,
        json: json.into(),
    }
}

fn welcome(epoch: u64) -> Welcome {
    Welcome { epoch, masters: vec!["10.0.0.1:6444".to_owned()] }
}

fn pods(world: &RwLock<World>) -> Vec<String> {
    world.read().pods().map(|(name, _)| name.1.clone()).collect()
}

#[tokio::test]
async fn it_outlives_the_agent_and_secrets_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desired, ..) = open(dir.path());
    desired.connected(&welcome(3), 1);
    desired.put(put("pods", "a", 5));
    desired.put(put("pods", "b", 6));
    desired.put(put("secrets", "s", 7));
    desired.put(put("discovery.k8s.io/endpointslices", "e", 8));
    desired.delete(Delete {
        resource: "pods".to_owned(),
        namespace: "ns".to_owned(),
        name: "b".to_owned(),
        revision: 9,
    });
    desired.synced(&Synced { revision: 10 });
    desired.masters(vec!["10.0.0.1:6444".to_owned(), "10.0.0.4:6444".to_owned()]);
    desired.flush().await;
    let mode = std::fs::metadata(dir.path().join("secrets/ns/s")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    std::fs::write(dir.path().join("pods/ns/broken"), "{").unwrap();
    let (desired, world, _told) = open(dir.path());
    assert_eq!(pods(&world), ["a"]);
    assert!(world.read().secret("ns", "s").is_some());
    let position = desired.position();
    assert_eq!((position.revision, position.epoch, position.masters.len()), (10, 3, 2));
}

#[tokio::test]
async fn absence_counts_in_a_complete_sync_only() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desired, world, mut told) = open(dir.path());
    desired.connected(&welcome(1), 1);
    desired.put(put("pods", "a", 1));
    desired.put(put("pods", "b", 2));
    assert!(told.try_recv().is_err(), "half a picture was acted on");
    desired.synced(&Synced { revision: 2 });
    assert_eq!(told.try_recv().unwrap(), Told::Changed(vec![Change::Pod(name("a")), Change::Pod(name("b"))]));
    assert_eq!(told.try_recv().unwrap(), Told::Synced(1));
    // Broken off before its end: nothing is forgotten.
    desired.disconnected();
    desired.connected(&welcome(1), 1);
    desired.put(put("pods", "b", 2));
    desired.disconnected();
    assert_eq!(pods(&world), ["a", "b"]);
    desired.connected(&welcome(1), 1);
    desired.put(put("pods", "b", 2));
    desired.synced(&Synced { revision: 4 });
    assert_eq!(pods(&world), ["b"]);
    // A later one says nothing about the others.
    desired.put(put("pods", "c", 5));
    desired.synced(&Synced { revision: 5 });
    assert_eq!(pods(&world), ["b", "c"]);
}

#[tokio::test]
async fn after_a_restore_unknown_pods_stay_until_told() {
    let dir = tempfile::tempdir().unwrap();
    let (mut desired, world, mut told) = open(dir.path());
    desired.connected(&welcome(1), 1);
    desired.put(put("pods", "a", 50));
    desired.put(put("services", "s", 51));
    desired.synced(&Synced { revision: 51 });
    desired.disconnected();
    for _ in 0..2 {
        desired.connected(&welcome(2), 1);
        desired.synced(&Synced { revision: 7 });
        desired.disconnected();
    }
    assert_eq!(pods(&world), ["a"]);
    assert_eq!(world.read().services().count(), 0);
    while told.try_recv().is_ok() {}
    desired.gone("a".to_owned());
    assert!(told.try_recv().is_err(), "a kept pod was given up");
    desired.connected(&welcome(2), 1);
    desired.delete(Delete {
        resource: "pods".to_owned(),
        namespace: "ns".to_owned(),
        name: "a".to_owned(),
        revision: 8,
    });
    desired.synced(&Synced { revision: 8 });
    assert!(pods(&world).is_empty());
}
