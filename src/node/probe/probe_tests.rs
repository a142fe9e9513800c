//! What results in a row mean; what a probe asks; one probe against a listener.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::check::{check as ask, tell};
use super::{Outcome, Parameters, Tally, Target, Verdict, target};
use crate::testing::FakePods;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn parameters(probe: Value) -> Parameters {
    Parameters::of(&serde_json::from_value(probe).unwrap())
}

fn verdicts(parameters: &Parameters, results: &str) -> String {
    let mut tally = Tally::default();
    let verdict = |result: char| {
        let outcome = if result == '+' { Outcome::Success } else { Outcome::Failure(String::new()) };
        match tally.add(&outcome, parameters) {
            Some(Verdict::Good) => 'G',
            Some(Verdict::Bad) => 'B',
            None => '.',
        }
    };
    results.chars().map(verdict).collect()
}

#[test]
fn thresholds_count_results_in_a_row() {
    let usual = parameters(json!({}));
    assert_eq!((usual.period.as_secs(), usual.timeout.as_secs(), usual.successes, usual.failures), (10, 1, 1, 3));
    assert_eq!(verdicts(&usual, "--+---+-"), "..G..BG.");
    let strict = parameters(json!({"successThreshold": 2, "failureThreshold": 1, "periodSeconds": 0}));
    assert_eq!(strict.period.as_secs(), 10);
    assert_eq!(verdicts(&strict, "+-++-"), ".B.GB");
}

#[test]
fn ports_have_names() {
    let container =
        serde_json::from_value(json!({"name": "c", "ports": [{"name": "web", "containerPort": 80}]})).unwrap();
    let ask = |probe: Value| target(&container, &serde_json::from_value(probe).unwrap());
    assert_eq!(ask(json!({"tcpSocket": {"port": "web"}})), Ok(Target::Tcp { host: None, port: 80 }));
    let http = Target::Http {
        host: None,
        port: 8080,
        path: "/h".to_owned(),
        https: true,
        headers: vec![("A".to_owned(), "b".to_owned())],
    };
    let probe = json!({"httpGet": {"port": 8080, "path": "h", "scheme": "HTTPS", "httpHeaders": [{"name": "A", "value": "b"}]}});
    assert_eq!(ask(probe), Ok(http));
    assert_eq!(ask(json!({"tcpSocket": {"port": "none"}})), Err("couldn't find port: none in container c".to_owned()));
    let grpc = |service: &str| Ok(Target::Grpc { port: 9000, service: service.to_owned() });
    assert_eq!(ask(json!({"grpc": {"port": 9000}})), grpc(""));
    assert_eq!(ask(json!({"grpc": {"port": 9000, "service": "web"}})), grpc("web"));
    assert!(ask(json!({"grpc": {"port": 90_000}})).is_err());
    assert!(ask(json!({})).is_err());
}

#[tokio::test]
async fn an_answer_is_judged_by_its_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for status in ["200 OK", "302 Found", "503 Service Unavailable", "500 Oh"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /health HTTP/1.1\r\n"));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let pods = FakePods::new();
    let target = Target::Http { host: None, port, path: "/health".to_owned(), https: false, headers: Vec::new() };
    let address = Some("127.0.0.1".parse().unwrap());
    assert_eq!(ask(&pods, "u", "c", address, &target).await, Outcome::Success);
    assert_eq!(ask(&pods, "u", "c", address, &target).await, Outcome::Success);
    let failure = Outcome::Failure("HTTP probe failed with statuscode: 503".to_owned());
    assert_eq!(ask(&pods, "u", "c", address, &target).await, failure);
    assert_eq!(tell(&pods, "u", "c", address, &target).await, Ok(()), "a hook is content with any answer");
    assert!(tell(&pods, "u", "c", address, &target).await.unwrap_err().contains("connect"), "but needs one");
    // Nobody listens any more.
    let Outcome::Failure(text) = ask(&pods, "u", "c", address, &Target::Tcp { host: None, port }).await else {
        panic!("a closed port answered")
    };
    assert!(text.contains("connect"), "{text}");
}

#[tokio::test]
async fn a_command_is_judged_by_its_code() {
    let pods = FakePods::new();
    let target = Target::Exec(vec!["check".to_owned(), "it".to_owned()]);
    assert_eq!(ask(&pods, "u", "c", None, &target).await, Outcome::Success);
    *pods.exec_code.lock() = 2;
    assert_eq!(ask(&pods, "u", "c", None, &target).await, Outcome::Failure("check it".to_owned()));
}
