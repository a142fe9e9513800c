//! Keys and certificates of a cluster: its own authority, hosts, people.
//!
//! What lives here: making and signing them, and their files. What must not: who may have one (that is decided by whoever
//! calls), connections, and the forms in which other programs carry credentials (kubeconfigs are `cli`'s).

mod authority;
mod files;
mod profile;
mod request;

pub use authority::{Authority, Credentials, PkiError};
pub use files::{write_private, write_public};
pub use profile::{CLIENT_DAYS, HOST_DAYS, HostProfile};
pub use request::{HostKey, days_left, key_of_request, pin, pin_der};

#[cfg(test)]
mod pki_tests;
