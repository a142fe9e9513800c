//! The node's resolver: cluster names from the services, everything else from upstream.

mod answer;
mod server;
mod table;
mod upstream;
mod wire;

pub use server::Resolver;

#[cfg(test)]
mod answer_tests;
