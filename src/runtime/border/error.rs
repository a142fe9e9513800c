//! What can go wrong at the door, told apart by what the caller must do next.

/// An error of the runtime. Every message names the pod, container, image or path it is about.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The pod or container is not known here (any more).
    #[error("{0} not found")]
    NotFound(String),
    /// The request can never succeed as it stands: a bad reference, a missing binary, an invalid user.
    #[error("{0}")]
    Invalid(String),
    /// The image does not exist or may not be pulled (`ErrImagePull`).
    #[error("{0}")]
    ImagePull(String),
    /// The image is absent and its pull policy is `Never` (`ErrImageNeverPull`).
    #[error("{0}")]
    ImageNeverPull(String),
    /// The image reference cannot be parsed (`InvalidImageName`).
    #[error("{0}")]
    InvalidImageName(String),
    /// Worth another try later: the kernel, the disk or the network refused just now.
    #[error("{0}")]
    Transient(String),
}
