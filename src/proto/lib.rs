//! The gRPC contracts of `proto/` and their generated code.
//!
//! What lives here: nothing but what the compiler of `proto/raftsman/v1` makes. What must not: conversions to and from
//! other rooms' types; those stand where they are used.

/// Version 1 of the contracts.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    tonic::include_proto!("raftsman.v1");
}
