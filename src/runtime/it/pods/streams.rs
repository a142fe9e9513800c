//! Exec, attach, and logs.

use crate::common::{collect, output, request};
use crate::kit::{Machine, NO_IO, exit, log, pod};
use bytes::Bytes;
use raftsman_runtime::border::{AttachIo, ExecRequest, LogOptions, Pods as _, TerminalSize};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;

#[tokio::test(flavor = "multi_thread")]
async fn exec_streams_and_terminals() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    pods.start_container("a", &machine.shell("main", "sleep 1000")).await.unwrap();

    let (stdin, receiver) = mpsc::channel(4);
    let (stdout, out) = mpsc::channel(16);
    let (stderr, err) = mpsc::channel(16);
    let io = AttachIo { stdin: Some(receiver), stdout: Some(stdout), stderr: Some(stderr), resize: None };
    stdin.send(Bytes::from_static(b"typed\n")).await.unwrap();
    drop(stdin);
    let exec = pods.exec("a", request("main", "cat; echo bad >&2; exit 5", false), io);
    let (code, out, err) = tokio::join!(exec, collect(out), collect(err));
    assert_eq!((code.unwrap(), out.as_str(), err.as_str()), (5, "typed\n", "bad\n"));

    let (stdin, receiver) = mpsc::channel(4);
    let (stdout, out) = mpsc::channel(16);
    let (sizes, resize) = mpsc::channel(4);
    sizes.send(TerminalSize { width: 123, height: 45 }).await.unwrap();
    let io = AttachIo { stdin: Some(receiver), stdout: Some(stdout), stderr: None, resize: Some(resize) };
    let typing = async {
        stdin.send(Bytes::from_static(b"go\r")).await.unwrap();
        sizes.closed().await;
    };
    let script = "tty; read word; stty size; echo got $word; exit 6";
    let exec = pods.exec("a", request("main", script, true), io);
    let (code, out, ()) = tokio::join!(exec, collect(out), typing);
    assert_eq!(code.unwrap(), 6);
    assert!(out.contains("/dev/pts/") && out.contains("45 123") && out.contains("got go"), "{out}");

    let missing = ExecRequest { container: "main".to_owned(), command: vec!["nope".to_owned()], tty: false };
    let error = pods.exec("a", missing, NO_IO).await.unwrap_err().to_string();
    assert!(error.contains("nope") && error.contains("$PATH"), "{error}");

    // A dropped exec is killed.
    let mark = "sleep 7654";
    let dropped = tokio::time::timeout(Duration::from_millis(700), pods.exec("a", request("main", mark, false), NO_IO));
    assert!(dropped.await.is_err());
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let (_, list) = output(&pods, "a", request("main", "ps", false)).await;
        if !list.contains("sh -c sleep 7654") {
            break;
        }
        assert!(Instant::now() < deadline, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attaches_to_standard_streams() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let mut spec = machine.shell("main", "echo begin; cat; echo end");
    (spec.stdin, spec.stdin_once) = (true, true);
    pods.start_container("a", &spec).await.unwrap();
    let (stdin, receiver) = mpsc::channel(4);
    let (stdout, out) = mpsc::channel(16);
    stdin.send(Bytes::from_static(b"hello\n")).await.unwrap();
    drop(stdin);
    let io = AttachIo { stdin: Some(receiver), stdout: Some(stdout), ..NO_IO };
    let (attached, out) = tokio::join!(pods.attach("a", "main", io), collect(out));
    attached.unwrap();
    assert!(out.ends_with("hello\nend\n"), "{out}");
    assert_eq!(exit(&pods, "a", "main").await.code, 0);
    assert_eq!(log(&pods, "a", "main", LogOptions::default()).await, "begin\nhello\nend\n");

    let mut spec = machine.shell("term", "read a; tty; stty size; exit 4");
    (spec.stdin, spec.tty) = (true, true);
    pods.start_container("a", &spec).await.unwrap();
    let (stdin, receiver) = mpsc::channel(4);
    let (stdout, out) = mpsc::channel(16);
    let (sizes, resize) = mpsc::channel(4);
    let io = AttachIo { stdin: Some(receiver), stdout: Some(stdout), stderr: None, resize: Some(resize) };
    sizes.send(TerminalSize { width: 99, height: 33 }).await.unwrap();
    let typing = async {
        stdin.send(Bytes::from_static(b"x\r")).await.unwrap();
        sizes.closed().await;
    };
    let (attached, out, ()) = tokio::join!(pods.attach("a", "term", io), collect(out), typing);
    attached.unwrap();
    assert!(out.contains("33 99"), "{out}");
    assert_eq!(exit(&pods, "a", "term").await.code, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_a_log_to_its_end() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let script = "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done; echo done";
    pods.start_container("a", &machine.shell("main", script)).await.unwrap();
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    let text = log(&pods, "a", "main", follow.clone()).await;
    assert_eq!(text.lines().count(), 40_001);
    assert!(text.ends_with("line 39999\ndone\n"));
    let since = LogOptions { since: Some(SystemTime::now()), ..follow };
    assert_eq!(log(&pods, "a", "main", since).await, "");
}
