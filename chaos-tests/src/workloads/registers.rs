//! Registers and compare-and-swap: ConfigMaps, each written through all masters, by clients of each.

use super::{Context, NAMESPACE, Workload};
use crate::invariants::{Action, Event, Known, Operation, Seen};
use crate::lab::Answer;
use crate::record::Stream;
use anyhow::Result;
use async_trait::async_trait;
use http::Method;
use parking_lot::Mutex;
use rand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Registers.
const KEYS: usize = 4;
/// Clients of each master: one that hangs with its master leaves the others' free.
const CLIENTS: usize = 2;
/// Each waits so long between two operations: a machine of two processors has other things to do.
const EVERY: Duration = Duration::from_millis(60);

/// See the module. Each client remembers what it read last: the value and the version that holds it.
#[derive(Default)]
pub(super) struct Registers {
    members: Mutex<BTreeMap<String, u64>>,
}

/// What an object holds, and at which revision.
pub(super) fn held(object: &Value) -> Option<(u64, u64)> {
    let value = object["data"]["v"].as_str()?.parse().ok()?;
    let revision = object["metadata"]["resourceVersion"].as_str()?.parse().ok()?;
    Some((value, revision))
}

fn path(key: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{key}")
}

fn object(key: &str, value: u64, version: Option<u64>) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": key, "namespace": NAMESPACE, "labels": { "chaos": "register" } },
        "data": { "v": value.to_string() },
    });
    if let Some(version) = version {
        object["metadata"]["resourceVersion"] = json!(version.to_string());
    }
    object
}

/// What is to be done, and how the answer is to be understood.
enum Doing {
    Read,
    Put(u64),
    Swap(Option<u64>, u64),
}

/// What became of it: the action to record (none: it did nothing, for certain), what the client knows now, and the error.
fn understand(doing: &Doing, answer: &Answer) -> (Option<Action>, Option<(u64, u64)>, Option<String>) {
    let failed = || Some(answer.words());
    match (doing, answer) {
        (Doing::Read, Answer::Said(200, object)) => match held(object) {
            Some((value, revision)) => (Some(Action::Read { found: Some(value) }), Some((value, revision)), None),
            None => (None, None, Some("an object without its value".to_owned())),
        },
        (Doing::Read, Answer::Said(404, _)) => (Some(Action::Read { found: None }), None, None),
        (Doing::Read, _) => (None, None, failed()),
        (Doing::Put(value), Answer::Said(200 | 201, object)) => {
            let Some((_, revision)) = held(object) else { return (None, None, failed()) };
            let action = Action::Put { value: *value, revision: Known::Yes(revision) };
            (Some(action), Some((*value, revision)), None)
        }
        (Doing::Swap(expected, value), Answer::Said(200 | 201, object)) => {
            let Some((_, revision)) = held(object) else { return (None, None, failed()) };
            let action =
                Action::Swap { expected: *expected, value: Some(*value), revision: Known::Yes(Some(revision)) };
            (Some(action), Some((*value, revision)), None)
        }
        // Lost races are answers, too.
        (Doing::Swap(expected, value), Answer::Said(409, _)) => {
            let action = Action::Swap { expected: *expected, value: Some(*value), revision: Known::Yes(None) };
            (Some(action), None, None)
        }
        // Nothing is there yet that could be replaced.
        (Doing::Put(_), Answer::Said(404, _)) => (None, None, None),
        // A put that lost its races was not carried out; one that was never sent neither.
        (Doing::Put(_), Answer::Said(409, _)) | (_, Answer::NotSent(_)) => (None, None, failed()),
        // Anything else may have been carried out, or may be yet.
        (Doing::Put(value), _) => (Some(Action::Put { value: *value, revision: Known::No }), None, failed()),
        (Doing::Swap(expected, value), _) => {
            let action = Action::Swap { expected: *expected, value: Some(*value), revision: Known::No };
            (Some(action), None, failed())
        }
    }
}

