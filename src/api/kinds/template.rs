//! Pod templates and selectors, as the workload kinds share them.

use crate::cause::invalid_each;
use crate::format;
use crate::kinds::pod;
use crate::metadata;
use crate::selector::Selector;
use crate::status::Cause;
use crate::value::{At, at_mut};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

/// Defaults of `spec.template.spec`.
pub fn default_template(object: &mut Value) {
    if let Some(spec) = at_mut(object, "spec.template.spec") {
        pod::default_spec(spec);
    }
}

/// What the user should know of `spec.template.spec`.
pub fn template_warnings(object: &Value) -> Vec<String> {
    let path = "spec.template.spec";
    pod::spec_warnings(object.at(path), path)
}

/// Not below zero.
pub fn nonnegative(path: &str, number: Option<i32>) -> Vec<Cause> {
    match number {
        Some(number) if number < 0 => vec![Cause::invalid(path, number, "must be greater than or equal to 0")],
        _ => Vec::new(),
    }
}

/// What is wrong with a template of pods that run for ever and that `selector` must find. `kind` is named in messages.
pub fn validate_template(template: &PodTemplateSpec, selector: Option<&Selector>, kind: &str) -> Vec<Cause> {
    let path = "spec.template";
    let mut causes = validate_pod_template(template, selector);
    let Some(spec) = &template.spec else {
        return causes;
    };
    if let Some(policy) = spec.restart_policy.as_deref()
        && matches!(policy, "Never" | "OnFailure")
    {
        causes.push(Cause::not_supported(format!("{path}.spec.restartPolicy"), policy, &["Always"]));
    }
    if spec.active_deadline_seconds.is_some() {
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        causes.push(Cause::forbidden(format!("{path}.spec.activeDeadlineSeconds"), detail));
    }
    causes
}

/// A number or a percentage is none (or none is given).
pub fn is_zero(amount: &Option<IntOrString>) -> bool {
    match amount {
        None => true,
        Some(IntOrString::Int(number)) => *number == 0,
        Some(IntOrString::String(text)) => format::percent(text) == Some(0),
    }
}

/// What is wrong with a number or a percentage.
pub fn int_or_percent(amount: &Option<IntOrString>, path: &str) -> Vec<Cause> {
    match amount {
        Some(IntOrString::Int(number)) => nonnegative(path, Some(*number)),
        Some(IntOrString::String(text)) if format::percent(text).is_none() => {
            let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            vec![Cause::invalid(path, text.as_str(), detail)]
        }
        _ => Vec::new(),
    }
}

/// What is wrong with a template whose pods `selector` must find.
pub fn validate_pod_template(template: &PodTemplateSpec, selector: Option<&Selector>) -> Vec<Cause> {
    let path = "spec.template";
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
    let annotations = template.metadata.as_ref().and_then(|metadata| metadata.annotations.clone()).unwrap_or_default();
    let at = format!("{path}.metadata.labels");
    let mut causes = Vec::new();
    if let Some(selector) = selector
        && !selector.matches(|key| labels.get(key).map(String::as_str))
    {
        causes.push(Cause::invalid(&at, json!(labels), "`selector` does not match template `labels`"));
    }
    causes.extend(metadata::labels(&json!(labels), &at));
    causes.extend(metadata::annotations(&json!(annotations), &format!("{path}.metadata.annotations")));
    let Some(spec) = &template.spec else {
        causes.push(Cause::required(format!("{path}.spec.containers"), ""));
        return causes;
    };
    causes.extend(pod::validate_spec(spec, &format!("{path}.spec")));
    causes
}

/// What is wrong with a label selector.
pub fn label_selector(selector: &LabelSelector, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, value) in selector.match_labels.iter().flatten() {
        let at = format!("{path}.matchLabels");
        causes.extend(invalid_each(&at, key, format::qualified_name(key)));
        causes.extend(invalid_each(&at, value, format::label_value(value)));
    }
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        let at = format!("{path}.matchExpressions[{index}]");
        let values = requirement.values.as_deref().unwrap_or(&[]);
        match requirement.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => causes
                .push(Cause::required(format!("{at}.values"), "must be specified when `operator` is 'In' or 'NotIn'")),
            "Exists" | "DoesNotExist" if !values.is_empty() => causes.push(Cause::forbidden(
                format!("{at}.values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => causes.push(Cause::invalid(format!("{at}.operator"), other, "not a valid selector operator")),
        }
        causes.extend(invalid_each(&format!("{at}.key"), &requirement.key, format::qualified_name(&requirement.key)));
        for value in values {
            causes.extend(invalid_each(&format!("{at}.values"), value, format::label_value(value)));
        }
    }
    causes
}

/// A selector that must be there, must be valid and, being a workload's, must not be empty.
pub fn required_selector(selector: &LabelSelector) -> (Option<Selector>, Vec<Cause>) {
    let labels = selector.match_labels.as_ref().map_or(0, |map| map.len());
    let expressions = selector.match_expressions.as_ref().map_or(0, Vec::len);
    if labels + expressions == 0 {
        return (None, vec![Cause::required("spec.selector", "")]);
    }
    let causes = label_selector(selector, "spec.selector");
    if !causes.is_empty() {
        return (None, causes);
    }
    match Selector::from_label_selector(selector) {
        Ok(found) => (Some(found), causes),
        Err(error) => (None, vec![Cause::invalid("spec.selector", json!(selector), error)]),
    }
}
