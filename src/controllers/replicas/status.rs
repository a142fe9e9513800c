//! Counting replicas into a status.

use super::{Owner, PodObject, owner::Replicated};
use crate::{Now, patch, pods};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;
use std::time::Duration;

/// The numbers of a status.
pub(crate) struct Counts {
    pub replicas: i32,
    pub fully_labeled: i32,
    pub ready: i32,
    pub available: i32,
    pub terminating: i32,
    pub generation: Option<i64>,
    /// Reason and message of the condition `ReplicaFailure`.
    failure: Option<(&'static str, String)>,
    time: Time,
}

impl Counts {
    /// Zero is left out, as upstream does.
    pub fn some(&self, count: i32) -> Option<i32> {
        (count != 0).then_some(count)
    }

    /// The conditions with `ReplicaFailure` among them, or without.
    pub fn conditions<C: Condition>(&self, old: Option<Vec<C>>) -> Option<Vec<C>> {
        let mut conditions = old.unwrap_or_default();
        let at = conditions.iter().position(|condition| condition.parts().0 == FAILURE);
        match (&self.failure, at) {
            (None, Some(at)) => {
                conditions.remove(at);
            }
            (Some((reason, message)), Some(at)) => {
                if conditions[at].parts() != (FAILURE, Some(reason), Some(message)) {
                    conditions[at] = C::failure(reason, message, &self.time);
                }
            }
            (Some((reason, message)), None) => conditions.push(C::failure(reason, message, &self.time)),
            (None, None) => {}
        }
        (!conditions.is_empty()).then_some(conditions)
    }
}

const FAILURE: &str = "ReplicaFailure";

/// What the conditions of both kinds have, each by its own type.
pub(crate) trait Condition: Sized {
    /// Type, reason and message.
    fn parts(&self) -> (&str, Option<&str>, Option<&str>);
    /// A true `ReplicaFailure`.
    fn failure(reason: &str, message: &str, time: &Time) -> Self;
}

macro_rules! condition {
    ($type:ty) => {
        impl Condition for $type {
            fn parts(&self) -> (&str, Option<&str>, Option<&str>) {
                (&self.type_, self.reason.as_deref(), self.message.as_deref())
            }

            fn failure(reason: &str, message: &str, time: &Time) -> Self {
                Self {
                    type_: FAILURE.to_owned(),
                    status: "True".to_owned(),
                    reason: Some(reason.to_owned()),
                    message: Some(message.to_owned()),
                    last_transition_time: Some(time.clone()),
                }
            }
        }
    };
}

condition!(k8s_openapi::api::apps::v1::ReplicaSetCondition);
condition!(k8s_openapi::api::core::v1::ReplicationControllerCondition);

/// The patch that brings the status up to date, and when a pod becomes available by waiting.
pub(super) fn patch<T: Replicated>(
    typed: &T,
    owner: &Owner,
    active: &[PodObject],
    terminating: i32,
    now: &Now,
) -> (Option<Value>, Option<Duration>) {
    let labels = owner.template.as_ref().and_then(|template| template.metadata.as_ref()?.labels.as_ref());
    let min_ready = Duration::from_secs(owner.min_ready_seconds.max(0).unsigned_abs().into());
    let failure = now.failure.as_ref().and_then(|failure| match failure.verb {
        "create" => Some(("FailedCreate", failure.message.clone())),
        "delete" => Some(("FailedDelete", failure.message.clone())),
        _ => None,
    });
    let mut counts = Counts {
        replicas: i32::try_from(active.len()).unwrap_or(i32::MAX),
        fully_labeled: 0,
        ready: 0,
        available: 0,
        terminating,
        generation: owner.generation,
        failure,
        time: Time(now.time),
    };
    let mut delay: Option<Duration> = None;
    for (object, pod) in active {
        let labelled = labels.into_iter().flatten().all(|(key, value)| object.meta.label(key) == Some(value));
        counts.fully_labeled += i32::from(labelled);
        counts.ready += i32::from(pods::is_ready(pod));
        match pods::available(pod, min_ready, now.time) {
            Ok(available) => counts.available += i32::from(available),
            Err(left) => delay = Some(delay.map_or(left, |delay| delay.min(left))),
        }
    }
    let new = T::with(typed.status().clone().unwrap_or_default(), &counts);
    (patch::status(typed.status(), &new), delay)
}
