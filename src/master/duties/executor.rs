//! Carries out plans through the one write path, fenced by the leadership's term. It makes no choices.

use raftsman_api::kind::Subresource;
use raftsman_api::registry;
use raftsman_api::status::Status;
use raftsman_apiserver::write::{
    Api, Binding, Caller, DeleteOptions, PatchKind, Preconditions, Propagation, Target, WriteOptions,
};
use raftsman_controllers::{Action, ExecuteError, Executor};
use raftsman_state::Key;
use serde_json::{Value, json};
use std::sync::Arc;

/// The executor of one leadership (or of none, for what any master writes).
#[derive(Clone)]
pub struct ApiExecutor {
    api: Arc<Api>,
    term: Option<u64>,
}

impl ApiExecutor {
    /// An executor whose writes are refused once the term is over; `None`: unfenced.
    pub fn new(api: Arc<Api>, term: Option<u64>) -> Self {
        Self { api, term }
    }

    fn caller(&self, controller: &str) -> Caller {
        let user = match controller {
            "default-scheduler" => "system:kube-scheduler".to_owned(),
            controller => format!("system:serviceaccount:kube-system:{controller}"),
        };
        match self.term {
            Some(term) => Caller::duty(user, controller, term),
            None => Caller::system(user, controller),
        }
    }

    async fn patch(
        &self,
        caller: &Caller,
        target: &Target,
        uid: &str,
        revision: Option<u64>,
        patch: &Value,
    ) -> Result<(), Status> {
        let mut patch = patch.clone();
        patch["metadata"]["uid"] = uid.into();
        if let Some(revision) = revision {
            patch["metadata"]["resourceVersion"] = revision.to_string().into();
        }
        self.api.patch(caller, target, PatchKind::Merge, &patch, &WriteOptions::default()).await.map(drop)
    }
}

fn target(key: &Key, part: Option<Subresource>) -> Result<Target, ExecuteError> {
    let kind = registry::all()
        .iter()
        .copied()
        .find(|kind| kind.info().group == key.resource.group() && kind.info().plural == key.resource.plural())
        .ok_or_else(|| ExecuteError::Refused(format!("{} are not served", key.resource)))?;
    let target = Target::new(kind, key.namespace(), key.name());
    Ok(match part {
        Some(part) => target.part(part),
        None => target,
    })
}

fn refused(status: Status) -> ExecuteError {
    match (status.code, status.reason) {
        (404, _) => ExecuteError::NotFound(status.message),
        (409, "AlreadyExists") => ExecuteError::AlreadyExists(status.message),
        (409, _) => ExecuteError::Conflict(status.message),
        (429 | 500..=599, _) => ExecuteError::Unavailable(status.message),
        _ => ExecuteError::Refused(status.message),
    }
}

#[async_trait::async_trait]
impl Executor for ApiExecutor {
    async fn execute(&self, controller: &str, action: &Action) -> Result<(), ExecuteError> {
        let caller = self.caller(controller);
        let options = WriteOptions::default();
        let result = match action {
            Action::Create { key, object } => {
                self.api.create(&caller, &target(key, None)?.named_as(""), object.clone(), &options).await.map(drop)
            }
            Action::Update { key, revision, object, part } => {
                let mut object = object.clone();
                object["metadata"]["resourceVersion"] = revision.to_string().into();
                self.api.update(&caller, &target(key, *part)?, object, &options).await.map(drop)
            }
            Action::Patch { key, uid, revision, patch, part } => {
                self.patch(&caller, &target(key, *part)?, uid, *revision, patch).await
            }
            Action::Delete { key, uid, revision, grace, propagation } => {
                let options = DeleteOptions {
                    grace: *grace,
                    propagation: propagation.map(|propagation| match propagation {
                        raftsman_controllers::Propagation::Background => Propagation::Background,
                        raftsman_controllers::Propagation::Foreground => Propagation::Foreground,
                        raftsman_controllers::Propagation::Orphan => Propagation::Orphan,
                    }),
                    preconditions: Preconditions {
                        uid: Some(uid.to_string()),
                        resource_version: revision.map(|revision| revision.to_string()),
                    },
                    ..DeleteOptions::default()
                };
                self.api.delete(&caller, &target(key, None)?, &options).await.map(drop)
            }
            Action::Bind { pod, uid, node } => {
                let binding = Binding { uid: Some(uid.to_string()), ..Binding::to(&**node) };
                self.api.bind(&caller, pod.namespace(), pod.name(), &binding, &options).await.map(drop)
            }
            Action::AssignPodCidr { node, uid, cidr } => {
                let patch = json!({ "spec": { "podCIDR": cidr, "podCIDRs": [cidr] } });
                self.patch(&caller, &target(node, None)?, uid, None, &patch).await
            }
            Action::Event(note) => {
                return Err(ExecuteError::Refused(format!("the event {} must become a write first", note.reason)));
            }
        };
        result.map_err(refused)
    }
}
