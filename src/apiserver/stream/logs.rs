//! `pods/log`.

use super::place::{self, Place};
use crate::http::{Answer, Asked, Front, Params, pieces};
use crate::write::Target;
use futures::StreamExt as _;
use http::header::{CONTENT_TYPE, HeaderValue};
use raftsman_api::status::{Cause, Status};
use raftsman_api::time;
use raftsman_proto::v1::{LogsRequest, PodRef};
use std::sync::Arc;

/// Streams a container's log.
///
/// # Errors
/// 400, 404, 422, and what the node refuses.
pub(crate) async fn logs(front: &Arc<Front>, target: &Target, asked: &Asked) -> Result<Answer, Status> {
    let place = place::find(&front.api, target, &asked.params).await?;
    let request = request(&asked.params, place.pod.clone(), place.container.clone())?;
    let mut agent = front.nodes.agent(place.address).map_err(|error| Status::internal(error.to_string()))?;
    let previous = request.previous;
    let chunks = agent.logs(request).await.map_err(|status| refused(&place, previous, &status))?.into_inner();
    let shutdown = front.shutdown.clone();
    // The status line has gone: an error on the way ends the stream.
    let bytes = futures::StreamExt::take_while(chunks, |chunk| futures::future::ready(chunk.is_ok()))
        .map(|chunk| chunk.map_or_else(|_| bytes::Bytes::new(), |chunk| chunk.data));
    let mut answer = Answer::new(pieces(bytes.take_until(async move { shutdown.cancelled().await })));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(answer)
}

/// What the node refused, as upstream words it.
fn refused(place: &Place, previous: bool, status: &tonic::Status) -> Status {
    if status.code() != tonic::Code::NotFound {
        return place.failed(status);
    }
    let (container, pod) = (&place.container, &place.pod.name);
    let words = match place.waiting.as_str() {
        _ if previous => {
            return Status::bad_request(format!("previous terminated {} not found", named(container, pod)));
        }
        "" => "not found on its node: it has not started there, or its log is gone".to_owned(),
        "ErrImagePull" => "waiting to start: image can't be pulled".to_owned(),
        "ImagePullBackOff" => "waiting to start: trying and failing to pull image".to_owned(),
        reason => format!("waiting to start: {reason}"),
    };
    Status::bad_request(format!("{} is {words}", named(container, pod)))
}

fn named(container: &str, pod: &str) -> String {
    format!("container {container:?} in pod {pod:?}")
}

fn request(params: &Params, pod: PodRef, container: String) -> Result<LogsRequest, Status> {
    let invalid = |field: &str, why: &str| {
        Status::invalid("", "PodLogOptions", "", vec![Cause::invalid(field, params.text(field), why)])
    };
    let count = |field: &'static str, least: i64, why: &'static str| match params.number(field)? {
        Some(number) if number < least => Err(invalid(field, why)),
        number => Ok(number.map(i64::unsigned_abs)),
    };
    let since_time = match params.text("sinceTime") {
        "" => None,
        text => {
            let at = time::parse(text).ok_or_else(|| invalid("sinceTime", "must be a time (RFC 3339)"))?;
            Some(u64::try_from(at.as_millisecond()).unwrap_or(0))
        }
    };
    let since = count("sinceSeconds", 1, "must be greater than 0")?;
    if since.is_some() && since_time.is_some() {
        return Err(invalid("sinceSeconds", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
    }
    Ok(LogsRequest {
        pod: Some(pod),
        container,
        follow: params.flag("follow")?.unwrap_or(false),
        previous: params.flag("previous")?.unwrap_or(false),
        tail_lines: count("tailLines", 0, "must be greater than or equal to 0")?,
        since_seconds: since,
        since_time_ms: since_time,
        limit_bytes: count("limitBytes", 1, "must be greater than 0")?,
        timestamps: params.flag("timestamps")?.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_log_that_is_not_there_yet_says_why() {
        let waiting = |reason: &str| {
            let pod = PodRef { name: "p".to_owned(), ..PodRef::default() };
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
            let place = Place { pod, container: "c".into(), node: "n".into(), address, waiting: reason.to_owned() };
            refused(&place, false, &tonic::Status::not_found("x"))
        };
        let refused = waiting("ImagePullBackOff");
        let expected = "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image";
        assert_eq!((refused.code, refused.message.as_str()), (400, expected));
        assert!(waiting("ContainerCreating").message.ends_with("is waiting to start: ContainerCreating"));
    }

    #[test]
    fn options_are_read_and_judged() {
        let of = |query: &str| request(&Params::parse(query), PodRef::default(), "c".to_owned());
        let asked = of("follow=true&tailLines=0&sinceTime=1970-01-01T00:00:01Z&timestamps=1").unwrap();
        assert!(asked.follow && asked.timestamps && !asked.previous);
        assert_eq!((asked.tail_lines, asked.since_time_ms), (Some(0), Some(1000)));
        for bad in ["tailLines=-1", "sinceSeconds=0", "limitBytes=0", "sinceTime=noon", "tailLines=x"] {
            assert!(matches!(of(bad).unwrap_err().code, 400 | 422), "{bad}");
        }
    }
}
