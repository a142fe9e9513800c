//! Work inside a network namespace: by a thread that enters it and ends.

use crate::border::NetworkError;
use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A network namespace: the process's own, or one pinned to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(Option<PathBuf>);

impl Namespace {
    /// The process's own, or the one at a path.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// The one at a path.
    pub fn at(path: &Path) -> Self {
        Self(Some(path.to_owned()))
    }

    /// True for the process's own.
    pub fn is_own(&self) -> bool {
        self.0.is_none()
    }

    /// True if the file is this very namespace.
    pub async fn is_at(&self, path: &Path) -> Result<bool, NetworkError> {
        let path = path.to_owned();
        self.run(move || {
            let identity = |path: &Path| {
                let known = std::fs::metadata(path).map(|m| (m.dev(), m.ino()));
                known.map_err(|e| NetworkError::Kernel {
                    what: format!("look at network namespace {}", path.display()),
                    reason: e.to_string(),
                })
            };
            Ok(identity(&path)? == identity(Path::new("/proc/thread-self/ns/net"))?)
        })
        .await
    }

    /// Runs `work` in the namespace. Sockets that it opens stay there; they may be registered with the caller's runtime.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, NetworkError> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let path = self.0.clone();
        let runtime = tokio::runtime::Handle::current();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let body = move || {
            let _entered = runtime.enter();
            // The receiver may have been given up.
            let _ = sender.send(enter(path.as_deref()).and_then(|()| work()));
        };
        std::thread::Builder::new().name("netns".to_owned()).spawn(body).map_err(|e| NetworkError::Kernel {
            what: "start a thread for a network namespace".to_owned(),
            reason: e.to_string(),
        })?;
        receiver.await.map_err(|_| NetworkError::Kernel {
            what: format!("work in network namespace {self}"),
            reason: "the thread ended early".to_owned(),
        })?
    }
}

impl std::fmt::Display for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(path) => write!(f, "{}", path.display()),
            None => write!(f, "of this process"),
        }
    }
}

fn enter(path: Option<&Path>) -> Result<(), NetworkError> {
    let Some(path) = path else { return Ok(()) };
    let refused =
        |reason: String| NetworkError::Kernel { what: format!("enter network namespace {}", path.display()), reason };
    let file = File::open(path).map_err(|e| refused(e.to_string()))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|e| refused(e.desc().to_owned()))
}
