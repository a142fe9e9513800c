//! The one table of how lists and maps merge: upstream's `patchStrategy`, `patchMergeKey`, `listType`, `listMapKey`
//! and `mapType` tags, which the published schemas' plain part does not carry.

/// Who owns what in a list (`x-kubernetes-list-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// One value.
    Atomic,
    /// Scalars, each owned by itself.
    Set,
    /// Items told apart by these fields.
    Map(&'static [&'static str]),
    /// A map that is one value (`x-kubernetes-map-type: atomic`).
    AtomicMap,
    /// Not tagged.
    Untagged,
}

/// `x-kubernetes-patch-strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchStrategy {
    /// Not tagged: lists are replaced, objects merged.
    Replace,
    /// `merge`.
    Merge,
    /// `merge,retainKeys`.
    MergeRetainKeys,
    /// `retainKeys`.
    RetainKeys,
}

/// One field's row.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// Definition and field names.
    pub definition: &'static str,
    /// JSON name of the field.
    pub field: &'static str,
    /// Ownership.
    pub list: ListKind,
    /// Strategic merge.
    pub strategy: PatchStrategy,
    /// `x-kubernetes-patch-merge-key`, empty for lists of scalars.
    pub merge_key: &'static str,
}

use ListKind::{Atomic, AtomicMap, Map, Set, Untagged};
use PatchStrategy::{Merge, MergeRetainKeys, Replace, RetainKeys};

const fn row(
    definition: &'static str,
    field: &'static str,
    list: ListKind,
    strategy: PatchStrategy,
    merge_key: &'static str,
) -> FieldRule {
    FieldRule { definition, field, list, strategy, merge_key }
}

const fn atomic(definition: &'static str, field: &'static str) -> FieldRule {
    row(definition, field, Atomic, Replace, "")
}

const fn keyed(definition: &'static str, field: &'static str, keys: &'static [&'static str]) -> FieldRule {
    row(definition, field, Map(keys), Merge, keys[0])
}

