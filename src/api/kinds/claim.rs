//! `v1 PersistentVolumeClaim`.

use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text, wide};
use crate::kinds::template::label_selector;
use crate::kinds::volume;
use crate::quantity::Quantity;
use crate::status::Cause;
use crate::value::{At, set, set_default};
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

/// Persistent volume claims.
pub struct PersistentVolumeClaim;

/// The only finalizer that the server itself sets on claims: one in use is not removed under its pods.
pub const PROTECTION: &str = "kubernetes.io/pvc-protection";

/// Defaults of a claim and of a claim template.
pub fn default_claim(claim: &mut Value) {
    set_default(claim, "spec.volumeMode", "Filesystem");
}

/// What is wrong with a claim's spec that stands at `path`.
pub fn validate_spec(spec: Option<&core::PersistentVolumeClaimSpec>, path: &str) -> Vec<Cause> {
    let Some(spec) = spec else {
        return vec![Cause::required(format!("{path}.accessModes"), "at least 1 access mode is required")];
    };
    let mut causes = volume::access_modes(spec.access_modes.as_deref(), &format!("{path}.accessModes"));
    if let Some(selector) = &spec.selector {
        causes.extend(label_selector(selector, &format!("{path}.selector")));
    }
    let at = format!("{path}.resources");
    match spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()?.get("storage")) {
        None => causes.push(Cause::required(format!("{at}[storage]"), "")),
        Some(amount) => causes.extend(volume::positive(&amount.0, &format!("{at}[storage]"))),
    }
    causes.extend(volume::mode(&spec.volume_mode, &format!("{path}.volumeMode")));
    causes
}

impl Kind for PersistentVolumeClaim {
    type Object = core::PersistentVolumeClaim;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "PersistentVolumeClaim",
        plural: "persistentvolumeclaims",
        singular: "persistentvolumeclaim",
        short_names: &["pvc"],
        categories: &[],
        namespaced: true,
        subresources: &[Subresource::Status],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Status", "phase represents the current phase of PersistentVolumeClaim."),
        text("Volume", "volumeName is the binding reference to the PersistentVolume backing this claim."),
        text("Capacity", "capacity represents the actual resources of the underlying volume."),
        text("Access Modes", "accessModes contains the actual access modes the volume backing the PVC has."),
        text("StorageClass", "storageClassName is the name of the StorageClass required by the claim."),
        text(
            "VolumeAttributesClass",
            "volumeAttributesClassName may be used to set the VolumeAttributesClass used by this claim.",
        ),
        AGE,
        wide("VolumeMode", "volumeMode defines what type of volume is required by the claim."),
    ];

    fn default(object: &mut Value) {
        default_claim(object);
        set_default(object, "status.phase", "Pending");
    }

    fn prepare_create(object: &mut Value) {
        set(object, "status", json!({ "phase": "Pending" }));
        let mut finalizers = object.list("metadata.finalizers").to_vec();
        if !finalizers.iter().any(|name| name == PROTECTION) {
            finalizers.push(PROTECTION.into());
            set(object, "metadata.finalizers", finalizers);
        }
    }

    fn validate(object: &core::PersistentVolumeClaim) -> Vec<Cause> {
        validate_spec(object.spec.as_ref(), "spec")
    }

    fn validate_update(
        new: &core::PersistentVolumeClaim,
        old: &core::PersistentVolumeClaim,
        part: Option<Subresource>,
    ) -> Vec<Cause> {
        let (Some(spec), Some(was), None) = (&new.spec, &old.spec, part) else {
            return Vec::new();
        };
        let mut allowed = spec.clone();
        // Binding, and a default class given later, fill in what was empty.
        if was.volume_name.as_deref().unwrap_or("").is_empty() {
            allowed.volume_name.clone_from(&was.volume_name);
        }
        if was.storage_class_name.is_none() {
            allowed.storage_class_name = None;
        }
        let storage = |spec: &core::PersistentVolumeClaimSpec| {
            let amount = spec.resources.as_ref()?.requests.as_ref()?.get("storage")?;
            amount.0.parse::<Quantity>().ok()
        };
        let bound = old.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
        if bound && storage(spec) > storage(was) {
            allowed.resources.clone_from(&was.resources);
        }
        if allowed == *was {
            return Vec::new();
        }
        let detail =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        vec![Cause::forbidden("spec", detail)]
    }

    fn index(object: &Value) -> Vec<(&'static str, String)> {
        // Which claims a class or a volume of it may serve.
        vec![("claim-class", object.text("spec.storageClassName").to_owned())]
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let bound = !object.text("spec.volumeName").is_empty();
        let phase = if object.has("metadata.deletionTimestamp") { "Terminating" } else { object.text("status.phase") };
        let modes = if bound { volume::short_modes(object.list("status.accessModes")) } else { String::new() };
        let capacity = if bound { object.text("status.capacity.storage") } else { "" };
        vec![
            columns::name(object),
            phase.into(),
            object.text("spec.volumeName").into(),
            capacity.into(),
            modes.into(),
            object.text("spec.storageClassName").into(),
            volume::or_unset(object.text("spec.volumeAttributesClassName")),
            columns::age(object, now),
            object.text("spec.volumeMode").into(),
        ]
    }
}
