//! What a kind is called and which parts it has.

/// A part of an object with a path of its own (`/status`, `/scale`, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subresource {
    /// `status`: get, update, patch.
    Status,
    /// `scale`: get, update, patch; `autoscaling/v1 Scale`.
    Scale,
    /// `binding`: create (pods).
    Binding,
    /// `eviction`: create (pods).
    Eviction,
    /// `log`: get (pods).
    Log,
    /// `exec`: connect (pods).
    Exec,
    /// `attach`: connect (pods).
    Attach,
    /// `portforward`: connect (pods).
    PortForward,
    /// `finalize`: update (namespaces).
    Finalize,
    /// `token`: create (service accounts).
    Token,
    /// `ephemeralcontainers`: get, update, patch (pods).
    EphemeralContainers,
}

impl Subresource {
    /// The path segment.
    pub fn path(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Binding => "binding",
            Self::Eviction => "eviction",
            Self::Log => "log",
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "portforward",
            Self::Finalize => "finalize",
            Self::Token => "token",
            Self::EphemeralContainers => "ephemeralcontainers",
        }
    }
}

/// A column of `kubectl get` (`meta.k8s.io/v1 TableColumnDefinition`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Header.
    pub name: &'static str,
    /// OpenAPI type: `string`, `integer`, `date`.
    pub kind: &'static str,
    /// OpenAPI format, `name` for the first column.
    pub format: &'static str,
    /// 0 is always shown, 1 with `-o wide`.
    pub priority: i32,
    /// Help text.
    pub description: &'static str,
}

/// Names and scope of a served kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindInfo {
    /// API group; empty for core.
    pub group: &'static str,
    /// Served and stored version.
    pub version: &'static str,
    /// `Deployment`.
    pub kind: &'static str,
    /// `deployments`.
    pub plural: &'static str,
    /// `deployment`.
    pub singular: &'static str,
    /// `deploy`.
    pub short_names: &'static [&'static str],
    /// `all`.
    pub categories: &'static [&'static str],
    /// Lives in a namespace.
    pub namespaced: bool,
    /// Parts with paths of their own.
    pub subresources: &'static [Subresource],
    /// `metadata.generation` counts changes of the spec.
    pub counts_generations: bool,
}

impl KindInfo {
    /// `apps/v1`, or `v1` for core.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The key's form of group and resource: `apps/deployments`, or `pods` for core.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}/{}", self.group, self.plural) }
    }

    /// `deployments.apps`, or `pods` for core: as messages name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The official name of the kind's schema: `io.k8s.api.apps.v1.Deployment`.
    pub fn definition(&self) -> String {
        let group = match self.group.split_once('.') {
            _ if self.group.is_empty() => "core",
            Some((first, _)) => first,
            None => self.group,
        };
        format!("io.k8s.api.{group}.{}.{}", self.version, self.kind)
    }

    /// It has this part.
    pub fn has(&self, part: Subresource) -> bool {
        self.subresources.contains(&part)
    }
}
