//! Deleting one object, and no other of its name: an answer that is lost is asked for again, and what had the name before must
//! not cost what has it now.

use crate::connect::{Cluster, Failure};
use http::Method;
use serde_json::Value;

/// How often another object may have taken the name.
const ATTEMPTS: u32 = 5;

/// The uid of what is there; `None` for those who may not read it.
///
/// # Errors
/// Nothing is there.
pub(crate) async fn uid_of(cluster: &Cluster, path: &str) -> Result<Option<String>, Failure> {
    match cluster.read(path).await {
        Ok(object) => Ok(object["metadata"]["uid"].as_str().map(str::to_owned)),
        Err(error) if error.code() == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes what is at the path with the DeleteOptions that `body` makes for a uid: what was found in a list, by its uid, or
/// whatever has the name. The uid of what was deleted, where that is known.
///
/// # Errors
/// What the server says; 404, too, where the listed object went by itself.
pub(super) async fn delete(
    cluster: &Cluster,
    path: &str,
    listed: Option<&str>,
    body: impl Fn(Option<&str>) -> Value,
) -> Result<Option<String>, Failure> {
    let mut uid = match listed {
        Some(uid) => Some(uid.to_owned()),
        None => uid_of(cluster, path).await?,
    };
    let mut attempt = 0;
    loop {
        attempt += 1;
        match cluster.write(Method::DELETE, path, "application/json", &body(uid.as_deref())).await {
            Ok(answer) => {
                // The object itself while it is still ending, else a Status with its uid.
                let said = answer["metadata"]["uid"].as_str().or(answer["details"]["uid"].as_str());
                return Ok(said.map(str::to_owned).or(uid));
            }
            Err(error) if error.code() == Some(409) && uid.is_some() && attempt < ATTEMPTS => {
                let now = uid_of(cluster, path).await?;
                if now == uid || now.is_none() {
                    return Err(error);
                }
                if listed.is_some() {
                    return Err(Failure::gone(path));
                }
                uid = now;
            }
            Err(error) => return Err(error),
        }
    }
}
