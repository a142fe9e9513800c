//! HTTPS servers for tests: each answers as its script says, and can be shut like a process that is killed.

#![allow(clippy::unwrap_used)]

use crate::connect::Cluster;
use crate::kubeconfig::{Access, Target, admin_kubeconfig};
use raftsman_api::config::Role;
use raftsman_pki::{Authority, HostProfile};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a server does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A whole answer.
    Json(u16, String),
    /// The beginning of a chunked answer; then the connection stays open.
    Open(String),
    /// The beginning of a chunked answer; then the connection breaks.
    Broken(String),
    /// The connection breaks without an answer.
    Nothing,
    /// One of the above, with the name of a master.
    By(&'static str, Box<Answer>),
}

type Script = dyn Fn(&str) -> Answer + Send + Sync;

/// A server. It dies when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Request lines, in order.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// What came with them, where something came.
    pub(crate) bodies: Arc<Mutex<Vec<Value>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Servers under one authority, and a cluster of them all.
pub(crate) struct Fake {
    authority: Authority,
    /// Kubeconfigs that go with us.
    files: Mutex<Vec<tempfile::NamedTempFile>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { authority: Authority::generate("fake").unwrap(), files: Mutex::default() }
    }

    pub(crate) fn authority_pem(&self) -> String {
        self.authority.certificate().to_owned()
    }

    pub(crate) fn pin(&self) -> String {
        raftsman_pki::pin(self.authority.certificate()).unwrap()
    }

    pub(crate) async fn server(&self, script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let profile = HostProfile {
            name: "m1".to_owned(),
            roles: vec![Role::Master],
            addresses: vec![address.ip()],
            kubernetes: None,
            domain: "cluster.local".to_owned(),
            extra: Vec::new(),
        };
        let issued = self.authority.issue_host(&profile).unwrap();
        let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
        let config =
            rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let bodies: Arc<Mutex<Vec<Value>>> = Arc::default();
        let sent = Arc::clone(&bodies);
        let script: Arc<Script> = Arc::new(script);
        let seen = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            // Dropped with the task: its connections break.
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, script) = (acceptor.clone(), Arc::clone(&script));
                let (seen, sent) = (Arc::clone(&seen), Arc::clone(&sent));
                connections.spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        while let Some((line, body)) = request(&mut stream).await {
                            sent.lock().unwrap().extend(serde_json::from_slice(&body));
                            seen.lock().unwrap().push(line.clone());
                            if !reply(&mut stream, script(&line)).await {
                                break;
                            }
                        }
                    }
                });
            }
        });
        Server { address, asked, bodies, task }
    }

    /// Flags that name a kubeconfig with these servers in this order.
    pub(crate) fn target(&self, servers: &[SocketAddr]) -> Target {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.kubeconfig(servers).to_string()).unwrap();
        let target = Target { kubeconfig: Some(file.path().to_owned()), ..Target::default() };
        self.files.lock().unwrap().push(file);
        target
    }

    /// A cluster whose kubeconfig lists these servers in this order.
    pub(crate) async fn cluster(&self, servers: &[SocketAddr]) -> Cluster {
        let kubeconfig = serde_json::from_value(self.kubeconfig(servers)).unwrap();
        Cluster::of(&Access::of(kubeconfig, &Target::default(), "test").await.unwrap()).unwrap()
    }

    fn kubeconfig(&self, servers: &[SocketAddr]) -> Value {
        let admin = self.authority.issue_client("kubernetes-admin", &["system:masters"]).unwrap();
        let urls: Vec<(String, String)> =
            servers.iter().enumerate().map(|(at, address)| (format!("m{at}"), format!("https://{address}"))).collect();
        admin_kubeconfig("fake", None, &urls, self.authority.certificate(), &admin)
    }
}

/// Answers to questions for what a server serves: pods, deployments with a scale, and what `create` makes.
pub(crate) fn catalog(line: &str) -> Option<Answer> {
    let resource = |plural: &str, singular: &str, kind: &str, namespaced: bool| {
        json!({
            "resource": plural, "singularResource": singular, "responseKind": {"kind": kind},
            "scope": if namespaced { "Namespaced" } else { "Cluster" },
            "subresources": if kind == "Deployment" { json!([{"subresource": "scale"}]) } else { json!([]) },
        })
    };
    let groups = |group: &str, resources: Value| {
        let group = json!({"metadata": {"name": group}, "versions": [{"version": "v1", "resources": resources}]});
        json!({"kind": "APIGroupDiscoveryList", "items": [group]}).to_string()
    };
    match line {
        "GET /api" => Some(Answer::Json(
            200,
            groups(
                "",
                json!([
                    resource("pods", "pod", "Pod", true),
                    resource("configmaps", "configmap", "ConfigMap", true),
                    resource("namespaces", "namespace", "Namespace", false),
                ]),
            ),
        )),
        "GET /apis" => {
            Some(Answer::Json(200, groups("apps", json!([resource("deployments", "deployment", "Deployment", true),]))))
        }
        _ => None,
    }
}

/// Reads a request; its first line without the version, and its body.
async fn request(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let line = head.lines().next().unwrap();
    Some((line.trim_end_matches(" HTTP/1.1").to_owned(), body))
}

/// False: the connection ends.
async fn reply(stream: &mut (impl AsyncWriteExt + Unpin), answer: Answer) -> bool {
    let (by, answer) = match answer {
        Answer::By(name, answer) => (format!("{}: {name}\r\n", crate::connect::masters::MASTER), *answer),
        answer => (String::new(), answer),
    };
    let open = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{by}transfer-encoding: chunked\r\n\r\n");
    let chunk = |text: &str| {
        if text.is_empty() { String::new() } else { format!("{:x}\r\n{text}\r\n", text.len()) }
    };
    match answer {
        Answer::Json(code, body) => {
            let text = format!(
                "HTTP/1.1 {code} Code\r\ncontent-type: application/json\r\n{by}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(text.as_bytes()).await.is_ok() && stream.flush().await.is_ok()
        }
        Answer::Open(text) => {
            let _ = stream.write_all(format!("{open}{}", chunk(&text)).as_bytes()).await;
            let _ = stream.flush().await;
            std::future::pending::<()>().await;
            false
        }
        Answer::Broken(text) => {
            let _ = stream.write_all(format!("{open}{}", chunk(&text)).as_bytes()).await;
            let _ = stream.flush().await;
            false
        }
        Answer::Nothing | Answer::By(..) => false,
    }
}
