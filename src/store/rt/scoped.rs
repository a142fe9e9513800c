//! A future that belongs to a simulated member.

use super::context::{Context, within};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

pin_project! {
    /// Runs as a part of a member, and only while that runs.
    pub(crate) struct Scoped<F> {
        member: Arc<Context>,
        #[pin]
        inner: F,
    }
}

impl<F> Scoped<F> {
    pub(crate) fn new(member: Arc<Context>, inner: F) -> Self {
        Self { member, inner }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !this.member.admits(cx.waker()) {
            return Poll::Pending;
        }
        within(this.member, || this.inner.poll(cx))
    }
}
