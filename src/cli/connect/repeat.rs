//! What the answer to a repeated write means, when the first attempt got none.
//!
//! The first attempt may have been carried out, so the answer to the second may tell of the first's success as if it were
//! somebody else's doing. A DELETE says that nothing of that name shall be there: 404 is success; one with a uid says that this
//! object shall not be there, so that 409 is success where another one is. A 409 to a PUT or to a merge
//! patch that carried a version is success if the object is as it was to be; if it is not, somebody may have changed it after
//! us or before us, and only the caller can tell what that means: the outcome is not known. A caller that is told of a conflict
//! would apply its change again, perhaps for the second time.

use crate::connect::error::ConnectError;
use crate::connect::masters::{Masters, ServedBy};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};
use tower::BoxError;

impl Masters {
    /// A write that was sent, and nobody knows what became of it.
    pub(super) fn unknown(&self, parts: &Parts, at: usize, reason: String) -> BoxError {
        let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
        Box::new(ConnectError::Unknown { server: self.name(at), method, path, reason })
    }

    /// The answer to a request that an earlier attempt may have carried out already.
    pub(super) async fn judged(
        &self,
        answer: Response<Body>,
        (at, reason): (usize, String),
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<Body>, BoxError> {
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let served = answer.extensions().get::<ServedBy>().copied().unwrap_or(ServedBy(at));
        let found = match judge(&parts.method, kind, answer.status()) {
            Verdict::Stands => return Ok(answer),
            Verdict::Done => success(),
            Verdict::Look => {
                let path = parts.uri.path();
                let sent: Value = serde_json::from_slice(body).unwrap_or_default();
                match self.ask(served.0, path).await {
                    Ok((404, _)) if parts.method == Method::DELETE => success(),
                    Ok((200, found)) => match serde_json::from_slice::<Value>(&found) {
                        Ok(found) if parts.method == Method::DELETE && is_another(&sent, &found) => success(),
                        Ok(found)
                            if parts.method != Method::DELETE
                                && is_as_sent(path, &sent, &found, kind.contains("strategic")) =>
                        {
                            found
                        }
                        _ => return Err(self.unknown(parts, at, reason)),
                    },
                    _ => return Err(self.unknown(parts, at, reason)),
                }
            }
        };
        let mut done = Response::new(Body::from(found.to_string().into_bytes()));
        done.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        done.extensions_mut().insert(served);
        Ok(done)
    }
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It stands as it is.
    Stands,
    /// What was asked for is so.
    Done,
    /// Look at the object: it is as it was to be (or not there any more), or the outcome is not known.
    Look,
}

/// Judges the answer to a write that was sent before and got no answer then.
fn judge(method: &Method, kind: &str, answer: StatusCode) -> Verdict {
    match (method, answer) {
        (&Method::DELETE, StatusCode::NOT_FOUND) => Verdict::Done,
        // A precondition holds no longer: because of us, or because it never did.
        (&Method::DELETE, StatusCode::CONFLICT) => Verdict::Look,
        (&Method::PUT, StatusCode::CONFLICT) => Verdict::Look,
        // Server-side apply conflicts with other owners, never with itself.
        (&Method::PATCH, StatusCode::CONFLICT) if kind.contains("merge-patch") => Verdict::Look,
        _ => Verdict::Stands,
    }
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 200})
}

/// What was found is not the object that DeleteOptions name.
fn is_another(options: &Value, found: &Value) -> bool {
    let (wanted, there) = (options["preconditions"]["uid"].as_str(), found["metadata"]["uid"].as_str());
    wanted.is_some() && there.is_some() && wanted != there
}

/// The object is as what was sent wanted it. `strategic`: lists were merged, so more may be in them.
fn is_as_sent(path: &str, sent: &Value, found: &Value, strategic: bool) -> bool {
    // A write of the status changes only that, and others leave it alone.
    let status = path.ends_with("/status");
    let (Some(wanted), true) = (sent.as_object(), found.is_object()) else { return false };
    wanted.iter().all(|(field, value)| match field.as_str() {
        "metadata" => value.as_object().into_iter().flatten().all(|(name, value)| {
            matches!(
                name.as_str(),
                "resourceVersion" | "managedFields" | "generation" | "creationTimestamp" | "selfLink"
            ) || has(value, &found["metadata"][name], strategic)
        }),
        "status" if !status => true,
        "apiVersion" | "kind" => true,
        _ if status && field != "status" => true,
        _ => has(value, &found[field], strategic),
    })
}

/// Everything that is wanted is there; the server may have added to it.
fn has(wanted: &Value, found: &Value, strategic: bool) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), found) => wanted.iter().all(|(field, value)| {
            // `$patch` and the like say what is to go: that cannot be looked at.
            !field.starts_with('$') && has(value, found.get(field).unwrap_or(&Value::Null), strategic)
        }),
        (Value::Array(wanted), Value::Array(found)) if strategic => {
            wanted.iter().all(|one| found.iter().any(|other| has(one, other, strategic)))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(one, other)| has(one, other, strategic))
        }
        (wanted, found) => wanted == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_first_attempt_may_have_caused_is_judged_anew() {
        let of = |method: Method, kind: &str, code: u16| {
            judge(&method, kind, StatusCode::from_u16(code).unwrap_or_default())
        };
        let json = "application/json";
        assert_eq!(of(Method::DELETE, json, 404), Verdict::Done);
        assert_eq!(of(Method::DELETE, json, 409), Verdict::Look);
        assert_eq!(of(Method::DELETE, json, 403), Verdict::Stands);
        assert_eq!(of(Method::PUT, json, 409), Verdict::Look);
        assert_eq!(of(Method::PUT, json, 404), Verdict::Stands);
        assert_eq!(of(Method::PATCH, "application/merge-patch+json", 409), Verdict::Look);
        assert_eq!(of(Method::PATCH, "application/apply-patch+yaml", 409), Verdict::Stands);
        assert_eq!(of(Method::GET, json, 404), Verdict::Stands);
    }

    #[test]
    fn an_object_is_as_sent_whatever_the_server_added() {
        let sent = json!({
            "kind": "Pod", "metadata": {"name": "a", "resourceVersion": "5", "labels": {"x": "y"}},
            "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": null}, "status": {"phase": "Pending"},
        });
        let mut found = json!({
            "metadata": {"name": "a", "resourceVersion": "9", "uid": "u", "labels": {"x": "y"}},
            "spec": {"containers": [{"name": "c", "image": "i", "imagePullPolicy": "Always"}], "restartPolicy": "Always"},
            "status": {"phase": "Running"},
        });
        assert!(is_as_sent("/pods/a", &sent, &found, false));
        assert!(!is_as_sent("/pods/a/status", &sent, &found, false), "its status is another one");
        found["spec"]["containers"][0]["image"] = json!("j");
        assert!(!is_as_sent("/pods/a", &sent, &found, false));
        let two = json!({"spec": {"list": [{"n": 1}, {"n": 2}]}});
        let one = json!({"spec": {"list": [{"n": 2}]}});
        assert!(is_as_sent("/x", &one, &two, true) && !is_as_sent("/x", &one, &two, false));
        assert!(!is_as_sent("/x", &json!({"spec": {"$patch": "replace"}}), &two, true));
        assert!(!is_as_sent("/x", &Value::Null, &two, false));
    }
}
