//! `v1 Pod`.

mod affinity;
mod cells;
mod container;
mod defaults;
mod env;
mod probe;
mod resources;
mod spec;
mod update;
mod volume;
mod warnings;

pub use defaults::default_spec;
pub use spec::validate_spec;
pub use warnings::spec_warnings;

use crate::fencing;
use crate::kind::{Column, DeletionGrace, Kind, KindInfo, Subresource};
use crate::status::Cause;
use crate::value::{At, set};
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

/// Pods.
pub struct Pod;

impl Kind for Pod {
    type Object = core::Pod;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short_names: &["po"],
        categories: &["all"],
        namespaced: true,
        subresources: &[
            Subresource::Status,
            Subresource::Binding,
            Subresource::Eviction,
            Subresource::Log,
            Subresource::Exec,
            Subresource::Attach,
            Subresource::PortForward,
        ],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] = cells::COLUMNS;

    const SELECTABLE: &'static [&'static str] = &[
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ];

    const STATUS_WRITES_METADATA: bool = true;

    fn default(object: &mut Value) {
        defaults::default_pod(object);
    }

    fn prepare_create(object: &mut Value) {
        let qos = crate::pod::qos_class(object.at("spec"));
        set(object, "status", json!({ "phase": "Pending", "qosClass": qos }));
    }

    fn prepare_update(object: &mut Value, old: &Value, part: Option<Subresource>) {
        if part == Some(Subresource::Status) && !object.has("status.qosClass") && old.has("status.qosClass") {
            set(object, "status.qosClass", old.at("status.qosClass").clone());
        }
    }

    fn validate(object: &core::Pod) -> Vec<Cause> {
        let Some(spec) = &object.spec else {
            return vec![Cause::required("spec.containers", "")];
        };
        let mut causes = validate_spec(spec, "spec");
        causes.extend(chosen_fencing(object));
        causes
    }

    fn validate_update(object: &core::Pod, old: &core::Pod, part: Option<Subresource>) -> Vec<Cause> {
        update::validate(object, old, part)
    }

    fn warnings(object: &Value) -> Vec<String> {
        spec_warnings(object.at("spec"), "spec")
    }

    fn field(object: &Value, path: &'static str) -> String {
        match path {
            "spec.hostNetwork" => object.flag(path).to_string(),
            "status.podIPs" => object.list(path).iter().map(|ip| ip.text("ip")).collect::<Vec<_>>().join(","),
            _ => object.text(path).to_owned(),
        }
    }

    fn index(object: &Value) -> Vec<(&'static str, String)> {
        let mut index = Vec::new();
        match object.text("spec.nodeName") {
            "" => {}
            node => index.push(("pod-node", node.to_owned())),
        }
        // What a controller with a matching selector may adopt.
        if crate::meta::controller(object).is_none() {
            index.push(("pod-orphan", crate::meta::namespace(object).to_owned()));
        }
        // Who uses a claim: it is not removed under them.
        for volume in object.list("spec.volumes").iter().filter(|volume| volume.has("persistentVolumeClaim")) {
            let claim = volume.text("persistentVolumeClaim.claimName");
            index.push(("pod-claim", format!("{}/{claim}", crate::meta::namespace(object))));
        }
        index
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        cells::cells(object, now)
    }

    fn deletion_grace(object: &Value) -> DeletionGrace {
        // A pod that no node has, or that has ended, has nobody to wait for.
        if object.text("spec.nodeName").is_empty() || matches!(object.text("status.phase"), "Succeeded" | "Failed") {
            return DeletionGrace::Immediate;
        }
        DeletionGrace::Seconds(object.int("spec.terminationGracePeriodSeconds").unwrap_or(30).max(1))
    }
}

/// What the pod chose for itself is one of the words that mean something.
fn chosen_fencing(pod: &core::Pod) -> Option<Cause> {
    let field = format!("metadata.annotations[{}]", fencing::ANNOTATION);
    let chosen = pod.metadata.annotations.as_ref()?.get(fencing::ANNOTATION)?;
    let words = [fencing::FREEZE, fencing::KUBERNETES];
    (!words.contains(&chosen.as_str())).then(|| Cause::not_supported(field, chosen, &words))
}
