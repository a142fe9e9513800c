//! A server that speaks the health protocol, and ones that do not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::probe::Target;
use crate::probe::check::check as probe;
use crate::testing::FakePods;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Response;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc as Answering, NamedService, UnaryService};

/// The same messages from the other side.
struct Backwards;

impl Codec for Backwards {
    type Encode = u64;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Backwards {
    type Item = u64;
    type Error = Status;

    fn encode(&mut self, status: u64, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_u8(STATUS as u8);
        put_varint(status, to);
        Ok(())
    }
}

impl Decoder for Backwards {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        if !from.has_remaining() {
            return Ok(Some(String::new()));
        }
        assert_eq!(from.get_u8(), SERVICE);
        let length = usize::try_from(varint(from).unwrap()).unwrap();
        let name = from.copy_to_bytes(length);
        Ok(Some(String::from_utf8(name.to_vec()).unwrap()))
    }
}

/// Serves as a whole; `sick` does not, `odd` is of a later version, all others are not known.
#[derive(Clone)]
struct Server;

impl NamedService for Server {
    const NAME: &'static str = "grpc.health.v1.Health";
}

struct Method;

impl UnaryService<String> for Method {
    type Response = u64;
    type Future = Ready<Result<Response<u64>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let agent = request.metadata().get("user-agent").unwrap().to_str().unwrap().to_owned();
        assert!(agent.starts_with("kube-probe/"), "{agent}");
        ready(match request.into_inner().as_str() {
            "" => Ok(Response::new(SERVING)),
            "sick" => Ok(Response::new(2)),
            "odd" => Ok(Response::new(300)),
            other => Err(Status::not_found(format!("no service {other}"))),
        })
    }
}

impl Service<http::Request<Body>> for Server {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        assert_eq!(request.uri().path(), METHOD);
        Box::pin(async { Ok(Answering::new(Backwards).unary(Method, request).await) })
    }
}

async fn listen() -> (tokio::net::TcpListener, u16) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn outcome(port: u16, service: &str) -> Outcome {
    let target = Target::Grpc { port, service: service.to_owned() };
    probe(&FakePods::new(), "u", "c", Some("127.0.0.1".parse().unwrap()), &target).await
}

fn failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failure(text) => text,
        Outcome::Success => panic!("it is well"),
    }
}

#[tokio::test]
async fn a_server_is_asked_whether_it_serves() {
    let (listener, port) = listen().await;
    let serving = tonic::transport::Server::builder().add_service(Server);
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
    assert_eq!(outcome(port, "").await, Outcome::Success);
    assert_eq!(failure(outcome(port, "sick").await), "service unhealthy (responded with \"NOT_SERVING\")");
    assert_eq!(failure(outcome(port, "odd").await), "service unhealthy (responded with \"300\")");
    let absent = failure(outcome(port, &"x".repeat(200)).await);
    assert!(absent.contains("health rpc probe failed") && absent.contains("no service xxx"), "{absent}");
}

#[derive(Clone)]
struct Other(Server);

impl NamedService for Other {
    const NAME: &'static str = "some.other.Service";
}

impl Service<http::Request<Body>> for Other {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

#[tokio::test]
async fn what_does_not_speak_it_is_named() {
    let (listener, port) = listen().await;
    let serving = tonic::transport::Server::builder().add_service(Other(Server));
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
    let text = failure(outcome(port, "").await);
    assert!(text.contains("does not implement the grpc health protocol"), "{text}");
    let (listener, port) = listen().await;
    drop(listener);
    let text = failure(outcome(port, "").await);
    assert!(text.contains("failed to connect service at") && text.contains("refused"), "{text}");
}

#[test]
fn answers_are_read_with_whatever_else_is_in_them() {
    for (bytes, expected) in [
        (&[][..], Some(0)),
        (&[8, 1], Some(1)),
        (&[8, 0xac, 2], Some(300)),
        (&[0x12, 2, 8, 2, 8, 1, 0x1d, 0, 0, 0, 0], Some(1)),
        (&[8], None),
        (&[0x12, 9, 0], None),
        (&[0x0b], None),
        (&[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None),
    ] {
        assert_eq!(status(bytes), expected, "{bytes:?}");
    }
}
