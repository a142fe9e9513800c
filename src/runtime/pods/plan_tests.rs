#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::border::Mount;

fn user() -> User {
    User { uid: 101, gid: 102, groups: vec![50], home: "/home/u".to_owned() }
}

fn planned(change: impl FnOnce(&mut PodSpec, &mut ContainerSpec, &mut ImageConfig)) -> Result<Value, RuntimeError> {
    let mut pod = PodSpec { hostname: "web-1".to_owned(), ..PodSpec::default() };
    let mut container = ContainerSpec {
        name: "web".to_owned(),
        command: vec!["/bin/true".to_owned()],
        termination_message_path: "/dev/termination-log".to_owned(),
        ..ContainerSpec::default()
    };
    let mut image = ImageConfig::default();
    change(&mut pod, &mut container, &mut image);
    let devices = [(PathBuf::from("/dev/sda"), 'b', 8, 0)];
    plan(&Inputs {
        pod: &pod,
        container: &container,
        image: &image,
        user: &user(),
        directory: Path::new("/pods/u"),
        message: Path::new("/pods/u/containers/c/termination-message"),
        cgroup: "/raftsman/podu/c",
        unified: false,
        v1: &["/sys/fs/cgroup/cpu,cpuacct".into(), "/sys/fs/cgroup/memory".into()],
        devices: &devices,
    })
}

fn mount<'a>(spec: &'a Value, target: &str) -> &'a Value {
    let found: Vec<&Value> =
        spec["mounts"].as_array().unwrap().iter().filter(|mount| mount["destination"] == target).collect();
    assert_eq!(found.len(), 1, "{target}");
    found[0]
}

#[test]
fn every_plan_is_a_specification() {
    let spec = planned(|_, _, _| {}).unwrap();
    let spec: libcontainer::oci_spec::runtime::Spec = serde_json::from_value(spec).unwrap();
    let process = spec.process().as_ref().unwrap();
    assert_eq!(process.user().uid(), 101);
    // Absent means "as it is": the executor drops them after seccomp is loaded.
    assert!(process.capabilities().is_none());
    assert!(process.no_new_privileges().is_none());
    assert!(process.rlimits().is_none());
    assert_eq!(spec.linux().as_ref().unwrap().masked_paths().as_ref().unwrap().len(), MASKED.len());
}

#[test]
fn command_and_args_replace_entrypoint_and_cmd() {
    let image =
        ImageConfig { entrypoint: vec!["entry".to_owned()], cmd: vec!["cmd".to_owned()], ..ImageConfig::default() };
    let run = |command: &[&str], args: &[&str]| {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let container = ContainerSpec { command: own(command), args: own(args), ..ContainerSpec::default() };
        super::command(&container, &image).join(" ")
    };
    assert_eq!(run(&[], &[]), "entry cmd");
    assert_eq!(run(&[], &["a"]), "entry a");
    assert_eq!(run(&["c"], &[]), "c");
    assert_eq!(run(&["c"], &["a"]), "c a");
}

#[test]
fn the_last_word_on_a_variable_wins() {
    let spec = planned(|_, container, image| {
        image.env = vec!["PATH=/image/bin".to_owned(), "A=1".to_owned(), "B=2".to_owned()];
        container.env = vec![("A".to_owned(), "3".to_owned()), ("C".to_owned(), String::new())];
    })
    .unwrap();
    assert_eq!(
        spec["process"]["env"],
        json!(["PATH=/image/bin", "HOSTNAME=web-1", "HOME=/home/u", "A=3", "B=2", "C="])
    );
}

#[test]
fn the_pods_files_are_mounted_unless_the_container_mounts_its_own() {
    let spec = planned(|_, container, _| {
        container.mounts.push(Mount {
            source: MountSource::Bind(PathBuf::from("/volumes/hosts")),
            target: PathBuf::from("/etc/hosts"),
            read_only: true,
        });
        container.mounts.push(Mount {
            source: MountSource::Tmpfs(Some(4096)),
            target: PathBuf::from("/cache"),
            read_only: false,
        });
    })
    .unwrap();
    assert_eq!(mount(&spec, "/etc/hosts")["source"], "/volumes/hosts");
    assert_eq!(mount(&spec, "/etc/hosts")["options"], json!(["rbind", "rprivate", "ro"]));
    assert_eq!(mount(&spec, "/etc/resolv.conf")["source"], "/pods/u/resolv.conf");
    assert_eq!(mount(&spec, "/dev/shm")["source"], "/pods/u/shm");
    assert_eq!(mount(&spec, "/dev/termination-log")["source"], "/pods/u/containers/c/termination-message");
    assert!(mount(&spec, "/cache")["options"].as_array().unwrap().contains(&json!("size=4096")));
}

