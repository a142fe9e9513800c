//! Who the masters are, at run time: changes go to the leader, hosts join with a token, facts are gathered from all.
//!
//! # Who holds which key
//!
//! Every master holds the authority's key and that of service account tokens (`ca.key` and `sa.key`, mode 0600): any of
//! them can then let a host in, whichever others are lost. A host that joins makes its own key and sends only a request;
//! the master that takes it answers with a certificate. The two keys of the cluster never travel with that answer: the new
//! master fetches them over mutual TLS from another one, which gives them only to a host that is a member by then.

mod facts;
mod forward;
mod join;
mod keys;
mod operations;
mod place;
mod service;
mod token;

pub use facts::Facts;
pub use forward::Changer;
pub use join::Gate;
pub use keys::fetch_keys;
pub use operations::MemberOperations;
pub use service::MembershipService;

#[cfg(test)]
mod token_tests;