impl Registers {
    async fn client(&self, c: &Context, at: usize, number: u64) {
        let mut rng = c.rng(number);
        let mut known: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        while !c.over() {
            let key = format!("r-{}", rng.random_range(0..KEYS));
            let doing = match (rng.random_range(0..10), known.get(&key)) {
                (0..4, _) => Doing::Read,
                (4..6, _) => Doing::Put(c.value()),
                (_, Some((value, _))) => Doing::Swap(Some(*value), c.value()),
                (_, None) => Doing::Swap(None, c.value()),
            };
            let version = known.get(&key).map(|(_, revision)| *revision);
            let invoked = c.now();
            let answer = match &doing {
                Doing::Read => c.api.ask(at, Method::GET, &path(&key), None).await,
                Doing::Put(value) => c.api.ask(at, Method::PUT, &path(&key), Some(&object(&key, *value, None))).await,
                Doing::Swap(Some(_), value) => {
                    c.api.ask(at, Method::PUT, &path(&key), Some(&object(&key, *value, version))).await
                }
                Doing::Swap(None, value) => {
                    let all = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
                    c.api.ask(at, Method::POST, &all, Some(&object(&key, *value, None))).await
                }
            };
            let returned = c.now();
            let (action, learnt, error) = understand(&doing, &answer);
            match learnt {
                Some(learnt) => drop(known.insert(key.clone(), learnt)),
                // What it knew is old.
                None => drop(known.remove(&key)),
            }
            let stream = if matches!(doing, Doing::Read) { Stream::Read } else { Stream::Write };
            c.asked_by(answer.sent().then_some(number), stream, c.api.name(at), invoked, error.clone());
            if let Some(action) = action {
                let member = self.members.lock().get(c.api.name(at)).copied().unwrap_or(at as u64);
                // Whoever was not told a result may yet see it take effect.
                let returned = error.is_none().then_some(returned);
                c.saw(Seen::Operation(Operation { client: number, member, key, invoked, returned, action }));
            }
            c.pause(EVERY).await;
        }
    }
}

#[async_trait]
impl Workload for Registers {
    fn name(&self) -> &'static str {
        "registers"
    }

    async fn prepare(&self, c: &Context) -> Result<()> {
        for at in 0..c.api.names().len() {
            let status = c.api.get(at, "/raftsman/v1/status").await?;
            if let Some(member) = status["member"].as_u64() {
                self.members.lock().insert(c.api.name(at).to_owned(), member);
            }
        }
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        // Whatever is acknowledged is to be seen by every watcher.
        let watching = |event: &Event| matches!(event.seen, Seen::Watching { .. });
        while !c.over() && c.record.lock().events.iter().filter(|event| watching(event)).count() < c.api.names().len() {
            c.pause(Duration::from_millis(20)).await;
        }
        let masters = c.api.names().len().max(1);
        let client = |number: usize| self.client(c, number % masters, number as u64);
        futures::future::join_all((0..CLIENTS * masters).map(client)).await;
        Ok(())
    }

    /// Every master shows the same.
    async fn finish(&self, c: &Context) -> Result<()> {
        for at in 0..c.api.names().len() {
            let list = format!("/api/v1/namespaces/{NAMESPACE}/configmaps?labelSelector=chaos%3Dregister");
            let list = c.api.get(at, &list).await?;
            let revision = list["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok());
            let named = |object: &Value| Some((object["metadata"]["name"].as_str()?.to_owned(), held(object)?.0));
            let content = list["items"].as_array().into_iter().flatten().filter_map(named).collect();
            if let Some(revision) = revision {
                c.saw(Seen::View { member: at as u64, revision, content });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood_with_care() {
        let said = |code| Answer::Said(code, object("r-0", 5, Some(9)));
        let (put, swap) = (Doing::Put(5), Doing::Swap(Some(4), 5));
        let revision = Known::Yes(9);
        assert_eq!(understand(&put, &said(200)).0, Some(Action::Put { value: 5, revision }));
        let lost = Action::Swap { expected: Some(4), value: Some(5), revision: Known::Yes(None) };
        assert_eq!(understand(&swap, &said(409)), (Some(lost), None, None));
        // It may yet happen.
        for answer in [Answer::Lost("late".to_owned()), said(503), said(504)] {
            assert_eq!(understand(&put, &answer).0, Some(Action::Put { value: 5, revision: Known::No }), "{answer:?}");
        }
        assert_eq!(understand(&put, &Answer::NotSent("refused".to_owned())).0, None);
        assert_eq!(understand(&Doing::Read, &Answer::Lost("late".to_owned())).0, None);
        assert_eq!(understand(&Doing::Read, &said(404)).0, Some(Action::Read { found: None }));
    }
}
