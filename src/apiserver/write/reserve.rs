//! Objects that are put along with another one: they take no path of their own.

use super::{Target, encode};
use raftsman_api::kind::Moment;
use raftsman_api::registry;
use raftsman_api::value::{At, set};
use raftsman_state::{Compare, Op};
use serde_json::Value;

/// A new object of a served, cluster-scoped kind, put if absent in another object's transaction.
///
/// # Errors
/// The kind is not served, or the object is not valid: in words.
pub(crate) fn reservation(object: &Value, moment: &Moment) -> Result<(Compare, Op), String> {
    let (group, version) = object.text("apiVersion").rsplit_once('/').unwrap_or(("", object.text("apiVersion")));
    let kind = registry::by_kind(group, version, object.text("kind"))
        .ok_or_else(|| format!("{} is not served", object.text("kind")))?;
    let mut object = object.clone();
    kind.default(&mut object);
    kind.prepare_create(&mut object, moment);
    set(&mut object, "metadata.uid", uuid::Uuid::new_v4().to_string());
    let target = Target::new(kind, "", object.text("metadata.name"));
    let draft = encode::draft(&target, &object).map_err(|error| error.to_string())?;
    Ok((Compare::Absent(draft.key.clone()), draft.put()))
}
