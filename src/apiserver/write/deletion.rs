//! What a delete does to an object: pure.

use super::{DeleteOptions, Propagation, Target};
use crate::unique;
use raftsman_api::kind::{DeletionGrace, Moment};
use raftsman_api::value::{At, remove, set};
use raftsman_api::{meta, time};
use raftsman_state::Op;
use serde_json::Value;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// The verdict on a delete.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// Nothing holds it: it goes at once.
    Remove,
    /// It is marked (or marked anew) and stays for now.
    Mark(Value),
    /// It is marked already; nothing changes.
    Pending,
}

/// Judges the delete of an object.
pub(super) fn judge(target: &Target, object: &Value, options: &DeleteOptions, moment: &Moment) -> Verdict {
    let mut marked = object.clone();
    propagate(&mut marked, options.propagation.or_else(|| unasked(target, object)));
    if target.is_core("namespaces") {
        return namespace(marked, object, moment);
    }
    let grace = grace(target, object, options);
    let held = !meta::finalizers(&marked).is_empty();
    if grace == 0 && !held {
        return Verdict::Remove;
    }
    mark(&mut marked, object, grace, options.grace.is_some(), moment);
    if marked == *object { Verdict::Pending } else { Verdict::Mark(marked) }
}

/// Seconds that the object has left once it is marked.
fn grace(target: &Target, object: &Value, options: &DeleteOptions) -> i64 {
    match target.kind.deletion_grace(object) {
        DeletionGrace::Immediate => 0,
        DeletionGrace::Seconds(own) => match options.grace {
            // Upstream: negative means one second.
            Some(asked) if asked < 0 => 1,
            Some(asked) => asked,
            None => own,
        },
    }
}

fn mark(marked: &mut Value, object: &Value, grace: i64, asked: bool, moment: &Moment) {
    let now = moment.now.as_str();
    match meta::deletion_timestamp(object) {
        None => {
            let at = time::after(now, grace).unwrap_or_else(|| now.to_owned());
            set(marked, "metadata.deletionTimestamp", at);
            set(marked, "metadata.deletionGracePeriodSeconds", grace);
            if let Some(generation) = object.int("metadata.generation").filter(|generation| *generation > 0) {
                set(marked, "metadata.generation", generation.saturating_add(1));
            }
        }
        // A second delete only shortens; without a period of its own it changes nothing, unless nobody waits any more.
        Some(at) => {
            let given = object.int("metadata.deletionGracePeriodSeconds").unwrap_or(0);
            if grace < given && (asked || grace == 0) {
                let at = time::after(at, grace - given).unwrap_or_else(|| now.to_owned());
                set(marked, "metadata.deletionTimestamp", at);
                set(marked, "metadata.deletionGracePeriodSeconds", grace);
            }
        }
    }
}

/// Namespaces are marked and their content goes first: the finalizers in their spec hold them.
fn namespace(mut marked: Value, object: &Value, moment: &Moment) -> Verdict {
    if meta::finalizers(&marked).is_empty() && object.list("spec.finalizers").is_empty() {
        return Verdict::Remove;
    }
    if !meta::is_deleting(object) {
        set(&mut marked, "metadata.deletionTimestamp", moment.now.as_str());
    }
    set(&mut marked, "status.phase", "Terminating");
    if marked == *object { Verdict::Pending } else { Verdict::Mark(marked) }
}

/// The propagation of a delete that names none: the finalizers that are there say it, else the kind does.
fn unasked(target: &Target, object: &Value) -> Option<Propagation> {
    let said = meta::finalizers(object).iter().any(|name| matches!(*name, FOREGROUND | ORPHAN));
    (target.kind.orphans_by_default() && !said).then_some(Propagation::Orphan)
}

/// `propagationPolicy` becomes finalizers, which the garbage collector removes.
fn propagate(object: &mut Value, policy: Option<Propagation>) {
    let Some(policy) = policy else { return };
    let wanted = match policy {
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Background => None,
    };
    let mut finalizers: Vec<Value> = object
        .list("metadata.finalizers")
        .iter()
        .filter(|name| !matches!(name.as_str(), Some(FOREGROUND | ORPHAN)))
        .cloned()
        .collect();
    finalizers.extend(wanted.map(Value::from));
    if finalizers.is_empty() {
        remove(object, "metadata.finalizers");
    } else {
        set(object, "metadata.finalizers", finalizers);
    }
}

/// A deleting object that nothing holds any more: no finalizers, and no grace period that somebody still waits for.
pub(super) fn is_finished(target: &Target, object: &Value) -> bool {
    if !meta::is_deleting(object) || !meta::finalizers(object).is_empty() {
        return false;
    }
    if target.is_core("namespaces") {
        return object.list("spec.finalizers").is_empty();
    }
    object.int("metadata.deletionGracePeriodSeconds").unwrap_or(0) == 0
}

/// The operations that remove an object and what is reserved for it: by what it is in the store, `old`, whatever the write
/// that lets it go would have made of it.
pub(super) fn removal(target: &Target, old: &Value) -> Vec<Op> {
    let mut ops = vec![Op::Delete { key: target.key() }];
    ops.extend(unique::release(target, old));
    ops
}
