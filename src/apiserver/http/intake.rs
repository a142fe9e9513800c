//! Bodies of requests.

use crate::protobuf;
use crate::write::WriteOptions;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body;
use raftsman_api::status::Status;
use raftsman_api::strict;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// Most that a body may hold, as upstream: 3 MiB.
const MOST: usize = 3 * 1024 * 1024;
/// A client that sends its body more slowly than this is let go.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a body whole.
///
/// # Errors
/// 413 above the limit, 408 and 400 when it does not come whole.
pub(super) async fn read<B>(body: B) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match tokio::time::timeout(PATIENCE, Limited::new(body, MOST).collect()).await {
        Err(_) => {
            Err(Status::new(408, "Timeout", format!("the request's body did not come whole within {PATIENCE:?}")))
        }
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Status::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {MOST}")))
        }
        Ok(Err(error)) => Err(Status::bad_request(format!("the request's body did not come whole: {error}"))),
    }
}

/// The content type without its parameters; JSON when there is none.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    match given.split(';').next().unwrap_or("").trim() {
        "" => "application/json".to_owned(),
        kind => kind.to_ascii_lowercase(),
    }
}

/// An object in JSON or YAML; duplicate fields go into the options, to be judged with the unknown ones.
///
/// # Errors
/// 400 for what cannot be read (with line and column), 415 for other types.
pub(super) fn object(headers: &HeaderMap, body: &[u8], options: &mut WriteOptions) -> Result<Value, Status> {
    match content_type(headers).as_str() {
        "application/json" => json(body, options),
        "application/yaml" => yaml(body, options),
        protobuf::CONTENT_TYPE => protobuf::decode(body)
            .map_err(|error| Status::bad_request(format!("the request's body is no Kubernetes protobuf: {error}"))),
        other => Err(Status::new(
            415,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format ({other}) - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"
            ),
        )),
    }
}

/// JSON, with its duplicate fields.
///
/// # Errors
/// 400 with line and column.
pub(super) fn json(body: &[u8], options: &mut WriteOptions) -> Result<Value, Status> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Status::bad_request("the request's body is empty: an object is expected"));
    }
    let (value, duplicates) = strict::parse_json(body).map_err(|cause| Status::bad_request(cause.message))?;
    note(options, &duplicates);
    Ok(value)
}

fn note(options: &mut WriteOptions, duplicates: &[String]) {
    options.duplicates.extend(duplicates.iter().map(|path| format!("duplicate field {path:?}")));
}

/// One YAML document.
///
/// # Errors
/// 400 with line and column, and for no or several documents.
pub(super) fn yaml(body: &[u8], options: &mut WriteOptions) -> Result<Value, Status> {
    let mut documents = strict::parse_yaml_documents(body).into_iter();
    match (documents.next(), documents.next()) {
        (Some(one), None) => {
            let (value, duplicates) = one.parsed.map_err(|cause| Status::bad_request(cause.message))?;
            note(options, &duplicates);
            Ok(value)
        }
        (None, _) => Err(Status::bad_request("the request's body is empty: an object is expected")),
        (Some(_), Some(_)) => Err(Status::bad_request("the request's body holds several YAML documents: send one")),
    }
}
