//! `networking.k8s.io/v1 IPAddress`: one address that a Service holds.

use crate::cause::immutable;
use crate::kind::{Column, Kind, KindInfo, Subresource};
use crate::kinds::columns::{self, AGE, NAME, or_none, text};
use crate::status::Cause;
use crate::value::At;
use k8s_openapi::api::networking::v1 as networking;
use serde_json::Value;

/// IP addresses.
pub struct IpAddress;

impl Kind for IpAddress {
    type Object = networking::IPAddress;

    const INFO: KindInfo = KindInfo {
        group: "networking.k8s.io",
        version: "v1",
        kind: "IPAddress",
        plural: "ipaddresses",
        singular: "ipaddress",
        short_names: &["ip"],
        categories: &[],
        namespaced: false,
        subresources: &[],
        counts_generations: true,
    };

    const COLUMNS: &'static [Column] =
        &[NAME, text("ParentRef", "ParentRef references the resource that an IPAddress is attached to."), AGE];

    const SELECTABLE: &'static [&'static str] = &[];

    fn validate(object: &networking::IPAddress) -> Vec<Cause> {
        let spec = &object.spec;
        let mut causes = Vec::new();
        if spec.parent_ref.resource.is_empty() {
            causes.push(Cause::required("spec.parentRef.resource", ""));
        }
        if spec.parent_ref.name.is_empty() {
            causes.push(Cause::required("spec.parentRef.name", ""));
        }
        causes
    }

    fn validate_update(new: &networking::IPAddress, old: &networking::IPAddress, _: Option<Subresource>) -> Vec<Cause> {
        immutable("spec.parentRef", &new.spec.parent_ref, &old.spec.parent_ref)
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        let parent = object.at("spec.parentRef");
        let resource = match parent.text("group") {
            "" => parent.text("resource").to_owned(),
            group => format!("{}.{group}", parent.text("resource")),
        };
        let shown = [resource.as_str(), parent.text("namespace"), parent.text("name")];
        let shown: Vec<&str> = shown.into_iter().filter(|part| !part.is_empty()).collect();
        vec![columns::name(object), or_none(&shown.join("/")), columns::age(object, now)]
    }
}
