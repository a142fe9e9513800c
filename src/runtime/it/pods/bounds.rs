//! What a container may do, and what it sees.

use crate::common::{output, request, traces};
use crate::kit::{Machine, exit, log, not_proved, pod, status};
use raftsman_runtime::border::{LogOptions, Mount, MountSource, Pods as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_stream::StreamExt as _;

#[tokio::test(flavor = "multi_thread")]
async fn limits_bind() {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        not_proved("that limits bind on cgroup v1: this machine has v2 alone");
    }
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let mut hungry = machine.shell("hungry", "dd if=/dev/zero of=/dev/null bs=200M count=1; echo survived");
    hungry.command = ["/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"].map(str::to_owned).to_vec();
    hungry.limits.memory = Some(16 << 20);
    pods.start_container("a", &hungry).await.unwrap();
    let killed = exit(&pods, "a", "hungry").await;
    assert_eq!((killed.code, killed.oom_killed), (137, true), "{killed:?}");

    let mut many = machine.shell("many", FORKS);
    many.limits.pids = Some(4);
    pods.start_container("a", &many).await.unwrap();
    exit(&pods, "a", "many").await;
    let text = log(&pods, "a", "many", LogOptions::default()).await;
    assert!(text.contains("fork") && !text.contains("all"), "{text}");
}

/// Wants ten processes.
const FORKS: &str = "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo all";

