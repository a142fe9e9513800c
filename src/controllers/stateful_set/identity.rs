//! What makes a pod the one of an ordinal: name, hostname, labels, claims.

use super::Work;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};
use serde_json::{Value, json};

/// Label: the pod's own name, so that a Service can choose one.
pub(super) const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// Label: the ordinal (KEP-4017).
pub(super) const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
/// Label: the revision that the pod was made of.
pub(super) const REVISION: &str = "controller-revision-hash";

/// The set's name and the ordinal in a pod's name.
pub(super) fn split(name: &str) -> Option<(&str, i32)> {
    let (parent, digits) = name.rsplit_once('-')?;
    let plain = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let ordinal = digits.parse().ok().filter(|_| plain && !parent.is_empty())?;
    Some((parent, ordinal))
}

/// The pod's name.
pub(super) fn pod_name(work: &Work<'_>, ordinal: i32) -> String {
    format!("{}-{ordinal}", work.name())
}

/// The name of an ordinal's claim of a template.
pub(super) fn claim_name(work: &Work<'_>, template: &PersistentVolumeClaim, ordinal: i32) -> String {
    format!("{}-{}-{ordinal}", template.metadata.name.as_deref().unwrap_or(""), work.name())
}

/// The pod of an ordinal, of a revision's template.
pub(super) fn pod(work: &Work<'_>, template: &PodTemplateSpec, revision: &str, ordinal: i32) -> Option<Value> {
    let name = pod_name(work, ordinal);
    let mut pod = Pod { spec: template.spec.clone(), ..Pod::default() };
    if let Some(metadata) = &template.metadata {
        pod.metadata.labels = metadata.labels.clone();
        pod.metadata.annotations = metadata.annotations.clone();
        pod.metadata.finalizers = metadata.finalizers.clone();
    }
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME.to_owned(), name.clone());
    labels.insert(POD_INDEX.to_owned(), ordinal.to_string());
    labels.insert(REVISION.to_owned(), revision.to_owned());
    pod.metadata.generate_name = Some(format!("{}-", work.name()));
    pod.metadata.namespace = Some(work.namespace().to_owned());
    pod.metadata.owner_references = Some(vec![work.reference()]);
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(name.clone());
    spec.subdomain = work.spec.service_name.clone().filter(|service| !service.is_empty());
    let claims: Vec<Volume> =
        work.spec.volume_claim_templates.iter().flatten().map(|template| volume(work, template, ordinal)).collect();
    if !claims.is_empty() {
        let own = spec.volumes.take().unwrap_or_default();
        let others = own.into_iter().filter(|volume| claims.iter().all(|claim| claim.name != volume.name));
        spec.volumes = Some(claims.iter().cloned().chain(others).collect());
    }
    pod.metadata.name = Some(name);
    serde_json::to_value(&pod).ok()
}

fn volume(work: &Work<'_>, template: &PersistentVolumeClaim, ordinal: i32) -> Volume {
    Volume {
        name: template.metadata.name.clone().unwrap_or_default(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim_name(work, template, ordinal),
            read_only: Some(false),
        }),
        ..Volume::default()
    }
}

/// The patch that gives an adopted pod the labels of its identity, if it lacks them.
pub(super) fn missing_labels(work: &Work<'_>, pod: &Pod, ordinal: i32) -> Option<Value> {
    let name = pod_name(work, ordinal);
    let labels = pod.metadata.labels.as_ref();
    let has = |key: &str, value: &str| labels.is_some_and(|labels| labels.get(key).is_some_and(|found| found == value));
    let index = ordinal.to_string();
    let whole = has(POD_NAME, &name) && has(POD_INDEX, &index);
    (!whole).then(|| json!({ "metadata": { "labels": { POD_NAME: name, POD_INDEX: index } } }))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn only_plain_ordinals() {
        for (name, expected) in [
            ("web-0", Some(("web", 0))),
            ("my-web-12", Some(("my-web", 12))),
            ("web-01", None),
            ("web-", None),
            ("web-x1", None),
            ("-1", None),
            ("web", None),
            ("web--1", Some(("web-", 1))),
            ("web-99999999999", None),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
    }
}
