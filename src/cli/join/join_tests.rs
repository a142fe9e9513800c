#![allow(clippy::unwrap_used)]

use super::prepare::{JoinOptions, prepare};
use super::token::JoinToken;
use crate::connect::fake::{Answer, Fake};
use raftsman_api::config::{HostConfig, Joined, MasterAddress, Role};
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_token_that_was_cut_off_is_seen() {
    let pin = "0".repeat(64);
    let whole = format!(" abc123.s3cret.{pin}\n");
    assert_eq!(JoinToken::parse(&whole).unwrap(), JoinToken { bearer: "abc123.s3cret".into(), pin: pin.clone() });
    for broken in ["", "abc123.s3cret", "abc123.s3cret.00", &format!("abc123..{pin}"), &format!("a b.c.{pin}")] {
        assert!(JoinToken::parse(broken).unwrap_err().to_string().contains("cut off"), "{broken}");
    }
}

fn options(dir: &std::path::Path, token: &str) -> JoinOptions {
    JoinOptions {
        join: None,
        token: Some(token.to_owned()),
        name: Some("m4".to_owned()),
        address: None,
        data_dir: dir.to_owned(),
        node: false,
        learner: false,
    }
}

fn joined() -> Joined {
    Joined {
        cluster: "c".into(),
        cluster_id: "c-1".into(),
        certificate: "CERTIFICATE".into(),
        masters: vec![MasterAddress { name: "m4".into(), id: 4, address: "127.0.0.1".parse().unwrap() }],
        vip: None,
        ports: Default::default(),
        network: Default::default(),
        backup: None,
        timing: Default::default(),
    }
}

#[tokio::test]
async fn a_host_joins_once_with_its_own_key() {
    let fake = Fake::new();
    let (authority, pin) = (fake.authority_pem(), fake.pin());
    let answer = serde_json::to_string(&joined()).unwrap();
    let server = fake
        .server(move |line| match line {
            "GET /raftsman/v1/ca" => Answer::Json(200, serde_json::json!({ "certificate": authority }).to_string()),
            "POST /raftsman/v1/join" => Answer::Json(200, answer.clone()),
            _ => Answer::Nothing,
        })
        .await;
    let dir = tempfile::tempdir().unwrap();
    let at = server.address.to_string();
    let options = options(dir.path(), &format!("abc123.s3cret.{pin}"));
    let file = prepare(&options, &at, None).await.unwrap();
    let config: HostConfig = serde_yaml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(config.problems(), Vec::<String>::new());
    assert!(config.joined && config.is(Role::Master) && config.own_master().unwrap().id == 4);
    let mode = |name: &str| std::fs::metadata(dir.path().join("pki").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("host.key"), mode("host.crt")), (0o600, 0o644));
    // Started again it asks nobody.
    let asked = server.asked.lock().unwrap().len();
    assert_eq!(prepare(&options, &at, None).await.unwrap(), file);
    assert_eq!(server.asked.lock().unwrap().len(), asked);
}

#[tokio::test]
async fn another_authority_than_the_tokens_gets_no_token() {
    let fake = Fake::new();
    let authority = fake.authority_pem();
    let server =
        fake.server(move |_| Answer::Json(200, serde_json::json!({ "certificate": authority }).to_string())).await;
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), &format!("abc123.s3cret.{}", "0".repeat(64)));
    let error = prepare(&options, &server.address.to_string(), None).await.unwrap_err().to_string();
    assert!(error.contains("another cluster"), "{error}");
    assert_eq!(*server.asked.lock().unwrap(), ["GET /raftsman/v1/ca"]);
    assert!(!dir.path().join("config.yaml").exists());
}

#[tokio::test]
async fn a_refusal_is_one_line_and_leaves_nothing_but_the_key() {
    let fake = Fake::new();
    let (authority, pin) = (fake.authority_pem(), fake.pin());
    let server = fake
        .server(move |line| match line {
            "GET /raftsman/v1/ca" => Answer::Json(200, serde_json::json!({ "certificate": authority }).to_string()),
            _ => Answer::Json(
                401,
                r#"{"kind":"Status","code":401,"message":"the token was used already, by m9"}"#.into(),
            ),
        })
        .await;
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), &format!("abc123.s3cret.{pin}"));
    let error = format!("{:#}", prepare(&options, &server.address.to_string(), None).await.unwrap_err());
    assert_eq!(error, "the token was used already, by m9");
    assert!(dir.path().join("pki/host.key").exists() && !dir.path().join("config.yaml").exists());
}
