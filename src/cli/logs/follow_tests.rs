#![allow(clippy::unwrap_used)]

use crate::connect::fake::{Answer, Fake};
use crate::logs::LogsOptions;
use crate::logs::follow::Follower;
use clap::Parser;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: LogsOptions,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn pod(running: bool) -> Value {
    let state = if running { json!({"running": {}}) } else { json!({"terminated": {"exitCode": 0}}) };
    json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "u"},
        "status": {"containerStatuses": [{"name": "c", "containerID": "x://1", "state": state}]},
    })
}

#[tokio::test]
async fn a_followed_log_goes_on_at_another_master_without_a_line_twice() {
    let fake = Fake::new();
    let first = fake
        .server(|line| {
            let log = "2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z b\n2026-01-01T00:0";
            if line.contains("/log") { Answer::Broken(log.to_owned()) } else { Answer::Nothing }
        })
        .await;
    let asked = Arc::new(Mutex::new(0));
    let second = fake
        .server(move |line| {
            if line.contains("/log") {
                *asked.lock().unwrap() += 1;
                let log = "2026-01-01T00:00:01.1Z a\n2026-01-01T00:00:01.2Z b\n2026-01-01T00:00:01.3Z c\n";
                return Answer::Json(200, log.to_owned());
            }
            // Once its log has been read to the end, the container has ended.
            let ended = *asked.lock().unwrap() > 0;
            Answer::Json(200, pod(!ended).to_string())
        })
        .await;
    let cluster = fake.cluster(&[first.address, second.address]).await;
    let options = Line::try_parse_from(["logs", "-f", "web", "--tail=2"]).unwrap().options;
    let out = Buffer::default();
    let mut follower = Follower::new(&cluster, &options, &pod(true), "c".to_owned()).to(Box::new(out.clone()));
    follower.run().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&out.0.lock().unwrap()), "a\nb\nc\n");
    let asked = second.asked.lock().unwrap();
    let log = asked.iter().find(|line| line.contains("/log")).unwrap();
    assert!(log.contains("sinceTime=2026-01-01T00%3A00%3A01Z") && !log.contains("tailLines"), "{log}");
    assert!(first.asked.lock().unwrap()[0].contains("tailLines=2"));
}

#[tokio::test]
async fn a_followed_log_stops_after_so_many_bytes() {
    let fake = Fake::new();
    let first = fake.server(|_| Answer::Broken("2026-01-01T00:00:01.1Z ab\n".to_owned())).await;
    let second = fake
        .server(|line| {
            let log = "2026-01-01T00:00:01.1Z ab\n2026-01-01T00:00:01.2Z cdef\n";
            if line.contains("/log") { Answer::Open(log.to_owned()) } else { Answer::Json(200, pod(true).to_string()) }
        })
        .await;
    let cluster = fake.cluster(&[first.address, second.address]).await;
    let options = Line::try_parse_from(["logs", "-f", "web", "--limit-bytes=5"]).unwrap().options;
    let out = Buffer::default();
    let mut follower = Follower::new(&cluster, &options, &pod(true), "c".to_owned()).to(Box::new(out.clone()));
    tokio::time::timeout(std::time::Duration::from_secs(20), follower.run()).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.0.lock().unwrap()), "ab\ncd");
}
