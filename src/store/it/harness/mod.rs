//! Members of one cluster in one process, over loopback and mutual TLS.

use raftsman_state::{Body, Compare, Key, Meta, Op, Outcome, Resource, Txn, View};
use raftsman_store::border::{Change, ChangeError, Changed, Store};
use raftsman_store::{MASTERS, MemberAddress, PeerTls, RaftStore, StoreConfig};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

/// A running member: the store and the server for its peer port.
pub struct Running {
    pub store: Arc<RaftStore>,
    server: Option<Runtime>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown_background();
        }
        let store = self.store.clone();
        // A runtime must not be waited for on a thread of another one.
        std::thread::spawn(move || store.crash()).join().unwrap();
    }
}

/// A cluster under test.
pub struct Cluster {
    root: PathBuf,
    pub addresses: Vec<MemberAddress>,
    authority: Authority,
    tls: Vec<PeerTls>,
    pub running: Vec<Option<Running>>,
    pub settings: fn(&mut StoreConfig),
    /// So many members are in the configuration of those that start.
    pub known: usize,
    // Last: removed after the members have ended.
    _directory: tempfile::TempDir,
}

impl Cluster {
    /// `size` members, all of which serve and vote, a leader elected.
    pub async fn start(size: u64, settings: fn(&mut StoreConfig)) -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let directory = tempfile::tempdir().unwrap();
        let authority = authority();
        let held: Vec<TcpListener> = (0..size).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<MemberAddress> = (1..=size)
            .zip(&held)
            .map(|(id, port)| MemberAddress { id, name: format!("m{id}"), address: port.local_addr().unwrap() })
            .collect();
        let tls = addresses.iter().map(|member| certificate(&authority, &member.name)).collect();
        drop(held);
        let root = directory.path().to_owned();
        let running = (0..size).map(|_| None).collect();
        let mut cluster =
            Self { _directory: directory, root, addresses, authority, tls, running, settings, known: usize::MAX };
        for id in 1..=size {
            cluster.run(id).await;
        }
        cluster.leader().await;
        for id in 1..=size {
            cluster.ready(id).await;
        }
        cluster
    }

    pub fn config(&self, id: u64) -> StoreConfig {
        let at = id as usize - 1;
        let directory = self.root.join(format!("m{id}"));
        let members = self.addresses.iter().take(self.known.max(at + 1)).cloned().collect();
        let mut config = StoreConfig::new("test", id, members, directory, self.tls[at].clone());
        (self.settings)(&mut config);
        config
    }

    /// A member in a directory of its own that the cluster does not know: another cluster's, or not a master at all.
    pub async fn stranger(&self, cluster: &str, organisation: &str) -> Arc<RaftStore> {
        let mut config = self.config(1);
        config.cluster_id = cluster.to_owned();
        config.data_dir = self.root.join("stranger");
        config.tls = certificate_of(&self.authority, "m1", organisation);
        RaftStore::open(config).await.unwrap()
    }

    pub fn directory(&self, id: u64) -> PathBuf {
        self.root.join(format!("m{id}"))
    }

    /// Starts a member, with whatever its directory holds.
    pub async fn run(&mut self, id: u64) {
        let config = self.config(id);
        let store = RaftStore::open(config).await.unwrap();
        let server = serve(&store, self.addresses[id as usize - 1].address, &self.tls[id as usize - 1]);
        self.running[id as usize - 1] = Some(Running { store, server: Some(server) });
    }

    pub fn store(&self, id: u64) -> Arc<RaftStore> {
        self.running[id as usize - 1].as_ref().unwrap().store.clone()
    }

    pub fn ids(&self) -> Vec<u64> {
        self.addresses.iter().map(|m| m.id).filter(|id| self.running[*id as usize - 1].is_some()).collect()
    }

    /// Ends a member as a crash would.
    pub async fn crash(&mut self, id: u64) {
        let running = self.running[id as usize - 1].take().unwrap();
        tokio::task::spawn_blocking(move || drop(running)).await.unwrap();
    }

    /// Waits until all running members agree on a leader that is established.
    pub async fn leader(&self) -> u64 {
        let started = Instant::now();
        loop {
            let seen: Vec<_> = self.ids().iter().map(|id| *self.store(*id).leadership().borrow()).collect();
            if let Some(leader) = seen[0].leader
                && seen.iter().all(|s| s.leader == Some(leader) && s.term == seen[0].term)
                && self.running[leader as usize - 1].is_some()
                && self.store(leader).leadership().borrow().leading == Some(seen[0].term)
            {
                return leader;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "no leader: {seen:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A host for one more member, which does not run yet: its address.
    pub fn host(&mut self, id: u64) -> MemberAddress {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let member = MemberAddress { id, name: format!("m{id}"), address: port.local_addr().unwrap() };
        assert_eq!(self.addresses.len() as u64 + 1, id);
        self.tls.push(certificate(&self.authority, &member.name));
        self.addresses.push(member.clone());
        self.running.push(None);
        member
    }

    /// Asks whoever leads, until the change is made or refused.
    pub async fn try_change(&self, change: &Change) -> Result<Changed, ChangeError> {
        let started = Instant::now();
        loop {
            let leader = self.ids().into_iter().find(|id| self.store(*id).leadership().borrow().leading.is_some());
            let done = match leader {
                Some(leader) => self.store(leader).change_members(change.clone()).await,
                None => Err(ChangeError::NotLeader { leader: None }),
            };
            match done {
                Err(ChangeError::NotLeader { .. } | ChangeError::NotYet(_) | ChangeError::Lost(_))
                    if started.elapsed() < Duration::from_secs(30) =>
                {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                done => return done,
            }
        }
    }

    pub async fn change(&self, change: Change) -> Changed {
        match self.try_change(&change).await {
            Ok(changed) => changed,
            Err(error) => panic!("{change:?}: {error}"),
        }
    }

    /// Takes in a new member that is to vote, and starts it.
    pub async fn join(&mut self, replaces: Option<u64>) -> u64 {
        let id = self.addresses.len() as u64 + 1;
        let MemberAddress { name, address, .. } = self.host(id);
        let address = address.to_string();
        let key = format!("key of {name}");
        let added = self.change(Change::Add { name, address, voter: true, replaces, key }).await;
        assert_eq!(added.member, id);
        self.run(id).await;
        id
    }

    /// Waits until every running member has heard that these vote and no others are members.
    pub async fn settled(&self, voters: &[u64]) {
        self.settled_but(0, voters).await;
    }

    /// The same, but for one member that need not hear of it.
    pub async fn settled_but(&self, but: u64, voters: &[u64]) {
        for id in self.ids().into_iter().filter(|id| *id != but) {
            let mut members = self.store(id).members();
            let as_wanted = members.wait_for(|members| {
                members.all.iter().map(|member| member.id).eq(voters.iter().copied())
                    && members.all.iter().all(|member| member.voter)
            });
            let waited = tokio::time::timeout(Duration::from_secs(30), as_wanted).await.map(drop);
            assert!(waited.is_ok(), "member {id} knows {:?}", self.store(id).members().borrow());
        }
    }

    /// Waits until a member serves and votes.
    pub async fn ready(&self, id: u64) {
        let mut health = self.store(id).health();
        let ready = health.wait_for(|health| health.ready);
        let waited = tokio::time::timeout(Duration::from_secs(30), ready).await.map(drop);
        assert!(waited.is_ok(), "member {id}: {:?}", self.store(id).health().borrow());
    }

    pub async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        self.ids().into_iter().find(|id| *id != leader).unwrap()
    }
}

fn serve(store: &RaftStore, address: SocketAddr, tls: &PeerTls) -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let service = store.peers_service();
    let settings = ServerTlsConfig::new()
        .identity(Identity::from_pem(&tls.certificate, &tls.key))
        .client_ca_root(Certificate::from_pem(&tls.ca));
    let serving = Server::builder().tls_config(settings).unwrap().tcp_nodelay(true).add_service(service);
    runtime.spawn(async move { serving.serve(address).await.unwrap() });
    runtime
}

pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

pub fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "test authority");
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { pem, issuer: Issuer::new(params, key) }
}

