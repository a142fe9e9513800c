//! What a plan wants done, as plain data.

use crate::Key;
use raftsman_api::kind::Subresource;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What becomes of the dependents of a deleted object (`DeleteOptions.propagationPolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Dependents are collected after the owner is gone.
    Background,
    /// The owner waits for dependents that block its deletion.
    Foreground,
    /// Dependents lose the reference and live on.
    Orphan,
}

/// The object that an Event speaks of (`v1 Event.involvedObject`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its key.
    pub key: Key,
    /// `apps/v1`, `v1`.
    pub api_version: &'static str,
    /// `Deployment`.
    pub kind: &'static str,
    /// Its uid.
    pub uid: Arc<str>,
}

/// Whether an Event is good or bad news (`v1 Event.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

impl EventType {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// An Event to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it speaks of.
    pub regarding: ObjectRef,
    /// Good or bad.
    pub kind: EventType,
    /// CamelCase, for machines.
    pub reason: Cow<'static, str>,
    /// For people.
    pub message: String,
}

/// One write. Whoever executes it makes no choices.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create an object; planners make its name.
    Create {
        /// Where.
        key: Key,
        /// The whole object, `apiVersion` and `kind` included.
        object: Value,
    },
    /// Replace an object or a part of it.
    Update {
        /// Where.
        key: Key,
        /// Conflict unless the object is still at this revision.
        revision: u64,
        /// The whole object.
        object: Value,
        /// `/status`, `/finalize`.
        part: Option<Subresource>,
    },
    /// Change some fields by a JSON merge patch (RFC 7396).
    Patch {
        /// Where.
        key: Key,
        /// Conflict unless the object has this uid.
        uid: Arc<str>,
        /// Conflict unless the object is still at this revision; for patches that replace a list others write too.
        revision: Option<u64>,
        /// The patch.
        patch: Value,
        /// `/status`.
        part: Option<Subresource>,
    },
    /// Delete an object.
    Delete {
        /// Where.
        key: Key,
        /// Conflict unless the object has this uid.
        uid: Arc<str>,
        /// Conflict unless the object is still at this revision.
        revision: Option<u64>,
        /// Seconds; `None` is the kind's own, 0 is at once, without the node's word.
        grace: Option<i64>,
        /// What becomes of its dependents; `None` leaves it to the kind.
        propagation: Option<Propagation>,
    },
    /// Record an Event. The runner turns it into a create or a patch before it reaches an executor.
    Event(Note),
    /// `pods/binding`: give a pod to a node, if it has none.
    Bind {
        /// The pod.
        pod: Key,
        /// Conflict unless it has this uid.
        uid: Arc<str>,
        /// The node's name.
        node: Arc<str>,
    },
    /// Set `spec.podCIDR` and `spec.podCIDRs` of a node that has none, together with the key that reserves the range.
    AssignPodCidr {
        /// The node.
        node: Key,
        /// Conflict unless it has this uid.
        uid: Arc<str>,
        /// The range.
        cidr: String,
    },
}

impl Action {
    /// A word for logs and for the failure that a later plan sees.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Patch { .. } => "patch",
            Self::Delete { .. } => "delete",
            Self::Event(_) => "record",
            Self::Bind { .. } => "bind",
            Self::AssignPodCidr { .. } => "assign",
        }
    }

    /// The key that it writes, or speaks of.
    pub fn key(&self) -> &Key {
        match self {
            Self::Create { key, .. }
            | Self::Update { key, .. }
            | Self::Patch { key, .. }
            | Self::Delete { key, .. }
            | Self::Bind { pod: key, .. }
            | Self::AssignPodCidr { node: key, .. } => key,
            Self::Event(note) => &note.regarding.key,
        }
    }
}

fn suffix(part: &Option<Subresource>) -> String {
    part.map(|part| format!("/{}", part.path())).unwrap_or_default()
}

/// One line, for golden texts and logs.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { key, .. } => write!(f, "create {key}"),
            Self::Update { key, revision, part, .. } => write!(f, "update {key}{} @{revision}", suffix(part)),
            Self::Patch { key, patch, part, .. } => write!(f, "patch {key}{} {patch}", suffix(part)),
            Self::Delete { key, grace, propagation, .. } => {
                write!(f, "delete {key}")?;
                if let Some(grace) = grace {
                    write!(f, " grace={grace}")?;
                }
                match propagation {
                    Some(propagation) => write!(f, " {propagation:?}"),
                    None => Ok(()),
                }
            }
            Self::Event(note) => {
                write!(f, "event {} {} {}: {}", note.regarding.key, note.kind.as_str(), note.reason, note.message)
            }
            Self::Bind { pod, node, .. } => write!(f, "bind {pod} to {node}"),
            Self::AssignPodCidr { node, cidr, .. } => write!(f, "assign {node} {cidr}"),
        }
    }
}
