//! What a master does for its cluster beside the Kubernetes API.

use crate::members::MemberOperations;
use raftsman_api::status::Status;
use raftsman_apiserver::{Operation, Operations};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The operations of a master.
pub struct MasterOperations {
    /// Ends this process, where something will start it again.
    pub stop: Option<CancellationToken>,
    /// Who the masters are.
    pub members: Option<MemberOperations>,
}

#[async_trait::async_trait]
impl Operations for MasterOperations {
    fn is_open(&self, path: &[&str]) -> bool {
        self.members.as_ref().is_some_and(|members| members.is_open(path))
    }

    async fn carry_out(&self, operation: Operation) -> Result<Option<(u16, Value)>, Status> {
        match (operation.method.as_str(), operation.words().as_slice()) {
            ("POST", ["restart"]) => self.restart(&operation).map(Some),
            _ => match &self.members {
                Some(members) => members.carry_out(operation).await,
                None => Ok(None),
            },
        }
    }
}

impl MasterOperations {
    /// Ends this process; what was asked of it is answered first.
    fn restart(&self, operation: &Operation) -> Result<(u16, Value), Status> {
        let Some(stop) = &self.stop else {
            let message = "no service manager would start this master again: it was not started by systemd; of a local \
                           cluster, `raftsman host restart` starts masters again";
            return Err(Status::new(409, "Conflict", message));
        };
        let user = operation.user.as_ref().map_or("", |user| &user.name);
        tracing::info!(user, "asked to end and be started again");
        stop.cancel();
        Ok((202, json!({ "restarting": true })))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn restart() -> Operation {
        Operation {
            method: "POST".parse().unwrap(),
            path: vec!["restart".to_owned()],
            user: None,
            bearer: None,
            body: Default::default(),
        }
    }

    #[tokio::test]
    async fn ends_only_where_something_starts_it_again() {
        let refused = MasterOperations { stop: None, members: None }.carry_out(restart()).await.unwrap_err();
        assert!(refused.message.contains("raftsman host restart"), "{}", refused.message);
        let stop = CancellationToken::new();
        let operations = MasterOperations { stop: Some(stop.clone()), members: None };
        let look = Operation { method: "GET".parse().unwrap(), ..restart() };
        assert_eq!(operations.carry_out(look).await.unwrap(), None);
        assert!(!stop.is_cancelled());
        assert_eq!(operations.carry_out(restart()).await.unwrap().unwrap().0, 202);
        assert!(stop.is_cancelled());
    }
}
