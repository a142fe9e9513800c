//! What may change in a Job's status. Whoever writes it (`spec.managedBy` names others than ours), its readers rely on this:
//! what is over stays over, and what was counted stays counted. Judged is only what the write changes.

use super::validate::is_indexed;
use crate::status::Cause;
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use serde_json::json;

/// Conditions that nothing takes back.
const TERMINAL: &[&str] = &["Failed", "Complete", "FailureTarget", "SuccessCriteriaMet"];
/// Conditions that contradict each other.
const EXCLUSIVE: &[(&str, &str)] = &[
    ("Complete", "Failed"),
    ("Complete", "FailureTarget"),
    ("SuccessCriteriaMet", "Failed"),
    ("SuccessCriteriaMet", "FailureTarget"),
];

fn is(status: &JobStatus, kind: &str) -> bool {
    status.conditions.iter().flatten().any(|condition| condition.type_ == kind && condition.status == "True")
}

fn is_over(status: &JobStatus) -> bool {
    is(status, "Complete") || is(status, "Failed")
}

fn conditions(detail: String) -> Cause {
    let message = format!("Invalid value: {detail}");
    Cause { reason: "FieldValueInvalid".to_owned(), message, field: "status.conditions".to_owned() }
}

pub(super) fn validate(new: &Job, old: &Job) -> Vec<Cause> {
    let (Some(spec), Some(status)) = (&new.spec, &new.status) else {
        return Vec::new();
    };
    let before = old.status.clone().unwrap_or_default();
    let mut causes = counters(spec, status, &before);
    causes.extend(ends(status, &before));
    causes.extend(times(spec, status, &before));
    causes.extend(indexes(spec, status, &before));
    causes
}

fn counters(spec: &JobSpec, new: &JobStatus, old: &JobStatus) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (field, count) in [
        ("active", new.active),
        ("succeeded", new.succeeded),
        ("failed", new.failed),
        ("ready", new.ready),
        ("terminating", new.terminating),
    ] {
        if let Some(count) = count.filter(|count| *count < 0) {
            causes.push(Cause::invalid(format!("status.{field}"), count, "must be greater than or equal to 0"));
        }
    }
    let count = |number: Option<i32>| number.unwrap_or(0);
    if count(new.failed) < count(old.failed) {
        causes.push(Cause::invalid("status.failed", count(new.failed), "cannot decrease the failed counter"));
    }
    // A job that may shrink forgets the indexes beyond its end.
    let elastic = is_indexed(spec) && spec.completions == spec.parallelism;
    if count(new.succeeded) < count(old.succeeded) && !elastic {
        causes.push(Cause::invalid("status.succeeded", count(new.succeeded), "cannot decrease the succeeded counter"));
    }
    if count(new.ready) > count(new.active) && (new.ready, new.active) != (old.ready, old.active) {
        causes.push(Cause::invalid("status.ready", count(new.ready), "cannot set more ready pods than active"));
    }
    if let Some(uncounted) = &new.uncounted_terminated_pods {
        let mut seen = std::collections::BTreeSet::new();
        for (field, list) in [("succeeded", &uncounted.succeeded), ("failed", &uncounted.failed)] {
            for (at, uid) in list.iter().flatten().enumerate() {
                let path = format!("status.uncountedTerminatedPods.{field}[{at}]");
                if uid.is_empty() {
                    causes.push(Cause::invalid(path, uid.as_str(), "must not be empty"));
                } else if !seen.insert(uid) {
                    causes.push(Cause::duplicate(path, uid.as_str()));
                }
            }
        }
    }
    causes
}

/// How a job ends.
fn ends(new: &JobStatus, old: &JobStatus) -> Vec<Cause> {
    let mut causes = Vec::new();
    for kind in TERMINAL.iter().filter(|kind| is(old, kind) && !is(new, kind)) {
        causes.push(conditions(format!("cannot disable the terminal {kind}=True condition")));
    }
    let changed = |kind: &str| is(new, kind) != is(old, kind);
    for (one, other) in EXCLUSIVE {
        if is(new, one) && is(new, other) && (changed(one) || changed(other)) {
            causes.push(conditions(format!("cannot set {one}=True and {other}=true conditions")));
        }
    }
    if !is_over(new) {
        return causes;
    }
    let ended = !is_over(old);
    for (end, first) in [("Complete", "SuccessCriteriaMet"), ("Failed", "FailureTarget")] {
        if is(new, end) && changed(end) && !is(new, first) {
            causes.push(conditions(format!("cannot set {end}=True condition without the {first}=true condition")));
        }
    }
    for (field, count, was) in [("active", new.active, old.active), ("terminating", new.terminating, old.terminating)] {
        if let Some(count) = count.filter(|count| *count > 0 && (ended || Some(*count) != was)) {
            let detail = format!("{field}>0 is invalid for finished job");
            causes.push(Cause::invalid(format!("status.{field}"), count, detail));
        }
    }
    if new.start_time.is_none() && (ended || old.start_time.is_some()) {
        causes.push(Cause::required("status.startTime", "startTime is required for finished job"));
    }
    let uncounted = new
        .uncounted_terminated_pods
        .as_ref()
        .filter(|uncounted| uncounted.succeeded.iter().chain(&uncounted.failed).any(|list| !list.is_empty()));
    if let Some(uncounted) =
        uncounted.filter(|_| ended || new.uncounted_terminated_pods != old.uncounted_terminated_pods)
    {
        let detail = "uncountedTerminatedPods needs to be empty for finished job";
        causes.push(Cause::invalid("status.uncountedTerminatedPods", json!(uncounted), detail));
    }
    causes
}

