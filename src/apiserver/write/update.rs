//! Changing an object that exists: replace, and recompute-and-retry.

use super::create::addressed;
use super::decode::{canonical, decode};
use super::encode::draft;
use super::managers::{self, Ownership};
use super::plan::{Change, Plan};
use super::{Api, Caller, Preconditions, Target, WriteOptions, deletion, scale};
use crate::admission::{Operation, Review};
use crate::unique;
use raftsman_api::kind::{Moment, Subresource};
use raftsman_api::metadata;
use raftsman_api::status::Status;
use raftsman_api::value::{At, remove, set};
use raftsman_state::{Compare, Object, View};
use serde_json::Value;
use std::sync::Arc;

/// Upstream's words for a lost race.
pub(super) const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

impl Api {
    /// Replaces an object or a part of it. With a `metadata.resourceVersion` it must be the present one; without, the last
    /// writer wins.
    ///
    /// # Errors
    /// 400, 403, 404, 409 `Conflict`, 422, and what the store refuses.
    pub async fn update(
        &self,
        caller: &Caller,
        target: &Target,
        json: Value,
        options: &WriteOptions,
    ) -> Result<Arc<Object>, Status> {
        self.replace(caller, target, json, options).await.map(|(object, _)| object)
    }

    /// As [`Api::update`]; an object that is not there is created if its kind allows that. Gives the object, and whether
    /// it is new.
    ///
    /// # Errors
    /// 400, 403, 404, 409 `Conflict`, 422, and what the store refuses.
    pub async fn replace(
        &self,
        caller: &Caller,
        target: &Target,
        json: Value,
        options: &WriteOptions,
    ) -> Result<(Arc<Object>, bool), Status> {
        let moment = Self::moment();
        let creates = target.part.is_none() && target.kind.creates_on_update();
        let new_uid = uuid::Uuid::new_v4().to_string();
        let mut created = false;
        let scaled = if target.part == Some(Subresource::Scale) {
            scale::check(&json)?;
            None
        } else {
            Some(addressed(target, decode(target, &json, options)?)?)
        };
        let plan = |view: &View| {
            let found = self.current(view, target);
            created = creates && found.is_err();
            if let (true, Some(object)) = (created, &scaled) {
                let uid = object.text("metadata.uid");
                if !uid.is_empty() {
                    // What is replaced is gone: its writer does not want another one in its place.
                    let info = target.info();
                    let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: ");
                    return Err(Status::conflict(info.group, info.plural, &target.name, &why));
                }
                let how = Ownership::Changes;
                return self.plan_create(view, caller, target, object, &new_uid, &moment, options, how);
            }
            let current = found?;
            let old = canonical(target, &current)?;
            let new = match &scaled {
                Some(object) => object.clone(),
                None => scale::applied(&old, &json)?,
            };
            self.plan_update(view, caller, target, &current, &old, new, &moment, options, Ownership::Changes)
        };
        let done = self.carry_out(caller, options.dry_run, plan).await?;
        Ok((done.object, created))
    }

    /// Changes an object by a function of what it is, computed anew whenever another write came first. The function gets
    /// the whole object whatever the part, and gives the object as it should be, or `None` to leave it. The
    /// `resourceVersion` in what it gives is not compared.
    ///
    /// # Errors
    /// 403, 404, 422, and what the store refuses.
    pub async fn modify(
        &self,
        caller: &Caller,
        target: &Target,
        mut change: impl FnMut(&Value) -> Option<Value>,
    ) -> Result<Arc<Object>, Status> {
        let moment = Self::moment();
        let options = WriteOptions::default();
        let plan = |view: &View| {
            let current = self.current(view, target)?;
            let old = canonical(target, &current)?;
            let Some(mut new) = change(&old) else {
                return Ok(Plan::Settled(current));
            };
            remove(&mut new, "metadata.resourceVersion");
            let new = addressed(target, decode(target, &new, &options)?)?;
            self.plan_update(view, caller, target, &current, &old, new, &moment, &options, Ownership::Changes)
        };
        Ok(self.carry_out(caller, false, plan).await?.object)
    }

