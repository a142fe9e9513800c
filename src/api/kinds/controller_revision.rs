//! `apps/v1 ControllerRevision`.

use crate::cause::immutable;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, or_none, text};
use crate::meta;
use crate::status::Cause;
use crate::value::{At, set_default};
use k8s_openapi::api::apps::v1 as apps;
use serde_json::Value;

/// Controller revisions.
pub struct ControllerRevision;

impl Kind for ControllerRevision {
    type Object = apps::ControllerRevision;

    const INFO: KindInfo = KindInfo {
        group: "apps",
        version: "v1",
        kind: "ControllerRevision",
        plural: "controllerrevisions",
        singular: "controllerrevision",
        short_names: &[],
        categories: &[],
        namespaced: true,
        subresources: &[],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Controller", "Controller of the object"),
        text("Revision", "Revision indicates the revision of the state represented by Data."),
        AGE,
    ];

    fn default(object: &mut Value) {
        set_default(object, "revision", 0);
    }

    fn validate(object: &apps::ControllerRevision) -> Vec<Cause> {
        let mut causes = Vec::new();
        if object.revision < 0 {
            causes.push(Cause::invalid("revision", object.revision, "must be greater than or equal to 0"));
        }
        match &object.data {
            None => causes.push(Cause::required("data", "data is mandatory")),
            Some(data) if !data.0.is_object() => {
                causes.push(Cause::invalid("data", data.0.clone(), "data must be a valid JSON object"));
            }
            Some(_) => {}
        }
        causes
    }

    fn validate_update(
        new: &apps::ControllerRevision,
        old: &apps::ControllerRevision,
        _: Option<Subresource>,
    ) -> Vec<Cause> {
        immutable("data", &new.data, &old.data)
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let controller = meta::controller(object).map_or_else(String::new, |owner| {
            let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
            let dot = if group.is_empty() { "" } else { "." };
            format!("{}{dot}{group}/{}", owner.kind.to_lowercase(), owner.name)
        });
        vec![
            columns::name(object),
            or_none(&controller),
            object.int("revision").unwrap_or(0).into(),
            columns::age(object, now),
        ]
    }
}
