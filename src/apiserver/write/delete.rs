//! Deleting.

use super::decode::stored;
use super::deletion::{self, Verdict};
use super::plan::{Change, Draft, Plan};
use super::update::check;
use super::{Api, Caller, DeleteOptions, Target};
use crate::admission::{Operation, Review};
use crate::unique::Reservations;
use raftsman_api::status::Status;
use raftsman_state::{Compare, Object, View};
use std::sync::Arc;

/// What a delete did.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// The object: as it was if it is gone, else marked as being deleted.
    pub object: Arc<Object>,
    /// It is gone. Otherwise finalizers or a grace period hold it.
    pub gone: bool,
}

impl Api {
    /// Deletes an object: at once, or by marking it when finalizers or a grace period hold it.
    ///
    /// # Errors
    /// 403 (immortal namespaces), 404, 409 (preconditions), and what the store refuses.
    pub async fn delete(&self, caller: &Caller, target: &Target, options: &DeleteOptions) -> Result<Deleted, Status> {
        let moment = Self::moment();
        let plan = |view: &View| {
            let current = self.current(view, target)?;
            check(&options.preconditions, &current, target)?;
            let mut object = stored(&current)?;
            let old = object.clone();
            let mut review = Review {
                view,
                config: &self.config,
                user: &caller.user,
                operation: Operation::Delete,
                target,
                object: &mut object,
                old: Some(&old),
            };
            for plugin in &self.admission {
                plugin.admit(&mut review)?;
            }
            match deletion::judge(target, &old, options, &moment) {
                Verdict::Pending => Ok(Plan::Settled(current)),
                Verdict::Mark(marked) => self.plan_put(target, &current, &old, &marked, Reservations::default()),
                Verdict::Remove => Ok(Plan::Write(Box::new(Change {
                    compares: vec![Compare::Revision(current.key.clone(), current.revision)],
                    ops: deletion::removal(target, &old),
                    draft: Draft { key: current.key.clone(), meta: current.meta.clone(), body: current.body() },
                    removes: true,
                    before: current.revision,
                }))),
            }
        };
        let done = self.carry_out(caller, options.dry_run, plan).await?;
        Ok(Deleted { object: done.object, gone: done.removed })
    }
}
