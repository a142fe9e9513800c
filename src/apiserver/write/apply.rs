//! Server-side apply: creates or changes, and owns what the configuration says.

use super::create::addressed;
use super::decode::{canonical, decode};
use super::managers::{self, Ownership};
use super::{Api, Caller, Target, WriteOptions};
use raftsman_api::kind::Subresource;
use raftsman_api::status::Status;
use raftsman_state::{Object, View};
use serde_json::Value;
use std::sync::Arc;

impl Api {
    /// Applies a manager's configuration. Gives the object, and whether it is new.
    ///
    /// # Errors
    /// 400, 403, 404 (namespace, or a part of what is not there), 409 with the conflicting fields, 422, and what the store
    /// refuses.
    pub async fn apply(
        &self,
        caller: &Caller,
        target: &Target,
        config: &Value,
        options: &WriteOptions,
    ) -> Result<(Arc<Object>, bool), Status> {
        if target.part == Some(Subresource::Scale) {
            return Err(Status::new(
                415,
                "UnsupportedMediaType",
                "a scale takes no apply patch here: apply spec.replicas to the object itself, or use a merge patch",
            ));
        }
        let moment = Self::moment();
        let config = addressed(target, decode(target, config, options)?)?;
        let uid = uuid::Uuid::new_v4().to_string();
        let mut created = false;
        let plan = |view: &View| {
            let Some(current) = view.get(&target.key()).cloned() else {
                if target.part.is_some() {
                    return Err(self.current(view, target).err().unwrap_or_else(|| Status::internal("it is there")));
                }
                created = true;
                let object = managers::apply(target, None, &config, options, &moment.now)?;
                return self.plan_create(view, caller, target, &object, &uid, &moment, options, Ownership::Applied);
            };
            created = false;
            let old = canonical(target, &current)?;
            let new = managers::apply(target, Some(&old), &config, options, &moment.now)?;
            let how = Ownership::Applied;
            self.plan_update(view, caller, target, &current, &old, new, &moment, options, how)
        };
        let done = self.carry_out(caller, options.dry_run, plan).await?;
        Ok((done.object, created))
    }
}
