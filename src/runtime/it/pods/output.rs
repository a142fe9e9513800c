//! What containers write, whoever is killed meanwhile.

use crate::common::supervisor_of;
use crate::kit::{Machine, exit, log, pod};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use raftsman_runtime::LocalPods;
use raftsman_runtime::border::{LogOptions, Pods as _};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How often the supervisor is killed.
const KILLS: u32 = 200;

/// Numbers from a seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

/// Lines `PREFIX N REST`: every N once, in order, from 0 to below `count`.
fn check(text: &str, prefix: &str, count: u64, about: &str) {
    let mut expected = 0;
    for line in text.lines().filter(|line| line.starts_with(prefix)) {
        let mut words = line.split(' ');
        let number: u64 = words.nth(1).unwrap().parse().unwrap();
        assert_eq!(number, expected, "{about}: {prefix} lines are lost or doubled here: {line:.80}");
        expected += 1;
    }
    assert_eq!(expected, count, "{about}: {prefix} lines");
}

async fn kill_often(machine: &Machine, pods: &LocalPods, random: &mut Random) {
    let mut events = pods.events();
    for _ in 0..KILLS {
        let old = supervisor_of(machine, "a");
        kill(Pid::from_raw(old), Signal::SIGKILL).unwrap();
        while supervisor_of(machine, "a") == old || !pods.pod("a").await.unwrap().ready {
            tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap();
        }
        // Not a wait for anything: the moment of the next kill.
        tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_there_once_however_often_the_supervisor_is_killed() {
    let seed = RandomState::new().hash_one(0) | 1;
    println!("seed {seed}");
    let mut random = Random(seed);
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    // One is as fast as it can be, and ends while kills go on, perhaps with no supervisor there; its log is rotated.
    // One is slow and ends its lines late. One has lines that are longer than the log's.
    let loops = |body: &str, most: &str| {
        format!("i=0; while [ ! -e /tmp/stop ] && [ $i -lt {most} ]; do {body}; i=$((i+1)); done; exit 7")
    };
    let pad = "=".repeat(200);
    let fast = loops(&format!("echo out $i {pad}; [ $((i%9)) != 0 ] || echo err $((i/9)) >&2"), "150000");
    let slow = loops("echo -n 'out '; sleep 0.002; echo $i; echo err $i >&2", "1000000");
    let long = loops("echo out $i $long; sleep 0.05", "1000000");
    let long = format!("long={pad}; for i in 1 2 3 4 5 6 7 8; do long=$long$long; done; {long}");
    for (name, script) in [("fast", fast), ("slow", slow), ("long", long)] {
        pods.start_container("a", &machine.shell(name, &script)).await.unwrap();
    }
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    let followed = tokio::spawn({
        let pods = pods.clone();
        async move { log(&pods, "a", "slow", follow).await }
    });
    kill_often(&machine, &pods, &mut random).await;
    for name in ["slow", "long"] {
        crate::common::output(&pods, "a", crate::common::request(name, "touch /tmp/stop", false)).await;
    }
    for name in ["fast", "slow", "long"] {
        assert_eq!(exit(&pods, "a", name).await.code, 7, "{name}");
        let text = log(&pods, "a", name, LogOptions::default()).await;
        let lines = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count() as u64;
        let (out, err) = match name {
            "fast" => (150_000, 150_000_u64.div_ceil(9)),
            "slow" => (lines("out"), lines("out")),
            _ => (lines("out"), 0),
        };
        assert!(out > 50, "{name} wrote {out} lines");
        check(&text, "out", out, name);
        check(&text, "err", err, name);
        assert_eq!(text.lines().count() as u64, out + err, "{name}: whole lines");
        if name == "long" {
            assert!(text.lines().all(|line| line.len() > 51_200 && line.ends_with("===")), "a long line is cut");
        }
    }
    let followed = followed.await.unwrap();
    assert_eq!(followed, log(&pods, "a", "slow", LogOptions::default()).await, "a follower noticed");
}

/// Not a test: prints how fast one busy container's output gets into its log.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn throughput() {
    let machine = Machine::new().await;
    let pods = machine.agent().await;
    pods.create_pod(&pod("a")).await.unwrap();
    for (name, line) in [("short", 20), ("long", 500)] {
        let megabytes = 400;
        let script = format!("yes {} | dd bs=64k count={} iflag=fullblock", "y".repeat(line), megabytes * 16);
        let began = Instant::now();
        pods.start_container("a", &machine.shell(name, &script)).await.unwrap();
        assert_eq!(exit(&pods, "a", name).await.code, 0);
        println!("lines of {line} bytes: {:.0} MB/s", f64::from(megabytes) / began.elapsed().as_secs_f64());
    }
}
