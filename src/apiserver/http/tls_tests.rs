#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::config::ApiConfig;
use crate::http::{TlsPems, serve};
use crate::stream::NodeClients;
use crate::write::{Api, Caller};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use raftsman_proto::v1::agent_server::{Agent, AgentServer};
use raftsman_proto::v1::stream_input::Input;
use raftsman_proto::v1::stream_output::Output;
use raftsman_proto::v1::{
    Chunk, ForwardInput, ListImagesRequest, ListImagesResponse, LogsRequest, StreamInput, StreamOutput,
};
use raftsman_store::memory::MemoryStore;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(&self, name: &str, organisation: &str, hosts: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, organisation);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

struct Running {
    authority: Authority,
    address: SocketAddr,
    api: Arc<Api>,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

async fn running() -> Running {
    running_with(ApiConfig::default()).await
}

async fn running_with(config: ApiConfig) -> Running {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("m1", "raftsman:masters", &["127.0.0.1"]);
    let tls =
        TlsPems { ca: authority.pem.clone().into(), certificate: certificate.into_bytes(), key: key.into_bytes() };
    let api = Api::new(Arc::new(MemoryStore::default()), config);
    crate::bootstrap(&api, &Caller::system("system:test", "test")).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let (serving, stop) = (api.clone(), shutdown.clone());
    let ended = tokio::spawn(async move {
        serve(listener, &tls, serving, Arc::new(NodeClients::plain()), stop).await.unwrap();
    });
    Running { authority, address, api, shutdown, ended }
}

impl Running {
    async fn connect(&self, identity: Option<(String, String)>, alpn: &[u8]) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::IpAddress(self.address.ip().into()), stream)
            .await
            .unwrap()
    }

    async fn ask(&self, stream: TlsStream<TcpStream>, alpn: &[u8], path: &str) -> Response<Incoming> {
        let io = TokioIo::new(stream);
        let request = Request::builder().uri(format!("https://{}{path}", self.address)).header("host", "x");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        if alpn == b"h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
    }

    async fn get(&self, identity: Option<(String, String)>, alpn: &[u8], path: &str) -> (u16, Value) {
        let stream = self.connect(identity, alpn).await;
        let answer = self.ask(stream, alpn, path).await;
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn admin(&self) -> Option<(String, String)> {
        Some(self.authority.sign("admin", "system:masters", &[]))
    }
}

#[tokio::test]
async fn certificates_say_who_asks() {
    let server = running().await;
    for alpn in [b"http/1.1".as_slice(), b"h2"] {
        assert_eq!(server.get(server.admin(), alpn, "/api/v1/pods").await.0, 200);
        let (code, body) = server.get(None, alpn, "/api/v1/pods").await;
        assert_eq!((code, body["reason"].as_str()), (401, Some("Unauthorized")));
        // Another authority's word counts for nothing.
        let forged = Authority::new().sign("admin", "system:masters", &[]);
        assert_eq!(server.get(Some(forged), alpn, "/api/v1/pods").await.0, 401);
        let jane = server.authority.sign("jane", "people", &[]);
        assert_eq!(server.get(Some(jane), alpn, "/api/v1/pods").await.0, 403);
        assert_eq!(server.get(None, alpn, "/version").await.0, 200);
    }
}

