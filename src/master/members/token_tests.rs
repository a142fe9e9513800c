#![allow(clippy::unwrap_used)]

use super::token::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use raftsman_api::config::Role;
use serde_json::{Value, json};

fn secret(fields: &[(&str, &str)]) -> Value {
    let mut data = serde_json::Map::new();
    let usual = [
        ("token-hash", hash("s3cret")),
        ("expiration", "2030-01-01T00:00:00Z".into()),
        ("usage-raftsman-join", "master".into()),
    ];
    for (name, value) in usual.iter().map(|(n, v)| (*n, v.as_str())).chain(fields.iter().copied()) {
        data.insert(name.to_owned(), STANDARD.encode(value).into());
    }
    json!({ "type": "bootstrap.kubernetes.io/token", "data": data })
}

#[test]
fn a_token_is_for_one_host_one_purpose_and_some_time() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let (before, after) = (at("2029-12-31T23:59:59Z"), at("2030-01-01T00:00:00Z"));
    let judged = |secret: &Value, given: &str, role, now| judge(Some(secret), given, (role, "m4", "key"), now);
    let fresh = secret(&[]);
    assert_eq!(judged(&fresh, "s3cret", Role::Master, before), Ok(Grant { again: false, past: 0, replaces: None }));
    assert_eq!(judged(&fresh, "s3cret", Role::Master, after), Err(Useless::Expired("2030-01-01T00:00:00Z".into())));
    assert_eq!(judged(&fresh, "secret", Role::Master, before), Err(Useless::Wrong));
    assert_eq!(judged(&fresh, "", Role::Master, before), Err(Useless::Wrong));
    assert_eq!(judged(&fresh, "s3cret", Role::Node, before), Err(Useless::Purpose("master".into(), " --node")));
    assert_eq!(judge(None, "s3cret", (Role::Master, "m4", "key"), before), Err(Useless::Wrong));
    let used = secret(&[("used-by", "m4"), ("used-key", "key")]);
    assert_eq!(judged(&used, "s3cret", Role::Master, before), Ok(Grant { again: true, past: 0, replaces: None }));
    for other in [("m4", "other"), ("m5", "key")] {
        let judged = judge(Some(&used), "s3cret", (Role::Master, other.0, other.1), before);
        assert_eq!(judged, Err(Useless::Used("m4".into())), "{other:?}");
    }
    // That it is a token is known before anything of the host is.
    assert_eq!(believe(Some(&used), "secret", before), Err(Useless::Wrong));
    assert_eq!(believe(None, "s3cret", before), Err(Useless::Wrong));
    assert_eq!(believe(Some(&used), "s3cret", before), Ok(&used));
    let replacing = secret(&[("replaces", "m3")]);
    assert_eq!(judged(&replacing, "s3cret", Role::Master, before).unwrap().replaces, Some("m3".into()));
    // A Secret of another type, or one without a hash or an end, lets nobody in.
    let mut other = fresh.clone();
    other["type"] = "Opaque".into();
    assert_eq!(judged(&other, "s3cret", Role::Master, before), Err(Useless::Wrong));
    assert_eq!(judged(&secret(&[("token-hash", "")]), "", Role::Master, before), Err(Useless::Wrong));
    assert!(matches!(judged(&secret(&[("expiration", "")]), "s3cret", Role::Master, before), Err(Useless::Expired(_))));
    // What a use writes is what the next one finds.
    let mut written = fresh;
    for (name, value) in super::token::used("m4", "key", 7)["data"].as_object().unwrap() {
        written["data"][name] = value.clone();
    }
    assert_eq!(judged(&written, "s3cret", Role::Master, before), Ok(Grant { again: true, past: 7, replaces: None }));
}

#[test]
fn ids_cannot_name_other_secrets() {
    assert_eq!(secret_name("abc123").as_deref(), Some("bootstrap-token-abc123"));
    for id in ["", "abc12", "abc1234", "../abc", "ABC123", "abc 12"] {
        assert_eq!(secret_name(id), None, "{id}");
    }
}
