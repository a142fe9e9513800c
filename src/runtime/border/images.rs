//! Images on one machine.

use crate::border::RuntimeError;
use std::path::Path;

/// What an image says about how to run it (OCI image configuration).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImageConfig {
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub cmd: Vec<String>,
    /// `Env`, `NAME=value`.
    pub env: Vec<String>,
    /// `WorkingDir`.
    pub working_dir: String,
    /// `User`: name or uid, with optional group.
    pub user: String,
    /// `StopSignal`.
    pub stop_signal: String,
}

/// An image that is on this machine and unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// The digest of its configuration, `sha256:…`.
    pub id: String,
    /// `repository@sha256:…` where it came from a registry, else its id.
    pub digest: String,
    /// How to run it.
    pub config: ImageConfig,
}

/// One line of `raftsman image ls` and of a node's `status.images`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// The digest of its configuration.
    pub id: String,
    /// References that name it.
    pub names: Vec<String>,
    /// Bytes on disk.
    pub size: u64,
}

/// The content store: layers by digest, references, unpacked layers for overlayfs.
#[async_trait::async_trait]
pub trait Images: Send + Sync + 'static {
    /// The image of a reference as it is on this machine; `None` if absent.
    async fn resolve(&self, reference: &str) -> Result<Option<ResolvedImage>, RuntimeError>;

    /// Pulls from a registry, anonymously; concurrent pulls of one reference are one pull.
    async fn pull(&self, reference: &str) -> Result<ResolvedImage, RuntimeError>;

    /// Loads every image of an OCI archive (a tar with `index.json`, plain or gzip), and gives their references.
    async fn load(&self, archive: &Path) -> Result<Vec<String>, RuntimeError>;

    /// What is here.
    async fn list(&self) -> Result<Vec<ImageInfo>, RuntimeError>;

    /// Forgets a reference, and what no other reference and no container needs.
    async fn remove(&self, reference: &str) -> Result<(), RuntimeError>;
}
