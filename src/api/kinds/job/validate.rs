//! What is wrong with a Job.

use super::policies;
use crate::cause::invalid_each;
use crate::format;
use crate::kinds::template::{label_selector, nonnegative, validate_pod_template};
use crate::selector::Selector;
use crate::status::Cause;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use serde_json::json;
use std::collections::BTreeMap;

/// Upstream's `maxParallelismForIndexedJob`.
const INDEXED_MOST: i32 = 100_000;

pub(super) fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

pub(super) fn job(job: &Job) -> Vec<Cause> {
    let Some(spec) = &job.spec else {
        return vec![Cause::required("spec.template", "")];
    };
    let mut causes = selector(job, spec);
    causes.extend(nonnegative("spec.parallelism", spec.parallelism));
    causes.extend(nonnegative("spec.completions", spec.completions));
    causes.extend(nonnegative("spec.backoffLimit", spec.backoff_limit));
    causes.extend(nonnegative("spec.ttlSecondsAfterFinished", spec.ttl_seconds_after_finished));
    causes.extend(nonnegative("spec.backoffLimitPerIndex", spec.backoff_limit_per_index));
    causes.extend(nonnegative("spec.maxFailedIndexes", spec.max_failed_indexes));
    if let Some(deadline) = spec.active_deadline_seconds.filter(|deadline| *deadline < 0) {
        causes.push(Cause::invalid("spec.activeDeadlineSeconds", deadline, "must be greater than or equal to 0"));
    }
    causes.extend(mode(spec));
    if is_indexed(spec) {
        causes.extend(hostname(job, spec));
    }
    if let Some(by) = spec.managed_by.as_deref()
        && !by.contains('/')
    {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        causes.push(Cause::invalid("spec.managedBy", by, detail));
    }
    causes.extend(policies::failure(spec));
    causes.extend(policies::success(spec));
    causes.extend(policies::replacement(spec));
    causes.extend(template(spec));
    causes
}

fn template(spec: &JobSpec) -> Vec<Cause> {
    let selector = spec.selector.as_ref().and_then(|selector| Selector::from_label_selector(selector).ok());
    let mut causes = validate_pod_template(&spec.template, selector.as_ref());
    let policy = spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("");
    if spec.template.spec.is_some() && matches!(policy, "" | "Always") {
        let detail = "valid values: \"OnFailure\", \"Never\"";
        causes.push(Cause::required("spec.template.spec.restartPolicy", detail));
    }
    causes
}

/// A generated selector is the generated one; a manual one is there.
fn selector(job: &Job, spec: &JobSpec) -> Vec<Cause> {
    let Some(selector) = &spec.selector else {
        return vec![Cause::required("spec.selector", "")];
    };
    let mut causes = label_selector(selector, "spec.selector");
    if spec.manual_selector == Some(true) {
        return causes;
    }
    let uid = job.metadata.uid.as_deref().unwrap_or("");
    let labels = spec.template.metadata.as_ref().and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
    let expected = BTreeMap::from([(super::UID_LABELS[0].to_owned(), uid.to_owned())]);
    let old = BTreeMap::from([(super::UID_LABELS[1].to_owned(), uid.to_owned())]);
    let found = selector.match_labels.as_ref();
    let generated = found == Some(&expected) || found == Some(&old);
    if !generated || selector.match_expressions.as_ref().is_some_and(|all| !all.is_empty()) {
        causes.push(Cause::invalid("spec.selector", json!(selector), "`selector` not auto-generated"));
    }
    let name = job.metadata.name.as_deref().unwrap_or("");
    for (key, value) in [(super::UID_LABELS[0], uid), (super::NAME_LABELS[0], name)] {
        if labels.get(key).map(String::as_str) != Some(value) {
            let detail = format!("must be '{value}'");
            let found = labels.get(key).cloned().unwrap_or_default();
            causes.push(Cause::invalid(format!("spec.template.metadata.labels[{key}]"), found, detail));
        }
    }
    causes
}

fn mode(spec: &JobSpec) -> Vec<Cause> {
    let mut causes = Vec::new();
    let found = spec.completion_mode.as_deref().unwrap_or("");
    if !matches!(found, "NonIndexed" | "Indexed") {
        causes.push(Cause::not_supported("spec.completionMode", found, &["Indexed", "NonIndexed"]));
    }
    if is_indexed(spec) {
        if spec.completions.is_none() {
            causes.push(Cause::required("spec.completions", "when completion mode is Indexed"));
        }
        let detail = format!("must be less than or equal to {INDEXED_MOST} when completion mode is Indexed");
        if let Some(parallelism) = spec.parallelism.filter(|number| *number > INDEXED_MOST) {
            causes.push(Cause::invalid("spec.parallelism", parallelism, &detail));
        }
        if let Some(most) = spec.max_failed_indexes.filter(|most| *most > INDEXED_MOST) {
            causes.push(Cause::invalid("spec.maxFailedIndexes", most, &detail));
        }
    } else {
        for (field, value) in
            [("backoffLimitPerIndex", spec.backoff_limit_per_index), ("maxFailedIndexes", spec.max_failed_indexes)]
        {
            if let Some(value) = value {
                causes.push(Cause::invalid(format!("spec.{field}"), value, "requires indexed completion mode"));
            }
        }
    }
    if let Some(most) = spec.max_failed_indexes {
        if spec.backoff_limit_per_index.is_none() {
            causes.push(Cause::required("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified"));
        }
        if spec.completions.is_some_and(|completions| most > completions) {
            causes.push(Cause::invalid("spec.maxFailedIndexes", most, "must be less than or equal to completions"));
        }
    }
    causes
}

/// The last index's hostname must be one.
fn hostname(job: &Job, spec: &JobSpec) -> Vec<Cause> {
    let (Some(name), Some(last)) = (job.metadata.name.as_deref(), spec.completions.filter(|count| *count > 0)) else {
        return Vec::new();
    };
    let host = format!("{name}-{}", last - 1);
    let wrong = format::dns_label(&host);
    let wrong =
        wrong.into_iter().map(|why| format!("will not able to create pod with invalid DNS label {host}: {why}"));
    invalid_each("metadata.name", name, wrong.collect())
}