fn times(spec: &JobSpec, new: &JobStatus, old: &JobStatus) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (started, ended) = (&new.start_time, &new.completion_time);
    // A job that is resumed starts anew.
    let rests = spec.suspend == Some(true) || is(old, "Suspended");
    if old.start_time.is_some() && *started != old.start_time && !rests {
        let detail = match started {
            None => "startTime cannot be removed for unsuspended job",
            Some(_) => "startTime cannot be updated for unsuspended job",
        };
        causes.push(Cause::required("status.startTime", detail));
    }
    if old.completion_time.is_some() && *ended != old.completion_time {
        causes.push(Cause::invalid("status.completionTime", json!(ended), "completionTime cannot be mutated"));
    }
    let complete = is(new, "Complete");
    if complete != is(old, "Complete") || *ended != old.completion_time {
        match ended {
            Some(time) if !complete => {
                let detail = "cannot set completionTime when there is no Complete=True condition";
                causes.push(Cause::invalid("status.completionTime", json!(time), detail));
            }
            None if complete => {
                let detail = "completionTime is required for Complete jobs";
                causes.push(Cause::required("status.completionTime", detail));
            }
            _ => {}
        }
    }
    if let (Some(start), Some(end)) = (started, ended)
        && end < start
        && (*started != old.start_time || *ended != old.completion_time)
    {
        let detail = "completionTime cannot be set before startTime";
        causes.push(Cause::invalid("status.completionTime", json!(end), detail));
    }
    causes
}

fn indexes(spec: &JobSpec, new: &JobStatus, old: &JobStatus) -> Vec<Cause> {
    let mut causes = Vec::new();
    let text = |indexes: &Option<String>| indexes.clone().unwrap_or_default();
    let (done, given_up) = (text(&new.completed_indexes), text(&new.failed_indexes));
    let done_changed = done != text(&old.completed_indexes);
    let given_up_changed = new.failed_indexes != old.failed_indexes;
    let mut refuse = |field: &str, value: &str, detail: String| {
        causes.push(Cause::invalid(format!("status.{field}"), value, detail));
    };
    let most = spec.completions.unwrap_or(i32::MAX);
    let (done_ranges, given_up_ranges) = (ranges(&done, most), ranges(&given_up, most));
    if done_changed {
        if !done.is_empty() && !is_indexed(spec) {
            let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
            refuse("completedIndexes", &done, detail.to_owned());
        } else if let Err(why) = &done_ranges {
            refuse("completedIndexes", &done, format!("error parsing completedIndexes: {why}"));
        }
    }
    if given_up_changed {
        if new.failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
            let detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
            refuse("failedIndexes", &given_up, detail.to_owned());
        } else if let Err(why) = &given_up_ranges {
            refuse("failedIndexes", &given_up, format!("error parsing failedIndexes: {why}"));
        }
    }
    if let (true, Ok(done), Ok(lost)) = (done_changed || given_up_changed, &done_ranges, &given_up_ranges) {
        let both = lost.iter().find_map(|(from, to)| {
            let shared = done.iter().find(|(first, last)| first <= to && from <= last)?;
            Some(*from.max(&shared.0))
        });
        if let Some(index) = both {
            refuse("failedIndexes", &given_up, format!("failedIndexes and completedIndexes overlap at index: {index}"));
        }
    }
    causes
}

