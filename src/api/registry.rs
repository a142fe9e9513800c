//! The list of served kinds.

use crate::kind::{Kind, KindInfo, Strategy, Typed};
use crate::kinds;
use crate::schema::{Definitions, Roots, Shape};
use serde_json::{Map, Value};
use std::sync::OnceLock;

macro_rules! registry {
    ($($kind:ty,)*) => {
        static ALL: &[&dyn Strategy] = &[$(&Typed::<$kind>::NEW),*];

        fn roots() -> Roots {
            let mut roots = Roots::default();
            $(
                roots.add::<<$kind as Kind>::Object>();
            )*
            roots
        }
    };
}

registry! {
    kinds::Namespace,
    kinds::ConfigMap,
    kinds::Secret,
    kinds::ServiceAccount,
    kinds::Pod,
    kinds::Node,
    kinds::Event,
    kinds::Service,
    kinds::Endpoints,
    kinds::ReplicationController,
    kinds::ReplicaSet,
    kinds::Deployment,
    kinds::StatefulSet,
    kinds::ControllerRevision,
    kinds::EndpointSlice,
    kinds::Lease,
    kinds::IpAddress,
    kinds::PriorityClass,
    kinds::Job,
    kinds::PersistentVolumeClaim,
    kinds::PersistentVolume,
    kinds::StorageClass,
}

/// Every served kind.
pub fn all() -> &'static [&'static dyn Strategy] {
    ALL
}

/// The kind at `/apis/GROUP/VERSION/…/PLURAL` (`group` is empty for core).
pub fn by_resource(group: &str, version: &str, plural: &str) -> Option<&'static dyn Strategy> {
    ALL.iter().copied().find(|strategy| {
        let info = strategy.info();
        info.group == group && info.version == version && info.plural == plural
    })
}

/// The kind that an object names by `apiVersion` and `kind`.
pub fn by_kind(group: &str, version: &str, kind: &str) -> Option<&'static dyn Strategy> {
    ALL.iter().copied().find(|strategy| {
        let info = strategy.info();
        info.group == group && info.version == version && info.kind == kind
    })
}

/// The kind that a person means by `deploy`, `deployment`, `Deployments`, `deployments.apps` or `deployments.v1.apps`.
pub fn by_name_or_short(text: &str) -> Option<&'static dyn Strategy> {
    let text = text.to_ascii_lowercase();
    let (name, group) = text.split_once('.').map_or((text.as_str(), None), |(name, group)| (name, Some(group)));
    ALL.iter().copied().find(|strategy| {
        let info = strategy.info();
        let named = info.plural == name
            || info.singular == name
            || info.short_names.contains(&name)
            || info.kind.eq_ignore_ascii_case(name);
        let versioned = format!("{}.{}", info.version, info.group);
        named && group.is_none_or(|group| group == info.group || group == versioned.trim_end_matches('.'))
    })
}

/// JSON schemas of all served types by official definition name, as their types write them.
pub fn schemas() -> &'static Map<String, Value> {
    static SCHEMAS: OnceLock<Map<String, Value>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let mut roots = roots();
        crate::openapi::add_roots(&mut roots);
        roots.schemas()
    })
}

/// The shapes of all served types.
pub fn definitions() -> &'static Definitions {
    static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();
    DEFINITIONS.get_or_init(|| Definitions::new(schemas()))
}

/// The shape of a kind's objects.
pub fn shape(info: &KindInfo) -> &'static Shape {
    definitions().by_name(&info.definition()).unwrap_or(&Shape::Any)
}
