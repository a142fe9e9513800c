#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    out.extend_from_slice(bytes);
    out
}

fn body(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let meta = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &meta), field(2, raw), field(3, b""), field(4, b"")].concat()
}

#[test]
fn a_config_map_as_kubectl_sends_it() {
    let entry = [field(1, b"x"), field(2, b"1")].concat();
    let binary = [field(1, b"y"), field(2, &[0, 1])].concat();
    // Go writes an empty creation timestamp.
    let metadata = [field(1, b"c"), field(2, b""), field(8, b"")].concat();
    let raw = [field(1, &metadata), field(2, &entry), field(3, &binary)].concat();
    assert_eq!(
        decode(&body("v1", "ConfigMap", &raw)).unwrap(),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" },
            "data": { "x": "1" }, "binaryData": { "y": "AAE=" },
        })
    );
}

#[test]
fn numbers_flattened_parts_and_either_or() {
    // Probe { handler: { httpGet: { port: "http" } }, periodSeconds: 300 }
    let port = [vec![1 << 3, 1, 2 << 3, 0], field(3, b"http")].concat();
    let handler = field(2, &field(2, &port));
    let probe = [field(1, &handler), vec![4 << 3, 0xac, 0x02]].concat();
    let container = [field(1, b"c"), field(10, &probe)].concat();
    let pod = field(2, &field(2, &container));
    let value = decode(&body("v1", "Pod", &pod)).unwrap();
    assert_eq!(
        value["spec"]["containers"],
        json!([{ "name": "c", "livenessProbe": { "httpGet": { "port": "http" }, "periodSeconds": 300 } }])
    );
}

#[test]
fn every_struct_of_the_table_has_a_shape() {
    for name in ["io.k8s.api.core.v1.PodSpec", "io.k8s.api.apps.v1.Deployment", "io.k8s.api.policy.v1.Eviction"] {
        assert!(numbers::of(name).is_some() && registry::definitions().by_name(name).is_some(), "{name}");
    }
    assert_eq!(numbers::of("io.k8s.api.core.v1.PodSpec").unwrap()[&2], "containers");
}

#[test]
fn strangers_are_refused_and_nothing_panics() {
    assert_eq!(decode(b"{}"), Err(ProtobufError::Prefix));
    assert_eq!(decode(&body("v9", "Thing", b"")), Err(ProtobufError::Kind("v9".to_owned(), "Thing".to_owned())));
    let whole = body("v1", "Pod", &field(1, &field(1, b"p")));
    for end in 4..whole.len() {
        let _ = decode(&whole[..end]);
    }
    for index in 4..whole.len() {
        for byte in [0, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[index] = byte;
            let _ = decode(&damaged);
        }
    }
}
