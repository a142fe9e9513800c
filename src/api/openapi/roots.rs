//! Types that paths name besides the kinds themselves.

use crate::schema::Roots;
use k8s_openapi::api::{autoscaling, core, policy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

/// Adds them.
pub(crate) fn add_roots(roots: &mut Roots) {
    roots.add::<meta::APIResourceList>();
    roots.add::<meta::DeleteOptions>();
    roots.add::<meta::Patch>();
    roots.add::<meta::Status>();
    roots.add::<autoscaling::v1::Scale>();
    roots.add::<core::v1::Binding>();
    roots.add::<policy::v1::Eviction>();
}
