//! `raftsman-e2e NAME [--lane life|deaths|losses|fence] [WORDS]`: the end-to-end steps of a lane (of all without) whose names hold
//! one of the words (all without), on the running local cluster NAME. `RAFTSMAN` and `KUBECTL` name other binaries than those
//! on the PATH.

use raftsman_chaos::cluster::Cluster;
use raftsman_chaos::figures::Figures;
use raftsman_chaos::steps::{self, Lane};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(name) = args.next() else {
        eprintln!(
            "usage: raftsman-e2e NAME [--lane LANE] [WORDS]; start the cluster with `raftsman up --name NAME` first"
        );
        return ExitCode::from(2);
    };
    let mut words: Vec<String> = args.collect();
    let mut chosen = steps::all();
    if words.first().is_some_and(|word| word == "--lane") {
        let Some(lane) = words.get(1).and_then(|name| Lane::named(name)) else {
            eprintln!("--lane: there are life, deaths, losses and fence");
            return ExitCode::from(2);
        };
        chosen = lane.steps();
        words.drain(..2);
    }
    let binary = |variable: &str, default: &str| std::env::var_os(variable).unwrap_or_else(|| default.into()).into();
    let cluster = Cluster { name, raftsman: binary("RAFTSMAN", "raftsman"), kubectl: binary("KUBECTL", "kubectl") };
    let mut figures = Figures::default();
    let (mut passed, mut failed) = (0, 0);
    for (step, run) in chosen {
        if !words.is_empty() && !words.iter().any(|word| step.contains(word.as_str())) {
            continue;
        }
        let begin = Instant::now();
        match run(&cluster, &mut figures) {
            Ok(()) => {
                passed += 1;
                println!("ok      {step} ({:.1} s)", begin.elapsed().as_secs_f32());
            }
            Err(error) => {
                failed += 1;
                println!("FAILED  {step}: {error:#}");
                println!("        again: raftsman-e2e {} '{step}'", cluster.name);
                cluster.shown().lines().for_each(|line| println!("        | {line}"));
                if let Err(error) = cluster.restore() {
                    println!("        the cluster stays broken: {error:#}");
                }
            }
        }
    }
    figures.lines().iter().for_each(|line| println!("figure  {line}"));
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
