//! `grpc.health.v1.Health/Check`: one unary call. Its two messages have one field each, so they are written by hand.

use super::Outcome;
use bytes::{Buf, BufMut};
use std::error::Error;
use std::net::SocketAddr;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

const METHOD: &str = "/grpc.health.v1.Health/Check";
/// `HealthCheckResponse.ServingStatus`, by number.
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING: u64 = 1;
/// Field 1, a string; field 1, a number.
const SERVICE: u8 = (1 << 3) | 2;
const STATUS: u64 = 1 << 3;
/// Protobuf's wire types.
const VARINT: u64 = 0;
const BYTES: u64 = 2;

/// Asks the server at this address, without encryption, as the kubelet does.
pub(super) async fn check(address: SocketAddr, service: &str) -> Outcome {
    match ask(address, service).await {
        Ok(SERVING) => Outcome::Success,
        Ok(other) => {
            let name = usize::try_from(other).ok().and_then(|number| STATUSES.get(number)).copied();
            let name = name.map_or_else(|| other.to_string(), str::to_owned);
            Outcome::Failure(format!("service unhealthy (responded with \"{name}\")"))
        }
        Err(error) => Outcome::Failure(error),
    }
}

async fn ask(address: SocketAddr, service: &str) -> Result<u64, String> {
    let unreached = |error: tonic::transport::Error| {
        format!("error: failed to connect service at \"{address}\": {}", whole(&error))
    };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(unreached)?;
    let channel = endpoint.user_agent("kube-probe/1.36").map_err(unreached)?.connect().await.map_err(unreached)?;
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(unreached)?;
    let method = http::uri::PathAndQuery::from_static(METHOD);
    match client.unary(Request::new(service.to_owned()), method, Health).await {
        Ok(status) => Ok(status.into_inner()),
        Err(status) if status.code() == Code::Unimplemented => Err(format!(
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {}",
            status.message()
        )),
        Err(status) => Err(format!("error: health rpc probe failed: {}: {}", status.code(), status.message())),
    }
}

/// An error with everything behind it.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(error) = behind {
        text = format!("{text}: {error}");
        behind = error.source();
    }
    text
}

/// From a service's name to the number of its status.
struct Health;

impl Codec for Health {
    type Encode = String;
    type Decode = u64;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Health {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, service: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        // The default is not written.
        if !service.is_empty() {
            to.put_u8(SERVICE);
            put_varint(service.len() as u64, to);
            to.put_slice(service.as_bytes());
        }
        Ok(())
    }
}

impl Decoder for Health {
    type Item = u64;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<u64>, Status> {
        let message = from.copy_to_bytes(from.remaining());
        status(message).map(Some).ok_or_else(|| Status::internal("the answer is no HealthCheckResponse"))
    }
}

fn put_varint(mut value: u64, to: &mut impl BufMut) {
    while value >= 0x80 {
        to.put_u8((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    to.put_u8(value as u8);
}

fn varint(from: &mut impl Buf) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        if !from.has_remaining() {
            return None;
        }
        let byte = from.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The status of an answer; what else is in it is passed over.
fn status(mut from: impl Buf) -> Option<u64> {
    let mut status = 0;
    while from.has_remaining() {
        let tag = varint(&mut from)?;
        let skip = match tag & 7 {
            VARINT => {
                let value = varint(&mut from)?;
                if tag == STATUS {
                    status = value;
                }
                0
            }
            1 => 8,
            BYTES => usize::try_from(varint(&mut from)?).ok()?,
            5 => 4,
            _ => return None,
        };
        if from.remaining() < skip {
            return None;
        }
        from.advance(skip);
    }
    Some(status)
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
