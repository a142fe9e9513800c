//! From a client's JSON to an object of the kind: wrong types refused, unknown fields as the request wishes.

use super::{FieldValidation, Target, WriteOptions};
use raftsman_api::status::Status;
use raftsman_api::value::At;
use serde_json::Value;

/// Decodes the JSON of an object of the target's kind.
///
/// # Errors
/// 400 for another kind or version than the path's, for wrong types, and for unknown or duplicate fields when the
/// request is strict.
pub(super) fn decode(target: &Target, json: &Value, options: &WriteOptions) -> Result<Value, Status> {
    let info = target.info();
    if !json.is_object() {
        return Err(Status::bad_request(format!("the body must be a {} as a JSON object", info.kind)));
    }
    let (kind, version) = (json.text("kind"), json.text("apiVersion"));
    if !version.is_empty() && version != info.api_version() {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            info.api_version()
        )));
    }
    if !kind.is_empty() && kind != info.kind {
        return Err(Status::bad_request(format!(
            "the kind in the data ({kind}) does not match the expected kind ({})",
            info.kind
        )));
    }
    let decoded = target.kind.decode(json).map_err(|causes| {
        let listed: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        Status::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: {}",
            info.kind,
            info.version,
            info.kind,
            listed.join(", ")
        ))
    })?;
    let unknown = decoded.unknown.iter().map(|path| format!("unknown field {path:?}"));
    let complaints: Vec<String> = unknown.chain(options.duplicates.iter().cloned()).collect();
    match options.validation {
        FieldValidation::Strict if !complaints.is_empty() => Err(Status::bad_request(format!(
            "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
            info.kind,
            info.version,
            info.kind,
            complaints.join(", ")
        ))),
        FieldValidation::Warn => {
            complaints.into_iter().for_each(|complaint| options.warnings.add(complaint));
            Ok(decoded.object)
        }
        _ => Ok(decoded.object),
    }
}

/// The stored object as a client's would be decoded today: what an earlier version stored in another form is no change when
/// it comes back.
///
/// # Errors
/// 500: the store holds what is no JSON.
pub(super) fn canonical(target: &Target, object: &raftsman_state::Object) -> Result<Value, Status> {
    let json = stored(object)?;
    Ok(target.kind.decode(&json).map_or(json, |decoded| decoded.object))
}

/// The stored object as JSON.
///
/// # Errors
/// 500: the store holds what is no JSON.
pub(crate) fn stored(object: &raftsman_state::Object) -> Result<Value, Status> {
    serde_json::from_slice(&object.json)
        .map_err(|error| Status::internal(format!("the stored {} is no JSON: {error}", object.key)))
}
