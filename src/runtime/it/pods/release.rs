//! Pods that have ended and give back what they had, and pods that find a machine which was started again.

use crate::common::{supervisor_of, traces};
use crate::kit::{Machine, exit, log, pod};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use raftsman_runtime::border::{LogOptions, Pods as _, RuntimeError};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_keeps_its_logs_and_nothing_else() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    pods.set_address("a", "10.1.1.1".parse().unwrap()).await.unwrap();
    pods.start_container("a", &machine.shell("main", "echo done")).await.unwrap();
    pods.start_container("a", &machine.shell("other", "sleep 1000")).await.unwrap();
    exit(&pods, "a", "main").await;
    assert!(matches!(pods.release_pod("a").await, Err(RuntimeError::Invalid(_))), "one still runs");
    pods.stop_container("a", "other", Duration::ZERO).await.unwrap();
    let volume = machine.config.state_dir.join("pods/a/volumes/v");
    std::fs::create_dir_all(&volume).unwrap();
    pods.release_pod("a").await.unwrap();
    pods.release_pod("a").await.unwrap();
    let directory = machine.config.state_dir.join("pods/a").display().to_string();
    assert_eq!(traces(&machine), [directory], "no process, mount, namespace or cgroup is left");
    assert!(!volume.exists());
    drop(pods);

    let pods = machine.agent().await;
    let found = pods.pod("a").await.unwrap();
    assert!(found.released && !found.ready && !found.netns.unwrap().exists());
    assert_eq!((found.address, found.containers.len()), (Some("10.1.1.1".parse().unwrap()), 2));
    assert_eq!(log(&pods, "a", "main", LogOptions::default()).await, "done\n");
    assert!(matches!(pods.create_pod(&pod("a")).await, Err(RuntimeError::Invalid(_))), "it never runs again");
    pods.remove_pod("a").await.unwrap();
    assert_eq!(traces(&machine), Vec::<String>::new());
}

fn files(machine: &Machine, name: &str) -> Vec<PathBuf> {
    let group = machine.config.cgroup_parent.trim_start_matches('/').to_owned() + "/poda";
    let roots = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    let all = roots.chain([PathBuf::from("/sys/fs/cgroup")]).map(|root| root.join(&group).join(name));
    all.filter(|path| path.exists()).collect()
}

/// What a start of the machine takes away, with the agent not running.
fn take_away(machine: &Machine) {
    for name in ["net", "ipc", "uts"] {
        umount2(&machine.config.state_dir.join("namespaces/a").join(name), MntFlags::MNT_DETACH).unwrap();
    }
    umount2(&machine.config.state_dir.join("pods/a/shm"), MntFlags::MNT_DETACH).unwrap();
    for file in files(machine, "cgroup.procs") {
        let _ = std::fs::remove_dir(file.parent().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_machines_restart_a_pod_stands_on_what_it_stood_on() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    let mut spec = pod("a");
    spec.pids = Some(77);
    let first = pods.create_pod(&spec).await.unwrap().root_since.unwrap();
    pods.start_container("a", &machine.shell("main", "exit 0")).await.unwrap();
    exit(&pods, "a", "main").await;
    drop(pods);
    let supervisor = Pid::from_raw(supervisor_of(&machine, "a"));
    kill(supervisor, Signal::SIGKILL).unwrap();
    let _ = nix::sys::wait::waitpid(supervisor, None);
    // The supervisor alone: the namespaces are the same.
    let pods = machine.agent().await;
    assert_eq!(pods.pod("a").await.unwrap().root_since, Some(first));
    drop(pods);
    let supervisor = Pid::from_raw(supervisor_of(&machine, "a"));
    kill(supervisor, Signal::SIGKILL).unwrap();
    let _ = nix::sys::wait::waitpid(supervisor, None);
    take_away(&machine);

    let pods = machine.agent().await;
    let found = pods.pod("a").await.unwrap();
    assert!(found.ready && found.root_since.unwrap() > first, "the namespaces are new ones");
    let limits: Vec<String> =
        files(&machine, "pids.max").iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(limits.contains(&"77\n".to_owned()), "{limits:?}");
    let script = "grep ' /dev/shm ' /proc/mounts; stat -c %a /dev/shm";
    pods.start_container("a", &machine.shell("second", script)).await.unwrap();
    exit(&pods, "a", "second").await;
    let said = log(&pods, "a", "second", LogOptions::default()).await;
    assert!(said.contains("tmpfs") && said.ends_with("1777\n"), "{said}");
}

fn mounted_below(path: &Path) -> Vec<String> {
    let path = path.display().to_string();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().filter(|line| line.contains(&path)).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_behind_a_link_is_one_like_any_other() {
    let mut machine = Machine::new().await;
    let real = machine.directory.join("elsewhere");
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink("elsewhere", machine.directory.join("link")).unwrap();
    machine.config.state_dir = machine.directory.join("link/state");
    machine.config.promise_page = machine.config.state_dir.join("promise");
    let pods = machine.agent().await;
    let mut spec = pod("a");
    spec.share_pid = true;
    pods.create_pod(&spec).await.unwrap();
    pods.start_container("a", &machine.shell("main", "sleep 1000")).await.unwrap();
    let before = mounted_below(&real);
    assert!(!before.is_empty());
    drop(pods);
    let old = supervisor_of(&machine, "a");
    kill(Pid::from_raw(old), Signal::SIGKILL).unwrap();

    let pods = machine.agent().await;
    let mut events = pods.events();
    while supervisor_of(&machine, "a") == old || !pods.pod("a").await.unwrap().ready {
        tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap();
    }
    assert_eq!(mounted_below(&real).len(), before.len(), "no mount over a mount");
    pods.start_container("a", &machine.shell("second", "exit 4")).await.unwrap();
    assert_eq!(exit(&pods, "a", "second").await.code, 4);
    pods.remove_pod("a").await.unwrap();
    assert!(!machine.config.state_dir.join("pods/a").exists());
    drop(pods);
    assert_eq!(raftsman_runtime::purge(&machine.config), Vec::<String>::new());
    assert_eq!(mounted_below(&real), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_mounted_while_the_pod_runs_reaches_its_next_container() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    let volume = machine.directory.join("volume");
    std::fs::create_dir_all(volume.join("sub")).unwrap();
    std::fs::write(volume.join("sub/file"), "inside\n").unwrap();
    let at = pods.pod_dir("a").join("subpaths/main/0");
    raftsman_runtime::mount_part(&volume, Path::new("sub"), &at).unwrap();
    // Whatever becomes of the name.
    std::fs::rename(volume.join("sub"), volume.join("old")).unwrap();
    std::os::unix::fs::symlink("/etc", volume.join("sub")).unwrap();
    let mut spec = machine.shell("main", "cat /m/file; echo more > /m/more");
    spec.mounts = vec![raftsman_runtime::border::Mount {
        source: raftsman_runtime::border::MountSource::Bind(at),
        target: "/m".into(),
        read_only: false,
    }];
    pods.start_container("a", &spec).await.unwrap();
    exit(&pods, "a", "main").await;
    assert_eq!(log(&pods, "a", "main", LogOptions::default()).await, "inside\n");
    assert_eq!(std::fs::read_to_string(volume.join("old/more")).unwrap(), "more\n");
    pods.remove_pod("a").await.unwrap();
    assert_eq!(traces(&machine), Vec::<String>::new());
    assert!(volume.join("old/file").exists(), "what was mounted is not what is removed");
}
