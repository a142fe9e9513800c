//! Becoming a WebSocket (RFC 6455).

use crate::http::{Answer, whole};
use bytes::Bytes;
use http::StatusCode;
use http::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use raftsman_api::status::Status;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// The normal end (RFC 6455, 7.4.1): without a code kubectl takes the end for an error.
pub(super) fn goodbye() -> Message {
    Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() }))
}

/// A client's connection, upgraded.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A handshake that may succeed.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: String,
    /// The sub-protocol that both sides speak.
    pub protocol: &'static str,
    upgrade: OnUpgrade,
}

/// Checks a request for an upgrade; `offered` are the sub-protocols spoken here, the best first.
///
/// # Errors
/// 400 with what to do instead.
pub(super) fn handshake(
    headers: &HeaderMap,
    upgrade: Option<OnUpgrade>,
    offered: &[&'static str],
) -> Result<Handshake, Status> {
    let text = |name: http::HeaderName| {
        let all: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        all.join(",")
    };
    let wanted = text(UPGRADE).to_ascii_lowercase();
    if wanted.contains("spdy") {
        return Err(Status::bad_request(
            "SPDY is not spoken here: use kubectl 1.30 or later, or 1.29 with KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true, which speak WebSocket",
        ));
    }
    let (Some(upgrade), true) = (upgrade, wanted.contains("websocket")) else {
        return Err(Status::bad_request("you must send an upgrade to websocket over HTTP/1.1"));
    };
    if text(SEC_WEBSOCKET_VERSION) != "13" {
        return Err(Status::bad_request("only version 13 of WebSocket is spoken here"));
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .ok_or_else(|| Status::bad_request("the upgrade to websocket has no Sec-WebSocket-Key"))?;
    let asked = text(SEC_WEBSOCKET_PROTOCOL);
    let asked: Vec<&str> = asked.split(',').map(str::trim).collect();
    let protocol = offered.iter().find(|own| asked.contains(*own)).ok_or_else(|| {
        Status::bad_request(format!("none of the sub-protocols {asked:?} is spoken here: use one of {offered:?}"))
    })?;
    Ok(Handshake { accept: derive_accept_key(key.as_bytes()), protocol, upgrade })
}

impl Handshake {
    /// Says yes, and hands the connection to `serve` once the client has read it.
    pub(super) fn accept<F, T>(self, serve: F) -> Answer
    where
        F: FnOnce(Socket) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let mut answer = Answer::new(whole(Bytes::new()));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(self.protocol));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        tokio::spawn(async move {
            match self.upgrade.await {
                Ok(upgraded) => {
                    serve(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "a client went away while its connection was upgraded")
                }
            }
        });
        answer
    }
}
