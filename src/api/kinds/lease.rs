//! `coordination.k8s.io/v1 Lease`.

use crate::kind::{Column, Kind, KindInfo};
use crate::kinds::columns::{self, AGE, NAME, text};
use crate::kinds::template::nonnegative;
use crate::status::Cause;
use crate::value::{At, set_default};
use k8s_openapi::api::coordination::v1 as coordination;
use serde_json::{Value, json};

/// Leases.
pub struct Lease;

impl Kind for Lease {
    type Object = coordination::Lease;

    const INFO: KindInfo = KindInfo {
        group: "coordination.k8s.io",
        version: "v1",
        kind: "Lease",
        plural: "leases",
        singular: "lease",
        short_names: &[],
        categories: &[],
        namespaced: true,
        subresources: &[],
        counts_generations: false,
    };

    const CREATES_ON_UPDATE: bool = true;

    const COLUMNS: &'static [Column] =
        &[NAME, text("Holder", "holderIdentity contains the identity of the holder of a current lease."), AGE];

    fn default(object: &mut Value) {
        set_default(object, "spec", json!({}));
    }

    fn validate(object: &coordination::Lease) -> Vec<Cause> {
        let Some(spec) = &object.spec else {
            return Vec::new();
        };
        let mut causes = Vec::new();
        if let Some(seconds) = spec.lease_duration_seconds
            && seconds <= 0
        {
            causes.push(Cause::invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
        }
        causes.extend(nonnegative("spec.leaseTransitions", spec.lease_transitions));
        causes
    }

    fn cells(object: &Value, now: &str) -> Vec<Value> {
        vec![columns::name(object), object.text("spec.holderIdentity").into(), columns::age(object, now)]
    }
}
