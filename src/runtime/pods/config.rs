//! Where an agent's pods live.

use std::path::{Path, PathBuf};

/// What [`crate::LocalPods`] needs to know of its machine. Two agents of one machine differ in `state_dir` and in
/// `cgroup_parent`; nothing else of theirs can collide.
#[derive(Debug, Clone)]
pub struct PodsConfig {
    /// Records and file systems of pods. An absolute path without `,`, `:` or `\`.
    pub state_dir: PathBuf,
    /// The cgroup above all of this agent's pods, such as `/raftsman/local-n1`.
    pub cgroup_parent: String,
    /// The program that is the supervisor: this one.
    pub supervisor_exe: PathBuf,
    /// Its arguments before the pod's directory.
    pub supervisor_args: Vec<String>,
    /// The page of memory with the promise that fenced pods run by; on a tmpfs that every process of the machine sees.
    pub promise_page: PathBuf,
}

impl PodsConfig {
    /// This program as its own supervisor, by [`crate::supervisor::COMMAND`].
    pub fn new(state_dir: impl Into<PathBuf>, cgroup_parent: impl Into<String>) -> Self {
        let state_dir: PathBuf = state_dir.into();
        Self {
            promise_page: state_dir.join("promise"),
            state_dir,
            cgroup_parent: cgroup_parent.into(),
            supervisor_exe: PathBuf::from("/proc/self/exe"),
            supervisor_args: vec![crate::supervisor::COMMAND.to_owned()],
        }
    }

    pub(crate) fn pods(&self) -> PathBuf {
        self.state_dir.join("pods")
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.state_dir.join("namespaces")
    }

    /// Pods on their way out; in the pods' own mount, for a rename does not cross mounts.
    pub(crate) fn trash(&self) -> PathBuf {
        self.pods().join(".trash")
    }

    pub(crate) fn pod(&self, uid: &str) -> PodPaths {
        PodPaths { directory: self.pods().join(uid), pins: self.pins().join(uid) }
    }

    pub(crate) fn supervisors_group(&self) -> String {
        format!("{}/supervisors", self.cgroup_parent.trim_end_matches('/'))
    }

    pub(crate) fn pod_group(&self, uid: &str) -> String {
        format!("{}/pod{uid}", self.cgroup_parent.trim_end_matches('/'))
    }
}

/// The places of one pod.
#[derive(Debug, Clone)]
pub(crate) struct PodPaths {
    /// Everything of the pod.
    pub directory: PathBuf,
    /// Its namespaces, pinned.
    pub pins: PathBuf,
}

impl PodPaths {
    pub(crate) fn record(&self) -> PathBuf {
        self.directory.join("pod.json")
    }

    /// Since when the pod's namespaces are as they are.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join("root.json")
    }

    /// Is there once the pod will never run again and nobody may revive it.
    pub(crate) fn released(&self) -> PathBuf {
        self.directory.join("released")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn shm(&self) -> PathBuf {
        self.directory.join("shm")
    }

    pub(crate) fn container(&self, id: &str) -> PathBuf {
        self.directory.join(crate::supervisor::protocol::CONTAINERS).join(id)
    }

    pub(crate) fn log(&self, name: &str, attempt: u32) -> PathBuf {
        self.directory.join("logs").join(name).join(format!("{attempt}.log"))
    }
}

/// A uid names a directory and a cgroup: it must be one plain word.
pub(crate) fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 253
        && !word.starts_with('.')
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// An absolute path that overlayfs can use.
pub(crate) fn is_usable(path: &Path) -> bool {
    path.is_absolute() && path.to_str().is_some_and(|text| !text.contains([',', ':', '\\']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_cannot_lead_out() {
        for (uid, plain) in [
            ("3f2a-77", true),
            ("a.b", true),
            ("", false),
            ("..", false),
            ("a/b", false),
            (".hidden", false),
            ("a b", false),
        ] {
            assert_eq!(is_plain(uid), plain, "{uid}");
        }
    }
}