#[tokio::test]
async fn who_asks_nothing_is_let_go() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = running().await;
    for (alpn, said) in
        [(b"h2".as_slice(), b"".as_slice()), (b"h2", b"PRI * HTTP/2.0\r\n"), (b"http/1.1", b""), (b"http/1.1", b"GET")]
    {
        let mut stream = server.connect(None, alpn).await;
        stream.write_all(said).await.unwrap();
        tokio::time::pause();
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(300), read).await;
        assert!(ended.is_ok(), "{alpn:?} {said:?}: still held");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn connections_beyond_the_most_are_refused_before_their_handshake() {
    let server = running_with(ApiConfig { connections: 1, ..ApiConfig::default() }).await;
    let _first = TcpStream::connect(server.address).await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    // Closed without a word.
    assert_eq!(tokio::io::AsyncReadExt::read(&mut second, &mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn the_end_is_clean_while_watches_run() {
    let server = running().await;
    let io = TokioIo::new(server.connect(server.admin(), b"http/1.1").await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().uri("/api/v1/namespaces?watch=1").header("host", "x");
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    server.shutdown.cancel();
    // The body ends as a body does, not with a broken connection.
    assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    server.ended.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_on_a_connection_that_had_just_begun_is_answered_at_the_end() {
    for alpn in [b"h2".as_slice(), b"http/1.1".as_slice()] {
        let server = running().await;
        let stream = server.connect(server.admin(), alpn).await;
        server.shutdown.cancel();
        let refused = async {
            while TcpStream::connect(server.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
        // The server has heard of its end, the client has not.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = server.ask(stream, alpn, "/version").await;
        assert_eq!(answer.status(), 200);
        server.ended.await.unwrap();
    }
}

/// KiB that the command `much` prints.
const MUCH: usize = 1500;

/// A node that answers with what it was asked.
struct Echo;

type Outputs = Pin<Box<dyn Stream<Item = Result<StreamOutput, tonic::Status>> + Send>>;
type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, tonic::Status>> + Send>>;

fn output(output: Output) -> Result<StreamOutput, tonic::Status> {
    Ok(StreamOutput { output: Some(output) })
}

#[tonic::async_trait]
impl Agent for Echo {
    type LogsStream = Chunks;
    type ExecStream = Outputs;
    type AttachStream = Outputs;
    type PortForwardStream = Chunks;

    async fn logs(&self, request: tonic::Request<LogsRequest>) -> Result<tonic::Response<Chunks>, tonic::Status> {
        let asked = request.into_inner();
        if asked.previous {
            return Err(tonic::Status::not_found("container c of pod some-uid"));
        }
        let lines = [format!("{}\n", asked.container), format!("{:?}\n", asked.tail_lines)];
        let chunks = lines.map(|line| Ok(Chunk { data: line.into() }));
        Ok(tonic::Response::new(Box::pin(tokio_stream::iter(chunks))))
    }

    async fn exec(
        &self,
        request: tonic::Request<tonic::Streaming<StreamInput>>,
    ) -> Result<tonic::Response<Outputs>, tonic::Status> {
        let mut inputs = request.into_inner();
        let Some(Input::Start(start)) = inputs.message().await?.and_then(|first| first.input) else {
            return Err(tonic::Status::invalid_argument("no start"));
        };
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        tokio::spawn(async move {
            if start.command == ["much"] {
                // Reads nothing, says much, and is gone.
                for _ in 0..MUCH {
                    let _ = sender.send(output(Output::Stdout(vec![b'x'; 1024].into()))).await;
                }
                let _ = sender.send(output(Output::ExitCode(0))).await;
                return;
            }
            let _ = sender.send(output(Output::Stdout(start.command.join(" ").into()))).await;
            while let Ok(Some(message)) = inputs.message().await {
                match message.input {
                    Some(Input::Stdin(data)) => _ = sender.send(output(Output::Stderr(data))).await,
                    Some(Input::StdinClosed(_)) => break,
                    _ => {}
                }
            }
            let _ = sender.send(output(Output::ExitCode(3))).await;
        });
        Ok(tonic::Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))))
    }

    async fn attach(
        &self,
        request: tonic::Request<tonic::Streaming<StreamInput>>,
    ) -> Result<tonic::Response<Outputs>, tonic::Status> {
        drop(request);
        let said = output(Output::Stdout(Bytes::from_static(b"seen")));
        Ok(tonic::Response::new(Box::pin(tokio_stream::iter([said]))))
    }

    async fn port_forward(
        &self,
        _request: tonic::Request<tonic::Streaming<ForwardInput>>,
    ) -> Result<tonic::Response<Chunks>, tonic::Status> {
        Err(tonic::Status::unimplemented("not here"))
    }

    async fn list_images(
        &self,
        _request: tonic::Request<ListImagesRequest>,
    ) -> Result<tonic::Response<ListImagesResponse>, tonic::Status> {
        Err(tonic::Status::unimplemented("not here"))
    }
}

async fn pod_on_echo(server: &Running) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(AgentServer::new(Echo))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let caller = Caller::system("system:test", "test");
    let options = crate::write::WriteOptions::default();
    let target = |plural, namespace| crate::write::Target::named("", "v1", plural, namespace, "").unwrap();
    let node = json!({ "metadata": { "name": "n1" } });
    server.api.create(&caller, &target("nodes", ""), node, &options).await.unwrap();
    let status = crate::write::Target { name: "n1".to_owned(), ..target("nodes", "") };
    let status = status.part(raftsman_api::kind::Subresource::Status);
    let address = |old: &Value| {
        let mut new = old.clone();
        new["status"]["addresses"] = json!([{ "type": "InternalIP", "address": "127.0.0.1" }]);
        new["status"]["daemonEndpoints"] = json!({ "kubeletEndpoint": { "Port": port } });
        Some(new)
    };
    server.api.modify(&caller, &status, address).await.unwrap();
    let pod = json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    server.api.create(&caller, &target("pods", "default"), pod, &options).await.unwrap();
    server.api.bind(&caller, "default", "p", &crate::write::Binding::to("n1"), &options).await.unwrap();
}

#[tokio::test]
async fn logs_come_from_the_pods_node() {
    let server = running().await;
    pod_on_echo(&server).await;
    let io = TokioIo::new(server.connect(server.admin(), b"http/1.1").await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let path = "/api/v1/namespaces/default/pods/p/log?tailLines=7";
    let request = Request::builder().uri(path).header("host", "x").body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "c\nSome(7)\n");
    let (code, body) = server.get(server.admin(), b"h2", "/api/v1/namespaces/default/pods/p/log?previous=1").await;
    assert_eq!(
        (code, body["message"].as_str()),
        (400, Some("previous terminated container \"c\" in pod \"p\" not found"))
    );
}

#[tokio::test]
async fn exec_carries_channels_both_ways() {
    use futures::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
    let server = running().await;
    pod_on_echo(&server).await;
    let path = "/api/v1/namespaces/default/pods/p/exec?command=echo&command=hi&stdin=1&stdout=1&stderr=1";
    let mut request = format!("wss://{}{path}", server.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "v5.channel.k8s.io, v4.channel.k8s.io".parse().unwrap());
    let stream = server.connect(server.admin(), b"http/1.1").await;
    let (mut socket, answer) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "v5.channel.k8s.io");
    socket.send(Message::Binary(Bytes::from_static(b"\0typed"))).await.unwrap();
    socket.send(Message::Binary(Bytes::from_static(b"\xff\0"))).await.unwrap();
    let mut got = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message {
            got.push(bytes);
        }
    }
    assert_eq!(got[..3], [&b"\x01"[..], b"\x01echo hi", b"\x02typed"]);
    let status: Value = serde_json::from_slice(&got[3][1..]).unwrap();
    assert_eq!((got[3][0], status["reason"].as_str()), (3, Some("NonZeroExitCode")));
    assert_eq!(status["details"]["causes"][0]["message"], "3");
}

#[tokio::test]
async fn the_end_of_the_output_is_not_lost_for_input_that_nobody_reads() {
    use futures::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
    let server = running().await;
    pod_on_echo(&server).await;
    let path = "/api/v1/namespaces/default/pods/p/exec?command=much&stdin=1&stdout=1";
    let mut request = format!("wss://{}{path}", server.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "v5.channel.k8s.io".parse().unwrap());
    let stream = server.connect(server.admin(), b"http/1.1").await;
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let (mut sink, mut source) = socket.split();
    let typing = tokio::spawn(async move {
        let chunk = Bytes::from(vec![0; 16 * 1024]);
        for _ in 0..256 {
            if sink.send(Message::Binary(chunk.clone())).await.is_err() {
                break;
            }
        }
    });
    let (mut printed, mut status) = (0, None);
    loop {
        match source.next().await.unwrap().unwrap() {
            Message::Binary(bytes) if bytes[0] == 1 => printed += bytes.len() - 1,
            Message::Binary(bytes) => status = Some(serde_json::from_slice::<Value>(&bytes[1..]).unwrap()),
            Message::Close(_) => break,
            _ => {}
        }
    }
    assert_eq!(printed, MUCH * 1024);
    assert_eq!(status.unwrap()["status"], "Success");
    typing.await.unwrap();
}

#[tokio::test]
async fn an_attached_container_that_ends_is_a_success() {
    use futures::StreamExt as _;
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
    let server = running().await;
    pod_on_echo(&server).await;
    let path = "/api/v1/namespaces/default/pods/p/attach?stdout=1";
    let mut request = format!("wss://{}{path}", server.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "v5.channel.k8s.io".parse().unwrap());
    let stream = server.connect(server.admin(), b"http/1.1").await;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let mut got = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        got.push(message);
    }
    let Some(Message::Close(Some(close))) = got.pop() else { panic!("{got:?}") };
    assert_eq!(u16::from(close.code), 1000);
    let Some(Message::Binary(last)) = got.pop() else { panic!("{got:?}") };
    let status: Value = serde_json::from_slice(&last[1..]).unwrap();
    assert_eq!((last[0], status["status"].as_str()), (3, Some("Success")));
}
