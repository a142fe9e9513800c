//! A whole member on the true state database, whose log's disk fails at a write or a sync.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::parts::Parts;
use crate::border::{Change, ChangeError, Store, StoreError};
use crate::config::{MemberAddress, PeerTls, StoreConfig};
use crate::environment::Environment;
use crate::files::faulty::{Dice, Fault, FaultyFiles, Loss};
use crate::files::{Files, RealTree, Tree};
use crate::store::RaftStore;
use raftsman_state::{Body, Key, Meta, Op, Outcome, Resource, Txn};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A true directory, but for the log in it.
struct Mixed {
    tree: RealTree,
    log: FaultyFiles,
}

impl Tree for Mixed {
    fn place(&self) -> String {
        self.tree.place()
    }

    fn directory(&self, name: &str) -> io::Result<Arc<dyn Files>> {
        if name == "log" { Ok(Arc::new(self.log.clone())) } else { self.tree.directory(name) }
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.tree.exists(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.tree.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.tree.remove(name)
    }

    fn link(&self, file: &str, from: &str, to: &str) -> io::Result<()> {
        self.tree.link(file, from, to)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.tree.sync(name)
    }
}

fn tls() -> PeerTls {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["m1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap().pem();
    PeerTls { ca, certificate, key: key.serialize_pem() }
}

async fn open(directory: &Path, log: &FaultyFiles) -> Arc<RaftStore> {
    let alone = MemberAddress { id: 1, name: "m1".into(), address: "127.0.0.1:1".parse().unwrap() };
    let config = StoreConfig::new("faults", 1, vec![alone], directory, tls());
    let mut environment = Environment::real(&config).unwrap();
    environment.tree = Arc::new(Mixed { tree: RealTree::open(directory).unwrap(), log: log.clone() });
    // The files are in memory.
    environment.segment_bytes = 256 << 10;
    RaftStore::open_in(config, environment).await.unwrap()
}

fn key(n: usize) -> Key {
    Key::new(&Resource::from("configmaps"), "default", &format!("k{n}"))
}

async fn write(store: &RaftStore, n: usize) -> Result<(), StoreError> {
    let op = Op::Put { key: key(n), meta: Arc::new(Meta::default()), body: Body::plain("x".repeat(500)) };
    match store.propose(Txn { ops: vec![op], ..Txn::default() }).await? {
        Outcome::Committed(_) => Ok(()),
        other => panic!("{other:?}"),
    }
}

async fn crash(store: Arc<RaftStore>) {
    tokio::task::spawn_blocking(move || store.crash()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_or_synced_ends_the_member_and_loses_nothing_acknowledged() {
    for (after, loss) in (1..=6).zip([Loss::All, Loss::Torn, Loss::Nothing].into_iter().cycle()) {
        let directory = tempfile::tempdir().unwrap();
        let log = FaultyFiles::default();
        let store = open(directory.path(), &log).await;
        let mut acknowledged = 0;
        while acknowledged < 30 {
            write(&store, acknowledged).await.unwrap();
            acknowledged += 1;
        }
        log.fail(after, Fault::Error);
        while acknowledged < 1_000 && write(&store, acknowledged).await.is_ok() {
            acknowledged += 1;
        }
        let mut ended = store.ended();
        let reason = tokio::time::timeout(Duration::from_secs(10), ended.wait_for(Option::is_some)).await;
        let reason = reason.expect("the member goes on").unwrap().clone();
        assert!(matches!(reason, Some(StoreError::Storage(_))), "{reason:?}");
        let health = store.health().borrow().clone();
        assert!(!health.ready && !health.reason.is_empty(), "{health:?}");
        assert!(matches!(store.read().await, Err(StoreError::Storage(_))));
        assert!(matches!(write(&store, acknowledged).await, Err(StoreError::Storage(_))));
        crash(store).await;

        let log = log.after_crash(loss, &mut Dice(after));
        let store = open(directory.path(), &log).await;
        let view = store.read().await.unwrap();
        for n in 0..acknowledged {
            assert!(view.get(&key(n)).is_some(), "operation {after}, {loss:?}: k{n} was acknowledged and is gone");
        }
        crash(store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_ends_before_its_member_ends_it() {
    for panics in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path(), &FaultyFiles::default()).await;
        write(&store, 0).await.unwrap();
        let parts = Parts { runner: &store.runner, core: &store.core };
        parts.start("this part", async move { assert!(!panics, "on purpose") });
        let mut ended = store.ended();
        let reason = tokio::time::timeout(Duration::from_secs(10), ended.wait_for(Option::is_some)).await;
        let reason = reason.expect("the member goes on").unwrap().clone();
        assert!(matches!(&reason, Some(StoreError::Storage(why)) if why.starts_with("this part ended")), "{reason:?}");
        crash(store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_fails_has_the_members_looked_after() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), &FaultyFiles::default()).await;
    write(&store, 0).await.unwrap();
    let mut seen = store.core.seen.subscribe();
    seen.borrow_and_update();
    let refused = store.change_members(Change::Remove { member: 9 }).await;
    assert!(matches!(refused, Err(ChangeError::Unknown(_))), "{refused:?}");
    assert!(seen.has_changed().unwrap());
    crash(store).await;
}
