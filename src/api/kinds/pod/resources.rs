//! What is wrong with resource requests and limits.

use crate::format;
use crate::quantity::Quantity;
use crate::status::Cause;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;

fn amount(text: &Text) -> Quantity {
    text.0.parse().unwrap_or_default()
}

/// Resources that may be asked for more than their limit: none; and those that are never shared.
fn overcommits(resource: &str) -> bool {
    !resource.contains('/') && !resource.starts_with("hugepages-")
}

fn name(resource: &str, path: &str) -> Vec<Cause> {
    let wrong = format::qualified_name(resource);
    if !wrong.is_empty() {
        return wrong.into_iter().map(|why| Cause::invalid(path, resource, why)).collect();
    }
    if !resource.contains('/')
        && !matches!(resource, "cpu" | "memory" | "ephemeral-storage")
        && !resource.starts_with("hugepages-")
    {
        return vec![Cause::invalid(path, resource, "must be a standard resource for containers")];
    }
    Vec::new()
}

fn amount_of(resource: &str, quantity: &Text, path: &str) -> Vec<Cause> {
    let found = amount(quantity);
    let at = format!("{path}[{resource}]");
    if found.is_negative() {
        return vec![Cause::invalid(at, quantity.0.as_str(), "must be greater than or equal to 0")];
    }
    if !overcommits(resource) && found.milli_value() % 1000 != 0 {
        return vec![Cause::invalid(at, quantity.0.as_str(), "must be an integer")];
    }
    Vec::new()
}

pub fn validate(resources: &ResourceRequirements, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (field, map) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        let at = format!("{path}.{field}");
        for (resource, quantity) in map.iter().flatten() {
            causes.extend(name(resource, &at));
            causes.extend(amount_of(resource, quantity, &at));
        }
    }
    for (resource, request) in resources.requests.iter().flatten() {
        let limit = resources.limits.as_ref().and_then(|limits| limits.get(resource));
        let at = format!("{path}.requests");
        match limit {
            Some(limit) if !overcommits(resource) && amount(request) != amount(limit) => {
                let detail = format!("must be equal to {resource} limit of {}", limit.0);
                causes.push(Cause::invalid(at, request.0.as_str(), detail));
            }
            Some(limit) if amount(request) > amount(limit) => {
                let detail = format!("must be less than or equal to {resource} limit of {}", limit.0);
                causes.push(Cause::invalid(at, request.0.as_str(), detail));
            }
            None if !overcommits(resource) => {
                causes.push(Cause::required(
                    format!("{path}.limits"),
                    "Limit must be set for non overcommitable resources",
                ));
            }
            _ => {}
        }
    }
    causes
}