    /// The object as the view has it.
    pub(super) fn current(&self, view: &View, target: &Target) -> Result<Arc<Object>, Status> {
        let info = target.info();
        view.get(&target.key()).cloned().ok_or_else(|| Status::not_found(info.group, info.plural, &target.name))
    }

    #[allow(clippy::too_many_arguments, reason = "one plan for all changes: what they differ in is passed in")]
    pub(super) fn plan_update(
        &self,
        view: &View,
        caller: &Caller,
        target: &Target,
        current: &Arc<Object>,
        old: &Value,
        mut object: Value,
        moment: &Moment,
        options: &WriteOptions,
        ownership: Ownership,
    ) -> Result<Plan, Status> {
        let info = target.info();
        let given = |field: &str| Some(object.text(field)).filter(|text| !text.is_empty()).map(str::to_owned);
        let asked = Preconditions { uid: given("metadata.uid"), resource_version: given("metadata.resourceVersion") };
        check(&asked, current, target)?;
        set(&mut object, "metadata.resourceVersion", current.revision.to_string());
        if target.part.is_none() {
            unique::carry_over(target, old, &mut object);
        }
        target.kind.default(&mut object);
        let mut review = Review {
            view,
            config: &self.config,
            user: &caller.user,
            operation: Operation::Update,
            target,
            object: &mut object,
            old: Some(old),
        };
        for plugin in &self.admission {
            plugin.admit(&mut review)?;
        }
        // A scale is a change of the main resource's spec.
        let part = target.part.filter(|part| *part != Subresource::Scale);
        target.kind.prepare_update(&mut object, old, part);
        let main = Target { part: None, ..target.clone() };
        let reserved = unique::allocate(view, &self.config, &main, Some(old), &mut object, moment)?;
        let mut causes = metadata::validate(&object, info);
        causes.extend(target.kind.validate(&object));
        causes.extend(target.kind.validate_update(&object, old, part));
        if !causes.is_empty() {
            return Err(Status::invalid(info.group, info.kind, &target.name, causes));
        }
        if ownership == Ownership::Changes {
            managers::record(&mut object, Some(old), target, managers::manager(caller, options), &moment.now);
        }
        if same_but_for_revision(&object, old) {
            return Ok(Plan::Settled(current.clone()));
        }
        if target.part.is_none() && object.at("spec") != old.at("spec") {
            target.kind.warnings(&object).into_iter().for_each(|warning| options.warnings.add(warning));
        }
        self.plan_put(target, current, old, &object, reserved)
    }

    /// The transaction that puts a changed object; a deleting one that nothing holds any more is removed instead.
    pub(super) fn plan_put(
        &self,
        target: &Target,
        current: &Arc<Object>,
        old: &Value,
        object: &Value,
        reserved: unique::Reservations,
    ) -> Result<Plan, Status> {
        let draft = draft(target, object)?;
        let mut compares = vec![Compare::Revision(draft.key.clone(), current.revision)];
        let removes = deletion::is_finished(target, object);
        let ops = if removes {
            deletion::removal(target, old)
        } else {
            compares.extend(reserved.compares);
            std::iter::once(draft.put()).chain(reserved.ops).collect()
        };
        Ok(Plan::Write(Box::new(Change { compares, ops, draft, removes, before: current.revision })))
    }
}

/// Nothing differs but the revision.
fn same_but_for_revision(new: &Value, old: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        remove(&mut object, "metadata.resourceVersion");
        object
    };
    bare(new) == bare(old)
}

/// The request's expectations of the object.
///
/// # Errors
/// 409 in upstream's words.
pub(super) fn check(asked: &Preconditions, current: &Object, target: &Target) -> Result<(), Status> {
    let info = target.info();
    let conflict = |why: &str| Err(Status::conflict(info.group, info.plural, &target.name, why));
    if let Some(uid) = &asked.uid
        && **uid != *current.meta.uid
    {
        return conflict(&format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            current.meta.uid
        ));
    }
    match &asked.resource_version {
        Some(version) if *version != current.revision.to_string() => conflict(MODIFIED),
        _ => Ok(()),
    }
}
