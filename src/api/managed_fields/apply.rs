//! Server-side apply: the configuration of one manager joined with the object as it stands.

use super::compare::{Parts, Walk, all_paths, compare, item_step, list_kind};
use super::entry::{Entry, Operation, read, write};
use super::{Set, last_applied};
use crate::kind::KindInfo;
use crate::registry;
use crate::schema::{FieldRule, ListKind, Shape};
use serde_json::{Map, Value, json};

/// Fields that another manager owns with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Who owns them.
    pub manager: String,
    /// How the owner came to them, as messages say it: `Update` or `Apply`, with the subresource.
    pub using: String,
    /// Paths such as `.spec.replicas`.
    pub fields: Vec<String>,
}

/// The object that `manager` applying `config` makes of `live` (nothing: `config` itself), ownership recorded. Both
/// are decoded; defaults come after. `now` is RFC 3339 with seconds.
///
/// # Errors
/// The conflicts, unless `force` takes the fields over.
pub fn apply(
    info: &KindInfo,
    live: Option<&Value>,
    config: &Value,
    manager: &str,
    subresource: &str,
    force: bool,
    now: &str,
) -> Result<Value, Vec<Conflict>> {
    let shape = registry::shape(info);
    let walk = Walk { definitions: registry::definitions() };
    let mut entries = live.map(read).unwrap_or_default();
    let mut owned = all_paths(shape, config);
    owned.strip(info, subresource);
    let empty = json!({});
    let live = live.unwrap_or(&empty);
    let mut merged = walk.merged(shape, None, live, config);

    let mine = |entry: &Entry| {
        entry.manager == manager && entry.operation == Operation::Apply && entry.subresource == subresource
    };
    // What this manager applied before, applies no more, and nobody else owns, goes.
    if let Some(before) = entries.iter().find(|entry| mine(entry)) {
        let others = entries.iter().filter(|entry| !mine(entry));
        let others = others.fold(owned.clone(), |all, entry| all.union(&entry.fields));
        let gone = before.fields.without(&others);
        walk.prune(shape, None, &mut merged, &gone, &others);
    }

    let difference = compare(shape, Some(live), &merged);
    let mut changed = difference.added.union(&difference.modified);
    changed.strip(info, subresource);
    // What kubectl applied on the client's side is its own, under whatever name.
    let yields = match manager {
        last_applied::KUBECTL if !force && subresource.is_empty() => last_applied::unchanged(info, live),
        _ => Set::default(),
    };
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|entry| !mine(entry)) {
        let taken = entry.fields.intersection(&changed);
        let refused = if force { Set::default() } else { taken.without(&yields) };
        entry.fields = entry.fields.without(&taken);
        if refused.is_empty() {
            continue;
        }
        let using = match (entry.operation, entry.subresource.as_str()) {
            (operation, "") => operation.name().to_owned(),
            (operation, part) => format!("{} with subresource \"{part}\"", operation.name()),
        };
        conflicts.push(Conflict { manager: entry.manager.clone(), using, fields: refused.paths() });
    }
    if !conflicts.is_empty() {
        return Err(conflicts);
    }
    for entry in &mut entries {
        entry.fields = entry.fields.without(&difference.removed);
    }
    record(&mut entries, info, manager, subresource, owned, now);
    write(&mut merged, entries);
    if manager == last_applied::KUBECTL && subresource.is_empty() {
        last_applied::keep(&mut merged, config);
    }
    Ok(merged)
}

fn record(entries: &mut Vec<Entry>, info: &KindInfo, manager: &str, subresource: &str, owned: Set, now: &str) {
    let found = entries.iter_mut().find(|entry| {
        entry.manager == manager && entry.operation == Operation::Apply && entry.subresource == subresource
    });
    match found {
        Some(entry) if entry.fields == owned => {}
        Some(entry) => {
            entry.fields = owned;
            entry.time = now.to_owned();
        }
        None => entries.push(Entry {
            manager: manager.to_owned(),
            operation: Operation::Apply,
            subresource: subresource.to_owned(),
            api_version: info.api_version(),
            time: now.to_owned(),
            fields: owned,
        }),
    }
}

impl Walk {
    /// `config` over `live`: maps and keyed lists join, everything else is replaced.
    fn merged(&self, shape: &Shape, rule: Option<&FieldRule>, live: &Value, config: &Value) -> Value {
        match (self.parts(shape, rule, live), self.parts(shape, rule, config)) {
            (Parts::Fields(_), Parts::Leaf) if config.as_object().is_some_and(Map::is_empty) => live.clone(),
            (Parts::Items(_), Parts::Leaf) if config.as_array().is_some_and(Vec::is_empty) => live.clone(),
            (Parts::Fields(_), Parts::Fields(changes)) => {
                let mut out = live.as_object().cloned().unwrap_or_default();
                for (name, change) in changes {
                    let (shape, rule) = self.field(shape, name);
                    let value =
                        out.get(name).map_or_else(|| change.clone(), |have| self.merged(shape, rule, have, change));
                    out.insert(name.to_owned(), value);
                }
                Value::Object(out)
            }
            (Parts::Items(_), Parts::Items(_)) => self.merged_list(shape, rule, live, config),
            _ => config.clone(),
        }
    }

    fn merged_list(&self, shape: &Shape, rule: Option<&FieldRule>, live: &Value, config: &Value) -> Value {
        let kind = list_kind(rule);
        let items = if let Shape::List(items) = shape { items } else { &Shape::Any };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (mut out, changes) = (list(live), list(config));
        // New items follow what they follow in the configuration.
        let mut after: Option<usize> = None;
        for change in changes {
            let step = item_step(kind, &change);
            match out.iter().position(|have| item_step(kind, have) == step) {
                Some(at) => {
                    if let Some(have) = out.get_mut(at) {
                        *have = self.merged(items, None, have, &change);
                    }
                    after = Some(at);
                }
                None => {
                    let at = after.map_or(out.len(), |at| at + 1);
                    out.insert(at, change);
                    after = Some(at);
                }
            }
        }
        Value::Array(out)
    }

    /// Removes the paths of `gone`; a path that still holds something of `kept` stays around it.
    fn prune(&self, shape: &Shape, rule: Option<&FieldRule>, value: &mut Value, gone: &Set, kept: &Set) {
        let none = Set::default();
        match value {
            Value::Object(map) => {
                let names: Vec<String> = map.keys().cloned().collect();
                for name in names {
                    let step = format!("f:{name}");
                    let Some(gone) = gone.children.get(&step) else {
                        continue;
                    };
                    let kept = kept.children.get(&step).unwrap_or(&none);
                    if gone.member && kept.is_empty() {
                        map.remove(&name);
                    } else if let Some(value) = map.get_mut(&name) {
                        let (shape, rule) = self.field(shape, &name);
                        self.prune(shape, rule, value, gone, kept);
                    }
                }
            }
            Value::Array(list) => {
                let kind = list_kind(rule);
                if !matches!(kind, ListKind::Map(_) | ListKind::Set) {
                    return;
                }
                let items = if let Shape::List(items) = shape { items } else { &Shape::Any };
                list.retain_mut(|item| {
                    let step = item_step(kind, item);
                    let Some(gone) = gone.children.get(&step) else {
                        return true;
                    };
                    let kept = kept.children.get(&step).unwrap_or(&none);
                    if gone.member && kept.is_empty() {
                        return false;
                    }
                    self.prune(items, None, item, gone, kept);
                    true
                });
            }
            _ => {}
        }
    }
}
