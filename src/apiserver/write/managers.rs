//! `metadata.managedFields`: every write passes here.

use super::{Caller, Target, WriteOptions};
use raftsman_api::kind::Subresource;
use raftsman_api::managed_fields::{self, Conflict};
use raftsman_api::status::{Cause, Status};
use raftsman_api::value::{At, remove};
use serde_json::{Value, json};

/// Most bytes of a manager's name, as upstream.
const NAME_MOST: usize = 128;

/// Judges the `fieldManager` of a request; `kind` names its options.
///
/// # Errors
/// 422 for a name that is too long or cannot be shown.
pub(crate) fn check_name(name: &str, kind: &str) -> Result<(), Status> {
    let mut causes = Vec::new();
    if name.len() > NAME_MOST {
        causes.push(Cause::too_long("fieldManager", NAME_MOST));
    }
    if !name.chars().all(is_printable) {
        causes.push(Cause::invalid("fieldManager", name, "should only contain printable characters"));
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", kind, "", causes)) }
}

/// Of white space, only the space itself.
pub(crate) fn is_printable(c: char) -> bool {
    c == ' ' || !c.is_control() && !c.is_whitespace()
}

/// How a write comes to own fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ownership {
    /// It owns what it changes.
    Changes,
    /// Server-side apply, which has recorded it already.
    Applied,
}

/// The manager of a write.
pub(super) fn manager<'a>(caller: &'a Caller, options: &'a WriteOptions) -> &'a str {
    options.manager.as_deref().unwrap_or(&caller.manager)
}

fn part_name(part: Option<Subresource>) -> &'static str {
    part.map_or("", Subresource::path)
}

/// Records that `manager` turned `old` into `object`.
pub(super) fn record(object: &mut Value, old: Option<&Value>, target: &Target, manager: &str, now: &str) {
    if old.is_none() {
        remove(object, "metadata.managedFields");
    }
    managed_fields::update(target.info(), object, old, manager, part_name(target.part), now);
}

/// The object that an applied configuration makes of `live`, ownership recorded.
///
/// # Errors
/// 409 with all conflicts, 422 without a manager, 400 when the configuration names managed fields.
pub(super) fn apply(
    target: &Target,
    live: Option<&Value>,
    config: &Value,
    options: &WriteOptions,
    now: &str,
) -> Result<Value, Status> {
    let Some(manager) = options.manager.as_deref().filter(|manager| !manager.is_empty()) else {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(Status::invalid("meta.k8s.io", "PatchOptions", "", vec![cause]));
    };
    if config.has("metadata.managedFields") {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let part = part_name(target.part);
    managed_fields::apply(target.info(), live, config, manager, part, options.force, now)
        .map_err(|all| refusal(target, &all))
}

fn refusal(target: &Target, all: &[Conflict]) -> Status {
    let version = target.info().api_version();
    let by = |conflict: &Conflict| {
        let part = conflict.using.split_once(' ').map_or(String::new(), |(_, part)| format!(" {part}"));
        format!("{:?}{part} using {version}", conflict.manager)
    };
    let count: usize = all.iter().map(|conflict| conflict.fields.len()).sum();
    let listed: Vec<String> = all
        .iter()
        .map(|conflict| match conflict.fields.as_slice() {
            [field] => format!("conflict with {}: {field}", by(conflict)),
            fields => format!("conflicts with {}:\n- {}", by(conflict), fields.join("\n- ")),
        })
        .collect();
    let plural = if count == 1 { "" } else { "s" };
    let causes: Vec<Value> = all
        .iter()
        .flat_map(|conflict| {
            let message = format!("conflict with {}", by(conflict));
            conflict
                .fields
                .iter()
                .map(move |field| json!({ "reason": "FieldManagerConflict", "message": message, "field": field }))
        })
        .collect();
    Status {
        details: Some(json!({ "causes": causes })),
        ..Status::new(409, "Conflict", format!("Apply failed with {count} conflict{plural}: {}", listed.join("\n")))
    }
}