#[test]
fn limits_are_in_kernel_units() {
    let spec = planned(|_, container, _| {
        container.limits = Limits {
            cpu_shares: Some(512),
            cpu_quota: Some(20_000),
            memory: Some(64 << 20),
            pids: Some(10),
            ..Limits::default()
        };
    })
    .unwrap();
    assert_eq!(
        spec["linux"]["resources"],
        json!({
            "devices": [{ "allow": false, "access": "rwm" }],
            "cpu": { "shares": 512, "quota": 20_000, "period": 100_000 },
            "memory": { "limit": 64 << 20 },
            "pids": { "limit": 10 },
        })
    );
}

#[test]
fn limits_differ_between_hierarchies_in_swap_only() {
    let limits = Limits { memory: Some(64 << 20), cpu_shares: Some(2), pids: Some(0), ..Limits::default() };
    let devices = json!([{ "allow": false, "access": "rwm" }]);
    for (unified, memory) in [
        (false, json!({ "limit": 64 << 20 })),
        // OCI's swap is memory and swap together.
        (true, json!({ "limit": 64 << 20, "swap": 64 << 20 })),
    ] {
        let golden = json!({ "devices": devices, "cpu": { "shares": 2 }, "memory": memory });
        assert_eq!(resources(&limits, false, unified), golden, "unified {unified}");
    }
    let none = Limits { memory: Some(0), cpu_quota: Some(-1), ..Limits::default() };
    assert_eq!(resources(&none, false, true), json!({ "devices": devices }));
}

#[test]
fn privileged_containers_get_devices_and_no_masks() {
    let spec = planned(|_, container, _| container.security.privileged = true).unwrap();
    assert!(spec["linux"]["maskedPaths"].is_null());
    assert_eq!(spec["linux"]["devices"][0]["path"], "/dev/sda");
    assert_eq!(spec["linux"]["resources"]["devices"][0]["allow"], true);
    assert_eq!(privileges(&Security { privileged: true, ..Security::default() }).capabilities, None);
}

#[test]
fn capabilities_are_added_and_dropped() {
    let kept = |add: &[&str], drop: &[&str]| {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let security = Security { add_capabilities: own(add), drop_capabilities: own(drop), ..Security::default() };
        privileges(&security).capabilities.unwrap()
    };
    assert_eq!(kept(&[], &[]).len(), 14);
    assert_eq!(kept(&["CAP_NET_ADMIN"], &["ALL"]), ["NET_ADMIN"]);
    assert!(!kept(&["ALL"], &["SYS_ADMIN"]).contains(&"SYS_ADMIN".to_owned()));
    assert!(!kept(&[], &["kill"]).contains(&"KILL".to_owned()));
}

#[test]
fn namespaces_follow_the_pod() {
    let kinds = |change: fn(&mut PodSpec)| {
        let spec = planned(|pod, _, _| change(pod)).unwrap();
        let list = spec["linux"]["namespaces"].as_array().unwrap().clone();
        list.iter().map(|ns| (ns["type"].as_str().unwrap().to_owned(), !ns["path"].is_null())).collect::<Vec<_>>()
    };
    let own = |name: &str, joined| (name.to_owned(), joined);
    assert_eq!(kinds(|_| {}), [own("mount", false), own("pid", false)]);
    assert_eq!(kinds(|pod| pod.share_pid = true), [own("mount", false), own("pid", true)]);
    assert_eq!(kinds(|pod| pod.host_pid = true), [own("mount", false)]);
}

#[test]
fn what_cannot_run_says_why() {
    let nothing = planned(|_, container, _| container.command.clear()).unwrap_err();
    assert!(nothing.to_string().contains("no command"));
    let relative = planned(|_, container, _| container.working_dir = Some("x".to_owned())).unwrap_err();
    assert!(relative.to_string().contains("absolute"));
}

#[test]
fn in_a_shared_pid_namespace_the_groups_of_v1_are_bound_one_by_one() {
    let groups = |shared: bool| -> Vec<String> {
        let spec = planned(|pod, _, _| pod.share_pid = shared).unwrap();
        let all = spec["mounts"].as_array().unwrap().clone();
        let ours = all.iter().filter(|mount| mount["destination"].as_str().unwrap().starts_with("/sys/fs/cgroup"));
        ours.map(|mount| format!("{} {} {}", mount["type"], mount["destination"], mount["source"]).replace('"', ""))
            .collect()
    };
    assert_eq!(groups(false), ["cgroup /sys/fs/cgroup cgroup"]);
    assert_eq!(
        groups(true),
        [
            "tmpfs /sys/fs/cgroup tmpfs",
            "bind /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup/cpu,cpuacct/raftsman/podu/c",
            "bind /sys/fs/cgroup/memory /sys/fs/cgroup/memory/raftsman/podu/c",
        ]
    );
}
