//! `/raftsman/v1/members`, `/raftsman/v1/ca` and `/raftsman/v1/join`.

use crate::members::join::Gate;
use http::Method;
use raftsman_api::config::AuthorityAnswer;
use raftsman_api::status::Status;
use raftsman_apiserver::{Operation, Operations};
use raftsman_store::border::{Change, ChangeError};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};

/// What a master does about who the masters are.
pub struct MemberOperations(pub Gate);

#[async_trait::async_trait]
impl Operations for MemberOperations {
    fn is_open(&self, path: &[&str]) -> bool {
        // The authority is no secret, and who joins proves its right by a token.
        path == ["ca"] || path == ["join"]
    }

    async fn carry_out(&self, operation: Operation) -> Result<Option<(u16, Value)>, Status> {
        let answer = match (&operation.method, operation.words().as_slice()) {
            (&Method::GET, ["members"]) => {
                let mut all = self.0.facts.all().await;
                let vip = self.0.config.vip.map(|vip| SocketAddr::new(vip, self.0.config.ports.api).to_string());
                all["virtualAddress"] = vip.into();
                all
            }
            (&Method::POST, ["members"]) => {
                let change = self.whole(read("change of the members", &operation.body)?);
                let changed = self.0.changer.change(&change).await.map_err(|error| status(&error))?;
                json!(changed)
            }
            (&Method::GET, ["ca"]) => json!(AuthorityAnswer { certificate: self.0.facts.pems.ca.clone() }),
            (&Method::POST, ["join"]) => {
                let token = operation.bearer.ok_or_else(|| Status::new(401, "Unauthorized", "a token is needed"))?;
                json!(self.0.join(&token, &operation.body).await?)
            }
            (_, ["members" | "ca" | "join"]) => {
                return Err(Status::new(
                    405,
                    "MethodNotAllowed",
                    "the server does not allow this method on the requested resource",
                ));
            }
            _ => return Ok(None),
        };
        Ok(Some((200, answer)))
    }
}

impl MemberOperations {
    /// Addresses without a port get that of the peer service.
    fn whole(&self, change: Change) -> Change {
        let port = self.0.config.ports.peer;
        let with_port = |address: String| match address.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, port).to_string(),
            Err(_) => address,
        };
        match change {
            Change::Add { name, address, voter, replaces, key } => {
                Change::Add { name, address: with_port(address), voter, replaces, key }
            }
            Change::Update { member, name, address, force } => {
                Change::Update { member, name, address: address.map(with_port), force }
            }
            other => other,
        }
    }
}

pub(super) fn read<T: serde::de::DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Status> {
    serde_json::from_slice(body).map_err(|error| Status::bad_request(format!("{what}: {error}")))
}

/// An error as the API words it.
pub(super) fn status(error: &ChangeError) -> Status {
    match error {
        ChangeError::Unknown(_) => Status::new(404, "NotFound", error.to_string()),
        ChangeError::Refused(_) => Status::new(409, "Conflict", error.to_string()),
        ChangeError::NotYet(_) => Status::unavailable(error.to_string()),
        ChangeError::Lost(_) => Status::new(500, "InternalError", error.to_string()),
        ChangeError::NotLeader { .. } => {
            Status::unavailable("no master leads: do the masters have a majority? `raftsman status` shows it")
        }
    }
}
