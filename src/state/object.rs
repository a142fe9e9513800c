//! One object at one revision: the bytes a client reads, and what must be known of it without decoding them.

use crate::Key;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// An owner reference (`metadata.ownerReferences[]`), as far as garbage collection needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The owner's uid.
    #[serde(deserialize_with = "crate::shared_str::deserialize")]
    pub uid: Arc<str>,
    /// `controller: true`.
    pub controller: bool,
    /// `blockOwnerDeletion: true`.
    pub block_deletion: bool,
}

/// What is extracted from an object before it is proposed, so that nobody decodes JSON to select it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// `metadata.uid`; empty for reservation keys.
    #[serde(deserialize_with = "crate::shared_str::deserialize")]
    pub uid: Arc<str>,
    /// `metadata.labels`, sorted by key.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// `metadata.ownerReferences`.
    pub owners: Vec<Owner>,
    /// Fields that field selectors may name, with their values (`spec.nodeName`, `status.phase`, …).
    pub fields: Vec<(Arc<str>, Arc<str>)>,
    /// Entries of the reverse index that [`crate::View::by_index`] reads, such as (`spec.nodeName`, `n1`).
    pub index: Vec<(Arc<str>, Arc<str>)>,
    /// `metadata.deletionTimestamp` is set.
    pub deleting: bool,
}

impl Meta {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        let at = self.labels.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        self.labels.get(at).map(|(_, value)| &**value)
    }

    /// The value of a selectable field.
    pub fn field(&self, path: &str) -> Option<&str> {
        self.fields.iter().find(|(p, _)| &**p == path).map(|(_, value)| &**value)
    }

    /// Whether the reverse indexes hold the same of both.
    pub(crate) fn indexed_like(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.owners.iter(), other.owners.iter());
        self.uid == other.uid && self.index == other.index && ours.map(|o| &o.uid).eq(theirs.map(|o| &o.uid))
    }

    /// The owner that manages this object, if one does.
    pub fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.controller)
    }
}

/// An object's JSON before it has a revision: the digits are spliced in when the change is applied.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The JSON with `"resourceVersion":""` where the revision belongs.
    #[serde(with = "crate::shared_bytes")]
    pub json: Bytes,
    /// Offset of the empty string's inside; `None` for bodies that carry no revision.
    pub at: Option<u32>,
}

impl Body {
    /// A body without a place for a revision.
    pub fn plain(json: impl Into<Bytes>) -> Self {
        Self { json: json.into(), at: None }
    }

    /// A body from JSON whose top-level metadata holds `"resourceVersion":""`: the first such text outside of strings'
    /// insides is the place. `None` if there is no such place.
    ///
    /// Callers serialise `metadata` themselves and know the offset; this is for those who do not.
    pub fn spliced(json: impl Into<Bytes>, at: usize) -> Option<Self> {
        let json = json.into();
        let at32 = u32::try_from(at).ok()?;
        (json.get(at.checked_sub(1)?) == Some(&b'"') && json.get(at) == Some(&b'"'))
            .then_some(Self { json, at: Some(at32) })
    }

    /// The bytes with the revision in place: one copy, and where the digits stand.
    fn at_revision(&self, revision: u64) -> (Bytes, Option<(u32, u32)>) {
        let Some(at) = self.at else {
            return (self.json.clone(), None);
        };
        let digits = revision.to_string();
        let split = (at as usize).min(self.json.len());
        let mut out = Vec::with_capacity(self.json.len() + digits.len());
        out.extend_from_slice(&self.json[..split]);
        out.extend_from_slice(digits.as_bytes());
        out.extend_from_slice(&self.json[split..]);
        (Bytes::from(out), Some((at, digits.len() as u32)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.json))
    }
}

/// An object at a revision. Shared everywhere by `Arc`; never changes.
pub struct Object {
    /// Its key.
    pub key: Key,
    /// What was extracted from it.
    pub meta: Arc<Meta>,
    /// `metadata.resourceVersion`.
    pub revision: u64,
    /// The JSON as a client reads it, revision included, in the storage version.
    pub json: Bytes,
    digits: Option<(u32, u32)>,
    typed: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Object {
    /// The object that a body becomes at a revision.
    pub fn new(key: Key, meta: Arc<Meta>, body: &Body, revision: u64) -> Self {
        let (json, digits) = body.at_revision(revision);
        Self { key, meta, revision, json, digits, typed: OnceLock::new() }
    }

    /// The same object at another revision: what a DELETED event carries.
    pub fn moved_to(&self, revision: u64) -> Self {
        Self::new(self.key.clone(), self.meta.clone(), &self.body(), revision)
    }

    /// The body without its revision, for comparing content.
    pub fn body(&self) -> Body {
        let (before, after, at) = self.body_parts();
        let json = if at.is_none() { self.json.clone() } else { Bytes::from([before, after].concat()) };
        Body { json, at }
    }

    /// The body's JSON in two pieces, between which the revision stands, and its [`Body::at`].
    pub fn body_parts(&self) -> (&[u8], &[u8], Option<u32>) {
        match self.digits {
            Some((at, length)) => {
                let (before, rest) = self.json.split_at(at as usize);
                (before, &rest[length as usize..], Some(at))
            }
            None => (&self.json, &[], None),
        }
    }

    /// Where the revision's digits stand in [`Object::json`]: offset and length.
    pub fn digits(&self) -> Option<(u32, u32)> {
        self.digits
    }

    /// The typed form, decoded at most once per revision and shared. Asking for two different types of one object
    /// decodes the second one each time.
    ///
    /// # Errors
    /// The JSON does not decode into `T`.
    pub fn decode<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<T>, serde_json::Error> {
        if let Some(Ok(typed)) = self.typed.get().map(|any| any.clone().downcast::<T>()) {
            return Ok(typed);
        }
        let typed: Arc<T> = Arc::new(serde_json::from_slice(&self.json)?);
        let _ = self.typed.set(typed.clone());
        Ok(typed)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} @{}", self.key, self.revision)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.revision == other.revision && self.meta == other.meta && self.json == other.json
    }
}