/// The ranges of `1,3-5,7`, each above the one before it and below `most`.
fn ranges(text: &str, most: i32) -> Result<Vec<(i32, i32)>, String> {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    if text.is_empty() {
        return Ok(ranges);
    }
    for part in text.split(',') {
        let number = |text: &str| {
            let number =
                text.parse::<i32>().map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
            if (0..most).contains(&number) { Ok(number) } else { Err(format!("invalid index: {text:?}")) }
        };
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last || (part.contains('-') && first == last) {
            return Err(format!("non-increasing order, previous: {first}, current: {last}"));
        }
        if let Some((_, before)) = ranges.last().filter(|(_, before)| *before >= first) {
            return Err(format!("non-increasing order, previous: {before}, current: {first}"));
        }
        ranges.push((first, last));
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::Value;

    fn job(spec: Value, status: Value) -> Job {
        let mut job = json!({ "spec": { "template": {} }, "status": status });
        spec.as_object().unwrap().iter().for_each(|(name, value)| job["spec"][name] = value.clone());
        serde_json::from_value(job).unwrap()
    }

    fn with(mut status: Value, kinds: &[&str]) -> Value {
        let conditions: Vec<Value> = kinds.iter().map(|kind| json!({ "type": kind, "status": "True" })).collect();
        status["conditions"] = conditions.into();
        status
    }

    #[test]
    fn what_readers_rely_on_is_kept() {
        let (start, end) = ("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z");
        let well = ["SuccessCriteriaMet", "Complete"];
        let badly = ["FailureTarget", "Failed"];
        let done = with(json!({ "startTime": start, "completionTime": end, "succeeded": 1 }), &well);
        let indexed =
            json!({ "completionMode": "Indexed", "completions": 5, "parallelism": 2, "backoffLimitPerIndex": 1 });
        let elastic = json!({ "completionMode": "Indexed", "completions": 2, "parallelism": 2 });
        let plain = json!({});
        for (spec, old, new, expected) in [
            (&plain, json!({}), done.clone(), ""),
            (&plain, json!({}), with(json!({ "startTime": start, "failed": 1 }), &badly), ""),
            (&plain, json!({ "failed": 2 }), json!({ "failed": 1 }), "cannot decrease the failed counter"),
            (&plain, json!({ "succeeded": 2 }), json!({}), "cannot decrease the succeeded counter"),
            (&elastic, json!({ "succeeded": 2 }), json!({ "succeeded": 1 }), ""),
            (&plain, json!({}), json!({ "active": -1 }), "must be greater than or equal to 0"),
            (&plain, json!({}), json!({ "active": 1, "ready": 2 }), "more ready pods than active"),
            (
                &plain,
                done.clone(),
                json!({ "startTime": start, "succeeded": 1 }),
                "cannot disable the terminal Complete=True",
            ),
            (
                &plain,
                json!({}),
                with(done.clone(), &["SuccessCriteriaMet", "Complete", "Failed"]),
                "Complete=True and Failed=true",
            ),
            (
                &plain,
                json!({}),
                with(json!({}), &["SuccessCriteriaMet", "FailureTarget"]),
                "SuccessCriteriaMet=True and FailureTarget",
            ),
            (&plain, json!({}), with(done.clone(), &["Complete"]), "without the SuccessCriteriaMet=true condition"),
            (&plain, json!({}), with(json!({ "startTime": start }), &well), "completionTime is required"),
            (
                &plain,
                json!({}),
                with(json!({ "completionTime": end }), &well),
                "startTime is required for finished job",
            ),
            (&plain, json!({}), json!({ "completionTime": end }), "no Complete=True condition"),
            (&plain, json!({}), with(json!({ "startTime": end, "completionTime": start }), &well), "before startTime"),
            (&plain, json!({ "startTime": start }), json!({ "startTime": end }), "cannot be updated for unsuspended"),
            (&json!({ "suspend": true }), json!({ "startTime": start }), json!({}), ""),
            (&plain, with(json!({ "startTime": start }), &["Suspended"]), json!({ "startTime": end }), ""),
            (
                &plain,
                json!({}),
                with(json!({ "startTime": start, "active": 1 }), &badly),
                "active>0 is invalid for finished job",
            ),
            (
                &plain,
                json!({}),
                with(json!({ "startTime": start, "uncountedTerminatedPods": { "failed": ["u"] } }), &badly),
                "needs to be empty for finished job",
            ),
            (
                &plain,
                json!({}),
                json!({ "uncountedTerminatedPods": { "failed": ["u"], "succeeded": ["u"] } }),
                "Duplicate value",
            ),
            (&plain, json!({}), json!({ "completedIndexes": "1" }), "non-indexed completion mode"),
            (&indexed, json!({}), json!({ "completedIndexes": "0,2-3", "failedIndexes": "1" }), ""),
            (&indexed, json!({}), json!({ "completedIndexes": "0,2-5" }), "invalid index"),
            (&indexed, json!({}), json!({ "completedIndexes": "2,1" }), "non-increasing order"),
            (&indexed, json!({}), json!({ "completedIndexes": "0-2", "failedIndexes": "2" }), "overlap at index: 2"),
            (&elastic, json!({}), json!({ "failedIndexes": "1" }), "when backoffLimitPerIndex is null"),
        ] {
            let causes = validate(&job(spec.clone(), new.clone()), &job(spec.clone(), old));
            let told: Vec<_> = causes.iter().map(|cause| cause.message.as_str()).collect();
            let met =
                if expected.is_empty() { told.is_empty() } else { told.iter().any(|told| told.contains(expected)) };
            assert!(met, "{new}: expected {expected:?}, got {told:?}");
        }
    }

    #[test]
    fn what_was_wrong_before_holds_up_nothing_else() {
        let wrong = with(json!({ "active": 2 }), &["Complete", "Failed"]);
        let mut more = wrong.clone();
        more["failed"] = 1.into();
        assert!(validate(&job(json!({}), more), &job(json!({}), wrong)).is_empty());
    }
}