/// The file of a controller in the group of a process, whichever version has it.
fn group_file(pid: i32, controller: &str, file: &str) -> PathBuf {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let root = Path::new("/sys/fs/cgroup");
    let mut found = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (names, group) = (fields.next().unwrap(), fields.next().unwrap().trim_start_matches('/'));
        if names.split(',').any(|name| name == controller) {
            found.push(root.join(names).join(group).join(file));
        } else if names.is_empty() {
            found.push(root.join(group).join(file));
        }
    }
    found.retain(|path| path.exists());
    found.into_iter().next().unwrap_or_else(|| panic!("no {file} of {pid}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_limit_throttles() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let mut busy = machine.shell("busy", "while :; do :; done");
    (busy.limits.cpu_quota, busy.limits.cpu_period) = (Some(10_000), Some(100_000));
    pods.start_container("a", &busy).await.unwrap();
    let pid = status(&pods, "a", "busy").await.pid.unwrap();
    let file = group_file(pid, "cpu", "cpu.stat");
    let throttled = || {
        let text = std::fs::read_to_string(&file).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.parse::<u64>().ok());
        count.unwrap_or_else(|| panic!("no nr_throttled in {text}"))
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while throttled() < 3 {
        assert!(Instant::now() < deadline, "a busy loop was throttled {} times", throttled());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pods.stop_container("a", "busy", Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_has_so_many_processes_and_no_more() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let mut bounded = pod("a");
    // What one container takes counts for the other one.
    bounded.pids = Some(8);
    pods.create_pod(&bounded).await.unwrap();
    let first = machine.shell("first", "for i in 1 2 3 4; do sleep 1000 & done; echo up; sleep 1000");
    pods.start_container("a", &first).await.unwrap();
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    let mut stream = pods.logs("a", "first", follow).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "up\n");
    let pid = status(&pods, "a", "first").await.pid.unwrap();
    let group = group_file(pid, "pids", "pids.max");
    let of_pod = group.parent().and_then(Path::parent).unwrap().join("pids.max");
    assert_eq!(std::fs::read_to_string(of_pod).unwrap().trim(), "8");
    pods.start_container("a", &machine.shell("second", FORKS)).await.unwrap();
    exit(&pods, "a", "second").await;
    let text = log(&pods, "a", "second", LogOptions::default()).await;
    assert!(text.contains("fork") && !text.contains("all"), "{text}");
    // In a pod of its own the same script has what it wants.
    pods.create_pod(&pod("b")).await.unwrap();
    pods.start_container("b", &machine.shell("second", FORKS)).await.unwrap();
    exit(&pods, "b", "second").await;
    assert_eq!(log(&pods, "b", "second", LogOptions::default()).await, "all\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_privileges_and_read_only() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let mut spec = machine.shell(
        "web",
        "id -u; id -g; id -G; echo $HOME; echo hi > /dev/stdout; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; \
         touch /x; touch /tmp/x; stat -c %a /work; sleep 100",
    );
    spec.security.run_as_user = Some(101);
    spec.security.supplemental_groups = vec![2000];
    spec.security.drop_capabilities = vec!["ALL".to_owned()];
    spec.security.add_capabilities = vec!["NET_BIND_SERVICE".to_owned()];
    spec.security.no_new_privileges = true;
    spec.security.read_only_root = false;
    spec.working_dir = Some("/work".to_owned());
    pods.start_container("a", &spec).await.unwrap();
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    let mut stream = pods.logs("a", "web", follow).await.unwrap();
    let mut text = String::new();
    // Two pipes: what was written first may come last.
    while !text.contains("755") || !text.contains("/x: ") {
        text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    for expected in [
        "101\n102\n",
        "2000",
        "/home/web\n",
        "hi\n",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000400",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "/x: Permission denied",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert!(!text.contains("/tmp/x: "));
    let status = "grep -E 'CapBnd|Seccomp:|NoNewPrivs' /proc/self/status; id -u; stat -c %n .; echo $FROM_IMAGE";
    let (code, text) = output(&pods, "a", request("web", status, false)).await;
    assert_eq!(code, 0);
    for expected in ["Seccomp:\t2", "CapBnd:\t0000000000000400", "NoNewPrivs:\t1", "101\n", "yes\n"] {
        assert!(text.contains(expected), "exec: {expected} is not in\n{text}");
    }
    let mut sealed =
        machine.shell("sealed", "touch /x; unshare_is=$(ip link add d0 type dummy 2>&1); echo $unshare_is");
    sealed.security.read_only_root = true;
    pods.start_container("a", &sealed).await.unwrap();
    exit(&pods, "a", "sealed").await;
    let text = log(&pods, "a", "sealed", LogOptions::default()).await;
    assert!(text.contains("Read-only file system"), "{text}");
    let mut root = machine.shell("root", "true");
    root.security.run_as_non_root = true;
    assert!(pods.start_container("a", &root).await.unwrap_err().to_string().contains("runAsNonRoot"));
}

#[tokio::test(flavor = "multi_thread")]
async fn host_namespaces_and_privileges() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let mut spec = pod("a");
    (spec.host_network, spec.host_pid, spec.host_ipc) = (true, true, true);
    let made = pods.create_pod(&spec).await.unwrap();
    assert_eq!(made.netns, None);
    let mut main = machine.shell(
        "main",
        "sleep 1000 & grep -E 'CapEff|Seccomp:' /proc/self/status; ls /dev/loop-control /dev/kmsg; sleep 1000",
    );
    main.security.privileged = true;
    pods.start_container("a", &main).await.unwrap();
    let pid = status(&pods, "a", "main").await.pid.unwrap();
    for kind in ["net", "pid", "ipc"] {
        let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/{kind}")).unwrap();
        assert_eq!(of(&pid.to_string()), of("self"), "{kind}");
    }
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    let mut stream = pods.logs("a", "main", follow).await.unwrap();
    let mut text = String::new();
    while !text.contains("/dev/kmsg") {
        text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("Seccomp:\t0"), "{text}");
    // What it left behind in the host's pid namespace ends with it.
    pods.stop_container("a", "main", Duration::ZERO).await.unwrap();
    pods.remove_container("a", "main", 0).await.unwrap();
    pods.remove_pod("a").await.unwrap();
    assert_eq!(traces(&machine), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_mounted_after_the_pod_was_made_are_seen() {
    use nix::mount::{MsFlags, mount};
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let volume = pods.pod_dir("a").join("volumes/cache");
    std::fs::create_dir_all(&volume).unwrap();
    mount(Some("tmpfs"), &volume, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    std::fs::write(volume.join("hello"), "from the agent\n").unwrap();
    let mut spec =
        machine.shell("main", "cat /cache/hello; echo back > /cache/answer; echo x > /fixed/y; echo shm > /dev/shm/s");
    for (target, read_only) in [("/cache", false), ("/fixed", true)] {
        spec.mounts.push(Mount { source: MountSource::Bind(volume.clone()), target: target.into(), read_only });
    }
    pods.start_container("a", &spec).await.unwrap();
    exit(&pods, "a", "main").await;
    let text = log(&pods, "a", "main", LogOptions::default()).await;
    assert!(text.contains("from the agent\n") && text.contains("Read-only"), "{text}");
    assert_eq!(std::fs::read_to_string(volume.join("answer")).unwrap(), "back\n");
    pods.start_container("a", &machine.shell("other", "cat /dev/shm/s")).await.unwrap();
    exit(&pods, "a", "other").await;
    assert_eq!(log(&pods, "a", "other", LogOptions::default()).await, "shm\n", "containers share /dev/shm");
    pods.remove_pod("a").await.unwrap();
    assert_eq!(traces(&machine), Vec::<String>::new());
}
