//! The client of etcd's members.

use super::{Client, Found, Seen, Status};
use crate::proto::etcd::compare::{CompareResult, CompareTarget, TargetUnion};
use crate::proto::etcd::kv_client::KvClient;
use crate::proto::etcd::maintenance_client::MaintenanceClient;
use crate::proto::etcd::request_op::Request;
use crate::proto::etcd::watch_client::WatchClient;
use crate::proto::etcd::watch_request::RequestUnion;
use crate::proto::etcd::{
    Compare, PutRequest, RangeRequest, RequestOp, ResponseHeader, StatusRequest, TxnRequest, WatchCreateRequest,
    WatchRequest,
};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::transport::Channel;

/// One connection.
pub(crate) struct EtcdClient {
    kv: KvClient<Channel>,
    watch: WatchClient<Channel>,
    maintenance: MaintenanceClient<Channel>,
}

impl EtcdClient {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            kv: KvClient::new(channel.clone()),
            watch: WatchClient::new(channel.clone()),
            maintenance: MaintenanceClient::new(channel),
        }
    }
}

fn key(name: &str) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

/// etcd's revisions are signed and never negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn revision(header: Option<ResponseHeader>) -> u64 {
    header.map_or(0, |header| unsigned(header.revision))
}

#[async_trait::async_trait]
impl Client for EtcdClient {
    async fn put(&self, name: &str, value: Bytes) -> Result<u64, tonic::Status> {
        let answer = self.kv.clone().put(PutRequest { key: key(name), value }).await?;
        Ok(revision(answer.into_inner().header))
    }

    async fn put_at(&self, name: &str, value: Bytes, at: u64) -> Result<Option<u64>, tonic::Status> {
        let at = i64::try_from(at).map_err(|error| tonic::Status::invalid_argument(error.to_string()))?;
        let compare = Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Mod.into(),
            key: key(name),
            target_union: Some(TargetUnion::ModRevision(at)),
        };
        let put = RequestOp { request: Some(Request::RequestPut(PutRequest { key: key(name), value })) };
        let request = TxnRequest { compare: vec![compare], success: vec![put] };
        let answer = self.kv.clone().txn(request).await?.into_inner();
        Ok(answer.succeeded.then(|| revision(answer.header)))
    }

    async fn get(&self, name: &str) -> Result<Found, tonic::Status> {
        let answer = self.kv.clone().range(RangeRequest { key: key(name) }).await?.into_inner();
        Ok(answer.kvs.into_iter().next().map(|found| (found.value, unsigned(found.mod_revision))))
    }

    async fn watch(&self, after: u64) -> Result<BoxStream<'static, Result<Vec<Seen>, tonic::Status>>, tonic::Status> {
        let start = i64::try_from(after + 1).map_err(|error| tonic::Status::invalid_argument(error.to_string()))?;
        // From the first key to the end of all.
        let all = Bytes::from_static(b"\0");
        let create = WatchCreateRequest { key: all.clone(), range_end: all, start_revision: start };
        let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        // Open for as long as the watch lives: the end of requests would end it.
        let requests = futures::stream::once(std::future::ready(request)).chain(futures::stream::pending());
        let messages = self.watch.clone().watch(requests).await?.into_inner();
        let seen = messages.map(|message| {
            let message = message?;
            if message.canceled {
                return Err(tonic::Status::cancelled(message.cancel_reason));
            }
            let found = message.events.into_iter().filter_map(|event| event.kv);
            Ok(found.map(|kv| Seen { value: kv.value, revision: unsigned(kv.mod_revision) }).collect())
        });
        Ok(seen.boxed())
    }

    async fn status(&self) -> Result<Status, tonic::Status> {
        let status = self.maintenance.clone().status(StatusRequest {}).await?.into_inner();
        let own = status.header.map_or(0, |header| header.member_id);
        Ok(Status {
            term: status.raft_term,
            leads: status.leader != 0 && status.leader == own,
            serves: status.leader != 0,
            metrics: String::new(),
        })
    }
}
