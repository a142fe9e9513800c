//! Fields of a pod that are valid and that nothing here carries out: whoever writes one is told so.

use crate::value::At;
use serde_json::Value;

/// A field, whether this value of it asks for something, and what happens instead.
type Rule = (&'static str, fn(&Value) -> bool, &'static str);

const POD: &[Rule] = &[
    ("imagePullSecrets", is_given, "images are pulled without credentials"),
    ("runtimeClassName", is_given, "all pods run in the same runtime"),
    ("hostUsers", |value| *value == false, "the pod shares the user namespace of its node"),
    ("resourceClaims", is_given, "no devices are allocated"),
    ("setHostnameAsFQDN", |value| *value == true, "the host name is the short one"),
    ("securityContext.seLinuxOptions", is_given, NO_LSM),
    ("securityContext.appArmorProfile", is_given, NO_LSM),
];

const CONTAINER: &[Rule] = &[
    ("volumeDevices", is_given, "volumes are mounted, never handed over as block devices"),
    ("securityContext.seLinuxOptions", is_given, NO_LSM),
    ("securityContext.appArmorProfile", is_given, NO_LSM),
    ("securityContext.procMount", |value| is_other_than(value, "Default"), "/proc is masked as usual"),
];

const MOUNT: &[Rule] = &[
    (
        "mountPropagation",
        |value| is_other_than(value, "None"),
        "mounts of the node and of the container do not reach each other",
    ),
    ("recursiveReadOnly", |value| is_other_than(value, "Disabled"), "mounts below the volume keep their own mode"),
];

const NO_LSM: &str = "containers get no profile or label of a security module";

fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

fn is_other_than(value: &Value, usual: &str) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty() && text != usual)
}

fn judge(value: &Value, path: &str, rules: &[Rule], out: &mut Vec<String>) {
    for (field, asks, instead) in rules {
        if asks(value.at(field)) {
            out.push(format!("{path}.{field}: accepted but not carried out: {instead}"));
        }
    }
}

/// The warnings for the spec of a pod or of a template that stands at `path`.
pub fn spec_warnings(spec: &Value, path: &str) -> Vec<String> {
    let mut out = Vec::new();
    judge(spec, path, POD, &mut out);
    for list in ["initContainers", "containers"] {
        for (at, container) in spec.list(list).iter().enumerate() {
            let path = format!("{path}.{list}[{at}]");
            judge(container, &path, CONTAINER, &mut out);
            for (at, mount) in container.list("volumeMounts").iter().enumerate() {
                judge(mount, &format!("{path}.volumeMounts[{at}]"), MOUNT, &mut out);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_asked_for_in_vain_is_warned_of() {
        let quiet = json!({
            "imagePullSecrets": [], "hostUsers": true, "runtimeClassName": "",
            "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPropagation": "None"}]}],
        });
        assert_eq!(spec_warnings(&quiet, "spec"), [""; 0]);
        let loud = json!({
            "imagePullSecrets": [{"name": "s"}],
            "containers": [{"name": "a"}, {"name": "c", "volumeMounts": [{"name": "v", "mountPropagation": "Bidirectional"}]}],
        });
        assert_eq!(
            spec_warnings(&loud, "spec.template.spec"),
            [
                "spec.template.spec.imagePullSecrets: accepted but not carried out: images are pulled without credentials",
                "spec.template.spec.containers[1].volumeMounts[0].mountPropagation: accepted but not carried out: mounts of the node and of the container do not reach each other",
            ]
        );
    }
}
