//! Talking with the other masters: what is said ([`Transport`]), who says it ([`Factory`], proposals and reads) and who
//! answers ([`Door`]). How it travels is an implementation: gRPC over mutual TLS, or a simulated network.

mod admission;
mod door;
pub(crate) mod grpc;
mod network;
mod receive;
mod send;
mod transport;

pub(crate) use admission::{Asked, Caller};
pub(crate) use door::{Door, Refusal};
pub use grpc::{MASTERS, PeerPort, PeersService, require_organisation};
pub(crate) use network::Factory;
pub(crate) use transport::{Append, AppendAnswer, BoxedStream, Identity, Peer, PeerError, Transport};

#[cfg(test)]
mod transfer_tests;
