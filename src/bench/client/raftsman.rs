//! The client of this store's members.

use super::{Client, Found, Seen, Status};
use crate::proto::bench::kv_client::KvClient;
use crate::proto::bench::{GetRequest, PutRequest, StatusRequest, WatchRequest};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::transport::Channel;

/// One connection.
pub(crate) struct RaftsmanClient(KvClient<Channel>);

impl RaftsmanClient {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(KvClient::new(channel))
    }
}

#[async_trait::async_trait]
impl Client for RaftsmanClient {
    async fn put(&self, key: &str, value: Bytes) -> Result<u64, tonic::Status> {
        let request = PutRequest { key: key.to_owned(), value, at: None };
        Ok(self.0.clone().put(request).await?.into_inner().revision)
    }

    async fn put_at(&self, key: &str, value: Bytes, revision: u64) -> Result<Option<u64>, tonic::Status> {
        let request = PutRequest { key: key.to_owned(), value, at: Some(revision) };
        let answer = self.0.clone().put(request).await?.into_inner();
        Ok(answer.written.then_some(answer.revision))
    }

    async fn get(&self, key: &str) -> Result<Found, tonic::Status> {
        let answer = self.0.clone().get(GetRequest { key: key.to_owned() }).await?.into_inner();
        Ok((answer.revision > 0).then_some((answer.value, answer.revision)))
    }

    async fn watch(&self, after: u64) -> Result<BoxStream<'static, Result<Vec<Seen>, tonic::Status>>, tonic::Status> {
        let messages = self.0.clone().watch(WatchRequest { after }).await?.into_inner();
        let seen = messages.map(|message| {
            let events = message?.events;
            Ok(events.into_iter().map(|event| Seen { value: event.value, revision: event.revision }).collect())
        });
        Ok(seen.boxed())
    }

    async fn status(&self) -> Result<Status, tonic::Status> {
        let status = self.0.clone().status(StatusRequest {}).await?.into_inner();
        Ok(Status {
            term: status.term,
            leads: status.leading,
            serves: status.leader != 0 && status.ready,
            metrics: status.metrics,
        })
    }
}
