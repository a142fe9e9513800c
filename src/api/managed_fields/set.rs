//! A set of field paths: FieldsV1's own trie.

use crate::kind::{KindInfo, Subresource};
use crate::registry;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Paths of fields. A step is `f:name`, `k:{"key":"value"}`, `v:"value"` or `i:index`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// This very path is in the set.
    pub(crate) member: bool,
    pub(crate) children: BTreeMap<String, Set>,
}

/// Metadata that nobody owns.
const UNOWNED: &[&str] = &[
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

impl Set {
    /// Nothing is in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    /// Reads FieldsV1; `None` for what is none.
    pub fn from_json(fields: &Value) -> Option<Self> {
        let mut out = Self::default();
        for (step, below) in fields.as_object()? {
            if step == "." {
                out.member = true;
                continue;
            }
            matches!(step.split_once(':')?.0, "f" | "k" | "v" | "i").then_some(())?;
            let mut child = Self::from_json(below)?;
            // `{}` is a path itself; one with steps below says so by `.`.
            child.member |= below.as_object().is_some_and(Map::is_empty);
            out.children.insert(step.clone(), child);
        }
        Some(out)
    }

    /// Writes FieldsV1.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        let below: Vec<_> = self.children.iter().filter(|(_, child)| !child.is_empty()).collect();
        if self.member && !below.is_empty() {
            out.insert(".".to_owned(), json!({}));
        }
        for (step, child) in below {
            out.insert(step.clone(), child.to_json());
        }
        Value::Object(out)
    }

    pub(crate) fn child(&mut self, step: String) -> &mut Self {
        self.children.entry(step).or_default()
    }

    /// In either.
    pub fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.member |= other.member;
        for (step, theirs) in &other.children {
            let mine = out.children.entry(step.clone()).or_default();
            *mine = mine.union(theirs);
        }
        out
    }

    /// In this one and not in the other.
    pub fn without(&self, other: &Self) -> Self {
        let mut out = Self { member: self.member && !other.member, children: BTreeMap::new() };
        for (step, mine) in &self.children {
            let left = other.children.get(step).map_or_else(|| mine.clone(), |theirs| mine.without(theirs));
            if !left.is_empty() {
                out.children.insert(step.clone(), left);
            }
        }
        out
    }

    /// In both.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut out = Self { member: self.member && other.member, children: BTreeMap::new() };
        for (step, mine) in &self.children {
            let Some(theirs) = other.children.get(step) else {
                continue;
            };
            let both = mine.intersection(theirs);
            if !both.is_empty() {
                out.children.insert(step.clone(), both);
            }
        }
        out
    }

    /// The paths as people write them: `.spec.replicas`.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.collect(String::new(), &mut out);
        out
    }

    fn collect(&self, path: String, out: &mut Vec<String>) {
        if self.member {
            out.push(path.clone());
        }
        for (step, child) in &self.children {
            let next = match step.split_once(':') {
                Some(("f", name)) => format!("{path}.{name}"),
                Some(("k", keys)) => format!("{path}[{}]", keyed(keys)),
                Some(("v", value)) => format!("{path}[={value}]"),
                _ => format!("{path}[{}]", step.trim_start_matches("i:")),
            };
            child.collect(next, out);
        }
    }

    /// What lies at or below dotted paths.
    fn within(&self, paths: &[&str]) -> Self {
        let mut out = Self::default();
        for path in paths {
            let steps = || path.split('.').map(|step| format!("f:{step}"));
            if let Some(found) = steps().try_fold(self, |set, step| set.children.get(&step)) {
                *steps().fold(&mut out, Self::child) = found.clone();
            }
        }
        out
    }

    /// Takes out what nobody owns, and what a write to this part cannot change.
    pub(crate) fn strip(&mut self, info: &KindInfo, subresource: &str) {
        self.member = false;
        for step in ["f:apiVersion", "f:kind"] {
            self.children.remove(step);
        }
        if subresource.is_empty() && info.has(Subresource::Status) {
            self.children.remove("f:status");
        }
        let part = info.subresources.iter().copied().find(|part| part.path() == subresource);
        let kind = registry::by_resource(info.group, info.version, info.plural);
        if let Some(paths) = kind.and_then(|kind| kind.writes(part)) {
            *self = self.within(paths);
        }
        if let Some(metadata) = self.children.get_mut("f:metadata") {
            metadata.member = false;
            for field in UNOWNED {
                metadata.children.remove(&format!("f:{field}"));
            }
            // As it is read back: a set with nothing in it is not written.
            if metadata.is_empty() {
                self.children.remove("f:metadata");
            }
        }
    }
}

fn keyed(keys: &str) -> String {
    let map: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
    map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