pub fn certificate(authority: &Authority, name: &str) -> PeerTls {
    certificate_of(authority, name, MASTERS)
}

pub fn certificate_of(authority: &Authority, name: &str, organisation: &str) -> PeerTls {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".into()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, organisation);
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().pem();
    PeerTls { ca: authority.pem.clone(), certificate, key: key.serialize_pem() }
}

pub fn key(name: &str) -> Key {
    Key::new(&Resource::from("configmaps"), "default", name)
}

/// Creates an object; fails if it exists.
pub fn create(name: &str, text: &str) -> Txn {
    Txn { compares: vec![Compare::Absent(key(name))], ..put(name, text) }
}

pub fn put(name: &str, text: &str) -> Txn {
    let op = Op::Put { key: key(name), meta: Arc::new(Meta::default()), body: Body::plain(text.to_owned()) };
    Txn { ops: vec![op], ..Txn::default() }
}

pub fn committed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Committed(_))
}

/// Everything a view shows of the test's resource, histories included.
pub fn content(view: &View) -> Vec<String> {
    let Some(table) = view.table(&Resource::from("configmaps")) else {
        return Vec::new();
    };
    let objects = table.list(None, None).map(|o| format!("{o:?} {}", String::from_utf8_lossy(&o.json)));
    let history = table.changes_after(table.floor()).unwrap().map(|c| format!("{c:?}"));
    objects.chain(history).chain([format!("revision {} floor {}", view.revision(), table.floor())]).collect()
}
