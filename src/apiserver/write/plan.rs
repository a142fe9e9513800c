//! What a write comes to, before it is proposed.

use bytes::Bytes;
use raftsman_state::{Body, Compare, Key, Meta, Object, Op, Txn};
use std::sync::Arc;

/// An object before it has a revision.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub key: Key,
    pub meta: Arc<Meta>,
    pub body: Body,
}

impl Draft {
    pub(super) fn put(&self) -> Op {
        Op::Put { key: self.key.clone(), meta: self.meta.clone(), body: self.body.clone() }
    }

    pub(super) fn at(&self, revision: u64) -> Arc<Object> {
        Arc::new(Object::new(self.key.clone(), self.meta.clone(), &self.body, revision))
    }
}

/// A transaction, and the object that the caller gets for it.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// What must hold; the leadership's term is added by whoever proposes.
    pub compares: Vec<Compare>,
    /// The first operation is the object's own.
    pub ops: Vec<Op>,
    /// The object after it; for a removal the last content.
    pub draft: Draft,
    /// The object is removed.
    pub removes: bool,
    /// The revision before, 0 for a new object: what a dry run shows.
    pub before: u64,
}

impl Change {
    pub(super) fn txn(&self, term: Option<u64>) -> Txn {
        let mut compares = Vec::with_capacity(self.compares.len() + 1);
        compares.extend(term.map(Compare::Term));
        compares.extend(self.compares.iter().cloned());
        Txn { compares, ops: self.ops.clone(), origin: None }
    }

    /// The object of a dry run: as it would be, without a revision of its own.
    pub(super) fn dry(&self) -> Arc<Object> {
        if self.before > 0 {
            return self.draft.at(self.before);
        }
        let draft = &self.draft;
        let body = Body::plain(without_revision(&draft.body));
        Arc::new(Object::new(draft.key.clone(), draft.meta.clone(), &body, 0))
    }
}

/// The JSON without the member that a revision would go into.
fn without_revision(body: &Body) -> Bytes {
    const MEMBER: &str = "\"resourceVersion\":\"";
    let place = body.at.and_then(|at| {
        let (before, after) = body.json.split_at_checked(at as usize)?;
        Some((before.strip_suffix(MEMBER.as_bytes())?, after.strip_prefix(b"\"")?))
    });
    let Some((before, after)) = place else {
        return body.json.clone();
    };
    // One comma goes with it.
    let (before, after) = match (before.strip_suffix(b","), after.strip_prefix(b",")) {
        (_, Some(after)) => (before, after),
        (Some(before), None) => (before, after),
        (None, None) => (before, after),
    };
    Bytes::from([before, after].concat())
}

/// The outcome of planning.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    /// Nothing is to be written: the object is already so.
    Settled(Arc<Object>),
    /// This is to be written.
    Write(Box<Change>),
}

/// What was done.
#[derive(Debug, Clone)]
pub(super) struct Done {
    /// The object after it; for a removal the last content, at the removal's revision.
    pub object: Arc<Object>,
    /// The object is gone.
    pub removed: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_has_no_revision_shows_none() {
        for (text, wanted) in [
            (r#"{"metadata":{"name":"a","resourceVersion":"","uid":"u"}}"#, r#"{"metadata":{"name":"a","uid":"u"}}"#),
            (r#"{"metadata":{"name":"a","resourceVersion":""}}"#, r#"{"metadata":{"name":"a"}}"#),
            (r#"{"metadata":{"resourceVersion":"","uid":"u"}}"#, r#"{"metadata":{"uid":"u"}}"#),
            (r#"{"metadata":{"resourceVersion":""}}"#, r#"{"metadata":{}}"#),
        ] {
            let at = text.find("n\":\"\"").unwrap() + 4;
            let body = Body::spliced(text, at).unwrap();
            assert_eq!(without_revision(&body), wanted);
        }
        assert_eq!(without_revision(&Body::plain("{}")), "{}");
    }
}
