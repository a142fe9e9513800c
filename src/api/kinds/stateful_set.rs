//! `apps/v1 StatefulSet`.

use crate::cause::invalid_each;
use crate::format;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::claim;
use crate::kinds::columns::{self, AGE, NAME, text, wide};
use crate::kinds::template::{
    default_template, int_or_percent, is_zero, nonnegative, required_selector, template_warnings, validate_template,
};
use crate::status::Cause;
use crate::value::{At, list_mut, set, set_default};
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

/// Stateful sets.
pub struct StatefulSet;

const MAY_CHANGE: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

impl Kind for StatefulSet {
    type Object = apps::StatefulSet;

    const INFO: KindInfo = KindInfo {
        group: "apps",
        version: "v1",
        kind: "StatefulSet",
        plural: "statefulsets",
        singular: "statefulset",
        short_names: &["sts"],
        categories: &["all"],
        namespaced: true,
        subresources: &[Subresource::Status, Subresource::Scale],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Ready", "Number of the pod with ready state"),
        AGE,
        wide("Containers", "Names of each container in the template."),
        wide("Images", "Images referenced by each container in the template."),
    ];

    fn default(object: &mut Value) {
        set_default(object, "spec.replicas", 1);
        set_default(object, "spec.revisionHistoryLimit", 10);
        set_default(object, "spec.podManagementPolicy", "OrderedReady");
        if object.text("spec.updateStrategy.type").is_empty() {
            set(object, "spec.updateStrategy.type", "RollingUpdate");
        }
        if object.text("spec.updateStrategy.type") == "RollingUpdate" {
            set_default(object, "spec.updateStrategy.rollingUpdate.partition", 0);
            set_default(object, "spec.updateStrategy.rollingUpdate.maxUnavailable", 1);
        }
        for when in ["whenDeleted", "whenScaled"] {
            set_default(object, &format!("spec.persistentVolumeClaimRetentionPolicy.{when}"), "Retain");
        }
        for template in list_mut(object, "spec.volumeClaimTemplates") {
            set(template, "apiVersion", "v1");
            set(template, "kind", "PersistentVolumeClaim");
            claim::default_claim(template);
            set(template, "status", json!({ "phase": "Pending" }));
        }
        default_template(object);
    }

    fn prepare_create(object: &mut Value) {
        set(object, "status", json!({ "replicas": 0, "availableReplicas": 0 }));
    }

    fn validate(object: &apps::StatefulSet) -> Vec<Cause> {
        let Some(spec) = &object.spec else {
            return vec![Cause::required("spec.selector", ""), Cause::required("spec.template", "")];
        };
        let mut causes = one_of("spec.podManagementPolicy", &spec.pod_management_policy, &["OrderedReady", "Parallel"]);
        causes.extend(strategy(spec));
        causes.extend(retention(spec));
        causes.extend(nonnegative("spec.replicas", spec.replicas));
        causes.extend(nonnegative("spec.minReadySeconds", spec.min_ready_seconds));
        causes.extend(nonnegative("spec.revisionHistoryLimit", spec.revision_history_limit));
        let start = spec.ordinals.as_ref().and_then(|ordinals| ordinals.start);
        causes.extend(nonnegative("spec.ordinals.start", start));
        let (selector, wrong) = required_selector(&spec.selector);
        causes.extend(wrong);
        causes.extend(validate_template(&with_claims(spec), selector.as_ref(), "StatefulSet"));
        for (index, template) in spec.volume_claim_templates.iter().flatten().enumerate() {
            let at = format!("spec.volumeClaimTemplates[{index}]");
            let name = template.metadata.name.as_deref().unwrap_or("");
            if name.is_empty() {
                causes.push(Cause::required(format!("{at}.metadata.name"), ""));
            } else {
                causes.extend(invalid_each(&format!("{at}.metadata.name"), name, format::dns_label(name)));
            }
            causes.extend(claim::validate_spec(template.spec.as_ref(), &format!("{at}.spec")));
        }
        causes
    }

