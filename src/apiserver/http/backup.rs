//! `/raftsman/v1/backup`.

use super::Answer;
use super::body::pieces;
use super::{Front, Params};
use crate::auth::{Attributes, MASTERS, UserInfo, authorize};
use crate::backup::stream;
use crate::write::store_error;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Response};
use raftsman_api::status::Status;
use std::sync::Arc;
use tokio_stream::wrappers::ReceiverStream;

/// Answers with a backup of a linearizable view; with `keys=true` the authority's keys are in it.
///
/// # Errors
/// Who asks may not; no quorum; the keys cannot be read.
pub(crate) async fn handle(
    front: &Arc<Front>,
    method: &Method,
    params: &Params,
    user: &UserInfo,
) -> Result<Answer, Status> {
    let path = "/raftsman/v1/backup".to_owned();
    authorize(user, &Attributes { verb: method.as_str().to_lowercase(), path, ..Attributes::default() })?;
    if method != Method::GET {
        return Err(Status::new(405, "MethodNotAllowed", "a backup is read with GET"));
    }
    let with_keys = params.has("keys") && params.text("keys") != "false";
    if with_keys && !user.is_in(MASTERS) {
        let message = format!("User {:?} cannot get the cluster's keys: that takes the group {MASTERS}", user.name);
        return Err(Status::new(403, "Forbidden", message));
    }
    let Some(source) = front.backup.clone() else {
        return Err(Status::new(404, "NotFound", "this server makes no backups"));
    };
    let view = front.api.store.read().await.map_err(|error| store_error(&error))?;
    let manifest = source.manifest(&*front.api.store);
    let keys = if with_keys {
        let read = tokio::task::spawn_blocking(move || source.keys()).await;
        read.map_err(|error| error.to_string()).and_then(|keys| keys).map_err(Status::internal)?
    } else {
        Vec::new()
    };
    let mut answer = Response::new(pieces(ReceiverStream::new(stream(manifest, view, keys))));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}
