use super::TestPki;
use parking_lot::Mutex;
use raftsman_proto::v1::master_message::Message as Down;
use raftsman_proto::v1::masters_server::{Masters, MastersServer};
use raftsman_proto::v1::node_message::Message as Up;
use raftsman_proto::v1::{
    Answer, Delete, HeartbeatAck, Hello, MasterMessage, NodeMessage, Put, RenewRequest, RenewResponse, Synced, Welcome,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// What masters heard from the node.
#[derive(Debug, Clone)]
pub enum Heard {
    Hello(Hello),
    Node(Value),
    Pod(String, Value),
    Gone(String),
    Event(String, String),
    Admission(String),
}

type Objects = BTreeMap<(String, String, String), (u64, Value)>;

/// What all masters of a test share.
#[derive(Default)]
pub struct Cluster {
    revision: Mutex<u64>,
    objects: Mutex<Objects>,
    /// So many reports are refused before one is taken.
    pub refuse: Mutex<u32>,
    /// These pods were given away.
    pub refuse_words: Mutex<Vec<String>>,
    /// For how long a renewal holds; `None`: the leader does not answer.
    pub valid: Mutex<Option<std::time::Duration>>,
}

/// One master on loopback.
pub struct FakeMaster {
    pub address: SocketAddr,
    pub cluster: Arc<Cluster>,
    down: broadcast::Sender<Down>,
    stop: CancellationToken,
    /// Heartbeats are not acknowledged any more.
    pub mute: Arc<Mutex<bool>>,
}

struct Service {
    cluster: Arc<Cluster>,
    heard: mpsc::UnboundedSender<Heard>,
    down: broadcast::Sender<Down>,
    stop: CancellationToken,
    mute: Arc<Mutex<bool>>,
}

fn put(key: &(String, String, String), revision: u64, json: &Value) -> Down {
    let (resource, namespace, name) = key.clone();
    Down::Put(Put { resource, namespace, name, revision, json: serde_json::to_vec(json).unwrap().into() })
}

impl Service {
    fn answer(&self, message: Up) -> Option<Down> {
        let refused = || {
            let mut refuse = self.cluster.refuse.lock();
            let refused = *refuse > 0;
            *refuse = refuse.saturating_sub(1);
            if refused { "not now".to_owned() } else { String::new() }
        };
        let (heard, answer) = match message {
            Up::Hello(hello) => (Heard::Hello(hello), None),
            Up::Heartbeat(beat) => {
                let muted = *self.mute.lock();
                return (!muted).then_some(Down::HeartbeatAck(HeartbeatAck { sequence: beat.sequence }));
            }
            Up::Node(node) => (Heard::Node(serde_json::from_slice(&node.json).unwrap()), None),
            Up::Pod(pod) => {
                let error = refused();
                let answer = Down::Answer(Answer { sequence: pod.sequence, error: error.clone(), gone: false });
                if !error.is_empty() {
                    return Some(answer);
                }
                (Heard::Pod(pod.uid, serde_json::from_slice(&pod.status).unwrap()), Some(answer))
            }
            Up::Gone(gone) => {
                let answer = Down::Answer(Answer { sequence: gone.sequence, error: String::new(), gone: false });
                (Heard::Gone(gone.uid), Some(answer))
            }
            Up::Admission(admission) => {
                let gone = self.cluster.refuse_words.lock().contains(&admission.uid);
                let answer = Down::Answer(Answer { sequence: admission.sequence, error: String::new(), gone });
                (Heard::Admission(admission.uid), Some(answer))
            }
            Up::Event(event) => (Heard::Event(event.reason, event.message), None),
        };
        let _ = self.heard.send(heard);
        answer
    }
}

#[tonic::async_trait]
impl Masters for Service {
    type ConnectStream = ReceiverStream<Result<MasterMessage, Status>>;

    async fn renew(&self, _: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let valid = *self.cluster.valid.lock();
        let valid_ms = valid.map_or(0, |valid| u64::try_from(valid.as_millis()).unwrap());
        Ok(Response::new(RenewResponse { renewed: valid.is_some(), term: 1, valid_ms }))
    }

    async fn connect(&self, request: Request<Streaming<NodeMessage>>) -> Result<Response<Self::ConnectStream>, Status> {
        let mut inbound = request.into_inner();
        let (sender, receiver) = mpsc::channel(64);
        let service = Self {
            cluster: self.cluster.clone(),
            heard: self.heard.clone(),
            down: self.down.clone(),
            stop: self.stop.clone(),
            mute: self.mute.clone(),
        };
        let mut down = self.down.subscribe();
        tokio::spawn(async move {
            let send = |message: Down| sender.send(Ok(MasterMessage { message: Some(message) }));
            let mut first = vec![Down::Welcome(Welcome { epoch: 1, masters: Vec::new() })];
            first
                .extend(service.cluster.objects.lock().iter().map(|(key, (revision, json))| put(key, *revision, json)));
            first.push(Down::Synced(Synced { revision: *service.cluster.revision.lock() }));
            for message in first {
                send(message).await.unwrap();
            }
            loop {
                let next = tokio::select! {
                    () = service.stop.cancelled() => return,
                    Ok(message) = down.recv() => Some(message),
                    message = inbound.message() => match message {
                        Ok(Some(message)) => service.answer(message.message.unwrap()),
                        _ => return,
                    },
                };
                if let Some(next) = next
                    && send(next).await.is_err()
                {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl FakeMaster {
    /// Listens on loopback.
    pub async fn start(pki: &TestPki, cluster: Arc<Cluster>, heard: mpsc::UnboundedSender<Heard>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ca, certificate, key) = pki.host("raftsman:masters");
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(ca));
        let (down, stop, mute) = (broadcast::Sender::new(64), CancellationToken::new(), Arc::default());
        let service = Service {
            cluster: cluster.clone(),
            heard,
            down: down.clone(),
            stop: stop.clone(),
            mute: Arc::clone(&mute),
        };
        let router = Server::builder().tls_config(tls).unwrap().add_service(MastersServer::new(service));
        let token = stop.clone();
        tokio::spawn(async move {
            router
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), token.cancelled_owned())
                .await
                .unwrap();
        });
        Self { address, cluster, down, stop, mute }
    }

    /// The master dies.
    pub fn kill(&self) {
        self.stop.cancel();
    }

    /// An object is created or changed.
    pub fn put(&self, resource: &str, namespace: &str, name: &str, mut json: Value) {
        let revision = {
            let mut revision = self.cluster.revision.lock();
            *revision += 1;
            *revision
        };
        json["metadata"]["resourceVersion"] = Value::String(revision.to_string());
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let _ = self.down.send(put(&key, revision, &json));
        let _ = self.down.send(Down::Synced(Synced { revision }));
        self.cluster.objects.lock().insert(key, (revision, json));
    }

    /// An object is gone; `tell`: the node hears of it.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str, tell: bool) {
        let revision = {
            let mut revision = self.cluster.revision.lock();
            *revision += 1;
            *revision
        };
        let (resource, namespace, name) = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.cluster.objects.lock().remove(&(resource.clone(), namespace.clone(), name.clone()));
        if tell {
            let _ = self.down.send(Down::Delete(Delete { resource, namespace, name, revision }));
            let _ = self.down.send(Down::Synced(Synced { revision }));
        }
    }
}
