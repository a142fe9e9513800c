//! The write path's executor: plans, proposes, plans again when another write came first.

use super::Caller;
use super::errors::{deposed, store_error};
use super::plan::{Done, Plan};
use crate::admission::{Admission, built_in};
use crate::config::ApiConfig;
use raftsman_api::kind::Moment;
use raftsman_api::status::Status;
use raftsman_api::time;
use raftsman_state::{Outcome, View};
use raftsman_store::border::Store;
use std::sync::Arc;
use std::time::SystemTime;

/// How often a write is planned anew before its caller hears of the conflict.
const ATTEMPTS: usize = 32;

/// The one write path, shared by requests, controllers, scheduler and node streams.
pub struct Api {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: ApiConfig,
    pub(crate) admission: Vec<Box<dyn Admission>>,
}

impl Api {
    /// A write path over a store, with the built-in admission.
    pub fn new(store: Arc<dyn Store>, config: ApiConfig) -> Arc<Self> {
        Arc::new(Self { store, config, admission: built_in() })
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The configuration.
    pub fn config(&self) -> &ApiConfig {
        &self.config
    }

    /// The time of a request.
    pub(crate) fn moment() -> Moment {
        Moment { now: time::seconds(time::from_system(SystemTime::now())) }
    }

    /// Plans on this master's view, then on linearizable ones, until a plan is settled, refused or committed.
    pub(super) async fn carry_out(
        &self,
        caller: &Caller,
        dry_run: bool,
        mut plan: impl FnMut(&View) -> Result<Plan, Status>,
    ) -> Result<Done, Status> {
        let mut view = self.store.view();
        let mut fresh = false;
        for _ in 0..ATTEMPTS {
            let answer = match plan(&view) {
                Ok(Plan::Write(change)) if !dry_run => {
                    let outcome = self.store.propose(change.txn(caller.term)).await.map_err(|e| store_error(&e))?;
                    match outcome {
                        Outcome::Committed(revisions) => {
                            let revision = revisions.first().copied().unwrap_or_default();
                            return Ok(Done { object: change.draft.at(revision), removed: change.removes });
                        }
                        Outcome::Failed { compare: 0, .. } if caller.term.is_some() => {
                            return Err(deposed(caller.term.unwrap_or_default()));
                        }
                        Outcome::Failed { .. } => {
                            // Another write came first.
                            view = self.store.read().await.map_err(|e| store_error(&e))?;
                            fresh = true;
                            continue;
                        }
                        Outcome::Expired => {
                            return Err(Status::internal(
                                "this write was answered before and its outcome is forgotten",
                            ));
                        }
                    }
                }
                Ok(Plan::Write(change)) => Ok(Done { object: change.dry(), removed: change.removes }),
                Ok(Plan::Settled(object)) => Ok(Done { object, removed: false }),
                Err(refusal) => Err(refusal),
            };
            if fresh {
                return answer;
            }
            // The view may have been stale; the same revision is the same view.
            let newer = self.store.read().await.map_err(|e| store_error(&e))?;
            if newer.revision() == view.revision() {
                return answer;
            }
            view = newer;
            fresh = true;
        }
        Err(Status::new(
            409,
            "Conflict",
            "the object was changed by others all the time while this write was tried; try again later",
        ))
    }
}
