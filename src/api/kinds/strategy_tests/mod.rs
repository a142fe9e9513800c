//! The way of an object through its strategy, as the API server walks it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod batch;
mod others;
mod pods;
mod random;
mod services;
mod workloads;

use crate::kind::{Moment, Strategy, Subresource};
use crate::status::Cause;
use crate::strict::parse_yaml_documents;
use crate::value::At;
use crate::{metadata, registry};
use serde_json::Value;

pub const NOW: &str = "2026-03-04T05:06:07Z";

pub fn yaml(text: &str) -> Value {
    parse_yaml_documents(text.as_bytes()).remove(0).parsed.unwrap().0
}

pub fn strategy(object: &Value) -> &'static dyn Strategy {
    let api = object.text("apiVersion");
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    registry::by_kind(group, version, object.text("kind")).expect("a served kind")
}

pub fn create(object: &Value) -> Result<Value, Vec<Cause>> {
    let strategy = strategy(object);
    let decoded = strategy.decode(object)?;
    assert_eq!(decoded.unknown, Vec::<String>::new());
    let mut object = decoded.object;
    strategy.default(&mut object);
    strategy.prepare_create(&mut object, &Moment { now: NOW.to_owned() });
    let mut again = object.clone();
    strategy.default(&mut again);
    assert_eq!(again, object, "defaults are idempotent");
    let mut causes = metadata::validate(&object, strategy.info());
    causes.extend(strategy.validate(&object));
    if causes.is_empty() { Ok(object) } else { Err(causes) }
}

pub fn update(object: &Value, old: &Value, part: Option<Subresource>) -> Result<Value, Vec<Cause>> {
    let strategy = strategy(object);
    let mut object = strategy.decode(object)?.object;
    strategy.default(&mut object);
    strategy.prepare_update(&mut object, old, part);
    let mut causes = strategy.validate(&object);
    causes.extend(strategy.validate_update(&object, old, part));
    if causes.is_empty() { Ok(object) } else { Err(causes) }
}

#[track_caller]
pub fn refused(object: &str, expected: &[&str]) {
    let causes = create(&yaml(object)).expect_err("it should be refused");
    let found: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "found    {found}\nexpected {expected}");
    }
}
