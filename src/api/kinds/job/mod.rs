//! `batch/v1 Job`.

mod policies;
mod status;
mod update;
mod validate;

use crate::duration;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text, wide};
use crate::kinds::template::{default_template, template_warnings};
use crate::meta;
use crate::selector::Selector;
use crate::status::Cause;
use crate::time;
use crate::value::{At, list_mut, set, set_default};
use k8s_openapi::api::batch::v1 as batch;
use serde_json::{Map, Value, json};

/// Jobs.
pub struct Job;

/// The labels that tell a job's pods from those of another: by uid and by name, in their two spellings.
const UID_LABELS: &[&str] = &["batch.kubernetes.io/controller-uid", "controller-uid"];
const NAME_LABELS: &[&str] = &["batch.kubernetes.io/job-name", "job-name"];

impl Kind for Job {
    type Object = batch::Job;

    const INFO: KindInfo = KindInfo {
        group: "batch",
        version: "v1",
        kind: "Job",
        plural: "jobs",
        singular: "job",
        short_names: &[],
        categories: &["all"],
        namespaced: true,
        subresources: &[Subresource::Status],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Status", "Status of the job."),
        text("Completions", "Number of pods which reached phase Succeeded, of those wanted."),
        text("Duration", "Time required to complete the job."),
        AGE,
        wide("Containers", "Names of each container in the template."),
        wide("Images", "Images referenced by each container in the template."),
        wide("Selector", "A label query over pods that should match the pod count."),
    ];

    const ORPHANS_BY_DEFAULT: bool = true;

    const SELECTABLE: &'static [&'static str] = &["status.successful"];

    fn default(object: &mut Value) {
        if !object.has("spec.completions") && !object.has("spec.parallelism") {
            set_default(object, "spec.completions", 1);
        }
        set_default(object, "spec.parallelism", 1);
        let limit = if object.has("spec.backoffLimitPerIndex") { i32::MAX } else { 6 };
        set_default(object, "spec.backoffLimit", limit);
        set_default(object, "spec.completionMode", "NonIndexed");
        set_default(object, "spec.suspend", false);
        set_default(object, "spec.manualSelector", false);
        let replacement = if object.has("spec.podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
        set_default(object, "spec.podReplacementPolicy", replacement);
        for rule in list_mut(object, "spec.podFailurePolicy.rules") {
            for condition in list_mut(rule, "onPodConditions") {
                set_default(condition, "status", "True");
            }
        }
        default_labels(object);
        default_template(object);
    }

    fn prepare_create(object: &mut Value) {
        set(object, "status", json!({}));
        if !object.flag("spec.manualSelector") {
            own_selector(object);
        }
        default_labels(object);
    }

    fn validate(object: &batch::Job) -> Vec<Cause> {
        validate::job(object)
    }

    fn validate_update(new: &batch::Job, old: &batch::Job, part: Option<Subresource>) -> Vec<Cause> {
        if part == Some(Subresource::Status) { status::validate(new, old) } else { update::validate(new, old, part) }
    }

    fn warnings(object: &Value) -> Vec<String> {
        template_warnings(object)
    }

    fn field(object: &Value, _path: &'static str) -> String {
        object.int("status.succeeded").unwrap_or(0).to_string()
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let (names, images) = columns::containers(object.at("spec.template.spec"));
        vec![
            columns::name(object),
            state(object).into(),
            completions(object).into(),
            lasted(object, now).into(),
            columns::age(object, now),
            names,
            images,
            Selector::shown(object.at("spec.selector")).into(),
        ]
    }
}

/// A job without labels gets its template's.
fn default_labels(object: &mut Value) {
    let labels = object.at("spec.template.metadata.labels").clone();
    let given = |labels: &Map<String, Value>| !labels.is_empty();
    if labels.as_object().is_some_and(given) && !object.map("metadata.labels").is_some_and(given) {
        set(object, "metadata.labels", labels);
    }
}

/// The selector and the labels that make a job's pods its own (upstream `generateSelector`).
fn own_selector(object: &mut Value) {
    let (uid, name) = (meta::uid(object).to_owned(), meta::name(object).to_owned());
    for (labels, value) in [(UID_LABELS, &uid), (NAME_LABELS, &name)] {
        for label in labels {
            if let Some(all) = crate::value::ensure(object, "spec.template.metadata.labels") {
                all.entry(*label).or_insert_with(|| value.as_str().into());
            }
        }
    }
    if let Some(selected) = crate::value::ensure(object, "spec.selector.matchLabels") {
        selected.entry(UID_LABELS[0]).or_insert_with(|| uid.as_str().into());
    }
}

fn state(object: &Value) -> &'static str {
    let is = |kind: &str| meta::condition_is_true(object, kind);
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if meta::is_deleting(object) {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(object: &Value) -> String {
    let succeeded = object.int("status.succeeded").unwrap_or(0);
    let parallelism = object.int("spec.parallelism").unwrap_or(0);
    match object.int("spec.completions") {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    }
}

fn lasted(object: &Value, now: &str) -> String {
    let end = match object.text("status.completionTime") {
        "" => now,
        end => end,
    };
    match object.text("status.startTime") {
        "" => String::new(),
        start => time::elapsed(start, end).map(duration::human).unwrap_or_default(),
    }
}
