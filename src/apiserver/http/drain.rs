//! Bodies of requests that are refused unread: a client that is still sending hears its answer only once it was let finish. Over
//! HTTP/2 the stream would be reset beneath it, over HTTP/1 the connection.

use bytes::Bytes;
use http::{HeaderMap, header::EXPECT};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

/// More than this is not read for nothing: above the most that a body may hold.
const MOST: usize = 8 * 1024 * 1024;
/// A client that sends more slowly than this is cut off.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body that comes back when it is dropped before its end.
pub(super) struct Lent<B> {
    body: Option<Pin<Box<B>>>,
    back: Option<oneshot::Sender<Pin<Box<B>>>>,
}

/// Where it comes back to.
pub(super) struct Rest<B> {
    rest: oneshot::Receiver<Pin<Box<B>>>,
    wanted: bool,
}

/// Lends a body to who answers its request.
pub(super) fn lend<B: Body>(headers: &HeaderMap, body: B) -> (Lent<B>, Rest<B>) {
    let (back, rest) = oneshot::channel();
    // Who waits to be asked for the body hears its answer without.
    let wanted = !headers.contains_key(EXPECT);
    (Lent { body: Some(Box::pin(body)), back: Some(back) }, Rest { rest, wanted })
}

impl<B> Rest<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Once the request is answered: reads what nobody has read, and throws it away.
    pub(super) async fn drain(mut self) {
        if let Ok(body) = self.rest.try_recv()
            && self.wanted
        {
            let mut body = std::pin::pin!(Limited::new(body, MOST));
            let read = async { while let Some(Ok(_)) = body.frame().await {} };
            let _ = tokio::time::timeout(PATIENCE, read).await;
        }
    }
}

impl<B: Body> Body for Lent<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = body.as_mut().poll_frame(context);
        if matches!(polled, Poll::Ready(None)) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(|body| body.size_hint()).unwrap_or_default()
    }
}

impl<B> Drop for Lent<B> {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits for it when the request itself was given up.
            let _ = back.send(body);
        }
    }
}
