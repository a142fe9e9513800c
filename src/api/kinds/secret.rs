//! `v1 Secret`.

use super::config_map::SIZE_MOST;
use crate::cause::{immutable, invalid_each};
use crate::format;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, text};
use crate::status::Cause;
use crate::value::{At, ensure, remove, set};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// Secrets.
pub struct Secret;

impl Kind for Secret {
    type Object = core::Secret;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        short_names: &[],
        categories: &[],
        namespaced: true,
        subresources: &[],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] = &[
        NAME,
        text("Type", "Used to facilitate programmatic handling of secret data."),
        text("Data", "Number of entries."),
        AGE,
    ];

    const SELECTABLE: &'static [&'static str] = &["type"];

    fn default(object: &mut Value) {
        if object.text("type").is_empty() {
            set(object, "type", "Opaque");
        }
        // Write-only: what is given in plain text joins the data and is never read back.
        let Some(Value::Object(plain)) = remove(object, "stringData") else {
            return;
        };
        let Some(data) = ensure(object, "data") else {
            return;
        };
        for (key, value) in plain {
            let encoded = STANDARD.encode(value.as_str().unwrap_or(""));
            data.insert(key, encoded.into());
        }
    }

    fn validate(object: &core::Secret) -> Vec<Cause> {
        let mut causes = Vec::new();
        let mut size = 0;
        for (key, value) in object.data.iter().flatten() {
            causes.extend(invalid_each(&format!("data[{key}]"), key, format::config_key(key)));
            size += value.0.len();
        }
        if size > SIZE_MOST {
            causes.push(Cause::too_long("data", SIZE_MOST));
        }
        causes.extend(by_type(object));
        causes
    }

    fn validate_update(new: &core::Secret, old: &core::Secret, _: Option<Subresource>) -> Vec<Cause> {
        let mut causes = immutable("type", &new.type_, &old.type_);
        if old.immutable == Some(true) {
            if new.immutable != Some(true) {
                causes.push(Cause::forbidden("immutable", "field is immutable when `immutable` is set"));
            }
            if new.data != old.data {
                causes.push(Cause::forbidden("data", "field is immutable when `immutable` is set"));
            }
        }
        causes
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        vec![
            columns::name(object),
            object.text("type").into(),
            object.map("data").map_or(0, serde_json::Map::len).into(),
            columns::age(object, now),
        ]
    }
}

/// What a secret of a known type must hold.
fn by_type(object: &core::Secret) -> Vec<Cause> {
    let data = |key: &str| object.data.as_ref().and_then(|data| data.get(key));
    let required = |keys: &[&str]| -> Vec<Cause> {
        let missing = keys.iter().filter(|key| data(key).is_none());
        missing.map(|key| Cause::required(format!("data[{key}]"), "")).collect()
    };
    match object.type_.as_deref().unwrap_or("") {
        "kubernetes.io/service-account-token" => {
            let name = object.metadata.annotations.as_ref();
            let name = name.and_then(|map| map.get("kubernetes.io/service-account.name"));
            if name.is_none_or(String::is_empty) {
                let at = "metadata.annotations[kubernetes.io/service-account.name]";
                return vec![Cause::required(at, "")];
            }
            Vec::new()
        }
        "kubernetes.io/dockerconfigjson" => match data(DOCKER_CONFIG) {
            None => required(&[DOCKER_CONFIG]),
            Some(bytes) => match serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes.0) {
                Ok(_) => Vec::new(),
                Err(error) => {
                    let at = format!("data[{DOCKER_CONFIG}]");
                    vec![Cause::invalid(at, "<secret contents redacted>", error)]
                }
            },
        },
        "kubernetes.io/basic-auth" if data("username").is_none() && data("password").is_none() => {
            required(&["username", "password"])
        }
        "kubernetes.io/ssh-auth" => required(&["ssh-privatekey"]),
        "kubernetes.io/tls" => required(&["tls.crt", "tls.key"]),
        _ => Vec::new(),
    }
}