    fn validate_update(new: &apps::StatefulSet, old: &apps::StatefulSet, part: Option<Subresource>) -> Vec<Cause> {
        let (Some(new), Some(old), None) = (&new.spec, &old.spec, part) else {
            return Vec::new();
        };
        let mut allowed = new.clone();
        allowed.replicas = old.replicas;
        allowed.ordinals.clone_from(&old.ordinals);
        allowed.template = old.template.clone();
        allowed.update_strategy.clone_from(&old.update_strategy);
        allowed.revision_history_limit = old.revision_history_limit;
        allowed.persistent_volume_claim_retention_policy.clone_from(&old.persistent_volume_claim_retention_policy);
        allowed.min_ready_seconds = old.min_ready_seconds;
        if allowed == *old { Vec::new() } else { vec![Cause::forbidden("spec", MAY_CHANGE)] }
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
            columns::age(object, now),
            names,
            images,
        ]
    }
}

/// Required, and one of two.
fn one_of(path: &str, value: &Option<String>, two: &[&str; 2]) -> Vec<Cause> {
    match value.as_deref().unwrap_or("") {
        "" => vec![Cause::required(path, "")],
        found if two.contains(&found) => Vec::new(),
        found => vec![Cause::invalid(path, found, format!("must be '{}' or '{}'", two[0], two[1]))],
    }
}

/// The template with the volumes that its pods get from claims: containers mount them by the templates' names.
fn with_claims(spec: &apps::StatefulSetSpec) -> core::PodTemplateSpec {
    let mut template = spec.template.clone();
    if let Some(pod) = &mut template.spec {
        let volumes = pod.volumes.get_or_insert_default();
        for name in spec.volume_claim_templates.iter().flatten().filter_map(|claim| claim.metadata.name.clone()) {
            volumes.retain(|volume| volume.name != name);
            let source = core::PersistentVolumeClaimVolumeSource { claim_name: name.clone(), read_only: None };
            volumes.push(core::Volume { name, persistent_volume_claim: Some(source), ..core::Volume::default() });
        }
    }
    template
}

fn strategy(spec: &apps::StatefulSetSpec) -> Vec<Cause> {
    let path = "spec.updateStrategy";
    let strategy = spec.update_strategy.clone().unwrap_or_default();
    let mut causes = one_of(&format!("{path}.type"), &strategy.type_, &["RollingUpdate", "OnDelete"]);
    let Some(rolling) = &strategy.rolling_update else {
        return causes;
    };
    let at = format!("{path}.rollingUpdate");
    if strategy.type_.as_deref() == Some("OnDelete") {
        causes.push(Cause::invalid(&at, json!(rolling), "only allowed for updateStrategy 'RollingUpdate'"));
        return causes;
    }
    causes.extend(nonnegative(&format!("{at}.partition"), rolling.partition));
    let most = format!("{at}.maxUnavailable");
    causes.extend(int_or_percent(&rolling.max_unavailable, &most));
    if rolling.max_unavailable.is_some() && is_zero(&rolling.max_unavailable) {
        causes.push(Cause::invalid(most, json!(rolling.max_unavailable), "cannot be 0"));
    }
    causes
}

fn retention(spec: &apps::StatefulSetSpec) -> Vec<Cause> {
    let policy = spec.persistent_volume_claim_retention_policy.iter();
    let both = policy.flat_map(|policy| [("whenDeleted", &policy.when_deleted), ("whenScaled", &policy.when_scaled)]);
    both.filter_map(|(field, value)| {
        let value = value.as_deref().unwrap_or("");
        let at = format!("spec.persistentVolumeClaimRetentionPolicy.{field}");
        (!matches!(value, "Retain" | "Delete")).then(|| Cause::not_supported(at, value, &["Retain", "Delete"]))
    })
    .collect()
}
