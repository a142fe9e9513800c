//! The store's operations as a gRPC service.

use crate::proto::bench::kv_server::Kv;
use crate::proto::bench::{
    Event, GetRequest, GetResponse, PutRequest, PutResponse, StatusRequest, StatusResponse, WatchRequest, WatchResponse,
};
use futures::Stream;
use raftsman_state::{Body, Compare, Key, Meta, Op, Outcome, Resource, Txn};
use raftsman_store::border::{Store, StoreError};
use std::pin::Pin;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Events in one message at most.
const BATCH: usize = 256;

/// The service of one member.
pub(crate) struct KvService {
    store: Arc<dyn Store>,
    resource: Resource,
    meta: Arc<Meta>,
}

impl KvService {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, resource: Resource::from("configmaps"), meta: Arc::default() }
    }

    fn key(&self, name: &str) -> Key {
        Key::new(&self.resource, "bench", name)
    }
}

fn refused(error: &StoreError) -> Status {
    match error {
        StoreError::Overloaded(_) => Status::resource_exhausted(error.to_string()),
        StoreError::Unknown { .. } => Status::unknown(error.to_string()),
        _ => Status::unavailable(error.to_string()),
    }
}

#[tonic::async_trait]
impl Kv for KvService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let PutRequest { key, value, at } = request.into_inner();
        let key = self.key(&key);
        let compares = match at {
            None => Vec::new(),
            Some(0) => vec![Compare::Absent(key.clone())],
            Some(revision) => vec![Compare::Revision(key.clone(), revision)],
        };
        let ops = vec![Op::Put { key, meta: self.meta.clone(), body: Body::plain(value) }];
        let outcome = self.store.propose(Txn { compares, ops, origin: None }).await.map_err(|error| refused(&error))?;
        let response = match outcome {
            Outcome::Committed(revisions) => {
                PutResponse { revision: revisions.first().copied().unwrap_or(0), written: true }
            }
            Outcome::Failed { found, .. } => PutResponse { revision: found, written: false },
            Outcome::Expired => return Err(Status::aborted("the write was taken for an old one")),
        };
        Ok(Response::new(response))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let view = self.store.read().await.map_err(|error| refused(&error))?;
        let found = view.get(&self.key(&request.into_inner().key));
        Ok(Response::new(found.map_or_else(GetResponse::default, |object| GetResponse {
            revision: object.revision,
            value: object.json.clone(),
        })))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (store, resource) = (self.store.clone(), self.resource.clone());
        let cursor = Some((request.into_inner().after, store.revisions()));
        let stream = futures::stream::unfold(cursor, move |cursor| {
            let (store, resource) = (store.clone(), resource.clone());
            async move {
                let (after, mut revisions) = cursor?;
                loop {
                    let view = store.view();
                    let changes = match view.changes_after(&resource, after.min(view.revision())) {
                        Ok(changes) => changes,
                        Err(compacted) => return Some((Err(Status::out_of_range(compacted.to_string())), None)),
                    };
                    let events: Vec<Event> = changes.take(BATCH).map(|change| event(change)).collect();
                    if let Some(last) = events.last() {
                        let next = Some((last.revision, revisions));
                        return Some((Ok(WatchResponse { events }), next));
                    }
                    revisions.wait_for(|revision| *revision > after).await.ok()?;
                }
            }
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let status = self.store.status();
        // Each by itself: what is borrowed within one expression stays so to its end, and who changes it waits meanwhile.
        let ready = self.store.health().borrow().ready;
        let leading = self.store.leadership().borrow().leading.is_some();
        let metrics = self.store.metrics();
        Ok(Response::new(StatusResponse {
            member: status.member,
            term: status.term,
            leader: status.leader.unwrap_or(0),
            applied: status.applied,
            revision: status.revision,
            ready,
            leading,
            metrics,
        }))
    }
}

fn event(change: &raftsman_state::Change) -> Event {
    let value = if change.deleted { bytes::Bytes::new() } else { change.object.json.clone() };
    Event { key: change.key().name().to_owned(), value, revision: change.revision }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use raftsman_state::View;
    use raftsman_store::border::{Health, Leadership, StoreStatus};
    use raftsman_store::memory::MemoryStore;
    use std::sync::mpsc;
    use std::time::Duration;
    use tokio::sync::watch;

    /// While it is asked for its metrics, another thread changes who leads and who is well.
    #[derive(Default)]
    struct Restless(Arc<MemoryStore>);

    #[async_trait::async_trait]
    impl Store for Restless {
        fn view(&self) -> View {
            self.0.view()
        }

        async fn read(&self) -> Result<View, StoreError> {
            self.0.read().await
        }

        async fn confirm(&self) -> Result<u64, StoreError> {
            self.0.confirm().await
        }

        async fn at_least(&self, revision: u64, wait: Duration) -> Result<View, StoreError> {
            self.0.at_least(revision, wait).await
        }

        async fn propose(&self, txn: Txn) -> Result<Outcome, StoreError> {
            self.0.propose(txn).await
        }

        fn revisions(&self) -> watch::Receiver<u64> {
            self.0.revisions()
        }

        fn leadership(&self) -> watch::Receiver<Leadership> {
            self.0.leadership()
        }

        fn health(&self) -> watch::Receiver<Health> {
            self.0.health()
        }

        fn metrics(&self) -> String {
            let (store, (done, changed)) = (self.0.clone(), mpsc::channel());
            std::thread::spawn(move || {
                store.set_leadership(Leadership::default());
                store.set_health(Health { ready: false, reason: String::new() });
                let _ = done.send(());
            });
            let changed = changed.recv_timeout(Duration::from_secs(10)).is_ok();
            changed.then(String::new).unwrap_or_else(|| "nothing could be changed".into())
        }

        fn status(&self) -> StoreStatus {
            self.0.status()
        }
    }

    #[tokio::test]
    async fn a_status_holds_nothing_up() {
        let service = KvService::new(Arc::new(Restless::default()));
        let status = service.status(Request::new(StatusRequest {})).await.unwrap().into_inner();
        assert_eq!((status.metrics.as_str(), status.ready, status.leading), ("", true, true));
    }
}