/// The rows, in short names: `core.PodSpec` stands for `io.k8s.api.core.v1.PodSpec`, `meta.ObjectMeta` for
/// `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`.
pub static MERGE_KEYS: &[FieldRule] = &[
    keyed("core.PodSpec", "containers", &["name"]),
    keyed("core.PodSpec", "initContainers", &["name"]),
    keyed("core.PodSpec", "ephemeralContainers", &["name"]),
    row("core.PodSpec", "volumes", Map(&["name"]), MergeRetainKeys, "name"),
    keyed("core.PodSpec", "imagePullSecrets", &["name"]),
    keyed("core.PodSpec", "hostAliases", &["ip"]),
    keyed("core.PodSpec", "schedulingGates", &["name"]),
    row("core.PodSpec", "resourceClaims", Map(&["name"]), MergeRetainKeys, "name"),
    keyed("core.PodSpec", "topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    atomic("core.PodSpec", "tolerations"),
    atomic("core.PodSpec", "readinessGates"),
    row("core.PodSpec", "nodeSelector", AtomicMap, Replace, ""),
    keyed("core.Container", "ports", &["containerPort", "protocol"]),
    keyed("core.Container", "env", &["name"]),
    keyed("core.Container", "volumeMounts", &["mountPath"]),
    keyed("core.Container", "volumeDevices", &["devicePath"]),
    atomic("core.Container", "args"),
    atomic("core.Container", "command"),
    atomic("core.Container", "envFrom"),
    atomic("core.Container", "resizePolicy"),
    atomic("core.Container", "restartPolicyRules"),
    keyed("core.EphemeralContainer", "ports", &["containerPort", "protocol"]),
    keyed("core.EphemeralContainer", "env", &["name"]),
    keyed("core.EphemeralContainer", "volumeMounts", &["mountPath"]),
    keyed("core.EphemeralContainer", "volumeDevices", &["devicePath"]),
    atomic("core.EphemeralContainer", "args"),
    atomic("core.EphemeralContainer", "command"),
    atomic("core.EphemeralContainer", "envFrom"),
    atomic("core.EphemeralContainer", "resizePolicy"),
    atomic("core.EphemeralContainer", "restartPolicyRules"),
    row("core.ResourceRequirements", "claims", Map(&["name"]), Replace, ""),
    atomic("core.HostAlias", "hostnames"),
    atomic("core.PodDNSConfig", "nameservers"),
    atomic("core.PodDNSConfig", "options"),
    atomic("core.PodDNSConfig", "searches"),
    atomic("core.PodSecurityContext", "supplementalGroups"),
    atomic("core.PodSecurityContext", "sysctls"),
    atomic("core.Capabilities", "add"),
    atomic("core.Capabilities", "drop"),
    atomic("core.NodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"),
    atomic("core.PodAffinity", "preferredDuringSchedulingIgnoredDuringExecution"),
    atomic("core.PodAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
    atomic("core.PodAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution"),
    atomic("core.PodAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
    atomic("core.PodAffinityTerm", "namespaces"),
    atomic("core.PodAffinityTerm", "matchLabelKeys"),
    atomic("core.PodAffinityTerm", "mismatchLabelKeys"),
    atomic("core.NodeSelector", "nodeSelectorTerms"),
    atomic("core.NodeSelectorTerm", "matchExpressions"),
    atomic("core.NodeSelectorTerm", "matchFields"),
    atomic("core.NodeSelectorRequirement", "values"),
    atomic("core.TopologySpreadConstraint", "matchLabelKeys"),
    atomic("core.ExecAction", "command"),
    atomic("core.HTTPGetAction", "httpHeaders"),
    atomic("core.ConfigMapVolumeSource", "items"),
    atomic("core.SecretVolumeSource", "items"),
    atomic("core.DownwardAPIVolumeSource", "items"),
    atomic("core.ConfigMapProjection", "items"),
    atomic("core.SecretProjection", "items"),
    atomic("core.DownwardAPIProjection", "items"),
    atomic("core.ProjectedVolumeSource", "sources"),
    keyed("core.PodStatus", "conditions", &["type"]),
    keyed("core.PodStatus", "podIPs", &["ip"]),
    row("core.PodStatus", "hostIPs", Atomic, Merge, "ip"),
    atomic("core.PodStatus", "containerStatuses"),
    atomic("core.PodStatus", "initContainerStatuses"),
    atomic("core.PodStatus", "ephemeralContainerStatuses"),
    row("core.PodStatus", "resourceClaimStatuses", Map(&["name"]), MergeRetainKeys, "name"),
    keyed("core.ContainerStatus", "volumeMounts", &["mountPath"]),
    keyed("core.ContainerStatus", "allocatedResourcesStatus", &["name"]),
    keyed("core.ServiceSpec", "ports", &["port", "protocol"]),
    atomic("core.ServiceSpec", "clusterIPs"),
    atomic("core.ServiceSpec", "externalIPs"),
    atomic("core.ServiceSpec", "ipFamilies"),
    atomic("core.ServiceSpec", "loadBalancerSourceRanges"),
    row("core.ServiceSpec", "selector", AtomicMap, Replace, ""),
    keyed("core.ServiceStatus", "conditions", &["type"]),
    atomic("core.LoadBalancerStatus", "ingress"),
    atomic("core.LoadBalancerIngress", "ports"),
    atomic("core.Endpoints", "subsets"),
    atomic("core.EndpointSubset", "addresses"),
    atomic("core.EndpointSubset", "notReadyAddresses"),
    atomic("core.EndpointSubset", "ports"),
    row("core.NodeSpec", "podCIDRs", Set, Merge, ""),
    atomic("core.NodeSpec", "taints"),
    keyed("core.NodeStatus", "conditions", &["type"]),
    keyed("core.NodeStatus", "addresses", &["type"]),
    atomic("core.NodeStatus", "images"),
    atomic("core.NodeStatus", "runtimeHandlers"),
    atomic("core.NodeStatus", "volumesAttached"),
    atomic("core.NodeStatus", "volumesInUse"),
    atomic("core.ContainerImage", "names"),
    atomic("core.NamespaceSpec", "finalizers"),
    keyed("core.NamespaceStatus", "conditions", &["type"]),
    keyed("core.ServiceAccount", "secrets", &["name"]),
    atomic("core.ServiceAccount", "imagePullSecrets"),
    row("core.ReplicationControllerSpec", "selector", AtomicMap, Replace, ""),
    keyed("core.ReplicationControllerStatus", "conditions", &["type"]),
    row("apps.DeploymentSpec", "strategy", Untagged, RetainKeys, ""),
    keyed("apps.DeploymentStatus", "conditions", &["type"]),
    keyed("apps.ReplicaSetStatus", "conditions", &["type"]),
    keyed("apps.StatefulSetStatus", "conditions", &["type"]),
    atomic("apps.StatefulSetSpec", "volumeClaimTemplates"),
    row("batch.JobStatus", "conditions", Atomic, Merge, "type"),
    row("batch.UncountedTerminatedPods", "succeeded", Set, Replace, ""),
    row("batch.UncountedTerminatedPods", "failed", Set, Replace, ""),
    atomic("batch.PodFailurePolicy", "rules"),
    atomic("batch.PodFailurePolicyRule", "onPodConditions"),
    row("batch.PodFailurePolicyOnExitCodesRequirement", "values", Set, Replace, ""),
    atomic("batch.SuccessPolicy", "rules"),
    atomic("core.PersistentVolumeClaimSpec", "accessModes"),
    atomic("core.PersistentVolumeClaimStatus", "accessModes"),
    keyed("core.PersistentVolumeClaimStatus", "conditions", &["type"]),
    atomic("core.PersistentVolumeSpec", "accessModes"),
    atomic("core.PersistentVolumeSpec", "mountOptions"),
    atomic("storage.StorageClass", "mountOptions"),
    atomic("storage.StorageClass", "allowedTopologies"),
    atomic("core.TopologySelectorTerm", "matchLabelExpressions"),
    atomic("core.TopologySelectorLabelRequirement", "values"),
    atomic("discovery.EndpointSlice", "endpoints"),
    atomic("discovery.EndpointSlice", "ports"),
    row("discovery.Endpoint", "addresses", Set, Replace, ""),
    atomic("discovery.EndpointHints", "forZones"),
    atomic("discovery.EndpointHints", "forNodes"),
    row("meta.ObjectMeta", "finalizers", Set, Merge, ""),
    keyed("meta.ObjectMeta", "ownerReferences", &["uid"]),
    row("meta.ObjectMeta", "managedFields", Untagged, Replace, ""),
    atomic("meta.LabelSelector", "matchExpressions"),
    atomic("meta.LabelSelectorRequirement", "values"),
];

/// What a list's key field that is not given stands for: upstream's schemas default it before items are told apart.
const KEY_DEFAULTS: &[(&str, &str)] = &[("protocol", "TCP")];

/// Types that are one value (`x-kubernetes-map-type: atomic` on the type).
const ATOMIC_TYPES: &[&str] = &[
    "core.ConfigMapKeySelector",
    "core.EndpointAddress",
    "core.EndpointPort",
    "core.LocalObjectReference",
    "core.NodeSelector",
    "core.NodeSelectorTerm",
    "core.ObjectFieldSelector",
    "core.ObjectReference",
    "core.FileKeySelector",
    "core.ResourceFieldSelector",
    "core.SecretKeySelector",
    "core.SecretReference",
    "core.TopologySelectorTerm",
    "core.TypedLocalObjectReference",
    "discovery.EndpointPort",
    "meta.LabelSelector",
    "meta.OwnerReference",
];

/// `core.PodSpec` from `io.k8s.api.core.v1.PodSpec`.
fn short(definition: &str) -> Option<String> {
    if let Some(name) = definition.strip_prefix("io.k8s.apimachinery.pkg.apis.meta.v1.") {
        return Some(format!("meta.{name}"));
    }
    let (group, name) = definition.strip_prefix("io.k8s.api.")?.split_once(".v1.")?;
    Some(format!("{group}.{name}"))
}

/// The row of a field of a definition, both by their official names.
pub fn rule(definition: &str, field: &str) -> Option<&'static FieldRule> {
    let definition = short(definition)?;
    MERGE_KEYS.iter().find(|row| row.field == field && row.definition == definition)
}

/// What a key field of a [`ListKind::Map`] is where an item does not say.
pub fn key_default(key: &str) -> Option<&'static str> {
    KEY_DEFAULTS.iter().find(|(name, _)| *name == key).map(|(_, default)| *default)
}

/// The definition is one value for ownership.
pub fn atomic_type(definition: &str) -> bool {
    short(definition).is_some_and(|name| ATOMIC_TYPES.contains(&name.as_str()))
}
