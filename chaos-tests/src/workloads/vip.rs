//! Small writes through the virtual address, each on a connection of its own, and others on one that is kept.

use super::{Context, NAMESPACE, Workload};
use crate::lab::{Answer, ask};
use crate::record::Stream;
use anyhow::{Result, ensure};
use async_trait::async_trait;
use http::Method;
use kube::Client;
use serde_json::json;
use std::time::Duration;

/// Between two requests.
const EVERY: Duration = Duration::from_millis(200);
/// The client that keeps its connection.
const KEEPER: u64 = 0;

/// See the module.
pub(super) struct Vip;

/// One write: what was said.
async fn write(c: &Context, client: &Client) -> Answer {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/vip");
    let body = json!({"data": {"n": c.now().as_millis().to_string()}});
    ask(client, Method::PATCH, &path, Some(&body)).await
}

fn failure(answer: &Answer) -> Option<String> {
    (!matches!(answer, Answer::Said(200, _))).then(|| answer.words())
}

/// A write on a new connection works.
pub(crate) async fn works(c: &Context) -> Result<()> {
    let failed = failure(&write(c, &c.api.at_address()?).await);
    ensure!(failed.is_none(), "{}", failed.unwrap_or_default());
    Ok(())
}

/// Side by side: one that waits in vain must not hide when the others are answered again.
async fn fresh(c: &Context) -> Result<()> {
    let mut open = tokio::task::JoinSet::new();
    while !c.over() {
        let (context, client) = (c.clone(), c.api.at_address()?);
        open.spawn(async move {
            let at = context.now();
            let failed = failure(&write(&context, &client).await);
            context.asked(Stream::Vip, "", at, failed);
        });
        c.pause(EVERY).await;
        while open.try_join_next().is_some() {}
    }
    while open.join_next().await.is_some() {}
    Ok(())
}

/// One after the other, as long as the connection lasts.
async fn kept(c: &Context) -> Result<()> {
    let client = c.api.at_address()?;
    while !c.over() {
        let at = c.now();
        let answer = write(c, &client).await;
        c.asked_by(answer.sent().then_some(KEEPER), Stream::Vip, "", at, failure(&answer));
        c.pause(EVERY).await;
    }
    Ok(())
}

#[async_trait]
impl Workload for Vip {
    fn name(&self) -> &'static str {
        "virtual address"
    }

    async fn prepare(&self, c: &Context) -> Result<()> {
        c.kubectl("create configmap vip").await.map(drop)
    }

    async fn run(&self, c: &Context) -> Result<()> {
        tokio::try_join!(fresh(c), kept(c)).map(drop)
    }

    async fn finish(&self, _: &Context) -> Result<()> {
        Ok(())
    }
}
