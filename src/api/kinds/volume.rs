//! `v1 PersistentVolume`.

use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text, wide};
use crate::quantity::Quantity;
use crate::status::Cause;
use crate::value::{At, set, set_default};
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

/// Persistent volumes.
pub struct PersistentVolume;

/// The finalizer that keeps a volume while a claim is bound to it.
pub const PROTECTION: &str = "kubernetes.io/pv-protection";

/// The built-in provisioner: directories under a node's own data directory. Both the `provisioner` of its storage classes
/// and the driver of its volumes, whose handle is the directory's name.
pub const LOCAL_PATH: &str = "local-path.raftsman.io";
/// The attribute of such a volume that names its node.
pub const LOCAL_PATH_NODE: &str = "node";

/// Access modes and their short forms.
const MODES: &[(&str, &str)] =
    &[("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];

/// Fields of the spec that are no volume source.
const NOT_SOURCES: &[&str] = &[
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

/// At least one, all known, `ReadWriteOncePod` alone.
pub(crate) fn access_modes(modes: Option<&[String]>, path: &str) -> Vec<Cause> {
    let modes = modes.unwrap_or_default();
    if modes.is_empty() {
        return vec![Cause::required(path, "at least 1 access mode is required")];
    }
    let known: Vec<&str> = MODES.iter().map(|(long, _)| *long).collect();
    let unknown = modes.iter().filter(|mode| !known.contains(&mode.as_str()));
    let mut causes: Vec<Cause> = unknown.map(|mode| Cause::not_supported(path, mode, &known)).collect();
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        causes.push(Cause::forbidden(path, "may not use ReadWriteOncePod with other access modes"));
    }
    causes
}

/// An amount above zero.
pub(crate) fn positive(amount: &str, path: &str) -> Vec<Cause> {
    let fine = amount.parse::<Quantity>().is_ok_and(|amount| !amount.is_negative() && !amount.is_zero());
    if fine { Vec::new() } else { vec![Cause::invalid(path, amount, "must be greater than zero")] }
}

/// `Filesystem` or `Block`, if it is there.
pub(crate) fn mode(mode: &Option<String>, path: &str) -> Vec<Cause> {
    match mode.as_deref() {
        None | Some("Filesystem" | "Block") => Vec::new(),
        Some(other) => vec![Cause::not_supported(path, other, &["Block", "Filesystem"])],
    }
}

/// `RWO,ROX`.
pub(crate) fn short_modes(modes: &[Value]) -> String {
    let has = |long: &str| modes.iter().any(|mode| mode == long);
    let short: Vec<&str> = MODES.iter().filter(|(long, _)| has(long)).map(|(_, short)| *short).collect();
    short.join(",")
}

/// Upstream's `<unset>`.
pub(crate) fn or_unset(text: &str) -> Value {
    if text.is_empty() { "<unset>".into() } else { text.into() }
}

impl Kind for PersistentVolume {
    type Object = core::PersistentVolume;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "PersistentVolume",
        plural: "persistentvolumes",
        singular: "persistentvolume",
        short_names: &["pv"],
        categories: &[],
        namespaced: false,
        subresources: &[Subresource::Status],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Capacity", "capacity is the description of the persistent volume's resources and capacity."),
        text("Access Modes", "accessModes contains all ways the volume can be mounted."),
        text(
            "Reclaim Policy",
            "persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its claim.",
        ),
        text("Status", "phase indicates if a volume is available, bound to a claim, or released by a claim."),
        text(
            "Claim",
            "claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim.",
        ),
        text("StorageClass", "storageClassName is the name of StorageClass to which this persistent volume belongs."),
        text("VolumeAttributesClass", "Name of VolumeAttributesClass to which this persistent volume belongs."),
        text(
            "Reason",
            "reason is a brief CamelCase string that describes any failure and is meant for machine parsing and tidy display in the CLI.",
        ),
        AGE,
        wide(
            "VolumeMode",
            "volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in raw block state.",
        ),
    ];

    fn default(object: &mut Value) {
        set_default(object, "spec.persistentVolumeReclaimPolicy", "Retain");
        set_default(object, "spec.volumeMode", "Filesystem");
        if object.has("spec.hostPath") {
            set_default(object, "spec.hostPath.type", "");
        }
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

    fn validate(object: &core::PersistentVolume) -> Vec<Cause> {
        let Some(spec) = &object.spec else {
            return vec![Cause::required("spec.accessModes", ""), Cause::required("spec.capacity", "")];
        };
        let mut causes = access_modes(spec.access_modes.as_deref(), "spec.accessModes");
        match spec.capacity.as_ref().and_then(|capacity| capacity.get("storage")) {
            None => causes.push(Cause::required("spec.capacity", "")),
            Some(amount) => causes.extend(positive(&amount.0, "spec.capacity[storage]")),
        }
        match spec.persistent_volume_reclaim_policy.as_deref() {
            None | Some("Retain" | "Delete" | "Recycle") => {}
            Some(other) => {
                let known = ["Delete", "Recycle", "Retain"];
                causes.push(Cause::not_supported("spec.persistentVolumeReclaimPolicy", other, &known));
            }
        }
        causes.extend(mode(&spec.volume_mode, "spec.volumeMode"));
        causes.extend(source(spec));
        causes
    }

    fn validate_update(
        new: &core::PersistentVolume,
        old: &core::PersistentVolume,
        part: Option<Subresource>,
    ) -> Vec<Cause> {
        let (Some(new), Some(old), None) = (&new.spec, &old.spec, part) else {
            return Vec::new();
        };
        let source = |spec: &core::PersistentVolumeSpec| {
            let mut spec = serde_json::to_value(spec).unwrap_or_default();
            if let Some(map) = spec.as_object_mut() {
                map.retain(|field, _| !NOT_SOURCES.contains(&field.as_str()));
            }
            spec
        };
        let mut causes = Vec::new();
        if source(new) != source(old) {
            causes.push(Cause::forbidden(
                "spec.persistentvolumesource",
                "spec.persistentvolumesource is immutable after creation",
            ));
        }
        if new.volume_mode != old.volume_mode {
            causes.push(Cause::invalid("spec.volumeMode", json!(new.volume_mode), "field is immutable"));
        }
        if old.node_affinity.is_some() && new.node_affinity != old.node_affinity {
            causes.push(Cause::invalid("spec.nodeAffinity", json!(new.node_affinity), "field is immutable"));
        }
        causes
    }

    fn index(object: &Value) -> Vec<(&'static str, String)> {
        let mut index = vec![("volume-class", object.text("spec.storageClassName").to_owned())];
        if object.has("spec.claimRef.name") {
            let (namespace, name) = (object.text("spec.claimRef.namespace"), object.text("spec.claimRef.name"));
            index.push(("volume-claim", format!("{namespace}/{name}")));
        }
        if object.text("spec.csi.driver") == LOCAL_PATH {
            index.push((
                "volume-node",
                object.at("spec.csi.volumeAttributes")[LOCAL_PATH_NODE].as_str().unwrap_or("").to_owned(),
            ));
        }
        index
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let claim = match object.text("spec.claimRef.name") {
            "" => String::new(),
            name => format!("{}/{name}", object.text("spec.claimRef.namespace")),
        };
        let phase = if object.has("metadata.deletionTimestamp") { "Terminating" } else { object.text("status.phase") };
        vec![
            columns::name(object),
            object.text("spec.capacity.storage").into(),
            short_modes(object.list("spec.accessModes")).into(),
            object.text("spec.persistentVolumeReclaimPolicy").into(),
            phase.into(),
            claim.into(),
            object.text("spec.storageClassName").into(),
            or_unset(object.text("spec.volumeAttributesClassName")),
            object.text("status.reason").into(),
            columns::age(object, now),
            object.text("spec.volumeMode").into(),
        ]
    }
}

/// Exactly one source, whole in itself.
fn source(spec: &core::PersistentVolumeSpec) -> Vec<Cause> {
    let json = serde_json::to_value(spec).unwrap_or_default();
    let count = json.as_object().map_or(0, |map| map.keys().filter(|key| !NOT_SOURCES.contains(&key.as_str())).count());
    let mut causes = match count {
        0 => vec![Cause::required("spec", "must specify a volume type")],
        1 => Vec::new(),
        _ => vec![Cause::forbidden("spec", "may not specify more than 1 volume type")],
    };
    let path = |value: &str, at: &str, causes: &mut Vec<Cause>| {
        if value.is_empty() {
            causes.push(Cause::required(at, ""));
        } else if value.split('/').any(|step| step == "..") {
            causes.push(Cause::invalid(at, value, "must not contain '..'"));
        }
    };
    if let Some(host) = &spec.host_path {
        path(&host.path, "spec.hostPath.path", &mut causes);
    }
    if let Some(local) = &spec.local {
        path(&local.path, "spec.local.path", &mut causes);
        if spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref()).is_none() {
            causes.push(Cause::required("spec.nodeAffinity", "Local volume requires node affinity"));
        }
    }
    causes
}
