//! Creating.

use super::decode::decode;
use super::encode::draft;
use super::managers::{self, Ownership};
use super::plan::{Change, Plan};
use super::{Api, Caller, Target, WriteOptions};
use crate::admission::{Operation, Review};
use crate::unique;
use raftsman_api::kind::Moment;
use raftsman_api::status::Status;
use raftsman_api::value::{At, remove, set};
use raftsman_api::{metadata, names};
use raftsman_state::{Compare, Key, Object, Resource, View};
use serde_json::Value;
use std::sync::Arc;

/// How many generated names are tried against the view.
const NAMES: usize = 8;

impl Api {
    /// Creates an object. The target's name may be empty: the JSON's `metadata.name` or `generateName` says it.
    ///
    /// # Errors
    /// 400, 403, 404 (namespace), 409 `AlreadyExists`, 422, and what the store refuses.
    pub async fn create(
        &self,
        caller: &Caller,
        target: &Target,
        json: Value,
        options: &WriteOptions,
    ) -> Result<Arc<Object>, Status> {
        let moment = Self::moment();
        let object = addressed(target, decode(target, &json, options)?)?;
        let uid = uuid::Uuid::new_v4().to_string();
        let plan =
            |view: &View| self.plan_create(view, caller, target, &object, &uid, &moment, options, Ownership::Changes);
        Ok(self.carry_out(caller, options.dry_run, plan).await?.object)
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one plan for create, apply and replace: what they differ in is passed in"
    )]
    pub(super) fn plan_create(
        &self,
        view: &View,
        caller: &Caller,
        target: &Target,
        object: &Value,
        uid: &str,
        moment: &Moment,
        options: &WriteOptions,
        ownership: Ownership,
    ) -> Result<Plan, Status> {
        let info = target.info();
        let mut object = object.clone();
        let mut target = target.named_as(object.text("metadata.name"));
        target.kind.default(&mut object);
        let namespace = self.namespace_compares(view, &target)?;
        let mut review = Review {
            view,
            config: &self.config,
            user: &caller.user,
            operation: Operation::Create,
            target: &target,
            object: &mut object,
            old: None,
        };
        for plugin in &self.admission {
            plugin.admit(&mut review)?;
        }
        remove(&mut object, "metadata.resourceVersion");
        // Before the kind's own preparation: a Job's selector and labels are made of uid and name.
        set(&mut object, "metadata.uid", uid);
        if target.name.is_empty() {
            target.name = generate(view, &target, object.text("metadata.generateName"));
            if !target.name.is_empty() {
                set(&mut object, "metadata.name", target.name.as_str());
            }
        }
        target.kind.prepare_create(&mut object, moment);
        // Before anything is drawn: what exists is refused for its name, not for its address.
        if let Some(there) = view.get(&target.key()) {
            let mut exists = Status::already_exists(info.group, info.plural, &target.name);
            if there.meta.deleting {
                exists.message = format!("object is being deleted: {}", exists.message);
            }
            return Err(exists);
        }
        let reserved = unique::allocate(view, &self.config, &target, None, &mut object, moment)?;
        let mut causes = metadata::validate(&object, info);
        causes.extend(target.kind.validate(&object));
        if !causes.is_empty() {
            return Err(Status::invalid(info.group, info.kind, shown_name(&object), causes));
        }
        target.kind.warnings(&object).into_iter().for_each(|warning| options.warnings.add(warning));
        if ownership == Ownership::Changes {
            managers::record(&mut object, None, &target, managers::manager(caller, options), &moment.now);
        }
        let draft = draft(&target, &object)?;
        let mut compares = vec![Compare::Absent(draft.key.clone())];
        compares.extend(namespace);
        compares.extend(reserved.compares);
        let mut ops = vec![draft.put()];
        ops.extend(reserved.ops);
        Ok(Plan::Write(Box::new(Change { compares, ops, draft, removes: false, before: 0 })))
    }

    /// A create compares its namespace's identity and that it is not being deleted, never its revision.
    fn namespace_compares(&self, view: &View, target: &Target) -> Result<Vec<Compare>, Status> {
        if !target.info().namespaced {
            return Ok(Vec::new());
        }
        let key = Key::new(&Resource::from("namespaces"), "", &target.namespace);
        match view.get(&key) {
            Some(namespace) => {
                Ok(vec![Compare::Uid(key.clone(), namespace.meta.uid.clone()), Compare::NotDeleting(key)])
            }
            None => Err(Status::not_found("", "namespaces", &target.namespace)),
        }
    }
}

fn shown_name(object: &Value) -> &str {
    match object.text("metadata.name") {
        "" => object.text("metadata.generateName"),
        name => name,
    }
}

/// A free name with the prefix; empty if there is no prefix or (hardly) no free name.
fn generate(view: &View, target: &Target, prefix: &str) -> String {
    if prefix.is_empty() {
        return String::new();
    }
    (0..NAMES)
        .map(|_| names::generate(prefix, rand::random::<u32>))
        .find(|name| view.get(&target.named_as(name).key()).is_none())
        .unwrap_or_default()
}

/// The object at the path's namespace and name.
///
/// # Errors
/// 400 when object and path contradict each other.
pub(super) fn addressed(target: &Target, mut object: Value) -> Result<Value, Status> {
    let namespace = object.text("metadata.namespace");
    if target.info().namespaced {
        if !namespace.is_empty() && namespace != target.namespace {
            return Err(Status::bad_request(format!(
                "the namespace of the provided object does not match the namespace sent on the request: {namespace:?} is not {:?}",
                target.namespace
            )));
        }
        set(&mut object, "metadata.namespace", target.namespace.as_str());
    }
    let name = object.text("metadata.name");
    if !target.name.is_empty() {
        if !name.is_empty() && name != target.name {
            return Err(Status::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                target.name
            )));
        }
        set(&mut object, "metadata.name", target.name.as_str());
    } else if object.has("metadata.resourceVersion") && !object.text("metadata.resourceVersion").is_empty() {
        return Err(Status::bad_request("resourceVersion should not be set on objects to be created"));
    }
    Ok(object)
}
