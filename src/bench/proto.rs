//! The generated code of the two contracts.

/// What members under measurement serve.
#[allow(missing_docs, clippy::all)]
pub(crate) mod bench {
    tonic::include_proto!("raftsman.bench.v1");
}

/// The part of etcd's API that is used.
#[allow(missing_docs, clippy::all)]
pub(crate) mod etcd {
    tonic::include_proto!("etcdserverpb");
}
