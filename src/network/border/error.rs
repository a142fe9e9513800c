//! What can go wrong with one machine's network.

/// An error of the data plane. Every message names the interface, address, service or pod it is about.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The kernel lacks something that raftsman needs.
    #[error("this kernel has no {what}: {hint}")]
    Unsupported {
        /// The missing feature.
        what: String,
        /// What to do.
        hint: String,
    },
    /// No address is left in the node's pod CIDR.
    #[error("no free address in {0}")]
    Exhausted(ipnet::IpNet),
    /// The kernel refused.
    #[error("{what}: {reason}")]
    Kernel {
        /// What was tried, and with which object.
        what: String,
        /// The kernel's answer.
        reason: String,
    },
    /// The request contradicts itself or what is there.
    #[error("{0}")]
    Invalid(String),
}
