//! Why a master does not run.

use std::path::PathBuf;

/// An error that ends the process; the message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// The configuration contradicts itself.
    #[error("configuration: {0}")]
    Config(String),
    /// A key or certificate cannot be read.
    #[error("{path}: {reason}; make it with `raftsman pki`", path = path.display())]
    Pki {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A port cannot be listened on.
    #[error("cannot listen on {address}: {reason}; is another process there?")]
    Listen {
        /// Address and port.
        address: String,
        /// Why.
        reason: String,
    },
    /// The store cannot be opened or failed.
    #[error("store: {0}")]
    Store(String),
    /// A server failed.
    #[error("{0}")]
    Server(String),
}
