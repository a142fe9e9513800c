//! Requests and watches as they go to one master, without a client that moves on or begins again.

use crate::lab::{Answer, Api};
use anyhow::{Context, Result, bail, ensure};
use futures::{AsyncBufRead, StreamExt as _};
use http::Method;
use serde_json::Value;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// For how long a write is repeated while there is no leader.
const LEADERLESS: Duration = Duration::from_secs(20);

/// The revision of an object or a list.
pub fn revision_of(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Writes through a master; it must be carried out. While no leader is known nothing is written, and it is asked again.
///
/// # Errors
/// It is not.
pub async fn write(api: &Api, method: Method, path: &str, body: &Value) -> Result<()> {
    let body = Some(body).filter(|body| !body.is_null());
    let begun = Instant::now();
    loop {
        match api.ask(1, method.clone(), path, body).await {
            Answer::Said(200..=299, _) => return Ok(()),
            Answer::Said(503, _) if begun.elapsed() < LEADERLESS => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => bail!("a write of {path}: {}", other.words()),
        }
    }
}

/// A watch at one master.
pub struct Watch(futures::io::Lines<Pin<Box<dyn AsyncBufRead + Send>>>);

impl Watch {
    /// Begins after a revision.
    ///
    /// # Errors
    /// The master refuses.
    pub async fn begin(api: &Api, at: usize, path: &str, from: u64) -> Result<Self> {
        let lines = api.watch(at, &format!("{path}?watch=1&resourceVersion={from}&timeoutSeconds=20")).await;
        lines.map(Self).map_err(|(code, why)| anyhow::anyhow!("a watch at {}: {code} {why}", api.name(at)))
    }

    async fn next(&mut self, patience: Duration) -> Result<Option<Value>> {
        let Ok(line) = tokio::time::timeout(patience, self.0.next()).await else { return Ok(None) };
        let line = line.context("the watch ended")?.context("the watch broke off")?;
        Ok(Some(serde_json::from_str(&line)?))
    }

    /// So many events, as `ADDED name` with their revisions.
    ///
    /// # Errors
    /// They do not come.
    pub async fn first(&mut self, count: usize) -> Result<Vec<(String, u64)>> {
        let mut all = Vec::new();
        while all.len() < count {
            let event = self.next(Duration::from_secs(5)).await?;
            let event = event.with_context(|| format!("{count} events were to come, and there are {all:?}"))?;
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let name = word(&event["object"]["metadata"]["name"]);
            all.push((format!("{} {name}", word(&event["type"])), revision_of(&event["object"])));
        }
        Ok(all)
    }

    /// So many and not one more.
    ///
    /// # Errors
    /// Others come.
    pub async fn take(&mut self, count: usize) -> Result<Vec<(String, u64)>> {
        let all = self.first(count).await?;
        let more = self.next(Duration::from_millis(200)).await?;
        ensure!(more.is_none(), "{count} events were to come: after {all:?} came {more:?}");
        Ok(all)
    }

    /// The error that ends it: code and reason.
    ///
    /// # Errors
    /// Something else comes.
    pub async fn error(&mut self) -> Result<(u64, String)> {
        let event = self.next(Duration::from_secs(5)).await?.context("nothing came")?;
        ensure!(event["type"] == "ERROR", "{event}");
        let reason = event["object"]["reason"].as_str().unwrap_or_default();
        Ok((event["object"]["code"].as_u64().unwrap_or(0), reason.to_owned()))
    }
}
