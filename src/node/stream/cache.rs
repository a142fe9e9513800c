//! The desired state on disk, so that the agent starts without masters. Secrets are readable by root only.
//!
//! One file an object, replaced atomically by one thread. Nothing is lost if a file is: a full sync brings it again.

use crate::error::AgentError;
use crate::world::Name;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Where the stream stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Position {
    /// The highest revision seen.
    pub revision: u64,
    /// Its epoch; 0: none seen.
    pub epoch: u64,
    /// Masters that were learnt.
    pub masters: Vec<String>,
    /// Pods that masters of a new epoch do not know: kept until told.
    pub kept: BTreeSet<Name>,
}

enum Step {
    Put(PathBuf, Bytes),
    Remove(PathBuf),
    Flush(oneshot::Sender<()>),
}

/// The directory, and the thread that writes to it.
pub struct Cache {
    dir: PathBuf,
    steps: mpsc::Sender<Step>,
}

/// An object as it was kept.
pub struct Kept {
    /// Its resource.
    pub resource: String,
    /// Its name.
    pub name: Name,
    /// The object.
    pub json: Vec<u8>,
}

const POSITION: &str = "position.json";
const NO_NAMESPACE: &str = "_";

fn make_dir(dir: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp~");
    let draft = path.with_file_name(name);
    let _ = fs::remove_file(&draft);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    fs::rename(&draft, path)
}

fn work(steps: &mpsc::Receiver<Step>) {
    for step in steps {
        let done = match step {
            Step::Put(path, bytes) => write(&path, &bytes).map_err(|error| (path, error)),
            Step::Remove(path) => match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err((path, error)),
                _ => Ok(()),
            },
            Step::Flush(done) => {
                let _ = done.send(());
                Ok(())
            }
        };
        if let Err((path, error)) = done {
            tracing::warn!(path = %path.display(), %error, "cannot keep the desired state on disk");
        }
    }
}

impl Cache {
    /// Opens the directory and starts its thread.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn open(dir: PathBuf) -> Result<Self, AgentError> {
        make_dir(&dir).map_err(|error| AgentError::file(&dir, error))?;
        let (steps, receiver) = mpsc::channel();
        let spawned = std::thread::Builder::new().name("desired-state".to_owned()).spawn(move || work(&receiver));
        spawned.map_err(|error| AgentError::file(&dir, error))?;
        Ok(Self { dir, steps })
    }

    fn path(&self, resource: &str, name: &Name) -> PathBuf {
        let namespace = if name.0.is_empty() { NO_NAMESPACE } else { &name.0 };
        self.dir.join(resource.replace('/', "~")).join(namespace).join(&name.1)
    }

    fn step(&self, step: Step) {
        if self.steps.send(step).is_err() {
            tracing::warn!("the desired state is no longer kept on disk: its thread has ended");
        }
    }

    /// Keeps an object.
    pub fn put(&self, resource: &str, name: &Name, json: Bytes) {
        self.step(Step::Put(self.path(resource, name), json));
    }

    /// Forgets an object.
    pub fn remove(&self, resource: &str, name: &Name) {
        self.step(Step::Remove(self.path(resource, name)));
    }

    /// Keeps the position.
    pub fn position(&self, position: &Position) {
        if let Ok(json) = serde_json::to_vec(position) {
            self.step(Step::Put(self.dir.join(POSITION), json.into()));
        }
    }

    /// Waits until all of the above is done.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        self.step(Step::Flush(done));
        let _ = wait.await;
    }

    /// What an earlier agent kept. What cannot be read is left out.
    pub fn load(&self) -> (Position, Vec<Kept>) {
        let position = fs::read(self.dir.join(POSITION)).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let mut kept = Vec::new();
        for resource in entries(&self.dir) {
            for namespace in entries(&resource) {
                for object in entries(&namespace) {
                    let name = file_name(&object);
                    if name.ends_with(".tmp~") {
                        let _ = fs::remove_file(&object);
                        continue;
                    }
                    let Ok(json) = fs::read(&object) else {
                        continue;
                    };
                    let namespace = file_name(&namespace);
                    let namespace = if namespace == NO_NAMESPACE { String::new() } else { namespace };
                    kept.push(Kept { resource: file_name(&resource).replace('~', "/"), name: (namespace, name), json });
                }
            }
        }
        (position.unwrap_or_default(), kept)
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
