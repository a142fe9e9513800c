//! HTTPS: paths and queries into calls, objects into the form that the client asked for.

mod answer;
mod backup;
mod body;
mod discovery;
mod drain;
mod front;
mod health;
mod intake;
mod metrics;
mod negotiate;
mod openapi;
mod openapi_v2;
mod operations;
mod params;
mod path;
mod render;
mod resources;
mod server;
mod store_status;
mod table;
mod tls;
mod verbs;
mod version;
mod watch;
mod writes;

pub(crate) use answer::Answer;
pub(crate) use body::{pieces, whole};
pub(crate) use front::{Asked, Front};
pub use operations::{NoOperations, Operation, Operations};
pub(crate) use params::Params;
pub use server::{Server, ServerError, serve};
pub use tls::TlsPems;

#[cfg(test)]
mod client;
#[cfg(test)]
mod drain_tests;
#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod operations_tests;
#[cfg(test)]
mod tls_tests;
#[cfg(test)]
mod watch_tests;
