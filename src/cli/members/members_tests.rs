#![allow(clippy::unwrap_used)]

use super::token::token_rows;
use super::*;
use crate::connect::fake::{Answer, Fake};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

fn answer() -> Value {
    json!({ "leader": 2, "term": 7, "members": [
        { "id": 1, "name": "m1", "address": "10.89.0.11:6444", "role": "voter", "voter": true, "lag": 0, "lastSeenMillis": 12,
          "version": "0.1.0" },
        { "id": 2, "name": "m2", "address": "10.89.0.12:6444", "role": "leader", "voter": true, "lag": 0, "version": "0.1.0" },
        { "id": 4, "name": "m4", "address": "10.89.0.14:6444", "role": "learner", "voter": false, "lag": 812,
          "lastSeenMillis": 61_000, "error": "no answer within 1 s" },
    ]})
}

#[test]
fn the_table_shows_who_leads_and_who_lags() {
    let shown = table(&rows(&answer()));
    let golden = "\
ID   NAME   ADDRESS           ROLE      LAG   LAST SEEN   VERSION
1    m1     10.89.0.11:6444   voter     0     now         v0.1.0
2    m2     10.89.0.12:6444   leader    0     now         v0.1.0
4    m4     10.89.0.14:6444   learner   812   61s ago     -
";
    assert_eq!(shown, golden);
}

#[tokio::test]
async fn a_master_is_found_by_name_or_id() {
    let fake = Fake::new();
    let server = fake.server(|_| Answer::Json(200, answer().to_string())).await;
    let cluster = fake.cluster(&[server.address]).await;
    assert_eq!(id_of(&cluster, "m4").await.unwrap(), 4);
    assert_eq!(id_of(&cluster, "9").await.unwrap(), 9);
    let error = id_of(&cluster, "m9").await.unwrap_err().to_string();
    assert!(error.contains("\"m9\"") && error.contains("m1, m2, m4"), "{error}");
}

#[test]
fn tokens_are_shown_without_secrets() {
    let secret = |fields: &[(&str, &str)]| {
        let data: Value =
            fields.iter().map(|(name, value)| ((*name).to_owned(), json!(STANDARD.encode(value)))).collect();
        json!({ "type": "bootstrap.kubernetes.io/token", "data": data })
    };
    let list = json!({ "items": [
        secret(&[("token-id", "abc123"), ("token-hash", "00"), ("expiration", "2030-01-01T00:00:00Z"),
            ("usage-raftsman-join", "master"), ("replaces", "m3"), ("used-by", "m9")]),
        secret(&[("token-id", "old123"), ("token-hash", "00"), ("expiration", "2020-01-01T00:00:00Z"),
            ("usage-raftsman-join", "node"), ("description", "rack 2")]),
        // Upstream's own kind of token.
        secret(&[("token-id", "kubead"), ("token-secret", "x")]),
    ]});
    let rows = token_rows(&list, "2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(
        rows,
        [
            ["abc123", "master for m3", "2030-01-01T00:00:00Z", "m9", ""].map(str::to_owned),
            ["old123", "node", "2020-01-01T00:00:00Z (ended)", "-", "rack 2"].map(str::to_owned),
        ]
    );
}
