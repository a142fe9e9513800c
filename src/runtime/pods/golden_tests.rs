//! What an earlier version wrote is read, and what is written now can be read by an earlier version.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use crate::pods::status::{ContainerRecord, PodRecord};
use crate::supervisor::Processes;
use crate::supervisor::fence::FenceRecord;
use crate::supervisor::protocol::{Boot, Reply, Request, StartContainer, State};
use crate::supervisor::wire::{Inbox, frame};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/v1.json")).unwrap()
}

/// Everything of `old` is in `new`, unchanged.
fn assert_kept(old: &Value, new: &Value, at: &str) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let found = new.get(key).unwrap_or_else(|| panic!("{at}.{key} is no longer written"));
                assert_kept(value, found, &format!("{at}.{key}"));
            }
        }
        _ => assert_eq!(old, new, "{at}"),
    }
}

/// Calls `change` on every object that is a record: not on times, nor on what tells variants apart.
fn each_record(value: &mut Value, change: &impl Fn(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(all) => {
            all.values_mut().for_each(|inner| each_record(inner, change));
            let plain = !all.contains_key("secs_since_epoch");
            let variant = all.len() == 1 && all.keys().all(|key| key.starts_with(char::is_uppercase));
            if plain && !variant {
                change(all);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|inner| each_record(inner, change)),
        _ => {}
    }
}

/// Reads what was written, also with fields that only a later version knows, and without those that an earlier one lacks.
fn compatible<T: Serialize + DeserializeOwned>(old: &Value, at: &str) {
    let read =
        |value: &Value| serde_json::from_value::<T>(value.clone()).unwrap_or_else(|error| panic!("{at}: {error}"));
    let now = serde_json::to_value(read(old)).unwrap();
    assert_kept(old, &now, at);
    let mut later = old.clone();
    each_record(&mut later, &|all| {
        all.insert("of_a_later_version".to_owned(), json!({"some": ["thing"]}));
    });
    assert_eq!(serde_json::to_value(read(&later)).unwrap(), now, "{at}");
    let mut earlier = now.clone();
    let added =
        ["guard", "fqdn", "pids", "fenced", "fencing", "image", "message_from_log", "termination_message_from_log"];
    each_record(&mut earlier, &|all| all.retain(|key, value| !added.contains(&key.as_str()) && !value.is_null()));
    read(&earlier);
}

#[test]
fn files_are_read_across_versions() {
    let golden = golden();
    compatible::<Boot>(&golden["boot.json"], "boot.json");
    compatible::<PodRecord>(&golden["pod.json"], "pod.json");
    compatible::<ContainerRecord>(&golden["container.json"], "container.json");
    compatible::<StartContainer>(&golden["start.json"], "start.json");
    compatible::<State>(&golden["state.json"], "state.json");
    compatible::<FenceRecord>(&golden["fence.json"], "fence.json");
    compatible::<Processes>(&golden["supervisor.json"], "supervisor.json");
}

#[test]
fn frames_are_read_across_versions() {
    let golden = golden();
    for (at, request) in golden["requests"].as_array().unwrap().iter().enumerate() {
        compatible::<Request>(request, &format!("request {at}"));
    }
    for (at, reply) in golden["replies"].as_array().unwrap().iter().enumerate() {
        compatible::<Reply>(reply, &format!("reply {at}"));
    }
    // Whole, as bytes on the wire.
    let bytes = frame(&golden["requests"][1]).unwrap();
    assert_eq!(bytes[..4], u32::try_from(bytes.len() - 4).unwrap().to_be_bytes());
    let (mut left, right) = std::os::unix::net::UnixStream::pair().unwrap();
    std::io::Write::write_all(&mut left, &bytes).unwrap();
    let mut inbox = Inbox::default();
    inbox.fill(&right).unwrap();
    assert!(matches!(inbox.next::<Request>().unwrap(), Some(Request::Start(start)) if start.id == "c1"));
}

#[test]
fn what_a_container_may_do_is_never_a_default() {
    let mut start = golden()["start.json"].clone();
    start.as_object_mut().unwrap().remove("privileges");
    assert!(serde_json::from_value::<StartContainer>(start).is_err());
    let mut container = golden()["container.json"].clone();
    container["privileges"].as_object_mut().unwrap().remove("seccomp");
    assert!(serde_json::from_value::<ContainerRecord>(container).is_err());
}

#[test]
fn an_unknown_request_is_an_error_and_no_other_request() {
    let (mut left, right) = std::os::unix::net::UnixStream::pair().unwrap();
    std::io::Write::write_all(&mut left, &frame(&json!({"OfALaterVersion": {"id": "c1"}})).unwrap()).unwrap();
    let mut inbox = Inbox::default();
    inbox.fill(&right).unwrap();
    assert!(inbox.next::<Request>().unwrap_err().to_string().contains("OfALaterVersion"));
}
