//! What only one object may have: a Service's address and node ports, a Node's pod range. Each is also a key of its own, put
//! if absent in its owner's transaction and deleted with its owner.

mod ranges;
mod services;

use crate::config::ApiConfig;
use crate::write::Target;
use raftsman_api::kind::Moment;
use raftsman_api::status::{Cause, Status};
use raftsman_state::{Body, Compare, Key, Meta, Op, View};
use serde_json::Value;
use std::sync::Arc;

/// What a write must hold and do besides its own object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reservations {
    /// New reservations do not exist yet.
    pub compares: Vec<Compare>,
    /// They are put; what is no longer used is deleted.
    pub ops: Vec<Op>,
}

/// What a replacement leaves out and the server had chosen stays.
pub(crate) fn carry_over(target: &Target, old: &Value, object: &mut Value) {
    if target.is_core("services") {
        services::carry_over(old, object);
    } else if target.is_core("nodes") {
        ranges::carry_over(old, object);
    }
}

/// Chooses (or checks) what the object must have alone, and says how that is reserved. Other kinds: nothing.
///
/// # Errors
/// 422 when what was asked for is taken or out of range, or a range is used up.
pub(crate) fn allocate(
    view: &View,
    config: &ApiConfig,
    target: &Target,
    old: Option<&Value>,
    object: &mut Value,
    moment: &Moment,
) -> Result<Reservations, Status> {
    if target.part.is_some() {
        return Ok(Reservations::default());
    }
    let taken = if target.is_core("services") {
        services::allocate(view, config, target, old, object, moment)
    } else if target.is_core("nodes") {
        ranges::allocate(view, target, old, object)
    } else {
        return Ok(Reservations::default());
    };
    let info = target.info();
    let taken = taken.map_err(|cause: Cause| Status::invalid(info.group, info.kind, &target.name, vec![cause]))?;
    let (compares, mut ops): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
    // What the old object held and the new one does not.
    if let Some(old) = old {
        let kept = held(target, object);
        ops.extend(held(target, old).into_iter().filter(|key| !kept.contains(key)).map(|key| Op::Delete { key }));
    }
    Ok(Reservations { compares, ops })
}

/// The keys of everything that an object holds.
fn held(target: &Target, object: &Value) -> Vec<Key> {
    if target.is_core("services") {
        services::held(object)
    } else if target.is_core("nodes") {
        ranges::held(object)
    } else {
        Vec::new()
    }
}

/// Frees what an object holds.
pub(crate) fn release(target: &Target, object: &Value) -> Vec<Op> {
    held(target, object).into_iter().map(|key| Op::Delete { key }).collect()
}

/// A reservation that the API does not serve.
fn hidden(key: Key, holder: &Value) -> (Compare, Op) {
    let body = Body::plain(holder.to_string());
    (Compare::Absent(key.clone()), Op::Put { key, meta: Arc::new(Meta::default()), body })
}
