//! Netlink's refusals, readable.

use std::io;

/// What the netfilter subsystem answered.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// A change was refused; the whole batch was.
    #[error("{op}: {source}{}", hint(.detail))]
    Refused {
        /// The change.
        op: String,
        /// The errno.
        source: io::Error,
        /// The kernel's extended message, if it gave one.
        detail: Option<String>,
    },
    /// The socket failed.
    #[error("netfilter socket: {0}")]
    Socket(#[from] io::Error),
    /// The kernel did not answer as it should.
    #[error("netfilter socket: {0}")]
    Protocol(&'static str),
}

fn hint(detail: &Option<String>) -> String {
    detail.as_ref().map(|d| format!(" ({d})")).unwrap_or_default()
}

impl NftError {
    /// The kernel's errno, if this is a refusal.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { source, .. } | Self::Socket(source) => source.raw_os_error(),
            Self::Protocol(_) => None,
        }
    }
}
