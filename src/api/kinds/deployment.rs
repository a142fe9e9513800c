//! `apps/v1 Deployment`.

use crate::cause::immutable;
use crate::format;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text, wide};
use crate::kinds::template::{
    default_template, int_or_percent, is_zero, nonnegative, required_selector, template_warnings, validate_template,
};
use crate::selector::Selector;
use crate::status::Cause;
use crate::value::{At, set, set_default};
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

/// Deployments.
pub struct Deployment;

impl Kind for Deployment {
    type Object = apps::Deployment;

    const INFO: KindInfo = KindInfo {
        group: "apps",
        version: "v1",
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short_names: &["deploy"],
        categories: &["all"],
        namespaced: true,
        subresources: &[Subresource::Status, Subresource::Scale],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Ready", "Number of the pod with ready state"),
        text(
            "Up-to-date",
            "Total number of non-terminating pods targeted by this deployment that have the desired template spec.",
        ),
        text(
            "Available",
            "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this deployment.",
        ),
        AGE,
        wide("Containers", "Names of each container in the template."),
        wide("Images", "Images referenced by each container in the template."),
        wide(
            "Selector",
            "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment.",
        ),
    ];

    fn default(object: &mut Value) {
        set_default(object, "spec.replicas", 1);
        set_default(object, "spec.revisionHistoryLimit", 10);
        set_default(object, "spec.progressDeadlineSeconds", 600);
        if object.text("spec.strategy.type").is_empty() {
            set(object, "spec.strategy.type", "RollingUpdate");
        }
        if object.text("spec.strategy.type") == "RollingUpdate" {
            set_default(object, "spec.strategy.rollingUpdate.maxUnavailable", "25%");
            set_default(object, "spec.strategy.rollingUpdate.maxSurge", "25%");
        }
        default_template(object);
    }

    fn prepare_create(object: &mut Value) {
        set(object, "status", json!({}));
    }

    fn validate(object: &apps::Deployment) -> Vec<Cause> {
        let Some(spec) = &object.spec else {
            return vec![Cause::required("spec.selector", ""), Cause::required("spec.template", "")];
        };
        let mut causes = nonnegative("spec.replicas", spec.replicas);
        let (selector, wrong) = required_selector(&spec.selector);
        causes.extend(wrong);
        causes.extend(validate_template(&spec.template, selector.as_ref(), "Deployment"));
        causes.extend(spec.strategy.iter().flat_map(strategy));
        causes.extend(nonnegative("spec.minReadySeconds", spec.min_ready_seconds));
        causes.extend(nonnegative("spec.revisionHistoryLimit", spec.revision_history_limit));
        if let Some(deadline) = spec.progress_deadline_seconds {
            causes.extend(nonnegative("spec.progressDeadlineSeconds", Some(deadline)));
            if deadline <= spec.min_ready_seconds.unwrap_or(0) {
                let detail = "must be greater than minReadySeconds";
                causes.push(Cause::invalid("spec.progressDeadlineSeconds", deadline, detail));
            }
        }
        causes
    }

    fn validate_update(new: &apps::Deployment, old: &apps::Deployment, _: Option<Subresource>) -> Vec<Cause> {
        match (&new.spec, &old.spec) {
            (Some(new), Some(old)) => immutable("spec.selector", &new.selector, &old.selector),
            _ => Vec::new(),
        }
    }

    fn warnings(object: &Value) -> Vec<String> {
        template_warnings(object)
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let (names, images) = columns::containers(object.at("spec.template.spec"));
        let count = |path: &str| object.int(path).unwrap_or(0);
        vec![
            columns::name(object),
            format!("{}/{}", count("status.readyReplicas"), count("spec.replicas")).into(),
            count("status.updatedReplicas").into(),
            count("status.availableReplicas").into(),
            columns::age(object, now),
            names,
            images,
            Selector::shown(object.at("spec.selector")).into(),
        ]
    }
}

fn strategy(strategy: &apps::DeploymentStrategy) -> Vec<Cause> {
    let path = "spec.strategy";
    let rolling = strategy.rolling_update.as_ref();
    match strategy.type_.as_deref().unwrap_or("") {
        "Recreate" if rolling.is_some() => vec![Cause::forbidden(
            format!("{path}.rollingUpdate"),
            "may not be specified when strategy `type` is 'Recreate'",
        )],
        "Recreate" => Vec::new(),
        "RollingUpdate" => match rolling {
            None => vec![Cause::required(format!("{path}.rollingUpdate"), "this should be defaulted and never be nil")],
            Some(rolling) => {
                let at = format!("{path}.rollingUpdate");
                let mut causes = int_or_percent(&rolling.max_unavailable, &format!("{at}.maxUnavailable"));
                causes.extend(int_or_percent(&rolling.max_surge, &format!("{at}.maxSurge")));
                if is_zero(&rolling.max_unavailable) && is_zero(&rolling.max_surge) {
                    let shown = json!(rolling.max_unavailable);
                    let detail = "may not be 0 when `maxSurge` is 0";
                    causes.push(Cause::invalid(format!("{at}.maxUnavailable"), shown, detail));
                }
                if let Some(IntOrString::String(text)) = &rolling.max_unavailable
                    && format::percent(text).is_some_and(|percent| percent > 100)
                {
                    let detail = "must not be greater than 100%";
                    causes.push(Cause::invalid(format!("{at}.maxUnavailable"), text.as_str(), detail));
                }
                causes
            }
        },
        other => vec![Cause::not_supported(format!("{path}.type"), other, &["Recreate", "RollingUpdate"])],
    }
}
