//! What a path names.

use percent_encoding::percent_decode_str;

/// A path, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Path {
    /// `/`.
    Root,
    /// `/healthz`, `/livez`, `/readyz`, each perhaps with one check's name.
    Health(String),
    /// `/version`.
    Version,
    /// `/metrics`.
    Metrics,
    /// `/api`.
    Core,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1` and `/apis/GROUP/VERSION`.
    GroupVersion(String, String),
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`.
    OpenApiV3,
    /// `/openapi/v3/…`: what follows.
    OpenApiV3Document(String),
    /// `/raftsman/v1/status`: the store as this master sees it.
    StoreStatus,
    /// `/raftsman/v1/backup`.
    Backup,
    /// `/raftsman/v1/…`: what follows.
    Operation(Vec<String>),
    /// Objects.
    Resource(ResourcePath),
    /// Nothing that is served.
    Unknown,
}

/// A path of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    /// Empty for core.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `pods`.
    pub plural: String,
    /// Empty for cluster-scoped objects and all namespaces.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    /// Empty for the main resource.
    pub part: String,
    /// What follows the part (`proxy` paths).
    pub rest: String,
    /// The old form `/watch/…`.
    pub watch: bool,
}

/// Takes a path apart.
pub(crate) fn parse(path: &str) -> Path {
    let decoded: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match segments.as_slice() {
        [] => Path::Root,
        ["healthz" | "livez" | "readyz", ..] => Path::Health(segments.join("/")),
        ["version"] => Path::Version,
        ["metrics"] => Path::Metrics,
        ["raftsman", "v1", "status"] => Path::StoreStatus,
        ["raftsman", "v1", "backup"] => Path::Backup,
        ["raftsman", "v1", rest @ ..] if !rest.is_empty() => {
            Path::Operation(rest.iter().map(|word| (*word).to_owned()).collect())
        }
        ["api"] => Path::Core,
        ["apis"] => Path::Groups,
        ["apis", group] => Path::Group((*group).to_owned()),
        ["api", version] => Path::GroupVersion(String::new(), (*version).to_owned()),
        ["apis", group, version] => Path::GroupVersion((*group).to_owned(), (*version).to_owned()),
        ["openapi", "v2"] => Path::OpenApiV2,
        ["openapi", "v3"] => Path::OpenApiV3,
        ["openapi", "v3", rest @ ..] => Path::OpenApiV3Document(rest.join("/")),
        ["api", version, rest @ ..] => resource("", version, rest),
        ["apis", group, version, rest @ ..] => resource(group, version, rest),
        _ => Path::Unknown,
    }
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Path {
    let (watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (namespace, rest) = match rest {
        // A namespace itself, or a part of it.
        ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => ("", rest),
        ["namespaces", namespace, rest @ ..] => (*namespace, rest),
        rest => ("", rest),
    };
    let Some((plural, rest)) = rest.split_first() else {
        return Path::Unknown;
    };
    let at = |index: usize| rest.get(index).map_or(String::new(), |segment| (*segment).to_owned());
    Path::Resource(ResourcePath {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: (*plural).to_owned(),
        namespace: namespace.to_owned(),
        name: at(0),
        part: at(1),
        rest: rest.get(2..).unwrap_or(&[]).join("/"),
        watch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> String {
        match parse(path) {
            Path::Resource(r) => {
                format!("{}|{}|{}|{}|{}|{}|{}", r.group, r.version, r.plural, r.namespace, r.name, r.part, r.watch)
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn paths_are_taken_apart() {
        for (path, expected) in [
            ("/api/v1/pods", "|v1|pods||||false"),
            ("/api/v1/namespaces", "|v1|namespaces||||false"),
            ("/api/v1/namespaces/x", "|v1|namespaces||x||false"),
            ("/api/v1/namespaces/x/finalize", "|v1|namespaces||x|finalize|false"),
            ("/api/v1/namespaces/x/pods", "|v1|pods|x|||false"),
            ("/api/v1/namespaces/x/pods/p/log", "|v1|pods|x|p|log|false"),
            ("/api/v1/watch/namespaces/x/pods", "|v1|pods|x|||true"),
            ("/api/v1/nodes/n1", "|v1|nodes||n1||false"),
            ("/apis/apps/v1/namespaces/x/deployments/d/scale", "apps|v1|deployments|x|d|scale|false"),
            ("/apis/apps/v1", "GroupVersion(\"apps\", \"v1\")"),
            ("/openapi/v2", "OpenApiV2"),
            ("/openapi/v3/apis/apps/v1", "OpenApiV3Document(\"apis/apps/v1\")"),
            ("/raftsman/v1/members/m4", "Operation([\"members\", \"m4\"])"),
            ("/readyz/raft", "Health(\"readyz/raft\")"),
            ("/favicon.ico", "Unknown"),
        ] {
            assert_eq!(shown(path), expected, "{path}");
        }
    }
}
