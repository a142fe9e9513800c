//! `v1 ServiceAccount`.

use crate::kind::{Column, Kind, KindInfo};
use crate::kinds::columns::{self, AGE, NAME, text};
use crate::status::Cause;
use crate::value::At;
use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

/// Service accounts.
pub struct ServiceAccount;

impl Kind for ServiceAccount {
    type Object = core::ServiceAccount;

    const INFO: KindInfo = KindInfo {
        group: "",
        version: "v1",
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short_names: &["sa"],
        categories: &[],
        namespaced: true,
        subresources: &[],
        counts_generations: false,
    };

    const COLUMNS: &'static [Column] =
        &[NAME, text("Secrets", "Number of secrets that pods running under this account may use."), AGE];

    fn validate(_: &core::ServiceAccount) -> Vec<Cause> {
        Vec::new()
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        vec![columns::name(object), object.list("secrets").len().into(), columns::age(object, now)]
    }
}
