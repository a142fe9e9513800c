//! A machine with cgroup v2 alone: this one's v2 hierarchy, in a mount namespace that shows no other.

use crate::common::{output, request};
use crate::kit::{Machine, exit, log, not_proved, pod, status};
use raftsman_runtime::border::{LogOptions, Pods as _};
use std::path::Path;
use std::time::Duration;

/// Hides what is mounted there, and mounts v2 alone.
const VIEW: &str = r#"umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@""#;

/// This process has `CAP_SYS_RESOURCE` (24), which root has nearly everywhere.
fn may_raise_limits() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(effective.trim(), 16).unwrap() & (1 << 24) != 0
}

/// Not a test: what [`containers_run_on_v2_alone`] runs where there is nothing but v2.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test"]
async fn on_v2() {
    if std::env::var_os("RAFTSMAN_TEST_V2").is_none() {
        return;
    }
    assert!(Path::new("/sys/fs/cgroup/cgroup.controllers").exists());
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    // Its own group is the root that it sees, and no device but its own is open to it.
    let script = "cat /proc/self/cgroup; ls /sys/fs/cgroup | grep -c cgroup.procs; \
                  mknod /tmp/loop b 7 0 && head -c 1 /tmp/loop; echo x > /dev/null && echo null; sleep 1000 & exec sleep 1000";
    let started = pods.start_container("a", &machine.shell("main", script)).await;
    if !may_raise_limits() {
        // libcgroups raises a limit before it loads the program that guards devices; where it may not, nothing starts.
        let error = started.unwrap_err().to_string();
        assert!(error.contains("cgroup error: bpf error: Failed to increase rlimit"), "{error}");
        not_proved("that containers run on cgroup v2 alone: this process lacks CAP_SYS_RESOURCE");
        pods.remove_pod("a").await.unwrap();
        return;
    }
    started.unwrap();
    let (code, text) = output(&pods, "a", request("main", "cat /proc/self/cgroup", false)).await;
    assert_eq!((code, text.as_str()), (0, "0::/\n"));
    let pid = status(&pods, "a", "main").await.pid.unwrap();
    let group = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(group.lines().any(|line| line.starts_with("0::/") && line.contains("poda/")), "{group}");
    pods.stop_container("a", "main", Duration::ZERO).await.unwrap();
    assert_eq!(exit(&pods, "a", "main").await.code, 137);
    let text = log(&pods, "a", "main", LogOptions::default()).await;
    assert!(text.starts_with("0::/\n1\n") && text.ends_with("null\n"), "{text}");
    assert!(text.contains("Operation not permitted"), "a device is open: {text}");
    // Whatever controllers v2 lacks here, a limit that needs one says so, or binds.
    let controllers = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap();
    let mut limited = pod("b");
    limited.memory = Some(64 << 20);
    if !controllers.contains("memory") {
        not_proved("that limits bind on cgroup v2 alone: v1 has the controllers of this machine");
    }
    match pods.create_pod(&limited).await {
        Ok(_) => assert!(controllers.contains("memory")),
        Err(error) => {
            assert!(
                !controllers.contains("memory") && error.to_string().contains("no memory cgroup controller"),
                "{error}"
            );
        }
    }
    for uid in ["a", "b"] {
        pods.remove_pod(uid).await.unwrap();
    }
}

#[test]
fn containers_run_on_v2_alone() {
    let ended = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", VIEW])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "unified::on_v2", "--ignored", "--nocapture"])
        .env("RAFTSMAN_TEST_V2", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    // What the other process could not prove must not pass in silence.
    said.lines().filter(|line| line.contains("NOT PROVED")).for_each(|line| eprintln!("{line}"));
}
