//! `storage.k8s.io/v1 StorageClass`.

use crate::cause::{immutable, invalid_each};
use crate::format;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text};
use crate::meta;
use crate::status::Cause;
use crate::value::{At, set_default};
use k8s_openapi::api::storage::v1 as storage;
use serde_json::Value;

/// Storage classes.
pub struct StorageClass;

/// Annotation: claims without a class get this one.
pub const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

impl Kind for StorageClass {
    type Object = storage::StorageClass;

    const INFO: KindInfo = KindInfo {
        group: "storage.k8s.io",
        version: "v1",
        kind: "StorageClass",
        plural: "storageclasses",
        singular: "storageclass",
        short_names: &["sc"],
        categories: &[],
        namespaced: false,
        subresources: &[],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Provisioner", "provisioner indicates the type of the provisioner."),
        text(
            "ReclaimPolicy",
            "reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class.",
        ),
        text(
            "VolumeBindingMode",
            "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.",
        ),
        Column {
            name: "AllowVolumeExpansion",
            kind: "boolean",
            format: "",
            priority: 0,
            description: "allowVolumeExpansion shows whether the storage class allow volume expand.",
        },
        AGE,
    ];

    fn default(object: &mut Value) {
        set_default(object, "reclaimPolicy", "Delete");
        set_default(object, "volumeBindingMode", "Immediate");
    }

    fn validate(object: &storage::StorageClass) -> Vec<Cause> {
        let mut causes = if object.provisioner.is_empty() {
            vec![Cause::required("provisioner", "")]
        } else {
            let lower = object.provisioner.to_lowercase();
            invalid_each("provisioner", &object.provisioner, format::qualified_name(&lower))
        };
        for (field, value, known) in [
            ("reclaimPolicy", &object.reclaim_policy, ["Delete", "Retain"]),
            ("volumeBindingMode", &object.volume_binding_mode, ["Immediate", "WaitForFirstConsumer"]),
        ] {
            match value.as_deref() {
                None => causes.push(Cause::required(field, "")),
                Some(value) if known.contains(&value) => {}
                Some(value) => causes.push(Cause::not_supported(field, value, &known)),
            }
        }
        causes
    }

    fn validate_update(new: &storage::StorageClass, old: &storage::StorageClass, _: Option<Subresource>) -> Vec<Cause> {
        let mut causes = Vec::new();
        for (field, same) in [
            ("parameters", new.parameters == old.parameters),
            ("reclaimPolicy", new.reclaim_policy == old.reclaim_policy),
        ] {
            if !same {
                causes.push(Cause::forbidden(field, format!("updates to {field} are forbidden.")));
            }
        }
        causes.extend(immutable("provisioner", &new.provisioner, &old.provisioner));
        causes.extend(immutable("volumeBindingMode", &new.volume_binding_mode, &old.volume_binding_mode));
        causes
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let default = meta::annotation(object, DEFAULT_CLASS) == Some("true");
        let name = object.text("metadata.name");
        vec![
            if default { format!("{name} (default)").into() } else { name.into() },
            object.text("provisioner").into(),
            object.text("reclaimPolicy").into(),
            object.text("volumeBindingMode").into(),
            object.flag("allowVolumeExpansion").into(),
            columns::age(object, now),
        ]
    }
}
